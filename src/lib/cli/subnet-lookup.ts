import { checkLeases } from '../check/leases';
import { subnetRows } from '../check/subnet-rows';
import { cidrsOverlap, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';
import type { NodeRef } from '../net/node-ref';
import { findLeases } from '../net/subnet-query';
import type { SubnetDocument } from '../view/subnet';
import { subnetItem } from '../view/subnet-item';
import type { NetworkReading } from './session';
import { askTtls } from './subnet-reading';

/**
 * Who holds a subnet, and all that is wrong there: also a key for it that flanneld cannot read.
 * @throws InvalidInput `bad-subnet-query`
 */
export async function lookUpSubnet(
  query: string,
  network: NetworkReading,
  nodes: readonly NodeRef[],
): Promise<SubnetDocument> {
  const { api, prefix, version, effective, leases: reading } = network;
  const found = findLeases(query, reading.leases, nodes);
  const keys = new Set(found.map(({ lease }) => lease.key));
  const ttls = await askTtls(network, keys);
  const problems = checkLeases({ api, prefix, version, reading, effective, nodes, ttls });
  const leases = found.map(({ lease }) => lease);
  const asked = rangeOf(query);
  for (const { key, subnet } of reading.unreadable) {
    if (asked !== undefined && subnet !== null && cidrsOverlap(subnet, asked)) keys.add(key);
  }
  return {
    query,
    prefix,
    api,
    revision: network.snapshot.revision,
    network: effective?.network ?? null,
    items: subnetRows(leases, nodes, problems, ttls).map((row, index) => ({
      ...subnetItem(row),
      foundBy: found[index]?.by ?? 'subnet',
      backendData: leases[index]?.backendData ?? null,
    })),
    problems: problems.filter(({ subject, keys: of }) => subject === query || of.some((key) => keys.has(key))),
  };
}

function rangeOf(query: string): Ipv4Cidr | undefined {
  const text = query.trim();
  const address = parseIpv4(text);
  return address === undefined ? parseIpv4Cidr(text.replace(/-(\d{1,2})$/, '/$1')) : { base: address, length: 32 };
}
