import type { Inventory } from '../inventory/inventory';
import { formatCidr } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';
import { readRange } from '../net/range-input';

export interface Avoided {
  readonly cidr: string;
  readonly why: string;
}

function hostOf(endpoint: string): string {
  return endpoint.replace(/^https?:\/\//, '').replace(/:\d+\/?$/, '');
}

/** What the network must not touch: `--avoid`, and what the inventory says. */
export async function avoidedRanges(
  flags: readonly string[],
  inventory: Inventory | undefined,
): Promise<readonly Avoided[]> {
  const avoided: Avoided[] = [];
  for (const text of flags.flatMap((flag) => flag.split(','))) {
    avoided.push({ cidr: formatCidr(await readRange(text, '--avoid')), why: '--avoid' });
  }
  return inventory === undefined ? avoided : [...avoided, ...avoidedByInventory(inventory)];
}

/** The inventory's `network.avoid`, and the addresses of its nodes and of etcd. */
export function avoidedByInventory(inventory: Inventory): readonly Avoided[] {
  const avoided: Avoided[] = inventory.network.avoid.map((cidr) => ({ cidr, why: 'network.avoid in the inventory' }));
  const hosts = new Map<string, string>();
  for (const node of inventory.nodes) {
    for (const address of [node.address, node.publicIP]) {
      if (address !== undefined) hosts.set(address, `address of node ${node.name}`);
    }
  }
  for (const endpoint of inventory.etcd.endpoints ?? []) hosts.set(hostOf(endpoint), 'address of etcd');
  for (const [host, why] of hosts) {
    if (parseIpv4(host) !== undefined) avoided.push({ cidr: `${host}/32`, why });
  }
  return avoided;
}
