import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeLease, type LeaseLook, type Probe } from '../../src/lib/check/lease-evidence';
import type { OwnerState } from '../../src/lib/check/lease-owner';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { type Lease, readLease } from '../../src/lib/net/lease';

const options = { renewMarginSeconds: 3600 };
const prefix = '/coreos.com/network';

function leaseOf(subnet: string, permanent = false): Lease {
  const value = Buffer.from('{"PublicIP":"10.4.7.22","BackendType":"host-gw"}');
  const entry = { key: `${prefix}/subnets/${subnet}`, value, revision: '7', createdRevision: '7', permanent };
  const lease = readLease(entry, prefix, parseFlannelVersion('v0.28.9'));
  if ('reason' in lease) throw new Error(lease.reason);
  return lease;
}

const nothing: Probe = { answered: [], silent: [], why: 'it was not asked' };
const silence: Probe = { answered: [], silent: ['node1'], why: '' };
const answer: Probe = { answered: ['node1'], silent: [], why: '' };

/** A node of the inventory that SSH does not reach, in the middle of its lease, and of which nobody heard anything. */
function look(change: Partial<LeaseLook> = {}): LeaseLook {
  return {
    lease: leaseOf('172.7.22.0-24'),
    node: 'node2',
    inventory: 'has-it',
    mayBeOf: [],
    ttlSeconds: 40_000,
    owner: { kind: 'unreachable', why: 'timed out' },
    elsewhere: [],
    publicIP: silence,
    overlay: silence,
    traffic: null,
    reservation: null,
    ...change,
  };
}

const seen = (kind: OwnerState['kind']): LeaseLook['owner'] => ({ kind: 'seen', state: { kind, why: 'as it is' } });
const verdict = (change: Partial<LeaseLook>) => judgeLease(look(change), options).verdict;

describe('what proves that the node of a lease is gone', () => {
  it('silence alone never does', () => {
    expect(verdict({})).toBe('not-proven');
    expect(verdict({ inventory: 'none', node: null, owner: { kind: 'not-asked' } })).toBe('not-proven');
  });

  it('SSH does, when flanneld is gone or holds another subnet, although the machine answers', () => {
    expect(verdict({ owner: seen('gone'), publicIP: answer })).toBe('proven-gone');
    expect(verdict({ owner: seen('other'), publicIP: answer })).toBe('proven-gone');
    expect(verdict({ owner: seen('gone'), publicIP: nothing, overlay: nothing })).toBe('proven-gone');
    // A moment ago it took the other subnet, or renewed this one for the last time.
    expect(verdict({ owner: seen('other'), ttlSeconds: 86_000 })).toBe('proven-gone');
  });

  it('not when flanneld is gone and the lease was written a moment ago: its node may be being set up, or booting', () => {
    for (const ttlSeconds of [86_400, 86_000, 84_601]) {
      const { verdict: is, why, evidence } = judgeLease(look({ owner: seen('gone'), ttlSeconds }), options);
      expect(is).toBe('not-proven');
      expect(why).toContain('its node may be being set up or booting');
      expect(evidence.find(({ name }) => name === 'ttl')).toMatchObject({ speaks: 'alive', text: why });
    }
    expect(verdict({ owner: seen('gone'), ttlSeconds: 84_599 })).toBe('proven-gone');
  });

  it('and a person who knows better is told how long to wait, or what to do', () => {
    const { why } = judgeLease(look({ owner: seen('gone'), ttlSeconds: 86_400 - 180 }), options);
    expect(why).toContain('written 3 min ago');
    expect(why).toContain('Wait 27 min');
    expect(why).toContain('netctl subnets release node2');
  });

  it.each(['may-start', 'not-its-machine', 'unclear'] as const)('SSH that finds %s does not', (kind) => {
    expect(verdict({ owner: seen(kind), publicIP: answer })).toBe('not-proven');
    expect(verdict({ owner: seen(kind), publicIP: answer, ttlSeconds: 60 })).toBe('not-proven');
  });

  it('a renewal that did not come does, when somebody listened and heard nothing', () => {
    expect(verdict({ ttlSeconds: 3000 })).toBe('proven-gone');
    expect(verdict({ ttlSeconds: 3000, publicIP: nothing })).toBe('proven-gone');
    expect(verdict({ ttlSeconds: 3000, publicIP: nothing, overlay: nothing })).toBe('not-proven');
    expect(verdict({ ttlSeconds: 3000, publicIP: answer })).toBe('alive');
  });

  it('a renewal may be late by five minutes', () => {
    expect(verdict({ ttlSeconds: 3301 })).toBe('not-proven');
    expect(verdict({ ttlSeconds: 3299 })).toBe('proven-gone');
  });

  it('who renews later has a margin of its own', () => {
    expect(judgeLease(look({ ttlSeconds: 3000 }), { renewMarginSeconds: 1800 }).verdict).toBe('not-proven');
  });

  it('a person who took the node out of the inventory does, when the machine and the overlay were listened to', () => {
    const out: Partial<LeaseLook> = { inventory: 'lacks-it', node: null, owner: { kind: 'not-asked' } };
    expect(verdict(out)).toBe('proven-gone');
    expect(verdict({ ...out, overlay: nothing })).toBe('not-proven');
    expect(verdict({ ...out, publicIP: nothing })).toBe('not-proven');
    expect(verdict({ ...out, overlay: answer })).toBe('alive');
    // Somebody wrote it a moment ago.
    expect(verdict({ ...out, ttlSeconds: 86_000 })).toBe('not-proven');
    expect(verdict({ ...out, ttlSeconds: null })).toBe('not-proven');
  });

  it('not when another node could not be asked whether it has that address', () => {
    const away: Partial<LeaseLook> = {
      inventory: 'may-have-it',
      mayBeOf: ['web8', 'web9'],
      node: null,
      owner: { kind: 'not-asked' },
    };
    const { verdict: is, why } = judgeLease(look(away), options);
    expect([is, why]).toEqual(['not-proven', 'it may be of web8, web9, which could not be asked']);
    expect(verdict({ ...away, ttlSeconds: 3000 })).toBe('proven-gone');
  });

  it('an election sets TTLs back: then all of them wait for half an hour', () => {
    expect(verdict({ ttlSeconds: 86_400 })).toBe('not-proven');
    expect(verdict({ owner: seen('gone'), ttlSeconds: 86_400 })).toBe('not-proven');
  });
});

describe('what keeps a lease whatever else is known', () => {
  const living: readonly (readonly [string, Partial<LeaseLook>])[] = [
    ['its flanneld holds it', { owner: seen('holds') }],
    ['something of it is on its machine', { owner: seen('uses') }],
    ['another machine has it', { elsewhere: [{ node: 'node9', why: 'docker0 has it' }] }],
    ['the overlay answers', { overlay: answer }],
    ['packets come from it', { traffic: { moving: ['node1'], still: [] } }],
  ];
  it.each(living)('%s', (_, change) => {
    expect(verdict({ ttlSeconds: 10, ...change })).toBe('alive');
    if (change.owner === undefined) expect(verdict({ owner: seen('gone'), ...change })).toBe('alive');
  });

  it('a reservation, and a lease that does not expire', () => {
    expect(verdict({ owner: seen('gone'), reservation: 'it is reserved' })).toBe('kept');
    expect(verdict({ owner: seen('gone'), lease: leaseOf('172.7.22.0-24', true), ttlSeconds: null })).toBe('kept');
  });
});

describe('in general', () => {
  const probe = fc.constantFrom(nothing, silence, answer);
  const arbitrary: fc.Arbitrary<LeaseLook> = fc
    .record({
      inventory: fc.constantFrom('has-it', 'may-have-it', 'lacks-it', 'none'),
      ttlSeconds: fc.option(fc.integer({ min: 0, max: 90_000 }), { nil: null }),
      owner: fc.oneof(
        fc.constantFrom<LeaseLook['owner']>({ kind: 'unreachable', why: '' }, { kind: 'not-asked' }),
        fc
          .constantFrom<OwnerState['kind']>('holds', 'uses', 'may-start', 'gone', 'other', 'not-its-machine', 'unclear')
          .map(seen),
      ),
      elsewhere: fc.constantFrom([], [{ node: 'node9', why: '' }]),
      publicIP: probe,
      overlay: probe,
      traffic: fc.constantFrom(null, { moving: ['node1'], still: [] }, { moving: [], still: ['node1'] }),
      reservation: fc.constantFrom(null, 'kept'),
    })
    .map((change): LeaseLook => look(change));

  it('no lease is proven gone of which anything was heard, and none without a proof', () => {
    fc.assert(
      fc.property(arbitrary, (one) => {
        if (judgeLease(one, options).verdict !== 'proven-gone') return;
        expect(one.reservation).toBeNull();
        expect(one.elsewhere).toEqual([]);
        expect(one.overlay.answered).toEqual([]);
        expect(one.traffic?.moving ?? []).toEqual([]);
        const bySsh = one.owner.kind === 'seen' && ['gone', 'other'].includes(one.owner.state.kind);
        const isGone = one.owner.kind === 'seen' && one.owner.state.kind === 'gone';
        if (isGone) expect(Math.abs((one.ttlSeconds ?? 0) - 85_500)).toBeGreaterThanOrEqual(900);
        if (bySsh) return;
        expect(one.publicIP.answered).toEqual([]);
        expect(one.publicIP.silent.length + one.overlay.silent.length).toBeGreaterThan(0);
        expect((one.ttlSeconds ?? Infinity) < 3300 || one.inventory === 'lacks-it').toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('every verdict comes with a reason, and the same look gives the same one', () => {
    fc.assert(
      fc.property(arbitrary, (one) => {
        const judged = judgeLease(one, options);
        expect(judged.why).not.toBe('');
        expect(judgeLease(one, options)).toEqual(judged);
      }),
    );
  });
});
