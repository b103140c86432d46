import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/* Two L2 segments with a gateway between them: node1 and node2 on the first, node3 on the second. */
describe.skipIf(reason !== undefined)('nodes on two L2 segments', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  let archive: string;

  const inventory = (backend: object) => ({
    ...labAccess(lab),
    network: { cidr: '10.1.0.0/16', backend },
    flannel: { version: 'v0.28.9', archive },
    nodes: lab.hosts.map(({ name, address }, index) => ({ name, address, subnet: `10.1.${index + 1}.0/24` })),
  });

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }, { network: '10.4.8.0/24' }],
      hosts: [{ segment: 1 }, { segment: 1 }, { segment: 2 }],
      etcd: true,
    });
    archive = await flannelArchive('v0.28.9');
    netctl = await netctlOn(lab, inventory({ type: 'host-gw' }));
    await netctl.must(['init-network', '--yes']);
  });
  afterAll(() => lab?.stop());

  test('host-gw is refused with the reason, and nothing is done', async () => {
    const { code, stdout, stderr } = await netctl.run(['node', 'bootstrap', '--all', '--yes']);
    expect(code, stdout + stderr).toBe(3);
    expect(stdout).toMatch(/host-gw.*(segment|router|gateway)/);
    expect(stdout).toContain('DirectRouting');
    for (const host of lab.hosts) expect((await host.run('ls -d /opt/flannel')).stdout).toBe('');
  });

  test('vxlan with DirectRouting routes within a segment and tunnels between them', async () => {
    await netctl.writeInventory(inventory({ type: 'vxlan', options: { DirectRouting: true } }));
    await netctl.must(['init-network', '--yes', '--force']);
    expect((await netctl.must(['node', 'bootstrap', '--all', '--yes'])).stdout).toContain('3 done');
    const node1 = lab.host('node1');
    expect(await node1.must('ip -4 route show 10.1.2.0/24')).toMatch(/via 10\.4\.7\.22 dev eth0/);
    expect(await node1.must('ip -4 route show 10.1.3.0/24')).toMatch(/via 10\.1\.3\.0 dev flannel\.1 onlink/);
    for (const [name, subnet] of [
      ['node2', '10.1.2'],
      ['node3', '10.1.3'],
    ] as const) {
      await lab.host(name).must('docker run -d --name web lab.image httpd -f -p 80 -h /www');
      expect(await node1.must(`timeout 20 docker run --rm lab.image wget -qO- http://${subnet}.2/`)).toContain('page');
    }
    expect((await netctl.must(['node', 'bootstrap', '--all', '--yes'])).stdout).toContain('3 unchanged');
  });
});
