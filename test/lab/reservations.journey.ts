import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

const prefix = '/coreos.com/network';
const key = (subnet: string): string => `${prefix}/subnets/${subnet.replace('/', '-')}`;

describe.skipIf(reason !== undefined)('subnets that nodes keep, with etcd v3 and vxlan', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  let access: ReturnType<typeof labAccess>;
  let archive: string;

  const inventory = (node3: string, node2: object = { subnet: '172.7.22.0/24' }) => ({
    ...access,
    network: { cidr: '172.7.0.0/16', backend: { type: 'vxlan' } },
    flannel: { version: 'v0.28.9', archive },
    nodes: [
      { name: 'node1', address: '10.4.7.21', iface: 'eth0' },
      { name: 'node2', address: '10.4.7.22', iface: 'eth0', ...node2 },
      { name: 'node3', address: node3, iface: 'eth0' },
    ],
  });

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }],
      hosts: [{ address: '10.4.7.21' }, { address: '10.4.7.22' }, { address: '10.4.7.23' }],
      etcd: {},
    });
    access = labAccess(lab);
    archive = await flannelArchive('v0.28.9');
    netctl = await netctlOn(lab, inventory('10.4.7.23'));
    await netctl.must(['init-network', '--yes']);
    await netctl.must(['subnets', 'reserve', '172.7.50.0/24', '--node', 'node1', '--yes']);
    await netctl.must(['subnets', 'reserve', '172.7.60.0/24', '--node', 'node3', '--note', 'moves soon', '--yes']);
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
  });
  afterAll(() => lab?.stop());

  const etcdctl = async (...args: readonly string[]): Promise<string> => {
    if (lab.etcd === null) throw new Error('there is etcd');
    const { code, stdout, stderr } = await lab.etcd.ctl(...args);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  };
  const subnetOf = (host: string) => lab.host(host).must('sed -n s/^FLANNEL_SUBNET=//p /run/flannel/subnet.env');
  const routes = (host: string) => lab.host(host).must('ip -4 route show dev flannel.1');
  const reservations = async () => JSON.stringify(await netctl.json(['subnets', 'reservations']));
  const eventually = (ask: () => Promise<string>) => expect.poll(ask, { timeout: 20_000, interval: 300 });

  test('bootstrap gives each node its reserved subnet, and flanneld makes an ordinary lease of it', async () => {
    expect(await subnetOf('node1')).toBe('172.7.50.1/24\n');
    expect(await subnetOf('node3')).toBe('172.7.60.1/24\n');
    expect(await etcdctl('get', '--print-value-only', key('172.7.50.0/24'))).toContain('"BackendType":"vxlan"');
    expect((await reservations()).match(/"state":"held"/g)).toHaveLength(2);
    expect((await netctl.run(['subnets', 'check'])).stdout).not.toContain('reservation');
  });

  test('a node that was away until its lease ran out, without subnet.env, gets the same subnet again', async () => {
    const node1 = lab.host('node1');
    await node1.must('systemctl stop flanneld && rm /run/flannel/subnet.env');
    await etcdctl('del', key('172.7.50.0/24'));
    expect((await netctl.run(['subnets', 'check'])).stdout).toContain('reservation-not-held');
    const enforced = await netctl.must(['subnets', 'reserve', '--enforce', '--yes']);
    expect(enforced.stdout).toContain('1 done, 1 unchanged');
    expect(await etcdctl('get', '--print-value-only', key('172.7.50.0/24'))).toBe('{"PublicIP":"10.4.7.21"}\n');
    await node1.must('systemctl start flanneld');
    expect(await subnetOf('node1')).toBe('172.7.50.1/24\n');
    await eventually(() => routes('node2')).toContain('172.7.50.0/24');
  });

  test('the documented one-liner takes away all routes; mend puts the value back, and the routes come back', async () => {
    const before = await etcdctl('get', '--print-value-only', key('172.7.60.0/24'));
    const docker = await lab.host('node2').must('docker run -d --name web lab.image httpd -f -vv -p 80 -h /www');
    // etcdctl put KEY $(etcdctl get KEY), the words as the shell makes them.
    const words = (await etcdctl('get', key('172.7.60.0/24'))).trim().split(/\s+/);
    await etcdctl('put', key('172.7.60.0/24'), ...words);
    expect(await etcdctl('get', '--print-value-only', key('172.7.60.0/24'))).toBe(`${key('172.7.60.0/24')}\n`);
    for (const host of ['node1', 'node2', 'node3']) await eventually(() => routes(host)).not.toContain('via');

    const checked = await netctl.run(['subnets', 'check']);
    expect(checked.stdout).toContain('value-is-key');
    expect(checked.stdout).toContain('netctl subnets mend 172.7.60.0/24');
    const mended = await netctl.must(['subnets', 'mend', '--yes']);
    expect(mended.stdout).toContain('2 done');
    expect(await etcdctl('get', '--print-value-only', key('172.7.60.0/24'))).toBe(before);
    await eventually(() => routes('node1')).toMatch(/172\.7\.22\.0\/24[\s\S]*172\.7\.60\.0\/24/);
    await eventually(() => routes('node2')).toMatch(/172\.7\.50\.0\/24[\s\S]*172\.7\.60\.0\/24/);
    await eventually(() => routes('node3')).toMatch(/172\.7\.22\.0\/24[\s\S]*172\.7\.50\.0\/24/);
    for (const host of ['node1', 'node2', 'node3']) {
      expect(await lab.host(host).must('systemctl show -p NRestarts --value flanneld')).toBe('0\n');
    }
    const address = await lab.host('node2').must(`docker inspect -f '{{.NetworkSettings.IPAddress}}' ${docker.trim()}`);
    await lab.host('node3').must(`docker run --rm lab.image ping -c 1 -W 5 ${address.trim()}`);
    expect((await netctl.must(['subnets', 'mend'])).stdout).toContain('Unchanged');
  });

  test('what etcd has forgotten is known by the node, whose flanneld then writes the rest', async () => {
    await netctl.writeInventory(inventory('10.4.7.23', {}));
    await etcdctl('put', key('172.7.22.0/24'), 'garbage');
    const status: unknown = JSON.parse(await etcdctl('get', key('172.7.22.0/24'), '-w', 'json'));
    const revision = /"revision":(\d+)/.exec(JSON.stringify(status))?.[1] ?? '';
    await etcdctl('compact', revision);
    const mended = await netctl.json(['subnets', 'mend', '--yes']);
    expect(JSON.stringify(mended)).toContain('by the node whose subnet.env names it');
    await eventually(() => etcdctl('get', '--print-value-only', key('172.7.22.0/24'))).toContain(
      '"BackendType":"vxlan"',
    );
    await eventually(() => routes('node1')).toMatch(/172\.7\.22\.0\/24[\s\S]*172\.7\.60\.0\/24/);
    await eventually(() => routes('node2')).toMatch(/172\.7\.50\.0\/24[\s\S]*172\.7\.60\.0\/24/);
    expect((await lab.host('node2').must('systemctl is-active flanneld')).trim()).toBe('active');
    expect(JSON.stringify(await netctl.json(['subnets', 'show', '172.7.22.0/24']))).toMatch(
      /"expiresInSeconds":8[56]\d{3}/,
    );
    await netctl.writeInventory(inventory('10.4.7.23'));
  });

  test('a node whose address changes keeps its subnet, docker0 and its containers', async () => {
    const node3 = lab.host('node3');
    await node3.must('docker run -d --name app lab.image httpd -f -vv -p 80 -h /www');
    const state = async () =>
      (await node3.must('docker inspect -f "{{.State.StartedAt}} {{.NetworkSettings.IPAddress}}" app')) +
      (await node3.must('ip -4 -br addr show docker0; cat /run/flannel/subnet.env'));
    const before = await state();
    const ping = `docker run --rm lab.image ping -c 1 -W 2 ${/ ([\d.]+)\n/.exec(before)?.[1] ?? ''}`;
    const reached = () => eventually(async () => String((await lab.host('node1').run(ping)).code)).toBe('0');
    const value = () => etcdctl('get', '--print-value-only', key('172.7.60.0/24'));
    const move = async (from: string, to: string) => {
      await node3.must(
        `sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1 && ip addr add ${to}/24 dev eth0 && ip addr del ${from}/24 dev eth0`,
      );
      await netctl.writeInventory(inventory(to));
    };
    const rehome = ['subnets', 'rehome', '172.7.60.0/24', '--host-key', 'off', '--to'];

    // bootstrap has told flanneld its address, so bootstrap starts it with the new one.
    await move('10.4.7.23', '10.4.7.33');
    const dry = await netctl.must([...rehome, '10.4.7.33', '--dry-run']);
    expect(dry.stdout).toMatch(/rehome-start-it[\s\S]*systemctl stop flanneld/);
    expect(await value()).toContain('10.4.7.23');
    expect((await netctl.run([...rehome, '10.4.7.33', '--yes'])).stdout).toContain('netctl node bootstrap node3');
    expect(await value()).toContain('"PublicIP":"10.4.7.33","PublicIPv6":null,"BackendType":"vxlan","BackendData":{');
    expect(await reservations()).toContain('"publicIP":"10.4.7.33"');
    await netctl.must(['node', 'bootstrap', 'node3', '--host-key', 'off', '--yes']);
    expect(await state()).toBe(before);
    await reached();
    expect((await netctl.must([...rehome, '10.4.7.33', '--yes'])).stdout).toContain('unchanged');

    // One that finds its address itself is started again at once.
    await node3.must(
      'sed -i /FLANNELD_PUBLIC_IP/d $(grep -ls FLANNELD_PUBLIC_IP /etc/default/* /etc/sysconfig/*) && systemctl restart flanneld',
    );
    await move('10.4.7.33', '10.4.7.23');
    const back = await netctl.must([...rehome, '10.4.7.23', '--yes']);
    expect(back.stdout).toContain('1 done');
    expect((await node3.must('systemctl is-active flanneld')).trim()).toBe('active');
    expect(await value()).toContain('"PublicIP":"10.4.7.23"');
    expect(await state()).toBe(before);
    await reached();

    // Of one that does not run it is not known with which address it would start: the next run says so, as after a kill.
    await node3.must('systemctl stop flanneld');
    const stopped = await netctl.run([...rehome, '10.4.7.23', '--yes']);
    expect(stopped.stdout).toMatch(/unchanged[\s\S]*rehome-start-it/);
    expect(stopped.code).toBe(10);
    await node3.must('systemctl start flanneld');
    expect(await state()).toBe(before);

    // Started with a new address before anybody thought of it, flanneld has taken another subnet, and docker0 has not.
    await move('10.4.7.23', '10.4.7.33');
    await node3.must('systemctl restart flanneld');
    const taken = (await subnetOf('node3')).trim().replace(/\.1\/24$/, '.0/24');
    expect(taken).not.toBe('172.7.60.0/24');
    expect((await netctl.run([...rehome, '10.4.7.33', '--yes'])).stderr).toContain(`--drop ${taken}`);
    // It took 172.7.60.0/24 for that of another node, and its route there has replaced the kernel's to docker0.
    expect(await node3.must('ip -4 route show 172.7.60.0/24')).not.toContain('docker0');
    await netctl.must([...rehome, '10.4.7.33', '--drop', taken, '--yes']);
    expect(await node3.must('ip -4 route show 172.7.60.0/24')).toContain('dev docker0 proto kernel scope link');
    expect(await state()).toBe(before);
    expect(await value()).toContain('"PublicIP":"10.4.7.33"');
    expect(await etcdctl('get', '--keys-only', '--prefix', `${prefix}/subnets`)).not.toContain(taken.replace('/', '-'));
    await reached();
  });

  test('a node that leaves is stopped first, then gives its subnet back; undo brings it back', async () => {
    const node2 = lab.host('node2');
    const dry = await netctl.must(['subnets', 'release', 'node2', '--dry-run']);
    expect(dry.stdout).toMatch(/systemctl stop flanneld[\s\S]*2 other nodes would lose the route to it/);
    expect(dry.stdout).toContain('release-comes-back');
    expect((await node2.must('systemctl is-active flanneld')).trim()).toBe('active');
    await netctl.must(['subnets', 'release', 'node2', '--yes']);
    expect((await node2.run('systemctl is-active flanneld')).stdout.trim()).toBe('inactive');
    expect(await etcdctl('get', '--keys-only', '--prefix', `${prefix}/subnets`)).not.toContain('172.7.22.0-24');
    await eventually(() => routes('node1')).not.toContain('172.7.22.0/24');
    // Its containers were not touched.
    expect(await node2.must('docker ps --format {{.Names}}')).toContain('web');
    await netctl.must(['subnets', 'undo', '172.7.22.0/24', '--yes']);
    await eventually(() => routes('node1')).toContain('172.7.22.0/24');
    // flanneld does not run there now, so nothing has to be stopped.
    const again = await netctl.must(['subnets', 'release', 'node2', '--yes']);
    expect(again.stdout).toContain('1 done');
    await eventually(() => routes('node1')).not.toContain('172.7.22.0/24');
  });
});

describe.skipIf(reason !== undefined)('subnets that nodes keep, with etcd v2 and host-gw', () => {
  let lab: Lab;
  let netctl: LabNetctl;

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }],
      hosts: [{ address: '10.4.7.21' }, { address: '10.4.7.22' }],
      etcd: { v2: true },
    });
    netctl = await netctlOn(lab, {
      ...labAccess(lab),
      network: { cidr: '172.7.0.0/16', backend: { type: 'host-gw' } },
      flannel: { version: 'v0.11.0', archive: await flannelArchive('v0.11.0') },
      nodes: [
        { name: 'node1', address: '10.4.7.21', iface: 'eth0' },
        { name: 'node2', address: '10.4.7.22', iface: 'eth0' },
      ],
    });
    await netctl.must(['init-network', '--yes']);
    await netctl.must(['subnets', 'reserve', '172.7.50.0/24', '--node', 'node1', '--yes']);
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
  });
  afterAll(() => lab?.stop());

  const lease = async () => JSON.stringify(await netctl.json(['subnets', 'show', '172.7.50.0/24']));

  test('flanneld leaves a reserved subnet as it is, for good, over restarts and without subnet.env', async () => {
    expect(await lease()).toContain('"permanent":true');
    await lab.host('node1').must('systemctl stop flanneld && rm /run/flannel/subnet.env && systemctl start flanneld');
    expect(await lab.host('node1').must('cat /run/flannel/subnet.env')).toContain('FLANNEL_SUBNET=172.7.50.1/24\n');
    expect(await lease()).toMatch(/"backend":"host-gw".*"permanent":true|"permanent":true.*"backend":"host-gw"/);
    expect((await netctl.must(['subnets', 'reserve', '--enforce'])).stdout).toContain('unchanged');
  });

  test('the reservation of a node with a lease of a day makes it permanent while flanneld runs, and unreserve takes that back', async () => {
    const route = () => lab.host('node1').must('ip -4 route show proto all');
    const { items } = (await netctl.json(['subnets', 'ls', '--filter', 'public-ip=10.4.7.22'])) as {
      readonly items: readonly { readonly subnet: string }[];
    };
    const subnet = items[0]?.subnet ?? '';
    await netctl.must(['subnets', 'reserve', subnet, '--node', 'node2', '--yes']);
    expect(JSON.stringify(await netctl.json(['subnets', 'show', subnet]))).toContain('"permanent":true');
    await netctl.must(['subnets', 'unreserve', 'node2', '--yes']);
    expect(JSON.stringify(await netctl.json(['subnets', 'show', subnet]))).toContain('"permanent":false');
    expect(await route()).toContain(`${subnet} via 10.4.7.22`);
    expect((await lab.host('node2').must('systemctl is-active flanneld')).trim()).toBe('active');
  });

  test('a released subnet expires, because flanneld misreads a guarded DELETE; the others drop their route', async () => {
    const released = await netctl.must(['subnets', 'release', 'node2', '--yes']);
    expect(released.stdout).toContain('1 done');
    await expect.poll(() => lab.host('node1').must('ip -4 route'), { timeout: 20_000 }).not.toContain('via 10.4.7.22');
  });
});
