import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { revokeLeases } from '../../src/lib/engine/revoke-leases';
import { openEtcdV3 } from '../../src/lib/store/etcd-v3';
import type { Store } from '../../src/lib/store/store';
import { type Etcd, startEtcd, until } from '../support/etcd';
import { hostGw, leaseLikeFlanneld } from '../support/flannel-leases';

let etcd: Etcd;
let store: Store;

beforeAll(async () => {
  etcd = await startEtcd();
  store = await openEtcdV3({ endpoints: [etcd.endpoints[0]], timeoutMs: 5000 });
});
afterAll(async () => {
  store.close();
  await etcd.stop();
});

const never = new AbortController().signal;

describe('ending orphans in etcd', () => {
  it('looks at each once more and leaves what is used by then, is young, or is not one of flannel', async () => {
    // A renewal: the second lease has the key, the first one nothing.
    leaseLikeFlanneld(etcd, 'v3', '10.5.1.0/24', hostGw('192.168.0.1'));
    const key = leaseLikeFlanneld(etcd, 'v3', '10.5.1.0/24', hostGw('192.168.0.1'));
    etcd.ctl(['lease', 'grant', '300']);
    await until('they have an age', async () =>
      (await store.leases()).every((one) => one.grantedSeconds > one.ttlSeconds),
    );
    const before = await store.leases();
    const used = (await store.get(key)).entry?.leaseId;
    const orphan = before.find(({ keys, grantedSeconds }) => keys.length === 0 && grantedSeconds === 86_400)?.id ?? '';
    const other = before.find(({ grantedSeconds }) => grantedSeconds === 300)?.id ?? '';

    expect((await revokeLeases(store, before, { leastAgeSeconds: 3600, stop: never })).get(orphan)?.state).toBe('left');
    // As if all had been orphans a moment ago.
    const outcomes = await revokeLeases(store, before, { leastAgeSeconds: 1, stop: never });
    expect(outcomes.get(orphan)).toEqual({ state: 'revoked', reason: null });
    expect(outcomes.get(used ?? '')).toEqual({ state: 'left', reason: `${key} hangs on it now` });
    expect(outcomes.get(other)).toEqual({ state: 'left', reason: 'it is not one of flannel' });
    expect((await store.get(key)).entry?.leaseId).toBe(used);
    expect(new Set((await store.leases()).map(({ id }) => id))).toEqual(new Set([used, other]));

    const again = await revokeLeases(store, before, { leastAgeSeconds: 1, stop: never });
    expect(again.get(orphan)).toEqual({ state: 'left', reason: 'it has run out' });
  });

  it('begins no further one when it is told to stop', async () => {
    etcd.ctl(['lease', 'grant', '86400']);
    const leases = await store.leases();
    const stop = new AbortController();
    stop.abort();
    expect((await revokeLeases(store, leases, { leastAgeSeconds: 0, stop: stop.signal })).size).toBe(0);
    expect((await store.leases()).length).toBe(leases.length);
  });
});
