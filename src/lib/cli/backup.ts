import { type BackupKey, type BackupLease, backedUpOwnKeys, type NetworkBackup } from '../net/backup-file';
import { configKey } from '../net/flannel-keys';
import { readLeases } from '../net/lease';
import { ownPrefix } from '../net/own-keys';
import type { Entry } from '../store/store';
import { progress } from '../view/progress';
import type { NetctlCommand } from './command';
import type { NetworkStore } from './session';
import { whoAmI } from './who-am-i';

/** A network as it was read, and what of it is not in the backup. */
export interface ReadBackup {
  readonly backup: NetworkBackup;
  readonly ttlAsked: boolean;
  /** Keys among the leases that flanneld cannot read; they are in the file and are never restored. */
  readonly unreadable: readonly string[];
  /** Keys below the prefix that are neither the config nor a lease. */
  readonly leftOut: readonly string[];
}

/** etcd answers some 2,600 questions about a TTL a second: up to so many a person waits without being asked. */
const ttlsWithoutAsking = 10_000;
const ttlsAtOnce = 1000;

/**
 * Reads the network and what netctl keeps beside it, at one revision.
 * @param ttl whether to ask how long leases still live; undefined: while there are few
 */
export async function readBackup(
  command: NetctlCommand,
  opened: NetworkStore,
  ttl: boolean | undefined,
): Promise<ReadBackup> {
  const { store, prefix, api, version } = opened;
  const own = ownPrefix(prefix);
  const directory = `${prefix}/subnets/`;
  // One reading for both: the keys of netctl begin with the prefix too. Other networks may as well.
  const snapshot = await store.snapshot(prefix);
  let config: Uint8Array | null = null;
  const leaseEntries: Entry[] = [];
  const ownKeys: BackupKey[] = [];
  const leftOut: string[] = [];
  for (const entry of snapshot.entries) {
    const { key, value } = entry;
    if (key.startsWith(own)) {
      const tail = key.slice(own.length);
      if (backedUpOwnKeys.some((beginning) => tail.startsWith(beginning))) ownKeys.push({ tail, value });
    } else if (key === configKey(prefix)) config = value;
    else if (key.startsWith(directory) && key.length > directory.length && !key.includes('/', directory.length)) {
      leaseEntries.push(entry);
    } else if (key.startsWith(`${prefix}/`)) leftOut.push(key);
  }
  const ttlAsked = ttl ?? leaseEntries.length <= ttlsWithoutAsking;
  const ttls = ttlAsked ? await askTtls(command, opened, leaseEntries) : new Map<string, number>();
  const { unreadable } = readLeases({ api, entries: leaseEntries }, prefix, version);
  return {
    backup: {
      head: {
        madeAt: new Date().toISOString(),
        madeBy: whoAmI(),
        netctl: command.config.version,
        revision: snapshot.revision,
        api,
        clusterId: snapshot.clusterId,
        prefix,
        flannel: version.tag,
      },
      config,
      leases: leaseEntries.map(
        ({ key, value, permanent }): BackupLease => ({
          tail: key.slice(directory.length),
          value,
          permanent,
          ttlSeconds: ttls.get(key) ?? null,
        }),
      ),
      own: ownKeys,
    },
    ttlAsked,
    unreadable: unreadable.map(({ key }) => key),
    leftOut,
  };
}

async function askTtls(
  command: NetctlCommand,
  { store }: NetworkStore,
  entries: readonly Entry[],
): Promise<ReadonlyMap<string, number>> {
  const line = progress(process.stderr, command.talkScreen, 'asking etcd when leases expire');
  const ttls = new Map<string, number>();
  try {
    for (let at = 0; at < entries.length; at += ttlsAtOnce) {
      for (const [key, seconds] of await store.ttls(entries.slice(at, at + ttlsAtOnce))) ttls.set(key, seconds);
      line.update(Math.min(entries.length, at + ttlsAtOnce), entries.length);
    }
  } finally {
    line.end();
  }
  return ttls;
}
