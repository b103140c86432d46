import { cidrContains, type Ipv4Cidr, sizeOfLength } from '../net/cidr';
import type { Lease } from '../net/lease';
import type { EffectiveConfig } from '../net/network-config';
import { slotsOf, subnetRangeOf } from './subnet-range';

export type SubnetState = 'free' | 'used' | 'permanent' | 'reserved' | 'expiring' | 'outside';

/** `states[i]` indexes this list. In rising precedence: of two claims to one subnet the later one shows. */
export const subnetStates = [
  'free',
  'outside',
  'reserved',
  'used',
  'expiring',
  'permanent',
] as const satisfies readonly SubnetState[];

const code: Readonly<Record<SubnetState, number>> = {
  free: 0,
  outside: 1,
  reserved: 2,
  used: 3,
  expiring: 4,
  permanent: 5,
};

/** Largest number of subnets that a map can have; a /8 of /30 subnets. */
export const mapLimit = 2 ** 22;

export interface SubnetStates {
  readonly network: Ipv4Cidr;
  readonly subnetLen: number;
  /** Base address of the subnet with index 0. */
  readonly first: number;
  readonly count: number;
  /** One byte a subnet, an index into `subnetStates`. */
  readonly states: Uint8Array;
}

export interface SubnetStatesOptions {
  /** Only this part of the network. */
  readonly within?: Ipv4Cidr;
  /** Remaining seconds by key, where they were asked for. */
  readonly ttls?: ReadonlyMap<string, number>;
  /** A lease with less than this left is expiring. Default 3600: flanneld's renewal was due. */
  readonly expiringBelowSeconds?: number;
  /** Subnets that are kept for a node without a lease there. */
  readonly reserved?: readonly Ipv4Cidr[];
}

/**
 * What each subnet of the network is, from its first address to its last; `outside` are those below SubnetMin and above
 * SubnetMax. Null when there is no IPv4 side or when there are more than `mapLimit` subnets: narrow it with `within`.
 */
export function subnetStatesOf(
  effective: EffectiveConfig,
  leases: readonly Lease[],
  options: SubnetStatesOptions = {},
): SubnetStates | null {
  const range = subnetRangeOf(effective);
  if (range === null) return null;
  const { within, ttls, expiringBelowSeconds = 3600, reserved = [] } = options;
  const area = within !== undefined && cidrContains(range.network, within) ? within : range.network;
  // A part that is smaller than a subnet is shown as the subnet that holds it.
  const first = area.base - (area.base % range.size);
  const slots = Math.max(1, sizeOfLength(area.length) / range.size);
  if (slots > mapLimit) return null;
  const states = new Uint8Array(slots);
  const grid = { first, size: range.size, slots, subnetLen: range.subnetLen };
  states.fill(code.outside);
  if (range.slots > 0) {
    const low = Math.ceil((range.first - first) / range.size);
    const high = low + range.slots;
    if (high > 0 && low < slots) states.fill(code.free, Math.max(0, low), Math.min(slots, high));
  }
  // By rising precedence, and each kind merged before it is painted: leases that cover everything cost no more than others.
  const kinds: Record<'reserved' | 'used' | 'expiring' | 'permanent', Ipv4Cidr[]> = {
    reserved: [...reserved],
    used: [],
    expiring: [],
    permanent: [],
  };
  for (const lease of leases) kinds[stateOf(lease, ttls, expiringBelowSeconds)].push(lease.subnet);
  for (const kind of ['reserved', 'used', 'expiring', 'permanent'] as const) {
    for (const [low, high] of merged(grid, kinds[kind])) states.fill(code[kind], low, high + 1);
  }
  return { network: range.network, subnetLen: range.subnetLen, first, count: slots, states };
}

function merged(
  grid: Parameters<typeof slotsOf>[0],
  subnets: readonly Ipv4Cidr[],
): readonly (readonly [number, number])[] {
  const touched: (readonly [number, number])[] = [];
  for (const subnet of subnets) {
    const slots = slotsOf(grid, subnet);
    if (slots !== undefined) touched.push(slots);
  }
  touched.sort((a, b) => a[0] - b[0]);
  const spans: (readonly [number, number])[] = [];
  let covered = -1;
  for (const [low, high] of touched) {
    if (high <= covered) continue;
    spans.push([Math.max(low, covered + 1), high]);
    covered = high;
  }
  return spans;
}

function stateOf(
  lease: Lease,
  ttls: ReadonlyMap<string, number> | undefined,
  below: number,
): 'used' | 'expiring' | 'permanent' {
  if (lease.permanent) return 'permanent';
  const left = ttls?.get(lease.key) ?? lease.ttlSeconds;
  return left !== null && left < below ? 'expiring' : 'used';
}
