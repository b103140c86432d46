import type { NetctlError } from '../errors';

/**
 * Where flannel keeps its state, reduced to what netctl needs of etcd.
 *
 * Two implementations obey one contract (`test/contract/store.ts`): etcd v3 (gRPC, flannel >= v0.18.0) and
 * etcd v2 (HTTP, flannel <= v0.17.0). The two stores of one etcd server are disjoint.
 * Every method ends within the store's deadline; errors are `Unreachable`, `Conflict`, `ChangeFailed`,
 * `InvalidInput` of `errors.ts` and name the endpoint.
 */
export type Api = 'v2' | 'v3';

/** A revision (v3) or index (v2), decimal. Opaque: compare for equality, hand back to `put`, `delete`, `watch`. */
export type Revision = string;

export interface Entry {
  readonly key: string;
  /** Exactly the stored bytes; they need not be UTF-8. */
  readonly value: Uint8Array;
  /** Revision of the last change: the guard of the next write. */
  readonly revision: Revision;
  readonly createdRevision: Revision;
  /** No TTL at all: v3 key without a lease, v2 key without expiration. */
  readonly permanent: boolean;
  /** v3 lease id as etcdctl prints it (lower-case hex), absent when permanent and always absent on v2. */
  readonly leaseId?: string;
  /** Remaining seconds. v2 tells at once; on v3 ask `ttls`. Absent when permanent or not asked. */
  readonly ttlSeconds?: number;
}

/** Entries that may be made while they are gone through: of 65,536 only one need be there at a time. An array is one. */
export interface Entries extends Iterable<Entry> {
  readonly length: number;
}

/** All keys that start with a text, as of one revision. */
export interface Snapshot {
  readonly api: Api;
  /** v3: the cluster's id, hex; v2: the X-Etcd-Cluster-Id header. */
  readonly clusterId: string;
  readonly revision: Revision;
  /** The endpoint that answered. */
  readonly endpoint: string;
  /** In byte order of their keys. */
  readonly entries: Entries;
}

export interface Write {
  readonly key: string;
  readonly value: Uint8Array;
  /** Seconds until it expires (v3: under a newly granted lease), `'keep'` to leave TTL or lease as it is, absent for none. */
  readonly ttlSeconds?: number | 'keep';
}

/** What a write was guarded by: the revision that was read, or that there was no such key. */
// oxlint-disable-next-line typescript/no-redundant-type-constituents -- the word is there for the reader
export type Expected = Revision | 'absent';

/** A key that must still be the one that was made at this revision, or nothing is written: the lock of an operator. */
export interface Fence {
  readonly key: string;
  readonly createdRevision: Revision;
}

export type WatchEvent =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string; readonly revision: Revision };

/**
 * `events`: changes in order, none lost and none twice since the revision of the batch before.
 * `reset`: history was compacted away; the whole state anew, replaces all that is known.
 */
export type WatchBatch =
  | { readonly type: 'events'; readonly revision: Revision; readonly events: readonly WatchEvent[] }
  | { readonly type: 'reset'; readonly snapshot: Snapshot };

/** What a watcher is told about the connection, for the person who looks on. */
export interface WatchNotice {
  readonly kind: 'lost' | 'back' | 'compacted';
  readonly message: string;
}

export interface WatchOptions {
  readonly from: Revision;
  readonly signal: AbortSignal;
  readonly notice?: (notice: WatchNotice) => void;
}

/** How much `Store.past` could tell. */
export interface Past {
  /** What was before is forgotten, or was not looked at; 1 or less when there was nothing. */
  readonly since: Revision;
  /** It was for `depth` that it went no further back. */
  readonly isCut: boolean;
  /** Up to this revision. */
  readonly until: Revision;
}

/** An etcd lease (v3 only). */
export interface EtcdLease {
  readonly id: string;
  readonly grantedSeconds: number;
  readonly ttlSeconds: number;
  readonly keys: readonly string[];
}

export interface EndpointStatus {
  readonly endpoint: string;
  readonly reachable: boolean;
  readonly version?: string;
  readonly memberId?: string;
  readonly leaderId?: string;
  readonly dbSizeBytes?: number;
  readonly alarms: readonly string[];
  readonly error?: string;
}

export interface Store {
  readonly api: Api;
  /** Every key that starts with `prefix` (a text prefix, as in `etcdctl get --prefix`), at one revision. */
  snapshot(prefix: string): Promise<Snapshot>;
  get(key: string): Promise<{ readonly revision: Revision; readonly entry: Entry | undefined }>;
  /**
   * Remaining seconds by key. A permanent entry or one whose lease is gone has no place in the map. One request a lease,
   * pipelined: some 2,500 a second. When `signal` aborts, what is known by then.
   */
  ttls(entries: readonly Entry[], signal?: AbortSignal): Promise<ReadonlyMap<string, number>>;
  /**
   * Writes if and only if the key is still as expected, else `Conflict`. Never repeated when the outcome is
   * unknown: the key is read again, and the answer is what was found (or `ChangeFailed` when that fails too).
   */
  put(write: Write, expected: Expected): Promise<Entry>;
  delete(key: string, expected: Revision): Promise<void>;
  /**
   * From now on every `put` and `delete` through this store also demands that the key of the fence is the one that was made
   * then; else they are a `Conflict` `lock-lost`. Part of the same transaction on v3; v2 has none and asks just before.
   */
  fence(fence: Fence | undefined): void;
  /**
   * Ends an etcd lease (v3), and with it every key that still hangs on it: only for one on which nothing may hang any more.
   * One that is gone already is no error. Nothing to do on v2.
   */
  revoke(leaseId: string): Promise<void>;
  /**
   * Changes after `from`. Reconnects by itself, fails over, survives compaction; ends when `signal` aborts.
   * @throws Unreachable when it cannot be begun, or when the user loses the right to look
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch>;
  /**
   * What etcd still knows of the past of all keys that start with a text, in order, up to now. v3 knows everything since
   * the last compaction, and tells what was there then first, as puts of their own revisions; v2 knows the last 1,000
   * events of all its keys and not what was there before them.
   * @param each called for every change; of a deletion only the key is known
   * @param depth v3: look back so many changes of the whole of etcd at most. It costs etcd more than in proportion: some
   * seconds for 20,000, which is the default.
   */
  past(prefix: string, each: (event: WatchEvent) => void, depth?: number): Promise<Past>;
  /**
   * Every etcd lease with what hangs on it; empty on v2. One request a lease, pipelined.
   * @param except ids that are not asked about
   */
  leases(options?: {
    readonly signal?: AbortSignal;
    readonly except?: ReadonlySet<string>;
  }): Promise<readonly EtcdLease[]>;
  /** One etcd lease; undefined when it is gone, and on v2. */
  lease(id: string): Promise<EtcdLease | undefined>;
  /** One answer per configured endpoint, asked at once; a dead one is an answer, not an error. */
  status(): Promise<readonly EndpointStatus[]>;
  close(): void;
}

/** What one API holds of a flannel network. */
export interface PrefixUse {
  /** Whether etcd serves this API at all; false too when that could not be found out, see `error`. */
  readonly served: boolean;
  /** Whether there is a `<prefix>/config`. */
  readonly config: boolean;
  /** Keys that flanneld reads as leases: all that start with `<prefix>/subnets`. */
  readonly leases: number;
  /** Why this API could not be asked; the other fields then say nothing. */
  readonly error?: NetctlError;
}

/** A store that can tell cheaply whether a network lives in it. */
export interface PrefixLooker {
  /** @throws Unreachable */
  look(prefix: string): Promise<PrefixUse>;
}

/** How to reach etcd. Certificates and password are contents, not paths. */
export interface StoreOptions {
  /** http:// or https:// addresses, without a path; all of one scheme. */
  readonly endpoints: readonly [string, ...string[]];
  readonly ca?: Uint8Array;
  readonly cert?: Uint8Array;
  readonly key?: Uint8Array;
  readonly user?: { readonly name: string; readonly password: string };
  /** Deadline of one request. */
  readonly timeoutMs: number;
}
