import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatTombstone,
  parseTombstone,
  readTombstones,
  tombstoneKey,
  tombstonesPrefix,
} from '../../src/lib/net/tombstone';

const tombstone = fc.record({
  key: fc.string({ minLength: 1 }),
  subnet: fc.string(),
  revision: fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String),
  value: fc.uint8Array({ maxLength: 2000 }),
  permanent: fc.boolean(),
  ttlSeconds: fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: null }),
  deletedAt: fc.string(),
  deletedBy: fc.string(),
  command: fc.string(),
  reasons: fc.array(fc.string(), { maxLength: 5 }),
});

describe('the record of a lease that was taken away', () => {
  it('gives back what it was made of, to the byte', () => {
    fc.assert(
      fc.property(tombstone, (made) => {
        const read = parseTombstone(formatTombstone(made));
        expect(read === undefined ? undefined : { ...read, value: Uint8Array.from(read.value) }).toEqual(made);
      }),
    );
  });

  it('no bytes make it throw, and none but ours are a record', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => parseTombstone(bytes) === undefined));
    fc.assert(fc.property(fc.json(), (text) => parseTombstone(Buffer.from(text)) === undefined));
    for (const bad of [
      '{"apiVersion":"netctl/v1","kind":"DeletedLease"}',
      '{"apiVersion":"netctl/v1","kind":"DeletedLease","key":"/k","revision":"-1","valueBase64":"","ttlSeconds":1}',
      '{"apiVersion":"netctl/v1","kind":"DeletedLease","key":"/k","revision":"1","valueBase64":"~","ttlSeconds":1}',
      '{"apiVersion":"netctl/v1","kind":"DeletedLease","key":"/k","revision":"1","valueBase64":"","ttlSeconds":-1}',
      '{"apiVersion":"netctl/v1","kind":"DeletedLease","key":"/k","revision":"1","valueBase64":"","ttlSeconds":1e999}',
    ]) {
      expect(parseTombstone(Buffer.from(bad)), bad).toBeUndefined();
    }
  });

  it('lies beside the network, one for each state of a lease', () => {
    const lease = { address: 0x0a05_0100, subnet: { length: 24 }, ipv6Subnet: null, revision: '41' };
    expect(tombstoneKey('/coreos.com/network', lease)).toBe(
      '/coreos.com/network-netctl/deleted/00000000000000000041-10.5.1.0-24',
    );
    expect(() => tombstoneKey('/coreos.com/network', { ...lease, revision: '../x' })).toThrow('not a revision');
  });

  it('is listed by the order in which etcd has them, not by any clock', () => {
    const record = (subnet: string, deletedAt: string) =>
      formatTombstone({
        key: '/k',
        subnet,
        revision: '1',
        value: Buffer.from('{}'),
        permanent: false,
        ttlSeconds: 1,
        deletedAt,
        deletedBy: '',
        command: '',
        reasons: [],
      });
    const below = tombstonesPrefix('/net');
    const entry = (key: string, value: Uint8Array, createdRevision: string) => ({
      key,
      value,
      revision: createdRevision,
      createdRevision,
      permanent: true,
    });
    const read = readTombstones(
      [
        entry(`${below}a`, record('10.5.1.0/24', '2030'), '9'),
        entry(`${below}b`, record('10.5.2.0/24', '2020'), '10'),
        entry(`${below}c`, Buffer.from('rubbish'), '11'),
        entry('/net-netctl/history/1', record('10.5.3.0/24', '2020'), '12'),
      ],
      '/net',
    );
    expect(read.map(({ subnet }) => subnet)).toEqual(['10.5.2.0/24', '10.5.1.0/24']);
  });
});
