import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NetworkBackup } from '../../src/lib/net/backup-file';
import { newestFlannel, parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { readLease } from '../../src/lib/net/lease';
import { planRestore } from '../../src/lib/plan/restore';
import type { Api, Entry } from '../../src/lib/store/store';

const prefix = '/coreos.com/network';
const config = '{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"}}';
const owner = (ip: string, more = '') => `{"PublicIP":"${ip}","PublicIPv6":null${more}}`;
const lease = (tail: string, value: string, ttlSeconds: number | null = 80_000, permanent = false) => ({
  tail,
  value: Buffer.from(value),
  ttlSeconds,
  permanent,
});
const reservation = JSON.stringify({
  apiVersion: 'netctl/v1',
  kind: 'Reservation',
  subnet: '10.5.9.0/24',
  publicIP: '192.168.0.9',
});
const backupOf = (leases: NetworkBackup['leases'], more: Partial<NetworkBackup> = {}): NetworkBackup => ({
  head: {
    madeAt: '2026-11-20T12:00:00.000Z',
    madeBy: 'anna@ops',
    netctl: '1',
    api: 'v3',
    clusterId: '1',
    prefix,
    revision: '9',
    flannel: 'v0.28.9',
  },
  config: Buffer.from(config),
  leases,
  own: [{ tail: 'reservations/10.5.9.0-24', value: Buffer.from(reservation) }],
  ...more,
});
const entries = (there: Readonly<Record<string, string>>): readonly Entry[] =>
  Object.entries(there).map(([key, value]) => ({
    key,
    value: Buffer.from(value),
    revision: '5',
    createdRevision: '5',
    permanent: true,
  }));
const plan = (backup: NetworkBackup, there: Readonly<Record<string, string>> = {}, api: Api = 'v3', at = prefix) =>
  planRestore(backup, {
    prefix: at,
    api,
    version: api === 'v3' ? newestFlannel : parseFlannelVersion('v0.17.0'),
    snapshot: { api, clusterId: '1', revision: '9', endpoint: 'x', entries: entries(there) },
  });
const states = (of: ReturnType<typeof plan>) => of.items.map(({ key, state }) => [key.split('/').at(-1), state]);

const one = lease('10.5.1.0-24', owner('192.168.0.1'));
const two = lease('10.5.2.0-24', owner('192.168.0.2'));
const whole = {
  [`${prefix}/config`]: config,
  [`${prefix}/subnets/10.5.1.0-24`]: owner('192.168.0.1'),
  [`${prefix}/subnets/10.5.2.0-24`]: owner('192.168.0.2'),
  [`${prefix}-netctl/reservations/10.5.9.0-24`]: reservation,
};

describe('the plan of a restore', () => {
  it('leaves out what stands under a key that is not its own, as somebody puts it there by hand, and restores all else', () => {
    const value = Buffer.from(reservation);
    const tails = ['10.5.8.0-24', 'web1', '..', '.', '../../coreos.com/network/config', 'a/10.5.9.0-24'];
    const own = [...tails.map((tail) => ({ tail: `reservations/${tail}`, value })), ...backupOf([]).own];
    for (const api of ['v3', 'v2'] as const) {
      const { changes, items } = plan(backupOf([one], { own }), {}, api);
      expect(changes.map(({ key }) => key)).toEqual([
        `${prefix}-netctl/reservations/10.5.9.0-24`,
        `${prefix}/subnets/10.5.1.0-24`,
        `${prefix}/config`,
      ]);
      expect(items.filter(({ state }) => state === 'skipped').map(({ reason }) => reason)).toEqual([
        'it is about 10.5.9.0/24, its key is not',
        'it is about 10.5.9.0/24, its key is not',
        ...Array.from({ length: 4 }, () => 'it is not a key of netctl'),
      ]);
    }
  });

  it('into nothing writes reservations, then leases, and the config last, each only when it is absent', () => {
    const { changes } = plan(backupOf([one, two]));
    expect(changes.map(({ key }) => key)).toEqual([
      `${prefix}-netctl/reservations/10.5.9.0-24`,
      `${prefix}/subnets/10.5.1.0-24`,
      `${prefix}/subnets/10.5.2.0-24`,
      `${prefix}/config`,
    ]);
    for (const change of changes) expect(change).toMatchObject({ kind: 'put', expected: 'absent' });
    expect(plan(backupOf([one, two]))).toEqual(plan(backupOf([one, two])));
  });

  it('over the same is nothing, and over a part is the rest', () => {
    expect(plan(backupOf([one, two]), whole).changes).toEqual([]);
    const { [`${prefix}/config`]: _config, [`${prefix}/subnets/10.5.1.0-24`]: _lease, ...rest } = whole;
    expect(plan(backupOf([one, two]), rest).changes.map(({ key }) => key)).toEqual([
      `${prefix}/subnets/10.5.1.0-24`,
      `${prefix}/config`,
    ]);
  });

  it('keeps what an owner has written since, and a config that means the same', () => {
    const newer = {
      ...whole,
      [`${prefix}/config`]: ` ${config}`,
      [`${prefix}/subnets/10.5.1.0-24`]: owner('192.168.0.1', ',"BackendType":"host-gw"'),
      [`${prefix}-netctl/reservations/10.5.9.0-24`]: '{}',
    };
    const found = plan(backupOf([one, two]), newer);
    expect(found.changes).toEqual([]);
    expect(states(found)).toEqual([
      ['10.5.9.0-24', 'kept'],
      ['10.5.1.0-24', 'kept'],
      ['10.5.2.0-24', 'unchanged'],
      ['config', 'kept'],
    ]);
  });

  it.each([
    ['another config', { [`${prefix}/config`]: '{"Network":"10.6.0.0/16"}' }],
    ['another owner', { [`${prefix}/subnets/10.5.1.0-24`]: owner('192.168.0.7') }],
    ['a lease that is not in the backup', { [`${prefix}/subnets/10.5.7.0-24`]: owner('192.168.0.7') }],
    ['what flanneld takes for a lease beside them', { [`${prefix}/subnets-old/10.5.7.0-24`]: owner('192.168.0.7') }],
    ['a value that flanneld cannot read', { [`${prefix}/subnets/10.5.1.0-24`]: `${prefix}/subnets/10.5.1.0-24` }],
  ])('writes nothing at all over %s', (_name, there) => {
    const found = plan(backupOf([one, two]), there);
    expect(found.changes).toEqual([]);
    expect(found.items.filter(({ state }) => state === 'conflict')).toHaveLength(1);
  });

  it('never has a key or a value that flanneld cannot read', () => {
    const bad = [
      lease('10.5.3.0-24', `${prefix}/subnets/10.5.3.0-24`),
      lease('10.5.4.0-24', '{"PublicIP":"fc00::1"}'),
      lease('10.5.5.0-32', owner('192.168.0.5')),
      lease('nonsense', owner('192.168.0.5')),
    ];
    const found = plan(backupOf([one, ...bad]));
    expect(states(found)).toEqual([
      ['10.5.9.0-24', 'create'],
      ['10.5.1.0-24', 'create'],
      ...bad.map(({ tail }) => [tail, 'skipped']),
      ['config', 'create'],
    ]);
    expect(found.changes).toHaveLength(3);
  });

  it('gives a lease what it had left, at least an hour and at most a day', () => {
    const lives = [80_000, 100, 0, 200_000, null].map((ttl, index) =>
      lease(`10.5.${index}.0-24`, owner('192.168.0.1'), ttl),
    );
    const ttls = plan(backupOf(lives)).items.flatMap(({ what, ttlSeconds }) => (what === 'lease' ? [ttlSeconds] : []));
    expect(ttls).toEqual([80_000, 3600, 3600, 86_400, 86_400]);
  });

  it('makes a permanent lease permanent in v2 and a lease of a day in v3, which flanneld would do', () => {
    const backup = backupOf([lease('10.5.1.0-24', owner('192.168.0.1'), null, true)]);
    expect(
      plan(backup, {}, 'v2').changes.some((change) => change.kind === 'put' && change.ttlSeconds !== undefined),
    ).toBe(false);
    expect(plan(backup).changes[1]).toMatchObject({ ttlSeconds: 86_400 });
  });

  it('at another prefix has no deleted leases, which name keys of the old one', () => {
    const tombstone = JSON.stringify({
      apiVersion: 'netctl/v1',
      kind: 'DeletedLease',
      key: `${prefix}/subnets/10.5.1.0-24`,
      subnet: '10.5.1.0/24',
      revision: '7',
      valueBase64: '',
      ttlSeconds: 1,
    });
    const own = [
      { tail: 'deleted/00000000000000000007-10.5.1.0-24', value: Buffer.from(tombstone) },
      { tail: 'deleted/x', value: Buffer.from('x') },
      { tail: 'history/00000000000000000001', value: Buffer.from('x') },
    ];
    expect(states(plan(backupOf([], { own })))).toEqual([
      ['00000000000000000007-10.5.1.0-24', 'create'],
      ['x', 'skipped'],
      ['00000000000000000001', 'skipped'],
      ['config', 'create'],
    ]);
    const elsewhere = plan(backupOf([one], { own }), {}, 'v3', '/coreos.com/two');
    expect(elsewhere.changes.map(({ key }) => key)).toEqual([
      '/coreos.com/two/subnets/10.5.1.0-24',
      '/coreos.com/two/config',
    ]);
  });

  it('of any backup at all writes no key among the leases that flanneld cannot read, and nothing outside its places', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.json({ maxDepth: 2 }),
      fc.ipV4().map((ip) => owner(ip)),
      fc.ipV6().map((ip) => owner(ip)),
    );
    const tail = fc
      .oneof(
        fc.string({ unit: 'binary', maxLength: 20 }),
        fc.tuple(fc.ipV4(), fc.nat({ max: 40 })).map(([ip, length]) => `${ip}-${length}`),
        fc.tuple(fc.ipV4(), fc.ipV6()).map(([ip, ipv6]) => `${ip}-24&${ipv6}-64`),
      )
      .filter((key) => !key.includes('/') && key !== '');
    const any = fc.record({
      tail,
      value: text.map((value) => Buffer.from(value)),
      permanent: fc.boolean(),
      ttlSeconds: fc.constant(5),
    });
    const own = fc.record({
      tail: tail.map((key) => `reservations/${key}`),
      value: text.map((value) => Buffer.from(value)),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(any, { selector: (each) => each.tail, maxLength: 6 }),
        fc.array(own, { maxLength: 2 }),
        fc.constantFrom<Api>('v2', 'v3'),
        (leases, records, api) => {
          const version = api === 'v3' ? newestFlannel : parseFlannelVersion('v0.17.0');
          for (const change of plan(backupOf(leases, { own: records }), {}, api).changes) {
            if (change.kind !== 'put') throw new Error('a restore deletes nothing');
            const { key, value } = change;
            if (key === `${prefix}/config` || key.startsWith(`${prefix}-netctl/reservations/`)) continue;
            expect(key.startsWith(`${prefix}/subnets/`)).toBe(true);
            const read = readLease(
              { key, value, revision: '1', createdRevision: '1', permanent: false },
              prefix,
              version,
            );
            expect('address' in read).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
