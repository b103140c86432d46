import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { ChangeFailed, InvalidInput, Unreachable } from '../errors';
import {
  archiveLimits,
  archiveName,
  type FlannelArchive,
  type Machine,
  readFlannelArchive,
} from '../net/flannel-archive';
import { type FlannelVersion, isAtLeast } from '../net/flannel-version';
import { shellWord } from '../net/shell-word';

/** Where flannel's project publishes its releases. */
const flannelReleases = 'https://github.com/flannel-io/flannel/releases/download';

export interface FlannelDownloadWish {
  readonly version: FlannelVersion;
  readonly machine: Machine;
  /** What the archive must have, hex. Absent: what it had when it was fetched first. */
  readonly sha256?: string;
  /** `BASE/v0.28.9/flannel-v0.28.9-linux-amd64.tar.gz` is fetched; a mirror may be plain http, since a person named it. */
  readonly baseUrl?: string;
  /** See `flannelCacheFolder`. */
  readonly cacheFolder: string;
  /** Without an answer for so long the download is given up; 30 s. */
  readonly idleTimeoutMs?: number;
  /** The whole download; 15 min. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Bytes so far, and of all when the server says how many. */
  readonly onProgress?: (receivedBytes: number, totalBytes: number | null) => void;
}

export interface FetchedArchive {
  /** In the cache. */
  readonly file: string;
  readonly archive: FlannelArchive;
  readonly from: 'cache' | 'network';
  /** By what its sum was judged: the person's, that of the first fetch, or by nothing because this was the first. */
  readonly trust: 'given' | 'recorded' | 'first-use';
  /** Sentences for stderr. */
  readonly notices: readonly string[];
}

/** `$XDG_CACHE_HOME/netctl/flannel`, else below `~/.cache`. A relative XDG_CACHE_HOME counts as none, as its specification says. */
export function flannelCacheFolder(environment: Readonly<Record<string, string | undefined>>): string {
  const cache = environment['XDG_CACHE_HOME'] ?? '';
  return join(isAbsolute(cache) ? cache : join(environment['HOME'] ?? homedir(), '.cache'), 'netctl', 'flannel');
}

/**
 * The mirror that `NETCTL_FLANNEL_URL` names; undefined for none.
 * @throws InvalidInput `flannel-url-invalid`
 */
export function flannelMirror(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const text = environment['NETCTL_FLANNEL_URL'] ?? '';
  if (text === '') return undefined;
  return checkedUrl(text, 'NETCTL_FLANNEL_URL').href.replace(/\/+$/, '');
}

/**
 * The release archive, from the cache or fetched once. Nothing that was not read to its end and found right is kept.
 * @throws InvalidInput `flannel-url-invalid`, `flannel-release-missing`, `archive-sha256-mismatch`, `archive-sha256-changed`, and those of
 *   `readFlannelArchive` · Unreachable `flannel-download-failed` · ChangeFailed `flannel-cache-unwritable`
 */
export async function fetchFlannelArchive(wish: FlannelDownloadWish): Promise<FetchedArchive> {
  const name = archiveName(wish.version.tag, wish.machine);
  const base = checkedUrl(wish.baseUrl ?? flannelReleases, 'flannel.url').href.replace(/\/+$/, '');
  const url = `${base}/${encodeURIComponent(wish.version.tag)}/${encodeURIComponent(name)}`;
  const file = join(wish.cacheFolder, name);
  const record = `${file}.sha256`;
  const recorded = await readRecord(record);
  const expected = wish.sha256?.toLowerCase() ?? recorded;
  const cached = await readCached(file, name);
  if (typeof cached === 'object' && cached.sha256 === (expected ?? cached.sha256)) {
    if (recorded === undefined) await writeRecord(record, name, cached.sha256);
    return judged(wish, file, cached, 'cache', recorded, []);
  }
  const notices = cached === 'missing' ? [] : [`${file} was not what it should be and is fetched again`];
  const beside = `${file}.${randomBytes(6).toString('hex')}.part`;
  try {
    await makeFolder(wish.cacheFolder);
    await download(url, beside, wish, file);
    const archive = await readFlannelArchive(() => createReadStream(beside), {
      name,
      ...(wish.sha256 === undefined ? {} : { sha256: wish.sha256 }),
    });
    if (wish.sha256 === undefined && recorded !== undefined && archive.sha256 !== recorded) {
      throw new InvalidInput({
        code: 'archive-sha256-changed',
        message: `${url} has SHA-256 ${archive.sha256}, but ${recorded} when it was first fetched: a release does not change`,
        next: [
          'Ask somebody who has the archive for its sum, then give it: flannel.sha256',
          `Only if you know why it changed: rm ${shellWord(record)}`,
        ],
      });
    }
    await rename(beside, file).catch((error: unknown) => {
      throw unwritable(file, error);
    });
    await writeRecord(record, name, archive.sha256);
    return judged(wish, file, archive, 'network', recorded, notices);
  } finally {
    await unlink(beside).catch(() => undefined);
  }
}

function judged(
  wish: FlannelDownloadWish,
  file: string,
  archive: FlannelArchive,
  from: FetchedArchive['from'],
  recorded: string | undefined,
  notices: readonly string[],
): FetchedArchive {
  const trust = wish.sha256 !== undefined ? 'given' : recorded !== undefined ? 'recorded' : 'first-use';
  const said =
    trust === 'first-use'
      ? [
          ...notices,
          `nobody gave the SHA-256 of ${archive.name}: it was taken as it came, and later fetches must have the same (${archive.sha256}). To be sure: flannel.sha256`,
        ]
      : notices;
  return { file, archive, from, trust, notices: said };
}

/** What is in the cache. */
async function readCached(file: string, name: string): Promise<FlannelArchive | 'missing' | 'damaged'> {
  try {
    return await readFlannelArchive(() => createReadStream(file), { name });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (error instanceof InvalidInput) return 'damaged';
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
    throw new InvalidInput({
      code: 'file-unreadable',
      message: `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      next: [`ls -l ${shellWord(file)}`],
      cause: error,
    });
  }
}

/** The sum that was noted at the first fetch, in the form of sha256sum. */
async function readRecord(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return /^([0-9a-f]{64}) {2}/.exec(text)?.[1];
}

async function writeRecord(file: string, name: string, sha256: string): Promise<void> {
  const beside = `${file}.${randomBytes(6).toString('hex')}.part`;
  try {
    await writeFile(beside, `${sha256}  ${name}\n`, { mode: 0o644, flag: 'wx' });
    await rename(beside, file);
  } catch (error) {
    await unlink(beside).catch(() => undefined);
    throw unwritable(file, error);
  }
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 }).catch((error: unknown) => {
    throw unwritable(folder, error);
  });
}

function unwritable(file: string, error: unknown): ChangeFailed {
  return new ChangeFailed({
    code: 'flannel-cache-unwritable',
    message: `${file} was not written: ${error instanceof Error ? error.message : String(error)}`,
    next: ['XDG_CACHE_HOME=/another/folder', 'or bring the archive yourself: flannel.archive'],
    details: ['Nothing is left half-written.'],
    cause: error,
  });
}

function checkedUrl(text: string, from: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (
    url === undefined ||
    !isWeb ||
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw new InvalidInput({
      code: 'flannel-url-invalid',
      // Whoever wrote a password into it shall not find it in a log.
      message: `${from} ${JSON.stringify(text.replace(/\/\/[^/]*@/, '//…@'))} is not where releases lie: https:// and a path, without user, ? and #`,
      next: [`${from}=${flannelReleases}`],
    });
  }
  return url;
}

const maximumRedirects = 5;

/** Fetches into a new file, which is on disk when this returns. */
async function download(url: string, beside: string, wish: FlannelDownloadWish, target: string): Promise<void> {
  const { idleTimeoutMs = 30_000, timeoutMs = 900_000, onProgress } = wish;
  const abort = new AbortController();
  const onAbort = (): void => abort.abort(wish.signal?.reason);
  if (wish.signal?.aborted === true) onAbort();
  wish.signal?.addEventListener('abort', onAbort, { once: true });
  const whole = setTimeout(() => abort.abort(new Error(`it took longer than ${timeoutMs / 1000} s`)), timeoutMs);
  let idle: NodeJS.Timeout | undefined;
  const stillAlive = (): void => {
    clearTimeout(idle);
    idle = setTimeout(() => abort.abort(new Error(`no byte came for ${idleTimeoutMs / 1000} s`)), idleTimeoutMs);
  };
  const failed = (reason: string, cause?: unknown): Unreachable => notFetched(url, reason, target, cause);
  stillAlive();
  try {
    const response = await follow(url, abort.signal, failed);
    if (response.statusCode === 404) throw missingRelease(url, wish);
    if (response.statusCode !== 200) throw failed(`the server answers ${response.statusCode}`);
    const announced = Number(response.headers['content-length'] ?? Number.NaN);
    const total = Number.isSafeInteger(announced) && announced > 0 ? announced : null;
    if ((total ?? 0) > archiveLimits.archiveBytes) throw failed(`it has ${total} bytes, more than any release`);
    const handle = await open(beside, 'wx', 0o644).catch((error: unknown) => {
      throw unwritable(beside, error);
    });
    try {
      let received = 0;
      for await (const chunk of response) {
        if (!(chunk instanceof Uint8Array)) continue;
        stillAlive();
        received += chunk.byteLength;
        if (received > archiveLimits.archiveBytes) throw failed('it does not end where any release would');
        await handle.writeFile(chunk).catch((error: unknown) => {
          throw unwritable(target, error);
        });
        onProgress?.(received, total);
      }
      if (total !== null && received !== total)
        throw failed(`the connection was cut after ${received} of ${total} bytes`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (wish.signal?.aborted === true) throw wish.signal.reason;
    if (error instanceof InvalidInput || error instanceof Unreachable || error instanceof ChangeFailed) throw error;
    throw failed(reasonOf(abort.signal.aborted ? abort.signal.reason : error), error);
  } finally {
    clearTimeout(whole);
    clearTimeout(idle);
    wish.signal?.removeEventListener('abort', onAbort);
    // Lets go of a connection whose rest nobody reads.
    abort.abort();
  }
}

/** The answer behind all redirects. Not `fetch`, which unpacks what a server such as Apache calls gzip-encoded: a .tar.gz. */
async function follow(
  url: string,
  signal: AbortSignal,
  failed: (reason: string) => Unreachable,
): Promise<IncomingMessage> {
  const [http, https] = await Promise.all([import('node:http'), import('node:https')]);
  // Plain http was asked for only when the address itself says so.
  const isPlainAllowed = url.startsWith('http://');
  const headers = { accept: 'application/octet-stream', 'accept-encoding': 'identity', 'user-agent': 'netctl' };
  let current = url;
  for (let hop = 0; hop <= maximumRedirects; hop += 1) {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const { get } = current.startsWith('https://') ? https : http;
      get(current, { signal, headers, agent: false }, resolve).on('error', reject);
    });
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined) return response;
    response.destroy();
    if (!URL.canParse(location, current)) throw failed('the server sends us to an address that is none');
    const next = new URL(location, current);
    if (next.protocol !== 'https:' && !(isPlainAllowed && next.protocol === 'http:')) {
      throw failed(`the server sends us to ${next.origin}, which is not https`);
    }
    current = next.href;
  }
  throw failed(`the server sends us on more than ${maximumRedirects} times`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  const words: Readonly<Record<string, string>> = {
    ENOTFOUND: 'its name is not known here',
    EAI_AGAIN: 'the name server does not answer',
    ECONNREFUSED: 'nobody listens there',
    ECONNRESET: 'the connection was cut',
    ENETUNREACH: 'there is no way to that network from here',
  };
  return words[code] ?? (error.message || code);
}

function notFetched(url: string, reason: string, target: string, cause?: unknown): Unreachable {
  return new Unreachable({
    code: 'flannel-download-failed',
    message: `${url} was not fetched: ${reason}`,
    next: [
      `On a machine that reaches it: curl -fLO ${shellWord(url)}`,
      'then give the file: flannel.archive: PATH in netctl.yaml',
      `or put it where netctl looks: ${target}`,
      'A mirror is named by NETCTL_FLANNEL_URL; https_proxy is not read',
    ],
    cause,
  });
}

function missingRelease(url: string, { version, machine }: FlannelDownloadWish): InvalidInput {
  const from: Readonly<Partial<Record<Machine, string>>> = { s390x: 'v0.8.0', mips64le: 'v0.16.2', riscv64: 'v0.24.0' };
  const first = from[machine];
  const reason =
    first !== undefined && !isAtLeast(version, first)
      ? `flannel is released for ${machine} from ${first} on`
      : machine === 'mips64le' && isAtLeast(version, 'v0.24.1')
        ? 'flannel is released for mips64le up to v0.24.0'
        : 'there is no such release, or not for this machine';
  return new InvalidInput({
    code: 'flannel-release-missing',
    message: `${url} does not exist: ${reason}`,
    next: ['https://github.com/flannel-io/flannel/releases lists them', 'flannel.version in netctl.yaml'],
  });
}
