import type { FlannelVersion } from './flannel-version';
import { foldKey, parseGoJson } from './go-json';
import { parseLeaseValue } from './lease-value';

/**
 * The value of a lease with another public IP, every other byte as it was: fields that netctl does not know are the owner's.
 * Undefined for a value that flanneld could not read, before or after.
 */
export function withPublicIP(value: Uint8Array, publicIP: string, version: FlannelVersion): Uint8Array | undefined {
  const document = parseGoJson(value);
  if (!document.ok || document.root.kind !== 'object') return undefined;
  const { root, bytes } = document;
  const literal = JSON.stringify(publicIP);
  // Go takes a field in any case, and of two the last: all of them get the new one.
  const spans = root.members
    .filter(({ key }) => key.length === 8 && foldKey(key) === 'publicip')
    .map((each) => each.value);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { start, end } of spans) {
    parts.push(bytes.subarray(at, start), Buffer.from(literal));
    at = end;
  }
  if (spans.length === 0) {
    at = root.start + 1;
    parts.push(bytes.subarray(0, at), Buffer.from(`"PublicIP":${literal}${root.members.length === 0 ? '' : ','}`));
  }
  const changed = Buffer.concat([...parts, bytes.subarray(at)]);
  const read = parseLeaseValue(changed, version);
  return read.kind === 'ok' && read.attrs.publicIP === publicIP ? changed : undefined;
}
