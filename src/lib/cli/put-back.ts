import { carryOut, describe } from '../engine/carry-out';
import { Unreachable } from '../errors';
import { Gate } from '../host/gate';
import { forEachHost } from '../host/pool';
import type { InventoryNode } from '../inventory/inventory';
import type { HostChange, NodeStep } from '../plan/host-change';
import { fleetProgress } from '../view/fleet-progress';
import type { FleetPlan } from './carry-out-fleet';
import type { NetctlCommand } from './command';
import { uninterrupted } from './interrupt';
import type { Hosts } from './nodes';

/**
 * Takes changes back on several nodes at once, with Docker restarted on one node at a time. Nothing stops it half-way: a change that
 * fails does not keep those behind it from being made, and Ctrl-C waits. Only a step that takes turns ends with its first failure, since
 * Docker is restarted for the file that was put back.
 * @returns what could not be taken back and why, by node; an empty list where all was
 */
export async function putBack(
  command: NetctlCommand,
  plans: readonly FleetPlan[],
  hosts: Hosts,
  options: { readonly nodes: readonly InventoryNode[]; readonly atOnce: number },
): Promise<ReadonlyMap<string, readonly string[]>> {
  const failures = new Map<string, readonly string[]>();
  if (plans.length === 0) return failures;
  const docker = new Gate(1);
  const progress = await fleetProgress(
    process.stderr,
    command.talkScreen,
    plans.map(({ node }) => node),
  );
  await forEachHost(plans, { atOnce: options.atOnce }, async ({ node: name, steps }) => {
    const failed: string[] = [];
    failures.set(name, failed);
    const total = steps.reduce((sum, { changes }) => sum + changes.length, 0);
    let done = 0;
    const doing = (change: HostChange): void => progress.doing(name, describe(change), ++done, total);
    const all = async (): Promise<void> => {
      const node = options.nodes.find((each) => each.name === name);
      if (node === undefined) throw new TypeError(`no node ${name}`);
      const host = await hosts.of(node);
      const make = async (step: NodeStep): Promise<void> => {
        try {
          await carryOut(step, { host, member, doing });
        } catch (error) {
          // A host that is gone is not asked again for each change: every question would wait its time out.
          if (error instanceof Unreachable) throw error;
          failed.push(messageOf(error));
        }
      };
      for (const step of steps) {
        if (step.oneAtATime !== undefined) await docker.run(() => make(step));
        else for (const change of step.changes) await make({ ...step, changes: [change] });
      }
    };
    try {
      await uninterrupted(all);
    } catch (error) {
      failed.push(messageOf(error));
    }
    progress.end(name, failed.length === 0 ? 'put back' : `not all put back: ${failed.join('; ')}`);
  });
  progress.close();
  return failures;
}

function member(name: string): never {
  throw new TypeError(`nothing that is taken back is pushed, not ${name}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
