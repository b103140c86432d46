/**
 * Where commands run: a machine, reduced to one verb.
 *
 * A command is words, never a shell text put together from parts; an adapter that needs a shell text (SSH) quotes the words.
 * Reading a file is `cat`, writing one is a temporary file beside the target, then `mv`: all of that is built on `run`.
 */
export interface Command {
  readonly argv: readonly [string, ...string[]];
  /**
   * Bytes for its standard input; a function when they are many, so that they are made while they are sent.
   * A chunk that was handed over must not be changed afterwards.
   */
  readonly stdin?: Uint8Array | (() => AsyncIterable<Uint8Array>);
  /** After so long the command is given up; default: the host's own. */
  readonly timeoutMs?: number;
  /** More than this on standard output and error together is an error; default: the host's own, 16 MiB. */
  readonly maxOutputBytes?: number;
  /**
   * Is given standard output as it comes, besides its standing in `Output`: for a talk in which `stdin` is a function that answers.
   * What it throws ends the command.
   */
  readonly onStdout?: (chunk: Uint8Array) => void;
  /** Words, input and output are kept out of messages and recordings. */
  readonly secret?: true;
}

export interface Output {
  /** Null when a signal ended the command. */
  readonly code: number | null;
  /** Such as `SIGKILL`; absent when the command ended by itself. */
  readonly signal?: string;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

export interface Host {
  /** The node's name in the inventory, or the address that a person gave. Messages begin with it. */
  readonly name: string;
  /**
   * Runs a command to its end, with `LC_ALL=C` and the system's sbin folders in its PATH. A non-zero code is an answer, not
   * an error; a program that is not there is code 127. When `signal` aborts, the command is stopped and the promise
   * rejects with the signal's reason at once.
   * @throws Unreachable when the host cannot be reached, refuses us, or falls silent; the message begins with its name
   * @throws Unreachable `command-timeout`, `command-output-too-large` · InvalidInput `command-unsendable`
   */
  run(command: Command, signal?: AbortSignal): Promise<Output>;
  close(): void;
}
