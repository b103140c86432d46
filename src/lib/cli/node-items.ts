import type { InventoryNode } from '../inventory/inventory';
import type { Lease } from '../net/lease';
import { publicIPOf } from '../net/node-ref';
import { publishedType } from '../plan/lease-fit';
import type { NodeItem } from '../view/node-list';
import type { NetworkReading } from './session';
import { askTtls, ttlsWithoutAsking } from './subnet-reading';

/** Nodes of the inventory joined with their leases; and how many leases belong to none of its nodes. */
export async function nodeItems(
  nodes: readonly InventoryNode[],
  all: readonly InventoryNode[],
  network: NetworkReading,
): Promise<{ readonly items: readonly NodeItem[]; readonly strangers: number }> {
  const { leases } = network.leases;
  const byIP = new Map<string, Lease>();
  for (const lease of leases) if (lease.publicIP !== null && !byIP.has(lease.publicIP)) byIP.set(lease.publicIP, lease);
  const held = nodes.map((node) => byIP.get(publicIPOf(node) ?? ''));
  const keys = new Set(held.flatMap((lease) => lease?.key ?? []));
  const ttls =
    network.api === 'v2' || keys.size > ttlsWithoutAsking ? new Map<string, number>() : await askTtls(network, keys);
  const known = new Set(all.flatMap((node) => publicIPOf(node) ?? []));
  const type = network.effective === null ? null : publishedType(network.effective.backend.type);
  return {
    items: nodes.map((node, index): NodeItem => {
      const lease = held[index];
      return {
        name: node.name,
        address: node.address,
        publicIP: node.publicIP ?? null,
        subnet: lease?.subnetText ?? null,
        wantedSubnet: node.subnet ?? null,
        lease: lease === undefined ? 'none' : type !== null && lease.backendType === null ? 'assigned' : 'held',
        permanent: lease?.permanent ?? false,
        expiresInSeconds: lease === undefined ? null : (ttls.get(lease.key) ?? lease.ttlSeconds),
        labels: node.labels,
      };
    }),
    strangers: leases.filter(({ publicIP }) => publicIP === null || !known.has(publicIP)).length,
  };
}
