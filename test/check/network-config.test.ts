import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reviewConfig } from '../../src/lib/check/network-config';
import { InvalidInput } from '../../src/lib/errors';
import { configTopics } from '../../src/lib/explain/config';
import { newestFlannel, parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { judgeConfig } from '../../src/lib/net/network-config';
import type { Problem } from '../../src/lib/net/problem';

type Context = Partial<Parameters<typeof reviewConfig>[2]>;

function review(text: string, tag = 'v0.28.9', context: Context = {}): readonly Problem[] {
  return reviewConfig(text, parseFlannelVersion(tag), { avoid: [], ...context }).problems;
}

function codes(text: string, tag?: string, context?: Context): readonly string[] {
  return review(text, tag, context).map((problem) => problem.code);
}

function only(text: string, code: string, tag?: string, context?: Context): Problem {
  const found = review(text, tag, context).filter((problem) => problem.code === code);
  expect(found.map((problem) => problem.code)).toEqual([code]);
  const [problem] = found;
  if (problem === undefined) throw new Error('unreachable');
  return problem;
}

const vxlan = '"Backend":{"Type":"vxlan"}';
const good = `{"Network":"10.1.0.0/16",${vxlan}}`;

describe('a review', () => {
  it('has nothing to say of a good config', () => {
    expect(review(good)).toEqual([]);
    expect(
      review(
        '{"Network":"10.1.0.0/16","SubnetLen":24,"SubnetMin":"10.1.10.0","SubnetMax":"10.1.50.0","Backend":{"Type":"vxlan","VNI":7,"DirectRouting":true}}',
        'v0.11.0',
        { avoid: [{ cidr: '192.168.1.0/24', why: 'LAN' }], nodes: 41 },
      ),
    ).toEqual([]);
  });

  it('carries the verdict of the judge', () => {
    const text = '{"Network":"10.1.0.0/30"}';
    expect(reviewConfig(text, newestFlannel, { avoid: [] }).verdict).toEqual(judgeConfig(text, newestFlannel));
  });

  it('puts errors first and keeps the order of the text otherwise', () => {
    const problems = review('{\n"Foo": 1,\n"network": "172.7.0.0/16",\n"SubnetLen": 31\n}');
    expect(problems.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
      'error subnet-too-long',
      'warning unknown-key',
      'info key-case',
      'warning public-addresses',
    ]);
    expect(problems[0]?.message).toMatch(/\(line 4, column 14\)$/);
    expect(problems[1]?.message).toMatch(/\(line 2, column 1\)$/);
  });
});

describe('a refusal', () => {
  it.each([
    ['', 'bad-json', '', /Network/],
    ['{"Network":"10.1.0.0/16",}', 'bad-json', '', /comma/],
    ["{'Network':'10.1.0.0/16'}", 'bad-json', '', /double quotes/],
    ['{\\"Network\\":\\"10.1.0.0/16\\"}', 'bad-json', '', /backslash/],
    ['\ufeff{}', 'bad-json', '', /byte order mark/],
    ['{"Network":"10.1.0.0/16"} // x', 'bad-json', '', /comments/],
    ['{"Network":"10.1.0.0\\/16"}', 'bad-cidr', 'Network', /^"Network": "10\.1\.0\.0\/16"$/],
    ['{"Network":"10.1/255.255.0.0"}', 'bad-cidr', 'Network', /"10\.1\.0\.0\/16"/],
    ['{"Network":null}', 'bad-cidr', 'Network', /Network/],
    ['{"Network":"fc00::/48"}', 'bad-cidr', 'Network', /IPv6Network/],
    ['{"Network":"10.1.0.0/16","SubnetLen":"25"}', 'wrong-type', 'SubnetLen', /^"SubnetLen": 25$/],
    ['{"Network":"10.1.0.0/16","SubnetLen":24.0}', 'wrong-type', 'SubnetLen', /^"SubnetLen": 24$/],
    ['{"Network":"10.1.0.0/16","EnableIPv6":"false"}', 'wrong-type', 'EnableIPv6', /^"EnableIPv6": false$/],
    ['{"Network":"10.1.0.0/16","SubnetMin":null}', 'bad-ip', 'SubnetMin', /leave SubnetMin out/],
    ['{"Network":"10.1.0.0/16","Backend":"vxlan"}', 'wrong-type', 'Backend', /"Type": "vxlan"/],
    ['{}', 'no-network', 'Network', /"Network"/],
    ['{"Network":"10.1.0.0/29"}', 'network-too-small', 'Network', /"10\.1\.0\.0\/28"/],
    ['{"Network":"10.1.0.0/16","SubnetLen":17}', 'fewer-than-four-subnets', 'SubnetLen', /18 or more/],
    ['{"Network":"10.1.0.0/16","SubnetLen":31}', 'subnet-too-long', 'SubnetLen', /30/],
    [
      '{"Network":"10.1.0.0/16","SubnetMin":"10.2.0.0"}',
      'subnet-out-of-network',
      'SubnetMin',
      /10\.1\.0\.0 to 10\.1\.255\.255/,
    ],
    [
      '{"Network":"10.1.0.0/16","SubnetMin":"10.1.10.5"}',
      'subnet-unaligned',
      'SubnetMin',
      /^"SubnetMin": "10\.1\.11\.0"$/,
    ],
    [
      '{"Network":"10.1.0.0/16","SubnetMax":"10.1.255.255"}',
      'subnet-unaligned',
      'SubnetMax',
      /^"SubnetMax": "10\.1\.255\.0"$/,
    ],
    ['{"Network":"10.1.0.0/16","EnableIPv4":false}', 'no-address-family', 'EnableIPv4', /"EnableIPv4": true/],
    ['{"Network":"10.1.0.0/16","Backend":{"Type":"vxlam"}}', 'unknown-backend', 'Backend.Type', /"vxlan"/],
    ['{"Network":"10.1.0.0/16","Backend":{"Type":" host-gw"}}', 'unknown-backend', 'Backend.Type', /"host-gw"/],
    [
      '{"Network":"10.1.0.0/16","Backend":{"Type":"gce"}}',
      'backend-unavailable',
      'Backend.Type',
      /removed in v0\.20\.0/,
    ],
    [
      '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","vni":"7"}}',
      'bad-backend-option',
      'Backend.VNI',
      /whole number/,
    ],
    ['{"Network":"10.1.0.0/16","Backend":{"Type":"ipsec","PSK":"x"}}', 'bad-backend-option', 'Backend.PSK', /96/],
    [
      '{"Network":"10.1.0.0/16","Backend":{"Type":"wireguard","Mode":"Auto"}}',
      'bad-backend-option',
      'Backend.Mode',
      /separate/,
    ],
    [
      '{"Network":"10.1.0.0/16","Backend":{"Type":"wireguard","Mode":"auto"}}',
      'crashes-flanneld',
      'Backend.Mode',
      /separate/,
    ],
  ])('of %j is %s at %s', (text, code, path, suggestion) => {
    const [first, second] = review(text);
    expect(first).toMatchObject({ code, path, severity: 'error' });
    expect(first?.suggestion).toMatch(suggestion);
    expect(first?.message).toContain('v0.28.9');
    expect(second?.severity).not.toBe('error');
  });

  it('names the crash of older releases', () => {
    expect(only('{"Network":"fc00::/48"}', 'crashes-flanneld', 'v0.28.8').suggestion).toContain('IPv6Network');
    expect(only('{"Network":"10.1.0.0/16","EnableIPv6":true}', 'crashes-flanneld', 'v0.15.0').path).toBe('IPv6Network');
  });

  it('is never silent, and its suggested range is one', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.stringMatching(/^[0-9./]{0,20}$/)), (network) => {
        const { verdict, problems } = reviewConfig(JSON.stringify({ Network: network }), newestFlannel, { avoid: [] });
        expect(problems.some((problem) => problem.severity === 'error')).toBe(verdict.outcome !== 'accepted');
        const fix = problems.find((problem) => problem.code === 'bad-cidr')?.suggestion;
        if (fix?.startsWith('"Network"'))
          expect(judgeConfig(`{${fix}}`, newestFlannel).error ?? '').not.toMatch(/CIDR/);
      }),
    );
  });
});

describe('what people regret', () => {
  it.each<[string, string, string, RegExp, Context?, string?]>([
    ['no Backend', '{"Network":"10.1.0.0/16"}', 'implicit-udp', /vxlan/],
    ['udp', '{"Network":"10.1.0.0/16","Backend":{"Type":"udp"}}', 'udp-slow', /vxlan/],
    ['host bits', `{"Network":"10.1.2.3/16",${vxlan}}`, 'host-bits', /10\.1\.0\.0\/16/],
    [
      'Min > Max',
      `{"Network":"10.1.0.0/16","SubnetMin":"10.1.50.0","SubnetMax":"10.1.10.0",${vxlan}}`,
      'inverted-range',
      /"SubnetMin": "10\.1\.10\.0"/,
    ],
    ['a misspelt key', `{"Network":"10.1.0.0/16","SudbnetMax":"10.1.9.0",${vxlan}}`, 'misspelt-key', /^SubnetMax$/],
    ['a misspelt Backend', '{"Network":"10.1.0.0/16","Backnd":{"Type":"vxlan"}}', 'misspelt-key', /^Backend$/],
    [
      'a misspelt option',
      '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","DirectRoutng":true}}',
      'misspelt-key',
      /^DirectRouting$/,
    ],
    ['an option outside', `{"Network":"10.1.0.0/16","DirectRouting":true,${vxlan}}`, 'misplaced-key', /Backend/],
    ['a key inside', '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","SubnetLen":24}}', 'misplaced-key', /outside/],
    ['an unknown key', `{"Network":"10.1.0.0/16","Comment":"x",${vxlan}}`, 'unknown-key', /^$/],
    ['duplicates', `{"Network":"10.9.0.0/16","network":"10.1.0.0/16",${vxlan}}`, 'duplicate-key', /one Network/],
    [
      'duplicates inside',
      '{"Network":"10.1.0.0/16","Backend":{"Type":"udp","Type":"vxlan"}}',
      'duplicate-key',
      /one Type/,
    ],
    [
      'an overlap',
      good,
      'network-overlap',
      /"Network": "10\.0\.0\.0\/16"/,
      { avoid: [{ cidr: '10.1.5.4/24', why: 'LAN of n1' }] },
    ],
    [
      'an overlap with an address',
      good,
      'network-overlap',
      /Network/,
      { avoid: [{ cidr: '10.1.0.1', why: 'gateway' }] },
    ],
    ['public space', `{"Network":"172.7.0.0/16",${vxlan}}`, 'public-addresses', /"10\.7\.0\.0\/16"/],
    ['loopback', `{"Network":"127.1.0.0/16",${vxlan}}`, 'special-addresses', /"10\.1\.0\.0\/16"/],
    ['multicast', `{"Network":"224.0.0.0/8",${vxlan}}`, 'special-addresses', /"10\.0\.0\.0\/8"/],
    [
      'too many nodes',
      `{"Network":"10.1.0.0/24",${vxlan}}`,
      'fewer-subnets-than-nodes',
      /"SubnetLen": 27/,
      { nodes: 4 },
    ],
    [
      'one subnet',
      `{"Network":"10.1.0.0/16","SubnetMin":"10.1.5.0","SubnetMax":"10.1.5.0",${vxlan}}`,
      'single-subnet',
      /wider/,
    ],
    ['tiny subnets', `{"Network":"10.1.0.0/16","SubnetLen":30,${vxlan}}`, 'tiny-subnets', /SubnetLen/],
    ['the first subnet', `{"Network":"10.1.0.0/16","SubnetMin":"10.1.0.0",${vxlan}}`, 'first-subnet', /10\.1\.1\.0/],
    ['the end of the address space', `{"Network":"255.255.0.0/16",${vxlan}}`, 'wraps-around', /255/],
    ['a wide VNI', '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","VNI":70000}}', 'vni-16-bit', /65535/],
    [
      'a long VNI',
      '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","VNI":10000000}}',
      'device-name-too-long',
      /9999999/,
    ],
    [
      'a long VNI with IPv6',
      '{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","Backend":{"Type":"vxlan","VNI":10000}}',
      'device-name-too-long',
      /9999/,
    ],
    [
      'an impossible VNI',
      '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","VNI":16777216}}',
      'option-out-of-range',
      /VNI/,
    ],
    [
      'an impossible port',
      '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","Port":65536}}',
      'option-out-of-range',
      /Port/,
    ],
    ['an MTU of 0', '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","MTU":0}}', 'option-out-of-range', /MTU/],
    ['a small MTU', '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","MTU":500}}', 'small-mtu', /MTU/],
    ['the port of Swarm', '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","Port":4789}}', 'vxlan-port', /8472/],
    ['host-gw', '{"Network":"10.1.0.0/16","Backend":{"Type":"host-gw"}}', 'needs-adjacency', /DirectRouting/],
    ['alloc', '{"Network":"10.1.0.0/16","Backend":{"Type":"alloc"}}', 'no-data-path', /vxlan/],
    [
      'a shell command',
      '{"Network":"10.1.0.0/16","Backend":{"Type":"extension","SubnetAddCommand":"ip r a $SUBNET && true"}}',
      'no-shell',
      /script/,
    ],
    [
      'a backend that goes',
      '{"Network":"10.1.0.0/16","Backend":{"Type":"gce"}}',
      'backend-removed',
      /vxlan/,
      {},
      'v0.19.2',
    ],
    [
      'a key of later releases',
      `{"Network":"10.1.0.0/16","EnableNFTables":true,${vxlan}}`,
      'ignored-key',
      /EnableNFTables/,
      {},
      'v0.24.4',
    ],
    [
      'an option of later releases',
      '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","MTU":9000}}',
      'ignored-key',
      /MTU/,
      {},
      'v0.21.2',
    ],
    [
      'IPv6 before etcd had it',
      `{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48",${vxlan}}`,
      'ignored-key',
      /v0\.17\.0/,
      {},
      'v0.16.3',
    ],
    ['Networks', `{"Network":"10.1.0.0/16","Networks":[],${vxlan}}`, 'ignored-key', /Networks/, {}, 'v0.21.0'],
    [
      'Networks where it counts',
      `{"Network":"10.1.0.0/16","Networks":[],${vxlan}}`,
      'ignored-key',
      /Networks/,
      {},
      'v0.20.0',
    ],
    [
      'IPv6 alone',
      `{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/48",${vxlan}}`,
      'ipv6-only',
      /EnableIPv4/,
    ],
    [
      'both families',
      `{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48",${vxlan}}`,
      'dual-stack-hazard',
      /subnets check/,
    ],
    [
      'IPv6 over ipip',
      '{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","Backend":{"Type":"ipip"}}',
      'ipv4-only-backend',
      /vxlan/,
    ],
    [
      'IPv6Network without IPv6',
      `{"Network":"10.1.0.0/16","IPv6Network":"fd00::/48",${vxlan}}`,
      'family-off',
      /EnableIPv6/,
    ],
    [
      'Network without IPv4',
      `{"Network":"10.1.0.0/16","EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/48",${vxlan}}`,
      'family-off',
      /EnableIPv4/,
    ],
    [
      'public IPv6',
      `{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"2a00::/48",${vxlan}}`,
      'public-addresses',
      /^$/,
    ],
    [
      'documentation IPv6',
      `{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"2001:db8::/48",${vxlan}}`,
      'special-addresses',
      /fd00/,
    ],
    [
      'one port for two devices',
      '{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48","Backend":{"Type":"wireguard","ListenPortV6":51820}}',
      'port-clash',
      /51821/,
    ],
    [
      'an unaligned SubnetMin in old releases',
      `{"Network":"10.1.0.0/16","SubnetMin":"10.1.10.5",${vxlan}}`,
      'subnet-unaligned',
      /10\.1\.10\.0/,
      {},
      'v0.9.1',
    ],
    ['no Network in old releases', `{${vxlan}}`, 'no-network', /Network/, {}, 'v0.19.1'],
    ['a newer flannel', good, 'newer-flannel', /^$/, {}, 'v1.0.0'],
  ])('is told of %s', (_name, text, code, suggestion, context, tag) => {
    const problem = only(text, code, tag, context);
    expect(problem.suggestion ?? '').toMatch(suggestion);
    expect(reviewConfig(text, parseFlannelVersion(tag ?? 'v0.28.9'), { avoid: [] }).verdict.outcome).toBe('accepted');
    expect(problem.severity).not.toBe('error');
  });

  it('tells wrong case as information only', () => {
    const problems = review('{"network":"10.1.0.0/16","Backend":{"Type":"VXLAN","Directrouting":true}}');
    expect(problems.map(({ code, severity, suggestion }) => [code, severity, suggestion])).toEqual([
      ['key-case', 'info', 'Network'],
      ['key-case', 'info', '"Type": "vxlan"'],
      ['key-case', 'info', 'DirectRouting'],
    ]);
  });

  it('does not warn of VNI, port or MTU inside their limits', () => {
    expect(codes('{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan","VNI":65535,"Port":8472,"MTU":9000}}')).toEqual(
      [],
    );
    expect(codes(`{"Network":"10.1.0.0/24",${vxlan}}`, 'v0.28.9', { nodes: 3 })).toEqual([]);
  });

  it('offers a range beside everything that is to be avoided', () => {
    const avoid = ['10.0.0.0/9', '10.128.0.0/10', '10.1.9.9'].map((cidr) => ({ cidr, why: 'taken' }));
    const suggestions = review(good, 'v0.28.9', { avoid }).map((problem) => problem.suggestion);
    expect(suggestions).toEqual(['"Network": "10.192.0.0/16"', '"Network": "10.192.0.0/16"']);
  });

  it('tells many overlaps as one', () => {
    const of = (count: number) =>
      review(good, 'v0.28.9', {
        avoid: Array.from({ length: count }, (_, i) => ({ cidr: `10.1.0.${i}/32`, why: `address of node n${i}` })),
      });
    expect(of(5)).toHaveLength(5);
    expect(of(40)).toHaveLength(1);
    expect(of(40)[0]?.message).toMatch(/10\.1\.0\.4\/32 \(address of node n4\) and 35 more/);
  });

  it('compares IPv6 with IPv6', () => {
    const dual = `{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48",${vxlan}}`;
    expect(codes(dual, 'v0.28.9', { avoid: [{ cidr: 'fd00:0:0:5::/64', why: 'VPN' }] })).toContain('network-overlap');
    expect(codes(dual, 'v0.28.9', { avoid: [{ cidr: 'fd01::1', why: 'VPN' }] })).not.toContain('network-overlap');
  });

  it('takes no rubbish as a range to avoid', () => {
    expect(() => review(good, 'v0.28.9', { avoid: [{ cidr: 'rubbish', why: '' }] })).toThrowError(InvalidInput);
    expect(() => review(good, 'v0.28.9', { avoid: [{ cidr: 'x:y', why: '' }] })).toThrowError(InvalidInput);
  });
});

describe('a hostile config', () => {
  it.each([
    [
      'many unknown keys',
      `{${Array.from({ length: 80_000 }, (_, i) => `"k${i}":1,`).join('')}"Network":"10.1.0.0/16"}`,
    ],
    ['many duplicates', `{${'"Network":"10.1.0.0/16",'.repeat(40_000)}"SubnetLen":24}`],
    ['a long key', `{"${'SubnetMax'.repeat(110_000)}":1,"Network":"10.1.0.0/16"}`],
    [
      'many long options',
      `{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan"${`,"${'y'.repeat(100)}":1`.repeat(9000)}}}`,
    ],
    ['deep nesting', `{"X":${'['.repeat(9999)}${']'.repeat(9999)},"Network":"10.1.0.0/16"}`],
    ['a late error', `{"a":"${'x\\n'.repeat(340_000)}",}`],
  ])('with %s is reviewed in few lines', (_name, text) => {
    const problems = review(text);
    expect(problems.length).toBeLessThan(60);
    for (const problem of problems) expect(problem.message.length + problem.path.length).toBeLessThan(800);
  });

  it('never makes the reviewer throw', () => {
    const names = fc.constantFrom(
      'Network',
      'subnetLEN',
      'SubnetMin',
      'Backend',
      'EnableIPv6',
      'IPv6Network',
      'Type',
      '__proto__',
      'constructor',
      'toString',
    );
    const inner = fc.dictionary(
      fc.constantFrom('Type', 'VNI', 'MTU', 'PSK', '__proto__'),
      fc.oneof(fc.jsonValue(), fc.constantFrom('vxlan', 'wireguard', 'ipsec', 'extension')),
    );
    const values = fc.oneof(
      fc.jsonValue(),
      inner,
      fc.constantFrom('10.1.0.0/16', '0.0.0.0/0', 'fc00::/48', '255.255.255.0/24', '10.1.1.0'),
      fc.integer(),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(names, values), { maxLength: 8 }),
        fc.constantFrom('v0.8.0', 'v0.9.1', 'v0.17.0', 'v0.28.9'),
        fc.nat(300),
        (members, tag, nodes) => {
          const text = `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
          const { verdict, problems } = reviewConfig(text, parseFlannelVersion(tag), {
            avoid: [{ cidr: '10.1.0.0/24', why: 'x' }],
            nodes,
          });
          expect(problems.some((problem) => problem.severity === 'error')).toBe(verdict.outcome !== 'accepted');
          for (const problem of problems) expect(configTopics.map((topic) => topic.code)).toContain(problem.code);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('the topics', () => {
  it('are each there once, in words', () => {
    const all = configTopics.map((topic) => topic.code);
    expect(new Set(all).size).toBe(all.length);
    for (const topic of configTopics)
      expect([topic.code, topic.causes.length > 0, topic.mend.length > 0]).toEqual([topic.code, true, true]);
  });
});
