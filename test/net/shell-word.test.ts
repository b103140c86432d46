import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shellWord } from '../../src/lib/net/shell-word';

describe('a text as a word of a shell command', () => {
  it('stays as it is when nothing in it means anything to a shell', () => {
    expect(shellWord('/coreos.com/network/subnets/10.5.1.0-24')).toBe('/coreos.com/network/subnets/10.5.1.0-24');
  });

  it('stands in quotes otherwise', () => {
    expect(shellWord('10.5.1.0-24&fc00::-64')).toBe("'10.5.1.0-24&fc00::-64'");
    expect(shellWord("it's")).toBe("'it'\\''s'");
    expect(shellWord('')).toBe("''");
    expect(shellWord('{"PublicIP":"10.4.7.1"}')).toBe(`'{"PublicIP":"10.4.7.1"}'`);
  });

  it('shows nothing that a terminal would act on', () => {
    expect(shellWord('a\u001b[31mb')).toBe("$'a\\x1b[31mb'");
    expect(shellWord('a\u202eb')).toBe("$'a\\xe2\\x80\\xaeb'");
  });

  it('means the same text to bash', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', "'", '"', '\\', '$', '`', '\n', '\u001b', '\u202e', 'é', ' ', '!', '7'),
      maxLength: 12,
    });
    fc.assert(
      fc.property(fc.array(text, { minLength: 20, maxLength: 20 }), (texts) => {
        const script = `for w in ${texts.map(shellWord).join(' ')}; do printf '%s\\0' "$w"; done`;
        const printed = execFileSync('bash', ['--norc', '--noprofile', '-c', script], {
          env: { LC_ALL: 'C.UTF-8' },
          stdio: ['ignore', 'pipe', 'inherit'],
        }).toString('utf8');
        expect(printed.split('\0').slice(0, -1)).toEqual(texts);
      }),
      { numRuns: 8 },
    );
  });
});
