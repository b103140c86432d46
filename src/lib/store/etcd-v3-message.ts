import type { IKeyValue } from 'etcd3';
import { keyText } from './key-text';
import type { Entry } from './store';

/** A key as etcd3 decodes it: numbers are decimal texts. */
export function entryOf(kv: IKeyValue): Entry {
  const base = {
    key: keyText(kv.key),
    value: kv.value,
    revision: kv.mod_revision,
    createdRevision: kv.create_revision,
  };
  return kv.lease === '0'
    ? { ...base, permanent: true }
    : { ...base, permanent: false, leaseId: hexOf(kv.lease).padStart(16, '0') };
}

/** etcdctl prints ids in hex, etcd3 gives them as decimal texts. */
export function hexOf(decimal: string): string {
  return BigInt.asUintN(64, BigInt(decimal)).toString(16);
}

/** The id of a lease, hex, as the int64 that etcd3 sends. */
export function leaseNumber(id: string): string {
  return String(BigInt.asIntN(64, BigInt(`0x${id}`)));
}
