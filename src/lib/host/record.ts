import { createHash } from 'node:crypto';
import { NetctlError } from '../errors';
import type { Command, Host, Output } from './host';

/** Bytes as text where they are text, so that a recording can be read. */
export type RecordedBytes = string | { readonly base64: string };

/** How a command is known again: host, words, and what it was given on standard input. */
export interface RecordedCommand {
  readonly host: string;
  readonly argv: readonly string[];
  /** sha256 of the input; `stream` when it was made while it was sent; absent without input. */
  readonly stdin?: string;
}

/** One line of a recording. */
export interface RecordedRun extends RecordedCommand {
  readonly kind: 'run';
  readonly output?: {
    readonly code: number | null;
    readonly signal?: string;
    readonly stdout: RecordedBytes;
    readonly stderr: RecordedBytes;
  };
  /** Instead of an output. */
  readonly error?: {
    readonly exit: number;
    readonly code: string;
    readonly message: string;
    readonly details: readonly string[];
    readonly next: readonly string[];
  };
  readonly milliseconds: number;
}

export interface RecordOptions {
  /** Texts that are blotted out wherever they stand. */
  readonly secrets?: readonly string[];
}

const blot = '[secret]';

/** The same host; every command and its output goes to `sink` as one line of JSON. Private keys and given secrets are blotted out. */
export function record(host: Host, sink: (line: string) => void, options: RecordOptions = {}): Host {
  return {
    name: host.name,
    async run(command, signal) {
      const begin = performance.now();
      const write = (what: Pick<RecordedRun, 'output' | 'error'>) => {
        const run: RecordedRun = {
          kind: 'run',
          ...recordedCommand(host.name, command, options),
          ...what,
          milliseconds: Math.round(performance.now() - begin),
        };
        sink(JSON.stringify(run));
      };
      try {
        const output = await host.run(command, signal);
        write({ output: recordedOutput(command, output, options) });
        return output;
      } catch (error) {
        if (error instanceof NetctlError) {
          const clean = (text: string) => withoutSecrets(text, options);
          const { exit, code, message, details, next } = error;
          write({
            error: { exit, code, message: clean(message), details: details.map(clean), next: next.map(clean) },
          });
        }
        throw error;
      }
    },
    close: () => host.close(),
  };
}

/** Of a secret command only the program's name is kept. */
export function recordedCommand(host: string, command: Command, options: RecordOptions = {}): RecordedCommand {
  if (command.secret === true) return { host, argv: [command.argv[0], blot] };
  const argv = command.argv.map((word) => withoutSecrets(word, options));
  if (command.stdin === undefined) return { host, argv };
  return {
    host,
    argv,
    stdin: typeof command.stdin === 'function' ? 'stream' : createHash('sha256').update(command.stdin).digest('hex'),
  };
}

function recordedOutput(command: Command, output: Output, options: RecordOptions): NonNullable<RecordedRun['output']> {
  const bytes = (content: Uint8Array): RecordedBytes =>
    command.secret === true ? blot : recordedBytes(content, options);
  return {
    code: output.code,
    ...(output.signal !== undefined && { signal: output.signal }),
    stdout: bytes(output.stdout),
    stderr: bytes(output.stderr),
  };
}

function recordedBytes(content: Uint8Array, options: RecordOptions): RecordedBytes {
  // Byte for byte, so that a secret is found in what is no text as well.
  const clean = withoutSecrets(Buffer.from(content).toString('latin1'), {
    secrets: (options.secrets ?? []).map((secret) => Buffer.from(secret).toString('latin1')),
  });
  const bytes = Buffer.from(clean, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : { base64: bytes.toString('base64') };
}

function withoutSecrets(text: string, { secrets = [] }: RecordOptions): string {
  const plain = secrets.filter((secret) => secret !== '').reduce((rest, secret) => rest.replaceAll(secret, blot), text);
  return plain.replaceAll(
    /(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----)[\s\S]*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g,
    `$1${blot}$2`,
  );
}
