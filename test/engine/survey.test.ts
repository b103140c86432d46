import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { survey, surveyScript } from '../../src/lib/engine/survey';
import { Unreachable } from '../../src/lib/errors';
import { answerText } from '../../src/lib/fact/answer-text';
import { type Fact, known, nothingElse, shellCommand } from '../../src/lib/fact/fact';
import { links } from '../../src/lib/fact/links';
import { machine } from '../../src/lib/fact/machine';
import type { Host } from '../../src/lib/host/host';
import { allFacts } from '../fact/all-facts';
import { knownValue, whyOf } from '../fact/captured';
import { shellHost } from '../fact/shell-host';

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function asks(command: Fact<unknown>['command']): Fact<Said> {
  return {
    name: 'test',
    command,
    requires: nothingElse,
    parse: ({ code, stdout, stderr }) => known({ code, stdout: answerText(stdout), stderr: answerText(stderr) }),
  };
}

const shells: readonly (readonly [string, ...string[]])[] = [
  ['dash'],
  ['bash'],
  ['bash', '--posix'],
  ['busybox', 'sh'],
];
const present = shells.filter(([program]) => spawnSync(program, ['true']).error === undefined);
const timeoutMs = 20_000;

const folder = mkdtempSync(join(tmpdir(), 'netctl-survey-test-'));
const fileForPath = join(folder, 'path');
writeFileSync(fileForPath, '');
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(present.map((shell) => [shell.join(' '), shell] as const))('a survey under %s', (_, shell) => {
  const host = shellHost(shell);

  it('brings words, outputs and exit codes through unchanged', async () => {
    const word = 'it\'s "$(reboot)" `x` \\ \n $HOME é *';
    const { answers } = await survey(
      host,
      {
        words: asks(shellCommand('printf "%s" "$1"; printf err >&2; exit 7', word)),
        gone: asks({ argv: ['netctl-no-such-program'] }),
        high: asks(shellCommand('exit 255')),
        silent: asks({ argv: ['true'] }),
      },
      { timeoutMs },
    );
    expect(knownValue(answers.words)).toEqual({ code: 7, stdout: word, stderr: 'err' });
    expect(knownValue(answers.gone).code).toBe(127);
    expect(knownValue(answers.high).code).toBe(255);
    expect(knownValue(answers.silent)).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('lets no answer pass for the frame or for another answer', async () => {
    const forged = 'netctl-survey 1\n  0 o1\n  0 e1\n  0 r1\n  0 total\nnetctl-survey end\n';
    const { answers } = await survey(
      host,
      { first: asks(shellCommand('printf "%s" "$1"', forged)), second: asks({ argv: ['echo', 'mine'] }) },
      { timeoutMs },
    );
    expect(knownValue(answers.first).stdout).toBe(forged);
    expect(knownValue(answers.second).stdout).toBe('mine\n');
  });

  it('takes what fits the limit to the byte', async () => {
    const bytes = (count: number) =>
      asks({ ...shellCommand('head -c "$1" /dev/zero | tr "\\000" x', String(count)), maxOutputBytes: 700 });
    const { answers } = await survey(host, { fits: bytes(700), over: bytes(701) }, { timeoutMs });
    expect(knownValue(answers.fits).stdout).toHaveLength(700);
    expect(whyOf(answers.over)).toContain('longer than 700 bytes');
  });

  it('leaves no folder behind, even when it is ended in the middle', async () => {
    const where = asks(shellCommand('readlink /proc/self/fd/1'));
    const { answers } = await survey(host, { where }, { timeoutMs });
    const first = dirname(knownValue(answers.where).stdout);
    expect(first).toContain('netctl-survey.');
    expect(existsSync(first)).toBe(false);

    writeFileSync(fileForPath, '');
    const tell = asks({ argv: ['sh', '-c', 'readlink /proc/$$/fd/2 >"$1"; exec sleep 2', 'sh', fileForPath] });
    const [program, ...words] = shell;
    const child = spawn(program, [...words, '-s'], { stdio: ['pipe', 'ignore', 'ignore'] });
    child.stdin.end(surveyScript([tell], timeoutMs));
    await vi.waitFor(() => expect(readFileSync(fileForPath, 'utf8')).toMatch(/\n$/), { timeout: 5000 });
    const second = dirname(readFileSync(fileForPath, 'utf8'));
    expect(existsSync(second)).toBe(true);
    child.kill('SIGTERM');
    await vi.waitFor(() => expect(existsSync(second)).toBe(false), { timeout: 1500 });
  });

  it('asks nothing when there is nothing to ask', async () => {
    expect((await survey(host, {}, { timeoutMs })).answers).toEqual({});
  });
});

describe.each(present.map((shell) => [shell.join(' '), shell] as const))(
  'time under %s',
  { concurrent: true },
  (_, shell) => {
    const host = shellHost(shell);

    it('gives up on one that hangs, talks without end or dies, and keeps the others', async ({ expect }) => {
      const { answers } = await survey(
        host,
        {
          hangs: asks({ argv: ['sleep', '60'], timeoutMs: 1000 }),
          talks: asks({ argv: ['cat', '/dev/zero'], maxOutputBytes: 1000 }),
          complains: asks(shellCommand('cat /dev/zero >&2')),
          dies: asks(shellCommand('kill -SEGV $$')),
          reads: asks({ argv: ['cat'] }),
          fine: asks({ argv: ['echo', 'fine'] }),
        },
        { timeoutMs },
      );
      expect(whyOf(answers.hangs)).toBe('it did not end within 1 s');
      expect(whyOf(answers.talks)).toBe('its answer is longer than 1000 bytes');
      expect(answers.complains.known).toBe(false);
      expect(whyOf(answers.dies)).toBe('it was ended by signal 11');
      expect(knownValue(answers.reads).stdout).toBe('');
      expect(knownValue(answers.fine).stdout).toBe('fine\n');
    });

    it('asks nothing more when its time is over, and says so', async ({ expect }) => {
      const began = Date.now();
      const slow = Object.fromEntries(
        Array.from({ length: 9 }, (__, index) => [`slow${index}`, asks({ argv: ['sleep', '60'] })]),
      );
      const { answers } = await survey(host, slow, { timeoutMs: 4000 });
      expect(Date.now() - began).toBeLessThan(4000);
      const reasons = Object.values(answers).map(whyOf);
      expect(reasons).toContain('there was no time left to ask the node');
      expect(reasons.every((why) => !why.startsWith('known'))).toBe(true);
    });
  },
);

describe('a survey', () => {
  const host = shellHost(['sh']);

  it('carries any words and any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.string({ unit: 'grapheme' }).filter((word) => !word.includes('\0')),
          { minLength: 1, maxLength: 5 },
        ),
        async (words) => {
          const { answers } = await survey(
            host,
            { all: asks(shellCommand('printf "%s\\0" "$@"', ...words)) },
            { timeoutMs },
          );
          expect(knownValue(answers.all).stdout).toBe(words.map((word) => `${word}\0`).join(''));
        },
      ),
      { numRuns: 15 },
    );
  });

  it('hears through what a talkative start-up file says first', async () => {
    const talkative: Host = {
      ...host,
      run: async (command, signal) => {
        const output = await host.run(command, signal);
        return { ...output, stdout: Buffer.concat([Buffer.from('Welcome!\n\u001b[31mmotd\n'), output.stdout]) };
      },
    };
    const { answers } = await survey(talkative, { machine }, { timeoutMs });
    expect(answers.machine.known).toBe(true);
  });

  it('that was cut off runs nothing and answers nothing', async () => {
    const script = surveyScript([asks({ argv: ['touch', join(folder, 'cut-off')] })], timeoutMs);
    for (const left of [2, 3, 5, 10, 18, 100, 1000, 2000]) {
      const ran = spawnSync('sh', ['-s'], { input: script.slice(0, -left) });
      expect(ran.stdout.toString()).toBe('');
    }
    expect(existsSync(join(folder, 'cut-off'))).toBe(false);
    const half: Host = {
      ...host,
      run: async (command, signal) => {
        const output = await host.run(command, signal);
        return { ...output, stdout: output.stdout.subarray(0, output.stdout.length - 5) };
      },
    };
    await expect(survey(half, { machine }, { timeoutMs })).rejects.toThrow(Unreachable);
  });

  it('of a host without a shell is one clear error that begins with its name', async () => {
    const nologin: Host = {
      ...host,
      name: 'node7',
      run: async () => ({
        code: 1,
        stdout: Buffer.from('This account is currently not available.\n'),
        stderr: Buffer.from('sudo: a password is required\n'),
      }),
    };
    await expect(survey(nologin, { machine }, { timeoutMs })).rejects.toMatchObject({
      code: 'survey-no-answer',
      message: expect.stringMatching(/^node7: /),
      details: ['sudo: a password is required'],
    });
  });

  it('makes an answer that its parser throws at unknown', async () => {
    const broken: Fact<string> = {
      ...asks({ argv: ['true'] }),
      parse() {
        throw new RangeError('broken');
      },
    };
    const { answers } = await survey(host, { broken, machine }, { timeoutMs });
    expect(whyOf(answers.broken)).toContain('broken');
    expect(answers.machine.known).toBe(true);
  });

  it('is the same text each time, so that a recording can be played back', () => {
    expect(surveyScript([machine, links], timeoutMs)).toBe(surveyScript([machine, links], timeoutMs));
  });

  it('asks this machine everything at once, with and without root', async () => {
    const facts = allFacts(['127.0.0.1'], ['http://127.0.0.1:9']);
    const { answers, beganAtMs, endedAtMs } = await survey(host, facts, { timeoutMs: 30_000 });
    expect(knownValue(answers.machine).hostname.length).toBeGreaterThan(0);
    expect(knownValue(answers.links).some(({ isLoopback, mtu }) => isLoopback && mtu > 0)).toBe(true);
    expect(knownValue(answers.clock).epochMs).toBeGreaterThanOrEqual(beganAtMs - 1000);
    expect(knownValue(answers.clock).epochMs).toBeLessThanOrEqual(endedAtMs);
    expect(knownValue(answers.files).get('/no/such')).toEqual({ known: true, value: { present: false } });
    expect(knownValue(answers.etcd)[0]?.outcome.kind).toBe('refused');
    for (const answer of Object.values(answers)) expect(whyOf(answer)).not.toContain('please report it');

    if (process.getuid?.() !== 0 || spawnSync('/usr/bin/env', ['setpriv', '--version']).status !== 0) return;
    const nobody = shellHost(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'sh']);
    const { answers: less } = await survey(
      nobody,
      { ...facts, shadow: allFilesOf('/etc/shadow') },
      { timeoutMs: 30_000 },
    );
    expect(knownValue(less.privileges)).toMatchObject({ isRoot: false, uid: 65534 });
    expect(knownValue(less.machine)).toMatchObject({ hostname: knownValue(answers.machine).hostname });
    expect(knownValue(less.shadow).stdout).toBe('hidden');
    expect(less.nft.known).toBe(false);
    for (const answer of Object.values(less)) expect(whyOf(answer)).not.toContain('please report it');
  }, 60_000);
});

/** May nobody look into a file of root's? */
function allFilesOf(path: string): Fact<Said> {
  return asks(shellCommand('[ -r "$1" ] && printf seen || printf hidden', path));
}
