import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/lib/errors';
import { newestFlannel, parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { parseIpv4 } from '../../src/lib/net/ipv4';
import {
  canonicalConfig,
  describeIpv6Network,
  describeNetwork,
  type EffectiveConfig,
  judgeConfig,
  type NetworkWish,
  sameEffect,
} from '../../src/lib/net/network-config';

/** One release of each era of flannel-spec 1.5, and the ones at which texts change. */
const releases = [
  'v0.9.1',
  'v0.10.0',
  'v0.14.0',
  'v0.15.0',
  'v0.19.1',
  'v0.19.2',
  'v0.20.0',
  'v0.28.8',
  'v0.28.9',
] as const;
type Tag = (typeof releases)[number];

function since(tag: Tag): readonly Tag[] {
  return releases.slice(releases.indexOf(tag));
}

function until(tag: Tag): readonly Tag[] {
  return releases.slice(0, releases.indexOf(tag) + 1);
}

/** "min max len" when accepted, else the error in brackets, with a bang when flanneld crashes. */
function outcome(text: string | Uint8Array, tag: string): string {
  const verdict = judgeConfig(text, parseFlannelVersion(tag));
  expect(verdict.flannel).toBe(tag);
  expect(verdict.outcome === 'accepted').toBe(verdict.effective !== null);
  expect(verdict.outcome === 'accepted').toBe(verdict.error === null && verdict.stage === null);
  const { effective } = verdict;
  if (effective === null) return verdict.outcome === 'crashes' ? `!${verdict.error}` : `[${verdict.error}]`;
  if (!effective.enableIPv4) return `${effective.ipv6SubnetMin} ${effective.ipv6SubnetMax} ${effective.ipv6SubnetLen}`;
  return `${effective.subnetMin} ${effective.subnetMax} ${effective.subnetLen}`;
}

function stage(text: string, tag = 'v0.28.9'): string | null {
  return judgeConfig(text, parseFlannelVersion(tag)).stage;
}

function accepted(text: string, tag = 'v0.28.9'): EffectiveConfig {
  const { effective, error } = judgeConfig(text, parseFlannelVersion(tag));
  if (effective === null) throw new Error(`${tag} refuses ${text}: ${error}`);
  return effective;
}

describe('the vectors of flannel-spec 1.7', () => {
  const four = '[Network must be able to accommodate at least four subnets]';
  const small = '[Network is too small. Minimum useful network prefix is /28]';
  const tooLong = '[SubnetLen must be less than /31]';
  const host = '[HostSubnet is larger network than Network]';
  /** Era A, then eras B to D; era E is the same but for the first letter. */
  const vectors: readonly (readonly [string, string, string])[] = [
    ['"Network":"10.0.0.0/8"', '10.0.1.0 10.255.255.0 24', '10.0.1.0 10.255.255.0 24'],
    ['"Network":"10.1.0.0/16"', '10.1.1.0 10.1.255.0 24', '10.1.1.0 10.1.255.0 24'],
    ['"Network":"10.0.0.0/22"', '10.0.1.0 10.0.3.0 24', '10.0.1.0 10.0.3.0 24'],
    ['"Network":"10.0.0.0/23"', '10.0.1.0 10.0.1.0 24', '10.0.0.128 10.0.1.128 25'],
    ['"Network":"10.0.0.0/24"', '10.0.0.128 10.0.0.128 25', '10.0.0.64 10.0.0.192 26'],
    ['"Network":"10.0.0.0/25"', '10.0.0.64 10.0.0.64 26', '10.0.0.32 10.0.0.96 27'],
    ['"Network":"10.0.0.0/26"', '10.0.0.32 10.0.0.32 27', '10.0.0.16 10.0.0.48 28'],
    ['"Network":"10.0.0.0/28"', '10.0.0.8 10.0.0.8 29', '10.0.0.4 10.0.0.12 30'],
    ['"Network":"10.0.0.0/29"', '10.0.0.4 10.0.0.4 30', small],
    ['"Network":"10.0.0.0/32"', '10.0.0.0 10.0.0.1 33', small],
    ['"Network":"10.1.0.0/16","SubnetLen":15', host, four],
    ['"Network":"10.1.0.0/16","SubnetLen":16', '10.2.0.0 10.1.0.0 16', four],
    ['"Network":"10.1.0.0/16","SubnetLen":17', '10.1.128.0 10.1.128.0 17', four],
    ['"Network":"10.1.0.0/16","SubnetLen":18', '10.1.64.0 10.1.192.0 18', '10.1.64.0 10.1.192.0 18'],
    ['"Network":"10.1.0.0/16","SubnetLen":30', '10.1.0.4 10.1.255.252 30', '10.1.0.4 10.1.255.252 30'],
    ['"Network":"10.1.0.0/16","SubnetLen":31', '10.1.0.2 10.1.255.254 31', tooLong],
    ['"Network":"10.1.0.0/16","SubnetLen":32', '10.1.0.1 10.1.255.255 32', tooLong],
    ['"Network":"10.1.0.0/16","SubnetLen":0', '10.1.1.0 10.1.255.0 24', '10.1.1.0 10.1.255.0 24'],
    [
      '"Network":"10.1.0.0/16","SubnetMin":"10.1.10.5"',
      '10.1.10.5 10.1.255.0 24',
      '[SubnetMin is not on a SubnetLen boundary: 10.1.10.5]',
    ],
    [
      '"Network":"10.1.0.0/16","SubnetMax":"10.1.255.255"',
      '10.1.1.0 10.1.255.255 24',
      '[SubnetMax is not on a SubnetLen boundary: 10.1.255.255]',
    ],
    ['"Network":"10.1.0.0/16","SubnetMin":"10.1.0.0"', '10.1.0.0 10.1.255.0 24', '10.1.0.0 10.1.255.0 24'],
    [
      '"Network":"10.1.0.0/16","SubnetMin":"10.1.50.0","SubnetMax":"10.1.10.0"',
      '10.1.50.0 10.1.10.0 24',
      '10.1.50.0 10.1.10.0 24',
    ],
    [
      '"Network":"10.1.0.0/16","SubnetLen":28,"SubnetMin":"10.1.10.0","SubnetMax":"10.1.50.0"',
      '10.1.10.0 10.1.50.0 28',
      '10.1.10.0 10.1.50.0 28',
    ],
    [
      '"Network":"10.1.0.0/16","SubnetMin":"10.2.0.0"',
      '[SubnetMin is not in the range of the Network]',
      '[SubnetMin is not in the range of the Network]',
    ],
    [
      '"Network":"10.1.0.0/16","SubnetMax":"10.2.0.0"',
      '[SubnetMax is not in the range of the Network]',
      '[SubnetMax is not in the range of the Network]',
    ],
    ['"Network":"255.255.0.0/16"', '255.255.1.0 255.255.255.0 24', '255.255.1.0 255.255.255.0 24'],
    ['"Network":"0.0.0.0/1"', '0.0.1.0 127.255.255.0 24', '0.0.1.0 127.255.255.0 24'],
    ['"Network":"10.1.2.3/16"', '10.1.1.0 10.1.255.0 24', '10.1.1.0 10.1.255.0 24'],
    // upstream's own unit vectors
    ['"network":"10.3.0.0/16"', '10.3.1.0 10.3.255.0 24', '10.3.1.0 10.3.255.0 24'],
    [
      '"Network":"10.3.0.0/16","SubnetMin":"10.3.5.0","SubnetMax":"10.3.8.0","SubnetLen":28',
      '10.3.5.0 10.3.8.0 28',
      '10.3.5.0 10.3.8.0 28',
    ],
  ];

  /** v0.20.0 wrote the first word of these in lower case. */
  function inEraE(text: string): string {
    return text.replace(/^\[Network/, '[network');
  }

  it.each(releases)('hold for %s', (tag) => {
    for (const [members, a, b] of vectors) {
      const expected = tag === 'v0.9.1' ? a : since('v0.20.0').includes(tag) ? inEraE(b) : b;
      expect([members, outcome(`{${members},"Backend":{"Type":"vxlan"}}`, tag)]).toEqual([members, expected]);
    }
  });

  it.each(['{}', 'null', '{"Network":"0.0.0.0/0"}'])(
    '%s is the whole Internet until v0.19.1 and refused from then on',
    (text) => {
      for (const tag of until('v0.19.1')) expect(outcome(text, tag)).toBe('0.0.1.0 255.255.255.0 24');
      expect(outcome(text, 'v0.19.2')).toBe('[Please define a correct Network parameter in the flannel config]');
      for (const tag of since('v0.20.0')) {
        expect(outcome(text, tag)).toBe('[please define a correct Network parameter in the flannel config]');
      }
    },
  );

  const ipv6Vectors: readonly (readonly [string, string])[] = [
    ['"IPv6Network":"fc00::/48"', 'fc00:0:0:1:: fc00:0:0:ffff:: 64'],
    ['"IPv6Network":"fc00::/56"', 'fc00:0:0:1:: fc00:0:0:ff:: 64'],
    ['"IPv6Network":"fc00::/62"', 'fc00:0:0:1:: fc00:0:0:3:: 64'],
    ['"IPv6Network":"fc00::/63"', 'fc00::8000:0:0:0 fc00:0:0:1:8000:: 65'],
    ['"IPv6Network":"fc00::/64"', 'fc00::4000:0:0:0 fc00::c000:0:0:0 66'],
    ['"IPv6Network":"fc00::/124"', 'fc00::4 fc00::c 126'],
    ['"IPv6Network":"fc00::/125"', '[IPv6Network is too small. Minimum useful network prefix is /124]'],
    ['"IPv6Network":"fc00::/48","IPv6SubnetLen":50', 'fc00:0:0:4000:: fc00:0:0:c000:: 50'],
    ['"IPv6Network":"fc00::/48","IPv6SubnetLen":49', '[Network must be able to accommodate at least four subnets]'],
    ['"IPv6Network":"fc00::/48","IPv6SubnetLen":126', 'fc00::4 fc00::ffff:ffff:ffff:ffff:fffc 126'],
    ['"IPv6Network":"fc00::/48","IPv6SubnetLen":127', '[SubnetLen must be less than /127]'],
    [
      '"IPv6Network":"fc00::/48","IPv6SubnetMin":"fc00:0:0:1::","IPv6SubnetMax":"fc00:0:0:f::","IPv6SubnetLen":124',
      'fc00:0:0:1:: fc00:0:0:f:: 124',
    ],
    ['"IPv6Network":"fc00::/48","IPv6SubnetMin":"fc01::"', '[IPv6SubnetMin is not in the range of the IPv6Network]'],
    ['"IPv6Network":"fc00::/48","IPv6SubnetMax":"fc01::"', '[IPv6SubnetMax is not in the range of the IPv6Network]'],
    ['"IPv6Network":"fc00::/48","IPv6SubnetMin":"fc00::1"', '[IPv6SubnetMin is not on a SubnetLen boundary: fc00::1]'],
    [
      '"IPv6Network":"fc00::/48","IPv6SubnetMax":"FC00:0::0001"',
      '[IPv6SubnetMax is not on a SubnetLen boundary: fc00::1]',
    ],
    ['"IPv6Network":"fc00::/48","IPv6SubnetMin":"::","IPv6SubnetMax":null', 'fc00:0:0:1:: fc00:0:0:ffff:: 64'],
    ['"IPv6Network":"ffff::/16"', 'ffff:0:0:1:: ffff:ffff:ffff:ffff:: 64'],
    ['"IPv6Network":"10.0.0.0/8"', '[IPv6SubnetMin is not on a SubnetLen boundary: ::1:0:ffff:a00:0]'],
  ];

  it.each(since('v0.15.0'))('hold for IPv6 in %s', (tag) => {
    for (const [members, expected] of ipv6Vectors) {
      const words = since('v0.20.0').includes(tag) ? inEraE(expected) : expected;
      expect([
        members,
        outcome(`{"EnableIPv4":false,"EnableIPv6":true,${members},"Backend":{"Type":"vxlan"}}`, tag),
      ]).toEqual([members, words]);
    }
  });

  it('IPv4 is checked before IPv6', () => {
    const text = '{"EnableIPv6":true,"Network":"10.0.0.0/30","IPv6Network":"fc00::/126"}';
    expect(outcome(text, 'v0.28.9')).toMatch(/^\[network is too small/);
  });
});

describe('the decoder of flannel-spec 1.3', () => {
  const ok = '10.1.1.0 10.1.255.0 24';
  const onAll = (text: string, expected: string) => {
    for (const tag of releases) expect([tag, outcome(text, tag)]).toEqual([tag, expected]);
  };

  it('folds the case of keys', () => {
    for (const name of ['network', 'NETWORK', 'networ\u212a', '\\u006eetwork']) onAll(`{"${name}":"10.1.0.0/16"}`, ok);
    onAll('{"Network":"10.1.0.0/16","\u017fubnetLen":20}', '10.1.16.0 10.1.240.0 20');
  });

  it('lets the last of duplicates win, in any case', () => {
    onAll('{"Network":"10.9.0.0/16","network":"10.1.0.0/16"}', ok);
    onAll('{"network":"10.9.0.0/16","Network":"10.1.0.0/16"}', ok);
    const type = (text: string) => accepted(`{"Network":"10.1.0.0/16",${text}}`).backend;
    expect(type('"Backend":{"Type":"udp","type":"vxlan"}').type).toBe('vxlan');
    expect(type('"Backend":{"Type":"udp"},"backend":{"Type":"vxlan"}').type).toBe('vxlan');
    expect(type('"Backend":{"Type":"vxlan","VNI":7},"Backend":{"Type":"vxlan"}').options).toMatchObject({ VNI: 1 });
  });

  it('ignores unknown keys, but not bad JSON in them', () => {
    onAll('{"Network":"10.1.0.0/16","X":{"y":[1,null]}}', ok);
    onAll('{"Network":"10.1.0.0/16","BackendType":"nonsense"}', ok);
    onAll('{"Network":"10.1.0.0/16","X":nul}', "[invalid character '}' in literal null (expecting 'l')]");
  });

  it('takes blanks around, and nothing else', () => {
    onAll(' \t\r\n{"Network":"10.1.0.0/16"}\r\n ', ok);
    onAll('{"Network":"10.1.0.0/16"}\u0000', "[invalid character '\\x00' after top-level value]");
    onAll('\ufeff{"Network":"10.1.0.0/16"}', "[invalid character 'ï' looking for beginning of value]");
    onAll('{"Network":"10.1.0.0/16"} // x', "[invalid character '/' after top-level value]");
    onAll('', '[unexpected end of JSON input]');
  });

  it.each([
    ['[]', 'array'],
    ['"x"', 'string'],
    ['5', 'number'],
    ['true', 'bool'],
  ])('refuses %s at the top', (text, kind) => {
    onAll(text, `[json: cannot unmarshal ${kind} into Go value of type subnet.Config]`);
  });

  it.each([
    ['"24"', 'string'],
    ['true', 'bool'],
    ['[24]', 'array'],
    ['{}', 'object'],
    ['-1', 'number -1'],
    ['-0', 'number -0'],
    ['24.0', 'number 24.0'],
    ['2.4e1', 'number 2.4e1'],
    ['18446744073709551616', 'number 18446744073709551616'],
  ])('refuses SubnetLen %s', (value, kind) => {
    onAll(
      `{"Network":"10.1.0.0/16","SubnetLen":${value}}`,
      `[json: cannot unmarshal ${kind} into Go struct field Config.SubnetLen of type uint]`,
    );
  });

  it('takes null for "not set" where Go does nothing', () => {
    onAll('{"Network":"10.1.0.0/16","SubnetLen":null,"EnableIPv4":null}', ok);
    onAll('{"Network":"10.1.0.0/16","SubnetLen":20,"SubnetLen":null}', '10.1.16.0 10.1.240.0 20');
    onAll('{"Network":"10.1.0.0/16","IPv6SubnetMin":null,"IPv6SubnetMax":null}', ok);
    onAll('{"Network":"10.1.0.0/16","SubnetMin":"0.0.0.0","SubnetMax":"0.0.0.0"}', ok);
  });

  it.each(['EnableIPv4', 'EnableIPv6'])('wants a boolean in %s from v0.15.0 on', (name) => {
    const text = `{"Network":"10.1.0.0/16","${name}":"true"}`;
    for (const tag of until('v0.14.0')) expect(outcome(text, tag)).toBe(ok);
    for (const tag of since('v0.15.0')) {
      expect(outcome(text, tag)).toBe(
        `[json: cannot unmarshal string into Go struct field Config.${name} of type bool]`,
      );
    }
  });

  it('reads EnableNFTables from v0.25.0 on', () => {
    const text = '{"Network":"10.1.0.0/16","EnableNFTables":1}';
    expect(outcome(text, 'v0.24.4')).toBe(ok);
    expect(outcome(text, 'v0.25.0')).toBe(
      '[json: cannot unmarshal number into Go struct field Config.EnableNFTables of type bool]',
    );
    expect(accepted('{"Network":"10.1.0.0/16","EnableNFTables":true}').enableNFTables).toBe(true);
  });

  it.each([
    ['null', 'null'],
    ['1', '1'],
    ['{"a":1}', '{"a":1}'],
    ['""', ''],
    ['"10.1.0.0"', '10.1.0.0'],
    ['"10.1.0.0\\/16"', '10.1.0.0\\/16'],
    ['"\\u00310.1.0.0/16"', '\\u00310.1.0.0/16'],
    ['" 10.1.0.0/16"', ' 10.1.0.0/16'],
    ['"10.1/16"', '10.1/16'],
    ['"10.1.0.0/255.255.0.0"', '10.1.0.0/255.255.0.0'],
    ['"10.1.0.0/33"', '10.1.0.0/33'],
    ['"10.1.0.0/-1"', '10.1.0.0/-1'],
  ])('refuses Network %s', (value, shown) => {
    onAll(`{"Network":${value}}`, `[invalid CIDR address: ${shown}]`);
  });

  it('lets a bad address end decoding, before type errors that came earlier', () => {
    onAll('{"SubnetLen":"x","Network":"y"}', '[invalid CIDR address: y]');
  });

  it.each(['null', '""', '5', '"10.1.1"', '"10.1.10.0 "'])('refuses SubnetMin %s', (value) => {
    const text = `{"Network":"10.1.0.0/16","SubnetMin":${value}}`;
    for (const tag of ['v0.9.1', 'v0.20.0', 'v0.27.4']) expect(outcome(text, tag)).toBe('[Invalid IP address format]');
    for (const tag of ['v0.28.0', 'v0.28.9']) expect(outcome(text, tag)).toBe('[invalid IP address format]');
  });

  it('takes a v4-mapped SubnetMin as IPv4', () => {
    onAll('{"Network":"10.1.0.0/16","SubnetMin":"::ffff:10.1.10.0"}', '10.1.10.0 10.1.255.0 24');
  });

  it('takes leading zeros in octets until v0.16.2, in lengths always', () => {
    const text = '{"Network":"010.1.0.0/016"}';
    expect(outcome(text, 'v0.16.2')).toBe(ok);
    expect(outcome(text, 'v0.16.3')).toBe('[invalid CIDR address: 010.1.0.0/016]');
    onAll('{"Network":"10.1.0.0/016"}', ok);
  });

  it.each([
    '"Network":"fc00::/48"',
    '"Network":"10.1.0.0/16","SubnetMin":"fc00::1"',
    '"Network":"10.1.0.0/16","SubnetMax":"fc00::1"',
  ])('crashes on %s until v0.28.8', (members) => {
    const text = `{${members}}`;
    expect(outcome(text, 'v0.9.1')).toBe('!runtime error: index out of range');
    expect(outcome(text, 'v0.12.0')).toBe('!runtime error: index out of range');
    for (const tag of ['v0.13.0', 'v0.20.0', 'v0.28.8'])
      expect(outcome(text, tag)).toBe('!Address is not an IPv4 address');
    expect(outcome(text, 'v0.28.9')).toMatch(/^\[invalid IPv4 (CIDR|address) format\]$/);
  });

  it('crashes on EnableIPv6 without IPv6Network until v0.19.1', () => {
    const text = '{"Network":"10.1.0.0/16","EnableIPv6":true}';
    for (const tag of ['v0.15.0', 'v0.19.1']) {
      expect(outcome(text, tag)).toBe('!runtime error: invalid memory address or nil pointer dereference');
    }
    expect(outcome(text, 'v0.19.2')).toBe('[Please define a correct IPv6Network parameter in the flannel config]');
    expect(outcome(text, 'v0.14.0')).toBe(ok);
  });

  it('parses IPv6Network even when IPv6 is off', () => {
    for (const tag of since('v0.15.0')) {
      expect(outcome('{"Network":"10.1.0.0/16","IPv6Network":"x"}', tag)).toBe('[invalid CIDR address: x]');
    }
    expect(outcome('{"Network":"10.1.0.0/16","IPv6Network":"x"}', 'v0.14.0')).toBe(ok);
  });

  it('reads Networks in v0.20.0 to v0.24.4 only', () => {
    const text = '{"Network":"10.1.0.0/16","Networks":"x"}';
    for (const tag of ['v0.19.2', 'v0.25.0']) expect(outcome(text, tag)).toBe(ok);
    for (const tag of ['v0.20.0', 'v0.24.4']) {
      expect(outcome(text, tag)).toBe(
        '[json: cannot unmarshal string into Go struct field Config.Networks of type []ip.IP4Net]',
      );
      expect(outcome('{"Network":"10.1.0.0/16","Networks":["10.2.0.0/16"]}', tag)).toBe(ok);
      expect(outcome('{"Network":"10.1.0.0/16","Networks":[null]}', tag)).toBe('[invalid CIDR address: null]');
      expect(outcome('{"Network":"10.1.0.0/16","Networks":["fc00::/48"]}', tag)).toBe(
        '!Address is not an IPv4 address',
      );
    }
  });

  it('has a limit of nesting from v0.14.0 on', () => {
    const text = `{"Network":"10.1.0.0/16","X":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
    expect(outcome(text, 'v0.13.0')).toBe(ok);
    expect(outcome(text, 'v0.14.0')).toBe("[invalid character '[' exceeded max depth]");
  });

  it('takes bytes with broken UTF-8', () => {
    const bytes = Uint8Array.from([...Buffer.from('{"Network":"10.1.0.0/16","X":"'), 0xff, ...Buffer.from('"}')]);
    expect(outcome(bytes, 'v0.28.9')).toBe(ok);
  });
});

describe('both families', () => {
  it('off make flanneld exit', () => {
    const text = '{"Network":"10.1.0.0/16","EnableIPv4":false}';
    expect(outcome(text, 'v0.14.0')).toBe('10.1.1.0 10.1.255.0 24');
    for (const tag of since('v0.15.0')) expect(outcome(text, tag)).toBe('[none defined stack]');
    expect(stage(text)).toBe('backend');
  });

  it('on have values of their own', () => {
    expect(
      accepted('{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"FC00::/48","Backend":{"Type":"vxlan"}}'),
    ).toMatchObject({
      enableIPv4: true,
      network: '10.1.0.0/16',
      subnetMin: '10.1.1.0',
      enableIPv6: true,
      ipv6Network: 'fc00::/48',
      ipv6SubnetMin: 'fc00:0:0:1::',
      ipv6SubnetLen: 64,
    });
  });

  it('leave no values of a family that is off', () => {
    const effective = accepted(
      '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fc00::/48","Backend":{"Type":"vxlan"}}',
    );
    expect([effective.network, effective.subnetLen, effective.subnetMin, effective.subnetMax]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    expect(accepted('{"Network":"10.1.0.0/16","IPv6Network":"fc00::/48"}').ipv6Network).toBeNull();
  });
});

describe('the backend of flannel-spec 1.8', () => {
  const withBackend = (backend: string) => `{"Network":"10.1.0.0/16","Backend":${backend}}`;

  it.each(releases)('is udp in %s when absent, whatever the documentation says', (tag) => {
    expect(accepted('{"Network":"10.1.0.0/16"}', tag).backend).toEqual({
      type: 'udp',
      explicit: false,
      options: { Port: 8285 },
    });
  });

  it.each(['null', '{}', '{"Type":null}'])('%s has an empty type, which is unknown', (backend) => {
    for (const tag of releases) expect(outcome(withBackend(backend), tag)).toBe('[unknown backend type: ]');
    expect(stage(withBackend(backend))).toBe('backend');
  });

  it.each([
    ['"vxlan"', 'string into Go value of type struct { Type string }'],
    ['5', 'number into Go value of type struct { Type string }'],
    ['[]', 'array into Go value of type struct { Type string }'],
    ['{"Type":5}', 'number into Go struct field .Type of type string'],
    ['{"Type":["vxlan"]}', 'array into Go struct field .Type of type string'],
  ])('%s is refused by the parser', (backend, words) => {
    for (const tag of releases) {
      expect(outcome(withBackend(backend), tag)).toBe(
        `[error decoding Backend property of config: json: cannot unmarshal ${words}]`,
      );
    }
    expect(stage(withBackend(backend))).toBe('parse');
  });

  it('folds the case of the type and trims nothing', () => {
    expect(accepted(withBackend('{"Type":"VXLAN"}')).backend.type).toBe('vxlan');
    expect(outcome(withBackend('{"Type":" vxlan"}'), 'v0.28.9')).toBe('[unknown backend type:  vxlan]');
    expect(outcome(withBackend('{"Type":"VxLam"}'), 'v0.28.9')).toBe('[unknown backend type: vxlam]');
  });

  it.each([
    ['ipip', 'v0.9.1', 'v0.10.0'],
    ['ipsec', 'v0.10.0', 'v0.11.0'],
    ['tencent-vpc', 'v0.13.0', 'v0.14.0'],
    ['wireguard', 'v0.15.1', 'v0.16.0'],
    ['aws-vpc', 'v0.20.0', 'v0.19.2'],
    ['gce', 'v0.28.9', 'v0.9.1'],
    ['ali-vpc', 'v0.20.0', 'v0.8.0'],
  ])('%s is unknown to %s and known to %s', (type, without, having) => {
    const text = withBackend(`{"Type":"${type}","PSK":"${type === 'ipsec' ? 'x'.repeat(96) : ''}"}`);
    expect(outcome(text, without)).toBe(`[unknown backend type: ${type}]`);
    expect(accepted(text, having).backend.type).toBe(type);
  });

  it.each([
    [
      '{"Type":"vxlan","VNI":"1"}',
      'v0.28.9',
      'error decoding VXLAN backend config: json: cannot unmarshal string into Go struct field VXLANConfig.vni of type int',
    ],
    [
      '{"Type":"vxlan","VNI":"1"}',
      'v0.27.3',
      'error decoding VXLAN backend config: json: cannot unmarshal string into Go struct field .VNI of type int',
    ],
    [
      '{"Type":"vxlan","directrouting":1}',
      'v0.11.0',
      'error decoding VXLAN backend config: json: cannot unmarshal number into Go struct field .DirectRouting of type bool',
    ],
    [
      '{"Type":"udp","Port":8285.5}',
      'v0.9.1',
      'error decoding UDP backend config: json: cannot unmarshal number 8285.5 into Go struct field .Port of type int',
    ],
    [
      '{"Type":"ipip","DirectRouting":"true"}',
      'v0.28.9',
      'error decoding IPIP backend config: json: cannot unmarshal string into Go struct field .DirectRouting of type bool',
    ],
    [
      '{"Type":"wireguard","Mode":1}',
      'v0.28.9',
      'error decoding backend config: json: cannot unmarshal number into Go struct field .Mode of type wireguard.Mode',
    ],
    [
      '{"Type":"wireguard","PersistentKeepaliveInterval":"25"}',
      'v0.28.9',
      'error decoding backend config: json: cannot unmarshal string into Go struct field .PersistentKeepaliveInterval of type time.Duration',
    ],
    [
      '{"Type":"extension","SubnetAddCommand":[]}',
      'v0.28.9',
      'error decoding backend config: json: cannot unmarshal array into Go struct field .SubnetAddCommand of type string',
    ],
    ['{"Type":"ipsec"}', 'v0.28.9', 'config error, password is too short'],
    ['{"Type":"wireguard","Mode":"Auto"}', 'v0.28.9', 'no valid Mode configured'],
    ['{"Type":"wireguard","Mode":"Auto"}', 'v0.20.2', 'No valid Mode configured'],
    ['{"Type":"wireguard","PSK":"c2hvcnQ="}', 'v0.28.9', 'could not parse psk: wgtypes: incorrect key size: 5'],
    [
      '{"Type":"aws-vpc","RouteTableID":5}',
      'v0.19.2',
      'Unexpected RouteTableID type. Must be string or array of strings.',
    ],
    ['{"Type":"aws-vpc","RouteTableID":["a",1]}', 'v0.19.2', 'Unexpected type in RouteTableID slice. Must be strings.'],
  ])('%s makes %s exit 1', (backend, tag, error) => {
    expect(outcome(withBackend(backend), tag)).toBe(`[${error}]`);
    expect(stage(withBackend(backend), tag)).toBe('register');
  });

  it('does not read sub-keys that a release does not know, nor those of host-gw', () => {
    expect(outcome(withBackend('{"Type":"vxlan","MTU":"x"}'), 'v0.21.2')).toMatch(/^10/);
    expect(outcome(withBackend('{"Type":"vxlan","MTU":"x"}'), 'v0.21.3')).toMatch(/MTU of type int/);
    expect(outcome(withBackend('{"Type":"host-gw","DirectRouting":"x"}'), 'v0.28.9')).toMatch(/^10/);
    expect(outcome(withBackend('{"Type":"wireguard","Mode":"nonsense"}'), 'v0.17.0')).toMatch(/^10/);
  });

  it('crashes wireguard with a shared tunnel and no IPv6Network from v0.21.0 on', () => {
    for (const mode of ['auto', 'ipv4', 'ipv6']) {
      const text = withBackend(`{"Type":"wireguard","Mode":"${mode}"}`);
      expect(outcome(text, 'v0.20.2')).toMatch(/^10/);
      expect(outcome(text, 'v0.28.9')).toMatch(/^!runtime error/);
      expect(stage(text)).toBe('register');
    }
    expect(outcome(withBackend('{"Type":"wireguard","Mode":"separate"}'), 'v0.28.9')).toMatch(/^10/);
    const dual =
      '{"Network":"10.1.0.0/16","EnableIPv6":true,"IPv6Network":"fc00::/48","Backend":{"Type":"wireguard","Mode":"auto"}}';
    expect(outcome(dual, 'v0.28.9')).toMatch(/^10/);
  });

  it('shows its options in documented case, with the defaults of the release', () => {
    expect(accepted(withBackend('{"Type":"vxlan","vni":7,"DIRECTROUTING":true}')).backend.options).toEqual({
      VNI: 7,
      Port: 0,
      GBP: false,
      DirectRouting: true,
      Learning: false,
      MTU: null,
    });
    expect(accepted(withBackend('{"Type":"vxlan"}'), 'v0.8.0').backend.options).toEqual({
      VNI: 1,
      Port: 0,
      GBP: false,
    });
  });
});

describe('a newer flannel than netctl knows', () => {
  it('is judged like the newest', () => {
    const verdict = judgeConfig('{}', parseFlannelVersion('v9.0.0'));
    expect(verdict).toEqual(judgeConfig('{}', newestFlannel));
  });
});

describe('a hostile config', () => {
  it('never makes the judge throw', () => {
    const names = fc.constantFrom(
      'Network',
      'subnetLEN',
      'SubnetMin',
      'Backend',
      'EnableIPv6',
      'IPv6Network',
      'IPv6SubnetMax',
      'Networks',
      '__proto__',
      'constructor',
    );
    const values = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('10.1.0.0/16', 'fc00::/48', '::ffff:10.0.0.0/100', '10.1.1.0', 'fc00::1'),
      fc.integer(),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(names, values), { maxLength: 8 }), fc.constantFrom(...releases), (members, tag) => {
        const text = `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
        outcome(text, tag);
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(...releases),
        (bytes, tag) => void outcome(bytes, tag),
      ),
    );
  });

  it.each([
    ['a long Network', `{"Network":"${'1'.repeat(1 << 20)}"}`],
    ['a Network of quotes', `{"Network":[${'"",'.repeat(1 << 18)}""]}`],
    ['a long SubnetLen', `{"SubnetLen":${'9'.repeat(1 << 20)}}`],
    ['a long type', `{"Network":"10.1.0.0/16","Backend":{"Type":"${'x'.repeat(1 << 20)}"}}`],
    ['a long IPv6Network', `{"IPv6Network":"${'0:'.repeat(1 << 19)}/48"}`],
    ['many duplicates', `{${'"Network":"10.1.0.0/16",'.repeat(40_000)}"SubnetLen":31}`],
  ])('with %s is refused in few words', (_name, text) => {
    // Quadratic time would not end before the test's deadline.
    const verdict = judgeConfig(text, newestFlannel);
    expect(verdict.outcome).toBe('refused');
    expect(verdict.error?.length).toBeLessThan(1200);
  });
});

const lengths = fc.integer({ min: 8, max: 28 });
const wish: fc.Arbitrary<NetworkWish> = fc
  .record({
    length: lengths,
    third: fc.integer({ min: 0, max: 255 }),
    extra: fc.integer({ min: 2, max: 22 }),
    six: fc.boolean(),
    type: fc.constantFrom('vxlan', 'host-gw', 'udp', 'ipip', 'wireguard', 'alloc', 'extension'),
  })
  .map(({ length, third, extra, six, type }) => ({
    network: `${10 * 2 ** 24 + third * 2 ** 8}`,
    length,
    extra,
    six,
    type,
  }))
  .map(({ network, length, extra, six, type }): NetworkWish => {
    const size = 2 ** (32 - length);
    const base = Number(network) - (Number(network) % size);
    const text = [24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.');
    return {
      network: `${text}/${length}`,
      ...(length + extra <= 30 ? { subnetLen: length + extra } : {}),
      ...(six ? { ipv6Network: 'fd00:10:1::/48' } : {}),
      backend: { type, options: type === 'vxlan' ? { vni: '7', directrouting: 'true' } : {} },
    };
  });

describe('the config that netctl writes', () => {
  it('has the documented order and case, plain numbers and always a Backend', () => {
    expect(
      canonicalConfig({
        network: '10.1.0.0/16',
        subnetLen: 24,
        subnetMin: '10.1.10.0',
        subnetMax: '10.1.50.0',
        backend: { type: 'VXLAN', options: { directrouting: 'true', VNI: '7' } },
      }),
    ).toBe(
      '{"Network":"10.1.0.0/16","SubnetLen":24,"SubnetMin":"10.1.10.0","SubnetMax":"10.1.50.0","Backend":{"Type":"vxlan","VNI":7,"DirectRouting":true}}',
    );
    expect(
      canonicalConfig({
        ipv6Network: 'FD00:10:1::/48',
        enableIPv4: false,
        enableNFTables: true,
        ipv6SubnetLen: 64,
        backend: { type: 'host-gw', options: {} },
      }),
    ).toBe(
      '{"IPv6Network":"fd00:10:1::/48","EnableIPv4":false,"EnableIPv6":true,"EnableNFTables":true,"IPv6SubnetLen":64,"Backend":{"Type":"host-gw"}}',
    );
  });

  it('is taken by the newest flanneld, with limits on subnet boundaries', () => {
    fc.assert(
      fc.property(wish, (wanted) => {
        const effective = accepted(canonicalConfig(wanted));
        expect(effective.backend.explicit).toBe(true);
        expect(effective.network).toBe(wanted.network);
        const size = 2 ** (32 - (effective.subnetLen ?? 0));
        expect((parseIpv4(effective.subnetMin ?? '') ?? 1) % size).toBe(0);
        expect((parseIpv4(effective.subnetMax ?? '') ?? 1) % size).toBe(0);
        const facts = describeNetwork(effective, newestFlannel);
        expect(facts?.subnetCount).toBeGreaterThanOrEqual(3);
      }),
    );
  });

  it('means the same in every release, where the release reads all of it', () => {
    const text = canonicalConfig({
      network: '10.1.0.0/16',
      subnetLen: 25,
      backend: { type: 'vxlan', options: { VNI: 3 } },
    });
    const ranges = releases.map((tag) => outcome(text, tag));
    expect(new Set(ranges)).toEqual(new Set(['10.1.0.128 10.1.255.128 25']));
  });

  it.each<[string, Partial<NetworkWish>, string, string]>([
    ['a range with host bits', { network: '10.1.2.3/16' }, 'host-bits', '10.1.0.0/16'],
    ['a short range', { network: '10.1/16' }, 'bad-cidr', '10.1.0.0/16'],
    ['a bad address', { subnetMin: '10.1.1' }, 'bad-ip', '10.5.1.10'],
    ['a length of 31', { subnetLen: 31 }, 'bad-prefix-length', '24'],
    ['half a length', { subnetLen: 24.5 }, 'bad-prefix-length', '24'],
    ['IPv6 with host bits', { ipv6Network: 'fd00::1/48' }, 'host-bits', 'fd00::/48'],
    ['IPv4 for IPv6', { ipv6Network: '10.0.0.0/8' }, 'bad-cidr', 'fd00:10:1::/48'],
    ['an unknown backend', { backend: { type: 'vxlam', options: {} } }, 'unknown-backend', 'vxlan'],
    [
      'a misspelt option',
      { backend: { type: 'vxlan', options: { DirectRoutng: 'true' } } },
      'unknown-backend-option',
      'DirectRouting',
    ],
    ['a word for a boolean', { backend: { type: 'vxlan', options: { GBP: 'yes' } } }, 'bad-backend-option', 'GBP=true'],
    ['a word for a number', { backend: { type: 'vxlan', options: { VNI: 'seven' } } }, 'bad-backend-option', 'VNI=1'],
    [
      'a VNI too long for a device',
      { backend: { type: 'vxlan', options: { VNI: 10_000_000 } } },
      'bad-backend-option',
      'VNI=1',
    ],
    [
      'a port out of range',
      { backend: { type: 'udp', options: { Port: '70000' } } },
      'bad-backend-option',
      'Port=8285',
    ],
    [
      'an unknown mode',
      { backend: { type: 'wireguard', options: { Mode: 'seperate' } } },
      'bad-backend-option',
      'Mode=separate',
    ],
  ])('is not made of %s, and the way out is shown', (_name, part, code, next) => {
    const make = () => canonicalConfig({ network: '10.1.0.0/16', backend: { type: 'vxlan', options: {} }, ...part });
    expect(make).toThrowError(InvalidInput);
    expect(make).toThrowError(expect.objectContaining({ code, next: [next] }));
  });

  it('shows control characters of a bad option escaped', () => {
    expect(() => canonicalConfig({ backend: { type: 'vxlan', options: { 'x\u001b[31m': '1' } } })).toThrowError(
      /\\u001b/,
    );
  });
});

describe('two configs', () => {
  it('have the same effect when only the writing differs', () => {
    const a = accepted('{"Network":"10.1.2.3/16","backend":{"type":"VXLAN","vni":1}}');
    const b = accepted(
      '{"Backend":{"VNI":1,"Type":"vxlan"},"SubnetLen":24,"Network":"10.1.0.0/16","SubnetMin":"10.1.1.0"}',
    );
    expect(sameEffect(a, b)).toBe(true);
    expect(
      sameEffect(accepted('{"Network":"10.1.0.0/16"}'), accepted('{"Network":"10.1.0.0/16","Backend":{"Type":"udp"}}')),
    ).toBe(true);
  });

  it.each([
    '"SubnetLen":25',
    '"SubnetMin":"10.1.2.0"',
    '"Backend":{"Type":"host-gw"}',
    '"Backend":{"Type":"vxlan","VNI":2}',
    '"EnableNFTables":true',
  ])('differ by %s', (members) => {
    const plain = accepted('{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan"}}');
    expect(sameEffect(plain, accepted(`{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan"},${members}}`))).toBe(false);
  });
});

describe('what a network is', () => {
  it('for a /16 of /24', () => {
    const effective = accepted('{"Network":"10.1.0.0/16","Backend":{"Type":"vxlan"}}');
    expect(describeNetwork(effective, newestFlannel)).toEqual({
      network: '10.1.0.0/16',
      subnetLen: 24,
      subnetCount: 255,
      firstSubnet: '10.1.1.0/24',
      lastSubnet: '10.1.255.0/24',
      addressesPerSubnet: 256,
      containersPerNode: 253,
      candidates: 100,
      mtu: 1450,
      interfaceMtu: 1500,
    });
  });

  it('for an inverted range, and for lengths that are none', () => {
    const inverted = accepted('{"Network":"10.1.0.0/16","SubnetMin":"10.1.50.0","SubnetMax":"10.1.10.0"}');
    expect(describeNetwork(inverted, newestFlannel)).toMatchObject({ subnetCount: 0, candidates: 0 });
    const strange = accepted('{"Network":"10.0.0.0/32"}', 'v0.9.1');
    expect(describeNetwork(strange, parseFlannelVersion('v0.9.1'))).toMatchObject({
      subnetCount: 0,
      containersPerNode: 0,
    });
  });

  it('for IPv6', () => {
    const effective = accepted(
      '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fc00::/48","Backend":{"Type":"vxlan"}}',
    );
    expect(describeNetwork(effective, newestFlannel)).toBeNull();
    expect(describeIpv6Network(effective)).toEqual({
      network: 'fc00::/48',
      subnetLen: 64,
      subnetCount: 65_535n,
      firstSubnet: 'fc00:0:0:1::/64',
      lastSubnet: 'fc00:0:0:ffff::/64',
    });
  });
});
