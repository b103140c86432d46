import { isUtf8 } from 'node:buffer';
import { InvalidInput } from '../errors';
import { endpointsOf, tlsMaterial } from './endpoint';
import { conflict, type Doing, EndpointFailure, etcdError, isFinal, lockLost, NotSent } from './etcd-errors';
import { type Answer, isRecord, MemberV2, type Request } from './etcd-v2-member';
import { filesUnder, type Node, nodeOf } from './etcd-v2-node';
import { pastV2 } from './etcd-v2-past';
import { watchV2 } from './etcd-v2-watch';
import { AllFailed, firstAnswer } from './failover';
import { type LostAnswer, settleDelete, settlePut } from './lost-answer';
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

const silenceMs = 300;
const listSilenceMs = 1000;

/**
 * Opens a store on etcd's v2 API, plain HTTP and JSON. Nothing is dialled yet.
 *
 * Keys of v2 are paths: cleaned of double slashes, with a slash in front. Those with a part that begins with `_` are hidden:
 * `get` finds them, `snapshot` and `watch` do not, nor does flanneld. Empty directories are nothing at all here. Values
 * must be UTF-8.
 * @throws InvalidInput for endpoints or certificates that cannot be right
 */
export async function openEtcdV2(options: StoreOptions): Promise<Store & PrefixLooker> {
  return new EtcdV2(options);
}

/** The codes of etcd's `error/error.go`. */
const codes = { keyNotFound: 100, compareFailed: 101, notAFile: 102, alreadyExists: 105, unauthorized: 110 } as const;

interface Reply {
  readonly member: MemberV2;
  readonly answer: Answer;
}

class EtcdV2 implements Store, PrefixLooker {
  readonly api = 'v2';
  private readonly options: StoreOptions;
  private readonly members: readonly MemberV2[];
  private preferred: MemberV2 | undefined;
  private held: Fence | undefined;

  constructor(options: StoreOptions) {
    this.options = options;
    const endpoints = endpointsOf(options);
    const material = tlsMaterial(options, endpoints);
    this.members = endpoints.map((endpoint) => new MemberV2(endpoint, material, options.user, options.timeoutMs));
  }

  async snapshot(prefix: string): Promise<Snapshot> {
    const wanted = cleanKey(prefix);
    const { member, answer } = await this.read(
      this.doing('read', prefix),
      `${pathOf(directoryOf(wanted))}?recursive=true&quorum=true`,
      listSilenceMs,
    );
    const found = answer.status === 404 ? undefined : isRecord(answer.body) ? answer.body['node'] : undefined;
    return {
      api: 'v2',
      clusterId: answer.clusterId,
      revision: answer.index ?? '0',
      endpoint: member.endpoint.url,
      entries: filesUnder(found, wanted),
    };
  }

  async get(key: string): Promise<{ readonly revision: Revision; readonly entry: Entry | undefined }> {
    const { answer } = await this.read(this.doing('read', key), `${pathOf(key)}?quorum=true`, silenceMs);
    const node = answer.status === 404 ? undefined : nodeIn(answer);
    return { revision: answer.index ?? '0', entry: node?.kind === 'file' ? node.entry : undefined };
  }

  async look(prefix: string): Promise<PrefixUse> {
    const root = cleanKey(prefix).replace(/\/+$/, '');
    try {
      const entries = Array.from((await this.snapshot(`${root}/`)).entries);
      const config = entries.some(({ key }) => key === `${root}/config`);
      return { served: true, config, leases: entries.filter(({ key }) => key.startsWith(`${root}/subnets`)).length };
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'etcd-v2-off')
        return { served: false, config: false, leases: 0 };
      throw error;
    }
  }

  async ttls(entries: readonly Entry[]): Promise<ReadonlyMap<string, number>> {
    const seconds = new Map<string, number>();
    for (const { key, ttlSeconds } of entries) if (ttlSeconds !== undefined) seconds.set(key, ttlSeconds);
    return seconds;
  }

  async leases(): Promise<readonly EtcdLease[]> {
    return [];
  }

  async lease(): Promise<undefined> {
    return undefined;
  }

  async put(write: Write, expected: Expected): Promise<Entry> {
    const value = textOf(write);
    await this.stillHeld(write.key);
    const ttl = await this.ttlFor(write, expected);
    const form = new URLSearchParams({ value, ...(ttl === undefined ? {} : { ttl: String(ttl) }) }).toString();
    const path = `${pathOf(write.key)}?${guardOf(expected)}`;
    const outcome = await this.change(this.doing('write', write.key), { method: 'PUT', path, form });
    if ('lost' in outcome) {
      return settlePut(this, this.lost(write.key, expected, outcome.lost), (now) => isMadeBy(write, now));
    }
    const { member, answer } = outcome;
    const node = nodeIn(answer);
    if (answer.status < 300 && node?.kind === 'file') return node.entry;
    throw await this.refusedChange(member, answer, write.key, expected);
  }

  async delete(key: string, expected: Revision): Promise<void> {
    const path = `${pathOf(key)}?${guardOf(expected)}`;
    await this.stillHeld(key);
    const outcome = await this.change(this.doing('delete', key), { method: 'DELETE', path });
    if (!('lost' in outcome)) {
      if (outcome.answer.status < 300) return;
      throw await this.refusedChange(outcome.member, outcome.answer, key, expected);
    }
    await settleDelete(this, this.lost(key, expected, outcome.lost));
  }

  fence(fence: Fence | undefined): void {
    this.held = fence;
  }

  async revoke(): Promise<void> {}

  async past(prefix: string, each: (event: WatchEvent) => void): Promise<Past> {
    const wanted = cleanKey(prefix);
    try {
      return await pastV2(
        {
          timeoutMs: this.options.timeoutMs,
          members: () => this.inOrder(),
          snapshot: () => this.snapshot(prefix),
          refused: (member, answer) => refusal(member, answer, this.options.user !== undefined),
        },
        { prefix: wanted, path: pathOf(directoryOf(wanted)) },
        each,
      );
    } catch (error) {
      throw this.typed(error, this.doing('read', prefix));
    }
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch> {
    const wanted = cleanKey(prefix);
    return watchV2(
      {
        timeoutMs: this.options.timeoutMs,
        members: () => this.inOrder(),
        answered: (member) => {
          this.preferred = member;
        },
        snapshot: () => this.snapshot(prefix),
        failed: (failures) => etcdError(failures, this.doing('watch', prefix)),
        refused: (member, answer) => refusal(member, answer, this.options.user !== undefined),
      },
      { prefix: wanted, path: pathOf(directoryOf(wanted)) },
      options,
    );
  }

  status(): Promise<readonly EndpointStatus[]> {
    return Promise.all(
      this.members.map(async (member): Promise<EndpointStatus> => {
        const endpoint = member.endpoint.url;
        const deadlineMs = Date.now() + this.options.timeoutMs;
        try {
          const [version, trouble] = await Promise.all([member.version(deadlineMs), member.trouble(deadlineMs)]);
          return { endpoint, reachable: true, version, alarms: [], ...troubles[trouble] };
        } catch (error) {
          const typed = this.typed(error, this.doing('read', 'status'));
          return {
            endpoint,
            reachable: false,
            alarms: [],
            error: typed instanceof Error ? typed.message : String(typed),
          };
        }
      }),
    );
  }

  close(): void {
    for (const member of this.members) member.close();
  }

  /**
   * v2 cannot change a value and leave its TTL alone: without `ttl` the key becomes permanent. So the remaining time is
   * read and given again; it counts in whole seconds, rounded up, and a key may live a second longer than it would have.
   */
  private async ttlFor(write: Write, expected: Expected): Promise<number | undefined> {
    if (typeof write.ttlSeconds === 'number') return Math.max(1, Math.ceil(write.ttlSeconds));
    if (write.ttlSeconds === undefined || expected === 'absent') return undefined;
    const { entry } = await this.get(write.key);
    if (entry?.revision !== expected) throw conflict(this.anyUrl(), write.key, expected, entry?.revision);
    return entry.ttlSeconds === undefined ? undefined : Math.max(1, entry.ttlSeconds);
  }

  /** @throws Conflict `lock-lost` */
  private async stillHeld(key: string): Promise<void> {
    const { held } = this;
    if (held === undefined) return;
    const { entry } = await this.get(held.key);
    if (entry?.createdRevision !== held.createdRevision) throw lockLost(this.anyUrl(), key);
  }

  private lost(key: string, expected: Expected, failure: EndpointFailure): LostAnswer {
    return { key, expected, failure, pauseMs: Math.min(500, this.options.timeoutMs / 4) };
  }

  /** The error for a guarded change that etcd answered with no. */
  private async refusedChange(member: MemberV2, answer: Answer, key: string, expected: Expected): Promise<unknown> {
    const code = errorCodeIn(answer);
    const guards: readonly (number | undefined)[] = [codes.keyNotFound, codes.compareFailed, codes.alreadyExists];
    if (guards.includes(code)) {
      const now = code === codes.keyNotFound ? undefined : (await this.get(key)).entry;
      return conflict(member.endpoint.url, key, expected, now?.revision);
    }
    if (code === codes.notAFile) {
      return conflict(member.endpoint.url, key, expected, undefined, ['It is a directory now.']);
    }
    return this.typed(refusal(member, answer, this.options.user !== undefined), this.doing('write', key));
  }

  private async read(doing: Doing, path: string, silence: number): Promise<Reply> {
    const deadlineMs = Date.now() + this.options.timeoutMs;
    try {
      const { endpoint: member, answer } = await firstAnswer(
        this.inOrder(),
        async (candidate, attempt) => {
          const answer = await candidate.request({
            method: 'GET',
            path,
            deadlineMs,
            signal: attempt.signal,
            answering: () => attempt.answering(),
          });
          if (answer.status === 200 || errorCodeIn(answer) === codes.keyNotFound) return answer;
          throw refusal(candidate, answer, this.options.user !== undefined);
        },
        { silenceMs: silence, deadlineMs },
      );
      this.preferred = member;
      return { member, answer };
    } catch (error) {
      throw this.typed(error, doing);
    }
  }

  /** Sends a change to one member, once; `lost` when it may have been carried out and there is no answer. */
  private async change(
    doing: Doing,
    request: Pick<Request, 'method' | 'path' | 'form'>,
  ): Promise<Reply | { readonly lost: EndpointFailure }> {
    const deadlineMs = Date.now() + this.options.timeoutMs;
    // A kept connection may have gone stale; then once more over one that was just tried.
    for (let known = this.preferred; ; known = undefined) {
      const member = known ?? (await this.ready(doing, deadlineMs));
      try {
        const answer = await member.request({ ...request, deadlineMs });
        const said = answer.status >= 500 ? refusal(member, answer, false) : undefined;
        // A server that timed out may yet carry it out; one that has no room will not.
        if (said !== undefined && !isFinal(said)) return { lost: said };
        this.preferred = member;
        return { member, answer };
      } catch (error) {
        if (!(error instanceof EndpointFailure)) throw error;
        this.preferred = undefined;
        if (!(error instanceof NotSent)) return { lost: error };
        if (known === undefined) throw this.typed(error, doing);
      }
    }
  }

  /** A member to which a connection stands, found without changing anything. */
  private async ready(doing: Doing, deadlineMs: number): Promise<MemberV2> {
    try {
      const { endpoint } = await firstAnswer(
        this.members,
        (member, attempt) => member.request({ method: 'GET', path: '/version', deadlineMs, signal: attempt.signal }),
        { silenceMs, deadlineMs },
      );
      return endpoint;
    } catch (error) {
      throw this.typed(error, doing);
    }
  }

  private inOrder(): readonly MemberV2[] {
    const first = this.preferred;
    return first === undefined ? this.members : [first, ...this.members.filter((member) => member !== first)];
  }

  private anyUrl(): string {
    return this.inOrder()[0]?.endpoint.url ?? '';
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

const troubles = {
  none: {},
  'no-leader': { error: 'no leader: the cluster has lost its quorum' },
  alarm: { error: 'an alarm is raised: etcdctl alarm list' },
} as const;

/** Whether an entry is what a put would have made, as far as v2 can tell. */
function isMadeBy(write: Write, entry: Entry): boolean {
  const lifeAsWanted = write.ttlSeconds === 'keep' || entry.permanent === (write.ttlSeconds === undefined);
  return lifeAsWanted && Buffer.from(write.value).equals(entry.value);
}

/** As etcd itself cleans a path. A slash at the end stays: it tells `subnets/` from `subnets-old`. */
function cleanKey(key: string): string {
  return `/${key}`.replace(/\/{2,}/g, '/');
}

/** v2 lists directories, not text prefixes: the parent has all siblings that share the beginning of a name. */
function directoryOf(cleaned: string): string {
  return cleaned.slice(0, cleaned.lastIndexOf('/') + 1);
}

function pathOf(key: string): string {
  const parts = cleanKey(key).split('/');
  if (parts.includes('.') || parts.includes('..')) {
    throw new InvalidInput({
      code: 'etcd-v2-key',
      message: `etcd key ${JSON.stringify(key)}: a key of the v2 API must not have "." or ".." as a part`,
      next: ['Write the key without them.'],
    });
  }
  // Half of a surrogate pair cannot be in a key of v2, whose texts are UTF-8.
  return `/v2/keys${parts.map((part) => encodeURIComponent(part.replace(/\p{Surrogate}/gu, '\ufffd'))).join('/')}`;
}

function textOf(write: Write): string {
  if (isUtf8(write.value)) return Buffer.from(write.value).toString();
  throw new InvalidInput({
    code: 'etcd-v2-value',
    message: `The value for ${JSON.stringify(write.key)} is not UTF-8 text; etcd's v2 API would store something else`,
    next: ['Write text, or use the v3 API: --etcd-api v3'],
  });
}

function guardOf(expected: Expected): string {
  if (expected === 'absent') return 'prevExist=false';
  // etcd takes an index of 0 for no condition at all.
  if (!/^[1-9]\d{0,19}$/.test(expected)) throw new Error(`not an index: ${JSON.stringify(expected)}`);
  return `prevIndex=${expected}`;
}

function nodeIn(answer: Answer): Node | undefined {
  return isRecord(answer.body) ? nodeOf(answer.body['node']) : undefined;
}

function errorCodeIn(answer: Answer): number | undefined {
  const code = isRecord(answer.body) ? answer.body['errorCode'] : undefined;
  return typeof code === 'number' ? code : undefined;
}

/** What an answer that is neither a node nor "not found" means. */
function refusal(member: MemberV2, answer: Answer, withUser: boolean): EndpointFailure {
  const url = member.endpoint.url;
  const body = isRecord(answer.body) ? answer.body : {};
  const said = [body['message'], body['cause']].filter((part) => typeof part === 'string' && part !== '').join(': ');
  const reason = said === '' ? `HTTP ${answer.status}` : said;
  if (answer.status === 401 || answer.status === 403 || errorCodeIn(answer) === codes.unauthorized) {
    return new EndpointFailure(withUser ? 'access-denied' : 'auth-needed', url, reason);
  }
  if (/request is too large/.test(said)) return new EndpointFailure('request-too-large', url, reason);
  if (/too many requests/.test(said)) return new EndpointFailure('too-many-requests', url, reason);
  if (/no leader/.test(said)) return new EndpointFailure('no-quorum', url, reason);
  if (/timed out|timeout|leader election/i.test(said)) return new EndpointFailure('timeout', url, reason);
  if (answer.status >= 500) return new EndpointFailure('interrupted', url, reason);
  return new EndpointFailure(Object.keys(body).length === 0 ? 'not-etcd' : 'refused-request', url, reason);
}
