import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliFor } from '../support/cli';
import { documentOf } from '../support/documents';
import { type Etcd, startEtcd } from '../support/etcd';
import { hostGw, leaseLikeFlanneld, prefix, vxlan } from '../support/flannel-leases';

const inventory = `nodes:
  - { name: web1, address: 192.168.0.1 }
  - { name: web2, address: 192.168.0.2, subnet: 10.1.9.0/24 }
  - { name: db1, address: 192.168.0.3 }
  - { name: named, address: some.name }
`;

describe.each(['v3', 'v2'] as const)('reservations on etcd %s', (api) => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;

  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: api });
    writeFileSync(join(cli.home, 'netctl.yaml'), inventory);
    await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'vxlan']);
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  const key = (subnet: string) => `${prefix}/subnets/${subnet.replace('/', '-')}`;
  const value = (subnet: string) =>
    etcd
      .ctl(api === 'v3' ? ['get', '--print-value-only', key(subnet)] : ['get', key(subnet)], {
        api: api === 'v3' ? 3 : 2,
      })
      .trim();
  const remove = (subnet: string) =>
    etcd.ctl([api === 'v3' ? 'del' : 'rm', key(subnet)], { api: api === 'v3' ? 3 : 2 });
  const run = (...argv: readonly string[]) => cli.netctl(['subnets', ...argv]);
  const leases = async () => documentOf('SubnetList', (await run('ls', '-o', 'json')).stdout).items;
  const reservations = async () =>
    documentOf('ReservationList', (await run('reservations', '-o', 'json')).stdout).items;
  const work = (text: string) => documentOf('SubnetWorkList', text);
  const codes = async () =>
    documentOf('SubnetCheck', (await run('check', '-o', 'json')).stdout).problems.map(({ code }) => code);

  it('are shown before anything is written, and nothing is written without leave', async () => {
    const dry = await run('reserve', '10.1.5.0/24', '--node', 'web1', '--dry-run', '-o', 'json');
    expect(dry.status).toBe(0);
    expect(work(dry.stdout)).toMatchObject({ applied: false, items: [{ state: 'planned', changes: [{}, {}] }] });
    const asked = await run('reserve', '10.1.5.0/24', '--node', 'web1');
    expect(asked.status).toBe(3);
    expect(asked.stderr).toContain('not-confirmed');
    expect(asked.stderr).toContain('-netctl/reservations/10.1.5.0-24');
    expect(await leases()).toEqual([]);
    expect(await reservations()).toEqual([]);
  });

  it('become a lease that waits for its node, and a record beside the network; a second run changes nothing', async () => {
    const { status, stdout } = await run(
      'reserve',
      '10.1.5.0/24',
      '--node',
      'web1',
      '--note',
      'rack 3',
      '--yes',
      '-o',
      'json',
    );
    expect(status).toBe(0);
    expect(work(stdout)).toMatchObject({
      applied: true,
      items: [{ state: 'done', node: 'web1', publicIP: '192.168.0.1' }],
    });
    expect(value('10.1.5.0/24')).toBe('{"PublicIP":"192.168.0.1"}');
    const [lease] = await leases();
    // flanneld of v3 turns what is permanent into a lease of a day.
    if (api === 'v2') expect(lease).toMatchObject({ permanent: true, expiresInSeconds: null });
    else expect(lease?.expiresInSeconds).toBeGreaterThan(86_000);
    expect(await reservations()).toMatchObject([
      { subnet: '10.1.5.0/24', publicIP: '192.168.0.1', node: 'web1', state: 'held', note: 'rack 3', why: null },
    ]);
    const again = await run('reserve', '10.1.5.0/24', '--public-ip', '192.168.0.1', '--yes', '-o', 'json');
    expect(work(again.stdout)).toMatchObject({ applied: false, items: [{ state: 'unchanged' }] });
    expect((await leases())[0]?.revision).toBe(lease?.revision);
    expect((await reservations())[0]?.note).toBe('rack 3');
  });

  it.each([
    [['10.1.6.0/24', '--node', 'web1'], 3, 'reservation-clash'],
    [['10.1.5.0/24', '--node', 'db1'], 3, 'reservation-clash'],
    [['10.1.9.0/24', '--node', 'db1'], 3, 'reservation-contradicts-inventory'],
    [['10.1.8.0/24', '--node', 'web2'], 3, 'reservation-contradicts-inventory'],
    [['10.2.6.0/24', '--node', 'db1'], 2, 'reservation-misfit'],
    [['10.1.0.0/24', '--node', 'db1'], 2, 'reservation-misfit'],
    [['10.1.6.0/25', '--node', 'db1'], 2, 'reservation-misfit'],
    [['10.1.6.7/24', '--node', 'db1'], 2, 'host-bits'],
    [['10.1.6.0', '--node', 'db1'], 2, 'bad-cidr'],
    [['10.1.6.0/24', '--node', 'db2'], 2, 'unknown-node'],
    [['10.1.6.0/24', '--node', 'named'], 2, 'no-public-ip'],
    [['10.1.6.0/24', '--public-ip', 'fd00::1'], 2, 'bad-ip'],
    [['10.1.6.0/24', '--public-ip', '127.0.0.1'], 2, 'bad-public-ip'],
    [['10.1.6.0/24', '--public-ip', '10.1.2.3'], 2, 'bad-public-ip'],
    [['10.1.6.0/24'], 2, 'reserve-for-whom'],
    [['10.1.6.0/24', '--node', 'db1', '--public-ip', '192.168.0.3'], 2, 'reserve-for-whom'],
    [['10.1.6.0/24', '--node', 'db1', '--note', 'a\nb'], 2, 'bad-note'],
    [['10.1.6.0/24', '--node', 'db1', '--note', 'x'.repeat(201)], 2, 'bad-note'],
    [['10.1.6.0/24', '--enforce'], 2, 'reserve-what'],
    [[], 2, 'reserve-what'],
  ] as const)('are refused when they cannot be kept: %j', async (argv, status, code) => {
    const before = etcd.ctl(['get', '--prefix', ''], { api: 3 });
    const ended = await run('reserve', ...argv, '--yes');
    expect(ended.stderr).toContain(`(${code};`);
    expect(ended.status).toBe(status);
    expect(ended.stdout).toBe('');
    expect(etcd.ctl(['get', '--prefix', ''], { api: 3 })).toBe(before);
  });

  it.each(['10.1.5.0/24', '10.1.5.9', 'web1', '192.168.0.1'])('are shown with what %s is', async (query) => {
    const { status, stdout, stderr } = await run('show', query);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^reserved for: +192\.168\.0\.1, node web1 \(rack 3\)$/m);
    expect(documentOf('SubnetLookup', (await run('show', query, '-o', 'json')).stdout).reservations).toEqual([
      { subnet: '10.1.5.0/24', publicIP: '192.168.0.1', node: 'web1', note: 'rack 3' },
    ]);
  });

  it('do not take a subnet from whoever has it', async () => {
    leaseLikeFlanneld(etcd, api, '10.1.7.0/24', hostGw('192.168.0.77'));
    const ended = await run('reserve', '10.1.7.0/24', '--node', 'db1', '--yes');
    expect(ended.status).toBe(3);
    expect(ended.stderr).toContain('192.168.0.77 has 10.1.7.0/24');
  });

  it('of a node with another subnet are noted, and that they are not held yet is said', async () => {
    leaseLikeFlanneld(etcd, api, '10.1.31.0/24', vxlan('192.168.0.3', '0e:00:00:00:00:03'));
    const ended = await run('reserve', '10.1.30.0/24', '--node', 'db1', '--yes');
    expect(ended.status).toBe(10);
    expect(ended.stdout).toContain('192.168.0.3, which holds 10.1.31.0/24');
    // Two leases with one public IP would leave it to chance which one flanneld takes.
    expect((await leases()).map(({ subnet }) => subnet)).not.toContain('10.1.30.0/24');
    expect(await codes()).toContain('reservation-elsewhere');
    expect((await run('unreserve', '10.1.30.0/24', '--yes')).status).toBe(0);
  });

  it('that were lost are made again, and subnets check tells before', async () => {
    remove('10.1.5.0/24');
    expect(await reservations()).toMatchObject([{ subnet: '10.1.5.0/24', state: 'open' }]);
    expect(await codes()).toContain('reservation-not-held');
    // That of web2 stands in the inventory.
    const map = documentOf('SubnetMap', (await run('map', '-o', 'json')).stdout);
    expect(map.runs.filter(({ state }) => state === 'reserved')).toMatchObject([
      { first: '10.1.5.0/24', count: 1 },
      { first: '10.1.9.0/24', count: 1 },
    ]);
    const nobody = await run('show', '10.1.5.9');
    expect(nobody.status).toBe(10);
    expect(nobody.stdout).toContain('10.1.5.0/24 is reserved for 192.168.0.1, node web1 (rack 3)');
    expect(nobody.stdout + nobody.stderr).toContain('reservation-not-held');
    const { status, stdout } = await run('reserve', '--enforce', '--yes', '-o', 'json');
    expect(status).toBe(0);
    expect(work(stdout)).toMatchObject({ items: [{ subnet: '10.1.5.0/24', state: 'done' }] });
    expect(value('10.1.5.0/24')).toBe('{"PublicIP":"192.168.0.1"}');
    const left = await codes();
    expect(left).not.toContain('reservation-not-held');
    expect(left).not.toContain('pre-assigned');
    expect(work((await run('reserve', '--enforce', '-o', 'json')).stdout)).toMatchObject({
      items: [{ state: 'unchanged' }],
    });
  });

  it('that run out are given a day again, or for good where that holds, with the value to the byte', async () => {
    const odd =
      '{ "BackendType":"vxlan", "PublicIP" : "192.168.0.1","BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"},"More":[1, 2] }';
    leaseLikeFlanneld(etcd, api, '10.1.5.0/24', odd, { ttlSeconds: 1200 });
    expect((await run('reserve', '--enforce', '--yes')).status).toBe(0);
    expect(value('10.1.5.0/24')).toBe(odd);
    const [lease] = await leases();
    if (api === 'v2') expect(lease?.permanent).toBe(true);
    else expect(lease?.expiresInSeconds).toBeGreaterThan(86_000);
  });

  it('that cannot be held are told one by one, and the others are done', async () => {
    await run('reserve', '10.1.40.0/24', '--public-ip', '192.168.0.40', '--yes');
    remove('10.1.40.0/24');
    leaseLikeFlanneld(etcd, api, '10.1.40.0/24', hostGw('192.168.0.99'));
    remove('10.1.5.0/24');
    const { status, stdout } = await run('reserve', '--enforce', '--yes', '-o', 'json');
    expect(status).toBe(10);
    expect(work(stdout).items).toMatchObject([
      { subnet: '10.1.5.0/24', state: 'done' },
      { subnet: '10.1.40.0/24', state: 'blocked', problems: [{ code: 'reservation-taken' }] },
    ]);
    expect(JSON.parse(value('10.1.40.0/24'))).toMatchObject({ PublicIP: '192.168.0.99' });
  });

  it('whose record somebody wrote over are told, kept free, and can be taken away', async () => {
    const record = `${prefix}-netctl/reservations/10.1.41.0-24`;
    etcd.ctl([api === 'v3' ? 'put' : 'set', record, '\u001b[31mnonsense'], { api: api === 'v3' ? 3 : 2 });
    expect(await codes()).toContain('reservation-damaged');
    const shown = await run('reservations');
    expect(shown.stdout).toContain('record unreadable');
    const map = documentOf('SubnetMap', (await run('map', '--within', '10.1.41.0/24', '-o', 'json')).stdout);
    expect(map.counts.reserved).toBe(1);
    const kept = await run('show', '10.1.41.3');
    expect(kept.stdout + kept.stderr).toContain('reservation-damaged');
    expect(shown.stdout + shown.stderr).not.toContain('\u001b');
    expect((await run('reserve', '10.1.41.0/24', '--node', 'db1', '--yes')).stderr).toContain('(reservation-damaged;');
    expect((await run('unreserve', '10.1.41.0/24', '--yes')).status).toBe(0);
    // One whose key names no subnet either.
    const nameless = `${prefix}-netctl/reservations/web1`;
    etcd.ctl([api === 'v3' ? 'put' : 'set', nameless, 'nonsense'], { api: api === 'v3' ? 3 : 2 });
    expect((await run('reserve', '--enforce', '--dry-run')).stdout).toContain(`netctl subnets unreserve ${nameless}`);
    expect((await run('unreserve', nameless, '--yes')).status).toBe(0);
    expect(await codes()).not.toContain('reservation-damaged');
  });

  it('that are taken away leave the lease with its node', async () => {
    await run('unreserve', '192.168.0.40', '--yes');
    const before = value('10.1.5.0/24');
    const { status } = await run('unreserve', 'web1', '--yes');
    expect(status).toBe(0);
    expect(await reservations()).toEqual([]);
    expect(value('10.1.5.0/24')).toBe(before);
    const lease = (await leases()).find(({ subnet }) => subnet === '10.1.5.0/24');
    expect(lease?.permanent).toBe(false);
    expect(lease?.expiresInSeconds).toBeGreaterThan(86_000);
    const again = await run('unreserve', 'web1', '--yes');
    expect(again).toMatchObject({ status: 0, stdout: 'Unchanged: nothing is reserved for web1.\n' });
  });
});

describe('an etcd user who may read no more than the keys of flannel', () => {
  let etcd: Etcd;
  let cli: ReturnType<typeof cliFor>;

  beforeAll(async () => {
    etcd = await startEtcd();
    cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: 'v3' });
    await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'vxlan']);
    leaseLikeFlanneld(etcd, 'v3', '10.1.5.0/24', vxlan('192.168.0.1', '0e:00:00:00:00:01'));
    etcd.ctl(['user', 'add', 'root:secret']);
    etcd.ctl(['user', 'grant-role', 'root', 'root']);
    etcd.ctl(['role', 'add', 'reader']);
    etcd.ctl(['role', 'grant-permission', 'reader', 'read', `${prefix}/`, '--prefix']);
    etcd.ctl(['user', 'add', 'reader:secret']);
    etcd.ctl(['user', 'grant-role', 'reader', 'reader']);
    etcd.ctl(['auth', 'enable']);
  });
  afterAll(async () => {
    cli.remove();
    await etcd.stop();
  });

  it.each([
    ['check', 'no problems'],
    ['map', 'used 1'],
    ['show', '192.168.0.1', '10.1.5.7'],
  ])('is answered by subnets %s, and told what is not known', async (command, said, ...argv) => {
    const run = await cli.netctl(['subnets', command, ...argv, '--user', 'reader'], {
      env: { NETCTL_PASSWORD: 'secret' },
    });
    expect(run).toMatchObject({ status: 0, stdout: expect.stringContaining(said) });
    expect(run.stderr).toBe(
      `note: etcd does not let netctl read ${prefix}-netctl/reservations/, so what is reserved is not known\n`,
    );
  });
});

describe('a guest of etcd v2 who may read no more than the keys of flannel', () => {
  it('is answered as well', async () => {
    const etcd = await startEtcd();
    const cli = cliFor({ NETCTL_ENDPOINTS: etcd.endpoints[0], NETCTL_ETCD_API: 'v2' });
    try {
      await cli.netctl(['init-network', '10.1.0.0/16', '--backend', 'host-gw']);
      leaseLikeFlanneld(etcd, 'v2', '10.1.5.0/24', hostGw('192.168.0.1'));
      const ctl = (...words: readonly string[]) => etcd.ctl(words, { api: 2 });
      ctl('user', 'add', 'root:secret');
      ctl('auth', 'enable');
      const asRoot = ['--username', 'root:secret'];
      ctl(...asRoot, 'role', 'revoke', 'guest', '--path', '/*', '--readwrite');
      ctl(...asRoot, 'role', 'grant', 'guest', '--path', `${prefix}/*`, '--read');
      for (const argv of [['show', '10.1.5.7'], ['map'], ['check']]) {
        const run = await cli.netctl(['subnets', ...argv]);
        expect(run.status).toBe(0);
        expect(run.stderr).toContain('so what is reserved is not known');
      }
    } finally {
      cli.remove();
      await etcd.stop();
    }
  });
});
