import { formatCidr, type Ipv4Cidr } from '../net/cidr';
import type { Lease } from '../net/lease';
import type { Problem } from '../net/problem';
import type { Change } from './change';

type Delete = Extract<Change, { kind: 'delete' }>;
type Put = Extract<Change, { kind: 'put' }>;

export interface LeaseOwner {
  readonly node: string;
  /** By it flanneld finds its lease; null when the inventory does not tell it. */
  readonly publicIP: string | null;
  /** Addresses of the node's own links, as text. */
  readonly addresses: readonly string[];
  /** Of its subnet.env; null when there is none. */
  readonly subnet: Ipv4Cidr | null;
}

export interface LeaseRelease {
  /** Each guarded by the revision that was read. */
  readonly changes: readonly Delete[];
  readonly problems: readonly Problem[];
}

/**
 * The leases of a node that is no longer one. A lease counts as the node's when its public IP is the one of the inventory; where the
 * inventory names none, when it is an address of the node and the subnet is that of its subnet.env: behind NAT several nodes may show
 * the same address.
 * @param others public IPs of the other nodes
 */
export function releaseLease(owner: LeaseOwner, leases: readonly Lease[], others: ReadonlySet<string>): LeaseRelease {
  const { node, publicIP, addresses, subnet } = owner;
  const isSubnet = (lease: Lease): boolean =>
    subnet !== null && lease.subnet.base === subnet.base && lease.subnet.length === subnet.length;
  if (publicIP !== null && others.has(publicIP)) {
    return {
      changes: [],
      problems: [
        {
          code: 'lease-left',
          severity: 'warning',
          path: publicIP,
          message: `${publicIP} is the public IP of another node too, so it does not tell whose lease is ${node}'s; leases were left`,
          suggestion: 'Give each node its own publicIP in the inventory.',
        },
      ],
    };
  }
  const isOwn = (lease: Lease): boolean =>
    lease.publicIP !== null &&
    (publicIP === null ? isSubnet(lease) && addresses.includes(lease.publicIP) : lease.publicIP === publicIP);
  const own = leases.filter(isOwn);
  const foreign = leases.find((lease) => isSubnet(lease) && !own.includes(lease));
  return {
    changes: own.map((lease) => ({
      kind: 'delete',
      key: lease.key,
      expected: lease.revision,
      why: `${node} gives back ${formatCidr(lease.subnet)}; the other nodes take away their routes to it`,
    })),
    problems:
      foreign === undefined
        ? []
        : [
            {
              code: 'lease-left',
              severity: 'warning',
              path: foreign.key,
              message: `${foreign.key} is the subnet of ${node}'s subnet.env, but its public IP is ${foreign.publicIP ?? 'none'}, not ${publicIP ?? "one of the node's"}; it was left`,
              suggestion: `netctl subnets show ${foreign.subnetText}`,
            },
          ],
  };
}

/**
 * The same in etcd v2, where a guarded DELETE is an event `compareAndDelete`. flanneld (v0.8.0 to v0.17.0) knows `delete` and `expire`
 * only, and takes any other for a lease with an empty value: up to v0.13 it then sees no change of any node any more, later ones
 * keep the route. So the lease is given a second to live, guarded as well, and etcd lets it expire.
 */
export function expiring(change: Delete, value: Uint8Array): Put {
  const { key, expected, why } = change;
  return { kind: 'put', key, value, expected, ttlSeconds: 1, why };
}
