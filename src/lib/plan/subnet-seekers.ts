import { cidrsOverlap, formatCidr, parseIpv4Cidr } from '../net/cidr';
import type { NodeRef } from '../net/node-ref';
import type { Problem } from '../net/problem';
import type { ReservationReading, StoredReservation } from '../net/reservation';
import type { Api } from '../store/store';
import type { SubnetSeeker } from './assign-subnets';
import { isSame } from './reservation-state';

export interface Seekers {
  readonly seekers: readonly SubnetSeeker[];
  /** Subnets that none of them may be given. */
  readonly keptForOthers: readonly string[];
}

/**
 * Nodes that are to have a subnet, with what the inventory and reservations want for them. Where the two differ neither is followed.
 * @param asked with what the inventory wants, if anything
 * @param nodes all of the inventory
 */
export function seekersOf(
  asked: readonly SubnetSeeker[],
  nodes: readonly NodeRef[],
  reserved: { readonly api: Api; readonly reading: ReservationReading } | undefined,
): Seekers {
  const reservations = reserved?.reading.reservations ?? [];
  const damaged = reserved?.reading.damaged ?? [];
  const seekers = asked.map((seeker): SubnetSeeker => {
    const own = reservations.find(({ publicIP }) => publicIP === seeker.publicIP);
    const wanted = seeker.wanted === null ? undefined : parseIpv4Cidr(seeker.wanted);
    const other =
      wanted === undefined
        ? undefined
        : reservations.find(({ subnet, publicIP }) => publicIP !== seeker.publicIP && cidrsOverlap(subnet, wanted));
    if (other !== undefined) return { ...seeker, conflict: keptForAnother(seeker, other) };
    if (own === undefined) return seeker;
    if (wanted !== undefined && !isSame(wanted, own.subnet)) return { ...seeker, conflict: keptAnother(seeker, own) };
    return {
      ...seeker,
      wanted: formatCidr(own.subnet),
      ...(wanted === undefined ? { wantedBy: 'reservation' } : {}),
      isPermanent: reserved?.api === 'v2',
    };
  });
  const names = new Set(asked.map(({ name }) => name));
  const addresses = new Set(asked.map(({ publicIP }) => publicIP));
  return {
    seekers,
    keptForOthers: [
      ...nodes.flatMap(({ name, subnet }) => (subnet === undefined || names.has(name) ? [] : [subnet])),
      ...reservations.flatMap(({ subnet, publicIP }) => (addresses.has(publicIP) ? [] : [formatCidr(subnet)])),
      ...damaged.flatMap(({ subnet }) => (subnet === null ? [] : [formatCidr(subnet)])),
    ],
  };
}

function keptForAnother({ name, wanted }: SubnetSeeker, { subnet, publicIP }: StoredReservation): Problem {
  return contradiction(
    `the inventory gives ${name} ${wanted ?? ''}, but ${formatCidr(subnet)} is reserved for ${publicIP}`,
    `Give ${name} another subnet in the inventory, or: netctl subnets unreserve ${formatCidr(subnet)}`,
  );
}

function keptAnother({ name, wanted }: SubnetSeeker, { subnet }: StoredReservation): Problem {
  return contradiction(
    `the inventory gives ${name} ${wanted ?? ''}, but ${formatCidr(subnet)} is reserved for it`,
    `Write subnet: ${formatCidr(subnet)} for ${name}, or: netctl subnets unreserve ${formatCidr(subnet)}`,
  );
}

function contradiction(message: string, suggestion: string): Problem {
  return { code: 'reservation-contradicts-inventory', severity: 'error', path: 'subnet', message, suggestion };
}
