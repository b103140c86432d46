import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shWord } from '../../src/lib/net/supervisor-program';
import { ensureBuilt, node, runJs } from '../support/built';
import { labFolder } from './base';
import { type ExecOptions, mustExec, type Output } from './exec';
import type { Lab, LabCommand } from './lab';
import { LabError } from './lab-error';

/** netctl where the administrator sits: the built program, with `netctl.yaml` in its working folder. */
export interface LabNetctl {
  /** The working folder, which is also HOME: no settings of the person who runs the tests reach in. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Replaces netctl.yaml. JSON is YAML. */
  writeInventory(inventory: object): Promise<void>;
  run(args: readonly string[], options?: ExecOptions): Promise<Output>;
  /** As `run`; throws LabError unless it exits with 0. */
  must(args: readonly string[], options?: ExecOptions): Promise<Output>;
  /** `must` with `-o json`, read. */
  json(args: readonly string[], options?: ExecOptions): Promise<unknown>;
  /** Any line of a shell there; `netctl` is on its PATH. */
  shell(line: string, options?: ExecOptions): Promise<Output>;
  /** On a terminal of its own; `answers` are typed when their questions are shown. Everything shown is in `stdout`. */
  onTerminal(
    args: readonly string[],
    answers: readonly (readonly [question: string, answer: string])[],
  ): Promise<Output>;
  /** Starts netctl and kills it with `signal` as soon as `until` is true of what it said so far. */
  runAndKill(args: readonly string[], signal: NodeJS.Signals, until: (said: string) => boolean): Promise<Output>;
}

/** @throws LabError when the program cannot be built */
export async function netctlOn(lab: Lab, inventory: object): Promise<LabNetctl> {
  ensureBuilt();
  const folder = join(lab.folder, 'admin');
  await mkdir(join(folder, 'bin'), { recursive: true });
  await writeFile(join(folder, 'bin/netctl'), `#!/bin/sh\nexec '${node}' '${runJs}' "$@"\n`, { mode: 0o755 });
  const env = {
    PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: folder,
    LANG: 'C.UTF-8',
    COLUMNS: '120',
    SSH_AUTH_SOCK: '',
  };
  const clean = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const words = (command: LabCommand) =>
    lab.workstation.words([
      'env',
      '-i',
      '-C',
      folder,
      ...clean,
      ...(typeof command === 'string' ? ['sh', '-c', command] : command),
    ]);
  const line = (args: readonly string[]): readonly [string, ...string[]] => ['netctl', ...args];

  const self: LabNetctl = {
    folder,
    env,
    writeInventory: (next) => writeFile(join(folder, 'netctl.yaml'), JSON.stringify(next, null, 2)),
    run: (args, options) =>
      lab.workstation.run(['env', '-i', '-C', folder, ...clean, ...line(args)], { timeoutSeconds: 110, ...options }),
    async must(args, options) {
      const output = await self.run(args, options);
      if (output.code === 0) return output;
      throw new LabError(`netctl ${args.join(' ')}: exit code ${output.code}\n${output.stdout}${output.stderr}`);
    },
    json: async (args, options) => JSON.parse((await self.must([...args, '-o', 'json'], options)).stdout) as unknown,
    shell: (command, options) =>
      lab.workstation.run(['env', '-i', '-C', folder, ...clean, 'bash', '-c', command], {
        timeoutSeconds: 110,
        ...options,
      }),
    onTerminal(args, answers) {
      const [program, ...rest] = words(['script', '-qefc', ['netctl', ...args].map(shWord).join(' '), '/dev/null']);
      return new Promise((resolve, reject) => {
        const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
        const left = [...answers];
        let shown = '';
        let heard = 0;
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          shown += text;
          const [next] = left;
          const at = next === undefined ? -1 : shown.indexOf(next[0], heard);
          if (next === undefined || at < 0) return;
          heard = at + next[0].length;
          left.shift();
          child.stdin.write(`${next[1]}\r`);
        });
        const timer = setTimeout(() => child.kill('SIGKILL'), 110_000);
        child.on('error', reject);
        child.on('close', (code) => {
          clearTimeout(timer);
          resolve({ stdout: shown, stderr: '', code: code ?? 137 });
        });
      });
    },
    runAndKill(args, signal, until) {
      const [program, ...rest] = words(line(args));
      return new Promise((resolve, reject) => {
        const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
        const said = { stdout: '', stderr: '' };
        let isKilled = false;
        const hear = (stream: 'stdout' | 'stderr') => (chunk: Buffer) => {
          said[stream] += chunk.toString('utf8');
          if (isKilled || !until(said.stdout + said.stderr)) return;
          isKilled = true;
          child.kill(signal);
        };
        child.stdout.on('data', hear('stdout'));
        child.stderr.on('data', hear('stderr'));
        child.on('error', reject);
        child.on('close', (code, by) => resolve({ ...said, code: code ?? (by === 'SIGKILL' ? 137 : 130) }));
      });
    },
  };
  await self.writeInventory(inventory);
  return self;
}

/** What every inventory of a lab has in common: etcd as the workstation sees it, and how SSH gets in as root. */
export function labAccess(lab: Lab): { readonly etcd: object; readonly ssh: object } {
  const certificates = lab.etcd?.certificates;
  return {
    etcd: {
      endpoints: lab.etcd?.endpoints ?? [],
      ...(certificates === null || certificates === undefined
        ? {}
        : { ca: certificates.caFile, cert: certificates.clientCertFile, key: certificates.clientKeyFile }),
    },
    ssh: { user: 'root', identityFile: lab.ssh.keyFile, knownHosts: lab.ssh.knownHostsFile },
  };
}

const said = new Set<string>();

/**
 * The archive of a flannel release: one of `NETCTL_LAB_FLANNEL` (paths with `:` between them) when it has that version, else
 * one made around the stand-in. Which of them it is, is said on stderr.
 */
export async function flannelArchive(tag: string): Promise<string> {
  const given = (process.env['NETCTL_LAB_FLANNEL'] ?? '')
    .split(':')
    .find((path) => basename(path).includes(`-${tag}-`));
  const path = given ?? (await makeArchive(tag));
  if (!said.has(path))
    console.error(`  flannel ${tag}: ${given === undefined ? "the lab's stand-in, test/lab/flannel" : given}`);
  said.add(path);
  return path;
}

async function makeArchive(tag: string): Promise<string> {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'flannel/make-archive');
  return (await mustExec([script, tag, join(labFolder(), 'flannel')])).trim();
}
