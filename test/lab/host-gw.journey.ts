import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/*
 * The third seed: host-gw on 172.7.0.0/16, etcd with TLS at three endpoints and read by the v2 API, flannel v0.11.0 in
 * /opt/flannel under supervisord, and a subnet for each host that goes with its address.
 */
describe.skipIf(reason !== undefined)('host-gw with supervisord and fixed subnets', () => {
  let lab: Lab;
  let netctl: LabNetctl;

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }],
      hosts: [{ address: '10.4.7.21' }, { address: '10.4.7.22' }],
      supervisor: true,
      etcd: { members: ['lan', 'node1', 'node2'], v2: true },
    });
    netctl = await netctlOn(lab, {
      ...labAccess(lab),
      network: { cidr: '172.7.0.0/16', backend: { type: 'host-gw' } },
      flannel: {
        version: 'v0.11.0',
        archive: await flannelArchive('v0.11.0'),
        service: 'supervisord',
        iface: 'eth0',
        subnetFile: '/opt/flannel/subnet.env',
        healthzPort: 2401,
      },
      nodes: [
        { name: 'hdss7-21', address: '10.4.7.21', subnet: '172.7.21.0/24' },
        { name: 'hdss7-22', address: '10.4.7.22', subnet: '172.7.22.0/24' },
      ],
    });
  });
  afterAll(() => lab?.stop());

  test('the network is written with the API that flannel v0.11.0 reads', async () => {
    await netctl.must(['init-network', '--yes']);
    const tls = lab.etcd?.certificates;
    const v2 = await lab.workstation.run(
      `curl -sS --cacert ${tls?.caFile} --cert ${tls?.clientCertFile} --key ${tls?.clientKeyFile} https://10.4.7.21:2379/v2/keys/coreos.com/network/config`,
    );
    expect(v2.stdout).toContain('172.7.0.0/16');
  });

  test('a dry run shows everything and does nothing', async () => {
    const { stdout } = await netctl.must(['node', 'bootstrap', '--all', '--dry-run']);
    for (const path of [
      '/opt/flannel-v0.11.0/flanneld',
      '/opt/flannel-v0.11.0/cert/client-key.pem',
      '/etc/docker/daemon.json',
    ]) {
      expect(stdout).toContain(path);
    }
    expect(stdout).not.toContain('PRIVATE KEY');
    for (const host of lab.hosts) {
      expect((await host.run('ls -d /opt/flannel* /etc/docker/daemon.json /etc/supervisor/conf.d/flann*')).stdout).toBe(
        '',
      );
    }
    expect((await netctl.json(['subnets', 'ls'])) as object).toMatchObject({ items: [] });
  });

  test('bootstrap makes both hosts nodes', async () => {
    const began = performance.now();
    const { stdout } = await netctl.must(['node', 'bootstrap', '--all', '--yes']);
    console.error(`  two hosts bootstrapped in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    expect(stdout).toContain('2 done');
  });

  test('each host has its own subnet, in etcd, in subnet.env and on docker0', async () => {
    for (const [name, net, publicIP] of [
      ['node1', '172.7.21', '10.4.7.21'],
      ['node2', '172.7.22', '10.4.7.22'],
    ] as const) {
      const host = lab.host(name);
      expect(await host.must('cat /opt/flannel/subnet.env')).toBe(
        `FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=${net}.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=false\n`,
      );
      expect(await host.must('ip -4 -br addr show docker0')).toContain(`${net}.1/24`);
      expect(await host.must('docker network inspect bridge')).toContain(`"Subnet": "${net}.0/24"`);
      // supervisord calls it STARTING for its first half minute.
      expect((await host.run('supervisorctl status flanneld')).stdout).toMatch(/RUNNING|STARTING/);
      expect((await netctl.must(['subnets', 'show', `${net}.0/24`])).stdout).toContain(publicIP);
    }
  });

  test('files lie as in the article: a link to the release, certificates for root alone, health on 2401', async () => {
    const host = lab.host('node1');
    expect((await host.must('readlink /opt/flannel')).trim()).toBe('/opt/flannel-v0.11.0');
    expect(await host.must('stat -c "%a %U %n" /opt/flannel/cert/*')).toBe(
      '600 root /opt/flannel/cert/ca.pem\n600 root /opt/flannel/cert/client-key.pem\n600 root /opt/flannel/cert/client.pem\n',
    );
    expect((await host.run('curl -sS --max-time 5 http://127.0.0.1:2401/healthz')).stdout).toBe('flanneld is running');
  });

  test('the routes are those of the article', async () => {
    expect(await lab.host('node1').must('ip -4 route show 172.7.22.0/24')).toMatch(
      /^172\.7\.22\.0\/24 via 10\.4\.7\.22 dev eth0/,
    );
    expect(await lab.host('node2').must('ip -4 route show 172.7.21.0/24')).toMatch(
      /^172\.7\.21\.0\/24 via 10\.4\.7\.21 dev eth0/,
    );
    expect(await lab.host('node1').must('ip -4 route show 172.7.21.0/24')).toContain('dev docker0');
  });

  test('a container reads a page from a container of the other host', async () => {
    await lab.host('node2').must('docker run -d --name web lab.image httpd -f -vv -p 80 -h /www');
    expect(await lab.host('node1').must('docker run --rm lab.image wget -qO- http://172.7.22.2/')).toBe(
      'a page of a lab container\n',
    );
    await lab.host('node1').must('docker run --rm lab.image ping -c 2 -W 2 172.7.22.2');
    await lab.host('node1').must('ping -c 1 -W 2 172.7.22.1');
  });

  test('a second run changes nothing, says so, and restarts nothing', async () => {
    const pids = () => lab.host('node1').must(`pgrep -x dockerd; pgrep -f '[f]lanneld .*subnet-file'`);
    const before = await pids();
    const { stdout } = await netctl.must(['node', 'bootstrap', '--all', '--yes']);
    expect(stdout).toContain('2 unchanged');
    expect(await pids()).toBe(before);
  });

  test('a reboot brings everything back without netctl', async () => {
    const host = lab.host('node2');
    const began = performance.now();
    expect((await host.reboot()).failedUnits).toEqual([]);
    console.error(
      `  rebooted in ${((performance.now() - began) / 1000).toFixed(1)} s`,
      await host.must(
        'journalctl -b -u docker -u supervisor -u systemd-networkd --no-pager -o short-precise; systemd-analyze blame | head -5',
      ),
    );
    await expect
      .poll(async () => (await host.run('ip -4 -br addr show docker0')).stdout, { timeout: 30_000 })
      .toContain('172.7.22.1/24');
    await expect
      .poll(async () => (await host.run('ip -4 route show 172.7.21.0/24')).stdout, { timeout: 30_000 })
      .toContain('via 10.4.7.21');
    await host.must('docker start web');
    expect(await lab.host('node1').must('docker run --rm lab.image wget -qO- http://172.7.22.2/')).toContain('page');
    await expect
      .poll(async () => (await netctl.run(['node', 'bootstrap', '--all', '--dry-run'])).stdout, {
        timeout: 30_000,
        interval: 3000,
      })
      .toContain('2 unchanged');
  });
});
