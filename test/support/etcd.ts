import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/*
 * Real etcd for tests: the Debian packages etcd-server and etcd-client (3.4.23), on free ports of loopback, in a
 * temporary directory, without fsync. What is started here is stopped by `stop()`, or at the latest when the process ends.
 */

export interface EtcdOptions {
  /** Serve clients over TLS with this certificate. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Clients need a certificate signed by this CA (a path). */
  readonly clientCa?: string;
  readonly quotaBytes?: number;
  /** Members, all on this machine; 1 when absent. */
  readonly members?: number;
  readonly enableV2?: boolean;
  /** Further flags of etcd. */
  readonly flags?: readonly string[];
  /** For health checks and `ctl`: what a client of this etcd must present. */
  readonly client?: ClientFiles;
}

export interface ClientFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** `name:password` */
  readonly user?: string;
  /** Takes any certificate of the server. */
  readonly insecure?: boolean;
}

export interface EtcdMember {
  readonly url: string;
  /** The port on which clients are served. */
  readonly port: number;
  /** Ends the process at once, as a power cut would. */
  kill(): Promise<void>;
  /** Stops it in mid-air: it keeps its sockets and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Starts it again on the same ports and data. */
  restart(): Promise<void>;
  /** What it wrote to stderr, for a failing test. */
  log(): string;
}

export interface Etcd {
  readonly members: readonly EtcdMember[];
  readonly endpoints: readonly [string, ...string[]];
  /** Runs etcdctl against it; `api` is 3 unless said otherwise. */
  ctl(args: readonly string[], options?: CtlOptions): string;
  stop(): Promise<void>;
}

export interface CtlOptions {
  readonly api?: 2 | 3;
  readonly client?: ClientFiles;
  readonly input?: string;
  /** The whole command's; 20 s when absent. */
  readonly timeoutMs?: number;
}

const running = new Set<ChildProcess>();
const directories = new Set<string>();
let willTidy = false;

/** Nothing that a test left behind outlives the process. */
function tidyAtExit(): void {
  if (willTidy) return;
  willTidy = true;
  process.once('exit', () => {
    for (const child of running) child.kill('SIGKILL');
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  });
}

export function temporaryDirectory(name: string): string {
  tidyAtExit();
  const directory = mkdtempSync(join(tmpdir(), `netctl-${name}-`));
  directories.add(directory);
  return directory;
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  directories.delete(directory);
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = addressOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function addressOf(server: net.Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address;
}

/** Starts etcd and waits until it is healthy. Another process may take a free port first: then with others, again. */
export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  for (let tries = 1; ; tries++) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (tries === 3) throw error;
    }
  }
}

async function startOnce(options: EtcdOptions): Promise<Etcd> {
  const directory = temporaryDirectory('etcd');
  const names = Array.from({ length: options.members ?? 1 }, (_, index) => `m${index}`);
  const peers: string[] = [];
  for (const name of names) peers.push(`${name}=http://127.0.0.1:${await freePort()}`);
  const members: Member[] = [];
  for (const [index, name] of names.entries()) {
    members.push(new Member(name, directory, await freePort(), peers, index, options));
  }
  const stop = async () => {
    await Promise.all(members.map((member) => member.kill()));
    removeDirectory(directory);
  };
  try {
    for (const member of members) member.spawn();
    await Promise.all(members.map((member) => member.healthy()));
  } catch (error) {
    await stop();
    throw error;
  }
  const [first, ...rest] = members.map((member) => member.url);
  if (first === undefined) throw new Error('no member');
  const endpoints: readonly [string, ...string[]] = [first, ...rest];
  return {
    members,
    endpoints,
    stop,
    ctl: (args, ctlOptions = {}) => etcdctl(endpoints, args, { client: options.client ?? {}, ...ctlOptions }),
  };
}

class Member implements EtcdMember {
  readonly url: string;
  readonly port: number;
  private readonly args: readonly string[];
  private readonly options: EtcdOptions;
  private child: ChildProcess | undefined;
  private said = '';

  constructor(
    name: string,
    directory: string,
    port: number,
    peers: readonly string[],
    index: number,
    options: EtcdOptions,
  ) {
    this.options = options;
    this.port = port;
    this.url = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    const peer = peers[index]?.replace(/^[^=]*=/, '') ?? '';
    const quick = peers.length > 1 ? ['--heartbeat-interval=50', '--election-timeout=500'] : [];
    this.args = [
      `--name=${name}`,
      `--data-dir=${join(directory, name)}`,
      `--listen-client-urls=${this.url}`,
      `--advertise-client-urls=${this.url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=${peers.join(',')}`,
      `--enable-v2=${options.enableV2 ?? true}`,
      '--unsafe-no-fsync',
      '--auto-compaction-retention=0',
      '--logger=zap',
      '--log-level=warn',
      ...quick,
      ...(options.quotaBytes === undefined ? [] : [`--quota-backend-bytes=${options.quotaBytes}`]),
      ...(options.tls === undefined ? [] : [`--cert-file=${options.tls.cert}`, `--key-file=${options.tls.key}`]),
      ...(options.clientCa === undefined ? [] : ['--client-cert-auth', `--trusted-ca-file=${options.clientCa}`]),
      ...(options.flags ?? []),
    ];
  }

  spawn(): void {
    const child = spawn('etcd', this.args, { stdio: ['ignore', 'ignore', 'pipe'] });
    running.add(child);
    this.child = child;
    child.once('error', (error) => {
      this.said += String(error);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.said = (this.said + chunk.toString()).slice(-20_000);
    });
    child.once('exit', () => running.delete(child));
  }

  async healthy(): Promise<void> {
    const until = Date.now() + 20_000;
    for (;;) {
      const child = this.child;
      if (child === undefined || child.exitCode !== null || child.pid === undefined) {
        throw new Error(`etcd did not start: ${this.said}`);
      }
      if (await this.isHealthy()) return;
      if (Date.now() > until) throw new Error(`etcd did not become healthy: ${this.said}`);
      await sleep(30);
    }
  }

  private async isHealthy(): Promise<boolean> {
    // A plain connection first: it costs nothing, and most of the waiting is for the port.
    if (!(await listens(this.port))) return false;
    try {
      const client = this.options.client ?? {};
      etcdctl([this.url], ['endpoint', 'health'], { client, timeoutMs: 3000 });
      return true;
    } catch {
      return false;
    }
  }

  async kill(): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  async restart(): Promise<void> {
    await this.kill();
    this.spawn();
    await this.healthy();
  }

  log(): string {
    return this.said;
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function etcdctl(endpoints: readonly string[], args: readonly string[], options: CtlOptions): string {
  const client = options.client ?? {};
  const v2 = options.api === 2;
  const flags = [
    `--endpoints=${endpoints.join(',')}`,
    ...(client.ca === undefined ? [] : [`--${v2 ? 'ca-file' : 'cacert'}=${client.ca}`]),
    ...(client.cert === undefined ? [] : [`--${v2 ? 'cert-file' : 'cert'}=${client.cert}`]),
    ...(client.key === undefined ? [] : [`--${v2 ? 'key-file' : 'key'}=${client.key}`]),
    ...(client.insecure === true ? ['--insecure-skip-tls-verify', '--insecure-transport=false'] : []),
    ...(client.user === undefined ? [] : [v2 ? '--username' : '--user', client.user]),
  ];
  return execFileSync('etcdctl', [...flags, ...args], {
    env: { PATH: process.env['PATH'], ETCDCTL_API: v2 ? '2' : '3' },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: options.timeoutMs ?? 20_000,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.input === undefined ? {} : { input: options.input }),
  });
}

export const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until it is true, long enough for a machine that has much else to do. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 25_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await sleep(20);
  }
}

/** Certificates of one CA, made on the fly. Paths of PEM files. */
export interface Authority {
  readonly ca: string;
  /** `names` are subjectAltName entries such as `IP:127.0.0.1` or `DNS:localhost`. */
  issue(name: string, certificate?: CertificateOptions): { readonly cert: string; readonly key: string };
}

export interface CertificateOptions {
  readonly names?: readonly string[];
  /** Days from now; negative for a certificate that has expired. */
  readonly days?: number;
}

/** A CA with the OpenSSL command line, in a directory of its own. */
export function certificateAuthority(directory: string, name: string): Authority {
  const ca = join(directory, `${name}.pem`);
  const caKey = join(directory, `${name}.key`);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', caKey, '-out', ca, '-subj', `/CN=${name}`, '-days', '3650');
  const database = join(directory, `${name}.index`);
  writeFileSync(database, '');
  return {
    ca,
    issue: (subject, { names = [], days = 365 } = {}) => {
      const base = join(directory, `${name}-${subject}`);
      const config = `${base}.cnf`;
      // `openssl x509 -req` of OpenSSL 3.0 cannot set a date in the past, `openssl ca` can.
      writeFileSync(
        config,
        [
          '[ca]\ndefault_ca=here\n[here]',
          `database=${database}\nnew_certs_dir=${directory}\ncertificate=${ca}\nprivate_key=${caKey}`,
          'default_md=sha256\npolicy=any\nrand_serial=yes\nunique_subject=no\nx509_extensions=leaf',
          '[any]\ncommonName=supplied\n[leaf]\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth',
          names.length === 0 ? '' : `subjectAltName=${names.join(',')}`,
        ].join('\n'),
      );
      openssl('req', '-new', ...newKey, '-keyout', `${base}.key`, '-out', `${base}.csr`, '-subj', `/CN=${subject}`);
      const start = new Date(Date.now() + (Math.min(0, days) - 2) * 86_400_000);
      const end = new Date(Date.now() + days * 86_400_000);
      openssl(
        ...['ca', '-batch', '-notext', '-config', config, '-in', `${base}.csr`, '-out', `${base}.pem`],
        ...['-startdate', opensslDate(start), '-enddate', opensslDate(end)],
      );
      return { cert: `${base}.pem`, key: `${base}.key` };
    },
  };
}

function opensslDate(date: Date): string {
  return `${date.toISOString().replace(/[-:T]|\.\d+/g, '')}`;
}

export function contents(files: { readonly ca?: string; readonly cert?: string; readonly key?: string }): {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
} {
  return {
    ...(files.ca === undefined ? {} : { ca: readFileSync(files.ca) }),
    ...(files.cert === undefined ? {} : { cert: readFileSync(files.cert) }),
    ...(files.key === undefined ? {} : { key: readFileSync(files.key) }),
  };
}

export interface Service {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** Takes every connection and never says a word. */
export async function blackHole(): Promise<Service> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return serviceOf(server, sockets);
}

/**
 * A port on which connecting hangs, as behind a firewall that drops: a process that listens with a backlog of one,
 * accepts nothing, and whose queue is full. Linux then drops further SYNs.
 */
export async function droppingPort(): Promise<Service> {
  tidyAtExit();
  const port = await freePort();
  const script = `import socket,sys
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", ${port})); s.listen(0); print("ready", flush=True); sys.stdin.read()`;
  const child = spawn('python3', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const fillers = new Set<net.Socket>();
  // Until one of them does not get through.
  for (let stuck = false; !stuck && fillers.size < 16; ) {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    fillers.add(socket);
    stuck = await Promise.race([
      new Promise<boolean>((resolve) => socket.once('connect', () => resolve(false))),
      sleep(150).then(() => true),
    ]);
  }
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      for (const socket of fillers) socket.destroy();
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** Some other web server. */
export async function notEtcd(): Promise<Service> {
  const server = http.createServer((_, response) => {
    response.setHeader('content-type', 'text/html').end('<html>Welcome to nginx!</html>');
  });
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return serviceOf(server, sockets);
}

function serviceOf(server: net.Server, sockets: ReadonlySet<net.Socket>): Service {
  const { port } = addressOf(server);
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A TCP relay in front of etcd, to cut and to silence what passes. */
export interface Relay extends Service {
  /** Cuts all connections. New ones are taken. */
  cut(): void;
  /** From now on nothing that etcd says comes through; what we say still reaches it. */
  swallowReplies(): void;
  /** From now on nothing that we say reaches etcd. */
  swallowRequests(): void;
  /** Everything passes again; connections that lost bytes are cut. */
  heal(): void;
  /** Cuts every connection once so many bytes of etcd have passed through it. */
  cutAfterBytes(bytes: number): void;
  /** How often `cutAfterBytes` struck. */
  cuts(): number;
}

export async function relayTo(port: number): Promise<Relay> {
  const pairs = new Set<readonly [net.Socket, net.Socket]>();
  const sockets = new Set<net.Socket>();
  let swallowing: 'nothing' | 'replies' | 'requests' = 'nothing';
  let cuts = 0;
  let limit = Number.POSITIVE_INFINITY;
  const server = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1');
    const pair = [near, far] as const;
    let passed = 0;
    pairs.add(pair);
    sockets.add(near);
    const end = () => {
      pairs.delete(pair);
      sockets.delete(near);
      near.destroy();
      far.destroy();
    };
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', end);
    }
    near.on('close', end);
    far.on('close', () => near.end());
    near.on('data', (chunk: Buffer) => {
      if (swallowing !== 'requests') far.write(chunk);
    });
    far.on('data', (chunk: Buffer) => {
      if (swallowing === 'replies' || passed >= limit) return;
      passed += chunk.length;
      if (passed < limit) {
        near.write(chunk);
        return;
      }
      cuts += 1;
      // What has passed arrives, so that everybody who resumes gets somewhere.
      near.end(chunk);
      far.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  return {
    ...serviceOf(server, sockets),
    cut,
    swallowReplies: () => {
      swallowing = 'replies';
    },
    swallowRequests: () => {
      swallowing = 'requests';
    },
    heal: () => {
      if (swallowing !== 'nothing') cut();
      swallowing = 'nothing';
      limit = Number.POSITIVE_INFINITY;
    },
    cutAfterBytes: (bytes) => {
      limit = bytes;
    },
    cuts: () => cuts,
  };
}
