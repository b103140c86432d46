import { checkLeases } from '../check/leases';
import { type NodeState, nodeState, pingsToSend, type StateNetwork, waysToAsk } from '../check/node-state';
import { survey } from '../engine/survey';
import { NetctlError } from '../errors';
import { overlayPing } from '../fact/overlay-ping';
import { type StateQuestions, stateFacts } from '../fact/state-facts';
import { forEachHost } from '../host/pool';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { parseFlannelVersion } from '../net/flannel-version';
import { flannelFilesWish, flannelLayout } from '../plan/flannel-files';
import type { Hosts } from './nodes';
import type { NetworkReading } from './session';

/** What became of a look at one node. */
export type NodeLook =
  | { readonly node: InventoryNode; readonly isReachable: true; readonly state: NodeState }
  | { readonly node: InventoryNode; readonly isReachable: false; readonly error: NetctlError };

const surveyTimeoutMs = 30_000;
const pingTimeoutMs = 20_000;

/** What all nodes are compared with. The time until leases end is asked here, for the nodes that are looked at. */
export async function stateNetwork(
  network: NetworkReading,
  inventory: Inventory,
  nodes: readonly InventoryNode[],
): Promise<StateNetwork> {
  const { leases } = network.leases;
  const addresses = new Set(nodes.flatMap(({ publicIP }) => publicIP ?? []));
  // A node whose address is a name may hold any of them.
  const isOurs = nodes.some(({ publicIP }) => publicIP === undefined)
    ? () => true
    : (publicIP: string | null) => publicIP !== null && addresses.has(publicIP);
  const keys = new Set(leases.flatMap(({ key, publicIP }) => (isOurs(publicIP) ? [key] : [])));
  const ttls = await network.store.ttls(
    Array.from(network.snapshot.entries).filter(({ key, permanent }) => !permanent && keys.has(key)),
  );
  const problems = checkLeases({
    api: network.api,
    prefix: network.prefix,
    version: network.version,
    reading: network.leases,
    effective: network.effective,
    nodes: inventory.nodes,
    ttls,
  });
  const { version } = inventory.flannel;
  return {
    leases,
    effective: network.effective,
    nodes: inventory.nodes,
    wanted: version === undefined ? null : parseFlannelVersion(version),
    problems,
    ttls,
  };
}

/**
 * Looks at nodes: a survey of each, then its pings, several nodes at once. One that cannot be reached does not keep the
 * others from being shown.
 */
export async function lookAtNodes(
  nodes: readonly InventoryNode[],
  inventory: Inventory,
  network: StateNetwork & Pick<NetworkReading, 'version'>,
  hosts: Hosts,
  atOnce: number,
): Promise<readonly NodeLook[]> {
  const outcomes = await forEachHost(nodes, { atOnce }, async (node): Promise<NodeState> => {
    const host = await hosts.of(node);
    const asked = questions(node, inventory, network);
    const { answers: seen } = await survey(host, stateFacts(asked), { timeoutMs: surveyTimeoutMs });
    const { addresses, source } = pingsToSend(node, seen, network);
    const pings =
      addresses.length === 0
        ? null
        : (await survey(host, { pings: overlayPing(addresses, { source }) }, { timeoutMs: pingTimeoutMs })).answers
            .pings;
    return nodeState({ node, seen, pings, network, asked });
  });
  return outcomes.map((outcome): NodeLook => {
    const { item: node } = outcome;
    if (outcome.kind === 'done') return { node, isReachable: true, state: outcome.value };
    if (outcome.kind === 'failed' && outcome.error instanceof NetctlError) {
      return { node, isReachable: false, error: outcome.error };
    }
    throw outcome.kind === 'failed' ? outcome.error : new TypeError(`${node.name} was not looked at`);
  });
}

/** Where flanneld is often put by hand, so that its release can be told as well. */
const otherPrograms = ['/usr/bin/flanneld', '/usr/local/bin/flanneld', '/opt/bin/flanneld', '/opt/flannel/flanneld'];

function questions(
  node: InventoryNode,
  inventory: Inventory,
  network: StateNetwork & Pick<NetworkReading, 'version'>,
): StateQuestions {
  // What is asked here of the layout is the same on both families.
  const layout = flannelLayout(
    flannelFilesWish(inventory, node, { family: 'debian', version: network.version, endpoints: [] }),
  );
  return {
    subnetFile: layout.subnetFile,
    programs: [...new Set([layout.executable, layout.programs.flanneld, ...otherPrograms])],
    targets: waysToAsk(node, network),
    dockerService: inventory.docker.service ?? inventoryDefaults.docker.service,
  };
}
