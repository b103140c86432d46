import { describe, expect, it } from 'vitest';
import { Unreachable } from '../../src/lib/errors';
import type { Command, Host, Output } from '../../src/lib/host/host';
import { localHost } from '../../src/lib/host/local';
import { record } from '../../src/lib/host/record';
import { replay } from '../../src/lib/host/replay';

async function recorded(
  commands: readonly Command[],
  host: Host = localHost({ name: 'node1' }),
  secrets: readonly string[] = [],
) {
  const lines: string[] = [];
  const recorder = record(host, (line) => lines.push(line), { secrets });
  const outputs: (Output | Error)[] = [];
  for (const command of commands) {
    outputs.push(
      await recorder
        .run(command)
        .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))),
    );
  }
  return { text: `${lines.join('\n')}\n`, outputs };
}

const bytesOf = ({ code, stdout, stderr }: Output) => ({
  code,
  stdout: Buffer.from(stdout),
  stderr: Buffer.from(stderr),
});

describe('a recording', () => {
  it('answers as the host did: code, signal and every byte', async () => {
    const commands: readonly Command[] = [
      { argv: ['sh', '-c', 'echo é; echo err >&2; exit 3'] },
      { argv: ['printf', '\\377\\000a'] },
      { argv: ['sh', '-c', 'kill -9 $$'] },
      { argv: ['cat'], stdin: Buffer.from('one') },
      { argv: ['cat'], stdin: Buffer.from('two') },
      { argv: ['cat'] },
    ];
    const { text, outputs } = await recorded(commands);
    const again = replay(text)('node1');
    for (const [index, command] of commands.entries()) {
      const output = outputs[index];
      if (output === undefined || output instanceof Error) throw output;
      expect(bytesOf(await again.run(command))).toEqual(bytesOf(output));
    }
    expect((await again.run({ argv: ['sh', '-c', 'kill -9 $$'] })).signal).toBe('SIGKILL');
  });

  it('can be read by a person: one line a command, text as text', async () => {
    const { text } = await recorded([{ argv: ['echo', 'hello'] }]);
    expect(JSON.parse(text)).toEqual({
      kind: 'run',
      host: 'node1',
      argv: ['echo', 'hello'],
      output: { code: 0, stdout: 'hello\n', stderr: '' },
      milliseconds: expect.any(Number),
    });
  });

  it('gives errors again as they were', async () => {
    const dead: Host = {
      name: 'node1',
      run: () => Promise.reject(new Unreachable({ code: 'host-silent', message: 'node1: silent', next: ['wait'] })),
      close: () => undefined,
    };
    const { text } = await recorded([{ argv: ['true'] }], dead);
    await expect(replay(text)('node1').run({ argv: ['true'] })).rejects.toMatchObject({
      name: 'Unreachable',
      code: 'host-silent',
      message: 'node1: silent',
      next: ['wait'],
      exit: 4,
    });
  });

  it('answers a command that was asked twice in that order, and then with the last answer', async () => {
    const counting: Host = {
      name: 'node1',
      run: (() => {
        let count = 0;
        return async () => ({ code: count++, stdout: new Uint8Array(), stderr: new Uint8Array() });
      })(),
      close: () => undefined,
    };
    const { text } = await recorded([{ argv: ['n'] }, { argv: ['n'] }], counting);
    const again = replay(text)('node1');
    const codes = [];
    for (let asked = 0; asked < 3; asked++) codes.push((await again.run({ argv: ['n'] })).code);
    expect(codes).toEqual([0, 1, 1]);
  });

  it('refuses a command, an input and a host that it does not have', async () => {
    const { text } = await recorded([{ argv: ['cat'], stdin: Buffer.from('one') }]);
    const again = replay(text);
    for (const [name, command] of [
      ['node1', { argv: ['cat', 'x'] }],
      ['node1', { argv: ['cat'], stdin: Buffer.from('two') }],
      ['node1', { argv: ['cat'] }],
      ['node2', { argv: ['cat'], stdin: Buffer.from('one') }],
    ] as const) {
      await expect(again(name).run({ ...command, argv: [...command.argv] })).rejects.toMatchObject({
        code: 'recording-has-no-answer',
      });
    }
  });

  it('holds no secret: not of a secret command, not a given text in any encoding of output, no private key', async () => {
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----';
    const { text } = await recorded(
      [
        { argv: ['sh', '-c', 'echo hidden-output', 'hidden-word'], stdin: Buffer.from('hidden-input'), secret: true },
        { argv: ['printf', '%s\\377', 'the pässword is'] },
        { argv: ['echo', key] },
        { argv: ['sh', '-c', 'echo broken off -----BEGIN RSA PRIVATE KEY-----; echo MIIE'] },
      ],
      undefined,
      ['pässword'],
    );
    const bytes = text
      .split('\n')
      .map((line) => `${line}${Buffer.from(/"base64":"([^"]*)"/.exec(line)?.[1] ?? '', 'base64').toString('latin1')}`);
    for (const secret of ['hidden', 'pässword', Buffer.from('pässword').toString('latin1'), 'b3BlbnNzaC1', 'MIIE\\n']) {
      expect(bytes.join('\n')).not.toContain(secret);
    }
    expect(text.match(/\[secret\]/g)?.length).toBeGreaterThan(4);
  });

  it.each([
    '{',
    '[]',
    '{"kind":"run"}',
    '{"kind":"run","host":"a","argv":["b"],"output":{}}',
    '{"kind":"run","host":"a","argv":[1]}',
  ])('that is damaged (%s) is refused with the line', (line) => {
    expect(() => replay(`{"kind":"store"}\n\n${line}`)).toThrow(/^line 3 of the recording is damaged/);
  });
});
