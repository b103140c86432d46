import { InvalidInput } from '../errors';
import { cidrOf, formatCidr, parseIpv4Cidr } from '../net/cidr';
import { configKey, leaseListing } from '../net/flannel-keys';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import { judgeConfig } from '../net/network-config';
import { type NodeRef, publicIPOf } from '../net/node-ref';
import { reservationsPrefix } from '../net/reservation';
import { tombstonesPrefix } from '../net/tombstone';
import { SubnetPast, type SubnetPastItem, type SubnetPastWish } from '../plan/subnet-past';
import type { NetworkStore } from './session';

/** What `netctl subnets history` found. */
export interface PastOfSubnets {
  readonly items: readonly SubnetPastItem[];
  readonly omitted: number;
  readonly since: string;
  readonly until: string;
  /** It was for `depth` that nothing older was looked at. */
  readonly isCut: boolean;
}

/**
 * A subnet, an address (in a subnet, or the public IP of a node) or a node of the inventory.
 * @throws InvalidInput `bad-subnet-query`
 */
export function pastWish(query: string | undefined, nodes: readonly NodeRef[]): SubnetPastWish {
  if (query === undefined) return {};
  const text = query.trim();
  const named = nodes.filter(({ name }) => name === text);
  if (named.length > 0) return { publicIPs: new Set(named.flatMap((node) => publicIPOf(node) ?? [])) };
  const address = parseIpv4(text);
  if (address !== undefined) return { range: cidrOf(address, 32), publicIPs: new Set([formatIpv4(address)]) };
  const range = parseIpv4Cidr(text.replace(/-(\d{1,2})$/, '/$1'));
  if (range !== undefined) return { range: cidrOf(range.base, range.length) };
  throw new InvalidInput({
    code: 'bad-subnet-query',
    message: `${JSON.stringify(query)} is not a subnet, an address or a node of the inventory`,
    next: [
      'Give a subnet (10.5.1.0/24), an address in one (10.5.1.17), a public IP (192.168.0.7) or the name of a node.',
    ],
  });
}

/** Reads what etcd remembers of leases, reservations and deletions, and puts it together. */
export async function pastOfSubnets(
  { store, prefix, version, api }: NetworkStore,
  wish: SubnetPastWish,
  { most, depth }: { readonly most: number; readonly depth: number },
): Promise<PastOfSubnets> {
  const past = new SubnetPast(prefix, version, wish, most);
  // Of one subnet of this network only its own key is asked for; a larger range has others in it.
  const { range } = wish;
  const isOne = range !== undefined && range.length === (await subnetLength({ store, prefix, version }));
  const leases = isOne ? `${leaseListing(prefix)}/${formatCidr(range).replace('/', '-')}` : leaseListing(prefix);
  const [read] = await Promise.all([
    store.past(leases, (event) => past.lease(event), depth),
    store.past(reservationsPrefix(prefix), (event) => past.reservation(event), depth),
    store.past(tombstonesPrefix(prefix), (event) => past.tombstone(event), depth),
  ]);
  return { ...past.items(api === 'v2' && BigInt(read.since) > 1n), ...read };
}

async function subnetLength({ store, prefix, version }: Pick<NetworkStore, 'store' | 'prefix' | 'version'>) {
  const { entry } = await store.get(configKey(prefix));
  return entry === undefined ? undefined : judgeConfig(entry.value, version).effective?.subnetLen;
}
