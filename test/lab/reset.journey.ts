import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { type NodeSnapshot, nodeSnapshot } from './node-snapshot';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/** Of others, before netctl comes. At the end of FORWARD: Docker puts its own rules in front whenever it starts. */
const foreign = [
  'iptables -N MINE',
  'iptables -A MINE -s 172.7.0.0/16 -m comment --comment "not flannel\'s" -j RETURN',
  'iptables -A FORWARD -s 10.9.9.0/24 -j MINE',
  'iptables -t nat -A POSTROUTING -s 10.9.9.0/24 -j MASQUERADE',
  'ip route add 203.0.113.0/24 via 10.4.7.254',
].join(' && ');

interface Way {
  readonly tag: string;
  readonly backend: object;
  readonly flannel: object;
  /** What flannel leaves in the kernel, to be sure that there was something. */
  readonly trace: (snapshot: NodeSnapshot) => void;
}

const ways: readonly (readonly [string, Way])[] = [
  [
    'vxlan with --ip-masq under systemd',
    {
      tag: 'v0.28.9',
      backend: { type: 'vxlan' },
      flannel: { service: 'systemd', ipMasq: true },
      trace: ({ links, rules }) => {
        expect(links.join('\n')).toContain('flannel.1');
        expect(rules.join('\n')).toContain(':FLANNEL-POSTRTG');
      },
    },
  ],
  [
    'host-gw of the third seed under supervisord',
    {
      tag: 'v0.11.0',
      backend: { type: 'host-gw' },
      flannel: { service: 'supervisord', subnetFile: '/opt/flannel/subnet.env', iface: 'eth0', ipMasq: true },
      trace: ({ routes, rules }) => {
        expect(routes.join('\n')).toContain('172.7.22.0/24 via 10.4.7.22');
        expect(rules).toContain('-A FORWARD -s 172.7.0.0/16 -j ACCEPT');
      },
    },
  ],
];

describe.skipIf(reason !== undefined).each(ways)('a node is taken out again: %s', (_, way) => {
  let lab: Lab;
  let netctl: LabNetctl;
  let before: NodeSnapshot;

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }],
      hosts: [{ address: '10.4.7.21' }, { address: '10.4.7.22' }],
      supervisor: true,
      etcd: { v2: true },
    });
    netctl = await netctlOn(lab, {
      ...labAccess(lab),
      network: { cidr: '172.7.0.0/16', backend: way.backend },
      flannel: { version: way.tag, archive: await flannelArchive(way.tag), ...way.flannel },
      nodes: [
        { name: 'node1', address: '10.4.7.21', subnet: '172.7.21.0/24' },
        { name: 'node2', address: '10.4.7.22', subnet: '172.7.22.0/24' },
      ],
    });
    await lab.host('node1').must(foreign);
    before = await nodeSnapshot(lab.host('node1'));
    await netctl.must(['init-network', '--yes']);
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
  });
  afterAll(() => lab?.stop());

  test('there was something to take back', async () => {
    const during = await nodeSnapshot(lab.host('node1'));
    expect(during.files).not.toEqual(before.files);
    way.trace(during);
  });

  test('a dry run shows it all, and does nothing', async () => {
    const during = await nodeSnapshot(lab.host('node1'));
    const { stdout } = await netctl.must(['node', 'reset', 'node1', '--dry-run']);
    for (const said of [`/opt/flannel-${way.tag}/flanneld`, '/etc/docker/daemon.json', 'subnets/172.7.21.0-24']) {
      expect(stdout).toContain(said);
    }
    expect(stdout).not.toContain('PRIVATE KEY');
    expect(await nodeSnapshot(lab.host('node1'))).toEqual(during);
  });

  test('containers that run are named, and nothing is done without leave', async () => {
    await lab.host('node1').must('docker run -d --name web lab.image httpd -f -vv -p 80 -h /www');
    const refused = await netctl.run(['node', 'reset', 'node1']);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('containers-run');
    expect(refused.stderr).toContain('node1: web');
    expect((await lab.host('node1').must('docker ps --format {{.Names}}')).trim()).toBe('web');
    await lab.host('node1').must('docker rm -f web');
  });

  test("then the host is as it was before bootstrap, and what is others' is untouched", async () => {
    const { stdout } = await netctl.must(['node', 'reset', 'node1', '--yes']);
    expect(stdout).toContain('1 done');
    const after = await nodeSnapshot(lab.host('node1'));
    expect(after.files).toEqual(before.files);
    expect(after.units).toEqual(before.units);
    expect(after.links).toEqual(before.links);
    expect(after.routes).toEqual(before.routes);
    expect(after.rules).toEqual(before.rules);
  });

  test('its lease is gone, and the other node has taken its route away', async () => {
    const list = JSON.stringify(await netctl.json(['subnets', 'ls']));
    expect(list).not.toContain('172.7.21.0/24');
    expect(list).toContain('172.7.22.0/24');
    await expect
      .poll(async () => (await lab.host('node2').must('ip -4 route')).includes('172.7.21.0/24 via'), {
        timeout: 20_000,
      })
      .toBe(false);
  });

  test('a second reset has nothing to do', async () => {
    const { stdout, stderr } = await netctl.must(['node', 'reset', 'node1', '--yes']);
    expect(stdout).toContain('nothing of netctl is left here');
    expect(stderr).not.toContain('node1: ');
  });

  test("after a boot docker0 still has Docker's own range, and nothing of flannel comes back", async () => {
    await lab.host('node1').reboot();
    const after = await nodeSnapshot(lab.host('node1'));
    expect(after.links).toEqual(before.links);
    expect(after.rules.join('\n')).not.toMatch(/FLANNEL|172\.7\./);
  });

  test('the node can be taken in again, and keeps its lease when that is wanted', async () => {
    await netctl.must(['node', 'bootstrap', 'node1', '--yes']);
    const { stdout } = await netctl.must(['node', 'reset', 'node1', '--yes', '--keep-lease']);
    expect(stdout).toContain('1 done');
    expect(JSON.stringify(await netctl.json(['subnets', 'ls']))).toContain('172.7.21.0/24');
  });

  test('what was changed by hand is left and named, here on the other node', async () => {
    const node2 = lab.host('node2');
    await node2.must('echo "net.ipv4.ip_forward = 1 # mine" >/etc/sysctl.d/99-flannel.conf');
    await node2.must('ip route add 172.7.99.0/24 via 10.4.7.254');
    const { stdout } = await netctl.must(['node', 'reset', 'node2', '--yes']);
    expect(stdout).toContain('(file-left)');
    expect(stdout).toContain('(route-left)');
    expect(await node2.must('cat /etc/sysctl.d/99-flannel.conf')).toContain('# mine');
    expect(await node2.must('ip -4 route')).toContain('172.7.99.0/24 via 10.4.7.254');
  });

  test('a flannel that netctl did not set up is not touched', async () => {
    const node2 = lab.host('node2');
    await node2.must(
      'printf "[Service]\\nExecStart=/bin/sleep 1000\\n" >/etc/systemd/system/flanneld.service && systemctl daemon-reload && systemctl start flanneld',
    );
    const refused = await netctl.run(['node', 'reset', 'node2', '--yes']);
    expect(refused.code).toBe(3);
    expect(refused.stdout).toContain('(flannel-not-ours)');
    expect((await node2.must('systemctl is-active flanneld')).trim()).toBe('active');
  });
});
