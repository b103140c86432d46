import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/lib/errors';
import { cidrOf, cidrsOverlap, formatCidr, type Ipv4Cidr, parseIpv4Cidr, spaceOf } from '../../src/lib/net/cidr';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { formatIpv4, parseIpv4 } from '../../src/lib/net/ipv4';
import { type EffectiveConfig, judgeConfig } from '../../src/lib/net/network-config';
import { capacityOf, planCapacity } from '../../src/lib/plan/capacity';

const newest = parseFlannelVersion('v0.28.9');

function effective(config: Record<string, unknown>, version = newest): EffectiveConfig {
  const verdict = judgeConfig(JSON.stringify({ Backend: { Type: 'vxlan' }, ...config }), version);
  if (verdict.effective === null) throw new Error(verdict.error ?? 'refused');
  return verdict.effective;
}

function range(text: string): { readonly subnet: Ipv4Cidr } {
  const cidr = parseIpv4Cidr(text);
  if (cidr === undefined) throw new Error(text);
  return { subnet: { base: cidr.base, length: cidr.length } };
}

/** flanneld's walk as it stands in its source, without the wrap-around: one step, all leases, the next step. */
function walk(config: EffectiveConfig, leases: readonly { readonly subnet: Ipv4Cidr }[]) {
  const first = parseIpv4(config.subnetMin ?? '') ?? 0;
  const last = parseIpv4(config.subnetMax ?? '') ?? 0;
  const length = config.subnetLen ?? 0;
  const free: string[] = [];
  let total = 0;
  for (let ip = first; ip <= last; ip += 2 ** (32 - length)) {
    total += 1;
    if (!leases.some(({ subnet }) => cidrsOverlap(cidrOf(ip, length), subnet)))
      free.push(`${formatIpv4(ip)}/${length}`);
  }
  return { total, used: total - free.length, free: free.length, next: free.slice(0, 100) };
}

describe('the capacity of a network', () => {
  it('is what lies between SubnetMin and SubnetMax', () => {
    const config = effective({ Network: '10.1.0.0/16' });
    expect(capacityOf(config, [])).toMatchObject({ total: 255, used: 0, free: 255, utilisation: 0, wraps: false });
    expect(capacityOf(config, [])?.next).toHaveLength(100);
    expect(capacityOf(config, [range('10.1.1.0/24'), range('10.1.3.0/24')])?.next.slice(0, 2)).toEqual([
      '10.1.2.0/24',
      '10.1.4.0/24',
    ]);
  });

  it('counts a lease of another length by what it covers', () => {
    const config = effective({ Network: '10.1.0.0/16' });
    expect(capacityOf(config, [range('10.1.16.0/20')])).toMatchObject({ used: 16, free: 239 });
    expect(capacityOf(config, [range('10.1.16.0/26'), range('10.1.16.64/26')])).toMatchObject({ used: 1 });
    expect(capacityOf(config, [range('10.0.0.0/8')])).toMatchObject({ used: 255, free: 0, utilisation: 1, next: [] });
    expect(capacityOf(config, [range('10.2.0.0/24'), range('10.1.0.0/24')])).toMatchObject({ used: 0 });
    expect(capacityOf(config, [range('0.0.0.0/0')])).toMatchObject({ free: 0 });
  });

  it('is nothing when SubnetMin lies above SubnetMax', () => {
    const config = effective({ Network: '10.1.0.0/16', SubnetMin: '10.1.50.0', SubnetMax: '10.1.10.0' });
    expect(capacityOf(config, [])).toEqual({ total: 0, used: 0, free: 0, utilisation: 1, next: [], wraps: false });
  });

  it('is unknown without IPv4', () => {
    expect(capacityOf(effective({ EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fc00::/48' }), [])).toBeNull();
  });

  it('tells of the walk past the end of the address space, and does not follow it', () => {
    const end = effective({ Network: '255.255.255.0/24', SubnetLen: 26 });
    expect(capacityOf(end, [])).toMatchObject({
      total: 3,
      free: 3,
      wraps: true,
      next: ['255.255.255.64/26', '255.255.255.128/26', '255.255.255.192/26'],
    });
    const wide = effective({ Network: '255.255.0.0/16' });
    expect(capacityOf(wide, [])).toMatchObject({ wraps: false });
    expect(capacityOf(wide, [range('255.255.0.0/17'), range('255.255.128.0/18')])).toMatchObject({
      free: 64,
      wraps: true,
    });
    expect(
      capacityOf(effective({ Network: '255.255.255.0/24', SubnetLen: 26, SubnetMax: '255.255.255.128' }), []),
    ).toMatchObject({ wraps: false });
  });

  it('equals the walk of flanneld, step by step, on small networks', () => {
    const network = fc.tuple(fc.integer({ min: 20, max: 26 }), fc.integer({ min: 2, max: 6 }), fc.nat(63), fc.nat(63));
    const lease = fc.tuple(fc.nat(0x3fff), fc.integer({ min: 16, max: 31 }));
    fc.assert(
      fc.property(network, fc.array(lease, { maxLength: 12 }), ([length, bits, low, high], given) => {
        const subnetLen = Math.min(30, length + bits);
        const size = 2 ** (32 - subnetLen);
        const base = 0x0a010000;
        const count = 2 ** (subnetLen - length);
        const config = effective({
          Network: `10.1.0.0/${length}`,
          SubnetLen: subnetLen,
          SubnetMin: formatIpv4(base + (low % count) * size),
          SubnetMax: formatIpv4(base + (high % count) * size),
        });
        const leases = given.map(([offset, prefix]) => ({ subnet: cidrOf(base + offset, prefix) }));
        expect(capacityOf(config, leases)).toMatchObject(walk(config, leases));
      }),
      { numRuns: 500 },
    );
  });

  it('with an unaligned SubnetMin, which v0.9 takes, is counted under the mask as flanneld does', () => {
    const config = effective(
      { Network: '10.1.0.0/16', SubnetMin: '10.1.10.5', SubnetMax: '10.1.20.5' },
      parseFlannelVersion('v0.9.1'),
    );
    const leases = [range('10.1.11.0/24'), range('10.1.12.0/25')];
    expect(capacityOf(config, leases)).toMatchObject(walk(config, leases));
  });

  it('of 65,536 subnets is counted in a moment', () => {
    const config = effective({ Network: '10.0.0.0/8', SubnetMin: '10.0.0.0' });
    const leases = Array.from({ length: 65_536 }, (_, i) => ({ subnet: { base: 0x0a000000 + i * 256, length: 24 } }));
    const started = performance.now();
    expect(capacityOf(config, leases.slice(1))).toMatchObject({ total: 65_536, used: 65_535, next: ['10.0.0.0/24'] });
    console.log(`capacity of 65,536 leases: ${(performance.now() - started).toFixed(0)} ms`);
  });
});

describe('a plan for a capacity', () => {
  it('recommends a readable network in private space with room to spare', () => {
    const [best, ...others] = planCapacity({ nodes: 40, containersPerNode: 100 });
    expect(best).toEqual({
      network: '10.1.0.0/18',
      subnetLen: 24,
      subnets: 63,
      needed: 40,
      spare: 23,
      utilisation: 40 / 63,
      containersPerNode: 253,
      recommended: true,
      note: 'one third octet per node, easy to read',
      command: 'netctl init-network 10.1.0.0/18 --subnet-len 24 --backend vxlan',
    });
    expect(others.length).toBeGreaterThan(0);
    expect(others.every(({ recommended }) => !recommended)).toBe(true);
  });

  it('counts in growth, and the day that leases of replaced nodes live on', () => {
    expect(planCapacity({ nodes: 10, containersPerNode: 10, growth: 0.1 })[0]).toMatchObject({ needed: 11 });
    expect(planCapacity({ nodes: 200, containersPerNode: 30, growth: 0.5, churnPerDay: 400 })[0]).toMatchObject({
      needed: 700,
    });
  });

  it('stays inside the range that is given and clear of what must be avoided', () => {
    const [best] = planCapacity({
      nodes: 3,
      containersPerNode: 50,
      within: range('192.168.0.0/20').subnet,
      avoid: [range('192.168.0.0/22').subnet, range('192.168.8.0/21').subnet],
    });
    expect(best?.network).toMatch(/^192\.168\.[4-7]\./);
  });

  it('keeps every promise, whatever is asked', () => {
    const wish = fc.record({
      nodes: fc.integer({ min: 1, max: 20_000 }),
      containersPerNode: fc.integer({ min: 1, max: 1000 }),
      growth: fc.constantFrom(0, 0.1, 0.5, 2),
      churnPerDay: fc.nat(500),
      avoid: fc.array(
        fc
          .tuple(fc.nat(0xffffff), fc.integer({ min: 8, max: 24 }))
          .map(([offset, length]) => cidrOf(0x0a000000 + offset, length)),
        { maxLength: 5 },
      ),
    });
    let possible = 0;
    fc.assert(
      fc.property(wish, (asked) => {
        let layouts: ReturnType<typeof planCapacity>;
        try {
          layouts = planCapacity(asked);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInput);
          expect(error).toMatchObject({ code: 'capacity-impossible' });
          return;
        }
        possible += 1;
        expect(layouts.length).toBeLessThanOrEqual(6);
        expect(layouts.map(({ recommended }) => recommended)).toEqual(layouts.map((_, index) => index === 0));
        for (const layout of layouts) {
          const network = range(layout.network).subnet;
          expect(formatCidr(network)).toBe(layout.network);
          expect(spaceOf(network)).toBe('private');
          expect(asked.avoid.some((other) => cidrsOverlap(other, network))).toBe(false);
          expect(layout.containersPerNode).toBeGreaterThanOrEqual(asked.containersPerNode);
          expect(layout.needed).toBeGreaterThanOrEqual(asked.nodes + asked.churnPerDay);
          expect(layout.spare).toBeGreaterThanOrEqual(0);
          // flanneld itself is the judge of whether the network is one and how many subnets it has.
          const config = effective({ Network: layout.network, SubnetLen: layout.subnetLen });
          expect(capacityOf(config, [])?.total).toBe(layout.subnets);
        }
      }),
      { numRuns: 300 },
    );
    expect(possible).toBeGreaterThan(100);
  });

  it('that cannot be says what can', () => {
    const plan = () => planCapacity({ nodes: 300, containersPerNode: 200, within: range('10.8.0.0/16').subnet });
    expect(plan).toThrow(
      '300 subnets for 200 containers each do not fit: the largest free range in 10.8.0.0/16 is 10.8.0.0/16',
    );
    try {
      plan();
    } catch (error) {
      expect(error).toMatchObject({
        next: [
          'Possible in 10.8.0.0/16: 300 nodes with 125 containers each (--subnet-len 25).',
          'Possible in 10.8.0.0/16: 255 subnets for 200 containers each (--subnet-len 24).',
          expect.stringContaining('two networks'),
        ],
      });
    }
    expect(() => planCapacity({ nodes: 2, containersPerNode: 4_000_000_000 })).toThrow(InvalidInput);
    expect(() => planCapacity({ nodes: 2, containersPerNode: 2, within: range('10.0.0.0/29').subnet })).toThrow(
      '10.0.0.0/29 is too small for a network',
    );
    const avoid = [range('10.0.0.0/24').subnet];
    expect(() => planCapacity({ nodes: 2, containersPerNode: 2, within: range('10.0.0.0/24').subnet, avoid })).toThrow(
      'nothing of 10.0.0.0/24 is left',
    );
  });

  it('takes private space only, and numbers that mean something', () => {
    expect(() => planCapacity({ nodes: 2, containersPerNode: 2, within: range('8.8.0.0/16').subnet })).toThrow(
      '8.8.0.0/16 is public address space',
    );
    expect(() => planCapacity({ nodes: 0, containersPerNode: 2 })).toThrow(InvalidInput);
    expect(() => planCapacity({ nodes: 2.5, containersPerNode: 2 })).toThrow(InvalidInput);
    expect(() => planCapacity({ nodes: 2, containersPerNode: Number.NaN })).toThrow(InvalidInput);
    expect(() => planCapacity({ nodes: 2, containersPerNode: 2, churnPerDay: -1 })).toThrow(InvalidInput);
  });
});
