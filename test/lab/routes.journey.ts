import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

const nodes = [
  { name: 'master', address: '192.168.21.135' },
  { name: 'node1', address: '192.168.21.136', subnet: '172.17.1.0/24' },
  { name: 'node2', address: '192.168.21.137', subnet: '172.17.2.0/24' },
];

/*
 * The first seed before flannel: docker0 of each node in a range of its own, and routes by hand. There they are gone after a boot, and
 * the rules of everybody are flushed.
 */
describe.skipIf(reason !== undefined)('direct routing without flannel', () => {
  let lab: Lab;
  let netctl: LabNetctl;

  const rulesOf = async (name: string): Promise<string> =>
    (await lab.host(name).must('iptables-save'))
      .split('\n')
      .filter((line) => !line.startsWith('#') && !line.includes('netctl:routes'))
      .map((line) => line.replace(/ \[[0-9:]*\]$/, ''))
      .join('\n');
  const states = async (): Promise<string> => {
    const { stdout } = await netctl.run(['routes', 'ls', '-o', 'csv']);
    return stdout;
  };
  const page = (from: string, address: string) =>
    lab.host(from).run(`docker run --rm lab.image wget -qO- http://${address}/`);

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '192.168.21.0/24' }, { network: '10.4.8.0/24' }],
      hosts: [
        { name: 'master', address: '192.168.21.135' },
        { name: 'node1', address: '192.168.21.136' },
        { name: 'node2', address: '192.168.21.137' },
        { name: 'far', address: '10.4.8.21', segment: 2 },
      ],
    });
    const { ssh } = labAccess(lab);
    netctl = await netctlOn(lab, { ssh, network: { cidr: '172.17.0.0/16' }, nodes });
    await lab.host('node1').must('iptables -A FORWARD -s 10.9.9.0/24 -j ACCEPT');
  });
  afterAll(() => lab?.stop());

  test('at first every docker0 has the same range, and ls says what is missing with exit code 10', async () => {
    const { code, stdout } = await netctl.run(['routes', 'ls']);
    expect(code).toBe(10);
    expect(stdout).toMatch(/node1 +172\.17\.1\.0\/24 +dev docker0 +docker0 is 172\.17\.0\.1\/16 +missing/);
    expect(stdout).toMatch(/master +172\.17\.2\.0\/24 +via 192\.168\.21\.137 +- +missing/);
  });

  test('sync asks first, and nothing is done without an answer', async () => {
    const refused = await netctl.run(['routes', 'sync', '--all']);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('not-confirmed');
    expect((await netctl.run(['routes', 'ls'])).code).toBe(10);
  });

  test('sync puts ranges and routes there, and no rule of others is touched', async () => {
    const before = await rulesOf('node1');
    const { stdout } = await netctl.must(['routes', 'sync', '--all', '--yes']);
    expect(stdout).toContain('3 done');
    expect(await lab.host('node1').must('ip -4 -br addr show docker0')).toContain('172.17.1.1/24');
    expect(await lab.host('node2').must('ip -4 -br addr show docker0')).toContain('172.17.2.1/24');
    expect((await netctl.must(['routes', 'ls'])).stdout).not.toContain('missing');
    const after = await rulesOf('node1');
    // Docker's own rule goes with its range.
    expect(after.replaceAll('172.17.1.0/24', '172.17.0.0/16')).toBe(before);
  });

  test('a container reads a page from a container of the other node, and sees it by the address of the node', async () => {
    await lab.host('node1').must('docker run -d --restart always --name web lab.image httpd -f -vv -p 8080 -h /www');
    expect((await page('node2', '172.17.1.2:8080')).stdout).toBe('a page of a lab container\n');
    const address = await lab
      .host('node2')
      .must('docker run --rm lab.image wget -qO- http://172.17.1.2:8080/cgi-bin/address');
    expect(address).toBe('192.168.21.137\n');
  });

  test('the master, which has no range of its own, reaches it too', async () => {
    expect(await lab.host('master').must('curl -sS --max-time 5 http://172.17.1.2:8080/')).toBe(
      'a page of a lab container\n',
    );
  });

  test('a second sync changes nothing', async () => {
    const { stdout } = await netctl.must(['routes', 'sync', '--all', '--yes']);
    expect(stdout).toContain('3 unchanged');
  });

  test('after a boot of every host all of it is there again', async () => {
    for (const { name } of nodes) await lab.host(name).reboot();
    await expect.poll(async () => (await netctl.run(['routes', 'ls'])).code, { timeout: 30_000 }).toBe(0);
    await expect
      .poll(async () => (await page('node2', '172.17.1.2:8080')).stdout, { timeout: 30_000 })
      .toBe('a page of a lab container\n');
  });

  test('a route that leads elsewhere or is gone is shown, and mended; one of somebody else is shown and left', async () => {
    await lab.host('node1').must('ip route replace 172.17.2.0/24 via 192.168.21.135');
    await lab.host('node1').must('ip route add 172.17.77.0/24 via 192.168.21.135');
    await lab.host('node2').must('ip route del 172.17.1.0/24');
    const shown = await states();
    expect(shown).toContain('node1,172.17.2.0/24,via 192.168.21.137,via 192.168.21.135 dev eth0,other-gateway');
    expect(shown).toContain('node1,172.17.77.0/24,,via 192.168.21.135 dev eth0,extra');
    expect(shown).toMatch(/node2,172\.17\.1\.0\/24,via 192\.168\.21\.136,,missing/);
    const { stdout } = await netctl.must(['routes', 'sync', '--all', '--yes']);
    expect(stdout).toContain('(route-extra)');
    const mended = await states();
    expect(mended).not.toMatch(/other-gateway|missing/);
    expect(mended).toContain('172.17.77.0/24');
    await lab.host('node1').must('ip route del 172.17.77.0/24');
    expect((await netctl.run(['routes', 'ls'])).code).toBe(0);
  });

  test('a node on another segment is refused with the reason, and nothing is done there', async () => {
    const far = { name: 'far', address: '10.4.8.21', subnet: '172.17.3.0/24' };
    const { ssh } = labAccess(lab);
    await netctl.writeInventory({ ssh, network: { cidr: '172.17.0.0/16' }, nodes: [...nodes, far] });
    const refused = await netctl.run(['routes', 'sync', 'node1', '--yes']);
    expect(refused.code).toBe(3);
    expect(refused.stdout).toContain('(gateway-not-on-link)');
    expect(refused.stdout).toContain('192.168.21.254');
    expect(await lab.host('node1').must('ip -4 route')).not.toContain('172.17.3.0');
    await netctl.writeInventory({ ssh, network: { cidr: '172.17.0.0/16' }, nodes });
  });

  test('a node that leaves the inventory loses its routes on the others', async () => {
    const { ssh } = labAccess(lab);
    await netctl.writeInventory({ ssh, network: { cidr: '172.17.0.0/16' }, nodes: nodes.slice(0, 2) });
    await netctl.must(['routes', 'sync', '--all', '--yes']);
    expect(await lab.host('master').must('ip -4 route')).not.toContain('172.17.2.0/24');
    expect((await netctl.run(['routes', 'ls'])).code).toBe(0);
  });

  test('stopping the service takes exactly its routes and rules away', async () => {
    const before = await rulesOf('node1');
    await lab.host('node1').must('systemctl disable --now netctl-routes.service');
    expect(await rulesOf('node1')).toBe(before);
    expect(await lab.host('node1').must('iptables-save')).not.toContain('netctl:routes');
  });

  test('a node where flanneld is set up is refused', async () => {
    await lab
      .host('node1')
      .must(
        'printf "[Service]\\nExecStart=/bin/sleep 1000\\n" >/etc/systemd/system/flanneld.service && systemctl daemon-reload && systemctl start flanneld',
      );
    const refused = await netctl.run(['routes', 'sync', 'node1', '--yes']);
    expect(refused.code).toBe(3);
    expect(refused.stdout).toContain('(node-has-flannel)');
  });
});
