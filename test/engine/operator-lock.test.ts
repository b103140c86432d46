import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type OtherLock, type TakeLock, takeOperatorLock } from '../../src/lib/engine/operator-lock';
import { Conflict } from '../../src/lib/errors';
import { lockKey } from '../../src/lib/net/own-keys';
import { openEtcdV2 } from '../../src/lib/store/etcd-v2';
import { openEtcdV3 } from '../../src/lib/store/etcd-v3';
import type { Store } from '../../src/lib/store/store';
import { type Etcd, startEtcd, until } from '../support/etcd';

let etcd: Etcd;
let prefixes = 0;
const opened: Store[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
});
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
});
afterAll(() => etcd.stop());

const options: TakeLock = {
  breakLock: false,
  isGone: () => false,
  waitSeconds: 0,
  waiting: () => {},
  ttlSeconds: 60,
  breaking: () => {},
  lost: () => {},
};
const operator = (name: string) => ({
  owner: `${name}@workstation`,
  pid: 4711,
  machine: 'boot pid:[1]',
  version: '1.2.3',
  doing: 'netctl subnets reclaim',
  since: '2026-11-20T12:00:00.000Z',
  id: `${name}-1`,
});

describe.each([
  ['v3', openEtcdV3],
  ['v2', openEtcdV2],
] as const)('the lock of an operator in etcd %s', (_api, openStore) => {
  const open = async () => {
    const store = await openStore({ endpoints: [etcd.endpoints[0]], timeoutMs: 5000 });
    opened.push(store);
    return store;
  };
  const newPrefix = () => `/lock-${_api}/${++prefixes}`;

  it('keeps a second one out and names the first, its work and how long it still holds', async () => {
    const [one, two, prefix] = [await open(), await open(), newPrefix()];
    const held = await takeOperatorLock(one, prefix, operator('anna'), options);
    const second = takeOperatorLock(two, prefix, operator('berta'), options);
    await expect(second).rejects.toBeInstanceOf(Conflict);
    await expect(second).rejects.toMatchObject({
      code: 'locked',
      message: `${prefix} is being changed by anna@workstation with netctl subnets reclaim, so nothing was begun`,
    });
    const error: unknown = await second.catch((thrown: unknown) => thrown);
    if (!(error instanceof Conflict)) throw error;
    expect(error.details.join('\n')).toMatch(/process 4711, netctl 1\.2\.3.*\n.*runs out in (5\d|60) s/);
    expect(error.next.join('\n')).toContain('--break-lock');

    expect(await held.release()).toBe(true);
    const next = await takeOperatorLock(two, prefix, operator('berta'), options);
    await next.release();
    expect((await one.get(lockKey(prefix))).entry).toBeUndefined();
    expect((await one.leases()).filter(({ grantedSeconds }) => grantedSeconds === 60)).toEqual([]);
  });

  it('is waited for by work that needs it for a moment only, which says whom it waits for', async () => {
    const [one, two, prefix] = [await open(), await open(), newPrefix()];
    const held = await takeOperatorLock(one, prefix, operator('anna'), options);
    const seen: string[] = [];
    const patient: TakeLock = {
      ...options,
      waitSeconds: 30,
      waiting: ({ holder }) => seen.push(holder?.owner ?? '?'),
    };
    const second = takeOperatorLock(two, prefix, operator('berta'), patient);
    await until('the lock is waited for', () => seen.length > 0);
    expect(await held.release()).toBe(true);
    expect(await (await second).release()).toBe(true);
    expect(seen).toEqual(['anna@workstation']);
  });

  it('given back by a process that ends lets nothing through that is still under way', async () => {
    const [store, prefix] = [await open(), newPrefix()];
    const held = await takeOperatorLock(store, prefix, operator('anna'), options);
    expect(await held.release(true)).toBe(true);
    const late = store.put({ key: `${prefix}/a`, value: Buffer.from('1') }, 'absent');
    await expect(late).rejects.toMatchObject({ code: 'lock-lost' });
  });

  it('is taken by one of many at once', async () => {
    const prefix = newPrefix();
    const stores = await Promise.all(Array.from({ length: 8 }, open));
    const tries = await Promise.allSettled(
      stores.map((store, index) => takeOperatorLock(store, prefix, operator(`n${index}`), options)),
    );
    const taken = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(taken).toHaveLength(1);
    for (const one of tries) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'locked' });
    await taken[0]?.release();
  });

  it('lives as long as its run renews it, and no longer', async () => {
    const [one, two, prefix] = [await open(), await open(), newPrefix()];
    const held = await takeOperatorLock(one, prefix, operator('anna'), { ...options, ttlSeconds: 2 });
    const made = (await two.get(lockKey(prefix))).entry;
    await new Promise((resolve) => setTimeout(resolve, 3500));
    const now = (await two.get(lockKey(prefix))).entry;
    expect(now?.createdRevision).toBe(made?.createdRevision);
    expect(now?.revision).not.toBe(made?.revision);
    // The etcd leases of renewals do not pile up.
    expect((await one.leases()).filter(({ grantedSeconds }) => grantedSeconds === 2).length).toBeLessThan(3);
    await held.release();

    // As a run leaves it that was killed: nobody renews it.
    const value = Buffer.from('{}');
    await two.put({ key: lockKey(prefix), value, ttlSeconds: 1 }, 'absent');
    await until('the lock runs out', async () => {
      const taken = await takeOperatorLock(two, prefix, operator('berta'), options).catch(() => undefined);
      return (await taken?.release()) === true;
    });
  });

  it('tells at once that it is no longer ours when it is asked, however late the renewal is', async () => {
    const [one, two, prefix] = [await open(), await open(), newPrefix()];
    let toldLost = 0;
    const held = await takeOperatorLock(one, prefix, operator('anna'), {
      ...options,
      lost: () => {
        toldLost += 1;
      },
    });
    await held.stillOurs();
    const second = await takeOperatorLock(two, prefix, operator('berta'), { ...options, breakLock: true });
    for (const _ of [1, 2]) await expect(held.stillOurs()).rejects.toMatchObject({ code: 'lock-lost', exit: 6 });
    expect([held.lost.aborted, toldLost]).toEqual([true, 1]);
    await second.stillOurs();
    await held.release();
    await second.release();
  });

  it('broken by somebody lets no further write of the first one through', async () => {
    const [one, two, prefix] = [await open(), await open(), newPrefix()];
    let toldLost = 0;
    const broken: OtherLock[] = [];
    const held = await takeOperatorLock(one, prefix, operator('anna'), {
      ...options,
      ttlSeconds: 3,
      lost: () => {
        toldLost += 1;
      },
    });
    const before = await one.put({ key: `${prefix}/a`, value: Buffer.from('1') }, 'absent');
    const second = await takeOperatorLock(two, prefix, operator('berta'), {
      ...options,
      breakLock: true,
      breaking: (other) => broken.push(other),
    });
    expect(broken).toMatchObject([{ holder: operator('anna') }]);
    const late = one.put({ key: `${prefix}/a`, value: Buffer.from('2') }, before.revision);
    await expect(late).rejects.toMatchObject({ code: 'lock-lost', exit: 6 });
    await expect(one.delete(`${prefix}/a`, before.revision)).rejects.toMatchObject({ code: 'lock-lost' });
    await until('the first one notices', () => held.lost.aborted);
    expect(toldLost).toBe(1);
    // What it gives back is not the lock of the other one.
    expect(await held.release()).toBe(true);
    await two.put({ key: `${prefix}/a`, value: Buffer.from('3') }, before.revision);
    await second.release();
  });

  it('of a run that is certainly gone is taken over like one that has run out', async () => {
    const [one, two, prefix] = [await open(), await open(), newPrefix()];
    const first = await takeOperatorLock(one, prefix, operator('anna'), options);
    const asked: unknown[] = [];
    const told: boolean[] = [];
    const second = await takeOperatorLock(two, prefix, operator('berta'), {
      ...options,
      isGone: (holder) => asked.push(holder) > 0,
      breaking: (_other, isGone) => told.push(isGone),
    });
    expect([asked, told]).toEqual([[operator('anna')], [true]]);
    // Should it not be gone after all, it writes nothing more.
    await expect(one.put({ key: `${prefix}/a`, value: Buffer.from('1') }, 'absent')).rejects.toMatchObject({
      code: 'lock-lost',
    });
    await first.release();
    await second.release();
  });

  it.each([
    ['nonsense', Buffer.from('\u001b[31m{')],
    ['other JSON', Buffer.from('{"kind":"OperatorLock","owner":["x"],"__proto__":{"pid":1}}')],
    ['too much', Buffer.from(`{"kind":"OperatorLock","owner":"${'x'.repeat(100_000)}"}`)],
    ['nothing', Buffer.alloc(0)],
  ])('with %s as its value is held by somebody unknown', async (_name, value) => {
    const [store, prefix] = [await open(), newPrefix()];
    await store.put({ key: lockKey(prefix), value }, 'absent');
    const error: unknown = await takeOperatorLock(store, prefix, operator('anna'), options).catch((e: unknown) => e);
    if (!(error instanceof Conflict)) throw error;
    expect(error.message).toContain('somebody unknown');
    expect(error.details).toEqual([`${lockKey(prefix)}: It does not run out by itself.`]);
    const held = await takeOperatorLock(store, prefix, operator('anna'), { ...options, breakLock: true });
    expect(await held.release()).toBe(true);
  });
});
