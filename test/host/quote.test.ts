import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InvalidInput } from '../../src/lib/errors';
import { describeCommand, loginShellText, shellText } from '../../src/lib/host/quote';
import { temporaryFolder } from '../support/built';

const shells = ['sh', 'bash', 'dash', 'zsh', 'fish', 'csh', 'tcsh', 'mksh', 'busybox'].filter(
  (shell) => spawnSync(shell, shell === 'busybox' ? ['true'] : ['-c', 'true']).status === 0,
);

// fish makes folders in it.
const home = temporaryFolder();
afterAll(home.remove);

/** Writes each word with a line end, so that NUL is the only byte that cannot come. */
const echo = (...words: readonly string[]) => ['printf', '%s\\0', ...words] as const;
const marker = 'netctl-0123:';

function run(
  shell: string,
  text: string,
): { readonly code: number | null; readonly stdout: Buffer; readonly stderr: string } {
  const words = shell === 'busybox' ? ['sh', '-c', text] : ['-c', text];
  const { status, stdout, stderr } = spawnSync(shell, words, {
    env: { PATH: process.env['PATH'], HOME: home.path },
  });
  return { code: status, stdout, stderr: stderr.toString() };
}

const withoutPid = (output: Buffer | string): string => output.toString().replace(/:\d+:/, ':');

const nastyWords = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom(
          "'",
          '"',
          '\\',
          '!',
          '$',
          '`',
          '\n',
          '\t',
          ' ',
          '%',
          '*',
          '~',
          '{',
          'a',
          '0',
          'é',
          '\u0001',
          '-',
        ),
      }),
    ),
    { minLength: 1, maxLength: 25 },
  )
  .map((words) => words.map((word) => word.replaceAll(/[\0\p{Cs}]/gu, '')));

describe('the text of a command', () => {
  it('is read back word by word by a POSIX shell, whatever the words', () => {
    fc.assert(
      fc.property(nastyWords, (words) => {
        const { stdout } = run('sh', shellText(echo(...words)));
        expect(stdout.toString().split('\0').slice(0, -1)).toEqual(words);
      }),
      { numRuns: 40 },
    );
  });

  it.each(shells)('is read alike when the login shell is %s', (shell) => {
    fc.assert(
      fc.property(nastyWords, (words) => {
        const { stdout, stderr, code } = run(shell, loginShellText(echo(...words), marker));
        expect(withoutPid(stdout)).toBe(`${marker}${words.map((word) => `${word}\0`).join('')}`);
        expect([withoutPid(stderr), code]).toEqual([marker, 0]);
      }),
      { numRuns: 15 },
    );
  });

  it.each(shells)('stays readable for plain words, and means the same in %s', (shell) => {
    const text = loginShellText(
      ['printf', '<%s>', 'a b', '', '$HOME', '`id`', '~', '*', '{a,b}', '=ls', '%1', '^x'],
      marker,
    );
    expect(text).toContain(`"$@"' sh printf '<%s>' 'a b' '' '$HOME'`);
    expect(withoutPid(run(shell, text).stdout)).toBe(`${marker}<a b><><$HOME><\`id\`><~><*><{a,b}><=ls><%1><^x>`);
  });

  it('gives the command an English locale and the sbin folders, after those that are there', () => {
    const { stdout } = run('sh', loginShellText(['sh', '-c', 'echo "$LC_ALL $PATH"'], marker));
    expect(withoutPid(stdout)).toBe(`${marker}C ${process.env['PATH']}:/usr/local/sbin:/usr/sbin:/sbin\n`);
  });

  it('answers with 127 when there is no such program', () => {
    expect(run('sh', loginShellText(['no-such-program'], marker)).code).toBe(127);
    expect(run('sh', loginShellText(["no such 'program'"], marker)).code).toBe(127);
  });

  it('refuses what no command can be given', () => {
    expect(() => loginShellText(['echo', 'a\0b'], marker)).toThrow(InvalidInput);
    expect(() => loginShellText(['echo', 'a\ud800b'], marker)).toThrow(/half a surrogate pair/);
    expect(() => loginShellText(['echo', 'x'.repeat(200_000)], marker)).toThrow(/at most 131071/);
  });

  it('is short and on one line in a message, and hides secrets', () => {
    expect(describeCommand({ argv: ['cat', '/etc/a b'] })).toBe("cat '/etc/a b'");
    expect(describeCommand({ argv: ['sh', '-c', `a\nb${'x'.repeat(200)}`] })).toMatch(/^sh -c 'a bx+…$/);
    expect(describeCommand({ argv: ['sh', '-c', 'password'], secret: true })).toBe('sh …');
  });
});
