import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, startEtcd } from '../support/etcd';
import { hostGw, leaseLikeFlanneld, vxlan } from '../support/flannel-leases';

// Nobody listens there: whether flanneld runs on them cannot be known.
const inventory = `ssh: { port: 1, connectTimeoutSeconds: 5 }
nodes:
  - { name: web1, address: 127.0.9.1, publicIP: 192.0.2.1 }
  - { name: web2, address: 127.0.9.2, publicIP: 192.0.2.2 }
  - { name: db1, address: 127.0.9.3, publicIP: 192.0.2.3 }
`;

describe.each(['v3', 'v2'] as const)('leases changed by hand on etcd %s', (api) => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;

  let prefix: string;
  let networks = 0;

  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd.stop());
  beforeEach(async () => {
    networks += 1;
    prefix = `/net${networks}`;
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: api, NETCTL_PREFIX: prefix });
    writeFileSync(join(cli.home, 'netctl.yaml'), inventory);
    await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'vxlan']);
    lease('10.1.21.0/24', vxlan('192.0.2.1', '0e:00:00:00:00:01'), { ttlSeconds: 40_000 });
    lease('10.1.22.0/24', vxlan('192.0.2.2', '0e:00:00:00:00:02'));
  });
  afterEach(() => cli.remove());

  const old = api === 'v2';
  const key = (subnet: string) => `${prefix}/subnets/${subnet.replace('/', '-')}`;
  const ctl = (...args: readonly string[]) => etcd.ctl(args, { api: old ? 2 : 3 }).trim();
  const lease = (subnet: string, text: string, options: { readonly ttlSeconds?: number } = {}) =>
    leaseLikeFlanneld(etcd, api, subnet, text, { ...options, prefix });
  const put = (subnet: string, value: string) => ctl(old ? 'set' : 'put', key(subnet), value);
  const value = (subnet: string) => (old ? ctl('get', key(subnet)) : ctl('get', '--print-value-only', key(subnet)));
  const run = (...argv: readonly string[]) => cli.netctl(['subnets', ...argv]);
  const leases = async () => documentOf('SubnetList', (await run('ls', '-o', 'json')).stdout).items;
  const work = (text: string) => documentOf('SubnetWorkList', text);

  describe('rehome', () => {
    it('changes the address and not another byte, and leaves the time to live', async () => {
      const odd =
        '{ "publicip" : "192.0.2.1",\n "BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"},"PublicIP":"192.0.2.1", "More": 1e2 }';
      lease('10.1.21.0/24', odd, { ttlSeconds: 40_000 });
      const { status, stdout } = await run(
        'rehome',
        '10.1.21.0/24',
        '--to',
        '192.0.2.11',
        '--etcd-only',
        '--yes',
        '-o',
        'json',
      );
      expect(status).toBe(0);
      expect(work(stdout)).toMatchObject({ applied: true, items: [{ state: 'done', before: [], after: [] }] });
      expect(value('10.1.21.0/24')).toBe(odd.replaceAll('192.0.2.1', '192.0.2.11'));
      const [first] = await leases();
      expect(first?.expiresInSeconds).toBeLessThanOrEqual(40_000);
      expect(first?.expiresInSeconds).toBeGreaterThan(39_000);
      const again = await run('rehome', '10.1.21.0/24', '--to', '192.0.2.11', '--etcd-only', '--yes', '-o', 'json');
      expect(work(again.stdout)).toMatchObject({ applied: false, items: [{ state: 'unchanged' }] });
    });

    it('takes the reservation along', async () => {
      await run('reserve', '10.1.21.0/24', '--node', 'web1', '--yes');
      await run('rehome', '10.1.21.0/24', '--to', '192.0.2.11', '--etcd-only', '--yes');
      const { items } = documentOf('ReservationList', (await run('reservations', '-o', 'json')).stdout);
      expect(items).toMatchObject([{ subnet: '10.1.21.0/24', publicIP: '192.0.2.11', state: 'held' }]);
    });

    it('does nothing when it cannot know whether flanneld runs there', async () => {
      const before = value('10.1.21.0/24');
      const unknown = await run('rehome', '10.1.22.0/24', '--to', '192.0.2.2', '--yes');
      expect(unknown.status).toBe(0);
      const unreachable = await run('rehome', '10.1.21.0/24', '--to', '192.0.2.11', '--yes');
      expect(unreachable.stderr).toContain('(owner-unreachable;');
      expect(unreachable.status).toBe(3);
      put('10.1.50.0/24', hostGw('192.0.2.50'));
      const stranger = await run('rehome', '10.1.50.0/24', '--to', '192.0.2.51', '--yes');
      expect(stranger.stderr).toContain('(owner-unknown;');
      expect(stranger.status).toBe(3);
      expect(value('10.1.21.0/24')).toBe(before);
    });

    it('lets no two leases have one address, unless the other is named as a left-over; that can be brought back', async () => {
      lease('10.1.44.0/24', vxlan('192.0.2.11', '0e:00:00:00:00:01'));
      const move = ['rehome', '10.1.21.0/24', '--to', '192.0.2.11', '--etcd-only', '--yes'];
      const refused = await run(...move);
      expect(refused.stderr).toContain('(public-ip-in-use;');
      expect(refused.stderr).toContain('--drop 10.1.44.0/24');
      expect(refused.status).toBe(3);
      expect((await run(...move, '--drop', '10.1.22.0/24')).stderr).toContain('(public-ip-in-use;');
      const done = await run(...move, '--drop', '10.1.44.0/24');
      expect(done.status).toBe(0);
      expect((await leases()).map(({ subnet, publicIP }) => [subnet, publicIP])).toEqual([
        ['10.1.21.0/24', '192.0.2.11'],
        ['10.1.22.0/24', '192.0.2.2'],
      ]);
      expect((await run('undo', '-o', 'json')).stdout).toContain('10.1.44.0/24');
    });

    it.each([
      [['10.1.99.0/24', '--to', '192.0.2.11'], 'rehome-no-lease', 3],
      [['10.1.21.0/24', '--to', '10.1.4.4'], 'bad-public-ip', 2],
      [['10.1.21.0/24', '--to', 'fd00::1'], 'bad-ip', 2],
      [['web1', '--to', '192.0.2.11'], 'bad-cidr', 2],
    ] as const)('says what is wrong with %j', async (argv, code, status) => {
      const ended = await run('rehome', ...argv, '--etcd-only', '--yes');
      expect(ended.stderr).toContain(`(${code};`);
      expect(ended.status).toBe(status);
    });
  });

  describe('release', () => {
    it('gives the subnet back, keeps what it was, and leaves the reservation', async () => {
      await run('reserve', '10.1.21.0/24', '--node', 'web1', '--yes');
      const dry = await run('release', 'web1', '--etcd-only', '--dry-run');
      expect(dry.stdout).toContain('1 other node would lose the route to it');
      expect(dry.stdout).toContain('release-still-reserved');
      expect(await leases()).toHaveLength(2);
      expect((await run('release', 'web1', '--etcd-only', '--yes')).status).toBe(0);
      expect((await leases()).map(({ subnet }) => subnet)).toEqual(['10.1.22.0/24']);
      const again = await run('release', 'web1', '--etcd-only', '--yes');
      expect(again).toMatchObject({ status: 0, stdout: 'Unchanged: web1 (192.0.2.1) has no subnet.\n' });
      const { items } = documentOf('ReservationList', (await run('reservations', '-o', 'json')).stdout);
      expect(items).toMatchObject([{ state: 'open' }]);
      expect((await run('undo', '10.1.21.0/24', '--yes')).status).toBe(0);
      expect(JSON.parse(value('10.1.21.0/24'))).toMatchObject({ PublicIP: '192.0.2.1' });
      expect((await run('release', 'web1', '--etcd-only', '--unreserve', '--yes')).status).toBe(0);
      expect(documentOf('ReservationList', (await run('reservations', '-o', 'json')).stdout).items).toEqual([]);
    });

    it('of a lease that does not expire: undo brings it back for good on v2, where it stays so', async () => {
      put('10.1.21.0/24', vxlan('192.0.2.1', '0e:00:00:00:00:01'));
      expect((await leases())[0]).toMatchObject({ subnet: '10.1.21.0/24', permanent: true });
      expect((await run('release', 'web1', '--etcd-only', '--yes')).status).toBe(0);
      const list = documentOf('SubnetUndoList', (await run('undo', '-o', 'json')).stdout);
      expect(list.items).toMatchObject([{ subnet: '10.1.21.0/24', ttlSeconds: old ? null : 86_400 }]);
      if (old) expect((await run('undo')).stdout).toContain('no end');
      expect((await run('undo', '10.1.21.0/24', '--yes')).status).toBe(0);
      expect((await leases())[0]).toMatchObject({ subnet: '10.1.21.0/24', permanent: old });
    });

    it('does nothing to a machine that does not answer', async () => {
      const ended = await run('release', 'web1', '--yes');
      expect(ended.stderr).toContain('(owner-unreachable;');
      expect(ended.status).toBe(3);
      expect(await leases()).toHaveLength(2);
    });
  });

  describe('mend', () => {
    it('puts back what the key held before the documented one-liner, and has nothing to do then', async () => {
      const before = value('10.1.21.0/24');
      put('10.1.21.0/24', key('10.1.21.0/24'));
      const check = documentOf('SubnetCheck', (await run('check', '-o', 'json')).stdout);
      expect(check.problems).toContainEqual(
        expect.objectContaining({ code: 'value-is-key', suggestion: 'netctl subnets mend 10.1.21.0/24' }),
      );
      const { status, stdout } = await run('mend', '--yes', '-o', 'json');
      expect(status).toBe(0);
      expect(work(stdout).items[0]).toMatchObject({ subnet: '10.1.21.0/24', state: 'done', publicIP: '192.0.2.1' });
      expect(value('10.1.21.0/24')).toBe(before);
      const [first] = await leases();
      expect(first?.permanent).toBe(false);
      expect((await run('mend')).stdout).toBe('Unchanged: flanneld can read the value of every lease.\n');
    });

    it('writes all leases again, each with its time to live, where flanneld has lost the routes', async () => {
      put('10.1.21.0/24', 'garbage');
      const before = (await leases()).find(({ subnet }) => subnet === '10.1.22.0/24');
      const { stdout } = await run('mend', '--flannel', old ? 'v0.17.0' : 'v0.28.9', '--yes', '-o', 'json');
      const items = work(stdout).items.map(({ subnet }) => subnet);
      expect(items).toEqual(old ? ['10.1.21.0/24'] : ['10.1.21.0/24', '10.1.0.0/16']);
      const after = (await leases()).find(({ subnet }) => subnet === '10.1.22.0/24');
      expect(after?.leaseId).toBe(before?.leaseId);
      expect(after?.revision === before?.revision).toBe(old);
      expect(after?.expiresInSeconds).toBeLessThanOrEqual(before?.expiresInSeconds ?? 0);
      const forced = await run('mend', '--announce', '--yes');
      expect(forced.status).toBe(0);
      const last = (await leases()).find(({ subnet }) => subnet === '10.1.22.0/24');
      expect(last?.revision).not.toBe(after?.revision);
      expect(last?.permanent).toBe(false);
    });

    it('knows the owner by a reservation, the inventory or a person, and lets flanneld there write the rest', async () => {
      await run('reserve', '10.1.31.0/24', '--public-ip', '192.0.2.31', '--yes');
      writeFileSync(
        join(cli.home, 'netctl.yaml'),
        inventory.replace('publicIP: 192.0.2.3', 'publicIP: 192.0.2.3, subnet: 10.1.32.0/24'),
      );
      for (const subnet of ['10.1.31.0/24', '10.1.32.0/24', '10.1.33.0/24']) {
        // What was there before does not count when the key was deleted in between.
        if (subnet === '10.1.31.0/24') ctl(old ? 'rm' : 'del', key(subnet));
        put(subnet, key(subnet));
      }
      const { status, stdout } = await run('mend', '--no-announce', '--yes', '-o', 'json');
      expect(status).toBe(10);
      expect(work(stdout).items).toMatchObject([
        { subnet: '10.1.31.0/24', state: 'done', publicIP: '192.0.2.31', changes: [{ ttlSeconds: 600 }] },
        { subnet: '10.1.32.0/24', state: 'done', publicIP: '192.0.2.3', node: 'db1' },
        { subnet: '10.1.33.0/24', state: 'blocked', problems: [{ code: 'mend-unknown' }] },
      ]);
      const said = await run('mend', '10.1.33.0/24', '--public-ip', '192.0.2.33', '--yes');
      expect(said.status).toBe(0);
      expect(value('10.1.33.0/24')).toBe('{"PublicIP":"192.0.2.33"}');
    });

    it('makes no second lease: not of a range that another has, and not for a node with another subnet', async () => {
      put('10.1.60.0/24', key('10.1.60.0/24'));
      lease('10.1.60.0/25', hostGw('192.0.2.60'));
      put('10.1.61.0/24', 'x');
      const ended = await run('mend', '10.1.60.0/24', '--public-ip', '192.0.2.61', '--yes');
      expect(ended.stdout).toContain('mend-overlap');
      expect(ended.status).toBe(10);
      const twice = await run('mend', '10.1.61.0/24', '--public-ip', '192.0.2.2', '--yes');
      expect(twice.stdout).toContain('public-ip-in-use');
      expect(twice.status).toBe(10);
      expect(value('10.1.61.0/24')).toBe('x');
      expect((await run('mend', '--public-ip', '192.0.2.61')).stderr).toContain('(mend-what;');
    });
  });
});
