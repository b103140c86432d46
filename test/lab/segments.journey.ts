import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/** Two nodes share a segment, the third is behind a router: what host-gw cannot do, and vxlan with DirectRouting does. */
describe.skipIf(reason !== undefined)('Two L2 segments', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  const nodes = [
    { name: 'near1', address: '10.4.7.21', segment: 1, net: '172.7.21' },
    { name: 'near2', address: '10.4.7.22', segment: 1, net: '172.7.22' },
    { name: 'far', address: '10.4.8.21', segment: 2, net: '172.7.31' },
  ] as const;

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }, { network: '10.4.8.0/24' }],
      hosts: nodes.map(({ name, address, segment }) => ({ name, address, segment })),
      etcd: true,
    });
    netctl = await netctlOn(lab, {
      ...labAccess(lab),
      flannel: { version: 'v0.28.9', archive: await flannelArchive('v0.28.9') },
      nodes: nodes.map(({ name, address, net }) => ({ name, address, subnet: `${net}.0/24` })),
    });
  });
  afterAll(() => lab?.stop());

  test('host-gw across them is refused with the reason, and nothing is done', async () => {
    await netctl.must(['init-network', '172.7.0.0/16', '--backend', 'host-gw', '--yes']);
    const { code, stdout } = await netctl.run(['node', 'bootstrap', '--all', '--yes']);
    expect(code).toBe(3);
    expect(stdout).toContain('(peer-not-adjacent)');
    expect(stdout).toContain('far');
    for (const { name } of nodes) {
      expect((await lab.host(name).run('ls -d /opt/flannel /etc/docker/daemon.json')).stdout).toBe('');
    }
    expect((await netctl.must(['subnets', 'ls', '-o', 'name'])).stdout).toBe('');
  });

  test('vxlan with DirectRouting is taken instead', async () => {
    await netctl.must([
      'init-network',
      '172.7.0.0/16',
      '--backend',
      'vxlan',
      '--backend-option',
      'DirectRouting=true',
      '--yes',
      '--force',
    ]);
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
  });

  test('neighbours route directly, the other segment is reached through the overlay', async () => {
    const near = lab.host('near1');
    expect(await near.must('ip route show 172.7.22.0/24')).toMatch(/^172\.7\.22\.0\/24 via 10\.4\.7\.22 dev eth0/);
    expect(await near.must('ip route show 172.7.31.0/24')).toMatch(
      /^172\.7\.31\.0\/24 via 172\.7\.31\.0 dev flannel\.1 onlink/,
    );
    const far = await lab.host('far').must('ip route show');
    for (const net of ['172.7.21', '172.7.22']) expect(far).toContain(`${net}.0/24 via ${net}.0 dev flannel.1 onlink`);
  });

  test('a page goes from each segment to the other, and between neighbours', async () => {
    for (const name of ['near2', 'far']) {
      await lab.host(name).must('docker run -d --name web lab.image httpd -f -p 80 -h /www');
    }
    for (const [from, to] of [
      ['near1', '172.7.22.2'],
      ['near1', '172.7.31.2'],
      ['far', '172.7.22.2'],
    ] as const) {
      expect(await lab.host(from).must(`timeout 20 docker run --rm lab.image wget -qO- http://${to}/`)).not.toBe('');
    }
  });

  test('the state of the nodes is whole, and a second run changes nothing', async () => {
    expect((await netctl.must(['node', 'status'])).stdout).toMatch(/far .*2\/2/);
    expect((await netctl.must(['node', 'bootstrap', '--all', '--yes'])).stdout).toContain('3 unchanged');
  });
});
