import { formatCidr, type Ipv4Cidr, parseIpv4Cidr } from './cidr';
import { formatIpv4, parseIpv4 } from './ipv4';
import type { StoredKey } from './lease';
import { leaseKeyTail } from './lease-key';
import { ownPrefix } from './own-keys';

/**
 * A subnet that is kept for one node, also while the node is away. This is what a person wants, kept beside the network; what
 * flanneld acts on is a lease, which netctl makes of it: with etcd v3 flanneld turns every permanent key into one of 24 hours
 * (v0.18.0 and later), so the wish cannot live among the leases.
 */
export interface Reservation {
  readonly subnet: Ipv4Cidr;
  /** Dotted IPv4: by it flanneld finds its lease. */
  readonly publicIP: string;
  /** Name in the inventory of whoever reserved it. For people; nothing is decided by it. */
  readonly node: string | null;
  readonly note: string | null;
  /** `user@host`. For people. */
  readonly reservedBy: string;
  /** ISO 8601, by the clock of that workstation. For people. */
  readonly reservedAt: string;
}

/** A reservation as it stands in etcd. */
export interface StoredReservation extends Reservation {
  readonly key: string;
  readonly revision: string;
}

/** A key among the reservations that netctl cannot read. What it keeps for whom is not known. */
export interface DamagedReservation {
  readonly key: string;
  readonly revision: string;
  /** Why, for people; the offending text may stand in it as it is. */
  readonly reason: string;
  /** The subnet, when the key at least tells it. */
  readonly subnet: Ipv4Cidr | null;
}

export interface ReservationReading {
  /** By address, then by length. */
  readonly reservations: readonly StoredReservation[];
  readonly damaged: readonly DamagedReservation[];
}

/** Where reservations are kept; ends in a slash. */
export function reservationsPrefix(prefix: string): string {
  return `${ownPrefix(prefix)}reservations/`;
}

/** The key is the subnet, so of two people who reserve one subnet at once only the first succeeds. */
export function reservationKey(prefix: string, subnet: Ipv4Cidr): string {
  return `${reservationsPrefix(prefix)}${leaseKeyTail(subnet.base, subnet.length, null)}`;
}

/** No record of ours is longer; a longer one is not read. */
const largestBytes = 16_384;

export function formatReservation(reservation: Reservation): Uint8Array {
  const { subnet, publicIP, node, note, reservedBy, reservedAt } = reservation;
  return Buffer.from(
    JSON.stringify({
      apiVersion: 'netctl/v1',
      kind: 'Reservation',
      subnet: formatCidr(subnet),
      publicIP,
      ...(node === null ? {} : { node }),
      ...(note === null ? {} : { note }),
      reservedBy,
      reservedAt,
    }),
  );
}

export type ReservationResult =
  | { readonly ok: true; readonly reservation: Reservation }
  | { readonly ok: false; readonly reason: string };

/** The bytes of a record. Never throws. */
export function parseReservation(value: Uint8Array): ReservationResult {
  if (value.length > largestBytes)
    return no(`it has ${value.length} bytes, a reservation has fewer than ${largestBytes}`);
  let stored: unknown;
  try {
    stored = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value));
  } catch {
    return no('it is not JSON');
  }
  if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) return no('it is not an object');
  const field = (name: string): unknown => (Object.hasOwn(stored, name) ? Reflect.get(stored, name) : undefined);
  const text = (name: string): string | null => {
    const value = field(name);
    return typeof value === 'string' && value !== '' ? value : null;
  };
  if (field('kind') !== 'Reservation') return no('its kind is not Reservation');
  if (field('apiVersion') !== 'netctl/v1')
    return no('its apiVersion is not netctl/v1: a newer netctl may have written it');
  const subnet = parseIpv4Cidr(text('subnet') ?? '');
  if (subnet === undefined || subnet.hostBits || subnet.length > 31)
    return no('its subnet is not one such as 10.5.1.0/24');
  const address = parseIpv4(text('publicIP') ?? '');
  if (address === undefined) return no('its publicIP is not an IPv4 address');
  return {
    ok: true,
    reservation: {
      subnet: { base: subnet.base, length: subnet.length },
      publicIP: formatIpv4(address),
      node: text('node'),
      note: text('note'),
      reservedBy: text('reservedBy') ?? '',
      reservedAt: text('reservedAt') ?? '',
    },
  };
}

function no(reason: string): ReservationResult {
  return { ok: false, reason };
}

/**
 * The reservations among keys of etcd; others are passed over.
 * @param entries of a snapshot of `reservationsPrefix(prefix)` or more
 */
export function readReservations(entries: Iterable<StoredKey>, prefix: string): ReservationReading {
  const below = reservationsPrefix(prefix);
  const reservations: StoredReservation[] = [];
  const damaged: DamagedReservation[] = [];
  for (const { key, value, revision } of entries) {
    if (!key.startsWith(below)) continue;
    const read = parseReservation(value);
    const named = parseIpv4Cidr(key.slice(below.length).replace(/-(\d{1,2})$/, '/$1')) ?? null;
    const subnet = named === null ? null : { base: named.base, length: named.length };
    if (!read.ok) damaged.push({ key, revision, reason: read.reason, subnet });
    else if (key !== reservationKey(prefix, read.reservation.subnet)) {
      damaged.push({
        key,
        revision,
        reason: `it is about ${formatCidr(read.reservation.subnet)}, its key is not`,
        subnet,
      });
    } else reservations.push({ ...read.reservation, key, revision });
  }
  reservations.sort((a, b) => a.subnet.base - b.subnet.base || a.subnet.length - b.subnet.length);
  return { reservations, damaged };
}
