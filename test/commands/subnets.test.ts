import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runToEnd } from '../support/built';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, startEtcd } from '../support/etcd';
import { hostGw, leaseLikeFlanneld, prefix, vxlan } from '../support/flannel-leases';

const inventory = `nodes:
  - { name: web1, address: 192.168.0.1 }
  - { name: web2, address: 192.168.0.2, subnet: 10.1.9.0/24 }
  - { name: db1, address: 192.168.0.3 }
`;

describe.each(['v3', 'v2'] as const)('netctl subnets on etcd %s', (api) => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;

  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: api });
    writeFileSync(join(cli.home, 'netctl.yaml'), inventory);
    await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'vxlan']);
    leaseLikeFlanneld(etcd, api, '10.1.21.0/24', vxlan('192.168.0.1', '0e:00:00:00:00:01'));
    leaseLikeFlanneld(etcd, api, '10.1.22.0/24', vxlan('192.168.0.2', '0e:00:00:00:00:02'), { ttlSeconds: 1800 });
    leaseLikeFlanneld(etcd, api, '10.1.100.0/24', hostGw('192.168.0.9'));
    // A reservation: a key without any time to live.
    etcd.ctl(
      [api === 'v3' ? 'put' : 'set', `${prefix}/subnets/10.1.30.0-24`, vxlan('192.168.0.3', '0e:00:00:00:00:03')],
      { api: api === 'v3' ? 3 : 2 },
    );
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  const list = async (argv: readonly string[] = []) =>
    documentOf('SubnetList', (await cli.netctl(['subnets', 'ls', ...argv, '-o', 'json'])).stdout);
  const names = async (argv: readonly string[]) =>
    (await cli.netctl(['subnets', 'ls', ...argv, '-o', 'name'])).stdout.trimEnd().split('\n');

  it('lists subnets in the order of their addresses, with the names of the inventory and what is wrong', async () => {
    const { status, stdout, stderr } = await cli.netctl(['subnets', 'ls']);
    expect(status).toBe(0);
    const rows = stdout.trimEnd().split('\n');
    expect(rows).toHaveLength(5);
    expect(rows[0]).toMatch(/^SUBNET +PUBLIC IP +NODE +BACKEND +VTEP MAC +VNI +EXPIRES IN +PROBLEMS$/);
    expect(rows[1]).toMatch(/^10\.1\.21\.0\/24 +192\.168\.0\.1 +web1 +vxlan +0e:00:00:00:00:01 +1 +(23h59m|1d) +-$/);
    expect(rows[2]).toMatch(/^10\.1\.22\.0\/24 .* web2 .* (30m|29m\d+s) +renewal-overdue,node-other-subnet$/);
    expect(rows[3]).toMatch(/^10\.1\.30\.0\/24 .* db1 .* never /);
    expect(rows[4]).toMatch(/^10\.1\.100\.0\/24 +192\.168\.0\.9 +- +host-gw +- +- .*other-backend/);
    expect(stderr).toContain('netctl subnets check');
  });

  it('prints the same in every format, each of which a program can read', async () => {
    const document = await list();
    expect(document).toMatchObject({ prefix, api, ttlAsked: true });
    expect(document.items.map(({ subnet }) => subnet)).toEqual([
      '10.1.21.0/24',
      '10.1.22.0/24',
      '10.1.30.0/24',
      '10.1.100.0/24',
    ]);
    expect(document.items[2]).toMatchObject({ permanent: true, expiresInSeconds: null, leaseId: null, node: 'db1' });
    expect(document.items[0]?.leaseId).toEqual(api === 'v3' ? expect.stringMatching(/^[0-9a-f]+$/) : null);

    const text = async (format: string) => (await cli.netctl(['subnets', 'ls', '-o', format])).stdout;
    const withoutTimes = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (key, each) => (key === 'expiresInSeconds' ? 0 : each)));
    expect(withoutTimes(parse(await text('yaml')))).toEqual(withoutTimes(document));
    expect(await text('name')).toBe('10.1.21.0/24\n10.1.22.0/24\n10.1.30.0/24\n10.1.100.0/24\n');
    const csv = (await text('csv')).trimEnd().split('\n');
    expect(csv[0]).toBe(
      'SUBNET,PUBLIC IP,NODE,BACKEND,VTEP MAC,VNI,EXPIRES IN,IPV6 SUBNET,PUBLIC IPV6,ETCD LEASE,REVISION,KEY,PROBLEMS',
    );
    expect(csv[2]).toMatch(/,1(800|[67]\d\d),.*,"renewal-overdue,node-other-subnet"$/);
    const wide = await text('wide');
    expect(wide).toContain(`${prefix}/subnets/10.1.21.0-24`);
    expect(wide).toContain('ETCD LEASE');
  });

  it('sorts and filters, and refuses what it does not know', async () => {
    const first = await names(['--sort', 'expires']);
    expect(first[0]).toBe('10.1.22.0/24');
    expect(first.at(-1)).toBe('10.1.30.0/24');
    expect(await names(['--sort=-subnet'])).toEqual(['10.1.100.0/24', '10.1.30.0/24', '10.1.22.0/24', '10.1.21.0/24']);
    expect(await names(['--filter', 'node=web*'])).toEqual(['10.1.21.0/24', '10.1.22.0/24']);
    expect(await names(['--filter', 'node=web*', '--filter', 'expires<1h'])).toEqual(['10.1.22.0/24']);
    expect(await names(['--filter', 'permanent'])).toEqual(['10.1.30.0/24']);
    expect(await names(['--filter', 'problem=other-backend'])).toEqual(['10.1.100.0/24']);
    const none = await cli.netctl(['subnets', 'ls', '--filter', 'node=nobody']);
    expect(none).toMatchObject({ status: 0, stdout: 'None of the 4 subnets matches the filter.\n' });
    for (const [argv, code] of [
      [['--filter', 'colour=red'], 'bad-filter'],
      [['--sort', 'colour'], 'bad-sort'],
      [['--no-ttl', '--filter', 'expires<1h'], 'bad-usage'],
    ] as const) {
      const run = await cli.netctl(['subnets', 'ls', ...argv]);
      expect(run).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining(code) });
    }
  });

  it('asks for no TTL with --no-ttl; etcd v2 tells it all the same', async () => {
    const { ttlAsked, items } = await list(['--no-ttl']);
    expect(ttlAsked).toBe(api === 'v2');
    expect(items[0]?.expiresInSeconds === null).toBe(api === 'v3');
    const { stdout } = await cli.netctl(['subnets', 'ls', '--no-ttl']);
    expect(stdout.includes('EXPIRES IN')).toBe(api === 'v2');
  });

  it.each([
    ['10.1.21.0/24', 'subnet', '10.1.21.0/24'],
    ['10.1.21.0-24', 'subnet', '10.1.21.0/24'],
    ['10.1.21.77', 'address', '10.1.21.0/24'],
    ['192.168.0.2', 'public-ip', '10.1.22.0/24'],
    ['db1', 'node', '10.1.30.0/24'],
  ])('shows whose %s is', async (query, foundBy, subnet) => {
    const run = await cli.netctl(['subnets', 'show', query, '-o', 'json']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(documentOf('SubnetLookup', run.stdout)).toMatchObject({ query, items: [{ subnet, foundBy }] });
  });

  it('shows a subnet with all that is wrong with it, late renewals too', async () => {
    const { stdout } = await cli.netctl(['subnets', 'show', '10.1.22.9']);
    expect(stdout).toContain('owner:       192.168.0.2, node web2');
    expect(stdout).toContain('10.1.22.9:   an address in this subnet');
    expect(stdout).toMatch(/expires in: +(30m|29m)/);
    expect(stdout).toContain('renewal-overdue');
    expect(stdout).toContain('node-other-subnet');
  });

  it('says that nobody holds it, and whether it could be held, with exit code 10', async () => {
    const free = await cli.netctl(['subnets', 'show', '10.1.77.1']);
    expect(free.status).toBe(10);
    expect(free.stdout).toBe(`Nobody holds 10.1.77.1 in ${prefix}. It lies in the network 10.1.0.0/16.\n`);
    const outside = await cli.netctl(['subnets', 'show', '10.9.0.0/24']);
    expect(outside).toMatchObject({ status: 10, stdout: expect.stringContaining('outside the network 10.1.0.0/16') });
    const json = await cli.netctl(['subnets', 'show', 'fd00::1', '-o', 'json']);
    expect(json.status).toBe(10);
    expect(documentOf('SubnetLookup', json.stdout).items).toEqual([]);
    expect(await cli.netctl(['subnets', 'show', 'nonsense'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('bad-subnet-query'),
    });
  });

  it('draws the address space, and gives it as runs that cover all of it', async () => {
    const { stdout } = await cli.netctl(['subnets', 'map']);
    expect(stdout).toContain('10.1.0.0/16: 256 subnets of /24');
    expect(stdout.split('\n').find((line) => line.startsWith('10.1.16.0'))).toContain('█ ▄');
    const map = documentOf('SubnetMap', (await cli.netctl(['subnets', 'map', '-o', 'json'])).stdout);
    // 10.1.9.0/24 is promised to web2 by the inventory; the first subnet of a network is never handed out.
    expect(map.counts).toEqual({ free: 250, used: 2, permanent: 1, reserved: 1, expiring: 1, outside: 1 });
    expect(map.runs.reduce((sum, { count }) => sum + count, 0)).toBe(map.count);
    expect(map.runs.find(({ state }) => state === 'expiring')).toMatchObject({ first: '10.1.22.0/24', count: 1 });
    const part = await cli.netctl(['subnets', 'map', '--within', '10.1.16.0/20', '-o', 'json']);
    expect(documentOf('SubnetMap', part.stdout)).toMatchObject({ count: 16 });
    const other = await cli.netctl(['subnets', 'map', '--within', '10.99.0.0/16']);
    expect(other).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('(map-outside;') });
  });
});

describe('netctl subnets ls and show on a dual-stack network', () => {
  it('finds a lease by its IPv6 subnet, an address in it and its public IPv6', async () => {
    const etcd = await startEtcd();
    const cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0] });
    try {
      await cli.netctl(['init-network', '10.1.0.0/16', '--ipv6-network', 'fc00::/48']);
      const value = JSON.stringify({ PublicIP: '192.168.0.1', PublicIPv6: 'fd00::1', BackendType: 'vxlan' });
      leaseLikeFlanneld(etcd, 'v3', '10.1.21.0-24&fc00:0:0:21::-64', value);
      for (const query of ['fc00:0:0:21::/64', 'fc00:0:0:21::17', 'fd00::1', '10.1.21.9']) {
        const { stdout } = await cli.netctl(['subnets', 'show', query, '-o', 'json']);
        expect(documentOf('SubnetLookup', stdout).items).toMatchObject([
          { subnet: '10.1.21.0/24', ipv6Subnet: 'fc00:0:0:21::/64', publicIPv6: 'fd00::1' },
        ]);
      }
      expect((await cli.netctl(['subnets', 'ls', '-o', 'wide'])).stdout).toContain('fc00:0:0:21::/64');
    } finally {
      cli.remove();
      await etcd.stop();
    }
  });
});

describe('netctl subnets without a network', () => {
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

  it('says what is missing and what to do', async () => {
    const ls = await cli.netctl(['subnets', 'ls']);
    expect(ls).toMatchObject({ status: 0, stdout: expect.stringContaining(`no config at ${prefix}/config`) });
    expect(documentOf('SubnetList', (await cli.netctl(['subnets', 'ls', '-o', 'json'])).stdout).items).toEqual([]);
    for (const argv of [
      ['subnets', 'map'],
      ['network', 'show'],
      ['network', 'validate', '--live'],
    ]) {
      expect(await cli.netctl(argv)).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(/no network config at[\s\S]*netctl init-network[\s\S]*--prefix/),
      });
    }
    const check = await cli.netctl(['subnets', 'check']);
    expect(check).toMatchObject({ status: 0, stderr: expect.stringContaining('there is no config') });
  });
});

describe('netctl subnets check', () => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;
  const keyOf = (subnet: string) => `${prefix}/subnets/${subnet.replace('/', '-')}`;
  const check = async (argv: readonly string[] = []) => {
    const run = await cli.netctl(['subnets', 'check', ...argv, '-o', 'json']);
    return { status: run.status, ...documentOf('SubnetCheck', run.stdout) };
  };
  const mac = (index: number) => `0e:00:00:00:00:${String(index).padStart(2, '0')}`;

  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: 'v3' });
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });
  const fresh = async () => {
    etcd.ctl(['del', '--prefix', '/']);
    await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'vxlan', '--subnet-max', '10.1.200.0']);
    leaseLikeFlanneld(etcd, 'v3', '10.1.21.0/24', vxlan('192.168.0.1', mac(1)));
    leaseLikeFlanneld(etcd, 'v3', '10.1.22.0/24', vxlan('192.168.0.2', mac(2)));
  };

  it('finds nothing in a healthy network; an etcd lease with no key is a remark', async () => {
    await fresh();
    expect(await check()).toMatchObject({ status: 0, healthy: true, leases: 2, problems: [] });
    etcd.ctl(['lease', 'grant', '86400']);
    const { status, problems } = await check();
    expect(status).toBe(0);
    expect(problems).toMatchObject([{ code: 'orphan-etcd-leases', severity: 'info' }]);
    const { stdout } = await cli.netctl(['subnets', 'check']);
    expect(stdout).toContain('no problems');
  });

  it("finds the damage of the one-liner of flannel's documentation", async () => {
    await fresh();
    const key = keyOf('10.1.22.0/24');
    // Word by word what the documentation tells: $(etcdctl get KEY) is the key and the value, so KEY gets the key.
    const { status, stderr } = await runToEnd(
      [
        'bash',
        '-c',
        'etcdctl --endpoints "$1" put "$2" $(etcdctl --endpoints "$1" get "$2")',
        '-',
        etcd.endpoints[0],
        key,
      ],
      { env: { PATH: process.env['PATH'], ETCDCTL_API: '3', HOME: cli.home } },
    );
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(etcd.ctl(['get', '--print-value-only', key]).trim()).toBe(key);

    const found = await check();
    expect(found).toMatchObject({ status: 10, healthy: false });
    expect(found.problems[0]).toMatchObject({ code: 'value-is-key', severity: 'error', subject: key });
    expect(found.problems[0]?.message).toContain('drops its routes to ALL other nodes');
    const ls = await cli.netctl(['subnets', 'ls']);
    expect(ls.stderr).toContain('flanneld cannot read');
    const show = await cli.netctl(['subnets', 'show', '10.1.22.7']);
    expect(show).toMatchObject({ status: 10, stdout: expect.stringContaining('value-is-key') });
  });

  const faults: readonly (readonly [code: string, status: 0 | 10, make: () => void])[] = [
    ['unparsable-key', 10, () => etcd.ctl(['put', `${prefix}/subnets/backup`, '{}'])],
    ['unparsable-value', 10, () => etcd.ctl(['put', keyOf('10.1.50.0/24'), 'not JSON'])],
    ['ipv6-public-ip', 10, () => etcd.ctl(['put', keyOf('10.1.50.0/24'), '{"PublicIP":"fd00::1"}'])],
    ['foreign-lease', 10, () => etcd.ctl(['put', `${prefix}/subnets-old/10.1.50.0-24`, vxlan('192.168.0.5', mac(5))])],
    ['foreign-key', 0, () => etcd.ctl(['put', `${prefix}/notes`, 'hello'])],
    ['lease-overlap', 10, () => leaseLikeFlanneld(etcd, 'v3', '10.1.20.0/22', vxlan('192.168.0.5', mac(5)))],
    ['duplicate-public-ip', 10, () => leaseLikeFlanneld(etcd, 'v3', '10.1.50.0/24', vxlan('192.168.0.1', mac(5)))],
    ['duplicate-vtep-mac', 10, () => leaseLikeFlanneld(etcd, 'v3', '10.1.50.0/24', vxlan('192.168.0.5', mac(1)))],
    ['bad-public-ip', 10, () => leaseLikeFlanneld(etcd, 'v3', '10.1.50.0/24', vxlan('127.0.0.1', mac(5)))],
    ['lease-outside-network', 10, () => leaseLikeFlanneld(etcd, 'v3', '10.7.1.0/24', vxlan('192.168.0.5', mac(5)))],
    ['lease-out-of-range', 10, () => leaseLikeFlanneld(etcd, 'v3', '10.1.250.0/24', vxlan('192.168.0.5', mac(5)))],
    ['lease-wrong-length', 10, () => leaseLikeFlanneld(etcd, 'v3', '10.1.50.0/25', vxlan('192.168.0.5', mac(5)))],
    ['other-backend', 10, () => leaseLikeFlanneld(etcd, 'v3', '10.1.50.0/24', hostGw('192.168.0.5'))],
    [
      'renewal-overdue',
      10,
      () => leaseLikeFlanneld(etcd, 'v3', '10.1.50.0/24', vxlan('192.168.0.5', mac(5)), { ttlSeconds: 600 }),
    ],
    [
      'ttl-too-long',
      10,
      () => leaseLikeFlanneld(etcd, 'v3', '10.1.50.0/24', vxlan('192.168.0.5', mac(5)), { ttlSeconds: 864_000 }),
    ],
    ['reservation-will-not-hold', 10, () => etcd.ctl(['put', keyOf('10.1.50.0/24'), vxlan('192.168.0.5', mac(5))])],
    [
      'capacity-exhausted',
      10,
      () =>
        etcd.ctl([
          'put',
          `${prefix}/config`,
          '{"Network":"10.1.0.0/16","SubnetMin":"10.1.21.0","SubnetMax":"10.1.22.0","Backend":{"Type":"vxlan"}}',
        ]),
    ],
  ];

  it.each(faults)('finds %s and exits with %d', async (code, status, make) => {
    await fresh();
    make();
    const found = await check();
    expect(found.problems.map((problem) => problem.code)).toContain(code);
    expect(found.status).toBe(status);
    expect(found.healthy).toBe(status === 0);
  });

  it('compares leases with the inventory', async () => {
    await fresh();
    const file = join(cli.home, 'nodes.yaml');
    writeFileSync(file, inventory);
    leaseLikeFlanneld(etcd, 'v3', '10.1.60.0/24', vxlan('192.168.0.66', mac(6)));
    const codes = (await check(['--config', file])).problems.map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(['unknown-owner', 'node-other-subnet', 'node-without-lease']));
  });

  it('knows another margin of renewal, and does without TTLs when told to', async () => {
    await fresh();
    leaseLikeFlanneld(etcd, 'v3', '10.1.50.0/24', vxlan('192.168.0.5', mac(5)), { ttlSeconds: 3000 });
    expect((await check()).status).toBe(10);
    expect((await check(['--renew-margin', '30'])).status).toBe(0);
    const without = await check(['--no-ttl']);
    expect(without).toMatchObject({ status: 0, ttlAsked: false });
    expect(await cli.netctl(['subnets', 'check', '--renew-margin', '0'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('bad-renew-margin'),
    });
  });
});
