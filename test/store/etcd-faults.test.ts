import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NetctlError } from '../../src/lib/errors';
import { chooseApi, lookForPrefix } from '../../src/lib/store/detect';
import { openEtcdV2 } from '../../src/lib/store/etcd-v2';
import { openEtcdV3 } from '../../src/lib/store/etcd-v3';
import type { Store, StoreOptions } from '../../src/lib/store/store';
import {
  type Authority,
  blackHole,
  certificateAuthority,
  contents,
  droppingPort,
  type Etcd,
  freePort,
  notEtcd,
  relayTo,
  removeDirectory,
  type Service,
  sleep,
  startEtcd,
  temporaryDirectory,
  until,
} from '../support/etcd';
import { runNode } from '../support/run-node';

const apis = [
  ['v3', openEtcdV3],
  ['v2', openEtcdV2],
] as const;

const timeoutMs = 3000;
/** Where the deadline is what ends it. */
const shortMs = 1500;
/** Tells seconds from a hang, on a machine that has much else to do. */
const patienceMs = 8000;

/** Whatever was started, to be stopped in the end. */
const started: { stop(): Promise<void> }[] = [];
async function kept<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const thing = await starting;
  started.push(thing);
  return thing;
}
/** A directory that is removed in the end. */
function keptDirectory(name: string): string {
  const directory = temporaryDirectory(name);
  started.push({ stop: async () => removeDirectory(directory) });
  return directory;
}
afterAll(async () => {
  await Promise.all(started.map((thing) => thing.stop()));
});

/** The error of a read, the time that it took checked. */
async function failure(open: (options: StoreOptions) => Promise<Store>, options: StoreOptions): Promise<NetctlError> {
  const begun = Date.now();
  let store: Store | undefined;
  try {
    store = await open(options);
    await store.get('/coreos.com/network/config');
  } catch (error) {
    expect(Date.now() - begun).toBeLessThan(options.timeoutMs + patienceMs);
    if (error instanceof NetctlError) return error;
    throw error;
  } finally {
    store?.close();
  }
  throw new Error('it did not fail');
}

const port = (url: string) => url.replace(/^.*:/, '');
const secure = (url: string) => url.replace('http:', 'https:');
const plain = (url: string) => url.replace('https:', 'http:');

/** How often etcd was asked to log somebody in, by its own count. */
async function logins(etcd: Etcd): Promise<number> {
  const metrics = await (await fetch(`${etcd.endpoints[0]}/metrics`)).text();
  return Number(/^grpc_server_started_total\{grpc_method="Authenticate".*\} (\d+)$/m.exec(metrics)?.[1]);
}

describe.each(apis)('without a server that answers, etcd %s', (_, open) => {
  let hole: Service;
  let dropping: Service;
  let other: Service;
  beforeAll(async () => {
    [hole, dropping, other] = await Promise.all([kept(blackHole()), kept(droppingPort()), kept(notEtcd())]);
  });

  it('names a port on which nothing listens', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const error = await failure(open, { endpoints: [url], timeoutMs: shortMs });
    expect(error).toMatchObject({ code: 'etcd-refused', exit: 4 });
    expect(error.message).toContain(url);
    expect(error.next.join()).toContain('listen-client-urls');
  });

  it('names a host that does not resolve', async () => {
    const error = await failure(open, { endpoints: ['http://no-such-host.invalid:2379'], timeoutMs });
    expect(error).toMatchObject({ code: 'etcd-name-unknown', exit: 4 });
    expect(error.message).toContain('no-such-host.invalid:2379');
  });

  it('does not wait longer than the deadline for packets that vanish', async () => {
    const error = await failure(open, { endpoints: [dropping.url], timeoutMs: shortMs });
    expect(error).toMatchObject({ code: 'etcd-no-answer', exit: 4 });
    expect(error.message).toContain(dropping.url);
    expect(error.message).toContain('1.5 s');
  });

  it('nor for a server that takes the connection and says nothing, with TLS or without', async () => {
    for (const url of [hole.url, secure(hole.url)]) {
      const error = await failure(open, { endpoints: [url], timeoutMs: shortMs });
      expect(error).toMatchObject({ code: 'etcd-silent', exit: 4 });
      expect(error.message).toContain(url);
    }
  });

  it('tells some other web server from etcd', async () => {
    const error = await failure(open, { endpoints: [other.url], timeoutMs: shortMs });
    expect(error).toMatchObject({ code: 'etcd-not-etcd', exit: 4 });
    expect(error.message).toContain(other.url);
  });

  it('tells every endpoint and its own trouble when all fail', async () => {
    const refused = `http://127.0.0.1:${await freePort()}`;
    const error = await failure(open, { endpoints: [refused, dropping.url, other.url], timeoutMs: shortMs });
    expect(error).toMatchObject({ code: 'etcd-unreachable', exit: 4 });
    for (const url of [refused, dropping.url, other.url]) expect(error.details.join('\n')).toContain(url);
    expect(error.details).toHaveLength(3);
  });

  it.each([
    '',
    'ftp://10.0.0.1:2379',
    'http://10.0.0.1',
    'http://10.0.0.1:2379/v2',
    'http://a:b@10.0.0.1:2379',
    'http://[::1:2379',
  ])('refuses %j as an endpoint before it dials', async (url) => {
    const error = await failure(open, { endpoints: [url], timeoutMs: shortMs });
    expect(error).toMatchObject({ code: 'etcd-endpoint-invalid', exit: 2 });
    expect(error.message).toContain(JSON.stringify(url));
  });
});

describe('with one etcd among dead endpoints', () => {
  it.each(apis)('%s reads and writes with a deadline to spare', async (_, open) => {
    const [etcd, hole, dropping] = await Promise.all([kept(startEtcd()), kept(blackHole()), kept(droppingPort())]);
    const refused = `http://127.0.0.1:${await freePort()}`;
    const store = await open({ endpoints: [dropping.url, hole.url, refused, etcd.endpoints[0]], timeoutMs: 5000 });
    const begun = Date.now();
    expect((await store.snapshot('/')).endpoint).toBe(etcd.endpoints[0]);
    // Two silences of 1 s for a list, of 300 ms for less.
    const first = Date.now() - begun;
    expect(first).toBeLessThan(5000);
    const again = Date.now();
    await store.get('/a');
    await store.put({ key: '/a', value: Buffer.from('x'), ttlSeconds: 100 }, 'absent');
    // The member that answered is asked first: no silence is waited out.
    expect(Date.now() - again).toBeLessThan(first);
    const fresh = await open({ endpoints: [dropping.url, hole.url, refused, etcd.endpoints[0]], timeoutMs: 5000 });
    const writing = Date.now();
    await fresh.put({ key: '/b', value: Buffer.from('x') }, 'absent');
    expect(Date.now() - writing).toBeLessThan(5000);
    const impatient = await open({
      endpoints: [dropping.url, hole.url, refused, etcd.endpoints[0]],
      timeoutMs,
    });
    const status = await impatient.status();
    impatient.close();
    expect(status.map(({ reachable }) => reachable)).toEqual([false, false, false, true]);
    expect(status.map(({ endpoint }) => endpoint)).toEqual([dropping.url, hole.url, refused, etcd.endpoints[0]]);
    store.close();
    fresh.close();
  });
});

describe('with TLS', () => {
  let directory: string;
  let authority: Authority;
  let stranger: Authority;
  let tlsEtcd: Etcd;
  let mutualEtcd: Etcd;
  let expiredEtcd: Etcd;
  let otherNameEtcd: Etcd;
  let plainEtcd: Etcd;
  let client: { readonly cert: string; readonly key: string };

  beforeAll(async () => {
    directory = keptDirectory('tls');
    authority = certificateAuthority(directory, 'ca');
    stranger = certificateAuthority(directory, 'stranger');
    const names = ['IP:127.0.0.1', 'DNS:localhost'];
    const good = authority.issue('server', { names });
    client = authority.issue('client');
    const insecure = { insecure: true };
    [tlsEtcd, mutualEtcd, expiredEtcd, otherNameEtcd, plainEtcd] = await Promise.all([
      kept(startEtcd({ tls: good, client: { ca: authority.ca } })),
      kept(startEtcd({ tls: good, clientCa: authority.ca, client: { ca: authority.ca, ...client } })),
      kept(startEtcd({ tls: authority.issue('old', { names, days: -1 }), client: insecure })),
      kept(
        startEtcd({ tls: authority.issue('other', { names: ['DNS:etcd.example', 'IP:10.9.8.7'] }), client: insecure }),
      ),
      kept(startEtcd()),
    ]);
  });

  describe.each(apis)('%s', (_, open) => {
    const read = async (options: StoreOptions) => {
      const store = await open(options);
      try {
        return await store.get('/x');
      } finally {
        store.close();
      }
    };

    it('reads from an address and from a name, with and without a client certificate', async () => {
      const ca = contents({ ca: authority.ca });
      await read({ endpoints: tlsEtcd.endpoints, timeoutMs, ...ca });
      await read({ endpoints: [`https://localhost:${port(tlsEtcd.endpoints[0])}`], timeoutMs, ...ca });
      await read({ endpoints: mutualEtcd.endpoints, timeoutMs, ...contents({ ca: authority.ca, ...client }) });
    });

    it.each(['the wrong CA', 'none at all'])('does not trust a server with %s', async (which) => {
      const ca = which === 'none at all' ? {} : contents({ ca: stranger.ca });
      const error = await failure(open, { endpoints: tlsEtcd.endpoints, timeoutMs, ...ca });
      expect(error).toMatchObject({ code: 'etcd-tls-unknown-ca', exit: 4 });
      expect(error.message).toContain(tlsEtcd.endpoints[0]);
      expect(error.next.join()).toContain('--cacert');
    });

    it('says when the server’s certificate expired', async () => {
      const error = await failure(open, {
        endpoints: expiredEtcd.endpoints,
        timeoutMs,
        ...contents({ ca: authority.ca }),
      });
      expect(error).toMatchObject({ code: 'etcd-tls-server-out-of-date', exit: 4 });
      expect(error.message).toMatch(/expired on \w+ +\d+ .* GMT/);
    });

    it('says for which names the server’s certificate is', async () => {
      const error = await failure(open, {
        endpoints: otherNameEtcd.endpoints,
        timeoutMs,
        ...contents({ ca: authority.ca }),
      });
      expect(error).toMatchObject({ code: 'etcd-tls-wrong-name', exit: 4 });
      expect(error.message).toContain('DNS:etcd.example');
      expect(error.message).toContain('10.9.8.7');
    });

    it('says that a client certificate is wanted', async () => {
      const error = await failure(open, {
        endpoints: mutualEtcd.endpoints,
        timeoutMs,
        ...contents({ ca: authority.ca }),
      });
      expect(error).toMatchObject({ code: 'etcd-tls-client-cert-required', exit: 4 });
    });

    it('says that the client certificate is refused, and when it expired', async () => {
      const foreign = stranger.issue('foreign');
      const old = authority.issue('expired-client', { days: -3 });
      const options = { endpoints: mutualEtcd.endpoints, timeoutMs };
      const refused = await failure(open, { ...options, ...contents({ ca: authority.ca, ...foreign }) });
      expect(refused).toMatchObject({ code: 'etcd-tls-client-cert-refused', exit: 4 });
      const expired = await failure(open, { ...options, ...contents({ ca: authority.ca, ...old }) });
      expect(expired).toMatchObject({ code: 'etcd-tls-client-cert-refused', exit: 4 });
      expect(expired.message).toContain('it expired on');
    });

    it('does not write to a server that refuses its certificate, and knows it', async () => {
      const store = await open({
        endpoints: mutualEtcd.endpoints,
        timeoutMs,
        ...contents({ ca: authority.ca, ...stranger.issue('writer') }),
      });
      const write = store.put({ key: '/x', value: Buffer.from('x') }, 'absent');
      await expect(write).rejects.toMatchObject({ code: 'etcd-tls-client-cert-refused', exit: 4 });
      store.close();
    });

    it('tells http on a TLS port from https on a plain one', async () => {
      const http = await failure(open, { endpoints: [plain(tlsEtcd.endpoints[0])], timeoutMs });
      expect(http).toMatchObject({ code: 'etcd-tls-needed', exit: 4 });
      expect(http.next.join()).toContain(tlsEtcd.endpoints[0]);
      const https = await failure(open, { endpoints: [secure(plainEtcd.endpoints[0])], timeoutMs });
      expect(https).toMatchObject({ code: 'etcd-tls-not-spoken', exit: 4 });
      expect(https.next.join()).toContain(plainEtcd.endpoints[0]);
    });

    it('reads past a member with an expired certificate', async () => {
      const endpoints = [expiredEtcd.endpoints[0], tlsEtcd.endpoints[0]] as const;
      await read({ endpoints, timeoutMs, ...contents({ ca: authority.ca }) });
    });

    it('looks at certificates before it dials', async () => {
      const endpoints = [`https://127.0.0.1:${await freePort()}`] as const;
      const ca = contents({ ca: authority.ca });
      const garbage = Buffer.from('not a certificate');
      const other = authority.issue('another');
      const files = contents({ ca: authority.ca, ...client });
      const encrypted = Buffer.from(
        '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n',
      );
      const short = join(directory, 'short');
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'rsa:512',
          '-nodes',
          '-keyout',
          `${short}.key`,
          '-out',
          `${short}.pem`,
          '-subj',
          '/CN=short',
        ],
        { stdio: 'pipe' },
      );
      const cases: readonly (readonly [Partial<StoreOptions>, string])[] = [
        [{ ca: garbage }, 'etcd-pem-invalid'],
        [{ ca: Buffer.alloc(0) }, 'etcd-pem-invalid'],
        [{ ...files, cert: garbage }, 'etcd-pem-invalid'],
        [{ ...files, key: garbage }, 'etcd-pem-invalid'],
        [{ ...files, key: encrypted }, 'etcd-key-encrypted'],
        [{ ...files, ...contents({ key: other.key }) }, 'etcd-key-mismatch'],
        [{ ...ca, ...contents({ cert: client.cert }) }, 'etcd-cert-without-key'],
        [{ ...ca, ...contents({ cert: `${short}.pem`, key: `${short}.key` }) }, 'etcd-tls-material'],
      ];
      for (const [options, code] of cases) {
        const error = await failure(open, { endpoints, timeoutMs, ...options });
        expect(error).toMatchObject({ code, exit: 2 });
        expect(error.message).not.toContain('MII');
      }
    });
  });
});

describe('with users', () => {
  const key = '/coreos.com/network/config';
  let etcd: Etcd;
  let plainEtcd: Etcd;
  beforeAll(async () => {
    const directory = keptDirectory('jwt');
    const [secretKey, publicKey] = [join(directory, 'key.pem'), join(directory, 'public.pem')];
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(secretKey, pair.privateKey.export({ type: 'pkcs1', format: 'pem' }));
    writeFileSync(publicKey, pair.publicKey.export({ type: 'spki', format: 'pem' }));
    // Tokens that live for a second; those of the simple kind live for five minutes.
    const tokens = `--auth-token=jwt,pub-key=${publicKey},priv-key=${secretKey},sign-method=RS256,ttl=1s`;
    [etcd, plainEtcd] = await Promise.all([kept(startEtcd({ flags: [tokens] })), kept(startEtcd())]);
    for (const name of ['root:secret', 'flannel:pass']) etcd.ctl(['user', 'add', name]);
    etcd.ctl(['user', 'grant-role', 'root', 'root']);
    etcd.ctl(['role', 'add', 'reader']);
    etcd.ctl(['role', 'grant-permission', '--prefix=true', 'reader', 'read', '/coreos.com/network']);
    etcd.ctl(['user', 'grant-role', 'flannel', 'reader']);
    etcd.ctl(['put', key, '{}']);
    etcd.ctl(['auth', 'enable']);
    const v2 = { api: 2 } as const;
    etcd.ctl(['user', 'add', 'root:secret'], v2);
    etcd.ctl(['set', key, '{}'], v2);
    etcd.ctl(['auth', 'enable'], v2);
    etcd.ctl(['role', 'revoke', 'guest', '--path', '/*', '--readwrite'], { ...v2, client: { user: 'root:secret' } });
  });

  const options = (name: string, password: string): StoreOptions => ({
    endpoints: etcd.endpoints,
    timeoutMs,
    user: { name, password },
  });

  it('v3 refuses a wrong password and an unknown user, and does not show the password', async () => {
    for (const name of ['flannel', 'nobody']) {
      const error = await failure(openEtcdV3, options(name, 'hunter2'));
      expect(error).toMatchObject({ code: 'etcd-auth-failed', exit: 4 });
      expect(error.message).toContain(`user "${name}"`);
      expect(error.message).toContain(etcd.endpoints[0]);
      expect(JSON.stringify([error.message, error.next, error.details])).not.toContain('hunter2');
    }
  });

  it('v2 refuses a wrong password', async () => {
    const error = await failure(openEtcdV2, options('root', 'hunter2'));
    expect(error).toMatchObject({ code: 'etcd-access-denied', exit: 4 });
    expect(error.message).toContain('user "root"');
    expect(JSON.stringify([error.message, error.next, error.details])).not.toContain('hunter2');
  });

  it.each(apis)('%s asks for a user when none was given, and lets the right one in', async (_, open) => {
    const error = await failure(open, { endpoints: etcd.endpoints, timeoutMs });
    expect(error).toMatchObject({ code: 'etcd-auth-needed', exit: 4 });
    const store = await open(options('root', 'secret'));
    expect((await store.get(key)).entry?.value).toEqual(Buffer.from('{}'));
    store.close();
  });

  it.each(apis)('%s takes a user where etcd knows none', async (_, open) => {
    const store = await open({ ...options('flannel', 'pass'), endpoints: plainEtcd.endpoints });
    expect((await store.get('/x')).entry).toBeUndefined();
    store.close();
  });

  it('v3 names the key and the right that is missing', async () => {
    const store = await openEtcdV3(options('flannel', 'pass'));
    const { entry } = await store.get(key);
    const write = store.put({ key, value: Buffer.from('{"a":1}'), ttlSeconds: 100 }, entry?.revision ?? '');
    await expect(write).rejects.toMatchObject({ code: 'etcd-permission-denied', exit: 4 });
    await expect(write).rejects.toThrow(`user "flannel" has no right to write "${key}"`);
    expect((await store.get(key)).entry).toEqual(entry);
    await expect(store.get('/elsewhere')).rejects.toThrow('no right to read "/elsewhere"');
    const watch = store.watch('/elsewhere', { from: '1', signal: new AbortController().signal });
    await expect(watch[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'etcd-permission-denied' });
    store.close();
  });

  it('v3 logs in again when its token has run out, once for many requests', async () => {
    const store = await openEtcdV3(options('root', 'secret'));
    await store.get(key);
    await sleep(2100);
    const before = await logins(etcd);
    const answers = await Promise.all(Array.from({ length: 16 }, () => store.get(key)));
    expect(answers.every(({ entry }) => entry !== undefined)).toBe(true);
    expect((await logins(etcd)) - before).toBe(1);
    await sleep(2100);
    await store.put({ key: '/root', value: Buffer.from('x') }, 'absent');
    store.close();
  });

  it('v3 keeps watching over a cut connection with a token that has run out', async () => {
    const relay = await kept(relayTo(etcd.members[0]?.port ?? 0));
    const store = await openEtcdV3({ ...options('root', 'secret'), endpoints: [relay.url] });
    const writer = await openEtcdV3(options('root', 'secret'));
    const { revision } = await store.get(key);
    const abort = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const batch of store.watch('/watched', { from: revision, signal: abort.signal })) {
        if (batch.type === 'events')
          for (const event of batch.events) if (event.type === 'put') seen.push(event.entry.key);
      }
    })();
    await writer.put({ key: '/watched/1', value: Buffer.from('x') }, 'absent');
    await until('the first event', () => seen.length === 1);
    await sleep(2100);
    relay.cut();
    await writer.put({ key: '/watched/2', value: Buffer.from('x') }, 'absent');
    await until('the second event', () => seen.length === 2);
    abort.abort();
    await watching;
    expect(seen).toEqual(['/watched/1', '/watched/2']);
    store.close();
    writer.close();
  });
});

describe('when etcd is ill', () => {
  it('tells a lost quorum from a black hole, and goes on when it is back', { timeout: 60_000 }, async () => {
    const etcd = await kept(startEtcd({ members: 3 }));
    const [first, second, third] = etcd.members;
    const key = '/coreos.com/network/config';
    const stores = await Promise.all(apis.map(([, open]) => open({ endpoints: etcd.endpoints, timeoutMs: 5000 })));
    await Promise.all(stores.map((store) => store.put({ key, value: Buffer.from('{}') }, 'absent')));
    await Promise.all([second?.kill(), third?.kill()]);
    // A leader without followers gives up after an election timeout of half a second.
    await sleep(1500);
    for (const [api, open] of apis) {
      const alone = await failure(open, { endpoints: [etcd.endpoints[0]], timeoutMs: 1500 });
      expect(alone, api).toMatchObject({ code: 'etcd-no-quorum', exit: 4 });
      expect(alone.message).toContain(first?.url ?? '?');
      const all = await failure(open, { endpoints: etcd.endpoints, timeoutMs: 1500 });
      expect(all, api).toMatchObject({ code: 'etcd-no-quorum', exit: 4 });
      for (const url of etcd.endpoints) expect(all.details.join('\n'), api).toContain(url);
      const store = await open({ endpoints: etcd.endpoints, timeoutMs: 2000 });
      const status = await store.status();
      expect(status.map(({ reachable }) => reachable)).toEqual([true, false, false]);
      expect(status[0]?.error).toContain('no leader');
      store.close();
    }
    await Promise.all([second?.restart(), third?.restart()]);
    for (const store of stores) {
      expect((await store.get(key)).entry?.value).toEqual(Buffer.from('{}'));
      store.close();
    }
  });

  it('goes on with the other members when one is frozen', { timeout: 60_000 }, async () => {
    const etcd = await kept(startEtcd({ members: 3 }));
    for (const [, open] of apis) {
      const store = await open({ endpoints: etcd.endpoints, timeoutMs: 5000 });
      await store.get('/x');
      etcd.members[0]?.freeze();
      await sleep(1200);
      const begun = Date.now();
      await store.get('/x');
      expect(Date.now() - begun).toBeLessThan(5000);
      await store.put({ key: '/x', value: Buffer.from('x') }, 'absent');
      store.close();
      etcd.members[0]?.thaw();
    }
  });

  it('says that the database is full, how to mend it, and still reads', async () => {
    const etcd = await kept(startEtcd({ quotaBytes: 4 << 20 }));
    const store = await openEtcdV3({ endpoints: etcd.endpoints, timeoutMs: 5000 });
    const fill = async () => {
      for (let index = 0; index < 40; index++) {
        await store.put({ key: `/fill/${index}`, value: Buffer.alloc(1 << 18, index) }, 'absent');
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'etcd-no-space', exit: 5 });
    const write = store.put({ key: '/a', value: Buffer.from('x'), ttlSeconds: 100 }, 'absent');
    await expect(write).rejects.toThrow(etcd.endpoints[0]);
    await write.catch((error: NetctlError) => {
      for (const word of ['compact', 'defrag', 'alarm disarm']) expect(error.next.join('\n')).toContain(word);
    });
    expect((await store.snapshot('/fill/')).entries.length).toBeGreaterThan(5);
    expect((await store.status())[0]?.alarms).toEqual(['NOSPACE']);
    expect(await store.leases()).toEqual([]);
    store.close();
  });

  it('says that its members hold different data', async () => {
    const etcd = await kept(startEtcd());
    const raw = new Etcd3({ hosts: etcd.endpoints[0] });
    const { header } = await raw.maintenance.status();
    await raw.maintenance.alarm({ action: 'Activate', memberID: header.member_id, alarm: 'Corrupt' });
    raw.close();
    const store = await openEtcdV3({ endpoints: etcd.endpoints, timeoutMs });
    const write = store.put({ key: '/a', value: Buffer.from('x') }, 'absent');
    await expect(write).rejects.toMatchObject({ code: 'etcd-corrupt', exit: 5 });
    expect((await store.status())[0]?.alarms).toEqual(['CORRUPT']);
    store.close();
  });

  it('says that a value is too large', async () => {
    const etcd = await kept(startEtcd());
    const store = await openEtcdV3({ endpoints: etcd.endpoints, timeoutMs: 5000 });
    for (const bytes of [1.8, 4, 20].map((mebibytes) => mebibytes * (1 << 20))) {
      const write = store.put({ key: '/large', value: Buffer.alloc(bytes) }, 'absent');
      await expect(write).rejects.toMatchObject({ code: 'etcd-request-too-large', exit: 2 });
    }
    expect((await store.get('/large')).entry).toBeUndefined();
    store.close();
  });

  it.each(apis)('%s repeats a read whose connection is cut', async (_, open) => {
    const etcd = await kept(startEtcd());
    const relay = await kept(relayTo(etcd.members[0]?.port ?? 0));
    const store = await open({ endpoints: [relay.url], timeoutMs: 5000 });
    await store.get('/x');
    relay.swallowReplies();
    const read = store.get('/x');
    await sleep(100);
    relay.heal();
    expect((await read).entry).toBeUndefined();
    store.close();
  });
});

describe('finding out which API a network lives in', () => {
  const prefix = '/coreos.com/network';
  const none = { served: true, config: false, leases: 0 };

  it('looks into both, and guesses over nothing', async () => {
    const etcd = await kept(startEtcd());
    const options = { endpoints: etcd.endpoints, timeoutMs };
    expect(await lookForPrefix(options, prefix)).toEqual({ v3: none, v2: none });
    etcd.ctl(['put', `${prefix}/config`, '{}']);
    const onlyV3 = await lookForPrefix(options, prefix);
    expect(onlyV3).toEqual({ v3: { ...none, config: true }, v2: none });
    expect(chooseApi(onlyV3)).toBe('v3');
    etcd.ctl(['set', `${prefix}/subnets/10.5.1.0-24`, '{}'], { api: 2 });
    const both = await lookForPrefix(options, prefix);
    expect(both.v2).toEqual({ ...none, leases: 1 });
    expect(chooseApi(both)).toBe('both');
    etcd.ctl(['del', '--prefix', prefix]);
    expect(chooseApi(await lookForPrefix(options, prefix))).toBe('v2');
  });

  it('knows an etcd that does not serve v2', async () => {
    const etcd = await kept(startEtcd({ enableV2: false }));
    const options = { endpoints: etcd.endpoints, timeoutMs };
    const use = await lookForPrefix(options, prefix);
    expect(use).toEqual({ v3: none, v2: { served: false, config: false, leases: 0 } });
    expect(chooseApi(use)).toBe('none');
    expect(await failure(openEtcdV2, options)).toMatchObject({ code: 'etcd-v2-off', exit: 4 });
  });

  it('carries the error of an API that cannot be asked', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const use = await lookForPrefix({ endpoints: [url], timeoutMs }, prefix);
    expect(use.v3.error).toMatchObject({ code: 'etcd-refused' });
    expect(use.v2.error).toMatchObject({ code: 'etcd-refused' });
  });

  it('uses stores that are open already', async () => {
    const answer = { served: true, config: true, leases: 7 };
    const looker = { look: async () => answer };
    const options = { endpoints: ['http://127.0.0.1:1'] as const, timeoutMs };
    expect(await lookForPrefix(options, prefix, { v2: looker, v3: looker })).toEqual({ v2: answer, v3: answer });
  });
});

describe('a process that reads over TLS from an address', () => {
  it('has nothing to say on stderr', async () => {
    const authority = certificateAuthority(keptDirectory('quiet'), 'ca');
    const tls = authority.issue('server', { names: ['IP:127.0.0.1'] });
    const etcd = await kept(startEtcd({ tls, client: { ca: authority.ca } }));
    const script = (module: string, name: string) => `
      import { readFileSync } from 'node:fs';
      import opener from ${JSON.stringify(join(import.meta.dirname, '../../src/lib/store', module))};
      const ca = readFileSync(${JSON.stringify(authority.ca)});
      const store = await opener.${name}({ endpoints: ${JSON.stringify(etcd.endpoints)}, ca, timeoutMs: 5000 });
      console.log((await store.snapshot('/')).entries.length);
      store.close();
    `;
    for (const [module, name] of [
      ['etcd-v3.ts', 'openEtcdV3'],
      ['etcd-v2.ts', 'openEtcdV2'],
    ] as const) {
      expect(await runNode(script(module, name))).toEqual({ stdout: '0\n', stderr: '', code: 0 });
    }
  });
});
