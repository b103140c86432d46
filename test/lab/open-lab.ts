import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startInBackground } from './background';
import { freezeCgroups, makeCgroups, processesOf } from './cgroups';
import { etcdCertificates } from './etcd-certificates';
import { type ExecOptions, exec, mustRunScript } from './exec';
import { etcdSettings } from './host-files';
import type { BootOptions, BootState, Lab, LabCommand, LabEtcd, LabHost } from './lab';
import { LabError } from './lab-error';
import { hostFolder } from './lab-folders';
import { namespaceOf, portOf } from './network';
import { removeLab } from './remove-lab';
import { type EtcdShape, type HostShape, internetAddress, type Shape } from './shape';
import { sshAccess } from './ssh-access';

/** The handle on a lab that is up (or on its way): everything follows from its shape, nothing is remembered. */
export function openLab(shape: Shape): Lab {
  const hosts = shape.hosts.map((host) => openHost(shape, host));
  const words = (command: LabCommand): readonly [string, ...string[]] =>
    shape.workstation === 'machine'
      ? wordsOf(command)
      : ['ip', 'netns', 'exec', namespaceOf(shape.id, 'ws'), ...wordsOf(command)];
  return {
    id: shape.id,
    folder: shape.folder,
    shape,
    hosts,
    host(name) {
      const host = hosts.find((candidate) => candidate.name === name);
      if (host !== undefined) return host;
      throw new LabError(
        `${name}: no such host in lab ${shape.id}; there are ${hosts.map((one) => one.name).join(', ')}`,
      );
    },
    ssh: sshAccess(shape.folder),
    etcd: shape.etcd === null ? null : openEtcd(shape, shape.etcd, hosts),
    workstation: {
      address: shape.segments[0]?.workstation ?? '',
      words,
      run: (command, options) => exec(words(command), options),
    },
    internet: {
      address: internetAddress,
      url: `http://${internetAddress}/`,
      async visitors() {
        const log = await readFile(join(shape.folder, 'internet.log'), 'utf8');
        return [...log.matchAll(/^\[?(?:::ffff:)?([0-9.]+)\]?:\d+: url:/gm)].map((match) => match[1] ?? '');
      },
    },
    stop: () => removeLab(shape.id),
  };
}

function wordsOf(command: LabCommand): readonly [string, ...string[]] {
  return typeof command === 'string' ? ['sh', '-c', command] : command;
}

function openHost(shape: Shape, host: HostShape): LabHost {
  const folder = hostFolder(shape, host.name);
  const lan = namespaceOf(shape.id, 'lan');
  const cableFile = join(folder, 'cut');
  const setCable = (state: 'up' | 'down') =>
    mustRunScript(
      host.nics.map((nic) => `ip -n ${lan} link set ${portOf(host.name, nic.segment)} ${state}`).join('\n'),
    );

  const words = async (command: LabCommand): Promise<readonly [string, ...string[]]> => {
    const leader = await leaderOf(folder);
    if (leader === undefined)
      throw new LabError(`${host.name}: it is off; boot it with powerOn (lab start ${host.name})`);
    const environment = [`PATH=${path}`, 'HOME=/root', 'LANG=C.UTF-8', `TERM=${process.env['TERM'] ?? 'dumb'}`];
    return ['nsenter', '--target', String(leader), '--all', 'env', '-i', ...environment, ...wordsOf(command)];
  };
  const run = async (command: LabCommand, options?: ExecOptions) => exec(await words(command), options);

  const self: LabHost = {
    name: host.name,
    address: host.address,
    shape: host,
    root: join(folder, 'root'),
    words,
    run,
    async must(command, options) {
      const output = await run(command, options);
      if (output.code === 0) return output.stdout;
      const line = typeof command === 'string' ? command : command.join(' ');
      throw new LabError(`${host.name}: ${line}: exit code ${output.code}\n${output.stdout}${output.stderr}`);
    },
    hasCable: async () => (await readFile(cableFile).catch(() => undefined)) === undefined,
    isOn: async () => (await leaderOf(folder)) !== undefined,
    async reboot(options) {
      const before = await leaderOf(folder);
      await run(['systemctl', 'reboot']);
      return waitForBoot(self, folder, options, before);
    },
    async powerCut() {
      // The cable first: a dying kernel would say goodbye to its peers, and one without power cannot.
      await mustRunScript(
        host.nics.map((nic) => `ip -n ${lan} link del ${portOf(host.name, nic.segment)} 2>/dev/null || :`).join('\n'),
      );
      await freezeCgroups(shape.id, host.name, false);
      const leader = await leaderOf(folder);
      if (leader !== undefined) process.kill(leader, 'SIGKILL');
      await untilOff(shape.id, host.name);
    },
    async powerOn(options) {
      if (await self.isOn()) throw new LabError(`${host.name}: it is on already`);
      await untilOff(shape.id, host.name);
      await boot(shape, host.name);
      return waitForBoot(self, folder, options);
    },
    async cut() {
      await writeFile(cableFile, '');
      await setCable('down');
    },
    async heal() {
      await rm(cableFile, { force: true });
      await setCable('up');
    },
    freeze: () => freezeCgroups(shape.id, host.name, true),
    thaw: () => freezeCgroups(shape.id, host.name, false),
    console: () => readFile(join(folder, 'console.log'), 'utf8').catch(() => ''),
  };
  return self;
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Starts the loop that boots a host, and boots it again after each reboot. It does not wait. */
export async function boot(shape: Shape, host: string): Promise<void> {
  const folder = hostFolder(shape, host);
  const cgroups = await makeCgroups(shape.id, `${host}/loop`);
  await startInBackground(`exec sh '${folder}/boot.sh'`, cgroups, join(folder, 'boot.log'));
}

/** The host's process 1, by its number on this machine. */
async function leaderOf(folder: string): Promise<number | undefined> {
  const pid = (await readFile(join(folder, 'nspawn.pid'), 'utf8').catch(() => '')).trim();
  if (pid === '') return undefined;
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')).trim().split(' ');
  for (const child of children) {
    const status = await readFile(`/proc/${child}/status`, 'utf8').catch(() => '');
    if (/^NSpid:\t\d+\t1$/m.test(status) && !/^State:\t[ZX]/m.test(status)) return Number(child);
  }
  return undefined;
}

async function untilOff(id: string, host: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if ((await processesOf(id, host)).length === 0) return;
    await pause(50);
  }
  throw new LabError(`${host}: does not go off: ${(await processesOf(id, host)).join(' ')}`);
}

/** Waits until systemd has nothing more to start. `previous` is the process 1 of the boot that is ending. */
export async function waitForBoot(
  host: LabHost,
  folder: string,
  options: BootOptions = {},
  previous?: number,
): Promise<BootState> {
  const deadline = Date.now() + (options.timeoutSeconds ?? 90) * 1000;
  while (Date.now() < deadline) {
    const leader = await leaderOf(folder);
    if (leader === undefined || leader === previous) {
      await pause(50);
      continue;
    }
    const left = Math.max(1, (deadline - Date.now()) / 1000);
    const output = await host
      .run(['systemctl', 'is-system-running', '--wait'], { timeoutSeconds: left })
      .catch(() => undefined);
    const state = output?.stdout.trim();
    if (state === 'running' || state === 'degraded') {
      const failed = await host.run('systemctl list-units --state=failed --plain --no-legend');
      const units = failed.stdout.split('\n').flatMap((line) => line.split(' ')[0] || []);
      return { state, failedUnits: units };
    }
    await pause(50);
  }
  const leader = await leaderOf(folder);
  if (leader === undefined || leader === previous) {
    throw new LabError(`${host.name}: did not boot. Its console:\n${(await host.console()).slice(-2000)}`);
  }
  // Something is still starting, as a service that waits for a peer may for long.
  const output = await host.run(['systemctl', 'is-system-running'], { timeoutSeconds: 5 });
  return { state: output.stdout.trim(), failedUnits: [] };
}

function openEtcd(shape: Shape, etcd: EtcdShape, hosts: readonly LabHost[]): LabEtcd {
  const scheme = etcd.tls ? 'https' : 'http';
  const endpoints = etcd.members.map((member) => `${scheme}://${member.address}:2379`);
  const certificates = etcd.tls ? etcdCertificates(shape.folder) : null;
  const some = (place: string | undefined) =>
    etcd.members.filter((member) => place === undefined || member.place === place);
  return {
    endpoints,
    certificates,
    ctl: (...args) => {
      const tls = etcd.tls
        ? ['--cacert=/mnt/lab/pki/ca.pem', '--cert=/mnt/lab/pki/client.pem', '--key=/mnt/lab/pki/client-key.pem']
        : [];
      return exec([
        ...inLan(shape),
        'env',
        'ETCDCTL_API=3',
        'etcdctl',
        `--endpoints=${endpoints.join(',')}`,
        ...tls,
        ...args,
      ]);
    },
    async stop(place) {
      for (const member of some(place)) {
        if (member.place === 'lan') await stopLanEtcd(shape);
        else await hosts.find((host) => host.name === member.place)?.must(['systemctl', 'stop', 'etcd']);
      }
    },
    async start(place) {
      // At once: a member is not ready before it has a quorum.
      await Promise.all(
        some(place).map(async (member) => {
          if (member.place === 'lan') await startLanEtcd(shape, etcd, member.name);
          else await hosts.find((host) => host.name === member.place)?.must(['systemctl', 'start', 'etcd']);
        }),
      );
    },
  };
}

/** The words before a program of the base that runs in the LAN's namespace and sees the lab's etcd folder at /mnt/lab. */
function inLan(shape: Shape): readonly [string, ...string[]] {
  const { root } = shape.base;
  return [
    'nsenter',
    `--net=/run/netns/${namespaceOf(shape.id, 'lan')}`,
    'unshare',
    '--mount',
    'sh',
    '-euc',
    `mount --bind '${shape.folder}/etcd' '${root}/mnt/lab'; exec chroot '${root}' "$@"`,
    'sh',
  ];
}

/** Starts the etcd member that has the LAN's 12th address to itself. */
export async function startLanEtcd(shape: Shape, etcd: EtcdShape, name: string): Promise<void> {
  await mkdir(join(shape.folder, 'etcd', 'data'), { recursive: true, mode: 0o700 });
  const settings = etcdSettings(shape, etcd, name, '/mnt/lab/pki', '/mnt/lab/data');
  const words = [...inLan(shape), 'env', ...Object.entries(settings).map(([key, value]) => `${key}=${value}`), 'etcd'];
  const script = `exec ${words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')}`;
  const pid = await startInBackground(
    script,
    await makeCgroups(shape.id, 'lan/etcd'),
    join(shape.folder, 'etcd', 'log'),
  );
  await writeFile(join(shape.folder, 'etcd', 'pid'), String(pid));
}

async function stopLanEtcd(shape: Shape): Promise<void> {
  for (const pid of await processesOf(shape.id, 'lan/etcd')) process.kill(pid, 'SIGTERM');
  await untilOff(shape.id, 'lan/etcd');
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
