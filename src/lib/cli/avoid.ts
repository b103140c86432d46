import { InvalidInput } from '../errors';
import type { Inventory } from '../inventory/inventory';
import { formatCidr, parseIpv4Cidr } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';

export interface Avoided {
  readonly cidr: string;
  readonly why: string;
}

function hostOf(endpoint: string): string {
  return endpoint.replace(/^https?:\/\//, '').replace(/:\d+\/?$/, '');
}

/** What the network must not touch: `--avoid`, the inventory's `network.avoid`, and the addresses of its nodes and of etcd. */
export function avoidedRanges(flags: readonly string[], inventory: Inventory | undefined): readonly Avoided[] {
  const avoided: Avoided[] = [];
  for (const text of flags.flatMap((flag) => flag.split(','))) {
    const cidr = parseIpv4Cidr(text.trim());
    if (cidr === undefined) {
      throw new InvalidInput({
        code: 'bad-avoid',
        message: `--avoid ${JSON.stringify(text)} is not a CIDR`,
        next: ['Write it as 192.168.0.0/16'],
      });
    }
    avoided.push({ cidr: formatCidr(cidr), why: '--avoid' });
  }
  if (inventory === undefined) return avoided;
  for (const cidr of inventory.network.avoid) avoided.push({ cidr, why: 'network.avoid in the inventory' });
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
