import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeStruct,
  foldKey,
  goInteger,
  parseGoJson,
  plainValue,
  positionFinder,
  rawText,
} from '../../src/lib/net/go-json';

function error(text: string | Uint8Array): string | null {
  const parsed = parseGoJson(text);
  return parsed.ok ? null : parsed.error;
}

describe('JSON as Go reads it', () => {
  it('is what JSON.parse reads, for every valid text', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme', depthSize: 'large' }), (text) => {
        const parsed = parseGoJson(text);
        if (!parsed.ok) throw new Error(parsed.error);
        expect(plainValue(parsed)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('with blanks and escapes too', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.constantFrom('\t', '  ', '\r\n'), (value, indent) => {
        const text = JSON.stringify(value, null, 2).replaceAll('\n  ', `\n${indent}`);
        const parsed = parseGoJson(text);
        // Where JSON.parse keeps a lone surrogate, Go puts U+FFFD.
        if (parsed.ok && !/\\ud[89a-f]/i.test(text)) expect(plainValue(parsed)).toEqual(JSON.parse(text));
        expect(parsed.ok).toBe(true);
      }),
    );
  });

  it('is refused exactly when JSON.parse refuses it', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '\\',
      '1',
      '-',
      '.5',
      'e',
      '0',
      'null',
      'tru',
      'true',
      ' ',
      '\n',
      'x',
      '\u0001',
      '\ufeff',
      '\\u00',
      "'",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        let native = true;
        try {
          JSON.parse(text);
        } catch {
          native = false;
        }
        expect(parseGoJson(text).ok).toBe(native);
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws on any bytes, and points into them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const parsed = parseGoJson(bytes);
        if (!parsed.ok) {
          expect(parsed.offset).toBeGreaterThanOrEqual(0);
          expect(parsed.offset).toBeLessThanOrEqual(bytes.length);
        }
      }),
    );
  });

  it.each([
    ['', 'unexpected end of JSON input'],
    ['{', 'unexpected end of JSON input'],
    ['"abc', 'unexpected end of JSON input'],
    ['tru', "invalid character ' ' in literal true (expecting 'e')"],
    ['nulx', "invalid character 'x' in literal null (expecting 'l')"],
    ['-', "invalid character ' ' in numeric literal"],
    ['1.', "invalid character ' ' after decimal point in numeric literal"],
    ['1e', "invalid character ' ' in exponent of numeric literal"],
    ['01', "invalid character '1' after top-level value"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ["{'a':1}", "invalid character '\\'' looking for beginning of object key string"],
    ['{\\"a\\":1}', "invalid character '\\\\' looking for beginning of object key string"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
    ['[1 2]', "invalid character '2' after array element"],
    ['{} {}', "invalid character '{' after top-level value"],
    ['NaN', "invalid character 'N' looking for beginning of value"],
    ['\ufeff{}', "invalid character 'ï' looking for beginning of value"],
    ['// c\n{}', "invalid character '/' looking for beginning of value"],
    ['"\t"', "invalid character '\\t' in string literal"],
    ['"\u0001"', "invalid character '\\x01' in string literal"],
    ['\u0000', "invalid character '\\x00' looking for beginning of value"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
    ['\u007f', "invalid character '\\x7f' looking for beginning of value"],
  ])('says of %j: %s', (text, words) => {
    expect(error(text)).toBe(words);
  });

  it('shows a strange byte as Latin-1', () => {
    expect(error(Uint8Array.of(0xff))).toBe("invalid character 'ÿ' looking for beginning of value");
    expect(error(Uint8Array.of(0x80))).toBe("invalid character '\\u0080' looking for beginning of value");
    expect(error(Uint8Array.of(0xad))).toBe("invalid character '\\u00ad' looking for beginning of value");
  });

  it('tolerates broken UTF-8 in strings, one replacement a byte', () => {
    const bytes = Uint8Array.of(0x22, 0x61, 0xe1, 0x80, 0xff, 0xc3, 0xa9, 0x22);
    const parsed = parseGoJson(bytes);
    expect(parsed.ok && plainValue(parsed)).toBe('a\ufffd\ufffd\ufffdé');
  });

  it('makes a replacement of a lone surrogate escape and keeps a pair', () => {
    const parsed = parseGoJson('"\\ud800x\\ud83d\\ude00\\udc00"');
    expect(parsed.ok && plainValue(parsed)).toBe('\ufffdx😀\ufffd');
  });

  it('stops at ten thousand open brackets, as Go from 1.15 on does', () => {
    expect(error('['.repeat(10_000) + ']'.repeat(10_000))).toBeNull();
    expect(error('['.repeat(10_001) + ']'.repeat(10_001))).toBe("invalid character '[' exceeded max depth");
    expect(parseGoJson('['.repeat(300_000) + ']'.repeat(300_000), { maxDepth: Number.POSITIVE_INFINITY }).ok).toBe(
      true,
    );
  });

  it('keeps `__proto__` as a key like any other', () => {
    const parsed = parseGoJson('{"__proto__":{"polluted":true},"constructor":1}');
    const value = parsed.ok ? plainValue(parsed) : null;
    expect(Object.keys(Object(value))).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect({}).not.toHaveProperty('polluted');
  });
});

describe('keys', () => {
  it('fold as Unicode does', () => {
    expect(foldKey('NETWORK')).toBe(foldKey('Network'));
    expect(foldKey('Networ\u212a')).toBe(foldKey('Network'));
    expect(foldKey('\u017fubnetLen')).toBe(foldKey('SubnetLen'));
    expect(foldKey('Nétwork')).not.toBe(foldKey('Network'));
    expect(foldKey('\u0130')).not.toBe('i');
  });
});

describe('a struct', () => {
  const fields = [
    { name: 'Len', kind: 'uint', goType: 'uint' },
    { name: 'On', kind: 'bool', goType: 'bool' },
    { name: 'Name', kind: 'string', goType: 'string' },
    { name: 'Port', kind: 'int', goType: 'int' },
  ] as const;
  const decode = (text: string) => {
    const parsed = parseGoJson(text);
    if (!parsed.ok) throw new Error(parsed.error);
    const { assignments, mismatch } = decodeStruct(parsed, parsed.root, fields, 'Config', 'subnet.Config');
    return {
      set: assignments.map(({ field, member }) => [field.name, rawText(parsed, member.value)]),
      error: mismatch?.error ?? null,
    };
  };

  it('takes members in document order, whatever their case', () => {
    expect(decode('{"len":1,"LEN":2,"x":{},"On":true}').set).toEqual(
      [
        ['len', '1'],
        ['LEN', '2'],
        ['On', 'true'],
      ].map(([key, value]) => [key?.toLowerCase() === 'len' ? 'Len' : key, value]),
    );
  });

  it.each([
    ['{"Len":"1"}', 'json: cannot unmarshal string into Go struct field Config.Len of type uint'],
    ['{"Len":24.0}', 'json: cannot unmarshal number 24.0 into Go struct field Config.Len of type uint'],
    ['{"Len":2.4e1}', 'json: cannot unmarshal number 2.4e1 into Go struct field Config.Len of type uint'],
    ['{"Len":-1}', 'json: cannot unmarshal number -1 into Go struct field Config.Len of type uint'],
    [
      '{"Len":18446744073709551616}',
      'json: cannot unmarshal number 18446744073709551616 into Go struct field Config.Len of type uint',
    ],
    ['{"Len":[]}', 'json: cannot unmarshal array into Go struct field Config.Len of type uint'],
    ['{"On":1}', 'json: cannot unmarshal number into Go struct field Config.On of type bool'],
    ['{"Name":{}}', 'json: cannot unmarshal object into Go struct field Config.Name of type string'],
    ['{"Port":true,"Len":"x"}', 'json: cannot unmarshal bool into Go struct field Config.Port of type int'],
    ['[]', 'json: cannot unmarshal array into Go value of type subnet.Config'],
    ['"x"', 'json: cannot unmarshal string into Go value of type subnet.Config'],
    ['5', 'json: cannot unmarshal number into Go value of type subnet.Config'],
    ['null', null],
    ['{"Len":null,"On":null,"Port":-5}', null],
  ])('of %s: %s', (text, words) => {
    expect(decode(text).error).toBe(words);
  });

  it('takes integers of 64 bits', () => {
    expect(goInteger('18446744073709551615', 'uint')).toBe(18446744073709551615n);
    expect(goInteger('-9223372036854775808', 'int')).toBe(-9223372036854775808n);
    expect(goInteger('9223372036854775808', 'int')).toBeUndefined();
  });
});

describe('a place', () => {
  it('is a line and a column in characters', () => {
    const text = '{\n "é": 1,\n\t"b": x}';
    const parsed = parseGoJson(text);
    const find = positionFinder(parsed.bytes);
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(find(parsed.offset)).toEqual({ offset: parsed.offset, line: 3, column: 7 });
    expect(find(0)).toEqual({ offset: 0, line: 1, column: 1 });
    expect(find(new TextEncoder().encode('{\n "é"').length)).toMatchObject({ line: 2, column: 5 });
  });
});

describe('a hostile text', () => {
  const mebibyte = 1 << 20;
  const texts: readonly (readonly [string, (size: number) => string])[] = [
    ['a long string', (size) => `"${'a'.repeat(size)}"`],
    ['a string of escapes', (size) => `"${'\\u0041'.repeat(size / 6)}"`],
    ['many small values', (size) => `[${'1,'.repeat(size / 2)}1]`],
    ['many equal keys', (size) => `{${'"a":1,'.repeat(size / 6)}"a":1}`],
    ['a long number', (size) => '9'.repeat(size)],
    ['blanks', (size) => `${' '.repeat(size)}1`],
  ];

  it.each(texts)('ends on a mebibyte, as quadratic time would not before the deadline: %s', (_name, make) => {
    const parsed = parseGoJson(make(mebibyte));
    if (parsed.ok) expect(plainValue(parsed)).not.toBeUndefined();
    else expect(parsed.error).not.toBe('');
  });
});
