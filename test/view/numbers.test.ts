import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatBytes } from '../../src/lib/view/bytes';
import { formatCount, plural } from '../../src/lib/view/count';
import { formatDuration } from '../../src/lib/view/duration';

it.each([
  [0, '0s'],
  [59, '59s'],
  [59.9, '59s'],
  [60, '1m'],
  [320, '5m20s'],
  [3_600, '1h'],
  [3_601, '1h'],
  [86_280, '23h58m'],
  [86_399, '23h59m'],
  [86_400, '1d'],
  [273_600, '3d4h'],
  [31_536_000, '365d'],
  [-61, '-1m1s'],
  [-0.5, '0s'],
  [Number.NaN, '-'],
  [Number.POSITIVE_INFINITY, '-'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

it('a duration never says more than there is, and is off by less than its smaller unit', () => {
  const sizes = { d: 86_400, h: 3_600, m: 60, s: 1 } as const;
  fc.assert(
    fc.property(fc.nat(10_000_000), (seconds) => {
      const parts = [...formatDuration(seconds).matchAll(/(\d+)([dhms])/g)];
      const told = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * sizes[unit as keyof typeof sizes], 0);
      expect(told).toBeLessThanOrEqual(seconds);
      expect(seconds - told).toBeLessThan(seconds < 3_600 ? 1 : seconds < 86_400 ? 60 : 3_600);
    }),
  );
});

it.each([
  [0, '0'],
  [999, '999'],
  [1_000, '1,000'],
  [65_536, '65,536'],
  [4_194_304, '4,194,304'],
  [-1_234, '-1,234'],
])('%d is written %s', (count, text) => {
  expect(formatCount(count)).toBe(text);
});

it('one is singular, all else plural', () => {
  expect([plural(1, 'subnet'), plural(0, 'subnet'), plural(65_536, 'address', 'addresses')]).toEqual([
    '1 subnet',
    '0 subnets',
    '65,536 addresses',
  ]);
});

it.each([
  [0, '0 B'],
  [1_023, '1,023 B'],
  [1_024, '1 KiB'],
  [1_536, '1.5 KiB'],
  [1_048_576, '1 MiB'],
  [2_147_483_648, '2 GiB'],
  [1_048_000, '1,023 KiB'],
  [5_000_000_000_000_000, '4,547 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
