import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SshTarget } from '../../src/lib/host/ssh-target';

/** Why no private sshd can run here, undefined when it can. */
export const whyNoSshd =
  process.getuid?.() !== 0
    ? 'sshd needs root'
    : existsSync('/usr/sbin/sshd')
      ? undefined
      : 'there is no /usr/sbin/sshd (apt-get install openssh-server)';
if (whyNoSshd !== undefined) console.error(`\n*** TESTS OF SSH DO NOT RUN: ${whyNoSshd} ***\n`);

type KeyType = 'ed25519' | 'ecdsa' | 'rsa';

interface KeyOptions {
  readonly type?: KeyType;
  readonly passphrase?: string;
  readonly format?: 'PEM' | 'PKCS8';
}

/** A folder with keys; real sshds on loopback take them. Nothing of this machine's own SSH is read or written. */
export interface SshLand {
  readonly folder: string;
  file(name: string): string;
  /** A new key pair; its file. */
  makeKey(name: string, options?: KeyOptions): string;
  sshd(options?: SshdOptions): Promise<PrivateSshd>;
  remove(): Promise<void>;
}

export interface SshdOptions {
  readonly hostKeys?: readonly KeyType[];
  /** Public keys that are let in; the key `user` unless told. */
  readonly authorized?: readonly string[];
  /** Lines of sshd_config before the others: the first of a keyword holds. */
  readonly config?: readonly string[];
  /** The same port as another one that is gone. */
  readonly port?: number;
}

export interface PrivateSshd {
  readonly port: number;
  readonly log: () => string;
  /** Its host key of a type as `type base64`. */
  publicKey(type: KeyType): string;
  /** Known, with the key `user`, unless told otherwise. */
  target(changes?: Partial<SshTarget>): SshTarget;
  /** sshd and all its connections stop where they stand, as a machine that hangs; `freeze(false)` lets them go on. */
  freeze(isFrozen: boolean): void;
  /** Every process of it dies at once, the commands that run too. */
  kill(): void;
  /** Only what holds the connections dies: to the commands it looks as if the cable were cut. */
  killConnections(): void;
}

export function makeSshLand(): SshLand {
  const folder = mkdtempSync(join(tmpdir(), 'netctl-ssh-'));
  const file = (name: string) => join(folder, name);
  const running = new Set<ChildProcess>();
  mkdirSync(file('home'));
  mkdirSync('/run/sshd', { recursive: true });
  let count = 0;

  const land: SshLand = {
    folder,
    file,
    makeKey(name, { type = 'ed25519', passphrase = '', format }: KeyOptions = {}) {
      const words = [
        '-q',
        '-t',
        type,
        ...(type === 'rsa' ? ['-b', '2048'] : []),
        ...(format === undefined ? [] : ['-m', format]),
      ];
      execFileSync('ssh-keygen', [...words, '-N', passphrase, '-C', name, '-f', file(name)]);
      return file(name);
    },
    async sshd({ hostKeys = ['ed25519'], authorized = [file('user.pub')], config = [], port }: SshdOptions = {}) {
      count += 1;
      const id = `sshd${count}`;
      for (const type of hostKeys) {
        if (!existsSync(file(`host-${type}`))) land.makeKey(`host-${type}`, { type });
      }
      writeFileSync(file(`${id}.authorized`), authorized.map((each) => readFileSync(each, 'utf8')).join(''));
      for (let attempt = 1; ; attempt++) {
        const chosen = port ?? (await freePort());
        writeFileSync(
          file(`${id}.conf`),
          [
            ...config,
            'ListenAddress 127.0.0.1',
            `Port ${chosen}`,
            ...hostKeys.map((type) => `HostKey ${file(`host-${type}`)}`),
            `AuthorizedKeysFile ${file(`${id}.authorized`)}`,
            'StrictModes no',
            'UsePAM no',
            'PasswordAuthentication no',
            'PidFile none',
            'PermitRootLogin yes',
            // Else root's .bashrc runs on every command.
            `SetEnv HOME=${file('home')}`,
            '',
          ].join('\n'),
        );
        const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', file(`${id}.conf`)], {
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        let log = '';
        child.stderr.on('data', (chunk: Buffer) => {
          log += chunk.toString();
        });
        running.add(child);
        child.once('exit', () => running.delete(child));
        // Somebody may have taken the port meanwhile.
        if (!(await isUp(child, chosen))) {
          if (attempt === 5) throw new Error(`sshd does not start: ${log}`);
          continue;
        }
        return {
          port: chosen,
          log: () => log,
          publicKey: (type) =>
            readFileSync(file(`host-${type}.pub`), 'utf8')
              .split(' ')
              .slice(0, 2)
              .join(' '),
          target: (changes) => {
            const known = file(`${id}.known`);
            const lines = hostKeys.map(
              (type) => `[127.0.0.1]:${chosen} ${readFileSync(file(`host-${type}.pub`), 'utf8')}`,
            );
            writeFileSync(known, lines.join(''));
            return { ...targetAt(chosen, file('user'), known), ...changes };
          },
          freeze: (isFrozen) => signalAll(child, isFrozen ? 'SIGSTOP' : 'SIGCONT'),
          kill: () => signalAll(child, 'SIGKILL'),
          killConnections: () => signalAll(child, 'SIGKILL', 'sshd'),
        };
      }
    },
    async remove() {
      for (const child of running) signalAll(child, 'SIGKILL');
      while (running.size > 0) await sleep(10);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  land.makeKey('user');
  return land;
}

function targetAt(port: number, identityFile: string, knownHosts: string): SshTarget {
  return {
    name: 'node1',
    hostName: '127.0.0.1',
    port,
    user: 'root',
    identityFiles: [{ file: identityFile, isNamed: true }],
    preferredIdentityFiles: [],
    identitiesOnly: true,
    allowsPublicKey: true,
    allowsPassword: true,
    allowsKeyboardInteractive: true,
    passwordPrompts: 3,
    knownHosts: { user: [knownHosts], global: [] },
    hostKey: 'strict',
    hashKnownHosts: false,
    connectTimeoutMs: 5000,
    jumps: [],
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function isUp(child: ChildProcess, port: number): Promise<boolean> {
  for (let tries = 0; tries < 250; tries++) {
    if (child.exitCode !== null) return false;
    const greeted = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket
        .once('data', () => resolve(true))
        .once('error', () => resolve(false))
        .once('close', () => resolve(false));
      setTimeout(() => resolve(false), 1000).unref();
      socket.once('data', () => socket.destroy());
    });
    if (greeted) return child.exitCode === null;
    await sleep(20);
  }
  return false;
}

function signalAll(child: ChildProcess, signal: NodeJS.Signals, program?: string): void {
  if (child.pid === undefined) return;
  for (const pid of [child.pid, ...descendants(child.pid)]) {
    try {
      if (program !== undefined && readFileSync(`/proc/${pid}/comm`, 'latin1').trim() !== program) continue;
      process.kill(pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}

function descendants(pid: number): readonly number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'latin1')) ?? [];
        return { pid: Number(name), parent: Number(parent) };
      } catch {
        return { pid: Number(name), parent: 0 };
      }
    });
  const of = (parent: number): readonly number[] =>
    parents.filter((each) => each.parent === parent).flatMap((each) => [each.pid, ...of(each.pid)]);
  return of(pid);
}
