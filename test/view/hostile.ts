import fc from 'fast-check';
import { expect } from 'vitest';
import type { Screen } from '../../src/lib/view/format';

const evil = [
  '\x1b[2J\x1b[H',
  '\x1b]0;owned\x07',
  '\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\',
  '\x9b31m',
  '\x9d0;owned\x9c',
  '\r\noverwritten',
  '\b\b\b',
  '\x7f',
  '\u202egnp.exe',
  '\u2066\u2069\u200e\u200f\u061c',
  '\u200b\u200d\ufeff\u00ad\u2060',
  '\u2028\u2029\u0085',
  '\u{e0041}\u{e007f}',
  'e\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301',
  '\u0301first',
  '\ud800',
  '\udc00\ud800',
  '\ufffe\uffff',
  '__proto__',
  'constructor',
  '測試',
  '👩‍👩‍👧‍👦❤️🇩🇪',
  'שלום עולם',
  'null',
  '0x1F',
  '1e3',
  '12:30:45',
  '2026-01-01',
  'yes',
  '~',
  '- a: b # c',
  '\\ud83d\\ude00\\x1b',
  '',
  ' ',
  '\t',
] as const;

/** Text as an enemy who may write to etcd would choose it, and any other. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.constantFrom(...evil), fc.string({ unit: 'binary', maxLength: 6 }), fc.string({ maxLength: 8 })), {
    maxLength: 4,
  })
  .map((parts) => parts.join(''));

/** JSON values made of such texts, as keys too. */
export const hostileValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    hostileText,
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(hostileText, tie('value')), { maxLength: 3 }).map((entries) => Object.fromEntries(entries)),
  ),
})).value;

const sgr = /\x1b\[\d+(;\d+)*m/g;
const harmful = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** No control, bidi, zero-width or half character but `\n`, and our own colours when the screen has them. */
export function expectHarmless(text: string, screen: Screen): void {
  const plain = screen.colorLevel > 0 ? text.replace(sgr, '') : text;
  const found = harmful.exec(plain);
  expect(
    found === null ? null : `U+${found[0].codePointAt(0)?.toString(16)} at ${found.index} of ${JSON.stringify(plain)}`,
  ).toBeNull();
  expect(text === '' || text.endsWith('\n')).toBe(true);
}
