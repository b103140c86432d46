import { ChangeFailed } from '../errors';
import type { Lease } from '../net/lease';
import { readTombstones, tombstonesPrefix } from '../net/tombstone';
import type { ReclaimContext } from '../plan/reclaim';
import type { Entry, Snapshot } from '../store/store';
import type { NetworkStore } from './session';
import { whoAmI } from './who-am-i';

/** Entries by key; the snapshot is gone through once, when the first is asked for. */
export function entryFinder({ entries }: Snapshot): (key: string) => Entry | undefined {
  let known: ReadonlyMap<string, Entry> | undefined;
  return (key) => {
    known ??= new Map(Array.from(entries, (entry) => [entry.key, entry]));
    return known.get(key);
  };
}

/** For the records of leases that are taken away. @param command `netctl subnets release` */
export async function removalContext({ store, prefix, api }: NetworkStore, command: string): Promise<ReclaimContext> {
  const kept = await store.snapshot(tombstonesPrefix(prefix));
  return { prefix, api, tombstones: readTombstones(kept.entries, prefix), now: new Date(), who: whoAmI(), command };
}

/** Remaining seconds of these leases, by key; one that does not expire has no place in it. */
export async function ttlsOf(
  { store }: NetworkStore,
  entryOf: (key: string) => Entry | undefined,
  leases: readonly Lease[],
): Promise<ReadonlyMap<string, number>> {
  return store.ttls(leases.flatMap(({ key, permanent }) => (permanent ? [] : (entryOf(key) ?? []))));
}

/** etcd v2 looks for what has expired twice a second. */
const expiryMs = 10_000;

/** On v2 a lease that goes is let expire: waits until it has. @throws ChangeFailed `not-converged` */
export async function untilGone({ store, api }: NetworkStore, keys: readonly string[]): Promise<void> {
  const deadline = performance.now() + (api === 'v2' ? expiryMs : 0);
  for (const key of keys) {
    while ((await store.get(key)).entry !== undefined) {
      if (performance.now() > deadline) {
        throw new ChangeFailed({
          code: 'not-converged',
          message: `${key} was taken away and is there again: somebody has written it`,
          next: ['Look who: netctl subnets show SUBNET'],
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
