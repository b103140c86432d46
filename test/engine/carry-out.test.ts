import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { carryOut } from '../../src/lib/engine/carry-out';
import { localHost } from '../../src/lib/host/local';
import type { HostChange } from '../../src/lib/plan/host-change';

const member = (): never => {
  throw new Error('nothing is pushed here');
};

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'netctl-carry-out-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

async function make(...changes: readonly HostChange[]): Promise<void> {
  await carryOut({ title: 'a step', changes, mind: [] }, { host: localHost({ name: 'here' }), member });
}

describe('a command with a condition', () => {
  const touch = (path: string, code: number): HostChange => ({
    kind: 'run',
    argv: ['touch', path],
    onlyIf: ['sh', '-c', `exit ${code}`],
    why: 'to see whether it runs',
  });

  it('runs when that ends well, is left out when it ends with 1, and any other end does not hide it', async () => {
    const at = await folder();
    await make(touch(join(at, 'zero'), 0), touch(join(at, 'one'), 1), touch(join(at, 'four'), 4));
    expect((await readdir(at)).sort()).toEqual(['four', 'zero']);
  });
});

describe('a command that fails', () => {
  it('is told with its words and what it said', async () => {
    await expect(make({ kind: 'run', argv: ['ls', '/no/such/place'], why: 'to fail' })).rejects.toMatchObject({
      code: 'node-change-failed',
      message: expect.stringMatching(/^here: ls \/no\/such\/place ended with 2: ls: .*No such file/) as string,
    });
  });

  it('is told without its script, which is long', async () => {
    await expect(make({ kind: 'run', argv: ['sh', '-c', 'false # a script'], why: 'to fail' })).rejects.toMatchObject({
      message: 'here: sh -c ended with 1',
    });
  });
});
