import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { localHost } from '../../src/lib/host/local';
import { talkWith } from './talk-with';

const host = localHost();
const folder = mkdtempSync(join(tmpdir(), 'netctl-local-'));
afterAll(() => {
  host.close();
  rmSync(folder, { recursive: true, force: true });
});
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('this machine as a host', () => {
  it('runs commands as any other: bytes, code, signal, environment', async () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index % 256);
    expect(Buffer.compare((await host.run({ argv: ['cat'], stdin: bytes })).stdout, bytes)).toBe(0);
    const both = await host.run({ argv: ['sh', '-c', 'echo "$LC_ALL $PATH"; echo err >&2; exit 3'] });
    expect([both.code, text(both.stderr)]).toEqual([3, 'err\n']);
    expect(text(both.stdout)).toMatch(/^C .*:\/usr\/sbin:\/sbin\n$/);
    expect(await host.run({ argv: ['sh', '-c', 'kill -9 $$'] })).toMatchObject({ code: null, signal: 'SIGKILL' });
    expect(text((await host.run({ argv: ['wc', '-c'] })).stdout).trim()).toBe('0');
  });

  it('takes words as they are: there is no shell', async () => {
    expect(text((await host.run({ argv: ['printf', '%s|', '$HOME', '`id`', 'a b', "'", ''] })).stdout)).toBe(
      "$HOME|`id`|a b|'||",
    );
  });

  it('answers with the codes of a shell when a program cannot be run', async () => {
    expect((await host.run({ argv: ['no-such-program'] })).code).toBe(127);
    expect((await host.run({ argv: ['/etc/passwd'] })).code).toBe(126);
    await expect(host.run({ argv: ['echo', 'a\0b'] })).rejects.toMatchObject({ code: 'command-unsendable' });
  });

  it('takes input that is made while it is sent, and a program that does not read it', async () => {
    const stdin = async function* () {
      for (let index = 0; index < 100; index++) yield new Uint8Array(64 * 1024);
    };
    expect(text((await host.run({ argv: ['wc', '-c'], stdin })).stdout).trim()).toBe(String(6_553_600));
    expect((await host.run({ argv: ['true'], stdin })).code).toBe(0);
  });

  it('hands on what a program says while it runs, so that its input can answer', async () => {
    const { answered, said } = await talkWith(host);
    expect(answered).toBe('you said: second\n');
    expect(said).toBe('first\nyou said: second\n');
    const refused = host.run({
      argv: ['sh', '-c', 'echo no; sleep 60'],
      onStdout: () => {
        throw new Error('not understood');
      },
    });
    await expect(refused).rejects.toThrow('not understood');
  });

  it('bounds time and output, and ends the whole group', async () => {
    const file = join(folder, 'late');
    await expect(
      host.run({ argv: ['sh', '-c', '(sleep 0.6; touch "$0") & sleep 60', file], timeoutMs: 200 }),
    ).rejects.toMatchObject({
      code: 'command-timeout',
      message: expect.stringMatching(/^localhost: sh -c .* did not end within 0.2 s and was stopped$/),
    });
    await expect(host.run({ argv: ['yes'], maxOutputBytes: 100_000 })).rejects.toMatchObject({
      code: 'command-output-too-large',
    });
    await sleep(700);
    expect(existsSync(file)).toBe(false);
  });

  it('stops at once when it is called off', async () => {
    const control = new AbortController();
    const running = host.run({ argv: ['sleep', '60'] }, control.signal);
    setTimeout(() => control.abort(new Error('Ctrl-C')), 50);
    const begin = performance.now();
    await expect(running).rejects.toThrow('Ctrl-C');
    expect(performance.now() - begin).toBeLessThan(500);
  });
});
