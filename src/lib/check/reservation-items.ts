import { formatCidr } from '../net/cidr';
import { nodesByPublicIP } from '../net/node-ref';
import { type ReservationScene, type ReservationState, reservationJudge } from '../plan/reservation-state';
import { stateProblems } from '../plan/reserve';

/** A reservation with how it stands. */
export interface ReservationItem {
  readonly subnet: string;
  readonly publicIP: string | null;
  readonly node: string | null;
  /** `damaged`: the record itself cannot be read. */
  readonly state: ReservationState['kind'] | 'damaged';
  /** Who has the subnet, or what its node has instead; null when there is no such lease. */
  readonly lease: { readonly subnet: string; readonly publicIP: string | null } | null;
  /** Of the lease that holds it; null when it does not expire, or there is none. */
  readonly expiresInSeconds: number | null;
  readonly note: string | null;
  readonly reservedBy: string | null;
  readonly reservedAt: string | null;
  readonly why: string | null;
}

export function reservationItems(
  scene: ReservationScene & { readonly ttls: ReadonlyMap<string, number> },
): readonly ReservationItem[] {
  const judge = reservationJudge(scene);
  const names = nodesByPublicIP(scene.nodes);
  const read = scene.reservations.reservations.map((reservation): ReservationItem => {
    const { subnet, publicIP, node, note, reservedBy, reservedAt } = reservation;
    const state = judge(reservation);
    const lease = 'lease' in state ? state.lease : null;
    return {
      subnet: formatCidr(subnet),
      publicIP,
      node: names.get(publicIP)?.name ?? node,
      state: state.kind,
      lease: lease === null ? null : { subnet: lease.subnetText, publicIP: lease.publicIP },
      expiresInSeconds: lease === null || state.kind !== 'held' ? null : (scene.ttls.get(lease.key) ?? null),
      note,
      reservedBy,
      reservedAt,
      why: stateProblems(reservation, state)[0]?.message ?? null,
    };
  });
  const damaged = scene.reservations.damaged.map(
    ({ key, subnet, reason }): ReservationItem => ({
      subnet: subnet === null ? key : formatCidr(subnet),
      publicIP: null,
      node: null,
      state: 'damaged',
      lease: null,
      expiresInSeconds: null,
      note: null,
      reservedBy: null,
      reservedAt: null,
      why: reason,
    }),
  );
  return [...read, ...damaged];
}
