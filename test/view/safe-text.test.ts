import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSafe, safeBytes, safeJson, safeText } from '../../src/lib/view/safe-text';
import { expectHarmless, hostileText, hostileValue } from './hostile';
import { pipe } from './screens';

describe('untrusted text', () => {
  it.each([
    ['plain ASCII stays', 'node-1.example/24 ~!"', 'node-1.example/24 ~!"'],
    ['other scripts and emoji stay', 'Ünïcödé 測試 😀 שלום', 'Ünïcödé 測試 😀 שלום'],
    ['escape sequences show themselves', '\x1b[31mred\x1b]0;t\x07', '\\x1b[31mred\\x1b]0;t\\x07'],
    ['C1 is a control set too', '\x9b31m\x85', '\\x9b31m\\x85'],
    ['a line stays a line', 'a\r\n\tb\x7f\0', 'a\\r\\n\\tb\\x7f\\x00'],
    ['the writing direction is not turned', 'exe\u202egnp.\u2066\u200f', 'exe\\u202egnp.\\u2066\\u200f'],
    ['nothing is hidden', 'a\u200bb\ufeffc\u00add\u{e0041}', 'a\\u200bb\\ufeffc\\xadd\\u{e0041}'],
    ['line separators do not separate', 'a\u2028b\u2029', 'a\\u2028b\\u2029'],
    ['half a surrogate pair is replaced', 'a\ud800b\udc00', 'a\ufffdb\ufffd'],
    [
      'accents stay, towers of them do not',
      'e\u0301 e\u0301\u0301\u0301\u0301\u0301',
      'e\u0301 e\u0301\u0301\u0301\u0301\\u0301',
    ],
    ['a mark cannot sit on what stands before', '\u0301x', '\\u0301x'],
  ])('%s', (_name, text, expected) => {
    expect(safeText(text)).toBe(expected);
  });

  it('is cut with its size told, between characters', () => {
    expect(safeText('x'.repeat(1_048_576), 5)).toBe('xxxxx… (1,048,576 bytes)');
    expect(safeText('ab😀cd', 3)).toBe('ab… (8 bytes)');
    expect(safeText('abc', 3)).toBe('abc');
  });

  it('is harmless whatever it was, and becomes so only once', () => {
    fc.assert(
      fc.property(hostileText, fc.option(fc.nat(20)), (text, max) => {
        const safe = safeText(text, max ?? undefined);
        expectHarmless(`${safe}\n`, pipe);
        expect(safe).not.toContain('\n');
        expect(isSafe(safe)).toBe(true);
        expect(safeText(safe)).toBe(safe);
      }),
      { numRuns: 2_000 },
    );
  });

  it('says whether there is anything to escape', () => {
    expect([isSafe('abc'), isSafe('測試'), isSafe('a\x1b'), isSafe('\u202e')]).toEqual([true, true, false, false]);
  });
});

describe('stored bytes', () => {
  it('need not be UTF-8', () => {
    expect(safeBytes(Uint8Array.of(0x61, 0xff, 0xc3, 0x28, 0x1b))).toBe('a\ufffd\ufffd(\\x1b');
    expect(safeBytes(Buffer.from('\ufeff{}'))).toBe('\\ufeff{}');
  });

  it('are cut with their size told, and no half character at the end', () => {
    expect(safeBytes(Buffer.from('aé'.repeat(10)), 5)).toBe('aéa… (30 bytes)');
    expect(safeBytes(new Uint8Array(1_048_576).fill(0x78), 4)).toBe('xxxx… (1,048,576 bytes)');
  });

  it('are harmless whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), (bytes, max) => {
        expectHarmless(`${safeBytes(bytes, max)}\n`, pipe);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('JSON', () => {
  it('has nothing in it that a terminal obeys, and is equal when it is parsed', () => {
    fc.assert(
      fc.property(hostileValue, fc.constantFrom(0, 2), (value, indent) => {
        const json = safeJson(value, indent);
        expectHarmless(`${json}\n`, pipe);
        // toStrictEqual is fooled by a key named constructor.
        expect(JSON.stringify(JSON.parse(json))).toBe(JSON.stringify(value));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is that of JSON.stringify when there is nothing to escape', () => {
    const value = { a: [1, { b: 'é' }], ['__proto__']: null };
    expect(safeJson(value, 2)).toBe(JSON.stringify(value, null, 2));
    expect(safeJson(undefined)).toBe('null');
    expect(safeJson('\x9b\u{e0041}')).toBe('"\\u009b\\udb40\\udc41"');
  });
});
