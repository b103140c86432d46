import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpv4, parseIpv4 } from '../../src/lib/net/ipv4';

describe('an IPv4 address', () => {
  it('is an unsigned number', () => {
    expect(parseIpv4('10.1.2.3')).toBe(0x0a010203);
    expect(parseIpv4('255.255.255.255')).toBe(0xffffffff);
    expect(parseIpv4('0.0.0.0')).toBe(0);
  });

  it.each([
    '',
    '10',
    '10.1.2',
    '10.1.2.3.4',
    '10.1.2.256',
    '10.1.2.',
    '.10.1.2',
    '10..1.2',
    ' 10.1.2.3',
    '10.1.2.3 ',
    '1a.1.1.1',
    '-1.1.1.1',
    '+1.1.1.1',
    '0x0a.1.1.1',
    '10.1.2.3\n',
    '١.1.1.1',
  ])('is not %j', (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  });

  it('has no leading zeros, but for releases built with old Go, which read them as decimal', () => {
    expect(parseIpv4('010.1.0.0')).toBeUndefined();
    expect(parseIpv4('10.00.0.0')).toBeUndefined();
    expect(parseIpv4('010.1.0.0', { leadingZeros: true })).toBe(0x0a010000);
    expect(parseIpv4('0000010.1.0.00', { leadingZeros: true })).toBe(0x0a010000);
  });

  it('survives printing and reading', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (address) => {
        expect(parseIpv4(formatIpv4(address))).toBe(address);
      }),
    );
  });

  it('is told from any other text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV4Extended(), fc.ipV6()), (text) => {
        const address = parseIpv4(text);
        if (address !== undefined) expect(formatIpv4(address)).toBe(text);
      }),
    );
  });
});
