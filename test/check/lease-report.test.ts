import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goneInAll, parseLeaseReport, type ReadReport, reportedLease } from '../../src/lib/check/lease-report';
import { InvalidInput, NetctlError } from '../../src/lib/errors';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { readLease } from '../../src/lib/net/lease';
import type { Entry } from '../../src/lib/store/store';

const prefix = '/coreos.com/network';
const origin = { api: 'v3', clusterId: 'cdf818194e3a8c32', prefix } as const;

function entryOf(subnet: string, revision = '7', publicIP = '10.4.7.22'): Entry {
  return {
    key: `${prefix}/subnets/${subnet}`,
    value: Buffer.from(`{"PublicIP":"${publicIP}"}`),
    revision,
    createdRevision: '7',
    permanent: false,
  };
}

interface Wish {
  readonly at?: string;
  readonly ttlSeconds?: number | null;
  readonly verdict?: 'proven-gone' | 'not-proven' | 'alive' | 'kept';
  readonly entry?: Entry;
}

function document({ at = '2026-11-20T12:00:00.000Z', ttlSeconds = 3000, verdict = 'proven-gone', entry }: Wish = {}) {
  const stored = entry ?? entryOf('10.5.1.0-24');
  const lease = readLease(stored, prefix, parseFlannelVersion('v0.28.9'));
  if ('reason' in lease) throw new Error(lease.reason);
  const probe = { answered: [], silent: [], why: '' };
  const look = {
    lease,
    node: null,
    inventory: 'none',
    ttlSeconds,
    owner: { kind: 'not-asked' },
    elsewhere: [],
    mayBeOf: [],
    publicIP: probe,
    overlay: probe,
    traffic: null,
    reservation: null,
  } as const;
  return {
    apiVersion: 'netctl/v1',
    kind: 'SubnetCheck',
    ...origin,
    look: { version: '1.2.3', at, leases: [reportedLease(look, { verdict, why: 'so', evidence: [] }, stored)] },
  };
}

const report = (wish: Wish = {}, file = 'a.json'): ReadReport => parseLeaseReport(JSON.stringify(document(wish)), file);
const first = report();
const later = (wish: Wish = {}) => report({ at: '2026-11-20T12:45:00.000Z', ttlSeconds: 300, ...wish }, 'b.json');
const now = (entry = entryOf('10.5.1.0-24')) => new Map([[entry.key, entry]]);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof NetctlError) return error.code;
    throw error;
  }
  return 'nothing';
}

describe('what was gone in every report', () => {
  it('is gone when the reports are far enough apart and nobody has written it', () => {
    expect([...goneInAll([first, later()], origin, now(), 1800)]).toEqual([`${prefix}/subnets/10.5.1.0-24`]);
    // In whatever order they are given.
    expect(goneInAll([later(), first], origin, now(), 1800).size).toBe(1);
  });

  it('is not, when it lived in one of them or was written between or since', () => {
    expect(goneInAll([first, later({ verdict: 'alive' })], origin, now(), 1800).size).toBe(0);
    expect(goneInAll([report({ verdict: 'not-proven' }), later()], origin, now(), 1800).size).toBe(0);
    expect(goneInAll([first, later({ entry: entryOf('10.5.1.0-24', '9') })], origin, now(), 1800).size).toBe(0);
    expect(goneInAll([first, later()], origin, now(entryOf('10.5.1.0-24', '9')), 1800).size).toBe(0);
    // A restored etcd may have the same revision with another value.
    expect(goneInAll([first, later()], origin, now(entryOf('10.5.1.0-24', '7', '10.4.7.9')), 1800).size).toBe(0);
    expect(goneInAll([first, later({ entry: entryOf('10.5.2.0-24') })], origin, now(), 1800).size).toBe(0);
    expect(goneInAll([first, later()], origin, new Map(), 1800).size).toBe(0);
    expect(goneInAll([first, later({ verdict: 'kept' }), later()], origin, now(), 1800).size).toBe(0);
  });

  it('two are needed, of this network, far enough apart', () => {
    expect(codeOf(() => goneInAll([first], origin, now(), 0))).toBe('too-few-reports');
    expect(codeOf(() => goneInAll([first, first], origin, now(), 1800))).toBe('reports-too-close');
    for (const other of [{ clusterId: '1' }, { prefix: '/blue' }, { api: 'v2' as const }]) {
      expect(codeOf(() => goneInAll([first, later()], { ...origin, ...other }, now(), 0))).toBe('other-cluster');
    }
  });

  it('a clock that was set does not make the time longer that etcd has counted', () => {
    const hurried = report({ at: '2026-11-21T12:00:00.000Z', ttlSeconds: 2940 }, 'b.json');
    expect(codeOf(() => goneInAll([first, hurried], origin, now(), 1800))).toBe('reports-too-close');
    // After an election there is more time left than before, which says nothing.
    expect(codeOf(() => goneInAll([first, later({ ttlSeconds: 86_400 })], origin, now(), 1800))).toBe('nothing');
  });
});

describe('a file that somebody hands us', () => {
  it('is refused unless what matters in it is right', () => {
    const good = document();
    const [lease] = good.look.leases;
    const bad: readonly unknown[] = [
      null,
      [],
      { ...good, kind: 'SubnetList' },
      { ...good, api: 'v4' },
      { ...good, look: null },
      { ...good, clusterId: '' },
      { ...good, prefix: 7 },
      { ...good, look: { ...good.look, at: 'yesterday' } },
      { ...good, look: { ...good.look, at: '2026-99-99T99:99:99Z' } },
      { ...good, look: { ...good.look, leases: {} } },
      { ...good, look: { ...good.look, leases: [null] } },
      { ...good, look: { ...good.look, leases: [lease, lease] } },
      { ...good, look: { ...good.look, leases: [{ ...lease, verdict: 'gone' }] } },
      { ...good, look: { ...good.look, leases: [{ ...lease, revision: '-1' }] } },
      { ...good, look: { ...good.look, leases: [{ ...lease, valueSha256: 'abc' }] } },
      { ...good, look: { ...good.look, leases: [{ ...lease, key: 'x'.repeat(10_000) }] } },
    ];
    for (const each of bad) {
      expect(
        codeOf(() => parseLeaseReport(JSON.stringify(each), 'a.json')),
        JSON.stringify(each),
      ).toBe('bad-report');
    }
    expect(codeOf(() => parseLeaseReport('{', 'a.json'))).toBe('bad-report');
    expect(parseLeaseReport(JSON.stringify(good), 'a.json').leases).toHaveLength(1);
  });

  it('whatever is in it, the answer is a report or a clear no', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parseLeaseReport(text, 'a.json');
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
        }
      }),
    );
    const evil = JSON.stringify(document()).replace('"look":{', '"look":{"__proto__":{"leases":1},');
    expect(parseLeaseReport(evil, 'a.json').leases).toHaveLength(1);
  });
});
