import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificateList } from '../../src/lib/view/schemas/certificate-list';
import { nodeList } from '../../src/lib/view/schemas/node-list';
import { nodeStatusList } from '../../src/lib/view/schemas/node-status-list';
import { whyNoLab } from './base';
import { mustExec } from './exec';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

describe.skipIf(reason !== undefined)('How nodes are, seen from the workstation', () => {
  let lab: Lab;
  let netctl: LabNetctl;

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }],
      hosts: [{ address: '10.4.7.21' }, { address: '10.4.7.22' }, { address: '10.4.7.23' }],
      etcd: true,
    });
    const { etcd, ssh } = labAccess(lab);
    netctl = await netctlOn(lab, {
      etcd,
      ssh: { ...ssh, connectTimeoutSeconds: 3 },
      network: { cidr: '172.7.0.0/16', backend: { type: 'vxlan' } },
      flannel: { version: 'v0.28.9', archive: await flannelArchive('v0.28.9') },
      nodes: [
        { name: 'node1', address: '10.4.7.21', subnet: '172.7.21.0/24', labels: ['rack1'] },
        { name: 'node2', address: '10.4.7.22', subnet: '172.7.22.0/24' },
        { name: 'node3', address: '10.4.7.23' },
      ],
    });
    await netctl.must(['init-network', '--yes']);
  });
  afterAll(() => lab?.stop());

  const statusOf = async (...words: string[]) => {
    const { code, stdout, stderr } = await netctl.run(['node', 'status', ...words, '-o', 'json']);
    expect(stdout, stderr).toContain('NodeStatusList');
    const document = nodeStatusList.parse(JSON.parse(stdout));
    const codes = Object.fromEntries(
      document.items.map(({ name, problems }) => [name, problems.map((each) => each.code)]),
    );
    return { code, items: document.items, codes };
  };

  test('before bootstrap the nodes are listed without leases, and told to have no flanneld', async () => {
    const { items } = nodeList.parse(await netctl.json(['node', 'ls']));
    expect(
      items.map(({ name, lease, subnet, wantedSubnet, labels }) => [name, lease, subnet, wantedSubnet, labels]),
    ).toEqual([
      ['node1', 'none', null, '172.7.21.0/24', ['rack1']],
      ['node2', 'none', null, '172.7.22.0/24', []],
      ['node3', 'none', null, null, []],
    ]);
    const { code, codes } = await statusOf();
    expect(code).toBe(10);
    expect(codes['node1']).toEqual(['flanneld-absent', 'node-without-lease']);
    const certs = await netctl.run(['certs', 'check', '-o', 'json']);
    expect(certs.code).toBe(10);
    expect(certificateList.parse(JSON.parse(certs.stdout)).problems.map((each) => each.code)).toContain(
      'certificate-missing',
    );
  });

  test('after it all is well, with routes and answers among all three', async () => {
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
    // The overlay is there a moment after the last flanneld.
    await expect.poll(async () => (await statusOf()).code, { timeout: 20_000, interval: 500 }).toBe(0);
    const { items } = await statusOf();
    for (const item of items) {
      expect(item).toMatchObject({
        state: 'healthy',
        service: 'active',
        serviceManager: 'systemd',
        version: 'v0.28.9',
        mtu: 1450,
        peers: 2,
        peersRouted: 2,
        peersReached: 2,
        problems: [],
        unknown: [],
      });
    }
    expect(items[0]).toMatchObject({ subnet: '172.7.21.0/24', dockerBridge: ['172.7.21.1/24'] });
    const listed = nodeList.parse(await netctl.json(['node', 'ls', '--limit', '@rack1'])).items;
    expect(listed).toMatchObject([{ name: 'node1', lease: 'held', subnet: '172.7.21.0/24' }]);
    expect((await netctl.must(['node', 'status'])).stdout).toMatch(
      /node1 +v0\.28\.9 +active +172\.7\.21\.0\/24 .* 2\/2 +-/,
    );
  });

  test('docker options reads a node as its own script does', async () => {
    const script = await lab
      .host('node1')
      .must('/opt/flannel/mk-docker-opts.sh -d /tmp/opts && cat /tmp/opts && rm /tmp/opts');
    expect((await netctl.must(['docker', 'options', '--node', 'node1'])).stdout).toBe(script);
    expect((await netctl.must(['docker', 'options', '--node', 'node1', '--style', 'flags'])).stdout).toContain(
      '--bip=172.7.21.1/24',
    );
  });

  test('a flanneld that was stopped is told, and the others are well', async () => {
    await lab.host('node1').must('systemctl stop flanneld');
    const { code, codes, items } = await statusOf();
    expect(code).toBe(10);
    expect(codes).toEqual({ node1: ['flanneld-not-running'], node2: [], node3: [] });
    expect(items[0]).toMatchObject({ service: 'inactive', subnet: '172.7.21.0/24', peersReached: 2 });
    await lab.host('node1').must('systemctl start flanneld');
    // It says that it is ready before it has gone through its peers.
    await lab.host('node1').must('sleep 2');
  });

  test('what is missing between two nodes is named: route, ARP, FDB', async () => {
    const node = lab.host('node1');
    const mac = "$(bridge fdb show dev flannel.1 | awk '/10.4.7.23/ { print $1 }')";
    await node.must('ip route del 172.7.22.0/24');
    await node.must(
      `bridge fdb del ${mac} dev flannel.1 dst 10.4.7.23; ip neigh del $(ip neigh show dev flannel.1 | awk '$1 != "172.7.22.0" { print $1 }') dev flannel.1`,
    );
    const [item] = (await statusOf('node1')).items;
    expect(item?.problems.map(({ code }) => code).toSorted()).toEqual([
      'peer-arp-wrong',
      'peer-fdb-wrong',
      'peer-route-missing',
    ]);
    expect(item).toMatchObject({ peersRouted: 0, peersReached: 0 });
    await node.must('systemctl restart flanneld');
    await expect.poll(async () => (await statusOf()).code, { timeout: 20_000, interval: 500 }).toBe(0);
  });

  test('a docker0 of its own is told where it is, and by its silence elsewhere', async () => {
    const node = lab.host('node2');
    await node.must('ip addr del 172.7.22.1/24 dev docker0 && ip addr add 172.17.0.1/16 dev docker0');
    const { code, codes, items } = await statusOf();
    expect(code).toBe(10);
    expect(codes).toEqual({
      node1: ['peer-not-reached'],
      node2: ['docker-bridge-address'],
      node3: ['peer-not-reached'],
    });
    expect(items[0]).toMatchObject({ peersRouted: 2, peersReached: 1 });
    await node.must('ip addr del 172.17.0.1/16 dev docker0 && ip addr add 172.7.22.1/24 dev docker0');
  });

  test('who is not root sees what anybody may see, and the rest is unknown, not wrong', async () => {
    const { code, stdout } = await netctl.shell(
      `sed 's/"user": "root"/"user": "ops"/' netctl.yaml >ops.yaml && netctl node status node1 --config ops.yaml -o json`,
    );
    expect(code).toBe(0);
    const [item] = nodeStatusList.parse(JSON.parse(stdout)).items;
    expect(item).toMatchObject({ state: 'healthy', service: 'active', mtu: null, problems: [] });
    expect(item?.unknown.map(({ what }) => what)).toContain('MTU');
  });

  test('an expired certificate on a node leads to exit code 10, and a longer notice to more', async () => {
    const certificates = lab.etcd?.certificates;
    if (certificates === null || certificates === undefined) throw new Error('the lab has TLS');
    expect((await netctl.must(['certs', 'check'])).stdout).toMatch(/node1 +client +CN=lab client .* same/);
    expect((await netctl.run(['certs', 'check', '--warn-days', '9999'])).code).toBe(10);
    const folder = join(netctl.folder, 'old');
    await mustExec(['mkdir', folder]);
    await mustExec([
      'sh',
      '-c',
      `cd "$0" && openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=old client' -keyout key.pem -out csr.pem 2>/dev/null &&
      printf 'basicConstraints=CA:FALSE\\nextendedKeyUsage=clientAuth\\n' >ext &&
      openssl x509 -req -in csr.pem -CA "$1" -CAkey "$2" -CAcreateserial -days 0 -extfile ext -out old.pem 2>/dev/null`,
      folder,
      certificates.caFile,
      certificates.caKeyFile,
    ]);
    const target = join(lab.host('node2').root, 'opt/flannel-v0.28.9/cert/client.pem');
    const before = await readFile(target);
    await writeFile(target, await readFile(join(folder, 'old.pem')));
    const { code, stdout } = await netctl.run(['certs', 'check', '-o', 'json']);
    expect(code).toBe(10);
    const document = certificateList.parse(JSON.parse(stdout));
    expect(document.problems.map(({ node, code: what, severity }) => [node, what, severity])).toEqual([
      ['node2', 'certificate-expired', 'error'],
      ['node2', 'certificate-not-pushed', 'info'],
    ]);
    const item = document.items.find(({ node, file }) => node === 'node2' && file === 'client');
    expect(item).toMatchObject({ subject: 'CN=old client', issuer: 'CN=lab etcd CA', isAsPushed: false });
    expect(item?.daysLeft).toBeLessThan(0);
    await writeFile(target, before);
  });

  test('a node that is off is told within its time, and the others are shown', async () => {
    await lab.host('node3').powerCut();
    // The bridge of the LAN has the least MAC of its ports, so etcd may have moved to another one.
    await expect.poll(async () => (await netctl.run(['node', 'ls'])).code, { timeout: 30_000 }).toBe(0);
    const { code, codes, items } = await statusOf();
    expect(code).toBe(4);
    expect(items.map(({ name, state }) => [name, state])).toEqual([
      ['node1', 'problems'],
      ['node2', 'problems'],
      ['node3', 'unreachable'],
    ]);
    // Its lease lives on in etcd, so the others still have routes to it.
    expect(items[2]).toMatchObject({ error: { code: 'host-no-answer' }, service: null });
    expect(items[2]?.subnet).toMatch(/^172\.7\.\d+\.0\/24$/);
    expect(codes['node1']).toEqual(['peer-not-reached']);
    const table = await netctl.run(['node', 'status']);
    expect(table.code).toBe(4);
    expect(table.stdout).toMatch(/node3 +\? +\? +172\.7\.\d+\.0\/24/);
    expect(table.stderr).toContain('node3: no connection');
    expect((await netctl.run(['certs', 'check'])).code).toBe(4);
    expect((await netctl.must(['node', 'ls', '-o', 'name'])).stdout).toBe('node1\nnode2\nnode3\n');
  });
});
