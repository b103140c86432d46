import fc from 'fast-check';
import { IPv6 } from 'ip-num';
import { describe, expect, it } from 'vitest';
import {
  formatIpv6,
  formatIpv6Cidr,
  ipv6CidrContains,
  ipv6CidrsOverlap,
  lastIpv6Address,
  parseIpv6,
  parseIpv6Cidr,
} from '../../src/lib/net/ipv6';

const anyAddress = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
/** Addresses with runs of zero groups, where compression has something to choose. */
const sparse = fc
  .array(fc.oneof(fc.constant(0n), fc.constant(0n), fc.bigInt({ min: 0n, max: 0xffffn })), {
    minLength: 8,
    maxLength: 8,
  })
  .map((groups) => groups.reduce((address, group) => (address << 16n) | group, 0n));

describe('an IPv6 address', () => {
  it.each([
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['fc00:0000:0000:0001:0000:0000:0000:0000', 'fc00:0:0:1::'],
    ['FC00::ABCD', 'fc00::abcd'],
    ['fc00:0:0:1:0:0:0:1', 'fc00:0:0:1::1'],
    ['fc00:0:0:1:1:0:0:1', 'fc00::1:1:0:0:1'],
    ['2001:0:0:1:0:0:1:1', '2001::1:0:0:1:1'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::ffff:a01:203', '10.1.2.3'],
    ['64:ff9b::10.1.2.3', '64:ff9b::a01:203'],
    ['1:2:3:4:5:6:10.1.2.3', '1:2:3:4:5:6:a01:203'],
  ])('%s is printed by Go as %s', (text, printed) => {
    const address = parseIpv6(text);
    expect(address).toBeDefined();
    expect(formatIpv6(address ?? 0n)).toBe(printed);
  });

  it.each([
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1::2::3',
    ':1::',
    '1::2:',
    'g::',
    '12345::',
    'fe80::1%eth0',
    '10.1.2.3',
    '::10.1.2',
    '::10.1.2.300',
    '10.1.2.3::',
    '::1.2.3.4:5',
    ' ::1',
    '::1/64',
    '::010.1.2.3',
  ])('is not %j', (text) => {
    expect(parseIpv6(text)).toBeUndefined();
  });

  it('may have long groups for releases built with old Go', () => {
    expect(parseIpv6('00fc0::')).toBeUndefined();
    expect(parseIpv6('0fc00::', { longGroups: true })).toBe(0xfc00n << 112n);
    expect(parseIpv6('10000::', { longGroups: true })).toBeUndefined();
  });

  it('survives printing and reading', () => {
    fc.assert(
      fc.property(fc.oneof(anyAddress, sparse), (address) => {
        const text = formatIpv6(address);
        // A v4-mapped address prints as IPv4 and is read as such.
        if (text.includes(':')) expect(parseIpv6(text)).toBe(address);
      }),
    );
  });

  it('is read as another library reads it', () => {
    fc.assert(
      fc.property(sparse, (address) => {
        const text = formatIpv6(address);
        if (text.includes(':')) expect(IPv6.fromString(text).getValue()).toBe(address);
      }),
      { numRuns: 50 },
    );
  });

  it('never throws on any text, and takes none but addresses', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.%]{0,45}$/)), (text) => {
        const address = parseIpv6(text);
        if (address !== undefined) expect(address >= 0n && address < 1n << 128n && text.includes(':')).toBe(true);
      }),
    );
  });
});

describe('an IPv6 range', () => {
  it('masks host bits and says so', () => {
    const range = parseIpv6Cidr('fc00:0:0:1::5/48');
    expect(range?.hostBits).toBe(true);
    expect(range && formatIpv6Cidr(range)).toBe('fc00::/48');
  });

  it.each(['fc00::', 'fc00::/129', 'fc00::/', '10.0.0.0/8', 'fc00::/-1'])('is not %j', (text) => {
    expect(parseIpv6Cidr(text)).toBeUndefined();
  });

  it('ends before the next one begins', () => {
    const a = parseIpv6Cidr('fc00:0:0:1::/64');
    const b = parseIpv6Cidr('fc00:0:0:2::/64');
    const both = parseIpv6Cidr('fc00::/48');
    if (!a || !b || !both) throw new Error('not parsed');
    expect(lastIpv6Address(a) + 1n).toBe(b.base);
    expect(ipv6CidrsOverlap(a, b)).toBe(false);
    expect(ipv6CidrsOverlap(a, both)).toBe(true);
    expect(ipv6CidrContains(both, a)).toBe(true);
    expect(ipv6CidrContains(a, both)).toBe(false);
    expect(ipv6CidrContains(a, lastIpv6Address(a) + 1n)).toBe(false);
  });
});
