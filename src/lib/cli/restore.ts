import { reviewConfig } from '../check/network-config';
import { executeMany } from '../engine/execute-many';
import { ChangeFailed, Refused } from '../errors';
import type { NetworkBackup } from '../net/backup-file';
import { etcdApiOf } from '../net/flannel-version';
import { historyPrefix } from '../net/own-keys';
import { planRestore, type RestorePlan, type RestoreState } from '../plan/restore';
import { plural } from '../view/count';
import { type NetworkRestoreReport, networkRestoreView } from '../view/network-restore';
import { progress } from '../view/progress';
import { approve } from './approve';
import type { NetctlCommand, OutputChoice } from './command';
import { notAccepted } from './config-not-accepted';
import { beginNoMore, uninterrupted } from './interrupt';
import { withOperatorLock } from './operator-lock';
import type { NetworkStore } from './session';

export interface RestoreOptions extends OutputChoice {
  readonly 'dry-run': boolean;
  readonly yes: boolean;
  readonly 'break-lock': boolean;
}

/** etcd takes some 9,000 writes a second, and half as many when each has a lease of its own. */
const writesAtOnce = 32;

/**
 * Puts a network back as it was in a backup: shows what that does, refuses where etcd holds something else, asks, writes what is
 * missing and nothing over anything, looks again, prints the result.
 * @throws Refused `restore-over-live`, InvalidInput when flanneld would not take the config
 */
export async function restore(
  command: NetctlCommand,
  opened: NetworkStore,
  file: string,
  backup: NetworkBackup,
  options: RestoreOptions,
): Promise<void> {
  const { store, prefix, api, version } = opened;
  if (backup.config !== null) {
    const review = reviewConfig(backup.config, version, { avoid: [] });
    if (review.verdict.outcome !== 'accepted') throw notAccepted(review);
  }
  const look = async () => planRestore(backup, { prefix, api, version, snapshot: await store.snapshot(prefix) });
  const report = (plan: RestorePlan, state: NetworkRestoreReport['state']): NetworkRestoreReport => ({
    file,
    state,
    prefix,
    api,
    from: {
      prefix: backup.head.prefix,
      api: backup.head.api,
      revision: backup.head.revision,
      madeAt: backup.head.madeAt,
      madeBy: backup.head.madeBy,
    },
    counts: countsOf(plan),
    notes: notesOf(backup, opened, plan),
    items: plan.items,
  });
  const print = (plan: RestorePlan, state: NetworkRestoreReport['state']) =>
    command.printRecord(report(plan, state), networkRestoreView, options);

  const shown = await look();
  const contradictions = shown.items.filter(({ state }) => state === 'conflict');
  if (contradictions.length > 0) {
    await print(shown, 'refused');
    throw differs(prefix, contradictions);
  }
  if (shown.changes.length === 0) return print(shown, 'unchanged');
  if (options['dry-run']) {
    await print(shown, 'would-restore');
    command.say('Dry run: nothing was written.');
    return;
  }
  await approve({
    yes: options.yes,
    question: `Write ${plural(shown.changes.length, 'key')} to ${prefix}?`,
    what: 'it',
    nothing: 'nothing was changed',
    show: () => command.talkRecord(report(shown, 'would-restore'), networkRestoreView),
  });
  const plan = await withOperatorLock(
    command,
    opened,
    { breakLock: options['break-lock'], doing: 'netctl restore' },
    async (lost) => {
      // What was shown may be minutes old.
      const fresh = await look();
      const newer = fresh.items.filter(({ state }) => state === 'conflict');
      if (newer.length > 0) throw differs(prefix, newer);
      await write(command, opened, fresh, AbortSignal.any([beginNoMore, lost]));
      return fresh;
    },
  );
  const rest = await look();
  if (rest.changes.length > 0 || rest.items.some(({ state }) => state === 'conflict')) {
    throw new ChangeFailed({
      code: 'not-converged',
      message: `${plan.title}: all was acknowledged, but etcd does not hold it now`,
      details: rest.items
        .flatMap(({ state, key }) => (state === 'create' || state === 'conflict' ? [`${state} ${key}`] : []))
        .slice(0, 20),
      next: ['A flanneld or somebody else has written there. Run the command again and look at what it shows.'],
    });
  }
  await print(plan, 'restored');
}

/** Each group when the one before it is there: replaced configs, netctl's other records, the leases, the config. */
async function write(
  command: NetctlCommand,
  opened: NetworkStore,
  plan: RestorePlan,
  stop: AbortSignal,
): Promise<void> {
  const whatOf = new Map(plan.items.map(({ key, what }) => [key, what]));
  const history = historyPrefix(opened.prefix);
  const groupOf = (key: string) => (key.startsWith(history) ? 'history' : whatOf.get(key));
  const line = progress(process.stderr, command.talkScreen, 'writing to etcd');
  let written = 0;
  const done = () => line.update(++written, plan.changes.length);
  try {
    for (const group of ['history', 'own', 'lease', 'config'] as const) {
      const changes = plan.changes.filter(({ key }) => groupOf(key) === group);
      // The order in which etcd got them tells which config was replaced last; it is that of their keys.
      const atOnce = group === 'history' ? 1 : writesAtOnce;
      await uninterrupted(() => executeMany(plan.title, changes, opened.store, { atOnce, stop, done }));
    }
  } finally {
    line.end();
  }
}

function countsOf({ items }: RestorePlan): NetworkRestoreReport['counts'] {
  const counts: Record<RestoreState, number> = { create: 0, unchanged: 0, kept: 0, skipped: 0, conflict: 0 };
  for (const { state } of items) counts[state] += 1;
  return counts;
}

function notesOf(
  { head, config, leases }: NetworkBackup,
  { prefix, api, version }: NetworkStore,
  plan: RestorePlan,
): readonly string[] {
  const notes: string[] = [];
  if (config === null) notes.push('the backup has no network config: flanneld waits until one is written');
  if (head.api !== api) {
    notes.push(
      `from etcd ${head.api} to etcd ${api}: flannel ${api === 'v3' ? 'v0.18.0 and later reads' : 'up to v0.17.0 reads'} it there; the old one stays as it is`,
    );
  }
  if (head.prefix !== prefix) notes.push(`flanneld has to be told the new prefix: --etcd-prefix=${prefix}`);
  if (etcdApiOf(version) !== api) notes.push(`judged by the rules of flannel ${version.tag}`);
  if (leases.some(({ ttlSeconds, permanent }) => ttlSeconds === null && !permanent)) {
    notes.push('the backup does not say how long leases still lived: those get 24 hours');
  }
  if (plan.items.some(({ what, state }) => what === 'lease' && state === 'create')) {
    notes.push(
      'leases get the time that they had left in the backup, at least an hour; an owner that is there renews its own at once',
    );
  }
  return notes;
}

function differs(prefix: string, contradictions: RestorePlan['items']): Refused {
  const most = 10;
  const rest = contradictions.length - most;
  return new Refused({
    code: 'restore-over-live',
    message: `${prefix}: what is in etcd contradicts the backup, so nothing was restored`,
    details: [
      ...contradictions.slice(0, most).map(({ key, reason }) => `${key}: ${reason ?? ''}`),
      ...(rest > 0 ? [`and ${plural(rest, 'more key')}`] : []),
    ],
    next: [
      'A backup is for a network that is gone. One that lives is not written over: nodes would lose their subnets.',
      'To look at the two: netctl backup NOW, then diff it with the backup.',
      'To have it beside the other one: another --prefix.',
    ],
  });
}
