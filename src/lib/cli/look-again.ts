import type { NodeState } from '../check/node-state';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { lookAtNodes, type NodeLook, stateNetwork } from './fleet-state';
import type { Hosts } from './nodes';
import type { NetworkReading } from './session';

export interface LookAgainOptions {
  readonly atOnce: number;
  /** Reads the network afresh: leases that have just been taken count. */
  readonly network: () => Promise<NetworkReading>;
  /** How long may be waited until routes to the peers are there. Default 15. */
  readonly seconds?: number;
}

/** flanneld hears of a new lease within a second or so and then makes routes; host-gw mends lost ones every 10 s. */
const defaultSeconds = 15;
const pauseMs = 500;
/** A peer that is really away never answers, and a flanneld that is dead stays so: for these alone nobody waits so long. */
const shortSeconds = 5;
const shortSettling: ReadonlySet<string> = new Set(['peer-not-reached', 'flanneld-not-running']);

/** What comes by itself a moment after flanneld has started. */
const settling: ReadonlySet<string> = new Set([
  'peer-route-missing',
  'peer-route-wrong',
  'peer-arp-wrong',
  'peer-fdb-wrong',
  'tunnel-device-missing',
]);

/**
 * How the nodes are after work on them. Looks until each has its routes to all peers, or the time is over; what is not
 * right then stands among the problems of its state.
 */
export async function lookAgain(
  nodes: readonly InventoryNode[],
  inventory: Inventory,
  hosts: Hosts,
  options: LookAgainOptions,
): Promise<readonly NodeLook[]> {
  const began = performance.now();
  const looks = new Map<string, NodeLook>();
  let left = nodes;
  for (;;) {
    const network = await options.network();
    const compared = { ...(await stateNetwork(network, inventory, nodes)), version: network.version };
    for (const look of await lookAtNodes(left, inventory, compared, hosts, options.atOnce)) {
      looks.set(look.node.name, look);
    }
    const seconds = (performance.now() - began) / 1000;
    left = left.filter(({ name }) => {
      const look = looks.get(name);
      return look?.isReachable === true && isSettling(look.state, seconds < shortSeconds);
    });
    if (left.length === 0 || seconds >= (options.seconds ?? defaultSeconds)) break;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return nodes.flatMap(({ name }) => looks.get(name) ?? []);
}

function isSettling({ problems }: NodeState, isEarly: boolean): boolean {
  return problems.some(({ code }) => settling.has(code) || (isEarly && shortSettling.has(code)));
}
