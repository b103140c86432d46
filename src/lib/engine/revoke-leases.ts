import { NetctlError } from '../errors';
import { ageSeconds, judgeEtcdLease } from '../plan/gc-leases';
import type { EtcdLease, Store } from '../store/store';

export type Revoked = 'revoked' | 'left' | 'failed';

export interface RevokeOptions {
  readonly leastAgeSeconds: number;
  /** No further one is begun. */
  readonly stop: AbortSignal;
  readonly atOnce?: number;
}

/**
 * Ends etcd leases on which nothing hangs. A revocation takes whatever hangs on the lease with it and cannot be made to depend on that
 * there is nothing, so each one is looked at once more, just before.
 * @returns what became of each, with the reason, by id; those that were not begun are missing
 */
export async function revokeLeases(
  store: Store,
  leases: readonly EtcdLease[],
  { leastAgeSeconds, stop, atOnce = 8 }: RevokeOptions,
): Promise<ReadonlyMap<string, { readonly state: Revoked; readonly reason: string | null }>> {
  const outcomes = new Map<string, { readonly state: Revoked; readonly reason: string | null }>();
  const rest = leases.values();
  const worker = async (): Promise<void> => {
    for (const { id } of rest) {
      if (stop.aborted) return;
      try {
        const now = await store.lease(id);
        const why = now === undefined ? 'it has run out' : whyLeft(now, leastAgeSeconds);
        if (why === undefined) await store.revoke(id);
        outcomes.set(id, why === undefined ? { state: 'revoked', reason: null } : { state: 'left', reason: why });
      } catch (error) {
        if (!(error instanceof NetctlError)) throw error;
        outcomes.set(id, { state: 'failed', reason: error.message });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return outcomes;
}

function whyLeft(lease: EtcdLease, leastAgeSeconds: number): string | undefined {
  const state = judgeEtcdLease(lease, leastAgeSeconds);
  switch (state) {
    case 'orphan':
      return undefined;
    case 'in-use':
      return `${lease.keys[0]} hangs on it now`;
    case 'fresh':
      return `it was renewed: its age is ${ageSeconds(lease)} s now`;
    case 'other':
      return 'it is not one of flannel';
    default:
      return state satisfies never;
  }
}
