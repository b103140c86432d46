import { describe, expect, it } from 'vitest';
import { judgeEtcdLease } from '../../src/lib/plan/gc-leases';

const lease = { id: '0a', grantedSeconds: 86_400, ttlSeconds: 80_000, keys: [] };

describe('an etcd lease', () => {
  it('without a key, granted for a day, a while ago, is an orphan of a renewal', () => {
    expect(judgeEtcdLease(lease, 1800)).toBe('orphan');
    expect(judgeEtcdLease({ ...lease, ttlSeconds: 84_600 }, 1800)).toBe('orphan');
  });

  it('that a flanneld may be about to use is none', () => {
    expect(judgeEtcdLease({ ...lease, ttlSeconds: 84_601 }, 1800)).toBe('fresh');
    // etcd has set it back: a new leader gives every lease its whole time again.
    expect(judgeEtcdLease({ ...lease, ttlSeconds: 86_410 }, 1800)).toBe('fresh');
  });

  it('with a key is in use, whatever its age', () => {
    expect(judgeEtcdLease({ ...lease, keys: ['/a'] }, 0)).toBe('in-use');
  });

  it('of another time is not one of flannel', () => {
    for (const grantedSeconds of [60, 86_399, 86_401]) {
      expect(judgeEtcdLease({ ...lease, grantedSeconds, ttlSeconds: 5 }, 0)).toBe('other');
    }
  });
});
