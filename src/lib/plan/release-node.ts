import { cidrOf, formatCidr, type Ipv4Cidr } from '../net/cidr';
import type { Lease, LeaseReading } from '../net/lease';
import type { Problem } from '../net/problem';
import type { ReservationReading } from '../net/reservation';
import type { Entry } from '../store/store';
import type { Change } from './change';
import type { Removal } from './reclaim';
import { isSame } from './reservation-state';
import { releaseLease } from './reset-lease';
import type { SubnetWork } from './subnet-work';

export interface ReleaseWish {
  readonly node: string;
  readonly publicIP: string;
  /** Public IPs of the other nodes. */
  readonly others: ReadonlySet<string>;
  /** Its reservation goes too. */
  readonly unreserve: boolean;
}

export interface ReleaseScene {
  readonly reading: LeaseReading;
  readonly reservations: ReservationReading;
  readonly entryOf: (key: string) => Entry | undefined;
  /** How a lease is taken away, and kept for `netctl subnets undo`. */
  readonly removalOf: (lease: Lease, entry: Entry) => Removal;
}

export interface Release extends SubnetWork {
  readonly removal: Removal | null;
}

/** What a node that leaves gives back: its leases, and its reservation when that is wanted. Nothing when it has none. */
export function planRelease(wish: ReleaseWish, scene: ReleaseScene): readonly Release[] {
  const { node, publicIP, others, unreserve } = wish;
  const released = releaseLease({ node, publicIP, addresses: [], subnet: null }, scene.reading.leases, others);
  const keys = new Set(released.changes.map(({ key }) => key));
  const left: readonly Problem[] = released.problems.map((each) => ({ ...each, severity: 'error' }));
  if (left.length > 0) return [{ subnet: '-', publicIP, node, changes: [], problems: left, removal: null }];
  const records = scene.reservations.reservations.filter((each) => each.publicIP === publicIP);
  const works: Release[] = [];
  for (const lease of scene.reading.leases) {
    const entry = keys.has(lease.key) ? scene.entryOf(lease.key) : undefined;
    if (entry === undefined) continue;
    const removal = scene.removalOf(lease, entry);
    const isKept = records.some(({ subnet }) => isSame(subnet, lease.subnet)) && !unreserve;
    works.push({
      subnet: lease.subnetText,
      publicIP,
      node,
      removal,
      changes: [...(removal.keep === null ? [] : [removal.keep]), removal.remove],
      problems: isKept ? [stillReserved(lease.subnet, node)] : [],
    });
  }
  if (!unreserve || records.length === 0) return works;
  const changes: readonly Change[] = records.map(({ key, revision, subnet }) => ({
    kind: 'delete',
    key,
    expected: revision,
    why: `${formatCidr(subnet)} is no longer kept for ${node}`,
  }));
  const [first, ...rest] = works;
  if (first !== undefined) return [{ ...first, changes: [...first.changes, ...changes] }, ...rest];
  const subnet = records[0]?.subnet ?? cidrOf(0, 0);
  return [{ subnet: formatCidr(subnet), publicIP, node, removal: null, changes, problems: [] }];
}

function stillReserved(subnet: Ipv4Cidr, node: string): Problem {
  return {
    code: 'release-still-reserved',
    severity: 'info',
    path: formatCidr(subnet),
    message: `${formatCidr(subnet)} stays reserved for ${node}: netctl subnets reserve --enforce would make a lease for it again`,
    suggestion: `netctl subnets unreserve ${formatCidr(subnet)}`,
  };
}
