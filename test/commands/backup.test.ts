import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lockKey } from '../../src/lib/net/own-keys';
import { formatReservation, reservationKey } from '../../src/lib/net/reservation';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, startEtcd } from '../support/etcd';
import { leaseLikeFlanneld, prefix, vxlan } from '../support/flannel-leases';

let etcd: Etcd;
let cli: ReturnType<typeof cliFor>;

beforeAll(async () => {
  etcd = await startEtcd();
  cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
});
afterAll(async () => {
  cli.remove();
  await etcd.stop();
});

const reservation = Buffer.from(
  formatReservation({
    subnet: { base: 0x0a050900, length: 24 },
    publicIP: '192.168.0.9',
    node: null,
    note: 'for the db',
    reservedBy: 'anna@ops',
    reservedAt: '',
  }),
).toString();
const reserved = reservationKey(prefix, { base: 0x0a050900, length: 24 });

describe.each(['v3', 'v2'] as const)('netctl backup and restore on etcd %s', (api) => {
  const file = () => join(cli.home, `${api}.backup`);
  const env = { NETCTL_ETCD_API: api };
  const run = (...argv: readonly string[]) => cli.netctl(argv, { env });
  const wipe = (): void => {
    if (api === 'v3') etcd.ctl(['del', '--prefix', '/']);
    else {
      try {
        etcd.ctl(['rm', '--recursive', '/coreos.com'], { api: 2 });
      } catch {
        // There is nothing yet.
      }
    }
  };
  const stored = (key: string): string =>
    api === 'v3'
      ? etcd.ctl(['get', '--print-value-only', key]).trimEnd()
      : etcd.ctl(['get', key], { api: 2 }).trimEnd();
  const put = (key: string, value: string): void => {
    if (api === 'v3') etcd.ctl(['put', key], { input: value });
    else etcd.ctl(['set', key, value], { api: 2 });
  };

  beforeEach(async () => {
    wipe();
    await run('init-network', '10.5.0.0/16', '--backend', 'vxlan');
    leaseLikeFlanneld(etcd, api, '10.5.1.0/24', vxlan('192.168.0.1', '0e:00:00:00:00:01'), { ttlSeconds: 50_000 });
    leaseLikeFlanneld(etcd, api, '10.5.2.0/24', vxlan('192.168.0.2', '0e:00:00:00:00:02'));
    put(reserved, reservation);
    expect(await run('backup', file(), '--force')).toMatchObject({ status: 0 });
  });

  it('keeps the order in which configs were replaced, so that rollback brings back the last one', async () => {
    const texts = async () =>
      documentOf('NetworkHistoryList', (await run('network', 'history', '-o', 'json')).stdout).items.map(
        ({ config }) => /10\.\d+\.0\.0/.exec(config)?.[0],
      );
    for (let network = 6; network <= 17; network++) {
      await run('init-network', `10.${network}.0.0/16`, '--backend', 'vxlan', '--force', '--yes');
    }
    const before = await texts();
    expect(before).toHaveLength(13);
    expect((await run('backup', file(), '--force')).status).toBe(0);
    wipe();
    expect((await run('restore', file(), '--yes')).status).toBe(0);
    expect(await texts()).toEqual(before);
    const last = await run('network', 'rollback', '--dry-run', '-o', 'json');
    expect(documentOf('NetworkChange', last.stdout).after).toContain('10.16.0.0/16');
  });

  it('brings everything back after it is lost, byte for byte, with the time that was left', async () => {
    const before = (await run('backup', '-')).stdout;
    wipe();
    const dry = await run('restore', file(), '--dry-run', '-o', 'json');
    expect(documentOf('NetworkRestore', dry.stdout)).toMatchObject({ state: 'would-restore', counts: { create: 4 } });
    expect((await run('subnets', 'ls', '-o', 'name')).stdout).toBe('');
    const restored = await run('restore', file(), '--yes', '-o', 'json');
    expect(documentOf('NetworkRestore', restored.stdout)).toMatchObject({ state: 'restored', counts: { create: 4 } });
    const after = (await run('backup', '-')).stdout;
    const lines = (text: string) => text.split('\n').filter((line) => !/^"(made|sha256)"|^\[/.test(line));
    expect(lines(after)).toEqual(lines(before));
    expect(stored(reserved)).toBe(reservation);
    const leases = documentOf('SubnetList', (await run('subnets', 'ls', '-o', 'json')).stdout).items;
    expect(leases.map(({ subnet }) => subnet)).toEqual(['10.5.1.0/24', '10.5.2.0/24']);
    expect(leases[0]?.expiresInSeconds).toSatisfy((seconds: number) => seconds > 49_000 && seconds <= 50_000);

    const again = await run('restore', file());
    expect(again).toMatchObject({ status: 0 });
    expect(again.stdout).toContain('all of it is there already');
  });

  it('goes over nothing that lives', async () => {
    put(`${prefix}/config`, '{"Network":"10.6.0.0/16"}');
    leaseLikeFlanneld(etcd, api, '10.5.7.0/24', vxlan('192.168.0.7', '0e:00:00:00:00:07'));
    const refused = await run('restore', file(), '--yes');
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('restore-over-live');
    expect(refused.stderr).toContain('another network config is there');
    expect(refused.stderr).toContain('10.5.7.0-24');
    expect(stored(`${prefix}/config`)).toBe('{"Network":"10.6.0.0/16"}');
  });

  it('asks before it writes, and without anybody to ask writes nothing', async () => {
    wipe();
    const run1 = await run('restore', file());
    expect(run1).toMatchObject({ status: 3 });
    expect(run1.stderr).toContain('not-confirmed');
    expect(run1.stderr).toContain('10.5.1.0-24');
    expect((await run('subnets', 'ls', '-o', 'name')).stdout).toBe('');
  });

  it('restores nothing while another operator is at it, unless the lock is broken', async () => {
    wipe();
    put(lockKey(prefix), 'mine');
    const locked = await run('restore', file(), '--yes');
    expect(locked).toMatchObject({ status: 6 });
    expect(locked.stderr).toContain('somebody unknown');
    const broken = await run('restore', file(), '--yes', '--break-lock');
    expect(broken).toMatchObject({ status: 0 });
    expect(broken.stderr).toContain('breaking the lock of somebody unknown');
    expect((await run('subnets', 'ls', '-o', 'name')).stdout).toBe('10.5.1.0/24\n10.5.2.0/24\n');
  });

  it('keeps what flanneld cannot read in the file, and out of etcd', async () => {
    const key = `${prefix}/subnets/10.5.3.0-24`;
    put(key, key);
    const report = documentOf('NetworkBackupReport', (await run('backup', file(), '--force', '-o', 'json')).stdout);
    expect(report).toMatchObject({ unreadable: [key], leases: 3, own: 1 });
    wipe();
    const { stdout } = await run('restore', file(), '--yes', '-o', 'json');
    expect(documentOf('NetworkRestore', stdout).items.find((item) => item.key === key)).toMatchObject({
      state: 'skipped',
    });
    expect((await run('subnets', 'ls', '-o', 'name')).stdout).toBe('10.5.1.0/24\n10.5.2.0/24\n');
  });
});

describe('a network', () => {
  it('moves from etcd v2 to v3 with its subnets', async () => {
    etcd.ctl(['del', '--prefix', '/']);
    const file = join(cli.home, 'move.backup');
    const v2 = { env: { NETCTL_ETCD_API: 'v2' } };
    await cli.netctl(['init-network', '10.5.0.0/16', '--backend', 'vxlan', '--prefix', '/move'], v2);
    leaseLikeFlanneld(etcd, 'v2', '10.5.1.0/24', vxlan('192.168.0.1', '0e:00:00:00:00:01'), { prefix: '/move' });
    etcd.ctl(['set', '/move/subnets/10.5.2.0-24', '{"PublicIP":"192.168.0.2"}'], { api: 2 });
    await cli.netctl(['backup', file, '--prefix', '/move'], v2);
    const moved = await cli.netctl(['restore', file, '--prefix', '/move', '--etcd-api', 'v3', '--yes']);
    expect(moved).toMatchObject({ status: 0 });
    expect(moved.stdout).toContain('from etcd v2 to etcd v3');
    const { stdout } = await cli.netctl(['subnets', 'ls', '--prefix', '/move', '--etcd-api', 'v3', '-o', 'json']);
    expect(documentOf('SubnetList', stdout).items).toMatchObject([
      { subnet: '10.5.1.0/24', publicIP: '192.168.0.1', permanent: false },
      { subnet: '10.5.2.0/24', publicIP: '192.168.0.2', permanent: false },
    ]);
  });
});

describe('the file of netctl backup', () => {
  it('is for its owner alone, replaced only with --force, and never half-written', async () => {
    etcd.ctl(['del', '--prefix', '/']);
    await cli.netctl(['init-network', '10.5.0.0/16', '--backend', 'vxlan', '--etcd-api', 'v3']);
    const file = join(cli.home, 'own.backup');
    writeFileSync(file, 'precious', { mode: 0o644 });
    const v3 = { env: { NETCTL_ETCD_API: 'v3' } };
    expect(await cli.netctl(['backup', file], v3)).toMatchObject({ status: 3 });
    expect(readFileSync(file, 'utf8')).toBe('precious');
    expect(await cli.netctl(['backup', file, '--force'], v3)).toMatchObject({ status: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('10.5.0.0', '10.6.0.0'));
    const damaged = await cli.netctl(['restore', file, '--yes'], v3);
    expect(damaged).toMatchObject({ status: 2 });
    expect(damaged.stderr).toContain('backup-damaged');
  });

  it('is not written of a network that is not there', async () => {
    const run = await cli.netctl(['backup', join(cli.home, 'none'), '--prefix', '/nowhere']);
    expect(run).toMatchObject({ status: 2 });
    expect(run.stderr).toContain('nothing-to-back-up');
  });
});
