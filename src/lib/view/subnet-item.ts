import type { SubnetRow } from '../net/subnet-query';
import type { SubnetItem } from './subnet-list';

/** The same for a table or a list, which show some of it: each text is made when it is asked for. */
export function subnetCells(row: SubnetRow): SubnetItem {
  return new SubnetCells(row);
}

class SubnetCells implements SubnetItem {
  private readonly row: SubnetRow;

  constructor(row: SubnetRow) {
    this.row = row;
  }

  get subnet() {
    return this.row.lease.subnetText;
  }

  get publicIP() {
    return this.row.lease.publicIP;
  }

  get node() {
    return this.row.node;
  }

  get backend() {
    return this.row.lease.backendType;
  }

  get vtepMac() {
    return this.row.lease.vtepMac;
  }

  get vni() {
    return this.row.lease.vni;
  }

  get ipv6Subnet() {
    return this.row.lease.ipv6Subnet;
  }

  get publicIPv6() {
    return this.row.lease.publicIPv6;
  }

  get permanent() {
    return this.row.lease.permanent;
  }

  get expiresInSeconds() {
    return this.row.lease.permanent ? null : this.row.ttlSeconds;
  }

  get leaseId() {
    return this.row.lease.leaseId;
  }

  get key() {
    return this.row.lease.key;
  }

  get revision() {
    return this.row.lease.revision;
  }

  get problems() {
    return this.row.problems;
  }
}

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
