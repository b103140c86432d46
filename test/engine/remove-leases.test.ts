import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boundTombstones, type RemovalOutcome, removeLeases } from '../../src/lib/engine/remove-leases';
import { NetctlError } from '../../src/lib/errors';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { type Lease, readLeases } from '../../src/lib/net/lease';
import { formatTombstone, mostTombstones, readTombstones, tombstonesPrefix } from '../../src/lib/net/tombstone';
import { planRemoval, type Removal } from '../../src/lib/plan/reclaim';
import { openEtcdV2 } from '../../src/lib/store/etcd-v2';
import { openEtcdV3 } from '../../src/lib/store/etcd-v3';
import type { Entry, Store } from '../../src/lib/store/store';
import { type Etcd, sleep, startEtcd, until } from '../support/etcd';

const value = (publicIP: string) => Buffer.from(`{"PublicIP":"${publicIP}","BackendType":"host-gw"}`);
const keyOf = (prefix: string, subnet: string) => `${prefix}/subnets/${subnet.replace('/', '-')}`;

async function look(store: Store, prefix: string): Promise<{ readonly lease: Lease; readonly entry: Entry }[]> {
  const snapshot = await store.snapshot(`${prefix}/`);
  const version = parseFlannelVersion(store.api === 'v3' ? 'v0.28.9' : 'v0.11.0');
  const { leases, unreadable } = readLeases(snapshot, prefix, version);
  expect(unreadable).toEqual([]);
  const entries = new Map(Array.from(snapshot.entries, (entry) => [entry.key, entry]));
  return leases.flatMap((lease) => {
    const entry = entries.get(lease.key);
    return entry === undefined ? [] : [{ lease, entry }];
  });
}

async function tombstonesOf(store: Store, prefix: string) {
  return readTombstones((await store.snapshot(tombstonesPrefix(prefix))).entries, prefix);
}

async function planFor(store: Store, prefix: string): Promise<readonly Removal[]> {
  const tombstones = await tombstonesOf(store, prefix);
  const context = {
    prefix,
    api: store.api,
    tombstones,
    now: new Date(0),
    who: 'anna@workstation',
    command: 'netctl subnets reclaim',
  };
  return (await look(store, prefix)).map(({ lease, entry }) =>
    planRemoval({ lease, entry, ttlSeconds: 1000, reasons: ['it is gone'] }, context),
  );
}

/** The owner renews before the removal, after it, and at every moment of it. */
async function race(
  round: number,
  remove: () => Promise<readonly RemovalOutcome[]>,
  renew: () => Promise<void>,
): Promise<RemovalOutcome | undefined> {
  if (round % 5 === 0) await renew();
  const removing = sleep(round % 7).then(remove);
  if (round % 5 === 1) await removing;
  if (round % 5 !== 0) await Promise.all([removing, sleep(round % 3).then(renew)]);
  const [outcome] = await removing;
  return outcome;
}

describe.each([
  ['v3', openEtcdV3, 250],
  // Each removal waits half a second until etcd lets the lease expire, so there are fewer rounds, many side by side.
  ['v2', openEtcdV2, 100],
] as const)('taking leases away in etcd %s', (api, openStore, rounds) => {
  let etcd: Etcd;
  let store: Store;
  let owner: Store;
  let prefixes = 0;
  const newPrefix = () => `/reclaim-${api}/${++prefixes}`;

  beforeAll(async () => {
    etcd = await startEtcd();
    store = await openStore({ endpoints: etcd.endpoints, timeoutMs: 5000 });
    owner = await openStore({ endpoints: etcd.endpoints, timeoutMs: 5000 });
  });
  afterAll(async () => {
    store.close();
    owner.close();
    await etcd.stop();
  });

  /** As flanneld renews: whatever is there is overwritten, and it tries again when somebody was quicker. */
  const renew = async (key: string, ip: string): Promise<void> => {
    for (;;) {
      const { entry } = await owner.get(key);
      try {
        await owner.put({ key, value: value(ip), ttlSeconds: 86_400 }, entry?.revision ?? 'absent');
        return;
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'etcd-conflict')) throw error;
      }
    }
  };

  it('what it was is kept first, and the lease goes', async () => {
    const prefix = newPrefix();
    await owner.put({ key: keyOf(prefix, '10.5.1.0/24'), value: value('10.4.7.21'), ttlSeconds: 3600 }, 'absent');
    const outcomes = await removeLeases(await planFor(store, prefix), store);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['removed']);
    await until('the lease is gone', async () => (await look(store, prefix)).length === 0);
    const [kept] = await tombstonesOf(store, prefix);
    expect(kept).toMatchObject({ subnet: '10.5.1.0/24', ttlSeconds: 1000, deletedBy: 'anna@workstation' });
    expect(Buffer.from(kept?.value ?? []).equals(value('10.4.7.21'))).toBe(true);
  });

  it(`of ${rounds} owners that renew at that very moment none loses its lease`, async () => {
    const prefix = newPrefix();
    const subnets = Array.from({ length: rounds }, (_, round) => `10.${5 + (round >> 8)}.${round & 255}.0/24`);
    const atOnce = 25;
    let conflicts = 0;
    for (let start = 0; start < rounds; start += atOnce) {
      const part = subnets.slice(start, start + atOnce);
      for (const subnet of part) {
        await owner.put({ key: keyOf(prefix, subnet), value: value('10.4.7.21'), ttlSeconds: 600 }, 'absent');
      }
      const plans = (await planFor(store, prefix)).filter(({ key }) =>
        part.some((subnet) => keyOf(prefix, subnet) === key),
      );
      await Promise.all(
        plans.map(async (removal, index) => {
          const outcome = await race(
            index,
            () => removeLeases([removal], store),
            () => renew(removal.key, '10.4.7.99'),
          );
          expect(['removed', 'conflict']).toContain(outcome?.kind);
          if (outcome?.kind === 'conflict') conflicts += 1;
        }),
      );
    }
    // In v2 what was given a second to live would be gone by now.
    if (api === 'v2') await new Promise((resolve) => setTimeout(resolve, 2000));
    const left = await look(store, prefix);
    expect(left.map(({ lease }) => lease.publicIP)).toEqual(subnets.map(() => '10.4.7.99'));
    // Both happened, or nothing was proven.
    expect(conflicts).toBeGreaterThan(0);
    expect(conflicts).toBeLessThan(rounds);
    // Who was quicker than we has no record of a removal that never was.
    expect(await tombstonesOf(store, prefix)).toHaveLength(rounds - conflicts);
  }, 60_000);

  it('two runs at once take each lease away once, and keep each once', async () => {
    const prefix = newPrefix();
    for (let subnet = 0; subnet < 20; subnet += 1) {
      await owner.put(
        { key: keyOf(prefix, `10.5.${subnet}.0/24`), value: value('10.4.7.21'), ttlSeconds: 600 },
        'absent',
      );
    }
    const [one, two] = [await planFor(store, prefix), await planFor(owner, prefix)];
    const outcomes = await Promise.all([removeLeases(one, store), removeLeases([...two].reverse(), owner)]);
    const removed = outcomes.flatMap((run) => run.flatMap(({ kind, key }) => (kind === 'removed' ? key : [])));
    expect(new Set(removed).size).toBe(20);
    await until('all are gone', async () => (await look(store, prefix)).length === 0);
    expect(await tombstonesOf(store, prefix)).toHaveLength(20);
  });

  it('cut off between the record and the deletion, the next run goes on with the same record', async () => {
    const prefix = newPrefix();
    await owner.put({ key: keyOf(prefix, '10.5.1.0/24'), value: value('10.4.7.21'), ttlSeconds: 600 }, 'absent');
    const [first] = await planFor(store, prefix);
    if (first?.keep == null) throw new Error('nothing is kept');
    await store.put({ key: first.keep.key, value: first.keep.value }, 'absent');
    const [second] = await planFor(store, prefix);
    expect(second?.keep).toBeNull();
    await removeLeases(second === undefined ? [] : [second], store);
    await until('it is gone', async () => (await look(store, prefix)).length === 0);
    expect(await tombstonesOf(store, prefix)).toHaveLength(1);
  });

  it('called off, it begins no further one', async () => {
    const prefix = newPrefix();
    for (const subnet of ['10.5.1.0/24', '10.5.2.0/24', '10.5.3.0/24']) {
      await owner.put({ key: keyOf(prefix, subnet), value: value('10.4.7.21'), ttlSeconds: 600 }, 'absent');
    }
    const stopping = new AbortController();
    const outcomes = await removeLeases(await planFor(store, prefix), store, {
      stop: stopping.signal,
      doing: () => stopping.abort(),
    });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['removed', 'skipped', 'skipped']);
  });

  it('of too many records the oldest go', async () => {
    const prefix = newPrefix();
    const record = formatTombstone({
      key: '/k',
      subnet: '10.5.1.0/24',
      revision: '1',
      value: value('10.4.7.21'),
      permanent: false,
      ttlSeconds: 1,
      deletedAt: '',
      deletedBy: '',
      command: '',
      reasons: [],
    });
    const names = Array.from(
      { length: mostTombstones + 3 },
      (_, number) => `${tombstonesPrefix(prefix)}${9999 - number}`,
    );
    for (const name of names) await store.put({ key: name, value: record }, 'absent');
    await boundTombstones(await tombstonesOf(store, prefix), store);
    const left = (await tombstonesOf(store, prefix)).map(({ ownKey }) => ownKey);
    expect(left).toEqual(names.slice(3).reverse());
  }, 30_000);
});

describe('when etcd loses its quorum in the middle', () => {
  it('what is done stays done, the rest is not begun, and the same command finishes it', async () => {
    const etcd = await startEtcd({ members: 3 });
    const store = await openEtcdV3({ endpoints: etcd.endpoints, timeoutMs: 1500 });
    try {
      const prefix = '/coreos.com/network';
      for (let subnet = 1; subnet <= 6; subnet += 1) {
        await store.put(
          { key: keyOf(prefix, `10.5.${subnet}.0/24`), value: value('10.4.7.21'), ttlSeconds: 600 },
          'absent',
        );
      }
      const [, second, third] = etcd.members;
      const plan = await planFor(store, prefix);
      const [before, after] = [plan.slice(0, 3), plan.slice(3)];
      const done = await removeLeases(before, store);
      expect(done.map(({ kind }) => kind)).toEqual(['removed', 'removed', 'removed']);
      await Promise.all([second?.kill(), third?.kill()]);
      const began = performance.now();
      const outcomes = await removeLeases(after, store);
      expect(performance.now() - began).toBeLessThan(15_000);
      expect(outcomes.map(({ kind }) => kind)).toEqual(['failed', 'skipped', 'skipped']);
      await Promise.all([second?.restart(), third?.restart()]);

      const left = await look(store, prefix);
      // Of the one whose answer never came either is possible; no other has changed.
      expect([2, 3]).toContain(left.length);
      const again = await removeLeases(await planFor(store, prefix), store);
      expect(new Set(again.map(({ kind }) => kind))).toEqual(new Set(['removed']));
      expect(await look(store, prefix)).toEqual([]);
      expect((await tombstonesOf(store, prefix)).length).toBeGreaterThanOrEqual(6);
    } finally {
      store.close();
      await etcd.stop();
    }
  }, 60_000);
});

describe('1,000 reclaims race owners that renew, on three members of which one after the other is killed', () => {
  const rounds = 1000;
  const atOnce = 25;

  it('no living lease is lost, whatever became of a request', async () => {
    const etcd = await startEtcd({ members: 3 });
    const options = { endpoints: etcd.endpoints, timeoutMs: 3000 };
    const [store, owner] = [await openEtcdV3(options), await openEtcdV3(options)];
    const prefix = '/coreos.com/network';
    let isOver = false;
    let kills = 0;
    const chaos = async (): Promise<void> => {
      while (!isOver) {
        const member = etcd.members[kills % 3];
        await member?.kill();
        kills += 1;
        await sleep(300);
        await member?.restart();
        await sleep(300);
      }
    };
    /** Until etcd has acknowledged it: an owner whose renewal failed tries again. */
    const renew = async (key: string, ip: string): Promise<void> => {
      for (;;) {
        try {
          const { entry } = await owner.get(key);
          await owner.put({ key, value: value(ip), ttlSeconds: 86_400 }, entry?.revision ?? 'absent');
          return;
        } catch (error) {
          if (!(error instanceof NetctlError)) throw error;
        }
      }
    };
    const outcomes = new Map<string, number>();
    try {
      const trouble = chaos();
      const subnets = Array.from({ length: rounds }, (_, round) => `10.${5 + (round >> 8)}.${round & 255}.0/24`);
      for (let start = 0; start < rounds; start += atOnce) {
        const keys = subnets.slice(start, start + atOnce).map((subnet) => keyOf(prefix, subnet));
        await Promise.all(keys.map((key) => renew(key, '10.4.7.21')));
        const plans = (await untilAnswered(() => planFor(store, prefix))).filter(({ key }) => keys.includes(key));
        expect(plans).toHaveLength(keys.length);
        await Promise.all(
          plans.map(async (removal, index) => {
            const outcome = await race(
              index,
              () => removeLeases([removal], store),
              () => renew(removal.key, '10.4.7.99'),
            );
            const kind = outcome?.kind ?? 'nothing';
            outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
          }),
        );
      }
      isOver = true;
      await trouble;
      const left = await untilAnswered(() => look(store, prefix));
      expect(left.map(({ lease }) => lease.publicIP)).toEqual(subnets.map(() => '10.4.7.99'));
      expect(kills).toBeGreaterThan(2);
      expect(outcomes.get('removed') ?? 0).toBeGreaterThan(0);
      expect(outcomes.get('conflict') ?? 0).toBeGreaterThan(0);
    } finally {
      isOver = true;
      store.close();
      owner.close();
      await etcd.stop();
    }
  }, 120_000);

  /** A look is repeated while etcd elects a leader. */
  async function untilAnswered<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof NetctlError) || tries === 20) throw error;
      }
    }
  }
});
