import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/* What can go wrong while bootstrap runs, and that the same command finishes it. Each test has hosts of its own. */
describe.skipIf(reason !== undefined)('bootstrap in bad weather', () => {
  let lab: Lab;
  let netctl: LabNetctl;

  beforeAll(async () => {
    lab = await startLab({ workstation: 'namespace', segments: [{ network: '10.4.7.0/24' }], hosts: 6, etcd: true });
    netctl = await netctlOn(lab, {
      ...labAccess(lab),
      network: { cidr: '172.7.0.0/16', backend: { type: 'host-gw' } },
      flannel: { version: 'v0.28.9', archive: await flannelArchive('v0.28.9') },
      docker: { restartTimeoutSeconds: 20 },
      nodes: lab.hosts.map(({ name, address }, index) => ({ name, address, subnet: `172.7.${21 + index}.0/24` })),
    });
    await netctl.must(['init-network', '--yes']);
  });
  afterAll(() => lab?.stop());

  test('keys, order, indent and mode of a daemon.json that is there are kept', async () => {
    const before =
      '{\n    "storage-driver": "overlay2",\n    "log-opts": {"max-size": "10m"},\n    "debug": false\n}\n';
    const host = lab.host('node1');
    await host.must([
      'sh',
      '-c',
      `mkdir -p /etc/docker; printf %s "$0" >/etc/docker/daemon.json; chmod 600 /etc/docker/daemon.json; systemctl restart docker`,
      before,
    ]);
    await netctl.must(['node', 'bootstrap', 'node1', '--yes']);
    const after = await host.must('cat /etc/docker/daemon.json');
    expect(Object.keys(JSON.parse(after) as object)).toEqual([
      'storage-driver',
      'log-opts',
      'debug',
      'bip',
      'mtu',
      'ip-masq',
    ]);
    expect(after.startsWith(before.trimEnd().slice(0, -2))).toBe(true);
    expect((await host.must('stat -c %a /etc/docker/daemon.json')).trim()).toBe('600');
  });

  test('when Docker does not come back the old file is put back, Docker runs, and the node is reported', async () => {
    const host = lab.host('node2');
    // A rule of the house that nothing on the node tells: dockerd is not started with a bip.
    await host.must(
      `mkdir -p /etc/systemd/system/docker.service.d /etc/docker
      printf "[Service]\\nExecStartPre=/bin/sh -c '! grep -q bip /etc/docker/daemon.json'\\n" >/etc/systemd/system/docker.service.d/house.conf
      echo '{"debug": false}' >/etc/docker/daemon.json; systemctl daemon-reload; systemctl restart docker`,
    );
    const { code, stdout } = await netctl.run(['node', 'bootstrap', 'node2', 'node3', '--yes']);
    expect(code).toBe(5);
    expect(stdout).toMatch(/node2 .*failed/);
    expect(stdout).toContain('what was there before was put back');
    expect(stdout).toMatch(/node3 .*done/);
    expect(await host.must('cat /etc/docker/daemon.json')).toBe('{"debug": false}\n');
    expect(await host.must('systemctl is-active docker')).toBe('active\n');
    expect((await host.run('ls /etc/systemd/system/docker.service.d')).stdout).toBe('house.conf\n');
    expect(await host.must('docker run --rm lab.image echo it runs')).toBe('it runs\n');

    await host.must('rm /etc/systemd/system/docker.service.d/house.conf; systemctl daemon-reload');
    await netctl.must(['node', 'bootstrap', 'node2', '--yes']);
    expect(await host.must('ip -4 -br addr show docker0')).toContain('172.7.22.1/24');
  });

  test('after Ctrl-C the same command goes on', async () => {
    const cut = await netctl.runAndKill(['node', 'bootstrap', 'node4', '--yes'], 'SIGINT', (said) =>
      said.includes('push /opt'),
    );
    expect(cut.code).toBe(130);
    expect(cut.stderr).toContain('once more ends it now');
    expect((await lab.host('node4').run('systemctl is-active flanneld')).stdout).not.toBe('active\n');
    expect((await netctl.must(['node', 'bootstrap', 'node4', '--yes'])).stdout).toContain('1 done');
  });

  test('a node that loses its power in the middle is one line, the other is done, and it is finished later', async () => {
    const began = performance.now();
    let dying: Promise<void> | undefined;
    const { code, stdout, stderr } = await netctl.run(['node', 'bootstrap', 'node5', 'node6', '--yes'], {
      onOutput: (text) => {
        if (text.includes('node5: push')) dying ??= lab.host('node5').powerCut();
      },
    });
    await dying;
    console.error(`  a node died in the middle: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    expect(code, stdout + stderr).toBe(5);
    expect(stdout).toMatch(/node5 .*failed\n {2}node5: .*\n/);
    expect(stdout).toMatch(/node6 .*done/);
    await lab.host('node5').powerOn();
    expect((await netctl.must(['node', 'bootstrap', 'node5', 'node6', '--yes'])).stdout).toContain(
      '1 done, 1 unchanged',
    );
    expect(await lab.host('node5').must('find /etc /opt /usr/local -xdev -name "*netctl.*"')).toBe('');
  });

  test('etcd that goes while nodes are made: what was done is told, and the next run is content', async () => {
    for (const name of ['node5', 'node6']) {
      await lab
        .host(name)
        .must('sed -i s/FLANNELD_PUBLIC_IP/#\\&/ /etc/default/flanneld; rm /opt/flannel/mk-docker-opts.sh');
    }
    let stopping: Promise<void> | undefined;
    const { code, stdout, stderr } = await netctl.run(['node', 'bootstrap', 'node5', '--yes'], {
      onOutput: (text) => {
        if (text.includes('node5: wait: flanneld')) stopping ??= lab.etcd?.stop();
      },
    });
    await stopping;
    await lab.etcd?.start();
    expect(code, stdout + stderr).toBe(5);
    expect(stdout).toContain('all was done, but it could not be looked at again: etcd https://10.4.7.12:2379');
    await expect
      .poll(async () => (await netctl.run(['node', 'bootstrap', 'node5', '--yes'])).stdout, {
        timeout: 40_000,
        interval: 2000,
      })
      .toContain('1 unchanged');
  });
});
