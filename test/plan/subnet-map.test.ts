import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cidrsOverlap, parseIpv4Cidr } from '../../src/lib/net/cidr';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { type Lease, readLeases } from '../../src/lib/net/lease';
import { type EffectiveConfig, judgeConfig } from '../../src/lib/net/network-config';
import { subnetStates, subnetStatesOf } from '../../src/lib/plan/subnet-map';

const newest = parseFlannelVersion('v0.28.9');

function effective(config: Record<string, unknown>): EffectiveConfig {
  const verdict = judgeConfig(JSON.stringify({ Backend: { Type: 'vxlan' }, ...config }), newest);
  if (verdict.effective === null) throw new Error(verdict.error ?? 'refused');
  return verdict.effective;
}

function leasesOf(...subnets: (string | { subnet: string; permanent: true })[]): readonly Lease[] {
  const value = new TextEncoder().encode('{"PublicIP":"192.168.0.1"}');
  const entries = subnets.map((given) => {
    const { subnet, permanent } = typeof given === 'string' ? { subnet: given, permanent: false } : given;
    return { key: `/net/subnets/${subnet.replace('/', '-')}`, value, revision: '1', createdRevision: '1', permanent };
  });
  return readLeases({ api: 'v3', entries }, '/net', newest).leases;
}

function cidr(text: string) {
  const parsed = parseIpv4Cidr(text);
  if (parsed === undefined) throw new Error(text);
  return { base: parsed.base, length: parsed.length };
}

const words = (map: ReturnType<typeof subnetStatesOf>) => Array.from(map?.states ?? [], (state) => subnetStates[state]);

describe('the map of a network', () => {
  const small = effective({ Network: '10.1.0.0/21', SubnetLen: 24, SubnetMax: '10.1.6.0' });

  it('says of each subnet what it is', () => {
    const leases = leasesOf('10.1.1.0/24', '10.1.2.0/24', { subnet: '10.1.3.0/24', permanent: true }, '10.1.7.0/24');
    const ttls = new Map([['/net/subnets/10.1.2.0-24', 60]]);
    const map = subnetStatesOf(small, leases, { ttls, reserved: [cidr('10.1.4.0/24'), cidr('10.1.1.0/24')] });
    expect(map).toMatchObject({ first: 0x0a010000, count: 8, subnetLen: 24 });
    // The first subnet is skipped by default; a lease outside the range still shows as one.
    expect(words(map)).toEqual(['outside', 'used', 'expiring', 'permanent', 'reserved', 'free', 'free', 'used']);
  });

  it('shows a lease of another length on all subnets that it touches', () => {
    expect(words(subnetStatesOf(small, leasesOf('10.1.2.0/23', '10.1.5.128/25')))).toEqual([
      'outside',
      'free',
      'used',
      'used',
      'free',
      'used',
      'free',
      'outside',
    ]);
  });

  it('can be narrowed to a part, and is refused when there are too many subnets', () => {
    const wide = effective({ Network: '10.0.0.0/7', SubnetLen: 30 });
    expect(subnetStatesOf(wide, [])).toBeNull();
    expect(subnetStatesOf(wide, leasesOf('10.1.0.4/30'), { within: cidr('10.1.0.0/28') })).toMatchObject({
      first: 0x0a010000,
      count: 4,
      states: new Uint8Array([0, 3, 0, 0]),
    });
  });

  it('has nothing but outside when SubnetMin lies above SubnetMax', () => {
    const inverted = effective({ Network: '10.1.0.0/16', SubnetMin: '10.1.50.0', SubnetMax: '10.1.10.0' });
    expect(new Set(words(subnetStatesOf(inverted, [])))).toEqual(new Set(['outside']));
  });

  it('marks exactly the subnets that overlap a lease', () => {
    const config = effective({ Network: '10.1.0.0/20', SubnetLen: 26 });
    const given = fc.array(fc.tuple(fc.nat(0xfff), fc.integer({ min: 20, max: 31 })), { maxLength: 10 });
    fc.assert(
      fc.property(given, (ranges) => {
        const subnets = ranges.map(([offset, length]) => {
          const size = 2 ** (32 - length);
          const base = 0x0a010000 + offset - (offset % size);
          return `10.1.${(base >> 8) & 255}.${base & 255}/${length}`;
        });
        const leases = leasesOf(...subnets);
        const map = subnetStatesOf(config, leases);
        const expected = Array.from({ length: 64 }, (_, index) => {
          const slot = { base: 0x0a010000 + index * 64, length: 26 };
          if (leases.some(({ subnet }) => cidrsOverlap(subnet, slot))) return 'used';
          return index === 0 ? 'outside' : 'free';
        });
        expect(words(map)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('of leases that each cover everything costs no more', () => {
    const config = effective({ Network: '10.0.0.0/8', SubnetLen: 30 });
    const lease = leasesOf('10.0.0.0/8')[0];
    if (lease === undefined) throw new Error('no lease');
    const map = subnetStatesOf(
      config,
      Array.from({ length: 65_536 }, () => lease),
    );
    expect(map?.count).toBe(2 ** 22);
    expect(map?.states.every((state) => state === 3)).toBe(true);
  });
});
