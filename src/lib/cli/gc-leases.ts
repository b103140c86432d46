import { revokeLeases } from '../engine/revoke-leases';
import { ageSeconds, judgeEtcdLease } from '../plan/gc-leases';
import type { EtcdLease } from '../store/store';
import { plural } from '../view/count';
import { type EtcdLeaseItem, etcdLeaseListView } from '../view/etcd-lease-list';
import type { ListView } from '../view/list';
import { approve } from './approve';
import type { NetctlCommand } from './command';
import { beginNoMore, uninterrupted } from './interrupt';
import { withOperatorLock } from './operator-lock';
import type { NetworkStore } from './session';

export interface GcLeasesOptions {
  readonly revoke: boolean;
  readonly leastAgeSeconds: number;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly breakLock: boolean;
}

interface GcLeasesDocument {
  readonly items: readonly EtcdLeaseItem[];
  readonly extra: Readonly<Record<string, unknown>>;
  readonly view: ListView<EtcdLeaseItem>;
}

/** Looks for etcd leases without keys, and ends the orphans when that is wished. */
export async function gcLeases(
  command: NetctlCommand,
  opened: NetworkStore,
  options: GcLeasesOptions,
): Promise<GcLeasesDocument> {
  const { store, prefix, api } = opened;
  if (api === 'v2') {
    command.say('etcd v2 has no leases: a time to live is part of its key, and nothing is left behind');
  }
  // What hangs on the leases of this network is known already: 65,536 questions less.
  const used = new Set<string>();
  for (const { leaseId } of (await store.snapshot(`${prefix}/`)).entries) if (leaseId !== undefined) used.add(leaseId);
  const empty = (await store.leases({ except: used })).filter(({ keys }) => keys.length === 0);
  const items = empty.map((lease) => itemOf(lease, options.leastAgeSeconds));
  const orphans = empty.filter((lease) => judgeEtcdLease(lease, options.leastAgeSeconds) === 'orphan');
  const document = (all: readonly EtcdLeaseItem[], applied: boolean): GcLeasesDocument => ({
    items: all,
    extra: { prefix, api, applied },
    view: etcdLeaseListView('There is no etcd lease without a key.'),
  });
  if (orphans.length > 0 && !options.revoke) {
    command.say(
      `${plural(orphans.length, 'orphan')}: they run out by themselves within a day; --revoke ends them at once`,
    );
  }
  if (!options.revoke || orphans.length === 0) return document(items, false);
  if (options.dryRun) {
    command.say(`Dry run: ${plural(orphans.length, 'orphan')} would be ended, nothing was.`);
    return document(items, false);
  }
  await approve({
    yes: options.yes,
    question: `End ${plural(orphans.length, 'etcd lease')} on which nothing hangs?`,
    what: 'it',
    nothing: 'nothing was changed',
    show: async () => {
      for (const { id } of orphans.slice(0, 20)) command.say(`orphan ${id}`);
      if (orphans.length > 20) command.say(`and ${orphans.length - 20} more`);
    },
  });
  const outcomes = await withOperatorLock(
    command,
    opened,
    { breakLock: options.breakLock, doing: 'netctl subnets gc-leases' },
    (lost) =>
      uninterrupted(() =>
        revokeLeases(store, orphans, {
          leastAgeSeconds: options.leastAgeSeconds,
          stop: AbortSignal.any([beginNoMore, lost]),
        }),
      ),
  );
  return document(
    items.map((item) => ({ ...item, ...outcomes.get(item.id) })),
    true,
  );
}

function itemOf(lease: EtcdLease, leastAgeSeconds: number): EtcdLeaseItem {
  const { id, ttlSeconds, grantedSeconds } = lease;
  const judged = judgeEtcdLease(lease, leastAgeSeconds);
  const state = judged === 'in-use' ? 'other' : judged;
  const reasons = {
    orphan: null,
    fresh: 'so young that a flanneld may be about to use it',
    other: 'no flanneld grants such a one',
  };
  return { id, state, ttlSeconds, grantedSeconds, ageSeconds: ageSeconds(lease), reason: reasons[state] };
}
