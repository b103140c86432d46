import { spawn } from 'node:child_process';
import { access, chmod, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoLab } from './base';
import { exec } from './exec';
import type { Lab } from './lab';
import { folderOf } from './lab-folders';
import { removeLab } from './remove-lab';
import { startLab } from './start-lab';

const reason = await whyNoLab();
if (reason !== undefined) console.error(`\n*** THE LAB JOURNEYS DO NOT RUN: ${reason} ***\n`);

const launcher = join(dirname(fileURLToPath(import.meta.url)), 'lab');
const notes: string[] = [];

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  notes.push(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return result;
}

/** Unique to this run, so that another lab on this machine is never mistaken for ours. */
const suffix = (process.pid % 100_000).toString(36);

describe.skipIf(reason !== undefined)('A lab with the third seed’s numbers', () => {
  let lab: Lab;
  let before: MachineState;

  beforeAll(async () => {
    before = await machineState();
    lab = await timed('three hosts with three etcd members', () =>
      startLab({
        id: `a${suffix}`,
        workstation: 'namespace',
        segments: [{ network: '10.4.7.0/24' }],
        hosts: [{ address: '10.4.7.21' }, { address: '10.4.7.22' }, { address: '10.4.7.23' }],
        etcd: { members: ['lan', 'node1', 'node2'], v2: true },
      }),
    );
  });
  afterAll(async () => {
    await lab?.stop();
    console.error(notes.map((note) => `  ${note}`).join('\n'));
  });

  test('every host has booted, with nothing failed', async () => {
    for (const host of lab.hosts) {
      expect(await host.must('systemctl is-system-running')).toBe('running\n');
      expect((await host.must('hostname')).trim()).toBe(host.name);
    }
  });

  test('the machine and the gateway forward nothing to the outside', async () => {
    expect((await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim()).toBe('0');
    const outside = await lab.host('node1').run('ip route get 172.7.22.2; curl -sS --max-time 3 http://172.7.22.2/');
    expect(outside.code).not.toBe(0);
    const namespace = ['ip', 'netns', 'exec', `nl-${lab.id}-lan`] as const;
    expect((await exec([...namespace, 'ip', 'route', 'show', 'default'])).stdout).toBe('');
  });

  test('root, admin and ops get in by SSH, and sudo asks ops alone', async () => {
    const ssh = (user: string, line: string) =>
      lab.workstation.run(['ssh', '-F', lab.ssh.configFile, `${user}@node1`, line]);
    expect((await ssh('root', 'id -un')).stdout).toBe('root\n');
    expect((await ssh('admin', 'sudo -n id -un')).stdout).toBe('root\n');
    expect((await ssh('ops', 'sudo -n id -un')).code).not.toBe(0);
    expect((await ssh('ops', `echo ${lab.ssh.opsPassword} | sudo -S -p '' id -un`)).stdout).toBe('root\n');
  });

  test('ops gets in with the password, and everybody with the encrypted key', async () => {
    const ask = async (answer: string, user: string, ...options: string[]) => {
      const file = join(lab.folder, 'askpass');
      await writeFile(file, `#!/bin/sh\necho '${answer}'\n`);
      await chmod(file, 0o700);
      return lab.workstation.run(['ssh', '-F', lab.ssh.configFile, ...options, `${user}@node2`, 'id -un'], {
        env: { SSH_ASKPASS: file, SSH_ASKPASS_REQUIRE: 'force', SSH_AUTH_SOCK: '' },
      });
    };
    const byPassword = ['-o', 'PubkeyAuthentication=no', '-o', 'NumberOfPasswordPrompts=1'];
    expect((await ask(lab.ssh.opsPassword, 'ops', ...byPassword)).stdout).toBe('ops\n');
    expect((await ask('wrong', 'ops', ...byPassword)).code).toBe(255);
    // A configuration's key comes first: this one names the other alone.
    const byKey = ['-F', '/dev/null', '-o', `UserKnownHostsFile=${lab.ssh.hashedKnownHostsFile}`];
    const key = ['-i', lab.ssh.encryptedKeyFile, '-o', 'IdentitiesOnly=yes', '-o', 'HostName=10.4.7.22'];
    expect((await ask(lab.ssh.passphrase, 'root', ...byKey, ...key)).stdout).toBe('root\n');
  });

  test('etcd answers at the three endpoints with TLS, in both APIs, from a host as well', async () => {
    expect(lab.etcd?.endpoints).toEqual(['https://10.4.7.12:2379', 'https://10.4.7.21:2379', 'https://10.4.7.22:2379']);
    expect((await lab.etcd?.ctl('put', '/lab', 'value'))?.code).toBe(0);
    expect((await lab.etcd?.ctl('get', '/lab', '--print-value-only'))?.stdout).toBe('value\n');
    const certificates = lab.etcd?.certificates;
    const tls = ['--cacert', certificates?.caFile ?? '', '--cert', certificates?.clientCertFile ?? ''];
    const v2 = await lab.workstation.run([
      'curl',
      '-sS',
      ...tls,
      '--key',
      certificates?.clientKeyFile ?? '',
      'https://10.4.7.21:2379/v2/keys',
    ]);
    expect(v2.stdout).toContain('"action":"get"');
    const without = await lab.host('node3').run('curl -sSk --max-time 5 https://10.4.7.12:2379/health');
    expect(without.code).not.toBe(0);
  });

  test('etcd’s members stop and start, alone and together', async () => {
    await lab.etcd?.stop('lan');
    expect((await lab.etcd?.ctl('--command-timeout=5s', 'get', '/lab', '--print-value-only'))?.stdout).toBe('value\n');
    await lab.etcd?.stop('node1');
    expect((await lab.etcd?.ctl('--command-timeout=2s', 'get', '/lab'))?.code).not.toBe(0);
    await lab.etcd?.start('lan');
    await lab.etcd?.start('node1');
    await expect.poll(async () => (await lab.etcd?.ctl('endpoint', 'health'))?.code, { timeout: 20_000 }).toBe(0);
  });

  test('a container reaches the internet, which sees its host’s address', async () => {
    const page = await lab.host('node1').must(`docker run --rm lab.image wget -qO- ${lab.internet.url}`);
    expect(page).toBe('10.4.7.21\n');
    expect(await lab.internet.visitors()).toContain('10.4.7.21');
  });

  test('with static routes a container reads a page of a container on another host, and docker’s rule hides it', async () => {
    const [node1, node2] = [lab.host('node1'), lab.host('node2')];
    for (const [host, subnet, other, via] of [
      [node1, '172.7.21', '172.7.22.0/24', '10.4.7.22'],
      [node2, '172.7.22', '172.7.21.0/24', '10.4.7.21'],
    ] as const) {
      await host.must(
        `mkdir -p /etc/docker && echo '{"bip": "${subnet}.1/24"}' >/etc/docker/daemon.json && systemctl restart docker`,
      );
      await host.must(`ip route add ${other} via ${via} && iptables -P FORWARD ACCEPT`);
    }
    await node2.must('docker run -d --name web lab.image httpd -f -vv -p 80 -h /www');
    expect(await node1.must('docker run --rm lab.image wget -qO- http://172.7.22.2/')).toBe(
      'a page of a lab container\n',
    );
    const address = 'docker run --rm lab.image wget -qO- http://172.7.22.2/cgi-bin/address';
    expect(await node1.must(address)).toBe('10.4.7.21\n');

    await node1.must('iptables -t nat -I POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -j MASQUERADE');
    await node1.must('iptables -t nat -D POSTROUTING -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE');
    expect(await node1.must(address)).toMatch(/^172\.7\.21\.\d+\n$/);
  });

  test('a reboot keeps files, address and neighbours, and loses what a kernel loses', async () => {
    const node = lab.host('node1');
    const bootBefore = await node.must('cat /proc/sys/kernel/random/boot_id');
    await node.must('echo kept >/root/file && touch /run/lost && ip route add 203.0.113.0/24 via 10.4.7.254');
    const booted = await timed('reboot', () => node.reboot());
    expect(booted).toEqual({ state: 'running', failedUnits: [] });
    expect(await node.must('cat /root/file')).toBe('kept\n');
    expect(await node.must('cat /proc/sys/kernel/random/boot_id')).not.toBe(bootBefore);
    expect((await node.run('test -e /run/lost')).code).toBe(1);
    expect(await node.must('ip route')).not.toContain('203.0.113.0');
    // Docker's rule is Docker's again: the mended one was in the kernel alone.
    expect(await node.must('iptables -t nat -S POSTROUTING')).not.toContain('172.7.0.0/16');
    expect((await lab.host('node2').run('ping -c1 -W2 10.4.7.21')).code).toBe(0);
  });

  test('a reboot by SSH comes back too', async () => {
    const node = lab.host('node3');
    const bootBefore = await node.must('cat /proc/sys/kernel/random/boot_id');
    const ssh = ['ssh', '-F', lab.ssh.configFile, '-o', 'ConnectTimeout=2', 'node3'] as const;
    await lab.workstation.run([...ssh, 'systemctl reboot']);
    await expect
      .poll(async () => (await lab.workstation.run([...ssh, 'cat /proc/sys/kernel/random/boot_id'])).stdout, {
        timeout: 20_000,
      })
      .toMatch(/^[0-9a-f-]{36}\n$/);
    expect(await node.must('cat /proc/sys/kernel/random/boot_id')).not.toBe(bootBefore);
    await expect
      .poll(async () => (await node.run('systemctl is-system-running')).stdout, { timeout: 20_000 })
      .toBe('running\n');
  });

  test('a power cut is silent, and the host boots again with its files', async () => {
    const node = lab.host('node3');
    await node.must('echo written >/root/written');
    // A connection that stands when the power goes hears nothing: it ends by its own patience, not by a reset.
    const hanging = lab.workstation.run(
      [
        'ssh',
        '-F',
        lab.ssh.configFile,
        '-o',
        'ServerAliveInterval=1',
        '-o',
        'ServerAliveCountMax=2',
        'node3',
        'sleep 60',
      ],
      { timeoutSeconds: 20 },
    );
    await expect.poll(async () => (await node.run('pgrep -x sleep')).code).toBe(0);
    await node.powerCut();
    expect((await hanging).stderr).toContain('not responding');
    expect(await node.isOn()).toBe(false);
    expect((await lab.host('node1').run('ping -c1 -W1 10.4.7.23')).code).toBe(1);
    const booted = await timed('boot after a power cut', () => node.powerOn());
    expect(booted.state).toBe('running');
    expect(await node.must('cat /root/written')).toBe('written\n');
  });

  test('a cut cable shows on both ends, over a reboot, until it is healed', async () => {
    const [node1, node3] = [lab.host('node1'), lab.host('node3')];
    await node3.cut();
    expect(await node3.hasCable()).toBe(false);
    expect(await node3.must('cat /sys/class/net/eth0/carrier')).toBe('0\n');
    expect((await node1.run('ping -c1 -W1 10.4.7.23')).code).toBe(1);
    expect((await node3.reboot()).state).toBe('running');
    expect((await node1.run('ping -c1 -W1 10.4.7.23')).code).toBe(1);
    await node3.heal();
    expect((await node1.run('ping -c1 -W3 10.4.7.23')).code).toBe(0);
  });

  test('a frozen host takes connections and does not answer', async () => {
    const node = lab.host('node3');
    await node.freeze();
    expect((await lab.host('node1').run('ping -c1 -W2 10.4.7.23')).code).toBe(0);
    const ssh = await lab.workstation.run(['ssh', '-F', lab.ssh.configFile, '-o', 'ConnectTimeout=2', 'node3', 'true']);
    expect(ssh.stderr).toMatch(/timed out/);
    await node.thaw();
    expect((await lab.workstation.run(['ssh', '-F', lab.ssh.configFile, 'node3', 'true'])).code).toBe(0);
  });

  test('modules, sysctls and both iptables front ends are there as on a machine', async () => {
    const node = lab.host('node1');
    await node.must(
      'modprobe br_netfilter vxlan && ip link add flannel.1 type vxlan id 1 dstport 8472 dev eth0 nolearning',
    );
    await node.must('ip link del flannel.1');
    await node.must(
      'iptables-nft -S && iptables-legacy -S && nft list ruleset && python3 -c "import ssl, http.server"',
    );
    expect((await node.run('sysctl -w kernel.pid_max=4194304')).code).not.toBe(0);
  });

  test('a second lab has the same addresses at the same time, with two segments and a jump host', async () => {
    const second = await timed('a second lab: two hosts and a jump host', () =>
      startLab({
        id: `b${suffix}`,
        workstation: 'namespace',
        segments: [{ network: '10.4.7.0/24' }, { network: '10.4.8.0/24' }],
        hosts: 2,
        jump: true,
        nat: true,
        iptables: 'legacy',
        rhelPaths: true,
        supervisor: true,
        mtuBytes: 1400,
      }),
    );
    try {
      const node = second.host('node1');
      const direct = await second.workstation.run([
        'ssh',
        '-F',
        second.ssh.configFile,
        '-o',
        'ProxyJump=none',
        '-o',
        'ConnectTimeout=3',
        'node1',
        'true',
      ]);
      expect(direct.code).toBe(255);
      for (const user of ['root', 'admin', 'ops']) {
        const jumped = await second.workstation.run(['ssh', '-F', second.ssh.configFile, `${user}@node1`, 'id -un']);
        expect(jumped.stderr + jumped.stdout).toBe(`${user}\n`);
      }
      expect(await node.must('iptables --version')).toContain('legacy');
      expect(await node.must('ip -4 -br addr show eth0')).toContain('10.0.2.15/24');
      expect(await second.host('node2').must('ip -4 -br addr show eth0')).toContain('10.0.2.15/24');
      expect(await node.must('cat /sys/class/net/eth1/mtu')).toBe('1400\n');
      expect(await node.must('supervisorctl status; test -d /etc/sysconfig; systemctl is-active supervisor')).toContain(
        'active',
      );
      // Out by its NAT, to its neighbour by the LAN, to the other segment by the gateway.
      expect(await node.must(`docker run --rm lab.image wget -qO- ${second.internet.url}`)).toMatch(
        /^198\.51\.100\.\d+\n$/,
      );
      expect((await node.run('ping -c1 -W2 10.4.8.22')).code).toBe(0);
      expect((await node.run('ping -c1 -W2 10.4.7.5')).code).toBe(0);
      expect((await node.run('ping -c1 -W1 -I eth0 10.4.8.22')).code).not.toBe(0);
      expect(await second.host('jump').must('ip -4 -br addr')).toContain('10.4.8.5/24');
    } finally {
      await timed('removing the second lab', () => second.stop());
    }
    expect(await lab.host('node1').isOn()).toBe(true);
    expect(await traces(`b${suffix}`)).toEqual([]);
  });

  test('a lab on the machine itself takes networks that are free', async () => {
    const third = await startLab({ id: `c${suffix}`, hosts: 1, docker: 'absent' });
    try {
      const direct = await exec(['ssh', '-F', third.ssh.configFile, 'node1', 'command -v dockerd || hostname']);
      expect(direct.stdout).toBe('node1\n');
      const overlapping = startLab({ hosts: 1, segments: [{ network: third.shape.segments[0]?.network ?? '' }] });
      await expect(overlapping).rejects.toThrow('this machine reaches');
    } finally {
      await third.stop();
    }
  });

  test('a lab goes when the process that owns it is killed', async () => {
    const id = `d${suffix}`;
    try {
      const owner = spawn(launcher, ['up', '--lab', id, '--hosts', '2'], { stdio: 'ignore' });
      await expect.poll(() => exists(join(folderOf(id), 'hosts/node1/nspawn.pid')), { timeout: 20_000 }).toBe(true);
      owner.kill('SIGKILL');
      await expect.poll(() => traces(id), { timeout: 20_000 }).toEqual([]);
    } finally {
      await removeLab(id);
    }
  });

  test('without root the lab says so, and fails', async () => {
    const { code, stderr } = await exec([
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      launcher,
      'up',
    ]);
    expect(code).toBe(1);
    expect(stderr).toBe('lab: the lab needs root (it makes network namespaces and boots hosts): sudo test/lab/lab …\n');
  });

  test('the lab leaves nothing behind', async () => {
    await timed('removing three hosts', () => lab.stop());
    await lab.stop();
    expect(await traces(lab.id)).toEqual([]);
    expect(await machineState()).toEqual(before);
  });
});

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Whatever on this machine still bears the name of a lab. */
async function traces(id: string): Promise<readonly string[]> {
  const places = [
    'ip netns list',
    'ip -o link',
    'ip route show table all',
    'cat /proc/self/mountinfo',
    'find /sys/fs/cgroup -type d -path "*netctl-lab*"',
    'ls /run/systemd/nspawn/propagate',
    'ls -d /var/cache/netctl-lab/labs/* "$NETCTL_LAB_DIR"/labs/*',
    // A zombie waits for this machine's process 1 and is no process of the lab any more.
    'ps -eo stat=,args= | grep -v "^Z"',
  ];
  const { stdout } = await exec(['sh', '-c', `(${places.join('; ')}) 2>/dev/null`]);
  const name = new RegExp(`nl-${id}\\b|netctl-lab/${id}\\b|labs/${id}\\b`);
  return stdout.split('\n').filter((line) => name.test(line));
}

type MachineState = Readonly<Record<string, readonly string[]>>;

/** What must be the same before and after, but for other labs that come and go at the same time. */
async function machineState(): Promise<MachineState> {
  const state: Record<string, readonly string[]> = {};
  for (const line of [
    'ip -o link',
    'ip -o addr',
    'ip route show table all',
    'ip rule',
    'cat /proc/self/mountinfo',
    'iptables-save | grep -v "^#"',
    'nft list ruleset',
    'sysctl -a 2>/dev/null | grep -E "^(kernel\\.(pid_max|core|hostname|panic|dmesg|sysrq)|fs\\.(protected|file-max|nr_open)|vm\\.(max|over|swap)|net\\.(ipv4\\.ip_forward|bridge|core))"',
  ]) {
    const { stdout } = await exec(['sh', '-c', line]);
    state[line] = stdout.split('\n').filter((text) => !/nl-|netctl-lab|\/run\/netns/.test(text));
  }
  return state;
}
