import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyList } from '../../src/lib/view/schemas/verify-list';
import { whyNoLab } from './base';
import type { Lab, LabHost } from './lab';
import { flannelArchive, type LabNetctl, labAccess, netctlOn } from './netctl';
import { nodeSnapshot } from './node-snapshot';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

/** What a probe could leave: its interface, neighbours on the bridge, its processes, a namespace with a name. */
async function traces(host: LabHost): Promise<string> {
  const links = await host.must('ip -br link | grep vethnctl || true');
  const neighbours = await host.must('ip neigh show dev docker0 | grep -v FAILED || true');
  const processes = await host.must('pgrep -af "^(/usr/bin/)?(perl|python3|unshare) " | grep -v /flanneld || true');
  const namespaces = await host.must('ls /run/netns 2>/dev/null || true');
  return [links, neighbours, processes, namespaces].join('').trim();
}

async function until(what: () => Promise<boolean>, seconds: number): Promise<boolean> {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    if (await what()) return true;
    await sleep(200);
  }
  return false;
}

describe.skipIf(reason !== undefined)('verify over vxlan', () => {
  let lab: Lab;
  let netctl: LabNetctl;
  const names = ['node1', 'node2', 'node3'] as const;
  const hosts = () => names.map((name) => lab.host(name));
  const document = async (...args: readonly string[]) => {
    const output = await netctl.run(['verify', '-o', 'json', ...args]);
    return { ...output, ...verifyList.parse(JSON.parse(output.stdout)) };
  };
  const start = (...args: readonly string[]): ChildProcess => {
    const [program, ...rest] = lab.workstation.words(['netctl', 'verify', ...args]);
    return spawn(program, rest, {
      cwd: netctl.folder,
      env: { ...netctl.env, PATH: `${join(netctl.folder, 'bin')}:${process.env['PATH'] ?? ''}` },
      stdio: 'ignore',
    });
  };
  const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.on('close', resolve));

  beforeAll(async () => {
    lab = await startLab({ workstation: 'namespace', segments: [{ network: '10.4.7.0/24' }], hosts: 3, etcd: true });
    const { etcd, ssh } = labAccess(lab);
    netctl = await netctlOn(lab, {
      etcd,
      ssh: { ...ssh, connectTimeoutSeconds: 3 },
      network: { cidr: '172.7.0.0/16', backend: { type: 'vxlan' } },
      flannel: { version: 'v0.28.9', archive: await flannelArchive('v0.28.9'), ipMasq: true },
      nodes: names.map((name, index) => ({
        name,
        address: lab.host(name).address,
        subnet: `172.7.${21 + index}.0/24`,
        // One of the three ways to root each: root itself, sudo without a password.
        ...(name === 'node3' ? { ssh: { user: 'admin', sudo: 'nopasswd' } } : {}),
      })),
    });
    await netctl.must(['init-network', '--yes']);
    await netctl.must(['node', 'bootstrap', '--all', '--yes']);
  });
  afterAll(() => lab?.stop());

  test('all six pairs are well, with the containers’ own addresses, and the nodes are as before', async () => {
    const before = await Promise.all(hosts().map(nodeSnapshot));
    const began = performance.now();
    const found = await document('--with-nodes', '--outside', `${lab.internet.address}:80`, '--junit', 'all.xml');
    console.error(`  three nodes verified in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    expect(found.code, found.stdout).toBe(0);
    expect(found.counts).toEqual({ ok: 21, masqueraded: 0, failed: 0, unknown: 0 });
    expect(found.nodes.map(({ address, mtu }) => [address, mtu])).toEqual([
      ['172.7.21.254', 1450],
      ['172.7.22.254', 1450],
      ['172.7.23.254', 1450],
    ]);
    for (const { leg, sender, sources, tests, roundTripMicroseconds } of found.items) {
      if (leg === 'container-to-container') expect(sources).toEqual([sender]);
      if (leg !== 'container-to-outside') {
        expect(tests.map(({ protocol, bytes }) => `${protocol} ${bytes}`)).toEqual([
          'tcp 128',
          'tcp 20000',
          'udp 128',
          'udp 2900',
          'icmp 84',
          'icmp 1450',
        ]);
      }
      expect(roundTripMicroseconds).toBeGreaterThan(0);
    }
    const junit = await readFile(join(netctl.folder, 'all.xml'), 'utf8');
    expect(junit).toContain('failures="0" errors="0" skipped="0"');
    expect(await Promise.all(hosts().map(traces))).toEqual(['', '', '']);
    expect(await Promise.all(hosts().map(nodeSnapshot))).toEqual(before);
  });

  test('perl and python speak one protocol; a node with neither is not known, and that is no fault of the others', async () => {
    const hide = (program: string) => `mv /usr/bin/${program} /usr/bin/${program}.off`;
    const show = (program: string) => `mv /usr/bin/${program}.off /usr/bin/${program}`;
    await lab.host('node2').must(hide('perl'));
    // flanneld of the lab is a python program that runs already.
    await lab.host('node3').must(`${hide('perl')}; ${hide('python3')}`);
    const { code, counts, nodes, stderr } = await document();
    await lab.host('node2').must(show('perl'));
    await lab.host('node3').must(`${show('perl')}; ${show('python3')}`);
    expect(code).toBe(4);
    expect(counts).toEqual({ ok: 2, masqueraded: 0, failed: 0, unknown: 4 });
    expect(nodes[2]).toMatchObject({ state: 'unknown', why: 'it has neither perl nor python3' });
    expect(stderr).toContain('node3 could not be probed: it has neither perl nor python3');
  });

  test('two runs at once do not meet: each has addresses of its own, and none that a container has', async () => {
    const both = await Promise.all([document(), document()]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    for (const index of [0, 1, 2]) {
      const addresses = both.map(({ nodes }) => nodes[index]?.address);
      expect(new Set(addresses).size).toBe(2);
    }
    expect(await Promise.all(hosts().map(traces))).toEqual(['', '', '']);
  });

  test('a smaller MTU on the way costs the large packets alone, and the machine that says so is named', async () => {
    await lab.host('node1').must('ip link set flannel.1 mtu 1300');
    const { code, items, problems } = await document('--timeout', '2');
    await lab.host('node1').must('ip link set flannel.1 mtu 1450');
    expect(code).toBe(10);
    const out = items.find(({ from, to }) => from === 'node1' && to === 'node2');
    expect(out).toMatchObject({ state: 'failed', fault: 'path-mtu' });
    expect(
      out?.tests.filter(({ state }) => state === 'failed').map(({ protocol, bytes }) => [protocol, bytes]),
    ).toEqual([['icmp', 1450]]);
    expect(items.find(({ from, to }) => from === 'node2' && to === 'node3')).toMatchObject({ state: 'ok' });
    expect(problems[0]).toMatchObject({ code: 'path-mtu', severity: 'error' });
    expect(problems.map(({ message }) => message).join()).toContain('172.7.21.1 passes on 1300 bytes at most');
  });

  describe('with the tunnel’s port dropped on node1', () => {
    beforeAll(async () => {
      await lab.host('node1').must('iptables -I INPUT -p udp --dport 8472 -j DROP');
      await lab.host('node1').must('iptables -I OUTPUT -p udp --dport 8472 -j DROP');
    });
    afterAll(async () => {
      await lab.host('node1').run('iptables -D INPUT -p udp --dport 8472 -j DROP');
      await lab.host('node1').run('iptables -D OUTPUT -p udp --dport 8472 -j DROP');
    });

    test('nothing of node1 arrives, and two lines say so, with the port and the rules that dropped it', async () => {
      const { code, stdout } = await netctl.run(['verify', '--timeout', '2']);
      expect(code).toBe(10);
      expect(stdout).toMatch(/^node1 +- +FAIL +FAIL$/m);
      expect(stdout).toMatch(/^node2 +FAIL +- +ok$/m);
      expect(stdout).toContain('node1 to node2, node3');
      expect(stdout.replaceAll(/\s+/g, ' ')).toContain('UDP port 8472 between the nodes');
      expect(stdout).toContain('netctl node status node1 node2 node3');
      expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
        /node1: while netctl sent, this dropped \d+ packets: -A INPUT -p udp -m udp --dport 8472 -j DROP \(filter\)/,
      );
    });

    test('netctl that is killed leaves nothing anywhere, nor does one that gets Ctrl-C', async () => {
      const children = [start('--timeout', '30'), start('--timeout', '30')] as const;
      const gone = children.map(ended);
      const isThere = await until(async () => {
        const found = await Promise.all(hosts().map(traces));
        return found.every((text) => text.match(/vethnctl/g)?.length === 2);
      }, 30);
      expect(isThere).toBe(true);
      children[0].kill('SIGKILL');
      children[1].kill('SIGINT');
      await Promise.all(gone);
      const isClean = await until(
        async () => (await Promise.all(hosts().map(traces))).every((text) => text === ''),
        15,
      );
      expect(isClean).toBe(true);
    });

    test('a node whose cable is cut takes everything back by itself, and what was asked of it is not known', async () => {
      const running = netctl.run(['verify', '-o', 'json', '--timeout', '6']);
      const node2 = lab.host('node2');
      expect(await until(async () => (await traces(node2)).includes('vethnctl'), 20)).toBe(true);
      await sleep(2000);
      await node2.cut();
      const began = performance.now();
      const { code, stdout, stderr } = await running;
      expect(await until(async () => (await traces(node2)) === '', 40)).toBe(true);
      console.error(`  a node that was cut off was clean after ${((performance.now() - began) / 1000).toFixed(0)} s`);
      await node2.heal();
      expect(code).toBe(10);
      expect(stderr).toContain('node2: lost while sh … ran: it has been silent');
      const { items } = verifyList.parse(JSON.parse(stdout));
      expect(items.filter(({ from }) => from === 'node2').map(({ state }) => state)).not.toContain('ok');
    });
  });

  test('a node that is off is a line, and its pairs are not known', async () => {
    await lab.host('node3').powerCut();
    const { code, counts, stderr } = await document();
    expect(code).toBe(4);
    expect(counts).toEqual({ ok: 2, masqueraded: 0, failed: 0, unknown: 4 });
    expect(stderr).toContain('node3');
  });
});

describe.skipIf(reason !== undefined)('verify over host-gw, with Docker’s own rule', () => {
  let lab: Lab;
  let netctl: LabNetctl;

  beforeAll(async () => {
    lab = await startLab({ workstation: 'namespace', segments: [{ network: '10.4.7.0/24' }], hosts: 2 });
    netctl = await netctlOn(lab, {
      ...labAccess(lab),
      etcd: { endpoints: ['http://10.4.7.12:2379'] },
      nodes: ['node1', 'node2'].map((name) => ({ name, address: lab.host(name).address })),
    });
    // What flanneld with host-gw and Docker make of these nodes, by hand: etcd is not asked.
    await Promise.all(
      [1, 2].map((own) =>
        lab
          .host(`node${own}`)
          .must(
            `echo '{"bip":"172.7.2${own}.1/24"}' >/etc/docker/daemon.json && systemctl restart docker && iptables -P FORWARD ACCEPT && ip route add 172.7.2${3 - own}.0/24 via 10.4.7.2${3 - own}`,
          ),
      ),
    );
  });
  afterAll(() => lab?.stop());

  test('the address that arrives is the node’s: exit code 10, and what mends it', async () => {
    const { code, stdout, stderr } = await netctl.run(['verify', '--junit', 'nat.xml']);
    expect(code).toBe(10);
    expect(stdout).toMatch(/^node1 +- +nat$/m);
    expect(stdout).toContain('path-masqueraded');
    expect(stdout).toContain('node2 saw 172.7.21.254 as 10.4.7.21');
    expect(stdout).toContain('netctl fix-masquerade node1');
    expect(stderr).toContain('2 pairs: 2 masqueraded');
    expect(await readFile(join(netctl.folder, 'nat.xml'), 'utf8')).toContain(
      'message="sent as 172.7.21.254, arrived as 10.4.7.21"',
    );
  });

  test('without the rule the container’s own arrives', async () => {
    for (const own of [1, 2]) {
      await lab
        .host(`node${own}`)
        .must(`iptables -t nat -D POSTROUTING -s 172.7.2${own}.0/24 ! -o docker0 -j MASQUERADE`);
    }
    const { code, stdout } = await netctl.run(['verify', '-o', 'csv']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^node1,node2,container-to-container,ok,172\.7\.21\.254,172\.7\.21\.254,/m);
  });

  test('an address that something has is passed by, whether Docker knows of it or not', async () => {
    const node1 = lab.host('node1');
    // Nobody but the kernel knows of it.
    await node1.must(
      'ip netns add stranger && ip link add s0 type veth peer name eth0 netns stranger && ip link set s0 master docker0 up && ip -n stranger addr add 172.7.21.254/24 dev eth0 && ip -n stranger link set eth0 up',
    );
    const { stdout } = await netctl.run(['verify', '-o', 'json']);
    await node1.must('ip netns del stranger');
    expect(verifyList.parse(JSON.parse(stdout)).nodes[0]).toMatchObject({ address: '172.7.21.253' });
  });

  test('a route that is gone costs both ways, and the node without it is named', async () => {
    const node2 = lab.host('node2');
    await node2.must('ip route del 172.7.21.0/24');
    const { code, stdout } = await netctl.run(['verify', '--timeout', '2']);
    await node2.must('ip route add 172.7.21.0/24 via 10.4.7.21');
    expect(code).toBe(10);
    expect(stdout).toMatch(/^node1 +- +FAIL$/m);
    expect(stdout).toMatch(/^node2 +FAIL +-$/m);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      'way-leads-elsewhere node2: its route to the subnet of a peer leads neither into a tunnel nor to that peer: 172.7.21.254 (node1): eth0 via 10.4.7.254',
    );
  });

  test('a node without Docker’s bridge is not known, with the reason', async () => {
    const node2 = lab.host('node2');
    await node2.must('systemctl stop docker.socket docker && ip link del docker0');
    const { code, stderr } = await netctl.run(['verify']);
    expect(code).toBe(4);
    expect(stderr).toContain('node2 could not be probed: it has no bridge of Docker with an IPv4 address');
  });
});
