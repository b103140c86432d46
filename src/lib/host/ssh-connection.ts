import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, ConnectConfig, ServerHostKeyAlgorithm } from 'ssh2';
import { NetctlError, Unreachable } from '../errors';
import type { ConnectLimit } from './connect-limit';
import { checkHostKey, type HostKeyQuestion } from './host-key-check';
import { knownKeyTypes, knownName } from './known-hosts';
import { readKnownHosts } from './known-hosts-file';
import type { Secrets } from './secrets';
import { createLogin, type Login } from './ssh-auth';
import type { KeyRing } from './ssh-keys';
import { describeTarget, type SshTarget } from './ssh-target';

type Ssh2 = typeof import('ssh2');

/** What all connections of one run share. */
export interface SshContext {
  readonly ssh2: Ssh2;
  readonly keys: KeyRing;
  readonly secrets: Secrets;
  readonly limit: ConnectLimit;
  /** A host that is silent for so long is dead. */
  readonly silentMs: number;
  readonly stops: Set<Promise<void>>;
  /** The connection to the last of the target's jump hosts, shared by all that go through it. */
  readonly jump: (target: SshTarget) => Promise<SshConnection>;
}

/** A logged-in connection. */
export interface SshConnection {
  readonly client: Client;
  /** Why it ended; undefined while it lives. */
  readonly ending: () => Ending | undefined;
  /** Aborts when it ends. What ssh2 says of an end may come late or, behind a jump host that waits for a dead machine, never. */
  readonly ended: AbortSignal;
  /** Commands that were called off and are being stopped; of all connections that share a context. */
  readonly stops: Set<Promise<void>>;
  close(): void;
}

/** `message` follows the host's name. */
export interface Ending {
  readonly code: 'host-silent' | 'host-died';
  readonly reason: string;
}

const connectTries = 4;

/**
 * Opens a connection and logs in. Connections that sshd drops (MaxStartups) are tried again, as long as no password was sent on
 * them.
 * @throws Unreachable, with a code for each way in which it can fail
 */
export async function openConnection(target: SshTarget, context: SshContext): Promise<SshConnection> {
  const jump = target.jumps.length === 0 ? undefined : await throughJump(target, context);
  const address = jump === undefined ? `${target.hostName} ${target.port}` : `through ${JSON.stringify(target.jumps)}`;
  for (let attempt = 1; ; attempt++) {
    const found = await context.limit.run(address, () => attemptOnce(target, context, jump));
    if (found.kind === 'open') return found.connection;
    if (!found.mayRepeat || attempt === connectTries) throw found.error;
    await found.asked;
    await sleep(100 * 2 ** attempt * (0.5 + Math.random()));
  }
}

async function throughJump(target: SshTarget, context: SshContext): Promise<SshConnection> {
  try {
    return await context.jump(target);
  } catch (error) {
    throw jumpFailed(target, error);
  }
}

function jumpFailed(target: SshTarget, error: unknown): unknown {
  if (!(error instanceof NetctlError) || error.code === 'host-jump-failed') return error;
  return new Unreachable({
    code: 'host-jump-failed',
    message: `${target.name}: the way there is closed: jump host ${error.message}`,
    details: error.details,
    next: error.next,
    cause: error,
  });
}

type Attempt =
  | { readonly kind: 'open'; readonly connection: SshConnection }
  | {
      readonly kind: 'failed';
      readonly error: unknown;
      readonly mayRepeat: boolean;
      /** Settles when a person who was being asked has answered. */
      readonly asked: Promise<unknown>;
    };

async function attemptOnce(target: SshTarget, context: SshContext, jump: SshConnection | undefined): Promise<Attempt> {
  const name = knownName(target.hostKeyAlias ?? target.hostName, target.hostKeyAlias === undefined ? target.port : 22);
  const known = await readKnownHosts(target.knownHosts);
  const socket = await (jump === undefined ? openSocket(target) : openThrough(target, jump)).catch((error: unknown) => {
    if (error instanceof NetctlError && error.code === 'host-not-ssh') return error;
    throw error;
  });
  // Reset at once, as sshd does when many log in at the same time.
  if (socket instanceof NetctlError) {
    return { kind: 'failed', error: socket, mayRepeat: true, asked: Promise.resolve() };
  }
  const { Client } = context.ssh2;
  const client = new Client();

  return new Promise((resolve) => {
    let ending: Ending | undefined;
    const ended = new AbortController();
    let isReady = false;
    let isSettled = false;
    let hasGreeted = false;
    let acceptedKey: Buffer | undefined;
    let asking: Promise<unknown> = Promise.resolve();
    let questions = 0;
    let phase = 'said nothing that SSH begins with';
    const deadline = createDeadline(target.connectTimeoutMs, () =>
      fail(
        new Unreachable({
          code: 'host-no-answer',
          message: `${target.name}: ${describeTarget(target)} took the connection and ${phase} within ${target.connectTimeoutMs / 1000} s`,
          next: [
            'The machine or its sshd hangs, or something between lets connections through and no data.',
            'A slow way there needs a longer time: --connect-timeout, ssh.connectTimeoutSeconds in netctl.yaml',
          ],
        }),
        false,
      ),
    );

    const settle = (attempt: Attempt) => {
      if (isSettled) return;
      isSettled = true;
      deadline.stop();
      resolve(attempt);
    };
    const fail = (error: unknown, mayRepeat: boolean) => {
      if (isSettled) return;
      settle({ kind: 'failed', error, mayRepeat, asked: asking });
      client.destroy();
      socket.destroy();
    };
    const end = (why: Ending) => {
      ending ??= why;
      alive.stop();
      ended.abort();
      client.destroy();
      socket.destroy();
    };

    const alive = watchLife(socket, context.silentMs, () => {
      end({
        code: 'host-silent',
        reason: `it has been silent for ${context.silentMs / 1000} s: the machine hangs or the way there is cut`,
      });
    });

    const login = createLogin(target, {
      ssh2: context.ssh2,
      keys: context.keys,
      secrets: context.secrets,
      onStep: () => {
        phase = 'did not answer a login';
        deadline.restart();
      },
      onExhausted: () => fail(loginRefused(target, login), false),
      onBug: (error) => fail(error, false),
      async whileAsking(ask) {
        questions += 1;
        deadline.stop();
        const answer = ask();
        asking = answer.catch(() => undefined);
        try {
          return await answer;
        } finally {
          questions -= 1;
          if (!isSettled) deadline.restart();
        }
      },
    });

    client.on('ready', () => {
      isReady = true;
      const connection = {
        client,
        ending: () => ending,
        ended: ended.signal,
        stops: context.stops,
        close() {
          ending ??= { code: 'host-died', reason: 'it was closed' };
          ended.abort();
          // What was called off, and what still ran, is stopped first, as far as that goes.
          const stopped = Promise.race([Promise.all(context.stops), sleep(2500, undefined, { ref: false })]);
          void stopped.then(() => {
            alive.stop();
            client.end();
            setTimeout(() => socket.destroy(), 1000).unref();
          });
        },
      };
      alive.start();
      settle({ kind: 'open', connection });
    });
    client.on('error', (error) => {
      // A key that could not sign; the next one is tried.
      if (error.level === 'agent') return;
      if (isReady) return end({ code: 'host-died', reason: `the connection broke (${error.message})` });
      // An end or a reset: sshd drops connections so when many log in at once.
      if (!hasGreeted && (error.level === 'client-socket' || error.message === 'Connection lost before handshake')) {
        return fail(noGreeting(target), true);
      }
      // Cut off while a person was thinking, or by a busy sshd: nothing was sent that may not be sent again.
      if (questions > 0 || (error.level === 'client-socket' && !login.hasSentPassword())) {
        return fail(brokeOff(target, error.message), true);
      }
      fail(handshakeError(target, login, error), false);
    });
    const gone = () => {
      const through = jump?.ending();
      const reason = through === undefined ? 'the connection broke' : `its jump host is gone: ${through.reason}`;
      if (isReady) end({ code: 'host-died', reason });
      else if (!hasGreeted) fail(noGreeting(target), true);
      else fail(brokeOff(target, 'it closed the connection'), questions > 0 || !login.hasSentPassword());
    };
    client.on('close', gone);
    // A login that goes wrong may still have its reason to tell; then `close` decides.
    client.on('end', () => isReady && gone());

    const question: HostKeyQuestion = { target, name, known };
    const config: ConnectConfig = {
      sock: socket,
      username: target.user,
      // Our own deadlines and sign of life: ssh2's would run while a person types, and while a slow link is busy.
      readyTimeout: 0,
      keepaliveInterval: context.silentMs / 4,
      keepaliveCountMax: Number.MAX_SAFE_INTEGER,
      algorithms: { serverHostKey: hostKeyAlgorithms(knownKeyTypes(known, name)) },
      hostVerifier: (key: Buffer, accept: (isAccepted: boolean) => void) => {
        // Asked again when the keys are renewed in a long session.
        if (acceptedKey !== undefined) return accept(acceptedKey.equals(key));
        checkHostKey(question, key).then(
          () => {
            acceptedKey = Buffer.from(key);
            phase = 'did not finish the handshake';
            accept(true);
          },
          (error: unknown) => {
            fail(error, false);
            accept(false);
          },
        );
      },
      authHandler: login.handler,
      debug: (line) => {
        if (isReady) return;
        if (line.startsWith('Remote ident:')) {
          hasGreeted = true;
          phase = 'did not finish the handshake';
        }
        login.heard(line);
      },
    };
    deadline.restart();
    try {
      client.connect(config);
    } catch (error) {
      fail(error, false);
    }
  });
}

/** The types that are known come first: a host known by its RSA key that showed another would look unknown. */
function hostKeyAlgorithms(known: ReadonlySet<string>): ServerHostKeyAlgorithm[] {
  const all: readonly { readonly type: string; readonly algorithm: ServerHostKeyAlgorithm }[] = [
    { type: 'ssh-ed25519', algorithm: 'ssh-ed25519' },
    { type: 'ecdsa-sha2-nistp256', algorithm: 'ecdsa-sha2-nistp256' },
    { type: 'ecdsa-sha2-nistp384', algorithm: 'ecdsa-sha2-nistp384' },
    { type: 'ecdsa-sha2-nistp521', algorithm: 'ecdsa-sha2-nistp521' },
    { type: 'ssh-rsa', algorithm: 'rsa-sha2-512' },
    { type: 'ssh-rsa', algorithm: 'rsa-sha2-256' },
    { type: 'ssh-rsa', algorithm: 'ssh-rsa' },
  ];
  return [...all.filter(({ type }) => known.has(type)), ...all.filter(({ type }) => !known.has(type))].map(
    ({ algorithm }) => algorithm,
  );
}

function openSocket(target: SshTarget): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // Without noDelay every command waits for delayed acknowledgements: 44 ms instead of 2.5.
    const socket = connectTcp({
      host: target.hostName,
      port: target.port,
      noDelay: true,
      ...(target.addressFamily !== undefined && { family: target.addressFamily }),
    });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new Unreachable({
          code: 'host-no-answer',
          message: `${target.name}: no connection to ${describeTarget(target)} within ${target.connectTimeoutMs / 1000} s: packets to it vanish`,
          next: [
            `A machine that is off, or a firewall that drops: nc -vz ${target.hostName} ${target.port}`,
            'A slow way there needs a longer time: --connect-timeout, ssh.connectTimeoutSeconds in netctl.yaml',
          ],
        }),
      );
    }, target.connectTimeoutMs);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(socketError(target, error.code ?? '', error));
    });
  });
}

function socketError(target: SshTarget, code: string, cause: Error): Unreachable {
  const at = describeTarget(target);
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NODATA':
      return new Unreachable({
        code: 'host-name-unknown',
        message: `${target.name}: the name ${target.hostName} does not resolve (${code})`,
        next: [
          `Check it: getent hosts ${target.hostName}`,
          'Give its address in netctl.yaml, or HostName in ~/.ssh/config',
        ],
        cause,
      });
    case 'ECONNRESET':
      return noGreeting(target);
    case 'ECONNREFUSED':
      return new Unreachable({
        code: 'host-refused',
        message: `${target.name}: nothing listens for SSH at ${at} (${code})`,
        next: ['Is sshd running there, and on this port? systemctl status ssh sshd, on its console'],
        cause,
      });
    default:
      return new Unreachable({
        code: 'host-unroutable',
        message: `${target.name}: no connection to ${at} can be made (${code === '' ? cause.message : code})`,
        next: [`Check the way there: ip route get ${target.hostName}`, 'Or is the machine off?'],
        cause,
      });
  }
}

/** A connection to the target from its jump host. */
function openThrough(target: SshTarget, jump: SshConnection): Promise<Duplex> {
  const hop = target.jumps.at(-1);
  const through = hop === undefined ? '' : `, through ${hop.name}`;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new Unreachable({
          code: 'host-no-answer',
          message: `${target.name}: no connection to ${describeTarget(target)}${through} within ${target.connectTimeoutMs / 1000} s: packets to it vanish`,
          next: [`Try it on the jump host: nc -vz ${target.hostName} ${target.port}`],
        }),
      );
    }, target.connectTimeoutMs);
    const refuse = (reason: string, failure: unknown) => {
      clearTimeout(timer);
      // 1: RFC 4254, administratively prohibited; 2: connect failed.
      if (failure === 1 || failure === 3) {
        const message = `${target.name}: the way there is closed: jump host ${hop?.name ?? ''} forwards nothing (${reason})`;
        reject(
          new Unreachable({
            code: 'host-jump-failed',
            message,
            next: [
              'Its sshd_config must allow it: AllowTcpForwarding yes (or local), and a PermitOpen that has the target',
            ],
          }),
        );
      } else {
        const details = jump.ending() === undefined ? [] : [`The jump host: ${jump.ending()?.reason ?? ''}`];
        reject(
          new Unreachable({
            code: 'host-refused',
            message: `${target.name}: no connection to ${describeTarget(target)}${through} (${reason})`,
            details,
            next: [`Try it on the jump host: nc -vz ${target.hostName} ${target.port}`],
          }),
        );
      }
    };
    try {
      jump.client.forwardOut('127.0.0.1', 0, target.hostName, target.port, (error, channel) => {
        if (error) {
          const reason = /^\(SSH\) Channel open failure: (.*)$/.exec(error.message)?.[1] ?? error.message;
          return refuse(reason, 'reason' in error ? error.reason : undefined);
        }
        clearTimeout(timer);
        resolve(channel);
      });
    } catch (error) {
      refuse(error instanceof Error ? error.message : String(error), undefined);
    }
  });
}

function noGreeting(target: SshTarget): Unreachable {
  return new Unreachable({
    code: 'host-not-ssh',
    message: `${target.name}: ${describeTarget(target)} closed the connection without an SSH greeting`,
    next: [
      'sshd drops connections when too many log in at once (MaxStartups), or it bars this address (fail2ban, hosts.deny, PerSourcePenalties).',
      `Is it SSH at all? nc ${target.hostName} ${target.port} </dev/null`,
    ],
  });
}

function brokeOff(target: SshTarget, reason: string): Unreachable {
  return new Unreachable({
    code: 'host-handshake-failed',
    message: `${target.name}: ${describeTarget(target)} broke off the handshake: ${reason}`,
    next: [`Look at both sides: ssh -v ${describeTarget(target)}, and the journal of its sshd`],
  });
}

function handshakeError(target: SshTarget, login: Login, error: Error): Unreachable {
  if (/too many authentication failures/i.test(error.message)) {
    return new Unreachable({
      code: 'host-too-many-keys',
      message: `${target.name}: ${describeTarget(target)} hung up after ${login.tried().length} keys or passwords that it does not take (MaxAuthTries)`,
      details: login.tried(),
      next: [
        'Name the right key: ssh.identityFile in netctl.yaml, or IdentityFile and IdentitiesOnly yes in ~/.ssh/config',
        'Or take keys out of the agent: ssh-add -d FILE',
      ],
    });
  }
  if (/no matching/i.test(error.message)) {
    return new Unreachable({
      code: 'host-handshake-failed',
      message: `${target.name}: ${describeTarget(target)} and netctl have no way to encrypt in common (${error.message})`,
      next: [`See what it offers: ssh -vv ${describeTarget(target)} true 2>&1 | grep -A12 'peer server KEXINIT'`],
      cause: error,
    });
  }
  if ('level' in error && error.level === 'protocol' && /ident/i.test(error.message)) return noGreeting(target);
  return brokeOff(target, error.message);
}

function loginRefused(target: SshTarget, login: Login): Unreachable {
  return new Unreachable({
    code: 'host-login-refused',
    message: `${target.name}: ${describeTarget(target)} does not let us in: no key or password was accepted`,
    details: login.tried(),
    next: [
      `Is it the right user? ssh.user in netctl.yaml, User in ~/.ssh/config`,
      `Put a key there: ssh-copy-id ${target.port === 22 ? '' : `-p ${target.port} `}${target.user}@${target.hostName}`,
    ],
  });
}

/**
 * A timer that can be held while nobody but a person is to blame. It counts ticks: when this process itself was busy or asleep
 * (an encrypted key takes a second to open), answers that wait in the socket are read before time is up.
 */
function createDeadline(milliseconds: number, onOver: () => void) {
  const ticks = 10;
  let left = 0;
  let timer: NodeJS.Timeout | undefined;
  const stop = () => clearInterval(timer);
  return {
    stop,
    restart() {
      stop();
      left = ticks;
      timer = setInterval(() => {
        left -= 1;
        if (left > 0) return;
        stop();
        onOver();
      }, milliseconds / ticks);
    },
  };
}

/**
 * Calls `onSilence` when nothing was heard for so long. Any byte counts, not only answers to ssh2's keepalive, which wait behind
 * up to 2 MB of data on a slow link. Ticks are counted rather than time, so that a workstation that slept blames nobody.
 */
function watchLife(socket: Duplex, silentMs: number, onSilence: () => void) {
  const ticks = 20;
  let quiet = 0;
  let timer: NodeJS.Timeout | undefined;
  const heard = () => {
    quiet = 0;
  };
  return {
    start() {
      socket.on('data', heard);
      timer = setInterval(() => {
        quiet += 1;
        if (quiet > ticks) onSilence();
      }, silentMs / ticks);
    },
    stop() {
      clearInterval(timer);
      socket.off('data', heard);
    },
  };
}
