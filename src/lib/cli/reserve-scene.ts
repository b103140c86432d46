import { NetctlError } from '../errors';
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

/**
 * The network and what is reserved there, for a command that only reads: a user who may read no more than flannel's keys is
 * still told of the leases. The reservations are null, and that is said, when etcd does not let them be read.
 */
export async function readWithReservations(
  talk: { say(line: string): void },
  session: Session,
): Promise<{ readonly network: NetworkReading; readonly reservations: ReservationReading | null }> {
  const opened = await session.networkStore();
  const [network, reservations] = await Promise.all([
    session.network(opened),
    readReservationsOf(opened).catch((error: unknown) => {
      if (error instanceof NetctlError && notAllowed.has(error.code)) return null;
      throw error;
    }),
  ]);
  if (reservations === null) {
    talk.say(
      `note: etcd does not let netctl read ${reservationsPrefix(opened.prefix)}, so what is reserved is not known`,
    );
  }
  return { network, reservations };
}

/** etcd v2 has one word for a missing right and a wrong password, but with that the network cannot be read either. */
const notAllowed: ReadonlySet<string> = new Set([
  'etcd-permission-denied',
  'etcd-access-denied',
  // A guest of v2, who needs no password for what he may read.
  'etcd-auth-needed',
]);

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
