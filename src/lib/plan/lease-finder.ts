import { type Ipv4Cidr, lastAddress } from '../net/cidr';
import type { Lease } from '../net/lease';

/** Leases by their owner and by their range, for many questions about the same ones. */
export class LeaseFinder {
  readonly #byIP = new Map<string, Lease[]>();
  readonly #ranges: readonly { readonly first: number; readonly last: number; readonly lease: Lease }[];

  constructor(leases: readonly Lease[]) {
    this.#ranges = leases.map((lease) => ({ first: lease.subnet.base, last: lastAddress(lease.subnet), lease }));
    for (const lease of leases) {
      if (lease.publicIP === null) continue;
      const same = this.#byIP.get(lease.publicIP);
      if (same === undefined) this.#byIP.set(lease.publicIP, [lease]);
      else same.push(lease);
    }
  }

  /** In the order given. */
  of(publicIP: string): readonly Lease[] {
    return this.#byIP.get(publicIP) ?? [];
  }

  /** Those that share an address with the range. */
  overlapping(range: Ipv4Cidr): readonly Lease[] {
    const end = lastAddress(range);
    return this.#ranges.filter(({ first, last }) => first <= end && range.base <= last).map(({ lease }) => lease);
  }
}
