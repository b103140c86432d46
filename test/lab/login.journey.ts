import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/* etcd with logins: netctl is root there, flanneld a user that may touch the network's keys and no others. */
describe.skipIf(reason !== undefined)('flanneld logs in to etcd with a password', () => {
  const secret = 'heron fish$"\'#';
  let lab: Lab;
  let netctl: LabNetctl;

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }],
      hosts: [
        { name: 'server1', address: '10.4.7.11', docker: 'absent' },
        { name: 'node1', address: '10.4.7.21' },
      ],
      etcd: { members: ['server1'], tls: false },
    });
    const etcdctl = (...words: readonly string[]) =>
      lab.host('server1').must(['env', 'ETCDCTL_API=3', 'etcdctl', ...words]);
    await etcdctl('user', 'add', 'root:admin');
    await etcdctl('user', 'grant-role', 'root', 'root');
    await etcdctl('role', 'add', 'flannel');
    await etcdctl('role', 'grant-permission', 'flannel', 'readwrite', '/coreos.com/network', '--prefix');
    await etcdctl('user', 'add', `flannel:${secret}`);
    await etcdctl('user', 'grant-role', 'flannel', 'flannel');
    await etcdctl('auth', 'enable');
    const { etcd, ssh } = labAccess(lab);
    netctl = await netctlOn(lab, {
      etcd: { ...etcd, user: 'root', passwordFile: 'root-password' },
      ssh,
      network: { cidr: '10.172.0.0/16', backend: { type: 'host-gw' } },
      flannel: {
        version: 'v0.28.9',
        archive: await flannelArchive('v0.28.9'),
        etcd: { user: 'flannel', passwordFile: 'flannel-password' },
      },
      nodes: [{ name: 'node1', address: '10.4.7.21' }],
    });
    await writeFile(join(netctl.folder, 'root-password'), 'admin\n', { mode: 0o600 });
    await writeFile(join(netctl.folder, 'flannel-password'), `${secret}\n`, { mode: 0o600 });
    await netctl.must(['init-network', '--yes']);
  });
  afterAll(() => lab?.stop());

  test('bootstrap gives it the password in a file that root alone can read, and shows it nowhere', async () => {
    const shown = await netctl.must(['node', 'bootstrap', '--all', '--dry-run']);
    const done = await netctl.must(['node', 'bootstrap', '--all', '--yes']);
    const host = lab.host('node1');
    expect(shown.stdout + shown.stderr + done.stdout + done.stderr).not.toContain('heron');
    expect(shown.stdout).toContain('flannel-password-logged');
    expect(await host.must('systemctl is-active flanneld')).toBe('active\n');
    expect(await host.must('cat /proc/$(systemctl show -P MainPID flanneld)/cmdline')).not.toContain('heron');
    expect(await host.must('stat -c "%a %U" /etc/default/flanneld')).toBe('600 root\n');
    expect(await host.must('grep -rl heron /etc /opt /usr/local /var/lib 2>/dev/null || true')).toBe(
      '/etc/default/flanneld\n',
    );
    expect((await netctl.must(['subnets', 'ls'])).stdout).toContain('10.4.7.21');
  });

  test('a second run changes nothing, and a new password is one restart', async () => {
    expect((await netctl.must(['node', 'bootstrap', '--all', '--yes'])).stdout).toContain('1 unchanged');
    await lab
      .host('server1')
      .must("printf 'other\\nother\\n' | ETCDCTL_API=3 etcdctl --user root:admin user passwd flannel");
    await writeFile(join(netctl.folder, 'flannel-password'), 'other\n', { mode: 0o600 });
    const { stdout, stderr } = await netctl.must(['node', 'bootstrap', '--all', '--yes']);
    expect(stdout + stderr).not.toMatch(/heron|other\b/);
    expect(await lab.host('node1').must('systemctl is-active flanneld')).toBe('active\n');
    expect((await netctl.must(['node', 'status'])).stdout).toMatch(/node1 .*active/);
  });

  test('a login that is taken out of the inventory is not shown either', async () => {
    const inventory = JSON.parse(await readFile(join(netctl.folder, 'netctl.yaml'), 'utf8')) as {
      flannel: { etcd?: object };
    };
    const { etcd: login, ...rest } = inventory.flannel;
    expect(login).toMatchObject({ user: 'flannel' });
    await netctl.writeInventory({ ...inventory, flannel: rest });
    const { stdout, stderr } = await netctl.must(['node', 'bootstrap', '--all', '--dry-run', '-o', 'json']);
    await netctl.writeInventory(inventory);
    expect(stdout).toContain('/etc/default/flanneld');
    expect(stdout + stderr).not.toMatch(/heron|FLANNELD_ETCD_PASSWORD=/);
  });

  test('reset takes the file away again', async () => {
    const { stdout, stderr } = await netctl.must(['node', 'reset', 'node1', '--yes']);
    expect(stdout + stderr).not.toMatch(/heron|FLANNELD_ETCD_PASSWORD=/);
    expect(await lab.host('node1').must('ls /etc/default/flanneld 2>&1 || true')).toContain('No such file');
  });
});
