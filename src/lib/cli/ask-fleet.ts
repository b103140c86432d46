import { type Survey, survey } from '../engine/survey';
import { NetctlError } from '../errors';
import type { Facts } from '../fact/fact';
import { forEachHost } from '../host/pool';
import type { InventoryNode } from '../inventory/inventory';
import type { LostNode } from '../view/node-bootstrap';
import type { Hosts } from './nodes';

export interface AskedNode<F extends Facts> extends Survey<F> {
  readonly node: InventoryNode;
}

/** For the round trip to one node: some facts of a bootstrap wait for etcd. */
const timeoutMs = 40_000;

/** All facts of every node, one round trip each, several nodes at once. A node that cannot be asked is an answer, not an end. */
export async function askFleet<F extends Facts>(
  nodes: readonly InventoryNode[],
  hosts: Hosts,
  atOnce: number,
  factsOf: (node: InventoryNode) => F,
): Promise<{ readonly asked: readonly AskedNode<F>[]; readonly lost: readonly LostNode[] }> {
  const outcomes = await forEachHost(nodes, { atOnce }, async (node): Promise<AskedNode<F>> => {
    const host = await hosts.of(node);
    return { node, ...(await survey(host, factsOf(node), { timeoutMs })) };
  });
  const asked: AskedNode<F>[] = [];
  const lost: LostNode[] = [];
  for (const outcome of outcomes) {
    if (outcome.kind === 'done') asked.push(outcome.value);
    else if (outcome.kind === 'failed') {
      if (!(outcome.error instanceof NetctlError)) throw outcome.error;
      lost.push({ node: outcome.item.name, error: outcome.error.message });
    }
  }
  return { asked, lost };
}
