import type { StoredKey } from './lease';
import { leaseKeyTail } from './lease-key';
import { ownPrefix } from './own-keys';
import { storedFields } from './stored-record';

/** What a lease was when netctl took it away, kept beside the network so that it can be put back. */
export interface Tombstone {
  /** The key that was taken away. */
  readonly key: string;
  /** Its canonical subnet, `10.5.1.0/24`: what a person asks for. */
  readonly subnet: string;
  /** Revision (v3) or index (v2) at which it was last written. */
  readonly revision: string;
  /** The stored bytes, exactly. */
  readonly value: Uint8Array;
  /** It did not expire. False as well in records of before this was kept. */
  readonly permanent: boolean;
  /** Seconds that it had left; null when it did not expire, or when etcd did not say. */
  readonly ttlSeconds: number | null;
  /** ISO 8601, by the clock of the workstation. For people; nothing is decided by it. */
  readonly deletedAt: string;
  /** `user@host`. For people. */
  readonly deletedBy: string;
  /** `netctl subnets reclaim`. For people. */
  readonly command: string;
  /** One line each: why it was taken for dead. For people. */
  readonly reasons: readonly string[];
}

/** A tombstone as it stands in etcd. */
export interface StoredTombstone extends Tombstone {
  readonly ownKey: string;
  readonly ownRevision: string;
  /** Order of the deletions, by etcd itself: no clock of a workstation counts. */
  readonly madeRevision: string;
}

/** What was taken away is kept here; ends in a slash. */
export function tombstonesPrefix(prefix: string): string {
  return `${ownPrefix(prefix)}deleted/`;
}

/**
 * One key for one state of one lease: a run that was killed between the tombstone and the deletion finds its own again.
 * @param lease `address` and `subnet.length` of the key that goes
 */
export function tombstoneKey(
  prefix: string,
  lease: {
    readonly address: number;
    readonly subnet: { readonly length: number };
    readonly ipv6Subnet: string | null;
    readonly revision: string;
  },
): string {
  if (!/^\d{1,20}$/.test(lease.revision)) throw new Error(`not a revision: ${JSON.stringify(lease.revision)}`);
  const tail = leaseKeyTail(lease.address, lease.subnet.length, lease.ipv6Subnet);
  return `${tombstonesPrefix(prefix)}${lease.revision.padStart(20, '0')}-${tail}`;
}

/** So many are kept; of more the oldest go. */
export const mostTombstones = 1000;

/** etcd takes no longer one. */
const largestBytes = 1536 * 1024;
/** A value of flanneld has a few hundred bytes. */
const longestShownBytes = 4096;
const mostReasons = 32;
const longestReason = 500;

export function formatTombstone(tombstone: Tombstone): Uint8Array {
  const { key, subnet, revision, value, permanent, ttlSeconds, deletedAt, deletedBy, command, reasons } = tombstone;
  return Buffer.from(
    JSON.stringify({
      apiVersion: 'netctl/v1',
      kind: 'DeletedLease',
      key,
      subnet,
      revision,
      valueBase64: Buffer.from(value).toString('base64'),
      // For a person with etcdctl; `valueBase64` is what counts.
      ...(value.length > longestShownBytes ? {} : { value: Buffer.from(value).toString('utf8') }),
      ...(permanent ? { permanent } : {}),
      ttlSeconds,
      deletedAt,
      deletedBy,
      command,
      reasons: reasons.slice(0, mostReasons).map((reason) => reason.slice(0, longestReason)),
    }),
  );
}

/** `undefined` for bytes that netctl did not write; they are left alone. Never throws. */
export function parseTombstone(bytes: Uint8Array): Tombstone | undefined {
  if (bytes.length > largestBytes) return undefined;
  const field = storedFields(bytes);
  if (field === undefined) return undefined;
  const text = (name: string): string => {
    const value = field(name);
    return typeof value === 'string' ? value : '';
  };
  const ttl = field('ttlSeconds');
  const reasons = field('reasons');
  const isTtl = ttl === null || (typeof ttl === 'number' && Number.isFinite(ttl) && ttl >= 0);
  if (field('apiVersion') !== 'netctl/v1' || field('kind') !== 'DeletedLease' || !isTtl) return undefined;
  const base64 = text('valueBase64');
  if (text('key') === '' || !/^\d{1,20}$/.test(text('revision')) || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    return undefined;
  }
  return {
    key: text('key'),
    subnet: text('subnet'),
    revision: text('revision'),
    value: Buffer.from(base64, 'base64'),
    permanent: field('permanent') === true,
    ttlSeconds: ttl,
    deletedAt: text('deletedAt'),
    deletedBy: text('deletedBy'),
    command: text('command'),
    reasons: Array.isArray(reasons)
      ? reasons.slice(0, mostReasons).flatMap((each) => (typeof each === 'string' ? each : []))
      : [],
  };
}

/** The tombstones among keys of etcd, the last deletion first. What netctl did not write is passed over. */
export function readTombstones(entries: Iterable<StoredKey>, prefix: string): readonly StoredTombstone[] {
  const below = tombstonesPrefix(prefix);
  const found: StoredTombstone[] = [];
  for (const { key, value, revision, createdRevision } of entries) {
    if (!key.startsWith(below)) continue;
    const read = parseTombstone(value);
    if (read !== undefined) found.push({ ...read, ownKey: key, ownRevision: revision, madeRevision: createdRevision });
  }
  return found.sort((a, b) => {
    const [left, right] = [BigInt(a.madeRevision), BigInt(b.madeRevision)];
    return left < right ? 1 : left > right ? -1 : a.ownKey < b.ownKey ? 1 : -1;
  });
}
