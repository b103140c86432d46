import { cidrContains, parseIpv4Cidr } from '../net/cidr';
import { type FlannelVersion, isAtLeast } from '../net/flannel-version';
import { parseIpv4 } from '../net/ipv4';
import { parseIpv6, parseIpv6Cidr } from '../net/ipv6';
import type { Lease } from '../net/lease';
import type { EffectiveConfig } from '../net/network-config';

/** What keeps a lease from fitting a config. */
export type Misfit = 'outside-network' | 'out-of-range' | 'wrong-length' | 'dual-stack-mismatch';

/** Tells for any number of leases whether flanneld would keep them under one config. */
export interface LeaseFit {
  /**
   * flanneld's own test when the owner starts: SubnetMin <= subnet <= SubnetMax and the same length, and since v0.17.0 the
   * same for IPv6. Empty means that the owner keeps the subnet; else it deletes the lease and takes another subnet.
   */
  misfits(lease: Pick<Lease, 'subnet' | 'address' | 'ipv6Subnet'>): readonly Misfit[];
}

const fits: readonly Misfit[] = [];

export function leaseFitOf(effective: EffectiveConfig, version: FlannelVersion): LeaseFit {
  // Without IPv4 flanneld compares with its zero values: only 0.0.0.0/0 fits.
  const network = effective.network === null ? undefined : parseIpv4Cidr(effective.network);
  const min = parseIpv4(effective.subnetMin ?? '0.0.0.0') ?? 0;
  const max = parseIpv4(effective.subnetMax ?? '0.0.0.0') ?? 0;
  const length = effective.subnetLen ?? 0;
  const knowsIpv6 = isAtLeast(version, 'v0.17.0');
  const min6 = parseIpv6(effective.ipv6SubnetMin ?? '::') ?? 0n;
  const max6 = parseIpv6(effective.ipv6SubnetMax ?? '::') ?? 0n;
  const fitsIpv6 = (ipv6Subnet: string | null): boolean => {
    if (!knowsIpv6) return true;
    if (!effective.enableIPv6) return ipv6Subnet === null;
    const subnet = ipv6Subnet === null ? undefined : parseIpv6Cidr(ipv6Subnet);
    if (subnet === undefined) return false;
    return subnet.address >= min6 && subnet.address <= max6 && subnet.length === effective.ipv6SubnetLen;
  };
  return {
    misfits: ({ subnet, address, ipv6Subnet }) => {
      const inRange = address >= min && address <= max;
      const rightLength = subnet.length === length;
      const rightFamilies = fitsIpv6(ipv6Subnet);
      if (inRange && rightLength && rightFamilies) return fits;
      const misfits: Misfit[] = [];
      if (!inRange) {
        const inside = network !== undefined && cidrContains(network, subnet);
        misfits.push(inside ? 'out-of-range' : 'outside-network');
      }
      if (!rightLength) misfits.push('wrong-length');
      if (!rightFamilies) misfits.push('dual-stack-mismatch');
      return misfits;
    },
  };
}

/** The BackendType that a node with this backend publishes; null for those that publish none. */
export function publishedType(backendType: string): string | null {
  switch (backendType) {
    case 'udp':
    case 'alloc':
    case 'aws-vpc':
    case 'gce':
    case 'ali-vpc':
    case 'tencent-vpc':
      return null;
    default:
      return backendType;
  }
}
