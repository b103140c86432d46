import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { type Lease, readLease, readLeases } from '../../src/lib/net/lease';
import { judgeConfig } from '../../src/lib/net/network-config';
import type { StoredTombstone } from '../../src/lib/net/tombstone';
import { defaultMax, isMassDeath } from '../../src/lib/plan/reclaim';
import { planUndo, planUndos, undoSeconds } from '../../src/lib/plan/undo-reclaim';

const prefix = '/coreos.com/network';
const version = parseFlannelVersion('v0.28.9');
const effective = judgeConfig(Buffer.from('{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"}}'), version).effective;

function tombstone(change: Partial<StoredTombstone> = {}): StoredTombstone {
  return {
    key: `${prefix}/subnets/10.5.1.0-24`,
    subnet: '10.5.1.0/24',
    revision: '7',
    value: Buffer.from('{"PublicIP":"10.4.7.22"}'),
    permanent: false,
    ttlSeconds: 3000,
    deletedAt: '2026-11-20T12:00:00.000Z',
    deletedBy: 'anna@workstation',
    command: 'netctl subnets reclaim',
    reasons: [],
    ownKey: `${prefix}-netctl/deleted/x`,
    ownRevision: '8',
    madeRevision: '8',
    ...change,
  };
}

function lease(subnet: string, publicIP: string): Lease {
  const entry = {
    key: `${prefix}/subnets/${subnet}`,
    value: Buffer.from(`{"PublicIP":"${publicIP}"}`),
    revision: '9',
    createdRevision: '9',
    permanent: false,
  };
  const read = readLease(entry, prefix, version);
  if ('reason' in read) throw new Error(read.reason);
  return read;
}

const context = { prefix, api: 'v3' as const, version, leases: [], effective, reservations: [] };

describe('putting a lease back', () => {
  it('creates it only if the key is absent, byte for byte, with the time that it had', () => {
    const { fit, change } = planUndo(tombstone(), context);
    expect(fit).toBe('free');
    expect(change).toMatchObject({ key: `${prefix}/subnets/10.5.1.0-24`, expected: 'absent', ttlSeconds: 3000 });
    expect(Buffer.from(change?.value ?? []).toString()).toBe('{"PublicIP":"10.4.7.22"}');
  });

  it('never with more than a day, nor with so little that it would be gone at once', () => {
    expect(undoSeconds(tombstone({ ttlSeconds: 1_000_000 }), 'v2')).toBe(86_400);
    expect(undoSeconds(tombstone({ ttlSeconds: 0 }), 'v2')).toBe(300);
    expect(undoSeconds(tombstone({ ttlSeconds: null }), 'v2')).toBe(86_400);
  });

  it('for good when it did not expire, on v2; with v3 flanneld would make a day of it', () => {
    const forGood = tombstone({ permanent: true, ttlSeconds: null });
    const old = planUndo(forGood, { ...context, api: 'v2' });
    expect([old.fit, old.ttlSeconds]).toEqual(['free', null]);
    expect(old.change).not.toHaveProperty('ttlSeconds');
    expect(planUndo(forGood, context).change).toMatchObject({ ttlSeconds: 86_400 });
  });

  it('does nothing when it is there, and gives nobody what somebody else has', () => {
    expect(planUndo(tombstone(), { ...context, leases: [lease('10.5.1.0-24', '10.4.7.22')] })).toMatchObject({
      fit: 'there',
      change: null,
    });
    for (const other of [
      lease('10.5.1.0-24', '10.4.7.9'),
      lease('10.5.1.128-25', '10.4.7.9'),
      lease('10.5.0.0-20', '10.4.7.9'),
    ]) {
      expect(planUndo(tombstone(), { ...context, leases: [other] })).toMatchObject({ fit: 'taken', change: null });
    }
  });

  it('nor a second subnet to a node that has another by now', () => {
    const { fit, why } = planUndo(tombstone(), { ...context, leases: [lease('10.5.9.0-24', '10.4.7.22')] });
    expect([fit, why]).toEqual(['taken', '10.4.7.22 has 10.5.9.0/24 by now']);
  });

  it('nor two at once to one: the first comes back', () => {
    const other = tombstone({ key: `${prefix}/subnets/10.5.2.0-24`, subnet: '10.5.2.0/24' });
    const stranger = tombstone({
      key: `${prefix}/subnets/10.5.3.0-24`,
      subnet: '10.5.3.0/24',
      value: Buffer.from('{"PublicIP":"10.4.7.9"}'),
    });
    expect(planUndos([tombstone(), other, stranger], context).map(({ fit, why }) => [fit, why])).toEqual([
      ['free', null],
      ['taken', '10.4.7.22 has 10.5.1.0/24 by now'],
      ['free', null],
    ]);
  });

  it('nor what is reserved for somebody else', () => {
    const reserved = (publicIP: string) => ({
      subnet: { base: 0x0a05_0100, length: 24 },
      publicIP,
      node: 'web1',
      note: null,
      reservedBy: '',
      reservedAt: '',
    });
    expect(planUndo(tombstone(), { ...context, reservations: [reserved('10.4.7.9')] }).why).toContain('for web1');
    expect(planUndo(tombstone(), { ...context, reservations: [reserved('10.4.7.22')] }).fit).toBe('free');
  });

  it('nor what the config does not fit any more', () => {
    const other = judgeConfig(Buffer.from('{"Network":"10.9.0.0/16"}'), version).effective;
    expect(planUndo(tombstone(), { ...context, effective: other })).toMatchObject({ fit: 'unfit', change: null });
    expect(planUndo(tombstone(), { ...context, effective: null }).fit).toBe('free');
  });

  it('nor a subnet under the name of another', () => {
    expect(planUndo(tombstone({ subnet: '10.5.7.0/24' }), context)).toMatchObject({ fit: 'unreadable', change: null });
  });

  it('whatever stands in the record, what is written is a lease that flanneld reads', () => {
    const key = fc.oneof(
      fc.constantFrom(
        `${prefix}/subnets/10.5.1.0-24`,
        `${prefix}/config`,
        `${prefix}/subnets/`,
        `${prefix}/subnets/a/10.5.1.0-24`,
        `${prefix}/subnets-old/10.5.1.0-24`,
        `${prefix}-netctl/lock`,
        '/other/subnets/10.5.1.0-24',
      ),
      fc.string().map((tail) => `${prefix}/subnets/${tail}`),
    );
    const value = fc.oneof(
      fc.constantFrom('{"PublicIP":"10.4.7.22"}', '{"PublicIP":"fc00::1"}', '{}', 'null', '10.5.1.0-24'),
      fc.json(),
      fc.string(),
    );
    fc.assert(
      fc.property(key, value, (wish, text) => {
        const { change } = planUndo(tombstone({ key: wish, value: Buffer.from(text) }), context);
        if (change === null) return;
        const { key: at, value: bytes } = change;
        const written = { key: at, value: bytes, revision: '1', createdRevision: '1', permanent: false };
        const { leases, unreadable, foreign } = readLeases({ api: 'v3', entries: [written] }, prefix, version);
        expect([leases.length, unreadable, foreign]).toEqual([1, [], []]);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('how many may go', () => {
  it('a tenth, one at least and five at most', () => {
    expect([0, 1, 10, 11, 30, 50, 65_536].map(defaultMax)).toEqual([1, 1, 1, 2, 3, 5, 5]);
  });

  it('three and more than a quarter at once are too many to be believed', () => {
    expect(isMassDeath(2, 3)).toBe(false);
    expect(isMassDeath(3, 12)).toBe(false);
    expect(isMassDeath(3, 11)).toBe(true);
    expect(isMassDeath(200, 250)).toBe(true);
  });
});
