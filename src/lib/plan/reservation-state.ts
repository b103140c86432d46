import { cidrsOverlap, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import type { FlannelVersion } from '../net/flannel-version';
import type { Lease, LeaseReading } from '../net/lease';
import { leaseKey } from '../net/lease-key';
import type { EffectiveConfig } from '../net/network-config';
import { type NodeRef, publicIPOf } from '../net/node-ref';
import type { Reservation, ReservationReading } from '../net/reservation';
import { LeaseFinder } from './lease-finder';
import { leaseFitOf, type Misfit } from './lease-fit';

/** What reservations are judged by. */
export interface ReservationScene {
  readonly prefix: string;
  readonly version: FlannelVersion;
  readonly reading: LeaseReading;
  /** Null when there is no config that flanneld accepts. */
  readonly effective: EffectiveConfig | null;
  readonly reservations: ReservationReading;
  /** Of the inventory. */
  readonly nodes: readonly NodeRef[];
}

/** How a reservation stands among leases, the config, the inventory and other reservations. */
export type ReservationState =
  /** Its node has the lease, or the lease waits for it. */
  | { readonly kind: 'held'; readonly lease: Lease }
  /** Nobody has the subnet, and its node has no other. */
  | { readonly kind: 'open' }
  /** Nobody has the subnet, but its node has another: at its next start flanneld would keep that one. */
  | { readonly kind: 'elsewhere'; readonly lease: Lease }
  | { readonly kind: 'taken'; readonly lease: Lease }
  /** There is a key for the subnet, and flanneld cannot read its value. */
  | { readonly kind: 'unreadable'; readonly key: string }
  | { readonly kind: 'misfit'; readonly misfit: Misfit | 'dual-stack' }
  /** Another reservation has the public IP, or a part of the range. */
  | {
      readonly kind: 'clash';
      readonly other: Pick<Reservation, 'subnet' | 'publicIP'>;
      readonly by: 'public-ip' | 'range';
    }
  /** The inventory gives this node another subnet, or this subnet to another node. */
  | { readonly kind: 'inventory'; readonly node: string; readonly subnet: string; readonly isOwner: boolean }
  /** The network has no config that could tell. */
  | { readonly kind: 'no-config' };

/** Judges any number of reservations of one scene; also one that is not kept yet. */
export function reservationJudge(scene: ReservationScene): (reservation: Reservation) => ReservationState {
  const { effective, reservations, nodes } = scene;
  const leases = new LeaseFinder(scene.reading.leases);
  const fit = effective === null ? undefined : leaseFitOf(effective, scene.version);
  return (reservation) => {
    const { subnet, publicIP } = reservation;
    const other = reservations.reservations.find(
      (each) => !isSame(each.subnet, subnet) && (each.publicIP === publicIP || cidrsOverlap(each.subnet, subnet)),
    );
    if (other !== undefined) {
      return { kind: 'clash', other, by: cidrsOverlap(other.subnet, subnet) ? 'range' : 'public-ip' };
    }
    const wanted = wantedByInventory(reservation, nodes);
    if (wanted !== undefined) return wanted;
    if (fit === undefined || effective === null) return { kind: 'no-config' };
    if (effective.enableIPv6 || !effective.enableIPv4) return { kind: 'misfit', misfit: 'dual-stack' };
    const [misfit] = fit.misfits({ subnet, address: subnet.base, ipv6Subnet: null });
    if (misfit !== undefined) return { kind: 'misfit', misfit };

    const inRange = leases.overlapping(subnet);
    const key = leaseKey(scene.prefix, subnet);
    // A key that flanneld itself would not write is renewed by nobody.
    const foreign = inRange.find(
      (lease) => lease.publicIP !== publicIP || (isSame(lease.subnet, subnet) && lease.key !== key),
    );
    if (foreign !== undefined) return { kind: 'taken', lease: foreign };
    const exact = inRange.find((lease) => lease.key === key);
    if (exact !== undefined) return { kind: 'held', lease: exact };
    const unreadable = scene.reading.unreadable.find(
      (each) => each.subnet !== null && cidrsOverlap(each.subnet, subnet),
    );
    if (unreadable !== undefined) return { kind: 'unreadable', key: unreadable.key };
    const [own] = leases.of(publicIP);
    return own === undefined ? { kind: 'open' } : { kind: 'elsewhere', lease: own };
  };
}

function wantedByInventory(
  { subnet, publicIP }: Reservation,
  nodes: readonly NodeRef[],
): Extract<ReservationState, { kind: 'inventory' }> | undefined {
  for (const node of nodes) {
    const wanted = node.subnet === undefined ? undefined : parseIpv4Cidr(node.subnet);
    if (wanted === undefined || node.subnet === undefined) continue;
    const isOwn = publicIPOf(node) === publicIP;
    if (isOwn ? !isSame(wanted, subnet) : cidrsOverlap(wanted, subnet)) {
      return { kind: 'inventory', node: node.name, subnet: node.subnet, isOwner: isOwn };
    }
  }
  return undefined;
}

export function isSame(a: Ipv4Cidr, b: Ipv4Cidr): boolean {
  return a.base === b.base && a.length === b.length;
}
