import { type CarryOut, carryOut, describe } from '../engine/carry-out';
import { ChangeFailed } from '../errors';
import { Gate } from '../host/gate';
import { forEachHost, type Outcome } from '../host/pool';
import type { InventoryNode } from '../inventory/inventory';
import type { NodeStep } from '../plan/host-change';
import { plural } from '../view/count';
import { fleetProgress } from '../view/fleet-progress';
import type { NetctlCommand } from './command';
import { beginNoMore, uninterrupted } from './interrupt';
import type { Hosts } from './nodes';

export interface FleetPlan {
  readonly node: string;
  readonly steps: readonly NodeStep[];
}

/**
 * Carries out the steps of several nodes, several nodes at once, and shows how far each one is. Docker is restarted on one
 * node at a time. A node that fails does not stop the others until `maxFailures` have: then no further node is begun, and those that
 * wait for their turn with Docker end with `too-many-failures`, their Docker untouched.
 */
export async function carryOutFleet<Plan extends FleetPlan>(
  command: NetctlCommand,
  plans: readonly Plan[],
  hosts: Hosts,
  options: {
    readonly nodes: readonly InventoryNode[];
    readonly atOnce: number;
    readonly maxFailures: number | undefined;
    readonly member: CarryOut['member'];
  },
): Promise<readonly Outcome<Plan, void>[]> {
  const docker = new Gate(1);
  const progress = await fleetProgress(
    process.stderr,
    command.talkScreen,
    plans.map(({ node }) => node),
  );
  const { atOnce, maxFailures, member } = options;
  let failures = 0;
  const outcomes = await forEachHost(
    plans,
    { atOnce, ...(maxFailures === undefined ? {} : { maxFailures }) },
    async (plan) => {
      const node = options.nodes.find(({ name }) => name === plan.node);
      if (node === undefined) throw new TypeError(`no node ${plan.node}`);
      const host = await hosts.of(node);
      const total = plan.steps.reduce((sum, { changes }) => sum + changes.length, 0);
      let done = 0;
      const told: unknown[] = [];
      const make = async (step: NodeStep): Promise<void> => {
        try {
          await uninterrupted(() =>
            carryOut(step, {
              host,
              stop: beginNoMore,
              member,
              doing: (change) => progress.doing(plan.node, describe(change), ++done, total),
              tell: (error) => told.push(error),
            }),
          );
        } catch (error) {
          // Counted before the next one gets its turn.
          failures += 1;
          throw error;
        }
      };
      const inTurn = (step: NodeStep) => async () => {
        // While this node waited others may have shown that it would go wrong here as well.
        if (failures >= (maxFailures ?? Number.POSITIVE_INFINITY)) throw tooManyFailures(failures);
        await make(step);
      };
      try {
        for (const step of plan.steps) await (step.oneAtATime === undefined ? make(step) : docker.run(inTurn(step)));
        // All is done, and yet something failed.
        if (told.length > 0) throw told[0];
      } catch (error) {
        progress.end(plan.node, `failed: ${error instanceof Error ? error.message : String(error)}`);
        throw error;
      }
      progress.end(plan.node, 'done');
    },
  );
  progress.close();
  return outcomes;
}

function tooManyFailures(failures: number): ChangeFailed {
  return new ChangeFailed({
    code: 'too-many-failures',
    message: `${plural(failures, 'node')} failed before it was the turn of this one, so its Docker was not touched`,
    next: ['Look at those that failed, then run the same command again: it goes on where it stopped.'],
  });
}
