import { Conflict, NetctlError } from '../errors';
import { formatOperatorLock, type OperatorLock, parseOperatorLock } from '../net/operator-lock';
import { lockKey } from '../net/own-keys';
import type { Entry, Store } from '../store/store';

/** A lock that somebody else holds, as it was found. */
export interface OtherLock {
  readonly key: string;
  /** Undefined when the value is not netctl's: somebody unknown. */
  readonly holder: OperatorLock | undefined;
  /** Seconds until it runs out unless it is renewed; null when it does not. */
  readonly ttlSeconds: number | null;
}

export interface TakeLock {
  /** Take it from whoever has it. */
  readonly breakLock: boolean;
  /** Is it certain that the run with this lock has ended? Then it is taken like one that has run out. */
  readonly isGone: (holder: OperatorLock) => boolean;
  /** Somebody else's is waited for so long, in seconds: work that holds it for a moment only need not fail for another such. */
  readonly waitSeconds: number;
  /** Told once, before it is waited for. */
  readonly waiting: (other: OtherLock) => void;
  /** So long it lives when nobody renews it any more; it is renewed at a third of that. */
  readonly ttlSeconds: number;
  /** Told before a lock is taken from somebody, or from a run that is gone. */
  readonly breaking: (other: OtherLock, isGone: boolean) => void;
  /** Told once, when the lock turns out to be no longer ours. */
  readonly lost: () => void;
}

export interface HeldLock {
  /** Aborted when the lock is no longer ours: no further change is to be begun. */
  readonly lost: AbortSignal;
  /**
   * Asks etcd now: a machine that slept learns of a lost lock late, and what is done on a node no write of etcd guards.
   * @throws Conflict `lock-lost`, and what etcd throws when it cannot be asked
   */
  stillOurs(): Promise<void>;
  /**
   * Gives it back. False when that could not be done: then it runs out by itself.
   * @param isLast the store writes nothing more afterwards: work may still be under way in a process that ends
   */
  release(isLast?: boolean): Promise<boolean>;
}

const mostTries = 5;

/**
 * Takes the lock of the network at `prefix`, keeps it up until it is released, and lets the store write only as long as
 * it is ours. It is told apart by the revision at which it was made, which renewing does not change.
 * @throws Conflict `locked` when somebody else has it
 */
export async function takeOperatorLock(
  store: Store,
  prefix: string,
  mine: OperatorLock,
  options: TakeLock,
): Promise<HeldLock> {
  const key = lockKey(prefix);
  const value = formatOperatorLock(mine);
  const deadline = performance.now() + options.waitSeconds * 1000;
  let isWaiting = false;
  for (let tries = 1; ; tries++) {
    const { entry: there } = await store.get(key);
    try {
      if (there !== undefined) {
        const other = await describe(store, there);
        const isGone = other.holder !== undefined && options.isGone(other.holder);
        if (!isGone && !options.breakLock) {
          if (performance.now() >= deadline) throw locked(prefix, other);
          if (!isWaiting) options.waiting(other);
          isWaiting = true;
          tries = 0;
          // Those who wait are not to come all at once.
          await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 200));
          continue;
        }
        options.breaking(other, isGone);
        // Deleted and made anew: the holder knows its lock by the revision at which it was made.
        await store.delete(key, there.revision);
      }
      const entry = await store.put({ key, value, ttlSeconds: options.ttlSeconds }, 'absent');
      return new Held(store, entry, options);
    } catch (error) {
      // Renewed, given back or taken since it was read.
      if (!(error instanceof Conflict) || error.code !== 'etcd-conflict' || tries === mostTries) throw error;
    }
  }
}

class Held implements HeldLock {
  private readonly store: Store;
  private readonly options: TakeLock;
  private readonly made: Entry;
  private readonly ended = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private renewal: Promise<void> = Promise.resolve();
  private isReleased = false;

  constructor(store: Store, made: Entry, options: TakeLock) {
    this.store = store;
    this.made = made;
    this.options = options;
    store.fence({ key: made.key, createdRevision: made.createdRevision });
    this.renewIn((options.ttlSeconds * 1000) / 3);
  }

  get lost(): AbortSignal {
    return this.ended.signal;
  }

  async stillOurs(): Promise<void> {
    if (!this.ended.signal.aborted && (await this.ours()) === undefined) this.end();
    if (this.ended.signal.aborted) throw lost(this.made.key);
  }

  async release(isLast = false): Promise<boolean> {
    this.isReleased = true;
    clearTimeout(this.timer);
    await this.renewal;
    try {
      const now = await this.ours();
      if (now === undefined) return true;
      await this.store.delete(now.key, now.revision);
      await this.tidy(now.leaseId);
      return true;
    } catch (error) {
      if (error instanceof NetctlError) return false;
      throw error;
    } finally {
      if (!isLast) this.store.fence(undefined);
    }
  }

  private renewIn(delayMs: number): void {
    this.timer = setTimeout(() => {
      this.renewal = this.renew();
    }, delayMs);
    this.timer.unref();
  }

  private async renew(): Promise<void> {
    const { ttlSeconds } = this.options;
    let nextMs = (ttlSeconds * 1000) / 3;
    try {
      const now = await this.ours();
      if (now === undefined) return this.end();
      await this.store.put({ key: now.key, value: now.value, ttlSeconds }, now.revision);
      await this.tidy(now.leaseId);
    } catch (error) {
      // etcd cannot be reached: then nothing else is written either, and whose lock it is shows when it can.
      if (!(error instanceof NetctlError)) throw error;
      nextMs = Math.min(nextMs, 2000);
    }
    if (!this.isReleased) this.renewIn(nextMs);
  }

  /** An etcd lease of ours on which nothing hangs any more. It runs out by itself when this fails. */
  private async tidy(leaseId: string | undefined): Promise<void> {
    if (leaseId !== undefined) await this.store.revoke(leaseId).catch(() => undefined);
  }

  private async ours(): Promise<Entry | undefined> {
    const { entry } = await this.store.get(this.made.key);
    return entry?.createdRevision === this.made.createdRevision ? entry : undefined;
  }

  private end(): void {
    if (this.isReleased || this.ended.signal.aborted) return;
    clearTimeout(this.timer);
    this.ended.abort();
    this.options.lost();
  }
}

async function describe(store: Store, entry: Entry): Promise<OtherLock> {
  const ttls = await store.ttls([entry]);
  return { key: entry.key, holder: parseOperatorLock(entry.value), ttlSeconds: ttls.get(entry.key) ?? null };
}

function lost(key: string): Conflict {
  return new Conflict({
    code: 'lock-lost',
    message: `this run no longer holds the lock ${JSON.stringify(key)}, so nothing further was begun: it ran out, or somebody broke it`,
    next: ['See what the other one did, then run the command again: it goes on from what is there.'],
  });
}

function locked(prefix: string, { key, holder, ttlSeconds }: OtherLock): Conflict {
  const who =
    holder === undefined
      ? 'somebody unknown: the value of the lock is not one of netctl'
      : `${holder.owner} with ${holder.doing}`;
  const lasts =
    ttlSeconds === null
      ? 'It does not run out by itself.'
      : `It runs out in ${ttlSeconds} s unless they renew it, as a run that goes on does.`;
  return new Conflict({
    code: 'locked',
    message: `${prefix} is being changed by ${who}, so nothing was begun`,
    details: [
      ...(holder === undefined
        ? []
        : [`process ${holder.pid}, netctl ${holder.version}, since ${holder.since} by its own clock`]),
      `${key}: ${lasts}`,
    ],
    next: [
      ...(ttlSeconds === null ? [] : ['Wait until it has ended, or until the lock has run out, then run it again.']),
      'When that run is surely gone, or shall write nothing more: the same command with --break-lock',
    ],
  });
}
