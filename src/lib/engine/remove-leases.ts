import { Conflict, NetctlError } from '../errors';
import { mostTombstones, type StoredTombstone } from '../net/tombstone';
import type { Removal } from '../plan/reclaim';
import type { Store } from '../store/store';

export type RemovalOutcome =
  /** Acknowledged by etcd. Whether it is gone is seen by looking again. */
  | { readonly kind: 'removed'; readonly key: string }
  /** Somebody wrote it since it was read: it lives, and was left. */
  | { readonly kind: 'conflict'; readonly key: string; readonly error: Conflict }
  /** What became of it is not known for certain; run again. */
  | { readonly kind: 'failed'; readonly key: string; readonly error: NetctlError }
  /** Not begun. */
  | { readonly kind: 'skipped'; readonly key: string };

export interface RemoveLeases {
  /** Aborted: no further one is begun. */
  readonly stop?: AbortSignal;
  readonly doing?: (removal: Removal) => void;
}

/**
 * Takes leases away, one after the other. Of each, what it was is kept before it goes: cut off in between there is a record too
 * many, never one too few. A lease that was renewed meanwhile is left and the others go on; any other failure ends the work.
 */
export async function removeLeases(
  removals: readonly Removal[],
  store: Store,
  options: RemoveLeases = {},
): Promise<readonly RemovalOutcome[]> {
  const outcomes: RemovalOutcome[] = [];
  let isEnded = false;
  for (const removal of removals) {
    if (isEnded || options.stop?.aborted === true) {
      outcomes.push({ kind: 'skipped', key: removal.key });
      continue;
    }
    options.doing?.(removal);
    const outcome = await removeLease(removal, store);
    outcomes.push(outcome);
    // Without the lock, or without an answer of etcd, the next one would fare no better.
    isEnded = outcome.kind === 'failed' || (outcome.kind === 'conflict' && outcome.error.code === 'lock-lost');
  }
  return outcomes;
}

async function removeLease({ key, keep, remove }: Removal, store: Store): Promise<RemovalOutcome> {
  let kept: { readonly key: string; readonly revision: string } | undefined;
  try {
    if (keep !== null) kept = await store.put({ key: keep.key, value: keep.value }, keep.expected);
    if (remove.kind === 'delete') await store.delete(remove.key, remove.expected);
    else {
      const { value, ttlSeconds, expected } = remove;
      await store.put({ key: remove.key, value, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) }, expected);
    }
    return { kind: 'removed', key };
  } catch (error) {
    if (error instanceof Conflict) {
      // It was not taken away, so there is nothing to undo. A record that stays does no harm: undo sees that the lease is there.
      if (kept !== undefined) await store.delete(kept.key, kept.revision).catch(() => undefined);
      return { kind: 'conflict', key, error };
    }
    if (error instanceof NetctlError) return { kind: 'failed', key, error };
    throw error;
  }
}

/** Lets the oldest records go when there are too many. Whatever fails is left for the next time. */
export async function boundTombstones(tombstones: readonly StoredTombstone[], store: Store): Promise<void> {
  for (const { ownKey, ownRevision } of tombstones.slice(mostTombstones)) {
    try {
      await store.delete(ownKey, ownRevision);
    } catch (error) {
      if (!(error instanceof NetctlError)) throw error;
      return;
    }
  }
}
