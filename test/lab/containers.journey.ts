import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/*
 * A Docker with live-restore, whose containers netctl has to stop by itself, and a daemon.json that is a symbolic link: what Docker
 * does with containers that somebody stopped is seen on Docker alone.
 */
describe.skipIf(reason !== undefined)('a node whose Docker has live-restore on', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  const real = '/srv/docker/daemon.json';
  const plain = '{\n  "live-restore": true\n}\n';

  beforeAll(async () => {
    lab = await startLab({ workstation: 'namespace', segments: [{ network: '10.4.7.0/24' }], hosts: 1, etcd: true });
    netctl = await netctlOn(lab, {
      ...labAccess(lab),
      network: { cidr: '172.7.0.0/16', backend: { type: 'host-gw' } },
      flannel: { version: 'v0.28.9', archive: await flannelArchive('v0.28.9') },
      docker: { restartTimeoutSeconds: 30 },
      nodes: [{ name: 'node1', address: '10.4.7.21', subnet: '172.7.21.0/24' }],
    });
    await netctl.must(['init-network', '--yes']);
    await lab.host('node1').must(
      `mkdir -p /etc/docker ${real.replace(/\/[^/]*$/, '')} && ln -s ${real} /etc/docker/daemon.json
printf '%s' '${plain}' >${real} && chmod 640 ${real}
mkdir -p /etc/systemd/system/docker.service.d
printf '[Service]\\nEnvironment=A=b\\n' >'/etc/systemd/system/docker.service.d/my own.conf'
systemctl daemon-reload && systemctl restart docker
docker run -d --stop-timeout 2 --name db --restart unless-stopped lab.image sleep 10000
docker run -d --stop-timeout 2 --name web --restart always lab.image sleep 10000
docker run -d --stop-timeout 2 --name job lab.image sleep 10000`,
    );
  });
  afterAll(() => lab?.stop());

  const names = async () => (await lab.host('node1').must('docker ps --format "{{.Names}}" | sort')).trim().split('\n');
  const daemonJson = () => lab.host('node1').must(`cat ${real}`);

  test('a stopped run has the containers come back that it had stopped', async () => {
    const { code } = await netctl.runAndKill(['node', 'bootstrap', '--all', '--yes'], 'SIGINT', (said) =>
      said.includes('node1: run docker stop'),
    );
    expect(code).toBe(130);
    expect(await names()).toEqual(['db', 'web']);
  });

  test('a Docker that does not come back is put back as it was, with them', async () => {
    const dropIn = '/etc/systemd/system/docker.service.d/my own.conf';
    const breaks = `ExecStartPre=/bin/sh -c '! grep -q 172.7.21 /etc/docker/daemon.json'`;
    await lab.host('node1').must(`echo "${breaks}" >>'${dropIn}'; printf '%s' '${plain}' >${real}`);
    const { code, stderr } = await netctl.run(['node', 'bootstrap', '--all', '--yes']);
    expect([code, stderr]).toEqual([5, expect.stringContaining('what was there before was put back') as string]);
    expect([await names(), await daemonJson()]).toEqual([['db', 'web'], plain]);
    await lab.host('node1').must(`sed -i '/^ExecStartPre/d' '${dropIn}'; systemctl daemon-reload`);
  });

  test('bootstrap has Docker on its subnet, writes through the link, and the containers are back', async () => {
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
    expect(await names()).toEqual(['db', 'web']);
    expect(JSON.parse(await daemonJson())).toMatchObject({ 'live-restore': true, bip: '172.7.21.1/24' });
    expect(await lab.host('node1').must(`readlink /etc/docker/daemon.json; stat -c %a ${real}`)).toBe(`${real}\n640\n`);
    expect((await netctl.must(['node', 'bootstrap', '--all', '--yes'])).stdout).toContain('1 unchanged');
  });

  test('a Docker that hangs is left alone, by bootstrap and by reset', async () => {
    const started = () => lab.host('node1').must('systemctl show docker -p ExecMainStartTimestampMonotonic');
    const before = await started();
    await lab.host('node1').must('kill -STOP $(pidof dockerd)');
    try {
      for (const words of [
        ['node', 'bootstrap', '--all', '--yes'],
        ['node', 'reset', '--all', '--yes'],
      ]) {
        const { stdout } = await netctl.run(words);
        expect(stdout).toContain('(docker-unknown)');
        expect(stdout).toContain('1 blocked');
      }
    } finally {
      await lab.host('node1').must('kill -CONT $(pidof dockerd)');
    }
    expect([await started(), await names()]).toEqual([before, ['db', 'web']]);
  });

  test('reset leaves the link, the file as it was, and the containers running', async () => {
    await lab.host('node1').must('echo left >/etc/docker/daemon.json.netctl-candidate');
    await netctl.must(['node', 'reset', '--all', '--yes']);
    expect([await names(), JSON.parse(await daemonJson())]).toEqual([['db', 'web'], JSON.parse(plain)]);
    expect(await lab.host('node1').must('ls /etc/docker; readlink /etc/docker/daemon.json')).toBe(
      `daemon.json\nkey.json\n${real}\n`,
    );
  });
});
