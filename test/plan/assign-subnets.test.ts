import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cidrsOverlap, formatCidr } from '../../src/lib/net/cidr';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { type Lease, readLease } from '../../src/lib/net/lease';
import { type EffectiveConfig, judgeConfig } from '../../src/lib/net/network-config';
import { assignSubnets, type SubnetSeeker } from '../../src/lib/plan/assign-subnets';

const prefix = '/coreos.com/network';
const version = parseFlannelVersion('v0.28.9');

function config(json: object): EffectiveConfig {
  const { effective } = judgeConfig(JSON.stringify(json), version);
  if (effective === null) throw new Error('flannel takes no such config');
  return effective;
}

const network = config({ Network: '172.7.0.0/16', Backend: { Type: 'host-gw' } });

function lease(subnet: string, publicIP: string, more: object = {}): Lease {
  const value = Buffer.from(JSON.stringify({ PublicIP: publicIP, BackendType: 'host-gw', ...more }));
  const key = `${prefix}/subnets/${subnet.replaceAll('/', '-')}`;
  const read = readLease({ key, value, revision: '7', createdRevision: '7', permanent: false }, prefix, version);
  if (!('subnetText' in read)) throw new Error('not a lease');
  return read;
}

function seeker(number: number, change: Partial<SubnetSeeker> = {}): SubnetSeeker {
  return { name: `node${number}`, publicIP: `10.4.7.${number}`, wanted: null, previous: null, ...change };
}

function assign(
  seekers: readonly SubnetSeeker[],
  leases: readonly Lease[] = [],
  effective = network,
  reserved: readonly string[] = [],
) {
  return assignSubnets(seekers, leases, effective, prefix, version, reserved).map((each) => ({
    subnet: each.subnet === null ? null : formatCidr(each.subnet),
    from: each.from,
    key: each.change?.key ?? null,
    problem: each.problem?.code ?? null,
  }));
}

describe('assignSubnets', () => {
  it('gives a node the subnet of the inventory, made only when the key is absent', () => {
    const [given] = assignSubnets([seeker(21, { wanted: '172.7.21.0/24' })], [], network, prefix, version);
    expect(given?.problem).toBeNull();
    expect(given?.change).toMatchObject({
      kind: 'put',
      key: `${prefix}/subnets/172.7.21.0-24`,
      expected: 'absent',
      ttlSeconds: 86_400,
    });
    const { value } = given?.change?.kind === 'put' ? given.change : { value: Buffer.from('') };
    expect(JSON.parse(Buffer.from(value).toString())).toEqual({ PublicIP: '10.4.7.21' });
  });

  it('leaves a node the lease that it holds, and makes nothing', () => {
    const held = [lease('172.7.40.0/24', '10.4.7.21')];
    expect(assign([seeker(21)], held)).toEqual([{ subnet: '172.7.40.0/24', from: 'lease', key: null, problem: null }]);
    expect(assign([seeker(21, { wanted: '172.7.40.0/24' })], held)[0]).toMatchObject({ from: 'lease', key: null });
    // What subnet.env says is older than what etcd says.
    expect(assign([seeker(21, { previous: '172.7.50.0/24' })], held)[0]?.subnet).toBe('172.7.40.0/24');
  });

  it('gives a node back what it had, unless somebody has it, wants it, or it fits no more', () => {
    const previous = { previous: '172.7.33.0/24' };
    expect(assign([seeker(21, previous)])[0]).toMatchObject({ subnet: '172.7.33.0/24', from: 'previous' });
    expect(assign([seeker(21, previous)], [lease('172.7.33.0/24', '10.4.7.99')])[0]?.from).toBe('free');
    expect(assign([seeker(21, previous), seeker(22, { wanted: '172.7.33.0/24' })])[0]?.from).toBe('free');
    expect(assign([seeker(21, previous)], [], network, ['172.7.33.0/24'])[0]?.from).toBe('free');
    expect(assign([seeker(21, { previous: '10.1.33.0/24' })])[0]?.from).toBe('free');
    expect(assign([seeker(21, { previous: '172.7.32.0/20' })])[0]?.from).toBe('free');
  });

  it('gives nobody by chance what another node had, whichever stands first', () => {
    const found = assign([seeker(21), seeker(22, { previous: '172.7.1.0/24' })]);
    expect(found[1]).toMatchObject({ subnet: '172.7.1.0/24', from: 'previous' });
    expect(found[0]?.subnet).toBe('172.7.2.0/24');
  });

  it('keeps free what the inventory has for nodes that are not asked for now', () => {
    expect(assign([seeker(21)], [], network, ['172.7.1.0/24', '172.7.2.0/24'])[0]?.subnet).toBe('172.7.3.0/24');
  });

  it('refuses a wanted subnet that another holds, that does not fit, or while the node holds another', () => {
    const wanted = { wanted: '172.7.21.0/24' };
    expect(assign([seeker(21, wanted)], [lease('172.7.21.0/24', '10.4.7.99')])[0]).toMatchObject({
      subnet: null,
      key: null,
      problem: 'subnet-held-by-another',
    });
    expect(assign([seeker(21, wanted)], [lease('172.7.9.0/24', '10.4.7.21')])[0]?.problem).toBe(
      'node-holds-another-subnet',
    );
    expect(assign([seeker(21, { wanted: '10.9.0.0/24' })])[0]?.problem).toBe('subnet-does-not-fit');
    expect(assign([seeker(21, { wanted: '172.7.16.0/20' })])[0]?.problem).toBe('subnet-does-not-fit');
  });

  it('does not give a second subnet to a node whose lease fits the network no more', () => {
    // flanneld would find the old lease first, give it back, and take one that was not prepared.
    expect(assign([seeker(21)], [lease('10.1.5.0/24', '10.4.7.21')])[0]).toMatchObject({
      subnet: null,
      key: null,
      problem: 'node-holds-another-subnet',
    });
  });

  it('says who is left out when the network is full, and gives the others theirs', () => {
    const twenty = config({ Network: '10.0.0.0/16', SubnetLen: 24, SubnetMin: '10.0.1.0', SubnetMax: '10.0.20.0' });
    const found = assign(
      Array.from({ length: 21 }, (_, index) => seeker(index + 1)),
      [],
      twenty,
    );
    expect(found.slice(0, 20).map(({ subnet }) => subnet)).toEqual(
      Array.from({ length: 20 }, (_, index) => `10.0.${index + 1}.0/24`),
    );
    expect(found[20]).toEqual({ subnet: null, from: 'free', key: null, problem: 'out-of-subnets' });
  });

  it('leaves dual-stack to flanneld, and refuses to fix a subnet there', () => {
    const dual = config({
      Network: '172.7.0.0/16',
      EnableIPv6: true,
      IPv6Network: 'fc00::/48',
      Backend: { Type: 'vxlan' },
    });
    expect(assign([seeker(21)], [], dual)[0]).toEqual({ subnet: null, from: 'flanneld', key: null, problem: null });
    expect(assign([seeker(21, { wanted: '172.7.21.0/24' })], [], dual)[0]?.problem).toBe('subnet-in-dual-stack');
    const both = lease('172.7.8.0/24&fc00:0:0:8::/64', '10.4.7.21', { PublicIPv6: 'fd00::21' });
    expect(assign([seeker(21)], [both], dual)[0]).toMatchObject({
      subnet: '172.7.8.0/24',
      from: 'lease',
      problem: null,
    });
  });

  it('gives 48 nodes that start together 48 subnets, and the same ones when planned again', () => {
    const seekers = Array.from({ length: 48 }, (_, index) => seeker(index + 1));
    const leases = [lease('172.7.3.0/24', '10.4.7.200'), lease('172.7.4.0/22', '10.4.7.201')];
    const found = assign(seekers, leases);
    expect(new Set(found.map(({ subnet }) => subnet)).size).toBe(48);
    expect(found.every(({ problem, key }) => problem === null && key !== null)).toBe(true);
    expect(assign(seekers, leases)).toEqual(found);
    const made = found.map(({ subnet }, index) => lease(subnet ?? '', `10.4.7.${index + 1}`));
    expect(assign(seekers, [...leases, ...made]).map(({ from, key }) => [from, key])).toEqual(
      seekers.map(() => ['lease', null]),
    );
  });

  it('never gives two nodes subnets that overlap, nor one that somebody holds', () => {
    const third = fc.integer({ min: 0, max: 24 }).map((number) => `172.7.${number}.0/24`);
    const option = fc.option(third, { freq: 3 });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(option, option), { maxLength: 30, selector: () => Symbol() }),
        fc.uniqueArray(third, { maxLength: 12 }),
        fc.uniqueArray(third, { maxLength: 3 }),
        (wishes, held, reserved) => {
          const seekers = wishes.map(([wanted, previous], index) => seeker(index + 1, { wanted, previous }));
          const leases = held.map((subnet, index) => lease(subnet, `10.4.7.${index * 2 + 1}`));
          const found = assignSubnets(seekers, leases, network, prefix, version, reserved);
          expect(found.map(({ node }) => node)).toEqual(seekers.map(({ name }) => name));
          const made = found.flatMap(({ subnet, change }) => (subnet === null || change === null ? [] : [subnet]));
          for (const [index, subnet] of made.entries()) {
            expect(leases.some((other) => cidrsOverlap(other.subnet, subnet))).toBe(false);
            // Two nodes for which the inventory says the same are the inventory's mistake, which it is checked for.
            const twice = seekers.filter(({ wanted }) => wanted === formatCidr(subnet)).length > 1;
            expect(!twice && made.slice(0, index).some((other) => cidrsOverlap(other, subnet))).toBe(false);
          }
        },
      ),
    );
  });
});
