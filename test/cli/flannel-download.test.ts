import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type FlannelDownloadWish,
  fetchFlannelArchive,
  flannelCacheFolder,
  flannelMirror,
} from '../../src/lib/cli/flannel-download';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';

const name = 'flannel-v0.28.9-linux-amd64.tar.gz';
const path = `/v0.28.9/${name}`;

async function release(program = '#!/bin/sh\necho flanneld\n'): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: 'flanneld' }, program);
  tar.entry({ name: 'mk-docker-opts.sh' }, '#!/bin/sh\n');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  return gzipSync(Buffer.concat(chunks));
}

const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let folder = '';
let server: Server;
let baseUrl = '';
let asked: string[] = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'netctl-download-'));
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  baseUrl = `http://127.0.0.1:${address.port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  chmodSync(folder, 0o755);
  rmSync(folder, { recursive: true, force: true });
});

const get = (more: Partial<FlannelDownloadWish> = {}) =>
  fetchFlannelArchive({
    version: parseFlannelVersion('v0.28.9'),
    machine: 'x86_64',
    baseUrl,
    cacheFolder: join(folder, 'cache'),
    ...more,
  });

const cached = (): readonly string[] =>
  existsSync(join(folder, 'cache')) ? readdirSync(join(folder, 'cache')).sort() : [];

describe('fetching a release', () => {
  it('happens once; the sum of the first time is noted and said', async () => {
    const bytes = await release();
    answer = (_, response) => response.end(bytes);
    const first = await get();
    expect(first).toMatchObject({
      from: 'network',
      trust: 'first-use',
      archive: { sha256: sum(bytes), tag: 'v0.28.9' },
    });
    expect(first.notices.join()).toContain(sum(bytes));
    expect(readFileSync(first.file).equals(bytes)).toBe(true);
    expect(readFileSync(`${first.file}.sha256`, 'utf8')).toBe(`${sum(bytes)}  ${name}\n`);
    expect(await get()).toMatchObject({ from: 'cache', trust: 'recorded', notices: [], file: first.file });
    expect(await get({ sha256: sum(bytes).toUpperCase() })).toMatchObject({ from: 'cache', trust: 'given' });
    expect(asked).toEqual([path]);
    expect(cached()).toEqual([name, `${name}.sha256`]);
  });

  it('tells how far it is', async () => {
    const bytes = await release();
    answer = (_, response) => response.setHeader('content-length', bytes.length).end(bytes);
    const seen: (readonly [number, number | null])[] = [];
    await get({ onProgress: (received, total) => seen.push([received, total]) });
    expect(seen.at(-1)).toEqual([bytes.length, bytes.length]);
  });

  it('takes the bytes as they are, even when the server calls them packed', async () => {
    const bytes = await release();
    answer = (_, response) => response.setHeader('content-encoding', 'x-gzip').end(bytes);
    expect((await get()).archive.sha256).toBe(sum(bytes));
  });

  it('follows redirects, a few', async () => {
    const bytes = await release();
    answer = (request, response) => {
      const left = Number(new URL(request.url ?? '', baseUrl).searchParams.get('left') ?? '3');
      if (left === 0) response.end(bytes);
      else response.writeHead(302, { location: `/asset?left=${left - 1}` }).end();
    };
    expect((await get()).from).toBe('network');
    rmSync(join(folder, 'cache'), { recursive: true });
    answer = (_, response) => response.writeHead(302, { location: path }).end();
    await expect(get()).rejects.toMatchObject({
      code: 'flannel-download-failed',
      exit: 4,
      message: expect.stringContaining('more than 5 times'),
    });
    for (const location of ['ftp://127.0.0.1/x', 'file:///etc/passwd', 'http://[']) {
      answer = (_, response) => response.writeHead(302, { location }).end();
      await expect(get()).rejects.toMatchObject({ code: 'flannel-download-failed' });
    }
  });

  it('refuses what has not the sum that was given, and keeps nothing of it', async () => {
    const bytes = await release();
    answer = (_, response) => response.end(bytes);
    await expect(get({ sha256: 'a'.repeat(64) })).rejects.toMatchObject({ code: 'archive-sha256-mismatch', exit: 2 });
    expect(cached()).toEqual([]);
  });

  it('refuses a release that is another one than at first', async () => {
    const [bytes, others] = [await release(), await release('#!/bin/sh\necho evil\n')];
    answer = (_, response) => response.end(bytes);
    const { file } = await get();
    rmSync(file);
    answer = (_, response) => response.end(others);
    await expect(get()).rejects.toMatchObject({ code: 'archive-sha256-changed', exit: 2 });
    expect(cached()).toEqual([`${name}.sha256`]);
    // A person who knows better says so, and is believed from then on.
    expect(await get({ sha256: sum(others) })).toMatchObject({ trust: 'given' });
    expect(await get()).toMatchObject({ from: 'cache', trust: 'recorded' });
  });

  it('fetches again what was damaged in the cache', async () => {
    const bytes = await release();
    answer = (_, response) => response.end(bytes);
    const { file } = await get();
    writeFileSync(file, bytes.subarray(0, 50));
    const again = await get();
    expect(again).toMatchObject({ from: 'network', trust: 'recorded' });
    expect(again.notices.join()).toContain('fetched again');
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  it('never keeps a page of a proxy, a part, or a file of another machine', async () => {
    const bytes = await release();
    const answers: readonly ((response: ServerResponse) => void)[] = [
      (response) => response.end('<html>Please log in</html>'),
      (response) => response.end(gzipSync('not a tar')),
      (response) => {
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, 40));
        setTimeout(() => response.destroy(), 20);
      },
      (response) => response.writeHead(200, { 'content-length': 10 * 1024 ** 3 }).write('x'),
      (response) => response.writeHead(500).end(),
      (response) => response.writeHead(404).end(),
    ];
    for (const one of answers) {
      answer = (_, response) => one(response);
      await expect(get()).rejects.toMatchObject({ name: expect.stringMatching(/^(InvalidInput|Unreachable)$/) });
      expect(cached()).toEqual([]);
    }
  });

  it('says which releases there are for a machine', async () => {
    answer = (_, response) => response.writeHead(404).end();
    await expect(get({ machine: 'riscv64', version: parseFlannelVersion('v0.20.2') })).rejects.toMatchObject({
      code: 'flannel-release-missing',
      message: expect.stringContaining('riscv64 from v0.24.0'),
    });
    await expect(get()).rejects.toMatchObject({ code: 'flannel-release-missing' });
  });

  it('says how to bring the file by hand when there is no way out', async () => {
    server.closeAllConnections();
    server.close();
    const failure = await get().catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'flannel-download-failed',
      exit: 4,
      message: expect.stringContaining('nobody listens there'),
    });
    expect(failure).toMatchObject({
      next: expect.arrayContaining([`On a machine that reaches it: curl -fLO ${baseUrl}${path}`]),
    });
    expect(failure).toMatchObject({
      next: expect.arrayContaining([expect.stringContaining(join(folder, 'cache', name))]),
    });
  });

  it('gives up a server that falls silent, and one that never ends', async () => {
    answer = (_, response) => response.writeHead(200).write('\x1f\x8b');
    await expect(get({ idleTimeoutMs: 100 })).rejects.toMatchObject({
      message: expect.stringContaining('no byte came for 0.1 s'),
    });
    answer = (_, response) => {
      const drip = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(drip));
    };
    await expect(get({ timeoutMs: 200 })).rejects.toMatchObject({
      message: expect.stringContaining('longer than 0.2 s'),
    });
    answer = () => undefined;
    await expect(get({ idleTimeoutMs: 100 })).rejects.toMatchObject({ code: 'flannel-download-failed' });
    expect(cached()).toEqual([]);
  });

  it('stops when it is told to', async () => {
    const abort = new AbortController();
    answer = () => abort.abort(new Error('Ctrl-C'));
    await expect(get({ signal: abort.signal })).rejects.toThrow('Ctrl-C');
    await expect(get({ signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
    expect(cached()).toEqual([]);
  });

  it('two at once do not get into each other’s way', async () => {
    const bytes = await release();
    answer = (_, response) => response.end(bytes);
    const all = await Promise.all([get(), get(), get()]);
    expect(new Set(all.map(({ archive }) => archive.sha256)).size).toBe(1);
    expect(cached()).toEqual([name, `${name}.sha256`]);
  });

  it('says so when the cache cannot be written', async () => {
    answer = (_, response) => response.end('x');
    writeFileSync(join(folder, 'cache'), 'a file');
    await expect(get()).rejects.toMatchObject({ code: 'flannel-cache-unwritable', exit: 5 });
  });
});

describe('where releases come from and go to', () => {
  it('is the cache of the user', () => {
    expect(flannelCacheFolder({ XDG_CACHE_HOME: '/x', HOME: '/home/me' })).toBe('/x/netctl/flannel');
    expect(flannelCacheFolder({ XDG_CACHE_HOME: 'relative', HOME: '/home/me' })).toBe('/home/me/.cache/netctl/flannel');
    expect(flannelCacheFolder({ HOME: '/home/me' })).toBe('/home/me/.cache/netctl/flannel');
  });

  it('is a mirror when one is named, without its secrets in a message', () => {
    expect(flannelMirror({})).toBeUndefined();
    expect(flannelMirror({ NETCTL_FLANNEL_URL: 'http://mirror.example/flannel/' })).toBe(
      'http://mirror.example/flannel',
    );
    for (const text of ['mirror.example', 'ftp://mirror/x', 'https://me:geheim@mirror/x', 'https://mirror/x?token=1']) {
      expect(() => flannelMirror({ NETCTL_FLANNEL_URL: text })).toThrow(/is not where releases lie/);
    }
    expect(() => flannelMirror({ NETCTL_FLANNEL_URL: 'https://me:geheim@mirror/x' })).not.toThrow(/geheim/);
  });
});
