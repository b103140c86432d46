import type { NetworkWish } from '../net/network-config';
import type { Inventory } from './inventory';

/** The section `network` as the wish that `init-network` starts from; absent when it names no network or no backend. */
export function networkWishOf(inventory: Inventory): NetworkWish | undefined {
  const { cidr, backend, ipv6Cidr, avoid: _avoid, ...rest } = inventory.network;
  if (backend === undefined || (cidr === undefined && ipv6Cidr === undefined)) return undefined;
  return {
    ...rest,
    ...(cidr === undefined ? {} : { network: cidr }),
    ...(ipv6Cidr === undefined ? {} : { ipv6Network: ipv6Cidr }),
    backend,
  };
}
