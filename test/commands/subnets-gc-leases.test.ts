import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, startEtcd } from '../support/etcd';
import { hostGw, leaseLikeFlanneld } from '../support/flannel-leases';

describe('netctl subnets gc-leases', () => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;

  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
    await cli.netctl(['init-network', '10.5.0.0/16', '--backend', 'host-gw']);
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  it('lists leases without a key, and touches none that a flanneld may be about to use', async () => {
    const none = await cli.netctl(['subnets', 'gc-leases']);
    expect(none).toMatchObject({ status: 0, stdout: 'There is no etcd lease without a key.\n' });
    leaseLikeFlanneld(etcd, 'v3', '10.5.1.0/24', hostGw('192.168.0.1'));
    leaseLikeFlanneld(etcd, 'v3', '10.5.1.0/24', hostGw('192.168.0.1'));
    etcd.ctl(['lease', 'grant', '300']);
    const before = etcd.ctl(['lease', 'list']);
    const run = await cli.netctl(['subnets', 'gc-leases', '--revoke', '--yes', '--min-age', '5', '-o', 'json']);
    expect(run.status).toBe(0);
    const { items, applied } = documentOf('EtcdLeaseList', run.stdout);
    expect(items.map(({ state }) => state).sort()).toEqual(['fresh', 'other']);
    expect(applied).toBe(false);
    expect(etcd.ctl(['lease', 'list'])).toBe(before);
  });

  it('has no use with etcd v2, and says so', async () => {
    const run = await cli.netctl(['subnets', 'gc-leases', '--revoke', '--yes', '--etcd-api', 'v2']);
    expect(run).toMatchObject({ status: 0 });
    expect(run.stderr).toContain('etcd v2 has no leases');
  });

  it('takes no age in which a flanneld could be hurt', async () => {
    expect(await cli.netctl(['subnets', 'gc-leases', '--min-age', '1'])).toMatchObject({ status: 2 });
  });
});
