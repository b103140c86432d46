/*
 * For the bundler (scripts/build.mjs): etcd3 parses a .proto text at load time, of which its 98 ms mostly consist. In the
 * bundle `@grpc/proto-loader` is ./etcd-v3-proto.ts, which does not: 13 ms to load instead of 65 ms, with code cache, and
 * a whole get in 51 ms instead of 117 ms.
 */
import { randomBytes } from 'node:crypto';
import type { ITxnResponse } from 'etcd3';
import type { Conflict } from '../errors';
import { endpointsOf, tlsMaterial } from './endpoint';
import {
  conflict,
  type Doing,
  EndpointFailure,
  etcdError,
  isFinal,
  lockLost,
  notWritten,
  outcomeUnknown,
} from './etcd-errors';
import { type Asking, Member, TokenRefused } from './etcd-v3-member';
import { entryOf, hexOf, leaseNumber } from './etcd-v3-message';
import { pastV3 } from './etcd-v3-past';
import type { RangeQuestion } from './etcd-v3-range';
import { watchV3 } from './etcd-v3-watch';
import { AllFailed, firstAnswer } from './failover';
import { keyBytes, keyText } from './key-text';
import { type LostAnswer, settleDelete, settlePut } from './lost-answer';
import { pipelined } from './pipelined';
import type {
  EndpointStatus,
  Entry,
  EtcdLease,
  Expected,
  Fence,
  Past,
  PrefixLooker,
  PrefixUse,
  Revision,
  Snapshot,
  Store,
  StoreOptions,
  WatchBatch,
  WatchEvent,
  WatchOptions,
  Write,
} from './store';

/** Silence after which the next endpoint is asked too. */
const silenceMs = 300;
/** The same for a list, which a busy server may think about for a while. */
const listSilenceMs = 1000;
/** etcd answers some 2,600 LeaseTimeToLive a second; more at once only fills queues. */
const leasesAtOnce = 32;

/**
 * Opens a store on etcd's v3 API. Nothing is dialled yet: an endpoint that is down shows at the first request.
 * @throws InvalidInput for endpoints or certificates that cannot be right
 */
export async function openEtcdV3(options: StoreOptions): Promise<Store & PrefixLooker> {
  return new EtcdV3(options);
}

/** Our request got lost on the way there or back. */
class NoAnswer extends Error {
  readonly failure: EndpointFailure;

  constructor(failure: EndpointFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

class EtcdV3 implements Store, PrefixLooker {
  readonly api = 'v3';
  private readonly options: StoreOptions;
  private readonly members: readonly Member[];
  /** The member that answered last is asked first. */
  private preferred: Member | undefined;
  private login: Promise<string | undefined> | undefined;
  private held: Fence | undefined;

  constructor(options: StoreOptions) {
    this.options = options;
    const endpoints = endpointsOf(options);
    const material = tlsMaterial(options, endpoints);
    this.members = endpoints.map((endpoint) => new Member(endpoint, material, options.timeoutMs));
  }

  async snapshot(prefix: string): Promise<Snapshot> {
    const { member, answer } = await this.range(prefix, rangeOfPrefix(prefix), listSilenceMs);
    return {
      api: 'v3',
      clusterId: answer.clusterId,
      revision: answer.revision,
      endpoint: member.endpoint.url,
      entries: answer.entries,
    };
  }

  async get(key: string): Promise<{ readonly revision: Revision; readonly entry: Entry | undefined }> {
    const { answer } = await this.range(key, { key: keyBytes(key) }, silenceMs);
    const [entry] = answer.entries;
    return { revision: answer.revision, entry };
  }

  async look(prefix: string): Promise<PrefixUse> {
    const root = prefix.replace(/\/+$/, '');
    const subnets = `${root}/subnets`;
    const [config, leases] = await Promise.all([
      this.get(`${root}/config`),
      this.range(subnets, { ...rangeOfPrefix(subnets), countOnly: true }, listSilenceMs),
    ]);
    return { served: true, config: config.entry !== undefined, leases: leases.answer.count };
  }

  async ttls(entries: readonly Entry[], signal?: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const keysOfLease = new Map<string, string[]>();
    for (const { key, leaseId } of entries) {
      if (leaseId === undefined) continue;
      const keys = keysOfLease.get(leaseId);
      if (keys === undefined) keysOfLease.set(leaseId, [key]);
      else keys.push(key);
    }
    const seconds = new Map<string, number>();
    await pipelined(keysOfLease, leasesAtOnce, signal, async ([id, keys]) => {
      const lease = await this.timeToLive(id, false);
      if (lease !== undefined) for (const key of keys) seconds.set(key, lease.ttlSeconds);
    });
    return seconds;
  }

  async leases({
    signal,
    except,
  }: {
    readonly signal?: AbortSignal;
    readonly except?: ReadonlySet<string>;
  } = {}): Promise<readonly EtcdLease[]> {
    const doing = this.doing('read', 'leases');
    const { answer } = await this.read(doing, listSilenceMs, (member, asking) =>
      member.ask(asking, (rpc) => rpc.lease.leaseLeases()),
    );
    const leases: EtcdLease[] = [];
    await pipelined(answer.leases, leasesAtOnce, signal, async ({ ID }) => {
      const id = hexOf(ID).padStart(16, '0');
      if (except?.has(id) === true) return;
      const lease = await this.timeToLive(id, true);
      if (lease !== undefined) leases.push(lease);
    });
    return leases.sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  lease(id: string): Promise<EtcdLease | undefined> {
    return this.timeToLive(id, true);
  }

  async put(write: Write, expected: Expected): Promise<Entry> {
    const guard = guardOf(write.key, expected);
    const { held } = this;
    const key = keyBytes(write.key);
    const doing = this.doing('write', write.key);
    const leaseId = typeof write.ttlSeconds === 'number' ? await this.grant(write.ttlSeconds, doing) : undefined;
    const request = {
      key,
      value: Buffer.from(write.value),
      ...(leaseId === undefined ? {} : { lease: leaseNumber(leaseId) }),
      // Nothing can be kept of a key that is not there.
      ...(write.ttlSeconds === 'keep' && expected !== 'absent' ? { ignore_lease: true } : {}),
    };
    let reply: { readonly member: Member; readonly answer: ITxnResponse };
    try {
      reply = await this.change(doing, {
        compare: [guard, ...fenceGuard(held)],
        success: [{ request_put: request }, { request_range: { key } }],
        failure: [{ request_range: { key } }, ...fenceQuestion(held)],
      });
    } catch (error) {
      if (error instanceof NoAnswer) {
        // The new lease is left alone. Revoking it would be the tidy thing, but a put that is still on its way would then
        // attach to it and be deleted by the revocation, value and all. It runs out by itself, empty.
        return settlePut(this, this.lost(write.key, expected, error.failure), (now) => isMadeBy(write, leaseId, now));
      }
      if (leaseId !== undefined) await this.tidy(leaseId);
      throw error;
    }
    const { member, answer } = reply;
    if (answer.succeeded) {
      const written = answer.responses[1]?.response_range.kvs[0];
      if (written === undefined) throw new Error('etcd did not give back what it wrote');
      return entryOf(written);
    }
    if (leaseId !== undefined) await this.tidy(leaseId);
    throw refusedChange(member.endpoint.url, write.key, expected, held, answer);
  }

  async delete(key: string, expected: Revision): Promise<void> {
    const guard = guardOf(key, expected);
    const { held } = this;
    try {
      const bytes = keyBytes(key);
      const { member, answer } = await this.change(this.doing('delete', key), {
        compare: [guard, ...fenceGuard(held)],
        success: [{ request_delete_range: { key: bytes } }],
        failure: [{ request_range: { key: bytes } }, ...fenceQuestion(held)],
      });
      if (!answer.succeeded) throw refusedChange(member.endpoint.url, key, expected, held, answer);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      await settleDelete(this, this.lost(key, expected, error.failure));
    }
  }

  fence(fence: Fence | undefined): void {
    this.held = fence;
  }

  async revoke(leaseId: string): Promise<void> {
    const doing = this.doing('delete', `lease ${leaseId}`);
    try {
      await this.once(doing, async (member, asking) => {
        try {
          await member.ask(asking, (rpc) => rpc.lease.leaseRevoke({ ID: leaseNumber(leaseId) }));
        } catch (error) {
          if (!(error instanceof EndpointFailure && /lease not found/.test(error.reason))) throw error;
        }
      });
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      const found = await this.timeToLive(leaseId, false).catch((cause: unknown) => {
        throw outcomeUnknown(doing.key, error.failure, cause);
      });
      if (found !== undefined) throw notWritten(doing.key, error.failure);
    }
  }

  past(prefix: string, each: (event: WatchEvent) => void, depth = 20_000): Promise<Past> {
    const range = rangeOfPrefix(prefix);
    return pastV3(
      {
        timeoutMs: this.options.timeoutMs,
        reach: () => this.reach(prefix),
        snapshot: async (revision) => {
          const { answer } = await this.range(
            prefix,
            { ...range, ...(revision === undefined ? {} : { revision }) },
            listSilenceMs,
          );
          return answer;
        },
        failed: (failure) => etcdError([failure], this.doing('read', prefix)),
      },
      range,
      each,
      depth,
    );
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch> {
    return watchV3(
      {
        timeoutMs: this.options.timeoutMs,
        reach: () => this.reach(prefix),
        forgetLogin: () => {
          this.login = undefined;
        },
        snapshot: () => this.snapshot(prefix),
        failed: (failure) => etcdError([failure], this.doing('watch', prefix)),
        mayLogIn: this.options.user !== undefined,
      },
      rangeOfPrefix(prefix),
      options,
    );
  }

  status(): Promise<readonly EndpointStatus[]> {
    return Promise.all(this.members.map((member) => this.statusOf(member)));
  }

  close(): void {
    for (const member of this.members) member.close();
  }

  private async statusOf(member: Member): Promise<EndpointStatus> {
    const endpoint = member.endpoint.url;
    const asking = { deadlineMs: Date.now() + this.options.timeoutMs };
    try {
      const state = await member.ask(asking, (rpc) => rpc.maintenance.status());
      const own = state.header.member_id;
      const leaderless = state.leader === '0';
      return {
        endpoint,
        reachable: true,
        version: state.version,
        memberId: hexOf(own),
        ...(leaderless ? { error: 'no leader: the cluster has lost its quorum' } : { leaderId: hexOf(state.leader) }),
        dbSizeBytes: Number(state.dbSize),
        alarms: alarmsIn(state.errors, own),
      };
    } catch (error) {
      const typed = this.typed(error, this.doing('read', 'status'));
      return { endpoint, reachable: false, alarms: [], error: typed instanceof Error ? typed.message : String(typed) };
    }
  }

  /** A small read finds a live member, renews the token, and proves that there is a leader and a permission. */
  private async reach(prefix: string) {
    const { member, answer } = await this.range(prefix, { key: rangeOfPrefix(prefix).key }, silenceMs);
    return { member, revision: answer.revision, token: await this.login };
  }

  private async timeToLive(id: string, keys: boolean): Promise<EtcdLease | undefined> {
    const doing = this.doing('read', `lease ${id}`);
    const { answer } = await this.read(doing, silenceMs, async (member, asking) => {
      try {
        return await member.ask(asking, (rpc) => rpc.lease.leaseTimeToLive({ ID: leaseNumber(id), keys }));
      } catch (error) {
        // With a real member 3.4 answers -1; others say so by an error.
        if (error instanceof EndpointFailure && /lease not found/.test(error.reason)) return undefined;
        throw error;
      }
    });
    const ttlSeconds = Number(answer?.TTL ?? -1);
    if (answer === undefined || ttlSeconds < 0) return undefined;
    return { id, grantedSeconds: Number(answer.grantedTTL), ttlSeconds, keys: answer.keys.map((key) => keyText(key)) };
  }

  /**
   * A new lease. We choose its id, so that after a lost answer we can ask whether it exists instead of making a second.
   */
  private async grant(ttlSeconds: number, doing: Doing): Promise<string> {
    const bytes = randomBytes(8);
    // Positive, not zero.
    bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
    const id = bytes.toString('hex');
    const number = leaseNumber(id);
    try {
      await this.once(doing, (member, asking) =>
        member.ask(asking, (rpc) => rpc.lease.leaseGrant({ ID: number, TTL: Math.max(1, Math.ceil(ttlSeconds)) })),
      );
      return id;
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      const found = await this.timeToLive(id, false).catch((cause: unknown) => {
        throw outcomeUnknown(doing.key, error.failure, cause);
      });
      if (found !== undefined) return id;
      // Nothing hangs on it, should it come into being after all: it runs out by itself.
      throw notWritten(doing.key, error.failure);
    }
  }

  /** For a lease that we have granted and not used. It runs out by itself when this fails. */
  private async tidy(id: string): Promise<void> {
    await this.revoke(id).catch(() => undefined);
  }

  private lost(key: string, expected: Expected, failure: EndpointFailure): LostAnswer {
    return { key, expected, failure, pauseMs: Math.min(500, this.options.timeoutMs / 4) };
  }

  private async range(key: string, question: RangeQuestion, silence: number) {
    return this.read(this.doing('read', key), silence, (member, asking) => member.range(question, asking));
  }

  /** Sends a transaction to one member, once. @throws NoAnswer when it may have been carried out */
  private change(doing: Doing, txn: Parameters<import('etcd3').KVClient['txn']>[0]) {
    return this.once<ITxnResponse>(doing, (member, asking) => member.ask(asking, (rpc) => rpc.kv.txn(txn)));
  }

  /** Asks members until one answers; repeats as long as that may help. */
  private async read<Answer>(
    doing: Doing,
    silence: number,
    ask: (member: Member, asking: Asking) => Promise<Answer>,
  ): Promise<{ readonly member: Member; readonly answer: Answer }> {
    const deadlineMs = Date.now() + this.options.timeoutMs;
    return this.withToken(doing, async (token) => {
      const { endpoint: member, answer } = await firstAnswer(
        this.inOrder(),
        (candidate, attempt) => ask(candidate, { ...attempt, ...token, deadlineMs }),
        { silenceMs: silence, deadlineMs },
      );
      this.preferred = member;
      return { member, answer };
    });
  }

  /**
   * Finds a member to which a connection stands, then sends a write to that one only, once. What fails before was never
   * sent and may try the next member; what fails after may have been carried out, unless etcd itself says no.
   */
  private async once<Answer>(
    doing: Doing,
    send: (member: Member, asking: Asking) => Promise<Answer>,
  ): Promise<{ readonly member: Member; readonly answer: Answer }> {
    const deadlineMs = Date.now() + this.options.timeoutMs;
    return this.withToken(doing, async (token) => {
      const { endpoint: member } = await firstAnswer(
        this.inOrder(),
        (candidate, attempt) => candidate.ready({ ...attempt, deadlineMs }),
        { silenceMs, deadlineMs },
      );
      try {
        const answer = await send(member, { ...token, deadlineMs });
        this.preferred = member;
        return { member, answer };
      } catch (error) {
        if (!(error instanceof EndpointFailure)) throw error;
        // Said by etcd before it proposed the change to its members. Everything else leaves it open.
        if (isFinal(error) || error.kind === 'too-many-requests' || error instanceof TokenRefused) {
          throw new AllFailed([error]);
        }
        if (this.preferred === member) this.preferred = undefined;
        throw new NoAnswer(error);
      }
    });
  }

  /** Runs a request with our token, and once more with a fresh one when etcd no longer knows ours. */
  private async withToken<Result>(
    doing: Doing,
    request: (token: { readonly token?: string }) => Promise<Result>,
  ): Promise<Result> {
    for (let mayRenew = this.options.user !== undefined; ; mayRenew = false) {
      const login = this.loggedIn();
      try {
        const token = await login;
        return await request(token === undefined ? {} : { token });
      } catch (error) {
        const refused = error instanceof AllFailed && error.failures.some((failure) => failure instanceof TokenRefused);
        if (error instanceof NoAnswer) throw error;
        if (!refused || !mayRenew) throw this.typed(error, doing);
        // Many requests learn it at once; only the first of them logs in again.
        if (this.login === login) this.login = undefined;
      }
    }
  }

  private loggedIn(): Promise<string | undefined> {
    if (this.login !== undefined) return this.login;
    const login = this.authenticate();
    this.login = login;
    login.catch(() => {
      if (this.login === login) this.login = undefined;
    });
    return login;
  }

  /** A token is good for all members. Undefined when etcd runs without authentication. */
  private async authenticate(): Promise<string | undefined> {
    const user = this.options.user;
    if (user === undefined) return undefined;
    const deadlineMs = Date.now() + this.options.timeoutMs;
    const { endpoint, answer } = await firstAnswer(
      this.inOrder(),
      async (member, attempt) => {
        try {
          return await member.ask({ ...attempt, deadlineMs }, (rpc) =>
            rpc.auth.authenticate({ name: user.name, password: user.password }),
          );
        } catch (error) {
          if (error instanceof EndpointFailure && /authentication is not enabled/.test(error.reason)) return undefined;
          throw error;
        }
      },
      // bcrypt takes its time on purpose.
      { silenceMs: listSilenceMs, deadlineMs },
    );
    this.preferred = endpoint;
    return answer?.token;
  }

  private inOrder(): readonly Member[] {
    const first = this.preferred;
    return first === undefined ? this.members : [first, ...this.members.filter((member) => member !== first)];
  }

  private doing(verb: Doing['verb'], key: string): Doing {
    const user = this.options.user === undefined ? {} : { user: this.options.user.name };
    return { verb, key, ...user, timeoutMs: this.options.timeoutMs };
  }

  private typed(error: unknown, doing: Doing): unknown {
    if (error instanceof AllFailed) return etcdError(error.failures, doing);
    if (error instanceof EndpointFailure) return etcdError([error], doing);
    return error;
  }
}

/** Whether an entry is what a put would have made. A lease is granted for one put only, so its id is proof. */
function isMadeBy(write: Write, leaseId: string | undefined, entry: Entry): boolean {
  if (!Buffer.from(write.value).equals(entry.value)) return false;
  if (leaseId !== undefined) return entry.leaseId === leaseId;
  return write.ttlSeconds === 'keep' || entry.permanent;
}

/** Keys that start with the prefix: up to the next text that does not. */
function rangeOfPrefix(prefix: string): { readonly key: Buffer; readonly end: Buffer } {
  const key = keyBytes(prefix);
  // A key of one zero byte is etcd's word for the first key, and an end of one zero byte for no end.
  if (key.length === 0) return { key: Buffer.of(0), end: Buffer.of(0) };
  let last = key.length - 1;
  while (last >= 0 && key[last] === 0xff) last -= 1;
  if (last < 0) return { key, end: Buffer.of(0) };
  const end = Buffer.from(key.subarray(0, last + 1));
  end[last] = (key[last] ?? 0) + 1;
  return { key, end };
}

function guardOf(key: string, expected: Expected) {
  const guarded = { key: keyBytes(key), result: 'Equal' } as const;
  if (expected === 'absent') return { ...guarded, target: 'Create', create_revision: '0' } as const;
  // Revision 0 would mean "no such key" to etcd and turn a guard inside out.
  if (!/^[1-9]\d{0,18}$/.test(expected)) throw new Error(`not a revision: ${JSON.stringify(expected)}`);
  return { ...guarded, target: 'Mod', mod_revision: expected } as const;
}

function fenceGuard(fence: Fence | undefined) {
  if (fence === undefined) return [];
  const { key, createdRevision } = fence;
  return [{ key: keyBytes(key), result: 'Equal', target: 'Create', create_revision: createdRevision } as const];
}

function fenceQuestion(fence: Fence | undefined) {
  return fence === undefined ? [] : [{ request_range: { key: keyBytes(fence.key) } }];
}

/** Which of the two guards did not hold. */
function refusedChange(
  endpoint: string,
  key: string,
  expected: Expected,
  fence: Fence | undefined,
  answer: ITxnResponse,
): Conflict {
  const made = answer.responses[1]?.response_range.kvs[0]?.create_revision;
  if (fence !== undefined && made !== fence.createdRevision) return lockLost(endpoint, key);
  return conflict(endpoint, key, expected, revisionIn(answer));
}

function revisionIn(answer: ITxnResponse): Revision | undefined {
  return answer.responses[0]?.response_range.kvs[0]?.mod_revision;
}

/** `memberID:10276657743932975437 alarm:NOSPACE ` in the errors of a status (etcd 3.4 and later). */
function alarmsIn(errors: readonly string[], ownId: string): readonly string[] {
  const alarms: string[] = [];
  for (const text of errors) {
    const match = /memberID:(\d+) alarm:(\w+)/.exec(text);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    alarms.push(match[1] === ownId ? match[2] : `${match[2]} (member ${hexOf(match[1])})`);
  }
  return alarms;
}
