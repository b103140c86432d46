import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DaemonJsonPart } from '../../src/lib/net/docker-options';
import { daemonJsonKeys } from '../../src/lib/net/docker-options';
import { mergeDaemonJson, readDaemonJson, removeFromDaemonJson } from '../../src/lib/net/json-edit';

const part: DaemonJsonPart = { bip: '172.7.21.1/24', mtu: 1450, 'ip-masq': false };

function readable(text: string | null) {
  const file = readDaemonJson(text);
  if (file.kind === 'refused') throw new Error(file.problem.message);
  return file;
}

const merged = (text: string | null, values = part): string => mergeDaemonJson(readable(text), values).text;
const removed = (text: string, values = part): string => removeFromDaemonJson(readable(text), values).text;

function refusal(text: string): readonly [string, string, string | null] | null {
  const file = readDaemonJson(text);
  return file.kind === 'refused' ? [file.problem.code, file.problem.message, file.problem.suggestion] : null;
}

describe('daemon.json with the keys that follow flannel', () => {
  it('is made whole when there is none, or an empty one', () => {
    const text = '{\n  "bip": "172.7.21.1/24",\n  "mtu": 1450,\n  "ip-masq": false\n}\n';
    expect(merged(null)).toBe(text);
    expect(merged('')).toBe(text);
    expect(merged(' \n\n')).toBe(text);
  });

  it('keeps every other key, the order, the indent and the line ends', () => {
    expect(merged('{\r\n\t"data-root" : "/srv/döcker",\r\n\t"bip" : "172.17.0.1/16"\r\n}')).toBe(
      '{\r\n\t"data-root" : "/srv/döcker",\r\n\t"bip" : "172.7.21.1/24",\r\n\t"mtu" : 1450,\r\n\t"ip-masq" : false\r\n}',
    );
  });

  it.each([
    ['{"a":1}', '{"a":1,"bip":"172.7.21.1/24","mtu":1450,"ip-masq":false}'],
    ['{ "a": 1, "b": 2 }\n', '{ "a": 1, "b": 2, "bip": "172.7.21.1/24", "mtu": 1450, "ip-masq": false }\n'],
    ['{}\n', '{\n  "bip": "172.7.21.1/24",\n  "mtu": 1450,\n  "ip-masq": false\n}\n'],
    ['{\n}\n', '{\n  "bip": "172.7.21.1/24",\n  "mtu": 1450,\n  "ip-masq": false\n}\n'],
    [
      '{\n\n    "a": {\n        "mtu": 9\n    }\n}\n',
      '{\n\n    "a": {\n        "mtu": 9\n    },\n    "bip": "172.7.21.1/24",\n    "mtu": 1450,\n    "ip-masq": false\n}\n',
    ],
    ['{\n  "hosts": []\n  ,"bip": 1}', '{\n  "hosts": []\n  ,"bip": "172.7.21.1/24","mtu": 1450,"ip-masq": false}'],
  ])('follows the manner of %j', (before, after) => {
    expect(merged(before)).toBe(after);
  });

  it('stays as it is, to the byte, when it is right', () => {
    const text = '{ "ip-masq":false,\n"mtu" :1450 , "bip":"172.7.21.1\\/24"}';
    const edit = mergeDaemonJson(readable(text), part);
    expect(edit).toEqual({ text, changes: [] });
  });

  it('mends a value of another kind, and a number that dockerd would not take', () => {
    expect(merged('{"mtu":"1450","ip-masq":"false","bip":null}')).toBe(
      '{"mtu":1450,"ip-masq":false,"bip":"172.7.21.1/24"}',
    );
    expect(merged('{"mtu":1.45e3}', { mtu: 1450 })).toBe('{"mtu":1450}');
  });

  it('names what changes', () => {
    expect(mergeDaemonJson(readable('{"mtu":1500,"bip":"172.7.21.1/24"}'), part).changes).toEqual([
      { key: 'mtu', from: '1500', to: '1450' },
      { key: 'ip-masq', from: null, to: 'false' },
    ]);
  });

  it('leaves alone a key that is not asked for', () => {
    expect(merged('{"ip-masq":true}', { mtu: 1450 })).toBe('{"ip-masq":true,"mtu":1450}');
  });
});

describe('daemon.json without them', () => {
  it.each([
    ['{"bip":"172.7.21.1/24","mtu":1450,"ip-masq":false}', '{}'],
    ['{\n  "bip": "172.7.21.1/24",\n  "a": 1\n}\n', '{\n  "a": 1\n}\n'],
    ['{\n  "a": 1,\n  "bip": "172.7.21.1/24"\n}\n', '{\n  "a": 1\n}\n'],
    ['{ "mtu": 1450, "a": 1, "bip": "172.7.21.1/24", "ip-masq": false, "b": 2, "c": 3 }', '{ "a": 1, "b": 2, "c": 3 }'],
    ['{"mtu": 1450, "bip": "172.7.21.1/24", "a": 1}', '{"a": 1}'],
  ])('%j becomes %j', (before, after) => {
    expect(removed(before)).toBe(after);
  });

  it('keeps a key that somebody has changed since', () => {
    expect(removed('{"bip":"10.9.9.1/24","mtu":1450}')).toBe('{"bip":"10.9.9.1/24"}');
  });
});

describe('a daemon.json that cannot be trusted', () => {
  it.each([
    ['\ufeff{}', 'daemon-json-bom'],
    ['{"a": "\ufffd"}', 'daemon-json-not-utf8'],
    ['{"a": 1,}', 'daemon-json-invalid'],
    ['{\n  // mtu\n  "mtu": 1}', 'daemon-json-invalid'],
    ['{"a": 1} {"b": 2}', 'daemon-json-invalid'],
    ["{'a': 1}", 'daemon-json-invalid'],
    ['{"a": 1', 'daemon-json-invalid'],
    ['[]', 'daemon-json-not-object'],
    ['null', 'daemon-json-not-object'],
    ['{"mtu": 1, "mtu": 2}', 'daemon-json-duplicate'],
    ['{"mtu": 1, "\\u006dtu": 2}', 'daemon-json-duplicate'],
    ['{"MTU": 1}', 'daemon-json-key-case'],
  ])('is refused: %j', (text, code) => {
    expect(refusal(text)?.[0]).toBe(code);
  });

  it('is refused with the place, in the words of dockerd, and with what to do', () => {
    expect(refusal('{\n  "a": 1,\n}')).toEqual([
      'daemon-json-invalid',
      "daemon.json was left as it is: line 3, column 1: invalid character '}' looking for beginning of object key string; dockerd does not start with it",
      'Take away the comma in front of the bracket.',
    ]);
    expect(refusal('{\n  // mtu\n}')?.[2]).toBe('Take the comment out: JSON has none.');
  });

  it('may hold a key twice that is none of ours', () => {
    expect(merged('{"debug":true,"debug":false,"mtu":1}', { mtu: 2 })).toBe('{"debug":true,"debug":false,"mtu":2}');
  });

  it('is flattened as dockerd does before it compares with flags', () => {
    const file = readDaemonJson('{"a":{"bip":"x"},"log-opts":{"mtu":1},"hosts":[]}');
    expect(file.kind === 'object' ? [...file.settings] : null).toEqual(['bip', 'log-opts', 'hosts']);
  });
});

describe('for every daemon.json', () => {
  const blank = fc.constantFrom('', ' ', '\n', '\n  ', '\r\n\t', '  ');
  const key = fc.oneof(
    fc.constantFrom('bip', 'mtu', 'ip-masq', 'data-root', 'log-opts', '__proto__', 'constructor', 'é', 'a"b'),
    fc.string({ maxLength: 4 }),
  );
  const value = fc.oneof(
    fc.constantFrom('"172.7.21.1/24"', '1450', 'false', 'true', '"172.17.0.1/16"', '1500'),
    fc.json({ maxDepth: 2 }),
  );
  const member = fc.tuple(blank, key, blank, blank, value, blank);
  const text = fc
    .tuple(blank, fc.uniqueArray(member, { maxLength: 6, selector: ([, name]) => name.toLowerCase() }), blank)
    .map(([before, members, inside]) => {
      const all = members.map(([a, name, b, c, json, d]) => `${a}${JSON.stringify(name)}${b}:${c}${json}${d}`);
      return `${before}{${all.length === 0 ? inside : all.join(',')}}${inside}`;
    });
  const values = fc.record<DaemonJsonPart>(
    { bip: fc.constant('172.7.21.1/24'), mtu: fc.constant(1450), 'ip-masq': fc.constant(false) },
    { requiredKeys: [] },
  );
  // As pairs: a key such as __proto__ must not get lost in an object.
  const pairs = (json: string) => Array.from(readable(json).kind === 'object' ? readableObject(json) : []);
  const readableObject = (json: string) => {
    const file = readable(json);
    return file.kind === 'object' ? file.values : new Map<string, unknown>();
  };
  const isOwned = (name: string): boolean => daemonJsonKeys.some((each) => each === name);

  it('a merge changes the asked keys and nothing else, and a second one nothing at all', () => {
    fc.assert(
      fc.property(text, values, (before, wished) => {
        const edit = mergeDaemonJson(readable(before), wished);
        JSON.parse(edit.text);
        const expected = readableObject(before);
        const after = new Map(pairs(edit.text));
        expect(pairs(edit.text).filter(([name]) => !isOwned(name))).toEqual(
          Array.from(expected).filter(([name]) => !isOwned(name)),
        );
        for (const name of daemonJsonKeys) expect(after.get(name)).toEqual(wished[name] ?? expected.get(name));
        expect(mergeDaemonJson(readable(edit.text), wished)).toEqual({ text: edit.text, changes: [] });
        if (edit.changes.length === 0) expect(edit.text).toBe(before);
      }),
      { numRuns: 500 },
    );
  });

  it('taking out what was put in gives the same values as before', () => {
    fc.assert(
      fc.property(text, values, (before, wished) => {
        const others = Array.from(readableObject(before)).filter(([name]) => !isOwned(name));
        const after = removeFromDaemonJson(readable(merged(before, wished)), wished).text;
        JSON.parse(after);
        expect(pairs(after).filter(([name]) => !isOwned(name))).toEqual(others);
        for (const [name] of pairs(after)) if (isOwned(name)) expect(Object.keys(wished)).not.toContain(name);
      }),
      { numRuns: 500 },
    );
  });
});
