import type { EtcdLease } from '../store/store';

/** flanneld grants its leases for a day, and no release has a flag for it (spec 3.4). */
const flannelSeconds = 86_400;

/**
 * What an etcd lease is to flannel. orphan: nothing hangs on it, it was granted as flanneld grants, and long enough ago. fresh: so
 * young that a flanneld may be about to put its key under it. other: nothing hangs on it, but no flanneld grants such a one.
 */
export type EtcdLeaseState = 'in-use' | 'orphan' | 'fresh' | 'other';

/**
 * @param leastAgeSeconds a flanneld puts its key a moment after the grant; one that is slow must not lose it. What counts is the time by
 * etcd's own TTL, which a change of etcd's leader sets back: then the lease looks younger, which is the safe side.
 */
export function judgeEtcdLease(lease: EtcdLease, leastAgeSeconds: number): EtcdLeaseState {
  if (lease.keys.length > 0) return 'in-use';
  if (lease.grantedSeconds !== flannelSeconds) return 'other';
  return ageSeconds(lease) >= leastAgeSeconds ? 'orphan' : 'fresh';
}

/** At least so old. */
export function ageSeconds({ grantedSeconds, ttlSeconds }: EtcdLease): number {
  return Math.max(0, grantedSeconds - ttlSeconds);
}
