import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/lib/errors';
import {
  cidrContains,
  cidrOf,
  cidrsOverlap,
  correctedCidr,
  formatCidr,
  hostCount,
  type Ipv4Cidr,
  lastAddress,
  parseIpv4Cidr,
  requireIpv4,
  requireIpv4Cidr,
  sizeOfLength,
  spaceOf,
  spacesOf,
} from '../../src/lib/net/cidr';
import { formatIpv4 } from '../../src/lib/net/ipv4';

function cidr(text: string): Ipv4Cidr {
  return requireIpv4Cidr(text, 'test');
}

const anyCidr = fc
  .tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 32 }))
  .map(([address, length]) => cidrOf(address, length));

describe('an IPv4 range', () => {
  it('is its first address and a length', () => {
    expect(parseIpv4Cidr('10.1.0.0/16')).toEqual({
      base: 0x0a010000,
      length: 16,
      address: 0x0a010000,
      hostBits: false,
    });
  });

  it('says so when host bits are set', () => {
    expect(parseIpv4Cidr('10.1.2.3/16')).toEqual({ base: 0x0a010000, length: 16, address: 0x0a010203, hostBits: true });
  });

  it('takes a length with leading zeros, as Go does', () => {
    expect(parseIpv4Cidr('10.1.0.0/016')?.length).toBe(16);
  });

  it.each([
    '10.1.0.0',
    '10.1.0.0/',
    '10.1.0.0/33',
    '10.1.0.0/-1',
    '10.1.0.0/+1',
    '10.1/16',
    '10.1.0.0/16/1',
    '10.1.0.0/255.255.0.0',
    '/16',
    'fc00::/48',
    '10.1.0.0 /16',
    '10.1.0.0/99999999999999999999',
  ])('is not %j', (text) => {
    expect(parseIpv4Cidr(text)).toBeUndefined();
  });

  it('knows its end and its size', () => {
    expect(formatIpv4(lastAddress(cidr('10.1.0.0/16')))).toBe('10.1.255.255');
    expect(lastAddress(cidr('0.0.0.0/0'))).toBe(0xffffffff);
    expect([24, 30, 31, 32].map((length) => hostCount({ base: 0, length }))).toEqual([254, 2, 2, 1]);
  });

  it('survives printing and reading', () => {
    fc.assert(
      fc.property(anyCidr, (range) => {
        expect(parseIpv4Cidr(formatCidr(range))).toMatchObject(range);
      }),
    );
  });

  it('overlaps another one exactly when one of them holds the other', () => {
    fc.assert(
      fc.property(anyCidr, anyCidr, (a, b) => {
        expect(cidrsOverlap(a, b)).toBe(cidrContains(a, b) || cidrContains(b, a));
        expect(cidrContains(a, b)).toBe(cidrContains(a, b.base) && cidrContains(a, lastAddress(b)));
      }),
    );
  });
});

describe('address space', () => {
  it.each([
    ['10.1.0.0/16', 'private'],
    ['172.16.0.0/12', 'private'],
    ['172.7.0.0/16', 'public'],
    ['172.32.0.0/16', 'public'],
    ['192.168.0.0/16', 'private'],
    ['192.168.0.0/15', 'public'],
    ['100.64.0.0/16', 'shared'],
    ['127.0.0.0/24', 'loopback'],
    ['169.254.0.0/16', 'link-local'],
    ['224.0.0.0/8', 'multicast'],
    ['192.0.2.0/24', 'documentation'],
    ['198.18.0.0/16', 'benchmark'],
    ['250.0.0.0/8', 'reserved'],
    ['8.0.0.0/8', 'public'],
  ])('%s is %s', (text, space) => {
    expect(spaceOf(cidr(text))).toBe(space);
  });

  it('names every kind that a wide range touches', () => {
    expect(spacesOf(cidr('192.168.0.0/15')).map((use) => [use.space, use.whole])).toEqual([
      ['private', false],
      ['public', false],
    ]);
  });

  it('covers a range wholly with one kind or in parts with several', () => {
    fc.assert(
      fc.property(anyCidr, (range) => {
        const uses = spacesOf(range);
        expect(uses.length).toBeGreaterThan(0);
        expect(uses.some((use) => use.whole)).toBe(uses.length === 1 && uses[0]?.whole === true);
        expect(sizeOfLength(range.length)).toBeGreaterThan(0);
      }),
    );
  });
});

describe('a range that a person typed', () => {
  it('is refused with host bits, with the range that is meant', () => {
    expect(() => requireIpv4Cidr('10.1.2.3/16', '--subnet')).toThrowError(
      expect.objectContaining({ code: 'host-bits', next: ['10.1.0.0/16'] }),
    );
  });

  it('is refused when it is none, naming the flag and the rule', () => {
    expect(() => requireIpv4Cidr('10.1/16', '--subnet')).toThrowError(InvalidInput);
    expect(() => requireIpv4Cidr('10.1/16', '--subnet')).toThrowError(/^--subnet: "10\.1\/16" is not an IPv4 range/);
    expect(() => requireIpv4('10.1.2', '--public-ip')).toThrowError(/--public-ip: "10\.1\.2"/);
  });

  it.each([
    ['10.1/16', '10.1.0.0/16'],
    ['10.1.0.0/255.255.0.0', '10.1.0.0/16'],
    ['10.1.0.0', '10.1.0.0/16'],
    ['10.0.0.0', '10.0.0.0/8'],
    ['10.1', '10.1.0.0/16'],
    [' 10.1.0.0 / 16 ', '10.1.0.0/16'],
    ['"10.1.0.0\\/16"', '10.1.0.0/16'],
    ['010.1.0.0/16', '10.1.0.0/16'],
    ['10.1.0.0/40', '10.1.0.0/16'],
    ['rubbish', '10.1.0.0/16'],
    ['10.1.0.0/255.0.255.0', '10.1.0.0/16'],
  ])('%j probably means %s', (text, corrected) => {
    expect(correctedCidr(text)).toBe(corrected);
  });

  it('is always corrected to something that is a range', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9./ ]{0,24}$/)), (text) => {
        expect(parseIpv4Cidr(correctedCidr(text))?.hostBits).toBe(false);
      }),
    );
  });
});
