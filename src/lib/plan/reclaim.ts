import type { Lease } from '../net/lease';
import { formatTombstone, type StoredTombstone, type Tombstone, tombstoneKey } from '../net/tombstone';
import type { Api, Entry } from '../store/store';
import type { Change } from './change';
import { expiring } from './reset-lease';

/** A lease that is proven gone, as it was read. */
export interface GoneLease {
  readonly lease: Lease;
  /** The same key, with its bytes. */
  readonly entry: Entry;
  readonly ttlSeconds: number | null;
  /** Why it was taken for dead, one line each. */
  readonly reasons: readonly string[];
}

export interface ReclaimContext {
  readonly prefix: string;
  readonly api: Api;
  /** Those that are kept already: a run that was cut off may have written one. */
  readonly tombstones: readonly StoredTombstone[];
  /** For the record. */
  readonly now: Date;
  readonly who: string;
  readonly command: string;
}

/** How one lease is taken away: what it was is kept first, then it goes. */
export interface Removal {
  readonly key: string;
  /** Null when a run before has kept it. */
  readonly keep: Extract<Change, { kind: 'put' }> | null;
  /** Guarded by the revision that was read: an owner that has renewed since makes it a `Conflict`. */
  readonly remove: Change;
}

/** Plans the removal of a lease, with its tombstone. Pure; for whoever deletes leases. */
export function planRemoval({ lease, entry, ttlSeconds, reasons }: GoneLease, context: ReclaimContext): Removal {
  const { prefix, api, tombstones, now, who, command } = context;
  const ownKey = tombstoneKey(prefix, lease);
  const tombstone: Tombstone = {
    key: lease.key,
    subnet: lease.subnetText,
    revision: lease.revision,
    value: entry.value,
    permanent: entry.permanent,
    ttlSeconds,
    deletedAt: now.toISOString(),
    deletedBy: who,
    command,
    reasons,
  };
  const isKept = tombstones.some((each) => each.ownKey === ownKey && each.key === lease.key);
  const remove = {
    kind: 'delete',
    key: lease.key,
    expected: lease.revision,
    why: `nobody has ${lease.subnetText} any more; the other nodes take away their routes to it`,
  } as const;
  return {
    key: lease.key,
    keep: isKept
      ? null
      : {
          kind: 'put',
          key: ownKey,
          value: formatTombstone(tombstone),
          expected: 'absent',
          why: 'so that netctl subnets undo can put it back',
        },
    remove: api === 'v2' ? expiring(remove, entry.value) : remove,
  };
}

const mostAtOnce = 5;

/** How many leases may go in one run unless a person says otherwise: a tenth of them, one at least and five at most. */
export function defaultMax(leases: number): number {
  return Math.max(1, Math.min(mostAtOnce, Math.ceil(leases / 10)));
}

/** So many and so great a part of all leases looking dead at once rather means that we do not see well. */
const massAtLeast = 3;
const massPart = 0.25;

/**
 * Do suspiciously many nodes look dead?
 * @param silent leases that neither live nor are kept
 * @param all leases that were looked at
 */
export function isMassDeath(silent: number, all: number): boolean {
  return silent >= massAtLeast && silent > all * massPart;
}
