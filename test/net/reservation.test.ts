import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cidrOf } from '../../src/lib/net/cidr';
import { formatIpv4 } from '../../src/lib/net/ipv4';
import {
  formatReservation,
  parseReservation,
  type Reservation,
  readReservations,
  reservationKey,
  reservationsPrefix,
} from '../../src/lib/net/reservation';

const prefix = '/coreos.com/network';
const reservation: Reservation = {
  subnet: cidrOf(0x0a_05_01_00, 24),
  publicIP: '192.168.0.7',
  node: 'web1',
  note: 'rack 3',
  reservedBy: 'ann@desk',
  reservedAt: '2026-11-20T13:00:00.000Z',
};
const bytes = (text: string): Uint8Array => Buffer.from(text);
const entry = (key: string, value: Uint8Array) => ({
  key,
  value,
  revision: '7',
  createdRevision: '7',
  permanent: true,
});
const arbitraryReservation = fc.record<Reservation>({
  subnet: fc
    .tuple(fc.nat(0xffff_ffff), fc.integer({ min: 1, max: 31 }))
    .map(([address, length]) => cidrOf(address, length)),
  publicIP: fc.nat(0xffff_ffff).map(formatIpv4),
  node: fc.option(fc.string({ minLength: 1, unit: 'grapheme', maxLength: 50 })),
  note: fc.option(fc.string({ minLength: 1, unit: 'grapheme', maxLength: 50 })),
  reservedBy: fc.string({ maxLength: 30 }),
  reservedAt: fc.string({ maxLength: 30 }),
});

describe('a reservation in etcd', () => {
  it('lies beside the network, where flanneld does not look', () => {
    expect(reservationsPrefix('/coreos.com/network/')).toBe('/coreos.com/network-netctl/reservations/');
    expect(reservationKey(prefix, reservation.subnet)).toBe('/coreos.com/network-netctl/reservations/10.5.1.0-24');
  });

  it('is read as it was written, whatever its texts are', () => {
    fc.assert(
      fc.property(arbitraryReservation, (each) => {
        expect(parseReservation(formatReservation(each))).toEqual({ ok: true, reservation: each });
        const key = reservationKey(prefix, each.subnet);
        expect(readReservations([entry(key, formatReservation(each))], prefix)).toEqual({
          reservations: [{ ...each, key, revision: '7' }],
          damaged: [],
        });
      }),
    );
  });

  it('is told as damaged, not believed and not passed over, whatever bytes are there', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(bytes), fc.string().map(bytes)), (value) => {
        const { reservations, damaged } = readReservations(
          [entry(reservationKey(prefix, reservation.subnet), value)],
          prefix,
        );
        expect(reservations).toEqual([]);
        expect(damaged).toHaveLength(1);
        expect(damaged[0]?.subnet).toEqual(reservation.subnet);
      }),
    );
  });

  it.each([
    ['{"kind":"Reservation","apiVersion":"netctl/v2","subnet":"10.5.1.0/24","publicIP":"10.4.7.21"}', 'newer netctl'],
    ['{"kind":"Reservation","apiVersion":"netctl/v1","subnet":"10.5.1.7/24","publicIP":"10.4.7.21"}', 'subnet'],
    ['{"kind":"Reservation","apiVersion":"netctl/v1","subnet":"10.5.1.0/32","publicIP":"10.4.7.21"}', 'subnet'],
    ['{"kind":"Reservation","apiVersion":"netctl/v1","subnet":"10.5.1.0/24","publicIP":"fd00::1"}', 'publicIP'],
    [
      '{"__proto__":{"kind":"Reservation","apiVersion":"netctl/v1","subnet":"10.5.1.0/24","publicIP":"10.4.7.21"}}',
      'kind',
    ],
    [`"${'x'.repeat(20_000)}"`, 'bytes'],
  ])('is not read from %.90s', (text, reason) => {
    const read = parseReservation(bytes(text));
    expect(read.ok ? '' : read.reason).toContain(reason);
  });

  it('counts as damaged when its key speaks of another subnet', () => {
    const key = `${reservationsPrefix(prefix)}10.5.2.0-24`;
    const { damaged } = readReservations([entry(key, formatReservation(reservation))], prefix);
    expect(damaged).toMatchObject([
      { key, reason: 'it is about 10.5.1.0/24, its key is not', subnet: cidrOf(0x0a_05_02_00, 24) },
    ]);
  });

  it('is looked for only in its own place', () => {
    const elsewhere = entry(`${prefix}/subnets/10.5.1.0-24`, formatReservation(reservation));
    expect(readReservations([elsewhere], prefix)).toEqual({ reservations: [], damaged: [] });
  });
});
