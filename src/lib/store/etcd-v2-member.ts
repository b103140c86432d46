import http from 'node:http';
import https from 'node:https';
import type { Endpoint, TlsMaterial } from './endpoint';
import { EndpointFailure, type FailureKind, NotSent } from './etcd-errors';
import { connectProbe, errorCode, probeEndpoint, remainingMs, tlsProbe } from './etcd-probe';

export interface Request {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** Path and query, already encoded. */
  readonly path: string;
  readonly form?: string;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** Called when the head of the answer is there. */
  readonly answering?: (index: string | undefined) => void;
  /** For a long poll: how long the body may be waited for. */
  readonly bodyMs?: number;
  /** The body is not JSON. */
  readonly plainText?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly index: string | undefined;
  readonly clusterId: string;
  /** Parsed JSON; undefined when the body is empty. */
  readonly body: unknown;
}

/** 65,536 leases are some 25 MB of JSON. */
const mostBytes = 256 * 1024 * 1024;
const bodyDeadlines = 6;

/** The HTTP connection to one member, for the v2 API. */
export class MemberV2 {
  readonly endpoint: Endpoint;
  private readonly material: TlsMaterial | undefined;
  private readonly authorization: string | undefined;
  private readonly agent: http.Agent;
  private readonly timeoutMs: number;

  constructor(
    endpoint: Endpoint,
    material: TlsMaterial | undefined,
    user: { readonly name: string; readonly password: string } | undefined,
    timeoutMs: number,
  ) {
    this.endpoint = endpoint;
    this.material = material;
    this.timeoutMs = timeoutMs;
    this.authorization =
      user === undefined ? undefined : `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;
    this.agent = endpoint.secure
      ? new https.Agent({
          keepAlive: true,
          ...(material === undefined ? {} : { secureContext: material.context }),
        })
      : new http.Agent({ keepAlive: true });
  }

  close(): void {
    this.agent.destroy();
  }

  /** @throws EndpointFailure; NotSent when etcd cannot have acted on it */
  async request(request: Request): Promise<Answer> {
    const totalMs = remainingMs(request.deadlineMs);
    let examination: Promise<EndpointFailure> | undefined;
    const examine = () => {
      // Never left to reject: it may be under way when nobody waits for it any more.
      examination ??= this.examined(request.deadlineMs).catch(
        (error: unknown) => new EndpointFailure('interrupted', this.endpoint.url, String(error), error),
      );
      return examination;
    };
    const late = setTimeout(() => void examine(), Math.max(0.4 * totalMs, totalMs - 1500));
    const calledOff = () => clearTimeout(late);
    request.signal?.addEventListener('abort', calledOff, { once: true });
    const sent = { yes: false };
    try {
      return await this.send(
        {
          ...request,
          answering: (index) => {
            clearTimeout(late);
            request.answering?.(index);
          },
        },
        sent,
      );
    } catch (error) {
      throw await this.explained(error, request, sent.yes, examine);
    } finally {
      clearTimeout(late);
      request.signal?.removeEventListener('abort', calledOff);
    }
  }

  private async explained(
    error: unknown,
    request: Request,
    sent: boolean,
    examine: () => Promise<EndpointFailure>,
  ): Promise<unknown> {
    if (error instanceof EndpointFailure || !(error instanceof Error)) return error;
    const url = this.endpoint.url;
    if (request.signal?.aborted === true) return new EndpointFailure('interrupted', url, 'called off', error);
    const timedOut = error instanceof Late;
    if (this.endpoint.secure && !timedOut) {
      const seen = tlsProbe(error, this.material);
      // An alert of the server ends the connection before it looks at any request.
      if (seen.found === 'tls-client-cert-required' || seen.found === 'tls-client-cert-refused') {
        return new NotSent(seen.found, url, seen.reason, error);
      }
    }
    const found = await examine();
    if (error instanceof NoSuchPath) {
      return new NotSent(found.kind === 'timeout' ? 'v2-off' : found.kind, url, error.message, error);
    }
    const failure =
      found.kind !== 'timeout' || timedOut
        ? found
        : new EndpointFailure('interrupted', url, errorCode(error) ?? error.message, error);
    if (sent) return failure;
    const kind = timedOut || found.kind !== 'timeout' ? failure.kind : connectKind(error);
    return new NotSent(kind, url, failure.reason, error);
  }

  private async examined(deadlineMs: number): Promise<EndpointFailure> {
    const untilMs = Math.max(deadlineMs, Date.now() + Math.min(500, this.timeoutMs));
    const url = this.endpoint.url;
    const [probe, trouble] = await Promise.all([
      probeEndpoint(this.endpoint, this.material, untilMs),
      this.trouble(untilMs).catch(() => 'none'),
    ]);
    if (probe.found !== 'etcd') return new EndpointFailure(probe.found, url, probe.reason);
    if (trouble === 'no-leader') return new EndpointFailure('no-quorum', url, 'no leader');
    return new EndpointFailure('timeout', url, probe.reason);
  }

  /**
   * What is wrong with the member by its own account, which it gives without a quorum. `/health` is false for want of a
   * leader and for an alarm; `/v2/stats/self` goes on naming a leader that is long lost.
   */
  async trouble(deadlineMs: number): Promise<'none' | 'no-leader' | 'alarm'> {
    const health = await this.send({ method: 'GET', path: '/health', deadlineMs }, { yes: false });
    if (!isRecord(health.body) || String(health.body['health']) !== 'false') return 'none';
    const metrics = await this.send({ method: 'GET', path: '/metrics', deadlineMs, plainText: true }, { yes: false });
    return /^etcd_server_has_leader 1$/m.test(String(metrics.body)) ? 'alarm' : 'no-leader';
  }

  /** What the member says of itself; used by `status`. */
  async version(deadlineMs: number): Promise<string> {
    const { body } = await this.request({ method: 'GET', path: '/version', deadlineMs });
    const version = isRecord(body) ? body['etcdserver'] : undefined;
    if (typeof version === 'string') return version;
    throw new EndpointFailure('not-etcd', this.endpoint.url, 'its /version is not that of etcd');
  }

  private send(request: Request, sent: { yes: boolean }): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const transport = this.endpoint.secure ? https : http;
      const outgoing = transport.request({
        host: this.endpoint.host,
        port: this.endpoint.port,
        method: request.method,
        path: request.path,
        agent: this.agent,
        headers: {
          ...(this.authorization === undefined ? {} : { authorization: this.authorization }),
          ...(request.form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        },
      });
      const fail = (error: Error) => {
        clearTimeout(timer);
        request.signal?.removeEventListener('abort', abort);
        reject(error);
        outgoing.destroy();
      };
      const abort = () => fail(new Late('called off'));
      let timer = setTimeout(() => fail(new Late('no answer in time')), remainingMs(request.deadlineMs));
      outgoing.on('error', fail);
      request.signal?.addEventListener('abort', abort, { once: true });
      if (request.signal?.aborted === true) return abort();
      outgoing.on('socket', (socket) => {
        if (!socket.connecting) {
          sent.yes = true;
          return;
        }
        socket.once(this.endpoint.secure ? 'secureConnect' : 'connect', () => {
          sent.yes = true;
        });
      });
      outgoing.on('response', (response) => {
        clearTimeout(timer);
        const bodyMs = request.bodyMs ?? bodyDeadlines * this.timeoutMs;
        timer = setTimeout(() => fail(new Late('the answer stalled')), bodyMs);
        const index = headerText(response.headers['x-etcd-index']);
        request.answering?.(index);
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes <= mostBytes) chunks.push(chunk);
          else fail(new EndpointFailure('answer-too-large', this.endpoint.url, `more than ${mostBytes >> 20} MiB`));
        });
        response.on('error', fail);
        response.on('aborted', () => fail(new Error('the answer was cut short')));
        response.on('end', () => {
          clearTimeout(timer);
          request.signal?.removeEventListener('abort', abort);
          try {
            const status = response.statusCode ?? 0;
            const bytes = Buffer.concat(chunks);
            const body = request.plainText === true ? bytes.toString() : this.parsed(bytes, status);
            resolve({ status, index, clusterId: headerText(response.headers['x-etcd-cluster-id']) ?? '', body });
          } catch (error) {
            reject(error);
          }
        });
      });
      outgoing.end(request.form);
    });
  }

  private parsed(bytes: Buffer, status: number): unknown {
    if (bytes.length === 0) return undefined;
    const text = bytes.toString();
    try {
      return JSON.parse(text);
    } catch {
      const firstLine = text.split('\n', 1)[0]?.slice(0, 80) ?? '';
      if (/HTTP request to an HTTPS server/.test(firstLine)) {
        throw new NotSent('tls-needed', this.endpoint.url, 'the port speaks TLS');
      }
      if (status === 404) throw new NoSuchPath(`HTTP 404 ${firstLine}`);
      const reason = `HTTP ${status} ${firstLine}`;
      // A proxy that says 502 or 504 may have passed the request on.
      if (status >= 500) throw new EndpointFailure('not-etcd', this.endpoint.url, reason);
      throw new NotSent('not-etcd', this.endpoint.url, reason);
    }
  }
}

class Late extends Error {}

/** etcd without v2, or some other web server: a look at /version tells. */
class NoSuchPath extends Error {}

function connectKind(error: NodeJS.ErrnoException): FailureKind {
  const { found } = connectProbe(error);
  return found === 'etcd' || found === 'unroutable' ? 'interrupted' : found;
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
