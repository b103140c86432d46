import type { Link } from '../fact/links';
import type { Route } from '../fact/routes';
import { cidrContains, formatCidr, type Ipv4Cidr } from '../net/cidr';
import { formatIpv4 } from '../net/ipv4';
import type { HostChange } from './host-change';

/**
 * The kernel's own route from a machine to its bridge, when it is gone; null when it is there, or no bridge is in the subnet. A flanneld that
 * works with another subnet takes this one for that of another node, and its route to there replaces the kernel's (`ip route
 * replace`, all releases); when the lease goes the route goes, and containers that run on the bridge hear nothing more.
 */
export function bridgeRoute(subnet: Ipv4Cidr, links: readonly Link[], routes: readonly Route[]): HostChange | null {
  for (const { name, addresses } of links) {
    for (const { family, address, length } of addresses) {
      if (family !== 4 || length !== subnet.length || !cidrContains(subnet, address)) continue;
      const isThere = routes.some(
        ({ destination, nextHops, table }) =>
          table === 'main' &&
          destination.family === 4 &&
          destination.base === subnet.base &&
          destination.length === subnet.length &&
          nextHops.some(({ device, gateway }) => device === name && gateway === null),
      );
      if (isThere) return null;
      const words = ['dev', name, 'proto', 'kernel', 'scope', 'link', 'src', formatIpv4(address)];
      return {
        kind: 'run',
        argv: ['ip', 'route', 'replace', formatCidr(subnet), ...words],
        why: `the way to the containers on ${name}, which a route of flanneld had replaced`,
      };
    }
  }
  return null;
}
