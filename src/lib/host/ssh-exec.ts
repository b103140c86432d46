import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, ClientChannel } from 'ssh2';
import { Unreachable } from '../errors';
import { CollectedOutput } from './collected-output';
import { saidTooMuch, tookTooLong } from './command-limits';
import { feed } from './feed';
import type { Command, Output } from './host';
import { onAbort } from './on-abort';
import { afterMarker, describeCommand, loginShellText, stopText } from './quote';
import type { SshConnection } from './ssh-connection';
import { tell } from './tell';

export interface ExecOptions {
  readonly host: string;
  readonly user: string;
  /** Stands on both outputs before the command's own; a text that no command writes. */
  readonly marker: string;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
}

const openTries = 20;

/** The connection was gone before the command began: it may be run on a new one. */
export class NotBegun extends Error {
  readonly reason: Unreachable;

  constructor(reason: Unreachable) {
    super(reason.message, { cause: reason });
    this.name = 'NotBegun';
    this.reason = reason;
  }
}

/** Runs one command on a channel of its own. @throws as `Host.run` */
export function execOverSsh(
  connection: SshConnection,
  command: Command,
  options: ExecOptions,
  signal: AbortSignal | undefined,
): Promise<Output> {
  const { host, marker, maxOutputBytes, timeoutMs } = options;
  const text = loginShellText(command.argv, marker, command.stdin === undefined ? 'nothing' : 'stdin');
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const ending = connection.ending();
    if (ending !== undefined) {
      // It ended while this command waited for its turn. A host that hangs is not asked a second time.
      const died = diedHalfWay(host, command, connection);
      throw ending.code === 'host-silent' ? died : new NotBegun(died);
    }
    const output = new CollectedOutput(maxOutputBytes);
    const ended = new AbortController();
    let channel: ClientChannel | undefined;
    let exit: { readonly code: number | null; readonly signal?: string } | undefined;
    let isSettled = false;
    let isOver = false;

    const settle = (end: () => void) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      for (const stop of stopListening) stop();
      ended.abort();
      end();
    };
    const giveUp = (error: unknown) => {
      if (isSettled) return;
      settle(() => reject(error));
      if (connection.ending()?.code === 'host-silent') return;
      // Though it may not even have begun to be heard of: then as soon as it is.
      const stopping = opening.then(() =>
        channel === undefined || isOver
          ? undefined
          : stop(connection.client, channel, () => afterMarker(output.stdout, marker)?.pid),
      );
      connection.stops.add(stopping);
      void stopping.then(() => connection.stops.delete(stopping));
    };
    const timer = setTimeout(() => giveUp(tookTooLong(host, command, timeoutMs, exit !== undefined)), timeoutMs);
    const stopListening = [
      onAbort(signal, () => giveUp(signal?.reason)),
      onAbort(connection.ended, () => {
        const died = () => giveUp(diedHalfWay(host, command, connection));
        // While the channel is not open, ssh2 is about to tell whether it was asked for at all.
        if (channel === undefined && connection.ending()?.code !== 'host-silent') setTimeout(died, 100);
        else died();
      }),
    ];

    let hasBegun = false;
    /** The command's own output begins after the marker, which may come in pieces. */
    const tellRest = (chunk: Buffer) => {
      const own = hasBegun ? chunk : afterMarker(output.stdout, marker)?.rest;
      if (own === undefined) return;
      hasBegun = true;
      if (own.length > 0) tell(command, own, giveUp);
    };

    const attend = (opened: ClientChannel) => {
      channel = opened;
      for (const [stream, name] of [
        [opened, 'stdout'],
        [opened.stderr, 'stderr'],
      ] as const) {
        stream.on('data', (chunk: Buffer) => {
          if (!output.add(name, chunk)) return giveUp(saidTooMuch(host, command, maxOutputBytes));
          if (name === 'stdout' && command.onStdout !== undefined && !isSettled) tellRest(chunk);
        });
      }
      opened.on('exit', (code: number | null, endedBy?: string) => {
        exit = { code, ...(endedBy !== undefined && { signal: endedBy }) };
      });
      // What could not be written is told by the end of the command, or of the connection.
      opened.on('error', () => undefined);
      opened.on('close', () => {
        isOver = true;
        settle(() => {
          if (exit === undefined) return reject(diedHalfWay(host, command, connection));
          const stdout = afterMarker(output.stdout, marker)?.rest;
          if (stdout === undefined) return reject(noShell(options, output, exit.code));
          const stderr = afterMarker(output.stderr, marker)?.rest ?? output.stderr;
          resolve({ ...exit, stdout, stderr });
        });
      });
      if (isSettled) return;
      // A command without input has /dev/null; ssh2 sends no signal on a channel whose input was ended.
      if (command.stdin !== undefined) feed(opened, command.stdin, ended.signal).catch(giveUp);
    };
    const opening = openChannel(connection, text, ended.signal, attend).catch((error: unknown) => {
      if (isSettled) return;
      if (isFromBefore(error)) return giveUp(new NotBegun(diedHalfWay(host, command, connection)));
      if (connection.ending() !== undefined || !isRefusal(error)) return giveUp(diedHalfWay(host, command, connection));
      giveUp(noShell(options, output, null));
    });
  });
}

/** Nothing of the command has run as long as its channel is not open, so a failure for want of room is tried again. */
async function openChannel(
  connection: SshConnection,
  text: string,
  ended: AbortSignal,
  attend: (channel: ClientChannel) => void,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await exec(connection.client, text, attend);
    } catch (error) {
      const isForWantOfRoom = error instanceof Error && /^\(SSH\) Channel open failure/.test(error.message);
      if (!isForWantOfRoom || attempt === openTries || connection.ending() !== undefined) throw error;
      // sshd frees a session a little after we have seen its end.
      await sleep(10 * attempt, undefined, { signal: ended });
    }
  }
}

function exec(client: Client, text: string, attend: (channel: ClientChannel) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    // Throws when the connection is gone.
    client.exec(text, (error, channel) => {
      if (error) return reject(error);
      // At once: a short command's end may stand in the packet that has just been read, and an event is not kept.
      attend(channel);
      resolve();
    });
  });
}

/** What ssh2 says when the connection was lost before the channel was open: the command cannot have begun. */
function isFromBefore(error: unknown): boolean {
  return error instanceof Error && /^(?:Not connected|No response from server)$/.test(error.message);
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && /^(?:Unable to exec|\(SSH\) Channel open failure)/.test(error.message);
}

/**
 * Asks what runs there to end, then ends it. A signal over SSH is there soonest, but sshd passes none on for root, none at all
 * before 7.9, and ssh2 sends none once the input has ended; so a second command does the same, as soon as the number of the
 * process is known.
 */
function stop(client: Client, channel: ClientChannel, findPid: () => number | undefined): Promise<void> {
  return new Promise((resolve) => {
    const close = () => {
      clearTimeout(timer);
      attempt(() => channel.close());
      resolve();
    };
    let timer = setTimeout(close, 10_000);
    let isKilled = false;
    const kill = () => {
      const pid = isKilled ? undefined : findPid();
      if (pid === undefined) return;
      isKilled = true;
      clearTimeout(timer);
      timer = setTimeout(close, 2000);
      const isSent = attempt(() =>
        client.exec(stopText(pid), (error, stopping) => {
          if (error) return;
          stopping.on('error', () => undefined).resume();
          stopping.stderr.resume();
        }),
      );
      if (!isSent) close();
    };
    channel.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    channel.on('data', kill);
    channel.resume();
    channel.stderr.resume();
    attempt(() => channel.signal('TERM'));
    kill();
  });
}

/** False when the connection is gone, and with it the channel. */
function attempt(what: () => void): boolean {
  try {
    what();
    return true;
  } catch {
    return false;
  }
}

function diedHalfWay(host: string, command: Command, connection: SshConnection): Unreachable {
  const ending = connection.ending();
  return new Unreachable({
    code: ending?.code ?? 'host-died',
    message: `${host}: lost while ${describeCommand(command)} ran: ${ending?.reason ?? 'the connection broke'}`,
    details: ['Whether the command came to its end is not known.'],
    next: ['Run netctl again: it looks at what is there and goes on from that.'],
  });
}

function noShell(options: ExecOptions, output: CollectedOutput, code: number | null): Unreachable {
  const said = `${output.stdout.toString('utf8')}\n${output.stderr.toString('utf8')}`
    .split('\n')
    .filter((line) => line.trim() !== '');
  return new Unreachable({
    code: 'host-runs-no-commands',
    message: `${options.host}: it lets ${options.user} in but runs no command for it${code === null ? '' : ` (code ${code})`}${said[0] === undefined ? '' : `: ${said[0]}`}`,
    details: said.slice(1, 10),
    next: [
      `Its login shell must be one: getent passwd ${options.user}, on its console`,
      'A forced command stands in sshd_config (ForceCommand) or in authorized_keys (command=).',
    ],
  });
}
