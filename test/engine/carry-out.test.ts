import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { carryOut } from '../../src/lib/engine/carry-out';
import { localHost } from '../../src/lib/host/local';
import type { HostChange, NodeStep, Undo } from '../../src/lib/plan/host-change';

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

describe('what is taken back', () => {
  /** Each command writes its name down. */
  async function scene() {
    const at = await folder();
    const say = (name: string, end = '', more: { undoesNothing?: true } = {}): HostChange => ({
      kind: 'run',
      argv: ['sh', '-c', `echo ${name} >>"$1"; ${end}`, 'sh', join(at, 'log')],
      why: name,
      ...more,
    });
    const log = async () => (await readFile(join(at, 'log'), 'utf8')).trim().split('\n');
    const run = async (step: Omit<NodeStep, 'title' | 'mind'>, stopAt?: HostChange) => {
      const stop = new AbortController();
      const doing = (change: HostChange): void => {
        if (change === stopAt) stop.abort();
      };
      const host = localHost({ name: 'here' });
      await carryOut({ title: 'a step', mind: [], ...step }, { host, member, doing, stop: stop.signal });
    };
    return { say, log, run };
  }
  const undoOf = (of: HostChange, change: HostChange, more: Partial<Undo> = {}): Undo => ({ of, change, ...more });

  it('is what was begun, in its order, and what the failed command said is told', async () => {
    const { say, log, run } = await scene();
    const [one, two, three] = [say('one'), say('two', 'echo why; echo because >&2; exit 3'), say('three')];
    const undo = [undoOf(one, say('not-one')), undoOf(two, say('not-two')), undoOf(three, say('not-three'))];
    await expect(run({ changes: [one, two, three], undo })).rejects.toMatchObject({
      code: 'node-change-undone',
      message: expect.stringMatching(/put back$/) as string,
      details: ['why', 'because'],
    });
    expect(await log()).toEqual(['one', 'two', 'not-one', 'not-two']);
  });

  it('is nothing when the run was stopped between two changes, but for what nobody would bring back later', async () => {
    const { say, log, run } = await scene();
    const [write, stop, restart] = [say('write'), say('stop'), say('restart')];
    const undo = [undoOf(write, say('unwrite')), undoOf(stop, say('start'), { evenWhenStopped: true })];
    // Ctrl-C while the containers stop.
    await expect(run({ changes: [write, stop, restart], undo }, stop)).rejects.toMatchObject({
      code: 'node-change-stopped',
    });
    expect(await log()).toEqual(['write', 'stop', 'start']);
  });

  it('says what could not be brought back after a stop', async () => {
    const { say, run } = await scene();
    const stop = say('stop');
    const undo = [undoOf(stop, say('start', 'exit 1'), { evenWhenStopped: true })];
    await expect(run({ changes: [stop, say('restart')], undo }, stop)).rejects.toMatchObject({
      message: 'here: stopped before all was done; and it could not all be put back',
      details: [expect.stringContaining('ended with 1') as string],
    });
  });

  it('does not hide a failure behind the tidying of our own traces', async () => {
    const { say, log, run } = await scene();
    const [question, judge] = [say('question'), say('judge', 'exit 7')];
    const undo = [undoOf(question, say('away'), { evenWhenStopped: true })];
    await expect(run({ changes: [question, judge], undo })).rejects.toMatchObject({
      code: 'node-change-failed',
      message: 'here: sh -c ended with 7',
    });
    expect(await log()).toEqual(['question', 'judge', 'away']);
  });

  it('is nothing for a change that undoes nothing: what is behind it is made, and the failure is told in the end', async () => {
    const { say, log, run } = await scene();
    const [write, start, last] = [say('write'), say('start', 'exit 1', { undoesNothing: true }), say('last')];
    await expect(
      run({ changes: [write, start, last], undo: [undoOf(write, say('unwrite')), say('always')] }),
    ).rejects.toMatchObject({ code: 'node-change-failed' });
    expect(await log()).toEqual(['write', 'start', 'last']);
    const told: unknown[] = [];
    const step = { title: 'a step', changes: [start], mind: [] };
    await carryOut(step, { host: localHost({ name: 'here' }), member, tell: (error) => told.push(error) });
    expect(told).toMatchObject([{ code: 'node-change-failed' }]);
  });
});
