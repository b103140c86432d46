import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/* Four hosts behind a jump host, which alone can be reached; the users admin (sudo) and ops (sudo with a password). */
describe.skipIf(reason !== undefined)('bootstrap over SSH, as one gets in', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  let knownHosts: string;
  let archive: string;

  const inventory = (ssh: object, nodes: Readonly<Record<string, object>> = {}) => ({
    ...labAccess(lab),
    network: { cidr: '172.7.0.0/16', backend: { type: 'host-gw' } },
    flannel: { version: 'v0.28.9', archive },
    ssh: { ...labAccess(lab).ssh, knownHosts, jump: 'root@10.4.7.5', connectTimeoutSeconds: 4, ...ssh },
    nodes: ['node1', 'node2', 'node3', 'node4'].map((name) => ({
      name,
      address: lab.host(name).address,
      labels: name === 'node1' || name === 'node2' ? ['rack=1'] : ['rack=2'],
      ...nodes[name],
    })),
  });

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }, { network: '10.4.8.0/24' }],
      hosts: 4,
      jump: true,
      etcd: true,
    });
    archive = await flannelArchive('v0.28.9');
    knownHosts = join(lab.folder, 'known_hosts');
    netctl = await netctlOn(lab, inventory({}));
    await netctl.must(['init-network', '--yes']);
  });
  beforeEach(async () => writeFile(knownHosts, await readFile(lab.ssh.hashedKnownHostsFile)));
  afterAll(() => lab?.stop());

  test('through the jump host as admin, who becomes root by sudo', async () => {
    await netctl.writeInventory(inventory({ user: 'admin', sudo: 'nopasswd' }));
    expect((await netctl.must(['node', 'bootstrap', 'node1', '--yes'])).stdout).toContain('1 done');
    const host = lab.host('node1');
    expect(await host.must('stat -c "%U:%G %a" /opt/flannel/flanneld /etc/docker/daemon.json')).toBe(
      'root:root 755\nroot:root 644\n',
    );
    expect((await netctl.must(['node', 'bootstrap', 'node1', '--yes'])).stdout).toContain('1 unchanged');
  });

  test('without sudo admin is told what is missing, and nothing is done', async () => {
    await netctl.writeInventory(inventory({ user: 'admin', sudo: 'none' }));
    const { code, stdout, stderr } = await netctl.run(['node', 'bootstrap', 'node2', '--yes']);
    expect(code, stdout + stderr).toBe(3);
    expect(stdout + stderr).toContain('sudo');
    expect((await lab.host('node2').run('ls -d /opt/flannel')).stdout).toBe('');
  });

  test('as ops with the password for sudo, asked for once for all nodes and shown nowhere', async () => {
    await netctl.writeInventory(inventory({ user: 'ops', sudo: 'password' }));
    const { stdout, code } = await netctl.onTerminal(
      ['node', 'bootstrap', '--limit', '@rack=1', '--yes'],
      [
        ['sudo password of ops: ', 'not-it'],
        ['that was not it', lab.ssh.opsPassword],
        ['that was not it', lab.ssh.opsPassword],
      ],
    );
    expect(code, stdout).toBe(0);
    expect(stdout).toContain('1 done');
    expect(stdout).toContain('1 unchanged');
    expect(stdout).not.toContain(lab.ssh.opsPassword);
    expect(stdout.match(/sudo password of ops/g)?.length).toBe(3);
    const words = await lab
      .host('node2')
      .must('grep -ac ops-secret /var/log/auth.log /var/log/journal -r 2>/dev/null; :');
    expect(words).not.toMatch(/:[1-9]/);
  });

  test('without a terminal the password cannot be asked for: that is said, with exit code 4', async () => {
    await netctl.writeInventory(inventory({ user: 'ops', sudo: 'password' }));
    const { code, stdout, stderr } = await netctl.run(['node', 'bootstrap', 'node3', '--yes']);
    expect(code, stdout + stderr).toBe(4);
    expect(stdout + stderr).toMatch(/password/);
  });

  test('a host whose key changed is refused, the others are done, and exit code 4 tells it', async () => {
    const { stdout: keys } = await lab.workstation.run(['cat', lab.ssh.knownHostsFile]);
    const foreign = keys.split('\n').find((line) => line.startsWith('node1,') && line.includes('ssh-ed25519')) ?? '';
    const own = keys.split('\n').filter((line) => line !== '' && !line.startsWith('node4,'));
    await writeFile(knownHosts, `${own.join('\n')}\n10.4.8.24 ${foreign.split(' ').slice(1).join(' ')}\n`);
    await netctl.writeInventory(inventory({}));
    const { code, stdout, stderr } = await netctl.run(['node', 'bootstrap', 'node3', 'node4', '--yes']);
    expect(code, stdout + stderr).toBe(4);
    expect(stdout).toMatch(/node3 .*done/);
    const line = stdout.split('\n').find((text) => text.includes('node4:')) ?? '';
    expect(line).toContain('the host key of root@10.4.8.24 has changed');
    expect((await netctl.run(['node', 'bootstrap', 'node4', '--yes', '--host-key', 'accept-new'])).code).toBe(4);
  });

  test('a host that is not known is refused, and taken with --host-key accept-new, once', async () => {
    const all = (await readFile(lab.ssh.knownHostsFile, 'utf8'))
      .split('\n')
      .filter((line) => !line.startsWith('node4,'));
    await writeFile(knownHosts, all.join('\n'));
    await netctl.writeInventory(inventory({}));
    const strict = await netctl.run(['node', 'bootstrap', 'node4', '--dry-run']);
    expect(strict.code).toBe(4);
    expect(strict.stdout).toMatch(/node4: .*10\.4\.8\.24.* not known|known_hosts/);
    expect((await netctl.run(['node', 'bootstrap', 'node4', '--dry-run', '--host-key', 'accept-new'])).code).toBe(0);
    expect((await netctl.run(['node', 'bootstrap', 'node4', '--dry-run'])).code).toBe(0);
  });

  test('a host that is off, one that is frozen, and a jump host that refuses: one line each, in time', async () => {
    await netctl.writeInventory(inventory({}));
    await lab.host('node3').powerCut();
    await lab.host('node2').freeze();
    const began = performance.now();
    const { code, stdout } = await netctl.run(['node', 'bootstrap', '--all', '--yes']);
    const seconds = (performance.now() - began) / 1000;
    await lab.host('node2').thaw();
    console.error(`  one host off, one frozen: ${seconds.toFixed(1)} s\n${stdout.replace(/^/gm, '    ')}`);
    expect(code).toBe(4);
    for (const name of ['node2', 'node3']) {
      expect(stdout).toMatch(new RegExp(`^${name}  could not be asked\\n {2}${name}: .*\\n(?! )`, 'm'));
    }
    expect(stdout).toMatch(/node4 .*done/);
    expect(stdout).toMatch(/node1 .*unchanged/);
    expect(seconds).toBeLessThan(25);
    await lab.host('node3').powerOn();

    await netctl.writeInventory(inventory({}, { node1: { ssh: { jump: 'nobody@10.4.7.5' } } }));
    const refused = await netctl.run(['node', 'bootstrap', 'node1', 'node4', '--dry-run']);
    expect(refused.code).toBe(4);
    expect(refused.stdout).toMatch(/^node1 {2}could not be asked\n {2}.*10\.4\.7\.5.*\n/m);
  });

  test('--limit, --serial and --max-failures', async () => {
    await netctl.writeInventory(inventory({}));
    const limited = await netctl.must(['node', 'bootstrap', '--limit', '@rack=2', '--dry-run']);
    expect(limited.stdout).not.toMatch(/^node[12]/m);
    const pattern = await netctl.must(['node', 'bootstrap', '--limit', 'node[1]', '--dry-run']).catch(String);
    expect(pattern).toContain('leaves no node over');
    for (const host of lab.hosts.filter(({ name }) => name !== 'jump')) {
      await host.must(
        `mkdir -p /etc/systemd/system/flanneld.service.d; systemctl stop flanneld
        printf '[Service]\\nExecStartPre=/bin/false\\n' >/etc/systemd/system/flanneld.service.d/broken.conf; systemctl daemon-reload`,
      );
    }
    const stopped = await netctl.run(['node', 'bootstrap', '--all', '--yes', '--serial', '1', '--max-failures', '2']);
    expect(stopped.code, stopped.stdout).toBe(5);
    expect(stopped.stdout).toContain('2 failed, 2 skipped');
  });
});
