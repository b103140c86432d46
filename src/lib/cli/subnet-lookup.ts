import { checkLeases } from '../check/leases';
import { subnetRows } from '../check/subnet-rows';
import { cidrsOverlap, formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';
import { type NodeRef, nodesByPublicIP } from '../net/node-ref';
import type { ReservationReading } from '../net/reservation';
import { addressesOf, findLeases } from '../net/subnet-query';
import type { SubnetDocument } from '../view/subnet';
import { subnetItem } from '../view/subnet-item';
import type { NetworkReading } from './session';
import { askTtls } from './subnet-reading';

/**
 * Who holds a subnet, for whom it is kept, and all that is wrong there: also a key for it that flanneld cannot read.
 * @param reservations null when etcd does not let them be read
 * @throws InvalidInput `bad-subnet-query`
 */
export async function lookUpSubnet(
  query: string,
  network: NetworkReading,
  nodes: readonly NodeRef[],
  reservations: ReservationReading | null,
): Promise<SubnetDocument> {
  const { api, prefix, version, effective, leases: reading } = network;
  const found = findLeases(query, reading.leases, nodes);
  const keys = new Set(found.map(({ lease }) => lease.key));
  const ttls = await askTtls(network, keys);
  const problems = checkLeases({
    api,
    prefix,
    version,
    reading,
    effective,
    nodes,
    ttls,
    ...(reservations === null ? {} : { reservations }),
  });
  const leases = found.map(({ lease }) => lease);
  const asked = rangeOf(query);
  for (const { key, subnet } of reading.unreadable) {
    if (asked !== undefined && subnet !== null && cidrsOverlap(subnet, asked)) keys.add(key);
  }
  const meant = publicIPsOf(query, nodes);
  const isAbout = (subnet: Ipv4Cidr, publicIP?: string): boolean =>
    (asked !== undefined && cidrsOverlap(subnet, asked)) ||
    (publicIP !== undefined && meant.has(publicIP)) ||
    leases.some((lease) => cidrsOverlap(lease.subnet, subnet));
  const reserved = reservations?.reservations.filter(({ subnet, publicIP }) => isAbout(subnet, publicIP)) ?? null;
  const subjects = new Set([
    query,
    ...(reserved ?? []).map(({ subnet }) => formatCidr(subnet)),
    ...(reservations?.damaged ?? []).flatMap(({ key, subnet }) => (subnet !== null && isAbout(subnet) ? key : [])),
  ]);
  const names = nodesByPublicIP(nodes);
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
    reservations:
      reserved?.map(({ subnet, publicIP, node, note }) => ({
        subnet: formatCidr(subnet),
        publicIP,
        node: names.get(publicIP)?.name ?? node,
        note,
      })) ?? null,
    problems: problems.filter(({ subject, keys: of }) => subjects.has(subject) || of.some((key) => keys.has(key))),
  };
}

/** The address asked for, or those of the node that is asked for. */
function publicIPsOf(query: string, nodes: readonly NodeRef[]): ReadonlySet<string> {
  const text = query.trim();
  const named = nodes.filter(({ name }) => name === text);
  return named.length === 0 ? new Set([text]) : addressesOf(named);
}

function rangeOf(query: string): Ipv4Cidr | undefined {
  const text = query.trim();
  const address = parseIpv4(text);
  return address === undefined ? parseIpv4Cidr(text.replace(/-(\d{1,2})$/, '/$1')) : { base: address, length: 32 };
}
