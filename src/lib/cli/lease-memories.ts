import { survey } from '../engine/survey';
import { NetctlError } from '../errors';
import { subnetEnvFile, writtenSubnet } from '../fact/subnet-env-file';
import { forEachHost } from '../host/pool';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { formatCidr, type Ipv4Cidr } from '../net/cidr';
import type { UnreadableLease } from '../net/lease';
import type { ReservationReading } from '../net/reservation';
import { readTombstones, tombstonesPrefix } from '../net/tombstone';
import { type LeaseMemory, memoryOf, publicIPIn } from '../plan/mend';
import { isSame } from '../plan/reservation-state';
import type { NetctlCommand } from './command';
import { openHosts } from './nodes';
import type { NetworkReading } from './session';

interface Asked {
  readonly key: string;
  readonly subnet: Ipv4Cidr;
}

/**
 * Everything that tells whose leases these were, and what their values were: etcd's past, what netctl keeps, the inventory. Nodes
 * are asked only about those of which none of these knows.
 */
export async function leaseMemories(
  command: Pick<NetctlCommand, 'say'>,
  network: NetworkReading,
  inventory: Inventory | undefined,
  unreadable: readonly UnreadableLease[],
  reservations: ReservationReading,
): Promise<readonly LeaseMemory[]> {
  const asked = unreadable.flatMap(({ key, subnet, part }): readonly Asked[] =>
    part === 'value' && subnet !== null ? [{ key, subnet }] : [],
  );
  if (asked.length === 0) return [];
  const memories: LeaseMemory[] = [];
  for (const one of asked) {
    const value = await pastValue(command, network, one.key);
    if (value !== undefined) memories.push({ key: one.key, from: 'past', value });
  }
  const tombstones = readTombstones(
    (await network.store.snapshot(tombstonesPrefix(network.prefix))).entries,
    network.prefix,
  );
  for (const { key, subnet } of asked) {
    const deleted = tombstones.find((each) => each.key === key);
    if (deleted !== undefined) memories.push({ key, from: 'deleted', value: deleted.value });
    const reserved = reservations.reservations.find((each) => isSame(each.subnet, subnet));
    if (reserved !== undefined) memories.push(memoryOf(key, 'reservation', reserved.publicIP));
    const node = inventory?.nodes.find((each) => each.subnet === formatCidr(subnet));
    if (node?.publicIP !== undefined) memories.push(memoryOf(key, 'inventory', node.publicIP));
  }
  const rest = asked.filter(({ key }) => !memories.some((each) => each.key === key));
  if (rest.length > 0 && inventory !== undefined) {
    memories.push(...(await fromNodes(command, network, inventory, rest)));
  }
  return memories;
}

/** The last value that flanneld can read, when the key was not deleted since: its next owner need not be the same. */
async function pastValue(
  command: Pick<NetctlCommand, 'say'>,
  { store, version }: NetworkReading,
  key: string,
): Promise<Uint8Array | undefined> {
  let last: Uint8Array | undefined;
  try {
    await store.past(key, (event) => {
      if (event.type === 'delete') {
        if (event.key === key) last = undefined;
      } else if (event.entry.key === key && publicIPIn(event.entry.value, version) !== null) last = event.entry.value;
    });
  } catch (error) {
    if (!(error instanceof NetctlError)) throw error;
    command.say(`note: what ${key} was before could not be read: ${error.message}`);
    return undefined;
  }
  return last;
}

/** Nodes without a lease are asked what subnet they had. */
async function fromNodes(
  command: Pick<NetctlCommand, 'say'>,
  network: NetworkReading,
  inventory: Inventory,
  asked: readonly Asked[],
): Promise<readonly LeaseMemory[]> {
  const holders = new Set(network.leases.leases.map(({ publicIP }) => publicIP));
  const nodes = inventory.nodes.filter(({ publicIP }) => publicIP !== undefined && !holders.has(publicIP));
  if (nodes.length === 0) return [];
  const path = inventory.flannel.subnetFile ?? inventoryDefaults.flannel.subnetFile;
  const hosts = await openHosts({});
  try {
    const outcomes = await forEachHost(nodes, { atOnce: 8 }, async (node: InventoryNode) => {
      const { answers } = await survey(await hosts.of(node), { env: subnetEnvFile(path) }, { timeoutMs: 20_000 });
      return answers.env;
    });
    return outcomes.flatMap((outcome): readonly LeaseMemory[] => {
      const { item: node } = outcome;
      if (outcome.kind !== 'done') {
        const why = outcome.kind === 'failed' && outcome.error instanceof Error ? outcome.error.message : '';
        command.say(`note: ${node.name} could not be asked what subnet it had: ${why}`);
        return [];
      }
      const subnet = writtenSubnet(outcome.value);
      const { publicIP } = node;
      if (subnet === null || publicIP === undefined) return [];
      return asked.flatMap((each) => (isSame(each.subnet, subnet) ? [memoryOf(each.key, 'node', publicIP)] : []));
    });
  } finally {
    hosts.close();
  }
}
