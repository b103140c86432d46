import { describe, expect, it } from 'vitest';
import { etcdCalm } from '../../src/lib/check/etcd-calm';
import type { EndpointStatus } from '../../src/lib/store/store';

const up = (endpoint: string, change: Partial<EndpointStatus> = {}): EndpointStatus => ({
  endpoint,
  reachable: true,
  leaderId: 'a',
  alarms: [],
  ...change,
});
const down = (endpoint: string): EndpointStatus => ({ endpoint, reachable: false, alarms: [], error: 'refused' });

describe('whether etcd is calm enough to trust its leases', () => {
  it('it is, with one member or three, and with one of three away', () => {
    expect(etcdCalm([up('m1')], [])).toEqual({ trouble: null, warnings: [] });
    expect(etcdCalm([up('m1'), up('m2'), up('m3')], [up('m1'), up('m2'), up('m3')]).trouble).toBeNull();
    expect(etcdCalm([up('m1'), up('m2'), down('m3')], [])).toEqual({
      trouble: null,
      warnings: ['m3 does not answer: refused'],
    });
  });

  it('it is not without a quorum, with an alarm, without a leader', () => {
    expect(etcdCalm([down('m1')], []).trouble).toBe('no endpoint of etcd answers');
    expect(etcdCalm([up('m1'), down('m2'), down('m3')], []).trouble).toBe('only 1 of 3 endpoints of etcd answer');
    expect(etcdCalm([up('m1'), down('m2')], []).trouble).toBe('only 1 of 2 endpoints of etcd answer');
    expect(etcdCalm([up('m1', { alarms: ['NOSPACE'] })], []).trouble).toContain('NOSPACE (m1)');
    expect(etcdCalm([up('m1', { error: 'no leader' }), up('m2'), up('m3')], []).trouble).toBe('m1: no leader');
  });

  it('it is not when another leader was elected, or two are believed in', () => {
    expect(etcdCalm([up('m1')], [up('m1', { leaderId: 'b' })]).trouble).toContain('another leader');
    expect(etcdCalm([up('m1'), up('m2', { leaderId: 'b' })], []).trouble).toContain('do not agree');
  });

  it('what happened at the first look only is over', () => {
    expect(etcdCalm([up('m1'), down('m2'), down('m3')], [up('m1'), up('m2'), up('m3')])).toEqual({
      trouble: null,
      warnings: [],
    });
  });
});
