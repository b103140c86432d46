import type { BackupLease, NetworkBackup } from '../net/backup-file';
import { cidrsOverlap, formatCidr } from '../net/cidr';
import { configKey } from '../net/flannel-keys';
import type { FlannelVersion } from '../net/flannel-version';
import { type Lease, readLease } from '../net/lease';
import { leaseKeyTail } from '../net/lease-key';
import { judgeConfig, sameEffect } from '../net/network-config';
import { ownPrefix } from '../net/own-keys';
import { parseReservation, readReservations, type StoredReservation } from '../net/reservation';
import { parseTombstone } from '../net/tombstone';
import type { Api, Entry, Snapshot } from '../store/store';
import type { Change, Plan } from './change';
import { isHistoryRecord } from './network-history';

/**
 * What becomes of one key of a backup. unchanged: it is there already, with this value. kept: it is there with another value that is
 * no contradiction. skipped: it is never restored. conflict: what is there contradicts it, so nothing at all is restored.
 */
export type RestoreState = 'create' | 'unchanged' | 'kept' | 'skipped' | 'conflict';

export interface RestoreItem {
  readonly key: string;
  readonly what: 'config' | 'lease' | 'own';
  readonly state: RestoreState;
  /** What it will have; null when permanent, and for what is not written. */
  readonly ttlSeconds: number | null;
  readonly reason: string | null;
}

export interface RestorePlan extends Plan {
  readonly items: readonly RestoreItem[];
}

export interface RestoreTarget {
  readonly prefix: string;
  readonly api: Api;
  readonly version: FlannelVersion;
  /** Everything that starts with the prefix. */
  readonly snapshot: Snapshot;
}

type Put = Extract<Change, { kind: 'put' }>;

const daySeconds = 86_400;
/** flanneld renews at once what has no more than this left, so an owner that is there has it back in a moment. */
const leastSeconds = 3600;

/**
 * What must be written so that the network is as in the backup again. Reservations first, so that nobody takes what is kept; then
 * leases; the config last, because a flanneld that waits for it starts at once and would take any subnet that looks free.
 */
export function planRestore(backup: NetworkBackup, target: RestoreTarget): RestorePlan {
  const { prefix, version } = target;
  const there = new Map<string, Entry>();
  for (const entry of target.snapshot.entries) there.set(entry.key, entry);
  const items: RestoreItem[] = [];
  const changes: Put[] = [];
  const decide = (what: RestoreItem['what'], key: string, value: Uint8Array, judged: Judged): void => {
    const { state, reason, ttlSeconds } = judged;
    items.push({ key, what, state, ttlSeconds: state === 'create' ? (ttlSeconds ?? null) : null, reason });
    if (state !== 'create') return;
    const why = `${what === 'own' ? 'a record of netctl' : `the ${what}`} as it was in the backup`;
    changes.push({
      kind: 'put',
      key,
      value,
      expected: 'absent',
      why,
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    });
  };

  const { reservations } = readReservations(there.values(), prefix);
  for (const { tail, value } of backup.own) {
    const key = `${ownPrefix(prefix)}${tail}`;
    const judged = judgeOwn(tail, value, there.get(key), backup.head.prefix === prefix);
    const rival = judged.state === 'create' ? rivalOf(tail, value, reservations) : undefined;
    if (rival === undefined) decide('own', key, value, judged);
    else {
      const reason = `${formatCidr(rival.subnet)} is reserved for ${rival.publicIP} by now`;
      decide('own', key, value, { state: 'skipped', reason });
    }
  }
  const restored = new Set<string>();
  for (const lease of backup.leases) {
    const key = `${prefix}/subnets/${lease.tail}`;
    restored.add(key);
    decide('lease', key, lease.value, judgeLease(lease, key, there.get(key), target));
  }
  for (const entry of there.values()) {
    if (restored.has(entry.key) || !entry.key.startsWith(`${prefix}/subnets`)) continue;
    const reason = 'it is not in the backup: the network has gone on without it';
    items.push({ key: entry.key, what: 'lease', state: 'conflict', ttlSeconds: null, reason });
  }
  if (backup.config !== null) {
    const key = configKey(prefix);
    decide('config', key, backup.config, judgeStoredConfig(backup.config, there.get(key), version));
  }
  const isRefused = items.some(({ state }) => state === 'conflict');
  return { title: `the network at ${prefix}`, changes: isRefused ? [] : changes, items };
}

interface Judged {
  readonly state: RestoreState;
  readonly reason: string | null;
  /** Absent for a key that does not expire. */
  readonly ttlSeconds?: number;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function judgeLease(
  lease: BackupLease,
  key: string,
  now: Entry | undefined,
  { prefix, api, version }: RestoreTarget,
): Judged {
  const wish = readAt(key, lease.value, prefix, version);
  if ('reason' in wish) return { state: 'skipped', reason: `flanneld ${version.tag} cannot read it: ${wish.reason}` };
  if (now === undefined) {
    if (lease.permanent && api === 'v2') return { state: 'create', reason: null };
    const reason = lease.permanent ? 'it was permanent; flanneld makes a lease of it when it starts' : null;
    return { state: 'create', reason, ttlSeconds: lifeOf(lease) };
  }
  if (same(now.value, lease.value)) return { state: 'unchanged', reason: null };
  const is = readAt(key, now.value, prefix, version);
  if ('reason' in is) return { state: 'conflict', reason: `flanneld cannot read what is there now: ${is.reason}` };
  if (is.publicIP === wish.publicIP) return { state: 'kept', reason: 'its owner has written it since' };
  return {
    state: 'conflict',
    reason: `${is.publicIP ?? 'nobody'} holds it now, ${wish.publicIP ?? 'nobody'} in the backup`,
  };
}

function lifeOf({ permanent, ttlSeconds }: BackupLease): number {
  if (permanent || ttlSeconds === null) return daySeconds;
  return Math.min(daySeconds, Math.max(leastSeconds, Math.ceil(ttlSeconds)));
}

function readAt(
  key: string,
  value: Uint8Array,
  prefix: string,
  version: FlannelVersion,
): Lease | { readonly reason: string } {
  return readLease({ key, value, revision: '1', createdRevision: '1', permanent: false }, prefix, version);
}

function judgeOwn(tail: string, value: Uint8Array, now: Entry | undefined, samePrefix: boolean): Judged {
  if (now !== undefined) {
    return same(now.value, value)
      ? { state: 'unchanged', reason: null }
      : { state: 'kept', reason: 'it has been written since' };
  }
  const misplaced = whyMisplaced(tail, value);
  if (misplaced !== null) return { state: 'skipped', reason: misplaced };
  if (tail.startsWith('deleted/')) {
    if (parseTombstone(value) === undefined) return { state: 'skipped', reason: 'netctl cannot read it' };
    return samePrefix
      ? { state: 'create', reason: null }
      : { state: 'skipped', reason: 'it names a key at the prefix of the backup' };
  }
  const isReadable = tail.startsWith('history/') ? isHistoryRecord(value) : parseReservation(value).ok;
  return isReadable ? { state: 'create', reason: null } : { state: 'skipped', reason: 'netctl cannot read it' };
}

/**
 * Why netctl never keeps this record under this key; null when it does, and when it cannot read it. A backup holds what was there, also
 * what somebody put there by hand: it is left out, so that all else can be restored.
 */
function whyMisplaced(tail: string, value: Uint8Array): string | null {
  const [folder = '', name = '', ...deeper] = tail.split('/');
  // etcd v2 takes them for steps in a path.
  if (deeper.length > 0 || name === '.' || name === '..') return 'it is not a key of netctl';
  const read = folder === 'reservations' ? parseReservation(value) : undefined;
  if (read?.ok !== true) return null;
  const { subnet } = read.reservation;
  if (name === leaseKeyTail(subnet.base, subnet.length, null)) return null;
  return `it is about ${formatCidr(subnet)}, its key is not`;
}

/** A reservation that was made since and cannot be kept beside the one of the backup: a range is one node's, and a node has one. */
function rivalOf(
  tail: string,
  value: Uint8Array,
  reservations: readonly StoredReservation[],
): StoredReservation | undefined {
  const read = tail.startsWith('reservations/') ? parseReservation(value) : undefined;
  if (read?.ok !== true) return undefined;
  const { subnet, publicIP } = read.reservation;
  return reservations.find((each) => each.publicIP === publicIP || cidrsOverlap(each.subnet, subnet));
}

function judgeStoredConfig(wish: Uint8Array, now: Entry | undefined, version: FlannelVersion): Judged {
  if (now === undefined) return { state: 'create', reason: null };
  if (same(now.value, wish)) return { state: 'unchanged', reason: null };
  const [is, was] = [judgeConfig(now.value, version).effective, judgeConfig(wish, version).effective];
  return is !== null && was !== null && sameEffect(is, was)
    ? { state: 'kept', reason: 'it is written otherwise and means the same' }
    : { state: 'conflict', reason: 'another network config is there' };
}
