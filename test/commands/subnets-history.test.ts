import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { historyPrefix, ownPrefix } from '../../src/lib/net/own-keys';
import { formatReservation, reservationKey } from '../../src/lib/net/reservation';
import { formatTombstone, tombstoneKey } from '../../src/lib/net/tombstone';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, startEtcd } from '../support/etcd';
import { hostGw, leaseLikeFlanneld, prefix, vxlan } from '../support/flannel-leases';

describe.each(['v3', 'v2'] as const)('netctl subnets history on etcd %s', (api) => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  const put = (key: string, value: string): void => {
    if (api === 'v3') etcd.ctl(['put', key], { input: value });
    else etcd.ctl(['set', key, value], { api: 2 });
  };
  const remove = (key: string): void => {
    if (api === 'v3') etcd.ctl(['del', key]);
    else etcd.ctl(['rm', key], { api: 2 });
  };

  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: api });
    await cli.netctl(['init-network', '10.5.0.0/16', '--backend', 'vxlan']);
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  const changesOf = async (...argv: readonly string[]) => {
    const { stdout } = await cli.netctl(['subnets', 'history', ...argv, '-o', 'json']);
    return documentOf('SubnetHistoryList', stdout).items.map((item) => [
      item.subnet,
      item.change,
      item.publicIP,
      item.before,
      item.renewals,
    ]);
  };

  it('says who held a subnet, how it changed hands, and what was reserved, the newest first', async () => {
    leaseLikeFlanneld(etcd, api, '10.5.1.0/24', vxlan('192.168.0.1', '0e:00:00:00:00:01'));
    leaseLikeFlanneld(etcd, api, '10.5.1.0/24', vxlan('192.168.0.1', '0e:00:00:00:00:01'));
    leaseLikeFlanneld(etcd, api, '10.5.1.0/24', vxlan('192.168.0.1', '0e:00:00:00:00:01'));
    const key = leaseLikeFlanneld(etcd, api, '10.5.1.0/24', vxlan('192.168.0.2', '0e:00:00:00:00:02'));
    remove(key);
    const subnet = { base: 0x0a050100, length: 24 };
    const reservation = {
      subnet,
      publicIP: '192.168.0.9',
      node: null,
      note: null,
      reservedBy: 'anna@ops',
      reservedAt: '',
    };
    const reservedKey = reservationKey(prefix, subnet);
    put(reservedKey, Buffer.from(formatReservation(reservation)).toString());
    remove(reservedKey);
    put(key, key);
    leaseLikeFlanneld(etcd, api, '10.5.2.0/24', hostGw('192.168.0.7'));

    expect(await changesOf('10.5.1.0/24')).toEqual([
      ['10.5.1.0/24', 'unreadable', null, null, 0],
      ['10.5.1.0/24', 'unreserved', '192.168.0.9', null, 0],
      ['10.5.1.0/24', 'reserved', '192.168.0.9', null, 0],
      ['10.5.1.0/24', 'gone', '192.168.0.2', null, 0],
      ['10.5.1.0/24', 'handed-over', '192.168.0.2', '192.168.0.1', 0],
      ['10.5.1.0/24', 'renewed', '192.168.0.1', null, 2],
      ['10.5.1.0/24', 'acquired', '192.168.0.1', null, 0],
    ]);
    // An address in it, a public IP, a larger range.
    expect((await changesOf('10.5.1.77')).length).toBe(7);
    expect((await changesOf('192.168.0.7')).map(([subnetText]) => subnetText)).toEqual(['10.5.2.0/24']);
    expect((await changesOf('10.5.0.0/16')).length).toBe(8);
    expect((await changesOf()).length).toBe(8);
    expect((await changesOf('10.5.3.0/24')).length).toBe(0);

    const last = await cli.netctl(['subnets', 'history', '--last', '2']);
    expect(last.stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(last.stderr).toContain('6 older changes were left out: --last 8');
  });

  it('names who deleted a lease with netctl, and when', async () => {
    const key = leaseLikeFlanneld(etcd, api, '10.5.4.0/24', hostGw('192.168.0.4'));
    const found = await cli.json(['subnets', 'show', '10.5.4.0/24']);
    const { items } = found;
    const revision = Array.isArray(items) ? String(items[0]?.revision) : '';
    const lease = { address: 0x0a050400, subnet: { length: 24 }, ipv6Subnet: null, revision };
    const tombstone = {
      key,
      subnet: '10.5.4.0/24',
      revision,
      value: Buffer.from(hostGw('192.168.0.4')),
      permanent: false,
      ttlSeconds: 100,
      deletedAt: '2026-11-20T12:00:00.000Z',
      deletedBy: 'anna@ops',
      command: 'netctl subnets reclaim',
      reasons: [],
    };
    put(tombstoneKey(prefix, lease), Buffer.from(formatTombstone(tombstone)).toString());
    remove(key);
    expect(await cli.json(['subnets', 'history', '10.5.4.0/24'])).toMatchObject({
      items: [
        { change: 'deleted', at: '2026-11-20T12:00:00.000Z', by: 'anna@ops', command: 'netctl subnets reclaim' },
        { change: 'acquired', by: null },
      ],
    });
  });

  it('refuses what is neither a subnet nor a node, and says that etcd has forgotten', async () => {
    expect(await cli.netctl(['subnets', 'history', 'nobody'])).toMatchObject({ status: 2 });
    if (api === 'v3') {
      const { until } = await cli.json(['subnets', 'history']);
      etcd.ctl(['compact', String(until)]);
      const run = await cli.netctl(['subnets', 'history', '10.5.1.0/24']);
      expect(run.stderr).toContain(`etcd was compacted up to revision ${String(until)}`);
      // Its last writing is known, not what was before.
      expect(await changesOf('10.5.2.0/24')).toEqual([['10.5.2.0/24', 'acquired', '192.168.0.7', null, 0]]);
      expect(await changesOf('10.5.1.0/24')).toEqual([['10.5.1.0/24', 'unreadable', null, null, 0]]);
    } else {
      for (let index = 0; index < 2; index++) put(`${historyPrefix(prefix)}x`, ownPrefix(prefix));
      expect(await cli.json(['subnets', 'history'])).toMatchObject({ api: 'v2', complete: true });
    }
  });
});
