import { runsForKubernetes } from '../check/lease-owner';
import { carryOut } from '../engine/carry-out';
import { survey } from '../engine/survey';
import { ChangeFailed, Conflict, NetctlError, Refused } from '../errors';
import { type LeaseOwnerSeen, leaseOwnerFacts } from '../fact/lease-owner-facts';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import type { FlannelVersion } from '../net/flannel-version';
import { flannelFilesWish, flannelLayout } from '../plan/flannel-files';
import { type FlanneldService, flanneldService } from '../plan/flanneld-service';
import type { HostChange, NodeStep } from '../plan/host-change';
import type { Hosts } from './nodes';

/** The machine of a lease, as it is now. */
export interface LeaseOwner {
  readonly node: InventoryNode;
  readonly seen: LeaseOwnerSeen;
  readonly service: Exclude<FlanneldService, { kind: 'not-ours-to-stop' | 'unknown' }>;
  readonly subnetFile: string;
}

const surveyTimeoutMs = 30_000;

/**
 * Looks at the machine of a lease: does flanneld run there, and can it be stopped without anything else?
 * @throws Refused `owner-unreachable`, `flanneld-not-stoppable`, `kube-subnet-manager`
 */
export async function lookAtOwner(
  node: InventoryNode,
  inventory: Inventory,
  version: FlannelVersion,
  hosts: Hosts,
): Promise<LeaseOwner> {
  const { subnetFile } = flannelLayout(flannelFilesWish(inventory, node, { family: 'debian', version, endpoints: [] }));
  const seen = await ask(node, subnetFile, hosts).catch((error: unknown) => {
    if (!(error instanceof NetctlError)) throw error;
    throw new Refused({
      code: 'owner-unreachable',
      message: `whether flanneld runs on ${node.name} is not known, so nothing was done: ${error.message}`,
      details: error.details,
      next: [
        'A machine that does not answer may be alive, and its containers with it.',
        'When you know that flanneld does not run there: the same command with --etcd-only',
      ],
      cause: error,
    });
  });
  if (runsForKubernetes(seen)) {
    throw new Refused({
      code: 'kube-subnet-manager',
      message: `flanneld on ${node.name} keeps its subnets in Kubernetes, not in etcd; nothing was done`,
    });
  }
  const service = flanneldService(seen);
  if (service.kind === 'not-ours-to-stop' || service.kind === 'unknown') {
    throw new Refused({
      code: 'flanneld-not-stoppable',
      message: `flanneld on ${node.name} must not run meanwhile, and netctl does not stop it: ${service.why}`,
      next: [`Stop it on ${node.name} in the way in which it was started, then run this again.`],
    });
  }
  return { node, seen, service, subnetFile };
}

/** The same look once more, as it is after something was done there. */
export async function ask(node: InventoryNode, subnetFile: string, hosts: Hosts): Promise<LeaseOwnerSeen> {
  const { answers } = await survey(await hosts.of(node), leaseOwnerFacts(subnetFile), { timeoutMs: surveyTimeoutMs });
  return answers;
}

export function ownerStep(title: string, change: HostChange, mind: readonly string[]): NodeStep {
  return { title, changes: [change], mind };
}

/** Not to be cut off by Ctrl-C: what was stopped is started again. */
export async function carryOutAt({ node }: LeaseOwner, step: NodeStep, hosts: Hosts): Promise<void> {
  await carryOut(step, {
    host: await hosts.of(node),
    member: (name) => {
      throw new TypeError(`nothing is pushed here, not ${name}`);
    },
  });
}

/** What went wrong while flanneld was stopped, and that it still is. */
export function whileStopped(error: unknown, { node, service }: LeaseOwner): unknown {
  if (!(error instanceof NetctlError)) return error;
  const Kind = error instanceof Conflict ? Conflict : ChangeFailed;
  return new Kind({
    code: error.code,
    message: error.message,
    details: [...error.details, `${service.name ?? 'flanneld'} on ${node.name} is stopped, and was not started again`],
    next: [...error.next, 'Run the same command again: it goes on from here.'],
    cause: error,
  });
}
