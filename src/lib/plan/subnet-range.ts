import { cidrOf, type Ipv4Cidr, parseIpv4Cidr, sizeOfLength } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';
import type { EffectiveConfig } from '../net/network-config';

/** The IPv4 subnets that flanneld hands out, as numbers. Slot `i` begins at `first + i * size`. */
export interface SubnetRange {
  readonly network: Ipv4Cidr;
  readonly subnetLen: number;
  /** Addresses in one subnet. */
  readonly size: number;
  /** SubnetMin, as it stands in the config. */
  readonly first: number;
  /** SubnetMax, the base of the last subnet. */
  readonly last: number;
  /** Subnets from first to last, both counted; 0 when SubnetMin lies above SubnetMax. */
  readonly slots: number;
}

/** Null when the config has no IPv4 side. */
export function subnetRangeOf(effective: EffectiveConfig): SubnetRange | null {
  const { network: networkText, subnetLen, subnetMin, subnetMax } = effective;
  if (networkText === null || subnetLen === null || subnetMin === null || subnetMax === null) return null;
  const network = parseIpv4Cidr(networkText);
  const first = parseIpv4(subnetMin);
  const last = parseIpv4(subnetMax);
  // Flannel v0.9 accepts a SubnetLen above 32; a step of less than one address hands out nothing that could be named.
  if (network === undefined || first === undefined || last === undefined || subnetLen > 32) return null;
  const size = sizeOfLength(subnetLen);
  const slots = first > last ? 0 : Math.floor((last - first) / size) + 1;
  return { network: { base: network.base, length: network.length }, subnetLen, size, first, last, slots };
}

/** First and last slot that a lease's range touches, both counted; undefined when it touches none. */
export function slotsOf(
  range: Pick<SubnetRange, 'first' | 'size' | 'slots' | 'subnetLen'>,
  subnet: Ipv4Cidr,
): readonly [number, number] | undefined {
  // flanneld compares under the shorter mask, so a slot that does not begin on a boundary counts as its aligned range.
  const origin = cidrOf(range.first, range.subnetLen).base;
  const low = Math.floor((subnet.base - origin) / range.size);
  const high = Math.floor((subnet.base + sizeOfLength(subnet.length) - 1 - origin) / range.size);
  if (high < 0 || low >= range.slots) return undefined;
  return [Math.max(low, 0), Math.min(high, range.slots - 1)];
}
