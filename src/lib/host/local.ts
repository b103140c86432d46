import { type ChildProcess, spawn } from 'node:child_process';
import { InvalidInput } from '../errors';
import { CollectedOutput } from './collected-output';
import { commandDefaults, saidTooMuch, tookTooLong } from './command-limits';
import { feed } from './feed';
import type { Command, Host, Output } from './host';
import { onAbort } from './on-abort';
import { describeCommand } from './quote';
import { tell } from './tell';

export interface LocalOptions {
  readonly name?: string;
  readonly timeoutMs?: number;
  readonly maxOutputBytes?: number;
}

/** This machine, without SSH and without a shell. Commands behave as they do on any other host. */
export function localHost(options: LocalOptions = {}): Host {
  const name = options.name ?? 'localhost';
  const running = new Set<ChildProcess>();
  return {
    name,
    run(command, signal) {
      const limits = {
        timeoutMs: command.timeoutMs ?? options.timeoutMs ?? commandDefaults.timeoutMs,
        maxOutputBytes: command.maxOutputBytes ?? options.maxOutputBytes ?? commandDefaults.maxOutputBytes,
      };
      return runHere(name, command, limits, running, signal);
    },
    close() {
      for (const child of running) stop(child);
    },
  };
}

function runHere(
  name: string,
  command: Command,
  limits: { readonly timeoutMs: number; readonly maxOutputBytes: number },
  running: Set<ChildProcess>,
  signal: AbortSignal | undefined,
): Promise<Output> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const [program, ...words] = command.argv;
    // A group of its own, so that what the command starts can be stopped with it.
    const child = start(name, command, () =>
      spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: environment() }),
    );
    running.add(child);
    const output = new CollectedOutput(limits.maxOutputBytes);
    const ended = new AbortController();
    let isSettled = false;

    const settle = (end: () => void) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      stopListening();
      ended.abort();
      end();
    };
    const giveUp = (error: unknown) => {
      if (isSettled) return;
      stop(child);
      settle(() => reject(error));
    };
    const timer = setTimeout(
      () => giveUp(tookTooLong(name, command, limits.timeoutMs, child.exitCode !== null)),
      limits.timeoutMs,
    );
    const stopListening = onAbort(signal, () => giveUp(signal?.reason));

    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('data', (chunk: Buffer) => {
        if (!output.add(stream, chunk)) return giveUp(saidTooMuch(name, command, limits.maxOutputBytes));
        if (stream === 'stdout' && !isSettled) tell(command, chunk, giveUp);
      });
    }
    child.on('error', (error: NodeJS.ErrnoException) => {
      running.delete(child);
      // The codes with which a shell answers.
      const code = error.code === 'ENOENT' ? 127 : error.code === 'EACCES' ? 126 : undefined;
      if (code === undefined) return giveUp(notStarted(name, command, error));
      const stderr = Buffer.from(`${program}: ${code === 127 ? 'not found' : 'Permission denied'}\n`);
      settle(() => resolve({ code, stdout: new Uint8Array(), stderr }));
    });
    child.on('close', (code, endedBy) => {
      running.delete(child);
      const { stdout, stderr } = output;
      settle(() => resolve({ code, ...(endedBy && { signal: endedBy }), stdout, stderr }));
    });
    // A program that does not read its input to the end is no fault of ours: EPIPE.
    child.stdin.on('error', () => undefined);
    feed(child.stdin, command.stdin, ended.signal).catch(giveUp);
  });
}

function start<Child>(name: string, command: Command, spawned: () => Child): Child {
  try {
    return spawned();
  } catch (error) {
    throw notStarted(name, command, error);
  }
}

function notStarted(name: string, command: Command, error: unknown): InvalidInput {
  return new InvalidInput({
    code: 'command-unsendable',
    message: `${name}: ${describeCommand(command)} cannot be started: ${error instanceof Error ? error.message : String(error)}`,
    cause: error,
  });
}

function environment(): NodeJS.ProcessEnv {
  // What this machine sets for Node itself is no business of the programs that we start.
  const { NODE_OPTIONS: _options, NODE_CHANNEL_FD: _channel, ...inherited } = process.env;
  const path = inherited['PATH'] ?? '/usr/bin:/bin';
  return { ...inherited, LC_ALL: 'C', PATH: `${path}:/usr/local/sbin:/usr/sbin:/sbin` };
}

/** Asks the whole group to end, and after a moment ends it. */
function stop(child: ChildProcess): void {
  const kill = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // It is gone already, or belongs to root (sudo passes the first signal on).
    }
  };
  kill('SIGTERM');
  const timer = setTimeout(() => kill('SIGKILL'), 1000);
  child.once('close', () => clearTimeout(timer));
}
