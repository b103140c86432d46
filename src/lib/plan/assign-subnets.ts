import { cidrsOverlap, formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import type { FlannelVersion } from '../net/flannel-version';
import type { Lease } from '../net/lease';
import { leaseKey } from '../net/lease-key';
import type { EffectiveConfig } from '../net/network-config';
import type { Problem } from '../net/problem';
import { capacityOf } from './capacity';
import type { Change } from './change';
import { leaseFitOf } from './lease-fit';

/** A node that is to have a subnet. */
export interface SubnetSeeker {
  readonly name: string;
  /** flanneld's PublicIP: by it flanneld finds its lease. */
  readonly publicIP: string;
  /** This one and no other. */
  readonly wanted: string | null;
  /** Who wants it so; the inventory when absent. */
  readonly wantedBy?: 'inventory' | 'reservation';
  /** A reservation on etcd v2: its lease has no time to live. */
  readonly isPermanent?: boolean;
  /** Why it is not known which one it shall have. */
  readonly conflict?: Problem;
  /** `FLANNEL_SUBNET` of its last run. */
  readonly previous: string | null;
}

export interface AssignedSubnet {
  readonly node: string;
  /** Null when none can be told: see `problem`, or flanneld chooses itself. */
  readonly subnet: Ipv4Cidr | null;
  readonly from: 'lease' | 'inventory' | 'reservation' | 'previous' | 'free' | 'flanneld';
  /** The key to make before flanneld starts; null when it has a lease already. */
  readonly change: Change | null;
  readonly problem: Problem | null;
}

/** flanneld's own: a lease that nobody took up in a day is free again. */
const leaseSeconds = 86_400;

/**
 * Gives every node its subnet before any flanneld starts. flanneld (v0.8.0 and later) takes the lease that has its public IP, so no two
 * of them grasp for the same subnet at once: of 48 that start together some would lose that race and end (flannel
 * `createSubnet`, v0.18.0 to v0.28.9). With IPv6 on it is left to flanneld, because both ranges must be one key.
 */
export function assignSubnets(
  seekers: readonly SubnetSeeker[],
  leases: readonly Lease[],
  effective: EffectiveConfig,
  prefix: string,
  version: FlannelVersion,
  /** Subnets that are kept for nodes that do not seek now. */
  reserved: readonly string[] = [],
): readonly AssignedSubnet[] {
  const fit = leaseFitOf(effective, version);
  const fits = (subnet: Ipv4Cidr): boolean =>
    fit.misfits({ subnet, address: subnet.base, ipv6Subnet: null }).length === 0;
  const leaveToFlanneld = effective.enableIPv6 || !effective.enableIPv4;
  const taken: Ipv4Cidr[] = leases.map(({ subnet }) => subnet);
  // What is wanted for one node is not free for another.
  for (const text of [...reserved, ...seekers.flatMap(({ wanted }) => wanted ?? [])]) {
    const subnet = parseIpv4Cidr(text);
    if (subnet !== undefined) taken.push(subnet);
  }
  const free = (subnet: Ipv4Cidr): boolean => !taken.some((other) => cidrsOverlap(other, subnet));

  const assign = (seeker: SubnetSeeker): AssignedSubnet => {
    const { name, publicIP } = seeker;
    const own = leases.find((lease) => lease.publicIP === publicIP);
    const wanted = seeker.wanted === null ? undefined : parseIpv4Cidr(seeker.wanted);
    const none = { node: name, subnet: null, change: null } as const;
    const make = (subnet: Ipv4Cidr, from: AssignedSubnet['from']): AssignedSubnet => {
      taken.push(subnet);
      const change: Change = {
        kind: 'put',
        key: leaseKey(prefix, subnet),
        value: Buffer.from(JSON.stringify({ PublicIP: publicIP })),
        expected: 'absent',
        ...(seeker.isPermanent === true ? {} : { ttlSeconds: leaseSeconds }),
        why: `${name} takes ${formatCidr(subnet)}: flanneld finds the lease by its public IP ${publicIP}`,
      };
      return { node: name, subnet, from, change, problem: null };
    };
    const by = seeker.wantedBy ?? 'inventory';
    if (seeker.conflict !== undefined) return { ...none, from: by, problem: seeker.conflict };
    if (own !== undefined && (wanted === undefined || same(own.subnet, wanted)) && fit.misfits(own).length === 0) {
      return { node: name, subnet: own.subnet, from: 'lease', change: null, problem: null };
    }
    if (own !== undefined && wanted === undefined && !leaveToFlanneld) {
      return { ...none, from: 'lease', problem: holdsMisfit(seeker, own, effective) };
    }
    if (wanted !== undefined) {
      if (own !== undefined) return { ...none, from: by, problem: holdsAnother(seeker, own, wanted) };
      const holder = leases.find((lease) => cidrsOverlap(lease.subnet, wanted));
      if (holder !== undefined) return { ...none, from: by, problem: heldByAnother(seeker, holder, wanted) };
      if (leaveToFlanneld) return { ...none, from: 'flanneld', problem: dualStackWanted(seeker) };
      if (!fits(wanted)) return { ...none, from: by, problem: doesNotFit(seeker, wanted, effective) };
      return make(wanted, by);
    }
    if (leaveToFlanneld) return { ...none, from: 'flanneld', problem: null };
    const previous = seeker.previous === null ? undefined : parseIpv4Cidr(seeker.previous);
    if (previous !== undefined && fits(previous) && free(previous)) return make(previous, 'previous');
    const next = capacityOf(
      effective,
      taken.map((subnet) => ({ subnet })),
    )?.next[0];
    const subnet = next === undefined ? undefined : parseIpv4Cidr(next);
    if (subnet === undefined) return { ...none, from: 'free', problem: outOfSubnets(seeker, effective) };
    return make(subnet, 'free');
  };

  // Whoever gets any free one comes last: it may not be what another had before.
  const comesLast = ({ wanted, previous }: SubnetSeeker): boolean => wanted === null && previous === null;
  const assigned = new Map<SubnetSeeker, AssignedSubnet>();
  for (const seeker of [...seekers.filter((each) => !comesLast(each)), ...seekers.filter(comesLast)]) {
    assigned.set(seeker, assign(seeker));
  }
  return seekers.flatMap((seeker) => assigned.get(seeker) ?? []);
}

function same(a: Ipv4Cidr, b: Ipv4Cidr): boolean {
  return a.base === b.base && a.length === b.length;
}

function giver({ name, wantedBy }: SubnetSeeker): string {
  return `${wantedBy === 'reservation' ? 'a reservation' : 'the inventory'} gives ${name}`;
}

function problem(code: string, message: string, suggestion: string): Problem {
  return { code, severity: 'error', path: 'subnet', message, suggestion };
}

function holdsAnother(seeker: SubnetSeeker, own: Lease, wanted: Ipv4Cidr): Problem {
  return problem(
    'node-holds-another-subnet',
    `${giver(seeker)} ${formatCidr(wanted)}, but it holds ${own.subnetText}: flanneld would keep that one, and its containers live there`,
    `${seeker.wantedBy === 'reservation' ? `netctl subnets unreserve ${formatCidr(wanted)}` : `Write subnet: ${own.subnetText} for ${seeker.name}`}, or stop flanneld there, delete ${own.key} and its subnet.env, and run this again`,
  );
}

function holdsMisfit({ name }: SubnetSeeker, own: Lease, effective: EffectiveConfig): Problem {
  return problem(
    'node-holds-another-subnet',
    `${name} holds ${own.subnetText}, which does not fit the network: the config has /${effective.subnetLen ?? '?'} subnets from ${effective.subnetMin ?? '?'} to ${effective.subnetMax ?? '?'}; flanneld would give it back when it starts, and take one that nobody knows yet`,
    `Stop flanneld on ${name}, delete ${own.key} and its subnet.env, and run this again`,
  );
}

function heldByAnother(seeker: SubnetSeeker, holder: Lease, wanted: Ipv4Cidr): Problem {
  return problem(
    'subnet-held-by-another',
    `${giver(seeker)} ${formatCidr(wanted)}, but ${holder.publicIP ?? 'somebody'} holds ${holder.subnetText}`,
    `netctl subnets show ${holder.subnetText} says who; give ${seeker.name} another subnet, or free that one first`,
  );
}

function doesNotFit(seeker: SubnetSeeker, wanted: Ipv4Cidr, effective: EffectiveConfig): Problem {
  return problem(
    'subnet-does-not-fit',
    `${giver(seeker)} ${formatCidr(wanted)}, which flanneld would not take: the config has /${effective.subnetLen ?? '?'} subnets from ${effective.subnetMin ?? '?'} to ${effective.subnetMax ?? '?'}`,
    `Give ${seeker.name} a subnet in that range, or change the network: netctl init-network`,
  );
}

function dualStackWanted({ name, wantedBy }: SubnetSeeker): Problem {
  return problem(
    'subnet-in-dual-stack',
    `${name} cannot be given a subnet beforehand: with IPv6 on, flanneld keeps both ranges in one key of its own making`,
    wantedBy === 'reservation' ? `netctl subnets unreserve ${name}` : `Leave out subnet for ${name}`,
  );
}

function outOfSubnets({ name }: SubnetSeeker, effective: EffectiveConfig): Problem {
  return problem(
    'out-of-subnets',
    `there is no free subnet for ${name} from ${effective.subnetMin ?? '?'} to ${effective.subnetMax ?? '?'}: flanneld would end with "out of subnets"`,
    'netctl subnets check says which leases are of nodes that are gone; netctl network plan which size is needed',
  );
}
