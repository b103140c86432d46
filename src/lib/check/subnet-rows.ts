import type { Lease } from '../net/lease';
import { type NodeRef, nodesByPublicIP } from '../net/node-ref';
import type { SubnetRow } from '../net/subnet-query';
import type { LeaseProblem } from './leases';

const none: readonly string[] = [];

/**
 * Leases joined with what is known of them from elsewhere: the inventory's name for the owner, the time to live, the codes
 * of their problems. Remarks (`info`) mark no row.
 */
export function subnetRows(
  leases: readonly Lease[],
  nodes: readonly NodeRef[],
  problems: readonly LeaseProblem[],
  ttls: ReadonlyMap<string, number> | undefined,
): readonly SubnetRow[] {
  const owners = nodesByPublicIP(nodes);
  const codes = new Map<string, string[]>();
  for (const { severity, code, keys } of problems) {
    if (severity === 'info') continue;
    for (const key of keys) {
      const known = codes.get(key);
      if (known === undefined) codes.set(key, [code]);
      else if (!known.includes(code)) known.push(code);
    }
  }
  return leases.map((lease) => ({
    lease,
    node: (lease.publicIP === null ? undefined : owners.get(lease.publicIP)?.name) ?? null,
    ttlSeconds: ttls?.get(lease.key) ?? lease.ttlSeconds,
    // A key is made when it is asked for: not for nothing.
    problems: codes.size === 0 ? none : (codes.get(lease.key) ?? none),
  }));
}
