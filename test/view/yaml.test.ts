import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, parseDocument } from 'yaml';
import { toYaml } from '../../src/lib/view/yaml';
import { expectHarmless, hostileValue } from './hostile';
import { pipe } from './screens';

describe('YAML', () => {
  it('is block style with as few quotes as can be', () => {
    const value = {
      kind: 'SubnetList',
      subnet: '10.1.0.0/24',
      words: 'same public IP',
      mac: '0e:12:7f:4a:9d:01',
      version: '1.10',
      no: 'no',
      empty: '',
      list: ['a', ['b', []], { c: 1, d: {} }],
      nothing: null,
      missing: undefined,
      deep: { flag: true, zero: -0, unknown: Number.NaN },
      when: new Date(0),
    };
    expect(toYaml(value)).toBe(`kind: SubnetList
subnet: 10.1.0.0/24
words: same public IP
mac: "0e:12:7f:4a:9d:01"
version: "1.10"
"no": "no"
empty: ""
list:
  - a
  - - b
    - []
  - c: 1
    d: {}
nothing: null
deep:
  flag: true
  zero: 0
  unknown: null
when: "1970-01-01T00:00:00.000Z"
`);
  });

  it.each(['1.1', '1.2'] as const)('of any text is that text again for a reader of YAML %s', (version) => {
    const word = fc.oneof(
      fc.string(),
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom(
        'yes',
        'Off',
        'NULL',
        '.inf',
        '0x1f',
        '1_000',
        '12:30:45',
        '2001-12-14',
        '<<',
        '=',
        '10.1',
        '1.2.3.4',
        'a b',
        'a: b',
        'a #b',
        '---',
        '...',
        'e1',
        'nan',
        'true ',
      ),
    );
    fc.assert(
      fc.property(word, (text) => {
        expect(parse(toYaml({ text, list: [text] }), { version })).toEqual({ text, list: [text] });
      }),
      { numRuns: 2_000 },
    );
  });

  it('of any data is harmless and without errors', () => {
    fc.assert(
      fc.property(hostileValue, (value) => {
        const text = toYaml(value);
        expectHarmless(text, pipe);
        expect(parseDocument(text, { uniqueKeys: false }).errors).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps keys that are longer than YAML lets a simple key be', () => {
    const value = { ['k'.repeat(5_000)]: { a: 1 }, ['l'.repeat(5_000)]: 2, ['m"'.repeat(2_000)]: [3] };
    expect(parse(toYaml(value))).toEqual(value);
  });

  it('writes __proto__ like any key', () => {
    const value: unknown = JSON.parse('{"__proto__": {"polluted": true}}');
    expect(toYaml(value)).toBe('"__proto__":\n  polluted: true\n');
  });
});
