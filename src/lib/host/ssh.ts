import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandDefaults } from './command-limits';
import { createConnectLimit } from './connect-limit';
import { Gate } from './gate';
import type { Command, Host, Output } from './host';
import { onAbort } from './on-abort';
import { createSecrets, type Secrets } from './secrets';
import { openConnection, type SshConnection, type SshContext } from './ssh-connection';
import { execOverSsh, NotBegun } from './ssh-exec';
import { createKeyRing } from './ssh-keys';
import type { SshTarget } from './ssh-target';

export interface SshOptions {
  /** How to ask for passphrases and passwords; without it nobody is asked. */
  readonly secrets?: Secrets;
  /** Of a command that says nothing of its own. */
  readonly timeoutMs?: number;
  readonly maxOutputBytes?: number;
  /** A host from which nothing is heard for so long is given up. */
  readonly silentMs?: number;
}

/** Hosts by SSH that share keys, answers of a person, jump hosts, and the care not to overrun any sshd. */
export interface Ssh {
  /** Connects at the first command, once, and again when the connection was lost. */
  host(target: SshTarget): Host;
  /**
   * Resolves when commands that were called off have been stopped on their hosts, after five seconds at most. Worth waiting for before the
   * process exits: what is not stopped goes on there.
   */
  stopped(): Promise<void>;
  /** Ends all connections, those to jump hosts too. */
  close(): void;
}

/**
 * sshd allows ten sessions on a connection (MaxSessions) but frees one a little after we see its end: with six or eight at once
 * some were refused, with four none, and those already run 850 commands a second.
 */
const commandsAtOnce = 4;
const silentMs = 10_000;
const longestStopMs = 5000;
/** After so long a dead jump host is tried anew; until then all behind it learn at once that it is dead. */
const rememberFailureMs = 10_000;

export function openSsh(options: SshOptions = {}): Ssh {
  const jumps = new Map<string, Promise<SshConnection>>();
  const hosts = new Set<Host>();
  const stops = new Set<Promise<void>>();
  const secrets = options.secrets ?? createSecrets(() => Promise.resolve(undefined));
  let context: Promise<SshContext> | undefined;

  const makeContext = async (): Promise<SshContext> => {
    // Loaded here: 26 ms that only those commands pay which go to a host.
    const { default: ssh2 } = await import('ssh2');
    const made: SshContext = {
      ssh2,
      keys: createKeyRing(ssh2, secrets),
      secrets,
      limit: createConnectLimit(),
      silentMs: options.silentMs ?? silentMs,
      stops,
      jump: (target) => {
        const hop = target.jumps.at(-1);
        if (hop === undefined) throw new Error(`${target.name} has no jump host`);
        return shared(hop, made);
      },
    };
    return made;
  };

  const shared = async (hop: SshTarget, made: SshContext): Promise<SshConnection> => {
    const key = JSON.stringify(hop);
    const before = jumps.get(key);
    if (before !== undefined && (await before).ending() === undefined) return before;
    // While the one before was waited for, somebody else may have opened a new one.
    const now = jumps.get(key);
    if (now !== undefined && now !== before) return now;
    const opening = openConnection(hop, made);
    jumps.set(key, opening);
    opening.catch(() => setTimeout(() => jumps.delete(key), rememberFailureMs).unref());
    return opening;
  };

  const connect = (target: SshTarget): Promise<SshConnection> => {
    context ??= makeContext();
    return context.then((made) => openConnection(target, made));
  };

  return {
    host(target) {
      const host = createHost(target, connect, options, () => hosts.delete(host));
      hosts.add(host);
      return host;
    },
    async stopped() {
      await Promise.race([Promise.all(stops), sleep(longestStopMs, undefined, { ref: false })]);
    },
    close() {
      for (const host of [...hosts]) host.close();
      for (const jump of jumps.values())
        jump.then(
          (opened) => opened.close(),
          () => undefined,
        );
      jumps.clear();
    },
  };
}

/** One host by SSH on its own; jump hosts and prompts are shared through `openSsh` instead. */
export function connectSsh(target: SshTarget, options: SshOptions = {}): Host {
  const ssh = openSsh(options);
  return { ...ssh.host(target), close: () => ssh.close() };
}

function createHost(
  target: SshTarget,
  connect: (target: SshTarget) => Promise<SshConnection>,
  options: SshOptions,
  onClose: () => void,
): Host {
  const channels = new Gate(commandsAtOnce);
  const marker = `netctl-${randomBytes(9).toString('hex')}:`;
  let current: Promise<SshConnection> | undefined;
  let isClosed = false;

  /** One attempt for all who wait; the next one after it failed or the connection was lost begins anew. */
  const connection = async (): Promise<SshConnection> => {
    for (;;) {
      const before = current;
      if (before === undefined) {
        const opening = connect(target);
        current = opening;
        opening.then(
          (opened) => isClosed && opened.close(),
          () => {
            if (current === opening) current = undefined;
          },
        );
        return opening;
      }
      const opened = await before;
      if (opened.ending() === undefined) return opened;
      if (current === before) current = undefined;
    }
  };

  return {
    name: target.name,
    async run(command: Command, signal?: AbortSignal): Promise<Output> {
      if (isClosed) throw new Error(`${target.name}: run after close`);
      const limits = {
        host: target.name,
        user: target.user,
        marker,
        timeoutMs: command.timeoutMs ?? options.timeoutMs ?? commandDefaults.timeoutMs,
        maxOutputBytes: command.maxOutputBytes ?? options.maxOutputBytes ?? commandDefaults.maxOutputBytes,
      };
      for (let isRepeated = false; ; isRepeated = true) {
        const opened = await orAbort(connection(), signal);
        try {
          return await channels.run(() => execOverSsh(opened, command, limits, signal), signal);
        } catch (error) {
          if (!(error instanceof NotBegun)) throw error;
          // After a reboot, or where something forgets idle connections.
          if (isRepeated || isClosed) throw error.reason;
          opened.close();
        }
      }
    },
    close() {
      isClosed = true;
      current?.then(
        (opened) => opened.close(),
        () => undefined,
      );
      onClose();
    },
  };
}

/** The signal ends the waiting, not what is waited for: others may wait for it too. */
function orAbort<T>(waiting: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return waiting;
  return new Promise((resolve, reject) => {
    const stopListening = onAbort(signal, () => reject(signal.reason));
    waiting.then(resolve, reject).finally(stopListening);
  });
}
