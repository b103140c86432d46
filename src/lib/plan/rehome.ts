import { formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import type { FlannelVersion } from '../net/flannel-version';
import { parseIpv4 } from '../net/ipv4';
import type { Lease, LeaseReading } from '../net/lease';
import { parseLeaseValue } from '../net/lease-value';
import type { EffectiveConfig } from '../net/network-config';
import { type NodeRef, nodesByPublicIP } from '../net/node-ref';
import type { Problem } from '../net/problem';
import { whyNoPublicIP } from '../net/public-ip';
import { formatReservation, type ReservationReading } from '../net/reservation';
import type { StoredTombstone } from '../net/tombstone';
import { withPublicIP } from '../net/with-public-ip';
import type { Entry } from '../store/store';
import type { Change } from './change';
import { inUse } from './mend';
import type { Removal } from './reclaim';
import { isSame } from './reservation-state';
import type { SubnetWork } from './subnet-work';

export interface RehomeWish {
  readonly subnet: Ipv4Cidr;
  readonly to: string;
  /** A lease of the new address that the person says may go. */
  readonly drop: Ipv4Cidr | null;
}

export interface RehomeScene {
  readonly version: FlannelVersion;
  readonly reading: LeaseReading;
  readonly effective: EffectiveConfig | null;
  readonly reservations: ReservationReading;
  readonly nodes: readonly NodeRef[];
  /** What netctl has taken away: a run that was cut off has dropped its left-over before. */
  readonly tombstones: readonly StoredTombstone[];
  readonly entryOf: (key: string) => Entry | undefined;
  /** How a lease is taken away, and kept for `netctl subnets undo`. */
  readonly removalOf: (lease: Lease, entry: Entry) => Removal;
}

export interface Rehome extends SubnetWork {
  /** The public IP that the lease has now. */
  readonly from: string | null;
  readonly removal: Removal | null;
}

/**
 * The lease of a node whose address has changed: the new address in the value that is there, and nothing else. Its owner must not run
 * meanwhile, because it would write its old address back.
 */
export function planRehome({ subnet, to, drop }: RehomeWish, scene: RehomeScene): Rehome {
  const text = formatCidr(subnet);
  const { leases } = scene.reading;
  const lease = leases.find((each) => isSame(each.subnet, subnet));
  const byIP = nodesByPublicIP(scene.nodes);
  const taker = byIP.get(to);
  const node = taker?.name ?? null;
  const work = { subnet: text, publicIP: to, node, from: lease?.publicIP ?? null, removal: null };
  const refuse = (problem: Problem): Rehome => ({ ...work, changes: [], problems: [problem] });

  const network = scene.effective?.network == null ? undefined : parseIpv4Cidr(scene.effective.network);
  const why = whyNoPublicIP(parseIpv4(to) ?? 0, network);
  if (why !== undefined)
    return refuse(problem('bad-public-ip', to, `${to} cannot be the public IP of a node: ${why}`, null));
  const entry = lease === undefined ? undefined : scene.entryOf(lease.key);
  if (lease === undefined || entry === undefined) {
    const isUnreadable = scene.reading.unreadable.some((each) => each.subnet !== null && isSame(each.subnet, subnet));
    return refuse(
      isUnreadable
        ? problem('rehome-no-lease', text, `flanneld cannot read the lease of ${text}`, `netctl subnets mend ${text}`)
        : problem(
            'rehome-no-lease',
            text,
            `nobody has ${text}, so there is no lease to give another address`,
            'netctl subnets ls',
          ),
    );
  }
  if (lease.ipv6Subnet !== null) {
    return refuse(
      problem(
        'rehome-dual-stack',
        text,
        `${text} has an IPv6 subnet too, and its node another IPv6 address perhaps; netctl does not change those`,
        null,
      ),
    );
  }
  const holder = lease.publicIP === null ? undefined : byIP.get(lease.publicIP);
  if (holder !== undefined && taker !== undefined && holder !== taker) {
    return refuse(
      otherNode(
        text,
        `${text} is the lease of ${holder.name} (${lease.publicIP}), and ${to} is ${taker.name}: another node's subnet is not moved`,
        `netctl subnets ls tells the subnet of ${taker.name}; when ${lease.publicIP} was ${taker.name}'s before, leave ${holder.name} out of netctl.yaml for this command`,
      ),
    );
  }
  const others = leases.filter((each) => each.publicIP === to && each.key !== lease.key);
  const [other] = others;
  const dropped = drop === null ? undefined : others.find((each) => isSame(each.subnet, drop));
  if (other !== undefined && (dropped === undefined || others.length > 1)) {
    const named = inUse(to, other.subnetText);
    return refuse({
      ...named,
      suggestion: `When it is a left-over of the same node: netctl subnets rehome ${text} --to ${to} --drop ${other.subnetText}`,
    });
  }
  if (drop !== null && dropped === undefined && lease.publicIP !== to && !wasDropped(drop, to, scene)) {
    return refuse(
      problem(
        'rehome-no-lease',
        formatCidr(drop),
        `${formatCidr(drop)} is no lease of ${to}, so it is not dropped`,
        null,
      ),
    );
  }
  const reserved = scene.reservations.reservations;
  const promised = reserved.find((each) => each.publicIP === to && !isSame(each.subnet, subnet));
  const record = reserved.find((each) => isSame(each.subnet, subnet));
  if (promised !== undefined) {
    return refuse(
      problem(
        'reservation-clash',
        text,
        `${formatCidr(promised.subnet)} is reserved for ${to}, not ${text}`,
        `netctl subnets unreserve ${formatCidr(promised.subnet)}`,
      ),
    );
  }
  if (record !== undefined && record.publicIP !== to && record.publicIP !== lease.publicIP) {
    return refuse(
      problem(
        'reservation-clash',
        text,
        `${text} is reserved for ${record.publicIP}, not for ${to}`,
        `netctl subnets unreserve ${text}`,
      ),
    );
  }

  const removal = dropped === undefined ? null : removalOf(dropped, scene);
  const changes: Change[] = [];
  if (removal !== null) changes.push(...(removal.keep === null ? [] : [removal.keep]), removal.remove);
  // Before the lease: cut off in between, the reservation leads on, to the new address, and not back to the former one.
  if (record !== undefined && record.publicIP !== to) {
    changes.push({
      kind: 'put',
      key: record.key,
      value: formatReservation({ ...record, publicIP: to }),
      expected: record.revision,
      why: 'its reservation goes with it',
    });
  }
  if (lease.publicIP !== to) {
    const value = withPublicIP(entry.value, to, scene.version);
    if (value === undefined) throw new TypeError(`${lease.key} was read, and cannot be changed`);
    changes.push({
      kind: 'put',
      key: lease.key,
      value,
      expected: lease.revision,
      ttlSeconds: 'keep',
      why: `${text} goes with its node from ${lease.publicIP ?? 'no address'} to ${to}`,
    });
  }
  return { ...work, removal, changes, problems: [] };
}

/** Has netctl taken this lease of that address away before? */
function wasDropped(drop: Ipv4Cidr, to: string, { tombstones, version }: RehomeScene): boolean {
  return tombstones.some(({ subnet, value }) => {
    const read = subnet === formatCidr(drop) ? parseLeaseValue(value, version) : undefined;
    return read?.kind === 'ok' && read.attrs.publicIP === to;
  });
}

/** @param suggestion the way out */
export function otherNode(subnet: string, message: string, suggestion: string): Problem {
  return problem('rehome-other-node', subnet, message, suggestion);
}

function removalOf(lease: Lease, scene: RehomeScene): Removal | null {
  const entry = scene.entryOf(lease.key);
  return entry === undefined ? null : scene.removalOf(lease, entry);
}

function problem(code: string, path: string, message: string, suggestion: string | null): Problem {
  return { code, severity: 'error', path, message, suggestion };
}
