import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInput, NetctlError } from '../../src/lib/errors';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { type Lease, readLeases } from '../../src/lib/net/lease';
import { filterHelp, findLeases, parseFilter, parseSort, type SubnetRow } from '../../src/lib/net/subnet-query';

function lease(subnet: string, publicIP: string, more = '', permanent = false): Lease {
  const value = new TextEncoder().encode(`{"PublicIP":"${publicIP}","PublicIPv6":null${more}}`);
  const entry = {
    key: `/net/subnets/${subnet.replace('/', '-')}`,
    value,
    revision: '1',
    createdRevision: '1',
    permanent,
  };
  const [read] = readLeases({ api: 'v3', entries: [entry] }, '/net', parseFlannelVersion('v0.28.9')).leases;
  if (read === undefined) throw new Error('not a lease');
  return read;
}

const vxlan = ',"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}';
const leases = [
  lease('10.1.1.0/24', '10.4.7.11', vxlan),
  lease('10.1.2.0/24', '10.4.7.12', vxlan),
  lease('10.1.16.0/20', '10.4.8.13', ',"BackendType":"host-gw"', true),
  lease('10.1.40.0/24&fc00:0:0:1::-64', '10.1.1.9', ',"BackendType":"host-gw"'),
];
const nodes = [
  { name: 'web1', address: '10.4.7.11' },
  { name: 'web2', address: 'web2.example', publicIP: '10.4.7.12' },
  { name: '10.9.9.9', publicIP: '10.4.8.13' },
];
const found = (query: string) =>
  findLeases(query, leases, nodes).map(({ lease: { subnetText }, by }) => `${subnetText} ${by}`);

describe('a query for subnets', () => {
  it('finds a subnet by itself, as in the key too', () => {
    expect(found('10.1.2.0/24')).toEqual(['10.1.2.0/24 subnet']);
    expect(found('10.1.2.0-24')).toEqual(['10.1.2.0/24 subnet']);
  });

  it('finds by a range that no lease has what it holds and what holds it', () => {
    expect(found('10.1.0.0/22')).toEqual(['10.1.1.0/24 subnet', '10.1.2.0/24 subnet']);
    expect(found('10.1.17.0/24')).toEqual(['10.1.16.0/20 subnet']);
  });

  it('finds by an address the subnet that holds it and the node that has it, both when both are so', () => {
    expect(found('10.1.31.255')).toEqual(['10.1.16.0/20 address']);
    expect(found('10.4.7.12')).toEqual(['10.1.2.0/24 public-ip']);
    expect(found('10.1.1.9')).toEqual(['10.1.1.0/24 address', '10.1.40.0/24 public-ip']);
    expect(found('10.200.0.1')).toEqual([]);
  });

  it('finds by IPv6 too', () => {
    expect(found('fc00:0:0:1::5')).toEqual(['10.1.40.0/24 address']);
    expect(found('fc00::/16')).toEqual(['10.1.40.0/24 subnet']);
  });

  it('finds by the name of a node, also when the name looks like an address', () => {
    expect(found('web1')).toEqual(['10.1.1.0/24 node']);
    expect(found('web2')).toEqual(['10.1.2.0/24 node']);
    expect(found('10.9.9.9')).toEqual(['10.1.16.0/20 node']);
  });

  it('refuses what is none of these', () => {
    expect(() => findLeases('web9', leases, [])).toThrow(InvalidInput);
    expect(() => findLeases('10.1.2', leases, nodes)).toThrow('"10.1.2" is not a subnet');
  });
});

const row = (index: number, more: Partial<SubnetRow> = {}): SubnetRow => {
  const read = leases[index];
  if (read === undefined) throw new Error('no such lease');
  return { lease: read, node: null, ttlSeconds: null, problems: [], ...more };
};
const rows = [
  row(0, { node: 'web1', ttlSeconds: 80_000 }),
  row(1, { node: 'web2', ttlSeconds: 1800, problems: ['renewal-overdue'] }),
  row(2, { node: 'db' }),
  row(3, { ttlSeconds: 3600, problems: ['lease-wrong-length', 'unknown-owner'] }),
];
const kept = (...expressions: string[]) =>
  rows.filter(parseFilter(expressions).test).map(({ lease: { subnetText } }) => subnetText);
const [one, two, three, four] = ['10.1.1.0/24', '10.1.2.0/24', '10.1.16.0/20', '10.1.40.0/24'];

describe('a filter', () => {
  it.each<[string, (string | undefined)[]]>([
    ['backend=vxlan', [one, two]],
    ['backend!=vxlan', [three, four]],
    ['backend=VXLAN', [one, two]],
    ['node=web*', [one, two]],
    ['node=web?', [one, two]],
    ['node=', [four]],
    ['node!=', [one, two, three]],
    ['public-ip=10.4.7.0/24', [one, two]],
    ['public-ip=10.4.7.12', [two]],
    ['public-ip=10.4.*', [one, two, three]],
    ['subnet=10.1.0.0/20', [one, two]],
    ['subnet=10.1.17.3', [three]],
    ['subnet=*/20', [three]],
    ['permanent', [three]],
    ['!permanent', [one, two, four]],
    ['permanent=false', [one, two, four]],
    ['problem', [two, four]],
    ['!problem', [one, three]],
    ['problem=renewal-*', [two]],
    ['problem!=renewal-overdue', [one, three, four]],
    ['expires<1h', [two]],
    ['expires<=1h', [two, four]],
    ['expires>=1d', []],
    ['expires>30m', [one, four]],
    ['vtep-mac=0E:*', [one, two]],
    ['vni=1', [one, two]],
    ['backend=vxlan,expires<1h', [two]],
    [' backend = vxlan , node = web1 ', [one]],
  ])('%s', (expression, expected) => {
    expect(kept(expression)).toEqual(expected);
  });

  it('given twice means and', () => {
    expect(kept('backend=host-gw', 'public-ip=10.1.0.0/16')).toEqual([four]);
    expect(kept()).toHaveLength(4);
  });

  it('says what it needs to know, so that nothing else is asked', () => {
    expect(parseFilter(['backend=vxlan'])).toMatchObject({ needsTtl: false, needsProblems: false });
    expect(parseFilter(['expires<1h'])).toMatchObject({ needsTtl: true, needsProblems: false });
    expect(parseFilter(['!problem'])).toMatchObject({ needsTtl: false, needsProblems: true });
  });

  it.each([
    ['bakend=vxlan', 'there is no field "bakend"'],
    ['', 'is not a term'],
    ['backend', 'backend needs a value: backend=vxlan'],
    ['expires=1h', 'compared with'],
    ['expires<soon', 'a number with a unit'],
    ['backend<vxlan', 'only expires can'],
    ['public-ip=10.4.7', 'an address, a range'],
    ['!backend=vxlan', 'backend!=vxlan'],
    ['vni=x', 'whole number'],
  ])('%j is refused: %s', (expression, why) => {
    expect(() => parseFilter([expression])).toThrow(InvalidInput);
    expect(() => parseFilter([expression])).toThrow(why);
  });

  it('is explained with every field that it knows', () => {
    for (const line of filterHelp.slice(0, -1)) {
      const word = /^\S+/.exec(line)?.[0] ?? '';
      expect(() => parseFilter([word]), word).not.toThrow();
    }
  });

  it('fails in no other way than with InvalidInput', () => {
    const piece = fc.constantFrom(
      'node',
      'expires',
      'subnet',
      'vni',
      '=',
      '!=',
      '<',
      '!',
      ',',
      '*',
      '1h',
      '10.0.0.0/8',
      'x',
      ' ',
      '\n',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(piece).map((parts) => parts.join('')),
        ),
        (text) => {
          try {
            rows.filter(parseFilter([text]).test);
          } catch (error) {
            expect(error).toBeInstanceOf(NetctlError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('with many stars takes no exponential time', () => {
    // Exponential time would not end before the test's deadline.
    const { test } = parseFilter([`node=${'*a'.repeat(2000)}b`]);
    expect(test(row(0, { node: 'a'.repeat(5000) }))).toBe(false);
  });
});

describe('the order of rows', () => {
  const sorted = (text: string) =>
    [...rows].sort(parseSort(text).compare).map(({ lease: { subnetText } }) => subnetText);

  it('follows its keys, - turns one around', () => {
    expect(sorted('subnet')).toEqual([one, two, three, four]);
    expect(sorted('-subnet')).toEqual([four, three, two, one]);
    expect(sorted('public-ip')).toEqual([four, one, two, three]);
    expect(sorted('backend,-subnet')).toEqual([four, three, two, one]);
  });

  it('puts what is unknown last, whichever way round', () => {
    expect(sorted('node')).toEqual([three, one, two, four]);
    expect(sorted('-node')).toEqual([two, one, three, four]);
    expect(sorted('expires')).toEqual([two, four, one, three]);
  });

  it('says whether it needs the time left', () => {
    expect(parseSort('-expires').needsTtl).toBe(true);
    expect(parseSort('subnet').needsTtl).toBe(false);
  });

  it('refuses other keys', () => {
    expect(() => parseSort('age')).toThrow(InvalidInput);
    expect(() => parseSort('')).toThrow(InvalidInput);
    expect(() => parseSort('--subnet')).toThrow('subnet, public-ip');
  });
});
