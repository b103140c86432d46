import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChangeFailed, Conflict } from '../../src/lib/errors';
import { pipelined } from '../../src/lib/store/pipelined';
import type {
  Entry,
  PrefixLooker,
  Snapshot,
  Store,
  StoreOptions,
  WatchBatch,
  WatchEvent,
  WatchNotice,
} from '../../src/lib/store/store';
import { type Etcd, type Relay, relayTo, sleep, startEtcd, until } from '../support/etcd';
import { runNode } from '../support/run-node';

type OpenStore = Store & PrefixLooker;

/** What differs between the two APIs beyond their name. */
export interface Subject {
  readonly api: 'v2' | 'v3';
  readonly open: (options: StoreOptions) => Promise<OpenStore>;
  /** The module and function that `open` is, for a process of its own. */
  readonly module: { readonly path: string; readonly name: string };
  readonly binaryValues: boolean;
  readonly leases: boolean;
  /** So many past events can be watched without the history running out. */
  readonly pastEvents: number;
  /** Makes etcd forget the history before now. */
  readonly forgetHistory: (etcd: Etcd, store: Store, prefix: string) => Promise<void>;
}

const text = (value: string) => Buffer.from(value);

/** What every store must do, on a real etcd. */
export function storeContract(subject: Subject): void {
  let etcd: Etcd;
  let store: OpenStore;
  let direct: { readonly endpoints: readonly [string]; readonly timeoutMs: number };
  const opened: OpenStore[] = [];
  const relays: Relay[] = [];
  let prefixes = 0;

  const newPrefix = () => `/contract/${++prefixes}`;
  const openThrough = async (relay: Relay, timeoutMs: number) => {
    const through = await subject.open({ endpoints: [relay.url], timeoutMs });
    opened.push(through);
    return through;
  };
  const newRelay = async () => {
    const relay = await relayTo(etcd.members[0]?.port ?? 0);
    relays.push(relay);
    return relay;
  };

  beforeAll(async () => {
    etcd = await startEtcd();
    direct = { endpoints: [etcd.endpoints[0]], timeoutMs: 5000 };
    store = await subject.open(direct);
    opened.push(store);
  });
  afterAll(async () => {
    for (const one of opened) one.close();
    await Promise.all(relays.map((relay) => relay.stop()));
    await etcd.stop();
  });

  const put = (key: string, value = 'x') => store.put({ key, value: text(value) }, 'absent');

  describe('a snapshot', () => {
    it('holds what starts with the text, siblings of the directory included, in byte order', async () => {
      const p = newPrefix();
      const inside = ['-old/10.5.1.0-24', '/10.5.10.0-24', '/10.5.2.0-24', '/10.5.2.0-24&fc00::-64', '/ü', 'X', 'x/y'];
      for (const tail of [...inside].reverse()) await put(`${p}/subnets${tail}`, tail);
      await put(`${p}/config`);
      await put(`${p}/subnet`);
      const snapshot = await store.snapshot(`${p}/subnets`);
      expect(snapshot.entries.length).toBe(inside.length);
      const keys = Array.from(snapshot.entries, ({ key }) => key);
      expect(keys).toEqual(inside.map((tail) => `${p}/subnets${tail}`));
      // Gone through a second time they are the same.
      expect(Array.from(snapshot.entries, ({ value }) => Buffer.from(value).toString())).toEqual(inside);
      expect(snapshot).toMatchObject({ api: subject.api, endpoint: etcd.endpoints[0] });
      expect(snapshot.clusterId).toMatch(/^[0-9a-f]+$/);
      const ended = await store.snapshot(`${p}/subnets/`);
      expect(ended.entries.length).toBe(4);
    });

    it('is empty, with a revision, where nothing is', async () => {
      const { entries, revision } = await store.snapshot(`${newPrefix()}/none/`);
      expect([...entries]).toEqual([]);
      expect(entries.length).toBe(0);
      expect(revision).toMatch(/^[1-9]\d*$/);
    });

    it('agrees with get about every field', async () => {
      const p = newPrefix();
      const first = await put(`${p}/a`, 'one');
      const second = await store.put({ key: `${p}/a`, value: text('two') }, first.revision);
      expect(second).toEqual({ ...first, value: text('two'), revision: second.revision });
      expect(second.createdRevision).toBe(first.revision);
      expect([...(await store.snapshot(p)).entries]).toEqual([second]);
      expect((await store.get(`${p}/a`)).entry).toEqual(second);
    });

    it('holds a value of 1 MiB', async () => {
      const p = newPrefix();
      const value = Buffer.alloc(1 << 20, 'ä');
      await store.put({ key: `${p}/large`, value }, 'absent');
      const [entry] = (await store.snapshot(p)).entries;
      expect(entry !== undefined && value.equals(entry.value)).toBe(true);
    });

    it('holds 5,000 keys and more than 4 MB', async () => {
      const p = newPrefix();
      const names = Array.from({ length: 5000 }, (_, index) => `${p}/k${String(index).padStart(5, '0')}`);
      const padding = 'v'.repeat(1000);
      await pipelined(names, 32, undefined, async (key) => void (await put(key, key + padding)));
      const entries = [...(await store.snapshot(p)).entries];
      expect(entries.map(({ key }) => key)).toEqual(names);
      expect(entries.every(({ key, value }) => Buffer.from(value).toString() === key + padding)).toBe(true);
    });

    it(
      subject.binaryValues ? 'gives back any bytes' : 'does not let bytes in that would come back as others',
      async () => {
        const p = newPrefix();
        const value = Buffer.from([0, 0xff, 0xfe, 0x80, 0x1b, 0x5b, 0x41]);
        const write = store.put({ key: `${p}/bytes`, value }, 'absent');
        if (subject.binaryValues) {
          await write;
          expect((await store.get(`${p}/bytes`)).entry?.value).toEqual(value);
        } else {
          await expect(write).rejects.toMatchObject({ code: 'etcd-v2-value', exit: 2 });
          expect((await store.get(`${p}/bytes`)).entry).toBeUndefined();
        }
      },
    );

    it('keeps keys and values that look like something else apart', async () => {
      const p = newPrefix();
      const keys = ['__proto__', 'a b', 'a%2Fb', 'a?b=c#d', 'constructor', '\u001b[31mred'].sort();
      for (const key of keys) await put(`${p}/${key}`, key);
      const entries = [...(await store.snapshot(`${p}/`)).entries];
      // v2 hides what begins with an underscore.
      const listed = keys.filter((key) => subject.api === 'v3' || !key.startsWith('_'));
      expect(entries.map(({ key }) => key.slice(p.length + 1)).sort()).toEqual(listed);
      expect((await store.get(`${p}/__proto__`)).entry?.value).toEqual(text('__proto__'));
      expect((await store.get(`${p}/a%2Fb`)).entry?.value).toEqual(text('a%2Fb'));
    });
  });

  describe('a guard', () => {
    it('lets a key be created once', async () => {
      const p = newPrefix();
      const first = await put(`${p}/a`);
      const second = store.put({ key: `${p}/a`, value: text('y') }, 'absent');
      await expect(second).rejects.toBeInstanceOf(Conflict);
      await expect(second).rejects.toMatchObject({ code: 'etcd-conflict', exit: 6 });
      await expect(second).rejects.toThrow(`"${p}/a" was changed by somebody else in etcd ${etcd.endpoints[0]}`);
      expect((await store.get(`${p}/a`)).entry).toEqual(first);
    });

    it('refuses a change over somebody else’s, and over a deletion', async () => {
      const p = newPrefix();
      const first = await put(`${p}/a`);
      const theirs = await store.put({ key: `${p}/a`, value: text('theirs') }, first.revision);
      await expect(store.put({ key: `${p}/a`, value: text('mine') }, first.revision)).rejects.toBeInstanceOf(Conflict);
      await expect(store.delete(`${p}/a`, first.revision)).rejects.toThrow(`it is now at revision ${theirs.revision}`);
      expect((await store.get(`${p}/a`)).entry).toEqual(theirs);
      await store.delete(`${p}/a`, theirs.revision);
      expect((await store.get(`${p}/a`)).entry).toBeUndefined();
      await expect(store.delete(`${p}/a`, theirs.revision)).rejects.toThrow('it no longer exists');
      await expect(store.put({ key: `${p}/a`, value: text('mine') }, theirs.revision)).rejects.toBeInstanceOf(Conflict);
      expect((await store.get(`${p}/a`)).entry).toBeUndefined();
    });

    it('of revision 0 or of nonsense is a bug, not a write', async () => {
      const p = newPrefix();
      for (const guard of ['0', '', 'NaN', '-1', '1e3']) {
        await expect(store.put({ key: `${p}/a`, value: text('x') }, guard)).rejects.toThrow('not a');
      }
      expect((await store.get(`${p}/a`)).entry).toBeUndefined();
    });

    it('lets exactly one of many writers through', async () => {
      const p = newPrefix();
      const first = await put(`${p}/a`);
      const attempts = Array.from({ length: 16 }, (_, index) =>
        store.put({ key: `${p}/a`, value: text(String(index)) }, first.revision).then(
          () => 'written',
          (error: unknown) => (error instanceof Conflict ? 'conflict' : error),
        ),
      );
      const results = await Promise.all(attempts);
      expect(results.filter((result) => result === 'written')).toHaveLength(1);
      expect(results.filter((result) => result === 'conflict')).toHaveLength(15);
    });
  });

  describe('a fence', () => {
    it('lets writes through as long as its key is the one that was made then, however often it is renewed', async () => {
      const p = newPrefix();
      const fenced = await subject.open(direct);
      opened.push(fenced);
      const made = await put(`${p}/lock`, 'mine');
      fenced.fence({ key: made.key, createdRevision: made.createdRevision });
      const first = await fenced.put({ key: `${p}/a`, value: text('1') }, 'absent');
      const renewed = await fenced.put({ key: made.key, value: text('mine'), ttlSeconds: 100 }, made.revision);
      const second = await fenced.put({ key: `${p}/a`, value: text('2'), ttlSeconds: 100 }, first.revision);
      // A write that is refused for itself is not blamed on the fence.
      await expect(fenced.put({ key: `${p}/a`, value: text('3') }, first.revision)).rejects.toMatchObject({
        code: 'etcd-conflict',
      });

      await store.delete(made.key, renewed.revision);
      const lost = { code: 'lock-lost', exit: 6 };
      const count = (await store.leases()).length;
      await expect(fenced.put({ key: `${p}/b`, value: text('1') }, 'absent')).rejects.toMatchObject(lost);
      await expect(fenced.put({ key: `${p}/b`, value: text('1'), ttlSeconds: 100 }, 'absent')).rejects.toMatchObject(
        lost,
      );
      await expect(fenced.delete(`${p}/a`, second.revision)).rejects.toMatchObject(lost);
      await put(made.key, 'theirs');
      await expect(fenced.delete(`${p}/a`, second.revision)).rejects.toMatchObject(lost);
      expect((await store.get(`${p}/b`)).entry).toBeUndefined();
      expect((await store.get(`${p}/a`)).entry).toEqual({ ...second, ...ttlOf(await store.get(`${p}/a`)) });
      expect((await store.leases()).length).toBe(count);

      fenced.fence(undefined);
      await fenced.delete(`${p}/a`, second.revision);
      expect((await store.get(`${p}/a`)).entry).toBeUndefined();
    });
  });

  describe('a time to live', () => {
    it('is given, kept and taken away', async () => {
      const p = newPrefix();
      const key = `${p}/subnets/10.5.1.0-24`;
      const leased = await store.put({ key, value: text('1'), ttlSeconds: 100 }, 'absent');
      expect(leased.permanent).toBe(false);
      expect((await store.ttls([leased])).get(key)).toSatisfy((ttl: number) => ttl > 90 && ttl <= 100);
      const kept = await store.put({ key, value: text('2'), ttlSeconds: 'keep' }, leased.revision);
      expect(kept.permanent).toBe(false);
      expect(kept.leaseId).toBe(leased.leaseId);
      expect((await store.ttls([kept])).get(key)).toSatisfy((ttl: number) => ttl > 90 && ttl <= 100);
      const permanent = await store.put({ key, value: text('3') }, kept.revision);
      expect(permanent.permanent).toBe(true);
      expect((await store.ttls([permanent])).size).toBe(0);
      const still = await store.put({ key, value: text('4'), ttlSeconds: 'keep' }, permanent.revision);
      expect(still.permanent).toBe(true);
      const fresh = await store.put({ key: `${p}/new`, value: text('5'), ttlSeconds: 'keep' }, 'absent');
      expect(fresh.permanent).toBe(true);
    });

    it('of many keys is asked in one call', async () => {
      const p = newPrefix();
      const keys = Array.from({ length: 200 }, (_, index) => `${p}/${index}`);
      await pipelined(keys, 16, undefined, async (key) => {
        await store.put({ key, value: text('x'), ttlSeconds: 500 }, 'absent');
      });
      const permanent = await put(`${p}/permanent`);
      const entries = [...(await store.snapshot(p)).entries];
      const seconds = await store.ttls(entries);
      expect([...seconds.keys()].sort()).toEqual([...keys].sort());
      expect([...seconds.values()].every((ttl) => ttl > 480 && ttl <= 500)).toBe(true);
      expect(seconds.has(permanent.key)).toBe(false);
      const called = new AbortController();
      called.abort();
      expect((await store.ttls(entries, called.signal)).size).toBeLessThanOrEqual(subject.leases ? 0 : 200);
    });

    it('ends the key, which a watch sees as a deletion', async () => {
      const p = newPrefix();
      const { revision } = await store.get(p);
      const key = `${p}/short`;
      await store.put({ key, value: text('x'), ttlSeconds: 1 }, 'absent');
      const events = await firstEvents(store, p, revision, 2);
      expect(events[1]).toMatchObject({ type: 'delete', key });
      expect((await store.get(key)).entry).toBeUndefined();
    });

    it('leaves no lease behind when the write is refused', async () => {
      const p = newPrefix();
      await put(`${p}/a`);
      const before = await store.leases();
      await expect(store.put({ key: `${p}/a`, value: text('y'), ttlSeconds: 1000 }, 'absent')).rejects.toBeInstanceOf(
        Conflict,
      );
      expect((await store.leases()).length).toBe(before.length);
    });

    it('of which nothing hangs any more is ended on request, and one that is gone is no error', async () => {
      const p = newPrefix();
      const before = await store.put({ key: `${p}/a`, value: text('y'), ttlSeconds: 3000 }, 'absent');
      const after = await store.put({ key: `${p}/a`, value: text('y'), ttlSeconds: 3000 }, before.revision);
      const id = before.leaseId ?? '';
      expect((await store.leases()).some((lease) => lease.id === id)).toBe(subject.leases);
      await store.revoke(id);
      await store.revoke(id);
      expect((await store.leases()).some((lease) => lease.id === id)).toBe(false);
      expect((await store.get(`${p}/a`)).entry?.revision).toBe(after.revision);
    });

    it('shows in the list of leases with its keys', async () => {
      const p = newPrefix();
      const entry = await store.put({ key: `${p}/a`, value: text('y'), ttlSeconds: 3000 }, 'absent');
      const leases = await store.leases();
      if (!subject.leases) return expect(leases).toEqual([]);
      const lease = leases.find(({ id }) => id === entry.leaseId);
      expect(lease).toMatchObject({ grantedSeconds: 3000, keys: [`${p}/a`] });
      expect(etcd.ctl(['lease', 'list'])).toContain(entry.leaseId);
    });
  });

  describe('the past', () => {
    const pastOf = async (prefix: string) => {
      const events: WatchEvent[] = [];
      const { since, until: last } = await store.past(prefix, (event) => events.push(event));
      return { events, since: BigInt(since), until: last };
    };

    it('of keys is all that was written to them and deleted, in order, and of no others', async () => {
      const p = newPrefix();
      const a = await put(`${p}/a`, '1');
      await put(`${newPrefix()}/elsewhere`);
      const b = await store.put({ key: `${p}/a`, value: text('2') }, a.revision);
      const x = await put(`${p}/b`, 'x');
      await store.delete(`${p}/a`, b.revision);
      const again = await put(`${p}/a`, '3');
      await store.delete(`${p}/b`, x.revision);
      const { events, since, until: last } = await pastOf(p);
      const deletion = (key: string) => ({ type: 'delete', key, revision: expect.stringMatching(/^\d+$/) });
      expect(events).toEqual([
        { type: 'put', entry: a },
        { type: 'put', entry: b },
        { type: 'put', entry: x },
        deletion(`${p}/a`),
        { type: 'put', entry: again },
        deletion(`${p}/b`),
      ]);
      expect(since < BigInt(a.revision)).toBe(true);
      expect(BigInt(last) >= BigInt(again.revision)).toBe(true);
    });

    it('of nothing is nothing', async () => {
      expect((await pastOf(newPrefix())).events).toEqual([]);
    });

    it('goes no further back than it is told, and says so', async () => {
      const p = newPrefix();
      const a = await put(`${p}/a`, '1');
      const b = await store.put({ key: `${p}/a`, value: text('2') }, a.revision);
      const c = await store.put({ key: `${p}/a`, value: text('3') }, b.revision);
      const events: WatchEvent[] = [];
      const { since, isCut } = await store.past(`${p}/a`, (event) => events.push(event), 1);
      // v2 has no more than 1,000 events anyway.
      const whole = [a, b, c].map((entry) => ({ type: 'put', entry }));
      expect(events).toEqual(subject.api === 'v3' ? whole.slice(1) : whole);
      expect([isCut, since === b.revision]).toEqual(subject.api === 'v3' ? [true, true] : [false, false]);
    });

    it('begins, where etcd has forgotten, with what it still knows', async () => {
      const p = newPrefix();
      const a = await put(`${p}/a`, '1');
      const b = await store.put({ key: `${p}/a`, value: text('2') }, a.revision);
      const gone = await put(`${p}/b`, '1');
      await store.delete(`${p}/b`, gone.revision);
      await subject.forgetHistory(etcd, store, `${p}/`);
      const c = await store.put({ key: `${p}/a`, value: text('3') }, b.revision);
      const { events, since } = await pastOf(`${p}/a`);
      expect(since > BigInt(b.revision)).toBe(true);
      // What it was before is known to v3 alone.
      const before = subject.api === 'v3' ? [{ type: 'put', entry: b }] : [];
      expect(events).toEqual([...before, { type: 'put', entry: c }]);
      expect((await pastOf(`${p}/b`)).events).toEqual([]);
    });
  });

  it('tells whether a network lives at a prefix', async () => {
    const p = newPrefix();
    expect(await store.look(p)).toEqual({ served: true, config: false, leases: 0 });
    await put(`${p}/config`, '{}');
    await put(`${p}/subnets/10.5.1.0-24`, '{}');
    await put(`${p}/subnets/10.5.2.0-24`, '{}');
    expect(await store.look(`${p}/`)).toEqual({ served: true, config: true, leases: 2 });
  });

  it('describes its endpoints', async () => {
    const [status, ...rest] = await store.status();
    expect(rest).toEqual([]);
    expect(status).toMatchObject({ endpoint: etcd.endpoints[0], reachable: true, version: '3.4.23', alarms: [] });
  });

  describe('a watch', () => {
    it('brings changes in order, once each, from the revision given', async () => {
      const p = newPrefix();
      await put(`${p}/before`);
      const { revision } = await store.snapshot(p);
      const a = await put(`${p}/a`, '1');
      await put(`${newPrefix()}/elsewhere`);
      const b = await store.put({ key: `${p}/a`, value: text('2') }, a.revision);
      await store.delete(`${p}/a`, b.revision);
      const sibling = await put(`${p}x`, '3');
      const events = await firstEvents(store, p, revision, 4);
      expect(events).toEqual([
        { type: 'put', entry: a },
        { type: 'put', entry: b },
        { type: 'delete', key: `${p}/a`, revision: expect.stringMatching(/^\d+$/) },
        { type: 'put', entry: sibling },
      ]);
    });

    it('loses nothing and repeats nothing when its connection is cut again and again', async () => {
      const p = newPrefix();
      const { revision } = await store.get(p);
      const keys = Array.from({ length: subject.pastEvents }, (_, index) => `${p}/k${index}`);
      await pipelined(keys, 32, undefined, async (key) => void (await put(key, 'v'.repeat(60))));
      const relay = await newRelay();
      // More than one answer of etcd, which holds up to 1,000 revisions.
      relay.cutAfterBytes(subject.pastEvents * 25);
      const through = await openThrough(relay, 10_000);
      const events = await firstEvents(through, p, revision, keys.length);
      const seen = events.map((event) => (event.type === 'put' ? event.entry.key : `deleted ${event.key}`));
      expect(new Set(seen)).toEqual(new Set(keys));
      expect(seen).toHaveLength(keys.length);
      const revisions = events.map((event) => Number(event.type === 'put' ? event.entry.revision : event.revision));
      expect(revisions).toEqual([...revisions].sort((left, right) => left - right));
      expect(relay.cuts()).toBeGreaterThan(1);
    });

    it('goes on after a restart of etcd, and says so', async () => {
      const p = newPrefix();
      const { revision } = await store.get(p);
      const notices: WatchNotice[] = [];
      let came = 0;
      const watched = firstEvents(store, p, revision, 3, {
        notice: (notice) => notices.push(notice),
        came: (count) => {
          came = count;
        },
      });
      await put(`${p}/1`);
      // A watch that was never begun may fail; this one has to go on.
      await until('the watch is begun', () => came === 1);
      const [member] = etcd.members;
      await member?.kill();
      await until('the loss is noticed', () => notices.some(({ kind }) => kind === 'lost'));
      await member?.restart();
      await put(`${p}/2`);
      await put(`${p}/3`);
      const events = await watched;
      expect(events.map((event) => event.type === 'put' && event.entry.key)).toEqual([`${p}/1`, `${p}/2`, `${p}/3`]);
      expect(notices.map(({ kind }) => kind)).toEqual(['lost', 'back']);
    }, 60_000);

    it('reads everything anew when history is gone, and goes on from there', async () => {
      const p = newPrefix();
      const old = await put(`${p}/old`);
      const gone = await put(`${p}/gone`);
      await store.delete(`${p}/gone`, gone.revision);
      await subject.forgetHistory(etcd, store, newPrefix());
      const abort = new AbortController();
      const notices: WatchNotice[] = [];
      const batches: WatchBatch[] = [];
      const notice = (one: WatchNotice) => notices.push(one);
      for await (const batch of store.watch(p, { from: old.revision, signal: abort.signal, notice })) {
        batches.push(batch);
        if (batches.length === 1) await put(`${p}/new`);
        else abort.abort();
      }
      const [first] = batches;
      expect(first?.type === 'reset' && [...first.snapshot.entries]).toEqual([old]);
      expect(batches[1]).toMatchObject({ type: 'events', events: [{ type: 'put', entry: { key: `${p}/new` } }] });
      expect(notices.map(({ kind }) => kind)).toContain('compacted');
    }, 60_000);

    it('ends when it is called off, also while nothing happens', async () => {
      const abort = new AbortController();
      const { revision } = await store.get('/x');
      setTimeout(() => abort.abort(), 200);
      const batches: WatchBatch[] = [];
      for await (const batch of store.watch(newPrefix(), { from: revision, signal: abort.signal })) batches.push(batch);
      expect(batches).toEqual([]);
    });

    it('brings a value of 1 MiB', async () => {
      const p = newPrefix();
      const { revision } = await store.get(p);
      const value = Buffer.alloc(1 << 20, 'z');
      for (const name of ['1', '2', '3']) await store.put({ key: `${p}/${name}`, value }, 'absent');
      const events = await firstEvents(store, p, revision, 3);
      expect(events.every((event) => event.type === 'put' && value.equals(event.entry.value))).toBe(true);
    });
  });

  describe('a write whose answer is lost', () => {
    /** A store behind a relay that is connected, and a key that it has read. */
    const setting = async () => {
      const key = `${newPrefix()}/a`;
      const entry = await put(key, 'before');
      const relay = await newRelay();
      const through = await openThrough(relay, 1500);
      await through.get(key);
      return { key, entry, relay, through };
    };
    const current = async (key: string): Promise<Entry | undefined> => (await store.get(key)).entry;

    it('is found to have been carried out, once', async () => {
      const { key, entry, relay, through } = await setting();
      relay.swallowReplies();
      const write = through.put({ key, value: text('after') }, entry.revision);
      await until('etcd has it', async () => (await current(key))?.revision !== entry.revision);
      relay.heal();
      const written = await write;
      expect(written).toEqual(await current(key));
      expect(Buffer.from(written.value).toString()).toBe('after');
      // Nobody else wrote meanwhile: a second write would have moved the revision on.
      expect((await store.get(key)).revision).toBe(written.revision);
    });

    it('creates a key with a time to live once', async () => {
      const { key, relay, through } = await setting();
      const leases = (await store.leases()).length;
      relay.swallowReplies();
      const write = through.put({ key: `${key}-new`, value: text('after'), ttlSeconds: 1000 }, 'absent');
      if (subject.leases) await until('the lease is there', async () => (await store.leases()).length > leases);
      else await until('the key is there', async () => (await current(`${key}-new`)) !== undefined);
      relay.heal();
      const written = await write;
      expect(written).toMatchObject({ permanent: false });
      expect((await store.leases()).length).toBe(leases + (subject.leases ? 1 : 0));
      expect((await current(`${key}-new`))?.revision).toBe(written.revision);
    });

    it('deletes, and is content that the key is gone', async () => {
      const { key, entry, relay, through } = await setting();
      relay.swallowReplies();
      const deletion = through.delete(key, entry.revision);
      await until('it is gone', async () => (await current(key)) === undefined);
      relay.heal();
      await deletion;
    });

    it('is a conflict when somebody else has changed the key since', async () => {
      const { key, entry, relay, through } = await setting();
      relay.swallowReplies();
      const write = through.put({ key, value: text('after') }, entry.revision);
      write.catch(() => undefined);
      await until('etcd has it', async () => (await current(key))?.revision !== entry.revision);
      const ours = await current(key);
      await store.put({ key, value: text('theirs') }, ours?.revision ?? '1');
      relay.heal();
      await expect(write).rejects.toMatchObject({ code: 'etcd-conflict', exit: 6 });
      expect(Buffer.from((await current(key))?.value ?? []).toString()).toBe('theirs');
    });

    it('is reported as not done when it never arrived, and can be repeated', async () => {
      const { key, entry, relay, through } = await setting();
      relay.swallowRequests();
      const write = through.put({ key, value: text('after') }, entry.revision);
      write.catch(() => undefined);
      await sleep(1600);
      relay.heal();
      await expect(write).rejects.toMatchObject({ code: 'etcd-not-written', exit: 5 });
      await expect(write).rejects.toThrow(relay.url);
      expect(await current(key)).toEqual(entry);
      await through.put({ key, value: text('after') }, entry.revision);
    });

    it('is reported as unknown when the key cannot be read again, within two deadlines', async () => {
      const { key, entry, relay, through } = await setting();
      relay.swallowReplies();
      const started = Date.now();
      const deletion = through.delete(key, entry.revision);
      await expect(deletion).rejects.toBeInstanceOf(ChangeFailed);
      await expect(deletion).rejects.toMatchObject({ code: 'etcd-outcome-unknown', exit: 5 });
      expect(Date.now() - started).toBeLessThan(12_000);
    });
  });

  it('lets the process end after close', async () => {
    const path = join(import.meta.dirname, '../..', subject.module.path);
    const script = `
      import opener from ${JSON.stringify(path)};
      const open = opener.${subject.module.name};
      const store = await open({ endpoints: ${JSON.stringify(direct.endpoints)}, timeoutMs: 5000 });
      const { revision } = await store.get('/x');
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 100);
      for await (const batch of store.watch('/none', { from: revision, signal: abort.signal })) console.log(batch);
      store.close();
      const closed = Date.now();
      process.on('exit', () => console.log('ended', Date.now() - closed));
    `;
    const { stdout, stderr, code } = await runNode(script);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(Number(/ended (\d+)/.exec(stdout)?.[1])).toBeLessThan(8000);
  });
}

/** v2 tells with an entry what counts down meanwhile. */
function ttlOf({ entry }: { readonly entry: Entry | undefined }): { readonly ttlSeconds?: number } {
  return entry?.ttlSeconds === undefined ? {} : { ttlSeconds: entry.ttlSeconds };
}

/** So many events of a watch, which is then ended. A reset in between is an error. */
async function firstEvents(
  store: Store,
  prefix: string,
  from: string,
  count: number,
  tell: { readonly notice?: (notice: WatchNotice) => void; readonly came?: (count: number) => void } = {},
): Promise<readonly WatchEvent[]> {
  const abort = new AbortController();
  const events: WatchEvent[] = [];
  const { notice, came } = tell;
  const options = { from, signal: abort.signal, ...(notice === undefined ? {} : { notice }) };
  const timer = setTimeout(() => abort.abort(), 50_000);
  let reset: Snapshot | undefined;
  for await (const batch of store.watch(prefix, options)) {
    if (batch.type === 'events') events.push(...batch.events);
    else reset = batch.snapshot;
    came?.(events.length);
    if (events.length >= count || reset !== undefined) abort.abort();
  }
  clearTimeout(timer);
  expect(reset).toBeUndefined();
  return events;
}
