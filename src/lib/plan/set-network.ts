import { configKey } from '../net/flannel-keys';
import type { FlannelVersion } from '../net/flannel-version';
import { readLeases } from '../net/lease';
import { judgeConfig, sameEffect, type Verdict } from '../net/network-config';
import type { NodeRef } from '../net/node-ref';
import { historyKey } from '../net/own-keys';
import type { Entry, Snapshot } from '../store/store';
import type { Change, Plan } from './change';
import { type NetworkChange, planNetworkChange } from './network-change';
import { historyOf, writeHistoryRecord } from './network-history';

export interface NetworkFacts {
  readonly prefix: string;
  /** Everything below `<prefix>/`, at one revision. */
  readonly snapshot: Snapshot;
  /** netctl's history keys. */
  readonly history: Snapshot;
}

export interface NetworkIntent {
  /** The bytes that `<prefix>/config` ought to hold. */
  readonly text: Uint8Array;
  /** True: exactly these bytes (a rollback). False: any text by which flanneld would do the same will do. */
  readonly exact: boolean;
  readonly version: FlannelVersion;
  readonly nodes: readonly NodeRef[];
  /** For the history record. */
  readonly now: Date;
  readonly who: string;
  readonly command: string;
}

export interface StoredConfig {
  readonly entry: Entry;
  readonly verdict: Verdict;
}

export interface SetNetworkPlan extends Plan {
  readonly state: 'unchanged' | 'create' | 'change';
  readonly current: StoredConfig | null;
  readonly wish: Verdict;
  /** What the change does to leases and nodes; null when nothing changes. */
  readonly effect: NetworkChange | null;
}

/** What must be written so that the network is as intended. Empty when it already is. */
export function planSetNetwork(facts: NetworkFacts, intent: NetworkIntent): SetNetworkPlan {
  const title = `network config at ${configKey(facts.prefix)}`;
  const wish = judgeConfig(intent.text, intent.version);
  const { config, leases } = readLeases(facts.snapshot, facts.prefix, intent.version);
  const current = config === null ? null : { entry: config, verdict: judgeConfig(config.value, intent.version) };
  if (current !== null && isAsIntended(current, wish, intent)) {
    return { title, changes: [], state: 'unchanged', current, wish, effect: null };
  }
  const changes: Change[] = [];
  if (current !== null) {
    // A run that was interrupted between the two writes has left this record; it is the same, so it stays. One that was restored
    // from the backup of another etcd can have the same revision, but not the same config.
    const kept = historyOf(facts.history).some(
      ({ revision, config }) =>
        revision === current.entry.revision && Buffer.compare(config, current.entry.value) === 0,
    );
    if (!kept) {
      changes.push({
        kind: 'put',
        key: freeHistoryKey(facts, current.entry.revision),
        expected: 'absent',
        value: writeHistoryRecord({
          revision: current.entry.revision,
          config: current.entry.value,
          replacedAt: intent.now.toISOString(),
          replacedBy: intent.who,
          command: intent.command,
        }),
        why: 'keep the config that is replaced',
      });
    }
  }
  changes.push({
    kind: 'put',
    key: configKey(facts.prefix),
    value: intent.text,
    expected: current?.entry.revision ?? 'absent',
    why: current === null ? 'flanneld waits for it' : 'the network that was asked for',
  });
  const effect =
    wish.effective === null
      ? null
      : planNetworkChange({
          current: current?.verdict.effective ?? null,
          wish: wish.effective,
          leases,
          nodes: intent.nodes,
          version: intent.version,
        });
  return { title, changes, state: current === null ? 'create' : 'change', current, wish, effect };
}

/** The key of that revision, or the next one where something lies that is not to be written over. */
function freeHistoryKey({ prefix, history }: NetworkFacts, revision: string): string {
  const taken = new Set(Array.from(history.entries, ({ key }) => key));
  let number = BigInt(revision);
  while (taken.has(historyKey(prefix, String(number)))) number += 1n;
  return historyKey(prefix, String(number));
}

function isAsIntended(current: StoredConfig, wish: Verdict, intent: NetworkIntent): boolean {
  if (Buffer.compare(current.entry.value, intent.text) === 0) return true;
  if (intent.exact || wish.effective === null || current.verdict.effective === null) return false;
  return sameEffect(current.verdict.effective, wish.effective);
}
