import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { ensureBase, whyNoLab } from './base';
import type { BootState, Lab, LabHost } from './lab';
import { LabError } from './lab-error';
import { labIds, readShape } from './lab-folders';
import { openLab } from './open-lab';
import { allLabs, removeLab, removeOrphans } from './remove-lab';
import type { LabOptions } from './shape';
import { startLab } from './start-lab';
import { installTools } from './tools';

const help = `A lab of real hosts on this machine (root on Linux). See test/lab/README.md.

  lab up [--hosts 3] [options]    make a lab; it stays until "lab down"
  lab down [--all]                remove it, or every lab
  lab status                      the labs, their hosts and addresses
  lab shell NODE                  a root shell in a host, past the network (works with the cable cut)
  lab exec NODE WORD…             one command there
  lab ssh [USER@]NODE [WORD…]     as netctl goes there: by SSH, from the workstation
  lab run WORD…                   a command on the workstation (netctl, ssh); the same as without "lab run"
                                  unless the lab was made with --workstation namespace
  lab etcdctl WORD…               etcdctl with the lab's endpoints and certificates
  lab reboot NODE                 an orderly reboot
  lab kill NODE                   a power cut          lab start NODE    boot it again
  lab cut NODE                    pull its cable out   lab heal NODE     put it back
  lab freeze NODE                 it hangs             lab thaw NODE     it goes on
  lab info                        everything about the lab as JSON
  lab base                        only build the base file system

Options for all: --lab ID (hand unless told).
Options for up:  --hosts N  --segments N  --networks CIDR[,CIDR]  --addresses IP,IP,…  --jump
  --etcd (one member)  --etcd-members lan,node1,node2  --no-tls  --v2  --mtu BYTES  --nat  --rhel
  --iptables nft|legacy  --docker running|stopped|absent  --supervisor  --workstation machine|namespace
`;

const options = {
  lab: { type: 'string', default: 'hand' },
  all: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  hosts: { type: 'string' },
  segments: { type: 'string' },
  networks: { type: 'string' },
  addresses: { type: 'string' },
  jump: { type: 'boolean', default: false },
  etcd: { type: 'boolean', default: false },
  'etcd-members': { type: 'string' },
  'no-tls': { type: 'boolean', default: false },
  v2: { type: 'boolean', default: false },
  mtu: { type: 'string' },
  nat: { type: 'boolean', default: false },
  rhel: { type: 'boolean', default: false },
  iptables: { type: 'string' },
  docker: { type: 'string' },
  supervisor: { type: 'boolean', default: false },
  workstation: { type: 'string' },
} as const;

type Flags = ReturnType<typeof parse>['values'];

/** The lab's own flags stand before the words of a command that is run elsewhere. */
function parse(words: readonly string[]) {
  const verb = words.findIndex((word, index) => !word.startsWith('-') && words[index - 1] !== '--lab');
  const takesWords = ['shell', 'exec', 'ssh', 'run', 'etcdctl'].includes(words[verb] ?? '');
  const own = takesWords ? words.slice(0, verb + 1) : words;
  const rest = takesWords ? words.slice(verb + 1) : [];
  // `lab exec --lab two node1 …` is what one types.
  const early = rest[0] === '--lab' ? rest.slice(0, 2) : [];
  const { values, positionals } = parseArgs({ args: [...own, ...early], options, allowPositionals: true });
  return { values, words: [...positionals, ...rest.slice(early.length)] };
}

const say = (line: string) => process.stderr.write(`${line}\n`);
const show = (text: string) => process.stdout.write(text);

async function main(): Promise<number> {
  const { values: flags, words } = parse(process.argv.slice(2));
  const [verb, ...rest] = words;
  if (verb === undefined || verb === 'help' || flags.help) {
    show(help);
    return 0;
  }
  const reason = await whyNoLab();
  if (reason !== undefined) throw new LabError(reason);
  switch (verb) {
    case 'up':
      return up(flags);
    case 'down':
      await removeOrphans(say);
      for (const id of flags.all ? await allLabs() : [flags.lab]) {
        await removeLab(id);
        say(`lab ${id}: removed`);
      }
      return 0;
    case 'base':
      await installTools(say);
      show(`${(await ensureBase(say)).root}\n`);
      return 0;
    case 'status':
      for (const id of await labIds()) await showStatus(openLab(await readShape(id)));
      return 0;
  }
  return onLab(openLab(await readShape(flags.lab)), verb, rest);
}

async function onLab(lab: Lab, verb: string, rest: readonly string[]): Promise<number> {
  const [first = '', ...others] = rest;
  switch (verb) {
    case 'info':
      show(`${JSON.stringify(describe(lab), null, 2)}\n`);
      return 0;
    case 'shell':
    case 'exec': {
      const [program = 'bash', ...args] = others;
      return onTerminal(await lab.host(first).words([program, ...args]));
    }
    case 'run':
      return onTerminal(lab.workstation.words([first, ...others]));
    case 'ssh':
      return onTerminal(lab.workstation.words(['ssh', '-F', lab.ssh.configFile, first, ...others]));
    case 'etcdctl': {
      if (lab.etcd === null) throw new LabError(`${lab.id}: this lab has no etcd (lab up --etcd)`);
      const output = await lab.etcd.ctl(...rest);
      show(output.stdout);
      process.stderr.write(output.stderr);
      return output.code;
    }
    case 'reboot':
      return showBoot(lab.host(first), await lab.host(first).reboot());
    case 'start':
      return showBoot(lab.host(first), await lab.host(first).powerOn());
    case 'kill':
      await lab.host(first).powerCut();
      return 0;
    case 'cut':
      await lab.host(first).cut();
      return 0;
    case 'heal':
      await lab.host(first).heal();
      return 0;
    case 'freeze':
      await lab.host(first).freeze();
      return 0;
    case 'thaw':
      await lab.host(first).thaw();
      return 0;
    default:
      throw new LabError(`${verb}: no such command; see test/lab/lab help`);
  }
}

async function up(flags: Flags): Promise<number> {
  const began = performance.now();
  const lab = await startLab({ id: flags.lab, ownerPid: null, ...labOptions(flags) }, say);
  say(`lab ${lab.id}: up after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  await showStatus(lab);
  return 0;
}

function labOptions(flags: Flags): LabOptions {
  const list = (text: string | undefined) => text?.split(',').filter((part) => part !== '');
  const networks = list(flags.networks)?.map((network) => ({ network }));
  const addresses = list(flags.addresses);
  const segments = networks ?? number('--segments', flags.segments);
  const count = number('--hosts', flags.hosts) ?? addresses?.length;
  const hosts =
    addresses === undefined
      ? count
      : Array.from({ length: count ?? 0 }, (_, index) => {
          const address = addresses[index];
          return address === undefined ? {} : { address };
        });
  const mtuBytes = number('--mtu', flags.mtu);
  const members = list(flags['etcd-members']);
  const iptables = choice('--iptables', flags.iptables, ['nft', 'legacy']);
  const docker = choice('--docker', flags.docker, ['running', 'stopped', 'absent']);
  const workstation = choice('--workstation', flags.workstation, ['machine', 'namespace']);
  return {
    jump: flags.jump,
    nat: flags.nat,
    rhelPaths: flags.rhel,
    supervisor: flags.supervisor,
    etcd:
      flags.etcd || members !== undefined || flags.v2 || flags['no-tls']
        ? { tls: !flags['no-tls'], v2: flags.v2, ...(members === undefined ? {} : { members }) }
        : false,
    ...(hosts === undefined ? {} : { hosts }),
    ...(segments === undefined ? {} : { segments }),
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
    ...(iptables === undefined ? {} : { iptables }),
    ...(docker === undefined ? {} : { docker }),
    ...(workstation === undefined ? {} : { workstation }),
  };
}

function number(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new LabError(`${flag} ${text}: not a positive number`);
  return Number(text);
}

function choice<T extends string>(flag: string, text: string | undefined, choices: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const found = choices.find((candidate) => candidate === text);
  if (found === undefined) throw new LabError(`${flag} ${text}: one of ${choices.join(', ')}`);
  return found;
}

function onTerminal(words: readonly [string, ...string[]]): number {
  const [program, ...args] = words;
  return spawnSync(program, args, { stdio: 'inherit' }).status ?? 1;
}

function showBoot(host: LabHost, { state, failedUnits }: BootState): number {
  show(`${host.name}: ${[state, ...failedUnits].join(' ')}\n`);
  return state === 'running' ? 0 : 1;
}

async function showStatus(lab: Lab): Promise<void> {
  const { shape } = lab;
  show(`lab ${lab.id}: workstation ${lab.workstation.address} (${shape.workstation}), internet ${lab.internet.url}\n`);
  for (const host of lab.hosts) {
    const state = (await host.isOn()) ? 'on' : 'off';
    const cable = (await host.hasCable()) ? '' : '  cable cut';
    show(`  ${host.name.padEnd(10)} ${host.address.padEnd(15)} segment ${host.shape.segment}  ${state}${cable}\n`);
  }
  if (lab.etcd !== null) show(`  etcd       ${lab.etcd.endpoints.join(',')}\n`);
  show(`  ssh -F ${lab.ssh.configFile} ${lab.hosts[0]?.name ?? 'NODE'}\n`);
}

/** What scripts need: `bin/demo` reads it. */
function describe(lab: Lab) {
  return {
    id: lab.id,
    folder: lab.folder,
    workstation: { kind: lab.shape.workstation, address: lab.workstation.address },
    internet: lab.internet.url,
    segments: lab.shape.segments,
    hosts: lab.hosts.map(({ name, address, shape, root }) => ({
      name,
      address,
      segment: shape.segment,
      nics: shape.nics,
      root,
    })),
    ssh: lab.ssh,
    etcd: lab.etcd === null ? null : { endpoints: lab.etcd.endpoints, certificates: lab.etcd.certificates },
  };
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    say(error instanceof LabError ? `lab: ${error.message}` : String(error instanceof Error ? error.stack : error));
    process.exitCode = 1;
  },
);
