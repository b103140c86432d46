import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/*
 * The fourth seed: vxlan on 10.0.0.0/16 below the prefix /flannel-vxlan/network, etcd without TLS on 172.16.70.190, flanneld in
 * /usr/bin with --ip-masq. Docker's unit holds what the article puts there by hand: the right bip, and --mtu=1500 over an
 * overlay of 1450.
 */
describe.skipIf(reason !== undefined)('vxlan below a prefix of its own, and an MTU that is too large', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  const nodes = [
    { name: 'docker1', address: '172.16.70.191', net: '10.0.65' },
    { name: 'docker2', address: '172.16.70.192', net: '10.0.32' },
  ] as const;

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '172.16.70.0/24' }],
      hosts: [
        { name: 'server1', address: '172.16.70.190', docker: 'absent' },
        ...nodes.map(({ name, address }) => ({ name, address })),
      ],
      etcd: { members: ['server1'], tls: false, v2: true },
    });
    for (const { name, net } of nodes) {
      await lab
        .host(name)
        .must(
          `sed -i 's|^ExecStart=.*|ExecStart=/usr/sbin/dockerd --bip=${net}.1/24 --ip-masq=false --mtu=1500 -H fd:// --containerd=/run/containerd/containerd.sock|' /lib/systemd/system/docker.service && systemctl daemon-reload && systemctl restart docker`,
        );
    }
    const { etcd, ssh } = labAccess(lab);
    netctl = await netctlOn(lab, {
      etcd: { ...etcd, prefix: '/flannel-vxlan/network' },
      ssh,
      network: { cidr: '10.0.0.0/16', subnetLen: 24, backend: { type: 'vxlan' } },
      flannel: {
        version: 'v0.9.1',
        archive: await flannelArchive('v0.9.1'),
        installDir: '/usr/bin',
        ipMasq: true,
      },
      nodes: nodes.map(({ name, address, net }) => ({ name, address, iface: address, subnet: `${net}.0/24` })),
    });
    await netctl.must(['init-network', '--yes']);
  });
  afterAll(() => lab?.stop());

  test('what somebody wrote into Docker’s unit is shown, with its MTU, and not touched', async () => {
    const { code, stdout } = await netctl.run(['node', 'bootstrap', '--all', '--yes']);
    expect(code).toBe(3);
    expect(stdout).toContain('--mtu=1500');
    expect(stdout).toContain('1450');
    expect(stdout).toContain('--adopt');
    expect(stdout).toContain('2 blocked');
    for (const { name } of nodes) {
      expect((await lab.host(name).run('ls /usr/bin/flanneld /etc/docker/daemon.json')).stdout).toBe('');
    }
  });

  test('--adopt takes the three flags out of it and gives Docker what fits the overlay', async () => {
    await netctl.must(['node', 'bootstrap', '--all', '--yes', '--adopt']);
    for (const { name, net } of nodes) {
      const host = lab.host(name);
      expect(await host.must('cat /run/flannel/subnet.env')).toBe(
        `FLANNEL_NETWORK=10.0.0.0/16\nFLANNEL_SUBNET=${net}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`,
      );
      expect(await host.must('ip -4 -br addr show docker0')).toContain(`${net}.1/24`);
      expect(await host.must('tr "\\0" " " </proc/$(pidof dockerd)/cmdline')).not.toMatch(/--(mtu|bip|ip-masq)/);
      // The article's file stays as it is; a drop-in stands over it.
      expect(await host.must('cat /lib/systemd/system/docker.service')).toContain('--mtu=1500');
      expect(await host.must('docker run --rm lab.image ip link show eth0')).toContain('mtu 1450');
      expect(await host.must('iptables -t nat -S POSTROUTING')).not.toMatch(
        /-s 10\.0\.(65|32)\.0\/24 ! -o docker0 -j MASQUERADE/,
      );
    }
  });

  test('the route, the neighbour and the forwarding entry of the article are there', async () => {
    const host = lab.host('docker1');
    expect(await host.must('ip route show 10.0.32.0/24')).toMatch(
      /^10\.0\.32\.0\/24 via 10\.0\.32\.0 dev flannel\.1 onlink/,
    );
    expect(await host.must('bridge fdb show dev flannel.1')).toContain('dst 172.16.70.192');
    const keys = (await netctl.must(['subnets', 'ls'])).stdout;
    expect(keys).toContain('10.0.65.0/24');
    expect(keys).toContain('10.0.32.0/24');
  });

  test('a page larger than one packet goes from container to container', async () => {
    await lab
      .host('docker2')
      .must(
        'docker run -d --name web lab.image sh -c "mkdir /w && head -c 200000 /dev/zero >/w/big && exec httpd -f -p 80 -h /w"',
      );
    const page = await lab
      .host('docker1')
      .must('timeout 20 docker run --rm lab.image sh -c "wget -qO- http://10.0.32.2/big | wc -c"');
    expect(page.trim()).toBe('200000');
  });

  test('with --ip-masq a container reaches the outside by its host’s address, and its peers by its own', async () => {
    const page = await lab.host('docker1').must(`docker run --rm lab.image wget -qO- ${lab.internet.url}`);
    expect(page.trim()).toBe('172.16.70.191');
    await lab.host('docker2').must('docker run -d --name who lab.image httpd -f -vv -p 80 -h /www');
    const address = await lab.host('docker2').must("docker inspect -f '{{.NetworkSettings.IPAddress}}' who");
    const seen = await lab
      .host('docker1')
      .must(`docker run --rm lab.image wget -qO- http://${address.trim()}/cgi-bin/address`);
    expect(seen).toMatch(/^10\.0\.65\.\d+\n$/);
  });

  test('the next run, and the one after a reboot, change nothing', async () => {
    expect((await netctl.must(['node', 'bootstrap', '--all', '--yes'])).stdout).toContain('2 unchanged');
    await lab.host('docker2').must('docker rm -f web who');
    expect((await lab.host('docker2').reboot()).failedUnits).toEqual([]);
    const { stdout } = await netctl.must(['node', 'bootstrap', '--all', '--yes']);
    expect(stdout).toContain('2 unchanged');
    expect(await lab.host('docker2').must('ip -4 -br addr show docker0')).toContain('10.0.32.1/24');
    expect(await lab.host('docker2').must('docker run --rm lab.image ip link show eth0')).toContain('mtu 1450');
  });
});
