import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askWhenSettled } from '../../src/lib/cli/ask-when-settled';
import { carryOutFleet } from '../../src/lib/cli/carry-out-fleet';
import type { NetctlCommand } from '../../src/lib/cli/command';
import { leftOver } from '../../src/lib/cli/left-over';
import type { Hosts } from '../../src/lib/cli/nodes';
import type { Host } from '../../src/lib/host/host';
import type { InventoryNode } from '../../src/lib/inventory/inventory';
import { parseInventory } from '../../src/lib/inventory/parse-inventory';
import type { Problem } from '../../src/lib/net/problem';
import type { NodeStep } from '../../src/lib/plan/host-change';

const { nodes } = parseInventory(
  JSON.stringify({ nodes: ['n1', 'n2', 'n3'].map((name, index) => ({ name, address: `10.4.7.2${index}` })) }),
  '/netctl.yaml',
);

describe('asking nodes after work on them', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Each node is clear from its own round on; n3 is not reached. */
  function fleet(clearFrom: Readonly<Record<string, number>>) {
    const rounds: string[][] = [];
    const ask = (chosen: readonly InventoryNode[]) => {
      rounds.push(chosen.map(({ name }) => name));
      const there = chosen.filter(({ name }) => name !== 'n3');
      const asked = there.map((node) => ({ node, isClear: rounds.length >= (clearFrom[node.name] ?? 1) }));
      return Promise.resolve({ asked, lost: chosen.filter((node) => !there.includes(node)) });
    };
    return { rounds, ask };
  }

  it('asks those that are unclear again, and nobody else', async () => {
    const { rounds, ask } = fleet({ n2: 3 });
    const found = askWhenSettled(nodes, ask, ({ isClear }) => !isClear);
    await vi.runAllTimersAsync();
    const { asked, lost } = await found;
    expect(rounds).toEqual([['n1', 'n2', 'n3'], ['n2'], ['n2']]);
    expect(asked.map(({ node, isClear }) => [node.name, isClear])).toEqual([
      ['n1', true],
      ['n2', true],
    ]);
    expect(lost.map(({ name }) => name)).toEqual(['n3']);
  });

  it('gives up after a while, and hands back what is unclear as it is', async () => {
    const { rounds, ask } = fleet({ n1: 1000 });
    const found = askWhenSettled(nodes.slice(0, 1), ask, ({ isClear }) => !isClear);
    await vi.runAllTimersAsync();
    expect((await found).asked).toMatchObject([{ isClear: false }]);
    expect(rounds.length).toBeGreaterThan(5);
    expect(rounds.length).toBeLessThan(40);
  });
});

describe('a plan made after the work', () => {
  const step: NodeStep = { title: 'a step', changes: [{ kind: 'run', argv: ['true'], why: '' }], mind: [] };
  const problem = (severity: Problem['severity']): Problem => ({
    code: 'docker-unknown',
    severity,
    path: 'docker',
    message: 'what Docker is like could not be found out',
    suggestion: null,
  });

  it('is content when nothing is left to do', () => {
    expect(leftOver({ steps: [], problems: [problem('warning')] })).toBeUndefined();
  });

  it('says what is left to do', () => {
    expect(leftOver({ steps: [step], problems: [] })).toContain('still to do: run true');
  });

  it('is not content when nothing could be planned, because something is not known', () => {
    expect(leftOver({ steps: [], problems: [problem('error')] })).toBe(
      'all was done, but it could not be confirmed: what Docker is like could not be found out',
    );
  });
});

it('is the rest of a node’s steps as well when a container did not start again, which is told in the end', async () => {
  const ran: string[] = [];
  const host: Host = {
    name: 'n1',
    run: ({ argv }) => {
      ran.push(argv.join(' '));
      return Promise.resolve({ code: argv[1] === 'start' ? 1 : 0, stdout: new Uint8Array(), stderr: new Uint8Array() });
    },
    close: () => undefined,
  };
  const change = (...argv: readonly [string, ...string[]]) => ({ kind: 'run', argv, why: '' }) as const;
  const restart = change('systemctl', 'restart', 'docker');
  const steps: readonly NodeStep[] = [
    {
      title: 'Docker',
      changes: [restart, { ...change('docker', 'start', '--', 'db'), undoesNothing: true }],
      undo: [{ of: restart, change: change('systemctl', 'restart', 'docker', 'again') }],
      mind: [],
    },
    { title: 'the rest', changes: [change('true')], mind: [] },
  ];
  const command = { talkScreen: { isTerminal: false, columns: 80, color: false, unicode: false } };
  const outcomes = await carryOutFleet(
    command as unknown as NetctlCommand,
    [{ node: 'n1', steps }],
    { of: () => Promise.resolve(host) } as unknown as Hosts,
    { nodes, atOnce: 1, maxFailures: undefined, member: () => expect.unreachable() },
  );
  expect(outcomes).toMatchObject([
    { kind: 'failed', error: { code: 'node-change-failed', message: 'n1: docker start -- db ended with 1' } },
  ]);
  expect(ran).toEqual(['systemctl restart docker', 'docker start -- db', 'true']);
});
