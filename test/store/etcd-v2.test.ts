import { describe } from 'vitest';
import { openEtcdV2 } from '../../src/lib/store/etcd-v2';
import { pipelined } from '../../src/lib/store/pipelined';
import { storeContract } from '../contract/store';

describe('the store on etcd v2', () => {
  storeContract({
    api: 'v2',
    open: openEtcdV2,
    module: { path: 'src/lib/store/etcd-v2.ts', name: 'openEtcdV2' },
    binaryValues: false,
    leases: false,
    // etcd keeps the last 1,000 events of all keys.
    pastEvents: 900,
    forgetHistory: async (_, store, prefix) => {
      const keys = Array.from({ length: 1100 }, (__, index) => `${prefix}/${index}`);
      await pipelined(keys, 32, undefined, async (key) => {
        await store.put({ key, value: Buffer.from('x') }, 'absent');
      });
    },
  });
});
