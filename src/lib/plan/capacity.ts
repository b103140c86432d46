import { InvalidInput } from '../errors';
import {
  cidrContains,
  cidrsOverlap,
  formatCidr,
  type Ipv4Cidr,
  lastAddress,
  sizeOfLength,
  spacesOf,
} from '../net/cidr';
import { formatIpv4 } from '../net/ipv4';
import type { EffectiveConfig } from '../net/network-config';
import { type SubnetRange, slotsOf, subnetRangeOf } from './subnet-range';

/** flanneld collects this many free subnets, from SubnetMin upward, and takes one of them at random. */
const candidateLimit = 100;

/** Share of the subnets in use from which on a network counts as nearly full. */
export const nearlyFull = 0.8;

export interface Capacity {
  /** Subnets from SubnetMin to SubnetMax. */
  readonly total: number;
  /** Of these, how many overlap a lease. A lease of another length can use many, or share one with others. */
  readonly used: number;
  readonly free: number;
  /** 0 to 1; 1 when there are no subnets at all. */
  readonly utilisation: number;
  /** The free subnets of which flanneld would take one at random: at most 100, in order. */
  readonly next: readonly string[];
  /**
   * The walk of flanneld would run past 255.255.255.255 and go on at 0.0.0.0, as it does when the network ends there
   * and fewer than 100 subnets are free. It then hands out ranges outside the network; they are not counted here.
   */
  readonly wraps: boolean;
}

/**
 * How full a network is, counted by the walk that flanneld makes (all releases). Leases outside SubnetMin..SubnetMax do
 * not count. Null when the config has no IPv4 side.
 */
export function capacityOf(
  effective: EffectiveConfig,
  leases: readonly { readonly subnet: Ipv4Cidr }[],
): Capacity | null {
  const range = subnetRangeOf(effective);
  if (range === null) return null;
  // Leases come in the order of their ranges, unless a key is not aligned.
  const walk = walkOf(range, leases) ?? walkOf(range, inOrder(leases));
  if (walk === undefined) throw new Error('ranges in order are out of order');
  const { used, next } = walk;
  const free = range.slots - used;
  return {
    total: range.slots,
    used,
    free,
    utilisation: range.slots === 0 ? 1 : used / range.slots,
    next,
    wraps: range.slots > 0 && next.length < candidateLimit && range.first + range.slots * range.size > 0xffffffff,
  };
}

type Ranged = { readonly subnet: Ipv4Cidr };

function inOrder(leases: readonly Ranged[]): readonly Ranged[] {
  return [...leases].sort((a, b) => a.subnet.base - b.subnet.base);
}

/** The subnets in use, and the free ones that come first; undefined when the leases are not in order. */
function walkOf(
  range: SubnetRange,
  leases: readonly Ranged[],
): { readonly used: number; readonly next: readonly string[] } | undefined {
  const next: string[] = [];
  const offer = (from: number, to: number): void => {
    for (let slot = from; slot < to && next.length < candidateLimit; slot++) {
      next.push(`${formatIpv4(range.first + slot * range.size)}/${range.subnetLen}`);
    }
  };
  let used = 0;
  let covered = 0;
  let before = -1;
  for (const { subnet } of leases) {
    if (subnet.base < before) return undefined;
    before = subnet.base;
    const slots = slotsOf(range, subnet);
    if (slots === undefined) continue;
    const [low, high] = slots;
    if (low > covered) offer(covered, low);
    const begin = Math.max(low, covered);
    if (high >= begin) {
      used += high - begin + 1;
      covered = high + 1;
    }
  }
  offer(covered, range.slots);
  return { used, next };
}

export interface CapacityWish {
  /** Nodes that shall run at once. */
  readonly nodes: number;
  /** Containers on one node. */
  readonly containersPerNode: number;
  /** How many more nodes to leave room for, as a share: 0.5 is half as many again. Default 0. */
  readonly growth?: number;
  /** Nodes that are replaced in a day. Each leaves a lease behind that lives for up to 24 hours. Default 0. */
  readonly churnPerDay?: number;
  /** Where the network shall lie; all private space when absent. */
  readonly within?: Ipv4Cidr;
  /** What it must not touch. */
  readonly avoid?: readonly Ipv4Cidr[];
}

export interface Layout {
  readonly network: string;
  readonly subnetLen: number;
  /** Subnets that flanneld can hand out; it skips the first one of the network. */
  readonly subnets: number;
  /** Of these: nodes with growth, and the dead leases of a day. */
  readonly needed: number;
  readonly spare: number;
  /** `needed` as a share of `subnets`. */
  readonly utilisation: number;
  /** Addresses of a subnet that containers can have: not the network's, the broadcast's and docker0's. */
  readonly containersPerNode: number;
  readonly recommended: boolean;
  /** Why somebody would take this one, or think twice. */
  readonly note: string;
  /** The command that sets it up. */
  readonly command: string;
}

/** Addresses in a subnet that no container can have: network, broadcast, and the bridge's own. */
const overheadAddresses = 3;

/** flanneld takes nothing longer, and wants room for four subnets. */
const longestSubnet = 30;
const leastSubnetBits = 2;

/** RFC 1918, in the order in which they are tried. */
const privateSpace: readonly Ipv4Cidr[] = [
  { base: 0x0a000000, length: 8 },
  { base: 0xac100000, length: 12 },
  { base: 0xc0a80000, length: 16 },
];

/** Private ranges that something else usually has; taken only when there is no other place. */
const usuallyTaken: readonly Ipv4Cidr[] = [
  { base: 0x0a000000, length: 16 },
  { base: 0xac100000, length: 12 },
  { base: 0xc0a80000, length: 16 },
];

/**
 * Layouts in which this many nodes with this many containers fit, the recommended one first, then by size. At most six.
 * @throws InvalidInput `bad-capacity-wish`, `not-private-space`, or `capacity-impossible` with the nearest possible
 */
export function planCapacity(wish: CapacityWish): readonly Layout[] {
  const { nodes, containersPerNode, growth = 0, churnPerDay = 0, within, avoid = [] } = wish;
  requireNumber('nodes', nodes, 1, true);
  requireNumber('containers', containersPerNode, 1, true);
  requireNumber('growth', growth, 0, false);
  requireNumber('churn', churnPerDay, 0, false);
  if (within !== undefined) requirePrivate(within);
  const needed = neededSubnets(nodes, growth, churnPerDay);
  const ranges = within === undefined ? privateSpace : [within];
  const tightest = subnetLenFor(containersPerNode);
  const fits: Fit[] = [];
  for (let subnetLen = tightest; subnetLen >= 8 && fits.length < 12; subnetLen--) {
    for (const room of [1, nearlyFull]) {
      const networkLen = networkLenFor(needed / room, subnetLen);
      if (networkLen < 8 || fits.some((fit) => fit.subnetLen === subnetLen && fit.network.length === networkLen))
        continue;
      const network = place(networkLen, ranges, avoid);
      if (network !== undefined) fits.push({ network, subnetLen });
    }
  }
  if (fits.length === 0) throw impossible(wish, needed, tightest, ranges, avoid);
  const best = recommend(fits, needed, tightest);
  const others = fits
    .filter((fit) => fit !== best)
    .sort((a, b) => b.network.length - a.network.length || b.subnetLen - a.subnetLen)
    .slice(0, 5);
  return [best, ...others].map((fit) => layoutOf(fit, needed, fit === best));
}

interface Fit {
  readonly network: Ipv4Cidr;
  readonly subnetLen: number;
}

function neededSubnets(nodes: number, growth: number, churnPerDay: number): number {
  // The sum of floating point shares must not ask for a subnet more: 10 nodes and 10 % are 11.
  return Math.ceil(Number((nodes * (1 + growth)).toFixed(6))) + Math.ceil(churnPerDay);
}

/** The longest prefix whose subnets hold this many containers; below 0 when there is none. */
function subnetLenFor(containersPerNode: number): number {
  const bits = Math.ceil(Math.log2(containersPerNode + overheadAddresses));
  return Math.min(longestSubnet, 32 - bits);
}

/** The longest network prefix with this many subnets beside the skipped first one. */
function networkLenFor(subnets: number, subnetLen: number): number {
  const bits = Math.max(leastSubnetBits, Math.ceil(Math.log2(subnets + 1)));
  return subnetLen - bits;
}

function usableSubnets(fit: Fit): number {
  return 2 ** (fit.subnetLen - fit.network.length) - 1;
}

/** The first range of this length that touches nothing; ranges that something else usually has come last. */
function place(length: number, ranges: readonly Ipv4Cidr[], avoid: readonly Ipv4Cidr[]): Ipv4Cidr | undefined {
  return firstFree(length, ranges, [...avoid, ...usuallyTaken]) ?? firstFree(length, ranges, avoid);
}

function firstFree(length: number, ranges: readonly Ipv4Cidr[], avoid: readonly Ipv4Cidr[]): Ipv4Cidr | undefined {
  for (const range of ranges) {
    if (length < range.length) continue;
    let base = range.base;
    while (base <= lastAddress(range)) {
      const candidate: Ipv4Cidr = { base, length };
      const obstacle = avoid.find((other) => cidrsOverlap(other, candidate));
      if (obstacle === undefined) return candidate;
      // Past the obstacle, and on to the next boundary of a network of this size.
      const size = sizeOfLength(length);
      base = Math.ceil((lastAddress(obstacle) + 1) / size) * size;
    }
  }
  return undefined;
}

function recommend(fits: readonly Fit[], needed: number, tightest: number): Fit {
  // A /24 is what people read at a glance and what flannel itself takes; a longer subnet saves space nobody misses.
  const readable = Math.min(24, tightest);
  const roomy = (fit: Fit): boolean => needed <= usableSubnets(fit) * nearlyFull;
  const choice =
    fits.find((fit) => fit.subnetLen === readable && roomy(fit)) ??
    fits.find((fit) => roomy(fit)) ??
    fits.find((fit) => fit.subnetLen === readable) ??
    fits[0];
  if (choice === undefined) throw new Error('no layout to recommend');
  return choice;
}

function layoutOf(fit: Fit, needed: number, recommended: boolean): Layout {
  const subnets = usableSubnets(fit);
  const network = formatCidr(fit.network);
  return {
    network,
    subnetLen: fit.subnetLen,
    subnets,
    needed,
    spare: subnets - needed,
    utilisation: needed / subnets,
    containersPerNode: sizeOfLength(fit.subnetLen) - overheadAddresses,
    recommended,
    note: noteOn(fit, needed, subnets),
    command: `netctl init-network ${network} --subnet-len ${fit.subnetLen} --backend vxlan`,
  };
}

function noteOn(fit: Fit, needed: number, subnets: number): string {
  const notes: string[] = [];
  if (needed > subnets * nearlyFull)
    notes.push('nearly full from the start: a few dead leases more and nodes find no subnet');
  if (
    cidrsOverlap(fit.network, { base: 0xac100000, length: 12 }) ||
    cidrsOverlap(fit.network, { base: 0xc0a80000, length: 16 })
  ) {
    notes.push("overlaps Docker's default address pools: set default-address-pools outside it");
  } else if (cidrsOverlap(fit.network, { base: 0x0a000000, length: 16 })) {
    notes.push('holds 10.0.0.0/16, which many LANs and VPNs use');
  }
  if (fit.subnetLen === 24) notes.push('one third octet per node, easy to read');
  return notes.length === 0 ? 'room to spare' : notes.join('; ');
}

function requireNumber(what: string, value: number, least: number, whole: boolean): void {
  if (Number.isFinite(value) && value >= least && value <= 2 ** 32 && (!whole || Number.isInteger(value))) return;
  throw new InvalidInput({
    code: 'bad-capacity-wish',
    message: `--${what}: ${value} is not a ${whole ? 'whole number' : 'number'} of at least ${least}`,
    next: ['netctl network plan --nodes 200 --containers 100'],
  });
}

function requirePrivate(within: Ipv4Cidr): void {
  const foreign = spacesOf(within).find((use) => use.space !== 'private' && use.space !== 'shared');
  if (foreign === undefined) return;
  throw new InvalidInput({
    code: 'not-private-space',
    message: `--within: ${formatCidr(within)} is ${foreign.space} address space; containers need private addresses (RFC 1918, RFC 6598)`,
    next: privateSpace.map(formatCidr),
  });
}

function impossible(
  wish: CapacityWish,
  needed: number,
  tightest: number,
  ranges: readonly Ipv4Cidr[],
  avoid: readonly Ipv4Cidr[],
): InvalidInput {
  const { nodes, containersPerNode } = wish;
  const largest = largestFree(ranges, avoid);
  const where = wish.within === undefined ? 'private address space' : formatCidr(wish.within);
  if (largest === undefined) {
    return new InvalidInput({
      code: 'capacity-impossible',
      ...(ranges.every(({ length }) => length > longestSubnet - leastSubnetBits)
        ? {
            message: `${where} is too small for a network: flannel wants room for four subnets of /30, a range of /28 or more`,
            next: ['Give a larger range with --within.'],
          }
        : {
            message: `nothing of ${where} is left: what must be avoided covers all of it down to /28, the smallest network`,
            next: ['Give another range with --within, or fewer --avoid.'],
          }),
    });
  }
  const next: string[] = [];
  // Same nodes, fewer containers.
  const bits = Math.max(leastSubnetBits, Math.ceil(Math.log2(needed + 1)));
  const subnetLen = largest.length + bits;
  if (subnetLen <= longestSubnet) {
    const containers = sizeOfLength(subnetLen) - overheadAddresses;
    next.push(
      `Possible in ${formatCidr(largest)}: ${nodes} nodes with ${containers} containers each (--subnet-len ${subnetLen}).`,
    );
  }
  // Same containers, fewer nodes.
  const subnets = 2 ** (tightest - largest.length) - 1;
  if (tightest - largest.length >= leastSubnetBits && subnets < needed) {
    next.push(
      `Possible in ${formatCidr(largest)}: ${subnets} subnets for ${containersPerNode} containers each (--subnet-len ${tightest}).`,
    );
  }
  next.push('Or give more room: another --within, fewer --avoid, or two networks with prefixes of their own.');
  return new InvalidInput({
    code: 'capacity-impossible',
    message: `${needed} subnets for ${containersPerNode} containers each do not fit: the largest free range in ${where} is ${formatCidr(largest)}`,
    details:
      needed === nodes
        ? []
        : [`${nodes} nodes, with growth and the leases that replaced nodes leave for 24 hours: ${needed} subnets.`],
    next,
  });
}

function largestFree(ranges: readonly Ipv4Cidr[], avoid: readonly Ipv4Cidr[]): Ipv4Cidr | undefined {
  for (let length = 0; length <= longestSubnet - leastSubnetBits; length++) {
    const free = firstFree(length, ranges, avoid);
    if (free !== undefined && ranges.some((range) => cidrContains(range, free))) return free;
  }
  return undefined;
}
