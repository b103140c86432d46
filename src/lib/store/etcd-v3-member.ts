import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import {
  Channel,
  type Client,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { noop } from 'cockatiel';
import { AuthClient, Etcd3, type ICallable, KVClient, LeaseClient, MaintenanceClient, WatchClient } from 'etcd3';
import type { Endpoint, TlsMaterial } from './endpoint';
import { EndpointFailure, type FailureKind } from './etcd-errors';
import { probeEndpoint, remainingMs } from './etcd-probe';
import { decodeRange, encodeRange, type RangeAnswer, type RangeQuestion } from './etcd-v3-range';

/** Our token was refused: it has run out, or etcd was restarted. A fresh one and the same request again will do. */
export class TokenRefused extends EndpointFailure {}

/** The circumstances of one request. */
export interface Asking {
  readonly deadlineMs: number;
  readonly token?: string;
  readonly signal?: AbortSignal;
  /** Called when the answer begins to arrive. */
  readonly answering?: () => void;
}

/** The typed clients of etcd3, for one request. */
export interface Rpc {
  readonly kv: KVClient;
  readonly lease: LeaseClient;
  readonly maintenance: MaintenanceClient;
  readonly auth: AuthClient;
}

type ServiceName = Parameters<ICallable<unknown>['exec']>[0];

/** etcd3 keeps its pool protected; a subclass may look. */
class Pooled extends Etcd3 {
  client(service: ServiceName): Promise<Client> {
    return this.pool.withConnection(service, ({ client }) => client);
  }
}

/** Once an answer has begun, it may take this many deadlines: 65,536 leases are 14 MB, a slow line needs its time. */
const bodyDeadlines = 6;

/**
 * Our connection to one member of etcd, made by etcd3. What etcd3 1.1.2 does by itself is switched off: its policies
 * repeat writes whose outcome is unknown and block all calls for 5 s after three errors, its authenticator leaks a
 * connection per login, and it cannot say how a certificate is checked.
 */
export class Member {
  readonly endpoint: Endpoint;
  private readonly material: TlsMaterial | undefined;
  private readonly channel: Channel;
  private readonly etcd: Pooled;
  private readonly timeoutMs: number;

  constructor(endpoint: Endpoint, material: TlsMaterial | undefined, timeoutMs: number) {
    this.endpoint = endpoint;
    this.material = material;
    this.timeoutMs = timeoutMs;
    const byAddress = endpoint.secure && isIP(endpoint.host) !== 0;
    const trust =
      material === undefined || !endpoint.secure
        ? credentials.createInsecure()
        : credentials.createFromSecureContext(material.context, {
            checkServerIdentity: (_, certificate) => checkServerIdentity(endpoint.host, certificate),
          });
    this.channel = new Channel(endpoint.authority, trust, {
      ...channelOptions,
      // An address must not be sent as a server name (RFC 6066), and Node says so on stderr (DEP0123, grpc-node #1919).
      // The name that is sent instead means nothing: the certificate is checked against the address, above.
      ...(byAddress ? { 'grpc.ssl_target_name_override': 'address.invalid' } : {}),
    });
    this.etcd = new Pooled({
      hosts: endpoint.authority,
      // One channel for all services, ours. Without a scheme in `hosts`, etcd3 makes no credentials of its own.
      grpcOptions: { channelOverride: this.channel },
      faultHandling: { host: () => noop, global: noop },
    });
  }

  /** All of a range in one request, decoded by hand. @throws EndpointFailure */
  range(question: RangeQuestion, asking: Asking): Promise<RangeAnswer> {
    return this.explained(asking, async () => {
      const client = await this.etcd.client('KV');
      return new Promise<RangeAnswer>((resolve, reject) => {
        const metadata = metadataOf(asking);
        const call = client.makeUnaryRequest(
          '/etcdserverpb.KV/Range',
          encodeRange,
          decodeRange,
          question,
          metadata,
          {},
          (error, answer) => {
            clearTimeout(timer);
            if (error !== null) reject(error);
            else if (answer === undefined) reject(new Error('gRPC gave neither an answer nor an error'));
            else resolve(answer);
          },
        );
        let timer = setTimeout(() => call.cancel(), remainingMs(asking.deadlineMs));
        call.on('metadata', () => {
          asking.answering?.();
          clearTimeout(timer);
          timer = setTimeout(() => call.cancel(), bodyDeadlines * this.timeoutMs);
        });
        asking.signal?.addEventListener('abort', () => call.cancel(), { once: true });
        if (asking.signal?.aborted === true) call.cancel();
      });
    });
  }

  /** One request through a client of etcd3. @throws EndpointFailure, TokenRefused */
  ask<Answer>(asking: Asking, request: (rpc: Rpc) => Promise<Answer>): Promise<Answer> {
    return this.explained(asking, () => {
      const callable = new OneCall(this.etcd, asking);
      return request({
        kv: new KVClient(callable),
        lease: new LeaseClient(callable),
        maintenance: new MaintenanceClient(callable),
        auth: new AuthClient(callable),
      });
    });
  }

  /** A watch stream that ends by itself when the member loses its leader. */
  watchStream(token: string | undefined): ReturnType<WatchClient['watch']> {
    const metadata = metadataOf({ deadlineMs: 0, ...(token === undefined ? {} : { token }) });
    metadata.set('hasleader', 'true');
    return new WatchClient(new OneCall(this.etcd, undefined, metadata)).watch();
  }

  /** Resolves when a connection stands, so that what fails before has not been sent. @throws EndpointFailure */
  ready(asking: Asking): Promise<void> {
    return this.explained(
      asking,
      () =>
        new Promise<void>((resolve, reject) => {
          const look = (error?: Error) => {
            const state = this.channel.getConnectivityState(true);
            if (state === connectivityState.READY) resolve();
            else if (error !== undefined)
              reject(Object.assign(new Error('no connection in time'), { code: status.DEADLINE_EXCEEDED }));
            else if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) {
              reject(Object.assign(new Error('no connection'), { code: status.UNAVAILABLE }));
            } else this.channel.watchConnectivityState(state, asking.deadlineMs, look);
          };
          look();
        }),
    );
  }

  close(): void {
    this.channel.close();
  }

  /**
   * Runs a request and turns what it throws into an EndpointFailure that says what is really wrong. When the answer is
   * late, the endpoint is examined while we still wait, so that the explanation costs no further deadline.
   */
  private async explained<Answer>(asking: Asking, request: () => Promise<Answer>): Promise<Answer> {
    const totalMs = remainingMs(asking.deadlineMs);
    let examination: Promise<EndpointFailure> | undefined;
    const examine = () => {
      // Never left to reject: it may be under way when nobody waits for it any more.
      examination ??= this.examined(asking.deadlineMs).catch(
        (error: unknown) => new EndpointFailure('interrupted', this.endpoint.url, String(error), error),
      );
      return examination;
    };
    const late = setTimeout(() => void examine(), Math.max(0.4 * totalMs, totalMs - 1500));
    const calledOff = () => clearTimeout(late);
    asking.signal?.addEventListener('abort', calledOff, { once: true });
    try {
      return await request();
    } catch (error) {
      if (error instanceof EndpointFailure) throw error;
      const spoken = spokenFailure(error, this.endpoint.url);
      if (spoken !== undefined && spoken.kind !== 'timeout') throw spoken;
      if (asking.signal?.aborted === true)
        throw new EndpointFailure('interrupted', this.endpoint.url, 'called off', error);
      const found = await examine();
      // Up and with a leader: then what the request itself met is the best explanation that there is.
      throw found.kind === 'timeout' ? (spoken ?? unspokenFailure(error, asking, found)) : found;
    } finally {
      clearTimeout(late);
      asking.signal?.removeEventListener('abort', calledOff);
    }
  }

  /** What is wrong with the endpoint; of kind `timeout` when nothing is. */
  private async examined(deadlineMs: number): Promise<EndpointFailure> {
    // A request that failed at its deadline is still worth an explanation, if a quick one.
    const untilMs = Math.max(deadlineMs, Date.now() + Math.min(500, this.timeoutMs));
    const url = this.endpoint.url;
    const [probe, state] = await Promise.all([
      probeEndpoint(this.endpoint, this.material, untilMs),
      new MaintenanceClient(new OneCall(this.etcd, { deadlineMs: untilMs })).status().catch(() => undefined),
    ]);
    if (probe.found !== 'etcd') {
      // etcd with --listen-metrics-urls and friends answers /version elsewhere; a status is proof enough.
      if (state === undefined) return new EndpointFailure(probe.found, url, probe.reason);
    } else if (/^[012]\./.test(probe.version)) return new EndpointFailure('v3-not-served', url, probe.reason);
    if (state?.leader === '0') return new EndpointFailure('no-quorum', url, 'leader 0');
    return new EndpointFailure('timeout', url, probe.reason);
  }
}

const channelOptions = {
  // The default of 4 MB fails at some 19,000 leases.
  'grpc.max_receive_message_length': -1,
  // 64 KB windows make a 14 MB answer wait for hundreds of updates.
  'grpc-node.flow_control_window': 8 * 1024 * 1024,
  // clientv3, which flanneld uses, takes no proxy either.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  // We repeat reads ourselves and writes never.
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  // Finds a dead peer under a watch or a long answer. etcd allows a ping every 5 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
};

/** Carries one request of a typed client of etcd3, once, with our metadata and deadline. */
class OneCall implements ICallable<null> {
  readonly callOptionsFactory = undefined;
  private readonly etcd: Pooled;
  private readonly asking: Asking | undefined;
  private readonly metadata: Metadata;

  constructor(etcd: Pooled, asking: Asking | undefined, metadata?: Metadata) {
    this.etcd = etcd;
    this.asking = asking;
    this.metadata = metadata ?? (asking === undefined ? new Metadata() : metadataOf(asking));
  }

  async exec<Answer>(service: ServiceName, method: string, params: unknown): Promise<Answer> {
    const client = await this.etcd.client(service);
    const send: unknown = Reflect.get(client, method);
    if (typeof send !== 'function') throw new Error(`etcd3 has no method ${service}.${method}`);
    return new Promise<Answer>((resolve, reject) => {
      const signal = this.asking?.signal;
      const done = (error: ServiceError | null, answer: Answer) => {
        signal?.removeEventListener('abort', cancel);
        if (error === null) resolve(answer);
        else reject(error);
      };
      const options = this.asking === undefined ? {} : { deadline: this.asking.deadlineMs };
      const call: unknown = Reflect.apply(send, client, [params, this.metadata, options, done]);
      const cancel = () => {
        if (call instanceof Object && 'cancel' in call && typeof call.cancel === 'function') call.cancel();
      };
      signal?.addEventListener('abort', cancel, { once: true });
      if (signal?.aborted === true) cancel();
    });
  }

  async withConnection<Result>(
    service: ServiceName,
    use: (connection: { resource: null; client: Client; metadata: Metadata }) => Promise<Result> | Result,
  ): Promise<Result> {
    return use({ resource: null, client: await this.etcd.client(service), metadata: this.metadata });
  }

  markFailed(): void {
    // Part of etcd3's failover, which is not used.
  }
}

function metadataOf(asking: Asking): Metadata {
  const metadata = new Metadata();
  if (asking.token !== undefined) metadata.set('token', asking.token);
  return metadata;
}

/** etcd's own sentences (`api/v3rpc/rpctypes/error.go`), which stand in gRPC's details. */
const sentences: readonly (readonly [RegExp, FailureKind])[] = [
  [/permission denied/, 'permission-denied'],
  [/authentication failed/, 'auth-failed'],
  [/user name is empty/, 'auth-needed'],
  [/has been compacted/, 'compacted'],
  [/database space exceeded/, 'no-space'],
  [/corrupt cluster|data inconsistency/, 'corrupt'],
  [/too many requests/, 'too-many-requests'],
  [/request is too large|larger than max/, 'request-too-large'],
  [/etcdserver: no leader|unhealthy cluster/, 'no-quorum'],
  [/etcdserver: request timed out/, 'timeout'],
  [/leader changed|server stopped|not supported for learner|not capable/, 'interrupted'],
  [/^(?:etcdserver|mvcc|raft|auth|lease): /, 'refused-request'],
];

/** The failure that etcd itself put into words; undefined when only the transport spoke. */
export function spokenFailure(error: unknown, endpoint: string): EndpointFailure | undefined {
  const said = error instanceof Error && 'details' in error && typeof error.details === 'string' ? error.details : '';
  if (/invalid auth token|revision of auth store is old/.test(said))
    return new TokenRefused('auth-needed', endpoint, said, error);
  const kind = sentences.find(([pattern]) => pattern.test(said))?.[1];
  return kind === undefined ? undefined : new EndpointFailure(kind, endpoint, said, error);
}

function unspokenFailure(error: unknown, asking: Asking, found: EndpointFailure): EndpointFailure {
  const late = Date.now() >= asking.deadlineMs || grpcStatus(error) === status.DEADLINE_EXCEEDED;
  if (late) return found;
  const said = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
  return new EndpointFailure('interrupted', found.endpoint, said ?? '', error);
}

function grpcStatus(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}
