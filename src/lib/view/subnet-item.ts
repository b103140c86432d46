import type { SubnetRow } from '../net/subnet-query';
import type { SubnetItem } from './subnet-list';

/** A row of leases in the words of the public document. */
export function subnetItem({ lease, node, ttlSeconds, problems }: SubnetRow): SubnetItem {
  return {
    subnet: lease.subnetText,
    publicIP: lease.publicIP,
    node,
    backend: lease.backendType,
    vtepMac: lease.vtepMac,
    vni: lease.vni,
    ipv6Subnet: lease.ipv6Subnet,
    publicIPv6: lease.publicIPv6,
    permanent: lease.permanent,
    expiresInSeconds: lease.permanent ? null : ttlSeconds,
    leaseId: lease.leaseId,
    key: lease.key,
    revision: lease.revision,
    problems,
  };
}
