import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

const prefix = '/coreos.com/network';

/* The move from flannel v0.17 to v0.28, that is from etcd v2 to v3; then etcd loses the network, and gets it back. */
describe.skipIf(reason !== undefined)('a network that is backed up', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  let subnets: readonly string[];
  const names = ['node1', 'node2'] as const;

  const inventory = async (version: string, api: 'v2' | 'v3') => {
    const { etcd, ssh } = labAccess(lab);
    return {
      etcd: { ...etcd, api },
      ssh,
      network: { cidr: '172.7.0.0/16', backend: { type: 'host-gw' } },
      flannel: { version, archive: await flannelArchive(version) },
      nodes: lab.hosts.map(({ name, address }) => ({ name, address })),
    };
  };

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }],
      hosts: [{ address: '10.4.7.21' }, { address: '10.4.7.22' }],
      etcd: { v2: true },
    });
    netctl = await netctlOn(lab, await inventory('v0.17.0', 'v2'));
    await netctl.must(['init-network', '--yes']);
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
    subnets = await held();
  });
  afterAll(() => lab?.stop());

  const subnetOf = async (host: string) =>
    (await lab.host(host).run('sed -n s/^FLANNEL_SUBNET=//p /run/flannel/subnet.env')).stdout.trim();
  const held = () => Promise.all(names.map(subnetOf));
  const listed = async () => (await netctl.must(['subnets', 'ls', '-o', 'name'])).stdout;
  const docker0 = (host: string) => lab.host(host).must('ip -4 -br addr show docker0');
  const ping = async () => {
    const target = (await subnetOf('node2')).replace(/\/\d+$/, '');
    return (await lab.host('node1').run(`ping -c 1 -W 2 ${target}`)).code;
  };

  test('moves to etcd v3 with the subnets that its nodes have', async () => {
    expect(new Set(subnets).size).toBe(2);
    await netctl.must(['backup', 'v2.backup']);
    await netctl.writeInventory(await inventory('v0.28.9', 'v3'));
    expect((await netctl.must(['restore', 'v2.backup', '--yes'])).stdout).toContain('from etcd v2 to etcd v3');
    const before = await listed();
    const dockers = await Promise.all(names.map(docker0));
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
    expect(await lab.host('node1').must('/opt/flannel/flanneld --version 2>&1 || flanneld --version 2>&1')).toContain(
      'v0.28.9',
    );
    expect(await held()).toEqual(subnets);
    expect(await listed()).toBe(before);
    expect(await Promise.all(names.map(docker0))).toEqual(dockers);
    await expect.poll(ping, { timeout: 20_000 }).toBe(0);
  });

  test('that etcd has lost comes back: every flanneld takes the subnet that it had', async () => {
    const before = await listed();
    await netctl.must(['backup', 'network.backup']);
    const backup = (await netctl.shell('sed -n "/leases/,/]/p" network.backup')).stdout;
    await lab.etcd?.ctl('del', '--prefix', prefix);
    // Its lease is gone: flanneld ends, systemd starts it again, and then it waits for a config.
    await expect
      .poll(async () => (await lab.host('node1').run('journalctl -u flanneld --since -60s')).stdout, {
        timeout: 30_000,
      })
      .toMatch(/revoked/i);
    expect(await listed()).toBe('');
    await netctl.must(['restore', 'network.backup', '--yes']);
    expect(await listed()).toBe(before);
    await expect
      .poll(async () => (await netctl.shell('netctl backup - | sed -n "/leases/,/]/p"')).stdout, { timeout: 30_000 })
      .toBe(backup);
    for (const name of names) {
      await expect
        .poll(async () => (await lab.host(name).run('systemctl is-active flanneld')).stdout, { timeout: 20_000 })
        .toBe('active\n');
    }
    expect(await held()).toEqual(subnets);
    await expect.poll(ping, { timeout: 20_000 }).toBe(0);
    const again = await netctl.must(['restore', 'network.backup', '--yes']);
    expect(again.stdout).toContain('all of it is there already');
  });

  test('tells its history, with what was lost and what came back', async () => {
    const { items } = (await netctl.json(['subnets', 'history', 'node1'])) as {
      readonly items: readonly { readonly change: string; readonly publicIP: string; readonly node: string }[];
    };
    const changes = items.map(({ change }) => change);
    expect(new Set(items.map(({ node }) => node))).toEqual(new Set(['node1']));
    expect(changes.filter((change) => change === 'acquired')).toHaveLength(2);
    expect(changes).toContain('gone');
  });

  test('goes over nothing: another network there refuses it', async () => {
    const other = await netctl.run(['restore', 'v2.backup', '--prefix', '/other', '--dry-run']);
    expect(other.code).toBe(0);
    await netctl.must(['init-network', '172.8.0.0/16', '--prefix', '/other', '--yes']);
    const refused = await netctl.run(['restore', 'v2.backup', '--prefix', '/other', '--yes']);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('another network config is there');
  });
});
