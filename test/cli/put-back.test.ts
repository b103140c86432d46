import { describe, expect, it } from 'vitest';
import type { NetctlCommand } from '../../src/lib/cli/command';
import type { Hosts } from '../../src/lib/cli/nodes';
import { putBack } from '../../src/lib/cli/put-back';
import { Unreachable } from '../../src/lib/errors';
import type { Host } from '../../src/lib/host/host';
import type { InventoryNode } from '../../src/lib/inventory/inventory';
import type { HostChange, NodeStep } from '../../src/lib/plan/host-change';

const run = (...argv: readonly [string, ...string[]]): HostChange => ({ kind: 'run', argv, why: 'a test' });
const back: NodeStep = { title: 'back', changes: [run('stop'), run('json'), run('rules')], mind: [] };
const docker: NodeStep = {
  title: 'Docker',
  oneAtATime: 'docker-restart',
  changes: [run('old-settings'), run('restart')],
  mind: [],
};

/** What fails on which node; `gone`: its host does not answer from that command on. */
async function putBackOn(
  names: readonly string[],
  ends: Readonly<Record<string, 'fails' | 'gone'>>,
): Promise<{
  readonly ran: readonly string[];
  readonly most: number;
  readonly failures: ReadonlyMap<string, readonly string[]>;
}> {
  const ran: string[] = [];
  let restarting = 0;
  let most = 0;
  const hosts: Pick<Hosts, 'of'> = {
    of: async ({ name }) => {
      const host: Host = {
        name,
        run: async ({ argv: [word] }) => {
          ran.push(`${name} ${word}`);
          if (word === 'restart') most = Math.max(most, ++restarting);
          await new Promise((resolve) => setTimeout(resolve, 5));
          if (word === 'restart') restarting -= 1;
          const end = ends[`${name} ${word}`];
          if (end === 'gone') throw new Unreachable({ code: 'host-gone', message: `${name}: gone` });
          return { code: end === 'fails' ? 1 : 0, stdout: Buffer.from(''), stderr: Buffer.from('') };
        },
        close: () => undefined,
      };
      return host;
    },
  };
  const talk = { talkScreen: { isTerminal: false, columns: 80, color: false, unicode: false } };
  const failures = await putBack(
    talk as unknown as NetctlCommand,
    names.map((node) => ({ node, steps: [back, docker] })),
    hosts as Hosts,
    { nodes: names.map((name) => ({ name }) as InventoryNode), atOnce: 8 },
  );
  return { ran, most, failures };
}

describe('what is put back after a failed proof', () => {
  it('goes on past a change that fails, and tells it', async () => {
    const { ran, failures } = await putBackOn(['n1'], { 'n1 json': 'fails' });
    expect(ran).toEqual(['n1 stop', 'n1 json', 'n1 rules', 'n1 old-settings', 'n1 restart']);
    expect(failures.get('n1')).toEqual(['n1: json ended with 1']);
  });

  it('restarts Docker on one node at a time', async () => {
    const { most, failures } = await putBackOn(['n1', 'n2', 'n3', 'n4'], {});
    expect(most).toBe(1);
    expect([...failures.values()]).toEqual([[], [], [], []]);
  });

  it('restarts no Docker whose old settings could not be put back', async () => {
    const { ran, failures } = await putBackOn(['n1'], { 'n1 old-settings': 'fails' });
    expect(ran).not.toContain('n1 restart');
    expect(failures.get('n1')).toHaveLength(1);
  });

  it('asks a node that is gone no more, and does the others', async () => {
    const { ran, failures } = await putBackOn(['n1', 'n2'], { 'n1 stop': 'gone' });
    expect(ran.filter((line) => line.startsWith('n1 '))).toEqual(['n1 stop']);
    expect(ran.filter((line) => line.startsWith('n2 '))).toHaveLength(5);
    expect(failures).toEqual(
      new Map([
        ['n1', ['n1: gone']],
        ['n2', []],
      ]),
    );
  });
});
