import type { Ipv4Cidr } from '../net/cidr';
import { leaseKey } from '../net/lease-key';
import { type ReservationReading, readReservations, reservationsPrefix } from '../net/reservation';
import type { ReserveScene } from '../plan/reserve';
import type { Entry } from '../store/store';
import type { NetworkReading, NetworkStore, Session } from './session';

export interface LookedAtReservations extends ReserveScene {
  readonly network: NetworkReading;
}

/** What is reserved at this prefix. */
export async function readReservationsOf({
  store,
  prefix,
}: Pick<NetworkStore, 'store' | 'prefix'>): Promise<ReservationReading> {
  return readReservations((await store.snapshot(reservationsPrefix(prefix))).entries, prefix);
}

/** The network with its reservations, and the leases of reserved subnets in full. @param also subnets that may be reserved */
export async function lookAtReservations(
  session: Session,
  opened: NetworkStore,
  also: readonly Ipv4Cidr[] = [],
): Promise<LookedAtReservations> {
  const [reservations, network] = await Promise.all([readReservationsOf(opened), session.network(opened)]);
  const subnets = [...reservations.reservations.map(({ subnet }) => subnet), ...also];
  const keys = new Set(subnets.map((subnet) => leaseKey(opened.prefix, subnet)));
  const entries: Entry[] = [];
  if (keys.size > 0) for (const entry of network.snapshot.entries) if (keys.has(entry.key)) entries.push(entry);
  return {
    network,
    api: network.api,
    prefix: network.prefix,
    version: network.version,
    reading: network.leases,
    effective: network.effective,
    reservations,
    nodes: session.inventory?.nodes ?? [],
    values: new Map(entries.map(({ key, value }) => [key, value])),
    ttls: await opened.store.ttls(entries.filter(({ permanent }) => !permanent)),
  };
}
