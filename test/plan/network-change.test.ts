import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { formatIpv4, parseIpv4 } from '../../src/lib/net/ipv4';
import { type Lease, readLeases } from '../../src/lib/net/lease';
import { type EffectiveConfig, judgeConfig } from '../../src/lib/net/network-config';
import { planNetworkChange } from '../../src/lib/plan/network-change';

const newest = parseFlannelVersion('v0.28.9');
const lastOfV2 = parseFlannelVersion('v0.17.0');

function effective(config: Record<string, unknown>, version = newest): EffectiveConfig {
  const verdict = judgeConfig(JSON.stringify({ Backend: { Type: 'vxlan' }, ...config }), version);
  if (verdict.effective === null) throw new Error(verdict.error ?? 'refused');
  return verdict.effective;
}

const data = ',"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}';

function leasesOf(subnets: readonly string[], more = data, version = newest): readonly Lease[] {
  const entries = subnets.map((subnet, index) => ({
    key: `/net/subnets/${subnet.replace('/', '-')}`,
    value: new TextEncoder().encode(`{"PublicIP":"${formatIpv4(0xc0a80001 + index)}","PublicIPv6":null${more}}`),
    revision: '1',
    createdRevision: '1',
    permanent: false,
  }));
  return readLeases({ api: 'v3', entries }, '/net', version).leases;
}

const base = effective({ Network: '10.1.0.0/16' });
const nodes = [
  { name: 'web1', publicIP: '192.168.0.1' },
  { name: 'web2', publicIP: '192.168.0.2' },
  { name: 'web3', publicIP: '192.168.0.3' },
];

describe('a change of the network', () => {
  it('to the same is none', () => {
    const change = planNetworkChange({
      current: base,
      wish: base,
      leases: leasesOf(['10.1.5.0/24']),
      nodes,
      version: newest,
    });
    expect(change).toMatchObject({
      impact: 'none',
      differences: [],
      steps: [],
      atRestart: [],
      counts: { leases: 1, kept: 1, lost: 0 },
    });
  });

  it('where there is none yet and no leases is taken up by the flannelds that wait', () => {
    const change = planNetworkChange({ current: null, wish: base, leases: [], nodes, version: newest });
    expect(change).toMatchObject({ impact: 'none', steps: [], warnings: [] });
    expect(change.running).toContain('within a second');
    expect(change.nodes.map(({ fate }) => fate)).toEqual(['no-lease', 'no-lease', 'no-lease']);
  });

  it('that widens the range needs a restart, node by node', () => {
    const current = effective({ Network: '10.1.0.0/16', SubnetMax: '10.1.50.0' });
    const change = planNetworkChange({
      current,
      wish: base,
      leases: leasesOf(['10.1.5.0/24', '10.1.6.0/24']),
      nodes,
      version: newest,
    });
    expect(change).toMatchObject({
      impact: 'restart',
      rolling: true,
      differences: ['SubnetMax: 10.1.50.0 -> 10.1.255.0'],
    });
    expect(change.nodes.map(({ node, subnet, fate }) => [node, subnet, fate])).toEqual([
      ['web1', '10.1.5.0/24', 'kept'],
      ['web2', '10.1.6.0/24', 'kept'],
      ['web3', null, 'no-lease'],
    ]);
    expect(change.steps.join('\n')).not.toContain('--force');
  });

  it('that narrows the range takes subnets away, which is an outage for their nodes', () => {
    const wish = effective({ Network: '10.1.0.0/16', SubnetMax: '10.1.50.0' });
    const leases = leasesOf(['10.1.5.0/24', '10.1.60.0/24']);
    const change = planNetworkChange({ current: base, wish, leases, nodes, version: newest });
    expect(change).toMatchObject({ impact: 'outage', rolling: true, counts: { kept: 1, lost: 1 } });
    expect(change.fates).toMatchObject([{ fate: 'kept' }, { fate: 'out-of-range', node: 'web2' }]);
    expect(change.atRestart.join('\n')).not.toContain('exit code 1');
  });

  it('that takes subnets away fails the first restart up to v0.17.0', () => {
    const wish = effective({ Network: '10.1.0.0/16', SubnetMax: '10.1.50.0' }, lastOfV2);
    const change = planNetworkChange({ current: base, wish, leases: leasesOf(['10.1.60.0/24']), version: lastOfV2 });
    expect(change.atRestart.join('\n')).toContain('exit code 1');
  });

  it('of SubnetLen takes every subnet away', () => {
    const wish = effective({ Network: '10.1.0.0/16', SubnetLen: 26 });
    const change = planNetworkChange({
      current: base,
      wish,
      leases: leasesOf(['10.1.5.0/24', '10.1.6.0/24']),
      version: newest,
    });
    expect(change.fates.map(({ fate, misfits }) => [fate, misfits])).toEqual([
      ['wrong-length', ['wrong-length']],
      ['wrong-length', ['wrong-length']],
    ]);
    expect(change).toMatchObject({ impact: 'outage', rolling: true, capacity: { total: 1023, used: 8 } });
  });

  it.each<[string, Record<string, unknown>]>([
    ['Network', { Network: '10.2.0.0/16' }],
    ['a wider Network that keeps every lease', { Network: '10.0.0.0/8' }],
    ['backend', { Backend: { Type: 'host-gw' } }],
    ['VNI', { Backend: { Type: 'vxlan', VNI: 7 } }],
    ['Port', { Backend: { Type: 'vxlan', Port: 4789 } }],
    ['IPv6', { EnableIPv6: true, IPv6Network: 'fc00::/48' }],
  ])('of the %s cannot be rolled out node by node', (_, config) => {
    const wish = effective({ Network: '10.1.0.0/16', ...config });
    const change = planNetworkChange({ current: base, wish, leases: leasesOf(['10.1.5.0/24']), version: newest });
    expect(change).toMatchObject({ impact: 'outage', rolling: false });
    expect(change.steps[0]).toContain('at once');
    expect(change.steps.join('\n')).toContain('--force');
  });

  it.each<[string, Record<string, unknown>]>([
    ['DirectRouting', { Type: 'vxlan', DirectRouting: true }],
    ['MTU', { Type: 'vxlan', MTU: 1400 }],
  ])('of %s can', (_, Backend) => {
    const wish = effective({ Network: '10.1.0.0/16', Backend });
    const change = planNetworkChange({ current: base, wish, leases: leasesOf(['10.1.5.0/24']), version: newest });
    expect(change).toMatchObject({ impact: 'restart', rolling: true, counts: { lost: 0, otherBackend: 0 } });
  });

  it('of the wireguard port can since peers publish theirs', () => {
    const of = (tag: string) => {
      const version = parseFlannelVersion(tag);
      const current = effective({ Network: '10.1.0.0/16', Backend: { Type: 'wireguard' } }, version);
      const wish = effective({ Network: '10.1.0.0/16', Backend: { Type: 'wireguard', ListenPort: 7 } }, version);
      const leases = leasesOf(['10.1.5.0/24'], ',"BackendType":"wireguard","BackendData":{"PublicKey":"k="}');
      return planNetworkChange({ current, wish, leases, version }).rolling;
    };
    expect(of('v0.26.5')).toBe(false);
    expect(of('v0.26.6')).toBe(true);
  });

  it('shows no secret', () => {
    const psk = (text: string) =>
      effective({ Network: '10.1.0.0/16', Backend: { Type: 'ipsec', PSK: text.repeat(96) } });
    const change = planNetworkChange({ current: psk('a'), wish: psk('b'), leases: [], version: newest });
    expect(change.differences).toEqual(['Backend.PSK: changed']);
    expect(JSON.stringify(change)).not.toContain('aaaa');
  });

  it('of the backend says which leases publish another one', () => {
    const wish = effective({ Network: '10.1.0.0/16', Backend: { Type: 'host-gw' } });
    const made = leasesOf(['10.1.7.0/24'], '');
    const change = planNetworkChange({
      current: base,
      wish,
      leases: [...leasesOf(['10.1.5.0/24']), ...made],
      version: newest,
    });
    // The second was made beforehand: no node has published anything there.
    expect(change.fates.map(({ fate, otherBackend }) => [fate, otherBackend])).toEqual([
      ['kept', true],
      ['kept', false],
    ]);
  });

  it('from udp, whose leases name no backend, knows that their nodes run udp', () => {
    const udp = effective({ Network: '10.1.0.0/16', Backend: { Type: 'udp' } });
    const alloc = effective({ Network: '10.1.0.0/16', Backend: { Type: 'alloc' } });
    const leases = leasesOf(['10.1.5.0/24'], '');
    const other = (current: EffectiveConfig | null, wish: EffectiveConfig) =>
      planNetworkChange({ current, wish, leases, version: newest }).counts.otherBackend;
    expect(other(udp, base)).toBe(1);
    expect(other(udp, alloc)).toBe(1);
    expect(other(udp, udp)).toBe(0);
    expect(other(base, base)).toBe(0);
    expect(other(null, base)).toBe(0);
  });

  it('to dual stack has every lease deleted while flanneld is stopped', () => {
    const wish = effective({ Network: '10.1.0.0/16', EnableIPv6: true, IPv6Network: 'fc00::/48' });
    const leases = leasesOf(['10.1.5.0/24', '10.1.6.0/24&fc00:0:0:1::-64']);
    const change = planNetworkChange({ current: base, wish, leases, version: newest });
    expect(change.fates.map(({ fate }) => fate)).toEqual(['dual-stack-mismatch', 'kept']);
    expect(change.steps.join('\n')).toContain('Delete all leases');
    // Releases before v0.17.0 do not read the IPv6 part of a key.
    const old = parseFlannelVersion('v0.16.3');
    const before = planNetworkChange({
      current: base,
      wish: base,
      leases: leasesOf(['10.1.6.0/24&fc00:0:0:1::-64'], data, old),
      version: old,
    });
    expect(before.counts.lost).toBe(0);
  });

  it('warns when the subnets will not do for the nodes', () => {
    const wish = effective({ Network: '10.1.0.0/24', SubnetLen: 26 });
    const leases = leasesOf(['10.1.5.0/24', '10.1.6.0/24', '10.1.7.0/24', '10.1.8.0/24']);
    expect(planNetworkChange({ current: base, wish, leases, version: newest }).warnings[0]).toContain(
      '3 subnets for 4 nodes',
    );
    const tight = effective({ Network: '10.1.0.0/16', SubnetLen: 18 });
    const three = leasesOf(['10.1.70.0/24', '10.1.130.0/24', '10.1.200.0/24']);
    expect(planNetworkChange({ current: base, wish: tight, leases: three, version: newest }).warnings[0]).toContain(
      'only 0 are free',
    );
  });

  it('keeps exactly the leases that the test of flanneld accepts', () => {
    // isSubnetConfigCompat and isIPv6SubnetConfigCompat of flannel's pkg/subnet/etcd/local_manager.go, for IPv4 leases.
    const compatible = (config: EffectiveConfig, address: number, length: number, knowsIpv6: boolean): boolean => {
      const min = parseIpv4(config.subnetMin ?? '') ?? 0;
      const max = parseIpv4(config.subnetMax ?? '') ?? 0;
      if (address < min || address > max || length !== config.subnetLen) return false;
      return !knowsIpv6 || !config.enableIPv6;
    };
    const configs = [
      base,
      effective({ Network: '10.1.0.0/18', SubnetLen: 26 }),
      effective({ Network: '10.1.0.0/16', SubnetMin: '10.1.10.0', SubnetMax: '10.1.20.0' }),
      effective({ Network: '10.1.0.0/16', SubnetMin: '10.1.20.0', SubnetMax: '10.1.10.0' }),
      effective({ Network: '10.1.0.0/16', EnableIPv6: true, IPv6Network: 'fc00::/48' }),
    ];
    const kept = { yes: 0, no: 0 };
    fc.assert(
      fc.property(
        fc.constantFrom(...configs),
        fc.nat(0x1ffff),
        fc.constantFrom(20, 24, 24, 24, 26, 26, 31),
        fc.boolean(),
        fc.constantFrom('v0.11.0', 'v0.16.3', 'v0.17.0', 'v0.28.9'),
        (config, offset, length, aligned, tag) => {
          const version = parseFlannelVersion(tag);
          const address = 0x0a010000 + (aligned ? offset - (offset % 2 ** (32 - length)) : offset);
          const leases = leasesOf([`${formatIpv4(address)}/${length}`], data, version);
          const [fate] = planNetworkChange({ current: base, wish: config, leases, version }).fates;
          const expected = compatible(config, address, length, tag === 'v0.17.0' || tag === 'v0.28.9');
          expect(fate?.fate === 'kept').toBe(expected);
          expect(fate?.misfits.length === 0).toBe(expected);
          kept[expected ? 'yes' : 'no'] += 1;
        },
      ),
      { numRuns: 3000 },
    );
    expect(Math.min(kept.yes, kept.no)).toBeGreaterThan(100);
  });

  it('of 65,536 leases is planned in a moment', () => {
    const leases = leasesOf(Array.from({ length: 65_536 }, (_, i) => `${formatIpv4(0x0a000000 + i * 256)}/24`));
    const many = leases.map(({ publicIP }, i) => ({ name: `node${i}`, publicIP: publicIP ?? '' }));
    const started = performance.now();
    const change = planNetworkChange({
      current: base,
      wish: effective({ Network: '10.0.0.0/8' }),
      leases,
      nodes: many,
      version: newest,
    });
    console.log(`fates of 65,536 leases and nodes: ${(performance.now() - started).toFixed(0)} ms`);
    expect(change.counts).toMatchObject({ kept: 65_535, lost: 1 });
  });
});
