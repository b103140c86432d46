import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import type { Lab } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

const key = (subnet: string) => `/coreos.com/network/subnets/${subnet.replace('/', '-')}`;

interface Item {
  readonly subnet: string;
  readonly verdict: string;
  readonly state: string;
  readonly why: string;
  readonly evidence: readonly { readonly name: string; readonly speaks: string }[];
}

/** The items of a document that netctl printed. */
function itemsOf(document: unknown): readonly Item[] {
  if (typeof document !== 'object' || document === null || !('items' in document)) throw new Error('no list');
  return document.items as readonly Item[];
}

async function routesOf(lab: Lab, node: string): Promise<string> {
  return lab.host(node).must('ip -4 route');
}

function untilRoute(lab: Lab, node: string, subnet: string, isThere: boolean): Promise<void> {
  return expect
    .poll(async () => (await routesOf(lab, node)).includes(subnet), { timeout: 20_000, interval: 300 })
    .toBe(isThere);
}

describe.skipIf(reason !== undefined)('leases of nodes that are gone, flannel v0.28.9 and etcd v3', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  let inventory: { readonly nodes: readonly { readonly name: string }[] };
  const judge = async (...args: readonly string[]): Promise<Item> => {
    const { stdout } = await netctl.run(['subnets', 'reclaim', ...args, '-o', 'json']);
    const [item] = itemsOf(JSON.parse(stdout));
    if (item === undefined) throw new Error(`nothing was judged: ${stdout}`);
    return item;
  };
  /** As if so much of its day had passed. */
  const age = async (subnet: string, secondsLeft: number): Promise<void> => {
    const etcd = lab.etcd;
    if (etcd === null) throw new Error('no etcd');
    const granted = await etcd.ctl('lease', 'grant', String(secondsLeft));
    const id = /lease (\w+) granted/.exec(granted.stdout)?.[1] ?? '';
    const value = (await etcd.ctl('get', '--print-value-only', key(subnet))).stdout.trim();
    await etcd.ctl('put', `--lease=${id}`, key(subnet), value);
  };

  beforeAll(async () => {
    lab = await startLab({ workstation: 'namespace', segments: [{ network: '10.4.7.0/24' }], hosts: 4, etcd: true });
    const { etcd, ssh } = labAccess(lab);
    inventory = {
      etcd,
      ssh: { ...ssh, connectTimeoutSeconds: 3 },
      network: { cidr: '172.7.0.0/16', backend: { type: 'host-gw' } },
      flannel: { version: 'v0.28.9', archive: await flannelArchive('v0.28.9') },
      nodes: lab.hosts.map(({ name, address }, index) => ({ name, address, subnet: `172.7.${21 + index}.0/24` })),
    } as typeof inventory;
    netctl = await netctlOn(lab, inventory);
    await netctl.must(['init-network', '--yes']);
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
  });
  afterAll(() => lab?.stop());

  test('living nodes are never offered', async () => {
    const { stdout } = await netctl.must(['subnets', 'reclaim', '--dead', '--yes']);
    expect(stdout).toContain('Nothing to reclaim, 4 leases with a living node');
    expect(await judge('node2', '--yes')).toMatchObject({ verdict: 'alive', state: 'left' });
    // For later.
    await lab.host('node3').powerCut();
    await age('172.7.23.0/24', 40_000);
  });

  test('a node that hangs answers pings still, so it lives, however little time is left', async () => {
    await lab.host('node2').freeze();
    await age('172.7.22.0/24', 1500);
    const item = await judge('172.7.22.0/24', '--yes');
    await lab.host('node2').thaw();
    expect(item).toMatchObject({ verdict: 'alive', state: 'left' });
    expect(item.why).toContain('answers');
  });

  test('a living node behind a firewall whose flanneld hangs is heard by ARP, and by the packets of its containers', async () => {
    const [node1, node2] = [lab.host('node1'), lab.host('node2')];
    const run = 'docker run -d --name web lab.image httpd -f -p 80 -h /www';
    await Promise.all([node1.must(run), node2.must(run)]);
    const address = (await node2.must("docker inspect -f '{{.NetworkSettings.IPAddress}}' web")).trim();
    await node2.must(
      'iptables -I INPUT -p icmp -j DROP; iptables -I INPUT -p tcp --dport 22 -j DROP; systemctl kill -s STOP flanneld',
    );
    await age('172.7.22.0/24', 1500);
    await node1.must([
      'docker',
      'exec',
      '-d',
      'web',
      'sh',
      '-c',
      `while sleep 1; do wget -qO- http://${address}/ >/dev/null; done`,
    ]);
    const { evidence, ...item } = await judge('172.7.22.0/24', '--yes');
    await node2.must(
      'systemctl kill -s CONT flanneld; iptables -D INPUT -p icmp -j DROP; iptables -D INPUT -p tcp --dport 22 -j DROP',
    );
    await Promise.all([node1.must('docker rm -f web'), node2.must('docker rm -f web')]);
    expect(item).toMatchObject({ verdict: 'alive', state: 'left' });
    const against = evidence.flatMap(({ name, speaks }) => (speaks === 'alive' ? name : []));
    expect(against).toEqual(['inventory', 'public-ip', 'traffic']);
  });

  test('a node whose flannel was taken away is proven gone by SSH, although it answers', async () => {
    await netctl.must(['node', 'reset', 'node4', '--keep-lease', '--yes']);
    // As long as it might be one that is being set up, it is not.
    const young = await judge('node4', '--yes');
    expect(young).toMatchObject({ verdict: 'not-proven', state: 'left' });
    expect(young.why).toContain('netctl subnets release node4');
    await age('172.7.24.0/24', 80_000);
    const item = await judge('node4', '--dry-run');
    expect(item).toMatchObject({ verdict: 'proven-gone', state: 'planned' });
    expect(item.why).toContain('flanneld is not there');
  });

  test('a second lease of a node whose flanneld holds another one is proven gone, and goes alone', async () => {
    await lab.etcd?.ctl('put', key('172.7.99.0/24'), '{"PublicIP":"10.4.7.21","BackendType":"host-gw"}');
    // Without a time to live it is there on purpose.
    expect(await judge('172.7.99.0/24', '--yes')).toMatchObject({ verdict: 'kept', state: 'left' });
    await age('172.7.99.0/24', 40_000);
    const item = await judge('172.7.99.0/24', '--yes');
    expect(item).toMatchObject({ verdict: 'proven-gone', state: 'reclaimed' });
    expect(item.why).toContain('holds 172.7.21.0/24');
    expect(await routesOf(lab, 'node2')).toContain('172.7.21.0/24 via 10.4.7.21');
  });

  test('a node without power is not proven gone: nothing answers, and that is all', async () => {
    // Its neighbours remember for half a minute that they heard it.
    await expect
      .poll(() => judge('node3', '--yes'), { timeout: 80_000, interval: 1000 })
      .toMatchObject({ verdict: 'not-proven', state: 'left' });
    const { code, stdout } = await netctl.run(['subnets', 'reclaim', 'node3', '--yes']);
    expect(code).toBe(3);
    expect(stdout).toContain('left: not proven gone');
    expect(stdout).toContain('SSH does not reach it');
    expect((await netctl.must(['subnets', 'ls'])).stdout).toContain('172.7.23.0/24');
  });

  test('when its flanneld has not renewed for longer than a living one waits, it is', async () => {
    await age('172.7.23.0/24', 1500);
    expect(await judge('node3', '--dry-run')).toMatchObject({ verdict: 'proven-gone', state: 'planned' });
  });

  test('when a person took it out of the inventory, it is', async () => {
    await age('172.7.23.0/24', 40_000);
    await netctl.writeInventory({ ...inventory, nodes: inventory.nodes.filter(({ name }) => name !== 'node3') });
    const item = await judge('172.7.23.0/24', '--dry-run');
    await netctl.writeInventory(inventory);
    expect(item).toMatchObject({ verdict: 'proven-gone', state: 'planned' });
    expect(item.why).toContain('no node of the inventory');
  });

  test('all that are proven gone are taken away, and the peers drop their routes', async () => {
    const { stdout } = await netctl.must(['subnets', 'reclaim', '--dead', '--yes', '--max', '2']);
    expect(stdout).toMatch(/172\.7\.24\.0\/24 .*reclaimed, and looked at again/);
    expect(stdout).toMatch(/172\.7\.23\.0\/24 .*left: not proven gone/);
    for (const node of ['node1', 'node2']) await untilRoute(lab, node, '172.7.24.0/24', false);
    expect(await routesOf(lab, 'node1')).toContain('172.7.22.0/24');
    const again = await netctl.must(['subnets', 'reclaim', '172.7.24.0/24', '--yes']);
    expect(again.stderr).toContain('nobody holds 172.7.24.0/24');
  });

  test('undo puts it back, and the peers have their routes again', async () => {
    expect((await netctl.must(['subnets', 'undo'])).stdout).toMatch(/172\.7\.24\.0\/24 .*free/);
    expect((await netctl.must(['subnets', 'undo', '172.7.24.0/24', '--yes'])).stdout).toContain('restored');
    for (const node of ['node1', 'node2']) await untilRoute(lab, node, '172.7.24.0/24', true);
    expect((await netctl.must(['subnets', 'undo', '172.7.24.0/24', '--yes'])).stderr).toContain('nothing to put back');
  });

  test('the node without power comes back to its own subnet', async () => {
    await lab.host('node3').powerOn();
    await expect
      .poll(() => judge('node3', '--dry-run'), { timeout: 30_000, interval: 1000 })
      .toMatchObject({ verdict: 'alive' });
    await untilRoute(lab, 'node1', '172.7.23.0/24', true);
  });
});

describe.skipIf(reason !== undefined)('the same with flannel v0.11.0 and etcd v2', () => {
  let lab: Lab;
  let netctl: LabNetctl;

  beforeAll(async () => {
    lab = await startLab({
      workstation: 'namespace',
      segments: [{ network: '10.4.7.0/24' }],
      hosts: 2,
      etcd: { v2: true },
    });
    netctl = await netctlOn(lab, {
      ...labAccess(lab),
      network: { cidr: '172.7.0.0/16', backend: { type: 'host-gw' } },
      flannel: { version: 'v0.11.0', archive: await flannelArchive('v0.11.0') },
      nodes: lab.hosts.map(({ name, address }, index) => ({ name, address, subnet: `172.7.${21 + index}.0/24` })),
    });
    await netctl.must(['init-network', '--yes']);
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
    await netctl.must(['node', 'reset', 'node2', '--keep-lease', '--yes']);
  });
  afterAll(() => lab?.stop());

  test('a lease that was written just now is left, because its node may be being set up', async () => {
    const { stdout } = await netctl.must(['subnets', 'reclaim', '--dead', '--yes']);
    expect(stdout).toMatch(/172\.7\.22\.0\/24 .*left: not proven gone/);
    // As if half a day had passed; etcd's own word for it leaves the value, and nobody who watches sees it.
    const certificates = lab.etcd?.certificates;
    const refresh = await lab.workstation.run([
      'curl',
      '-sSf',
      ...(certificates == null
        ? []
        : [
            '--cacert',
            certificates.caFile,
            '--cert',
            certificates.clientCertFile,
            '--key',
            certificates.clientKeyFile,
          ]),
      '-X',
      'PUT',
      '-d',
      'ttl=40000&refresh=true&prevExist=true',
      `${lab.etcd?.endpoints[0]}/v2/keys${key('172.7.22.0/24')}`,
    ]);
    expect(refresh).toMatchObject({ code: 0, stderr: '' });
  });

  test('the lease expires instead of being deleted, so that the peer goes on seeing what happens', async () => {
    const { stdout } = await netctl.must(['subnets', 'reclaim', '--dead', '--yes']);
    expect(stdout).toMatch(/172\.7\.22\.0\/24 .*reclaimed/);
    await untilRoute(lab, 'node1', '172.7.22.0/24', false);
    await netctl.must(['subnets', 'undo', '172.7.22.0/24', '--yes']);
    await untilRoute(lab, 'node1', '172.7.22.0/24', true);
  });
});
