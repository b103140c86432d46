import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  environmentFile,
  listSetting,
  quotedWords,
  unitSettings,
  unitWord,
  unitWords,
} from '../../src/lib/net/unit-settings';

describe('a word of a unit', () => {
  it('stays as it is when systemd reads nothing into it', () => {
    expect(unitWord('/run/flannel/subnet.env')).toBe('/run/flannel/subnet.env');
    expect(unitWord('100%')).toBe('100%%');
    expect(unitWord('-x')).toBe('"-x"');
    expect(unitWord('')).toBe('""');
  });

  it('comes back as it was, but for the dollar that systemd replaces later', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', ' ', '"', "'", '\\', '%', '/', '\n', ';', 'é') })),
        (words) => {
          const line = words.map(unitWord).join(' ');
          expect(unitWords(line)).toEqual(words);
          expect(
            unitWords(
              quotedWords(line)
                .map(({ written }) => written)
                .join('  '),
            ),
          ).toEqual(words);
        },
      ),
    );
  });
});

describe('the settings of a unit', () => {
  it('are joined over lines, without comments, and forgotten by an empty one', () => {
    const settings = unitSettings([
      { path: 'a', text: '[Service]\nExecStart=one \\\n# no\n  two\n;x\nEnvironmentFile=x\n[Unit]\nExecStart=other\n' },
      { path: 'b', text: '[Service]\r\nEnvironmentFile=\r\nEnvironmentFile=-y\r\n' },
    ]);
    expect(listSetting(settings, 'Service', 'ExecStart').map(({ value }) => value)).toEqual(['one  two']);
    expect(listSetting(settings, 'Service', 'EnvironmentFile')).toMatchObject([{ value: '-y', path: 'b' }]);
  });
});

describe('an environment file', () => {
  it('is read as systemd reads it', () => {
    const text =
      '# c\n; c\nA=1\n B = "two words" \nC=\'$x\'\nD=a\\\nb\nnot a name=1\nA=3\nE=" --bip=10.1.74.1/24 --mtu=1450"\nF="a\\"b\\c"\n';
    expect(Object.fromEntries(environmentFile(text))).toEqual({
      A: '3',
      B: 'two words',
      C: '$x',
      D: 'ab',
      E: ' --bip=10.1.74.1/24 --mtu=1450',
      F: 'a"b\\c',
    });
  });
});
