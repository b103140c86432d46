import { describe } from 'vitest';
import { openEtcdV3 } from '../../src/lib/store/etcd-v3';
import { storeContract } from '../contract/store';

describe('the store on etcd v3', () => {
  storeContract({
    api: 'v3',
    open: openEtcdV3,
    module: { path: 'src/lib/store/etcd-v3.ts', name: 'openEtcdV3' },
    binaryValues: true,
    leases: true,
    pastEvents: 5000,
    forgetHistory: async (etcd, store, prefix) => {
      const { revision } = await store.put({ key: `${prefix}/later`, value: Buffer.from('x') }, 'absent');
      etcd.ctl(['compact', revision]);
    },
  });
});
