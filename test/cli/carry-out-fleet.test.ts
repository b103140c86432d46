import { describe, expect, it } from 'vitest';
import { carryOutFleet } from '../../src/lib/cli/carry-out-fleet';
import type { NetctlCommand } from '../../src/lib/cli/command';
import type { Hosts } from '../../src/lib/cli/nodes';
import type { Host } from '../../src/lib/host/host';
import type { InventoryNode } from '../../src/lib/inventory/inventory';
import type { NodeStep } from '../../src/lib/plan/host-change';

/** Hosts that fail where a test says so: what breaks every Docker of a fleet cannot be had on real ones without breaking them. */
describe('a fleet whose Docker does not come back', () => {
  const names = ['n1', 'n2', 'n3', 'n4'];
  const step = (title: string, argv: readonly [string, ...string[]], oneAtATime?: 'docker-restart'): NodeStep => ({
    title,
    changes: [{ kind: 'run', argv, why: 'a test' }],
    mind: [],
    undo: [],
    ...(oneAtATime === undefined ? {} : { oneAtATime }),
  });
  const plans = names.map((node) => ({
    node,
    steps: [
      step('flanneld', ['systemctl', 'start', 'flanneld']),
      step('Docker', ['systemctl', 'restart', 'docker'], 'docker-restart'),
    ],
  }));

  const run = async (maxFailures: number | undefined, failsOn: ReadonlySet<string>) => {
    const ran: string[] = [];
    const hosts: Pick<Hosts, 'of'> = {
      of: async ({ name }) => {
        const host: Host = {
          name,
          run: async ({ argv }) => {
            ran.push(`${name} ${argv.at(-1)}`);
            await new Promise((resolve) => setTimeout(resolve, 5));
            const isBroken = argv.at(-1) === 'docker' && failsOn.has(name);
            return { code: isBroken ? 1 : 0, stdout: Buffer.from(''), stderr: Buffer.from('') };
          },
          close: () => undefined,
        };
        return host;
      },
    };
    const talk = { talkScreen: { isTerminal: false, columns: 80, color: false, unicode: false } };
    const outcomes = await carryOutFleet(talk as unknown as NetctlCommand, plans, hosts as Hosts, {
      nodes: names.map((name) => ({ name }) as InventoryNode),
      atOnce: 8,
      maxFailures,
      member: () => {
        throw new Error('nothing is pushed here');
      },
    });
    return { ran, outcomes };
  };

  it('is left alone once --max-failures have failed, also where nodes wait for their turn', async () => {
    const { ran, outcomes } = await run(1, new Set(names));
    expect(ran.filter((line) => line.endsWith(' docker'))).toHaveLength(1);
    expect(outcomes).toMatchObject([
      { kind: 'failed', error: { code: 'node-change-failed' } },
      ...names.slice(1).map(() => ({ kind: 'failed', error: { code: 'too-many-failures', exit: 5 } })),
    ]);
  });

  it('is tried everywhere when nobody set a bound', async () => {
    const { ran } = await run(undefined, new Set(names));
    expect(ran.filter((line) => line.endsWith(' docker'))).toHaveLength(4);
  });

  it('holds nobody back who comes before the bound', async () => {
    const { outcomes } = await run(2, new Set(['n1']));
    expect(outcomes.map(({ kind }) => kind)).toEqual(['failed', 'done', 'done', 'done']);
  });
});
