import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** Why there is no machine to try iptables on; undefined when there is one. */
export const whyNoMachine: string | undefined =
  process.getuid?.() === 0 &&
  spawnSync('/usr/bin/env', ['unshare', '-n', '-m', 'iptables-nft', '-t', 'nat', '-S']).status === 0
    ? undefined
    : 'only root has a network of his own, and iptables-nft';

/** A network and mounts of its own, with real iptables: what is tried there touches nothing here. */
export interface PrivateMachine {
  /** What a shell script prints; throws when it fails. */
  must(script: string, ...words: readonly string[]): string;
  run(argv: readonly string[]): { readonly code: number | null; readonly output: string };
  end(): Promise<void>;
}

/** @param setUp a shell script that makes its devices and rules */
export async function privateMachine(setUp: string): Promise<PrivateMachine> {
  const holder: ChildProcess = spawn(
    '/usr/bin/env',
    [
      'unshare',
      '-n',
      '-m',
      'sh',
      '-c',
      'mount -t tmpfs t /run && mount -t tmpfs t /usr/local/sbin && echo ready && exec sleep 600',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (holder.stdout === null || holder.pid === undefined) throw new Error('no unshare');
  await once(holder.stdout, 'data');
  const inside = ['-t', String(holder.pid), '-n', '-m', '--'];
  const run: PrivateMachine['run'] = (argv) => {
    const path = '/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin';
    const ran = spawnSync('/usr/bin/env', ['nsenter', ...inside, ...argv], {
      encoding: 'utf8',
      env: { PATH: path, LC_ALL: 'C' },
    });
    return { code: ran.status, output: `${ran.stdout}${ran.stderr}` };
  };
  const machine: PrivateMachine = {
    run,
    must(script, ...words) {
      const { code, output } = run(['dash', '-c', script, 'dash', ...words]);
      if (code !== 0) throw new Error(`${script} ended with ${code}: ${output}`);
      return output;
    },
    async end() {
      if (holder.exitCode !== null || holder.signalCode !== null) return;
      const ended = once(holder, 'exit');
      holder.kill('SIGKILL');
      await ended;
    },
  };
  try {
    machine.must(setUp);
  } catch (error) {
    await machine.end();
    throw error;
  }
  return machine;
}
