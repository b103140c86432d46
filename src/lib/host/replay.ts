import { ChangeFailed, Conflict, exitCodes, InvalidInput, type NetctlError, Refused, Unreachable } from '../errors';
import type { Command, Host, Output } from './host';
import { describeCommand } from './quote';
import { type RecordedBytes, type RecordOptions, recordedCommand } from './record';

/**
 * Hosts that answer from a recording. A command that was asked several times is answered in that order, then with the last answer.
 * @throws InvalidInput `recording-invalid`; a command that is not in the recording is InvalidInput `recording-has-no-answer`
 */
export function replay(text: string, options: RecordOptions = {}): (name: string) => Host {
  const answers = new Map<string, Answer[]>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const read = readLine(line, index + 1);
    if (read === undefined) continue;
    answers.set(read.key, [...(answers.get(read.key) ?? []), read.answer]);
  }
  return (name) => ({
    name,
    async run(command: Command, signal?: AbortSignal): Promise<Output> {
      signal?.throwIfAborted();
      const waiting = answers.get(keyOf(recordedCommand(name, command, options)));
      const answer = waiting !== undefined && waiting.length > 1 ? waiting.shift() : waiting?.[0];
      if (answer === undefined) {
        throw new InvalidInput({
          code: 'recording-has-no-answer',
          message: `${name}: the recording has no answer to ${describeCommand(command)}`,
          next: ['Make it anew with --record and the same netctl: this one asks something else.'],
        });
      }
      return answer();
    },
    close: () => undefined,
  });
}

type Answer = () => Output;

function readLine(line: string, number: number): { key: string; answer: Answer } | undefined {
  const invalid = (reason: string) =>
    new InvalidInput({ code: 'recording-invalid', message: `line ${number} of the recording is damaged: ${reason}` });
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
  if (!isObject(value)) throw invalid('it is not an object');
  // Other parts of netctl put lines of their own into the same file.
  if (value['kind'] !== 'run') return undefined;
  const { host, argv, stdin, output, error } = value;
  if (typeof host !== 'string' || !isTexts(argv) || !(stdin === undefined || typeof stdin === 'string')) {
    throw invalid('host, argv or stdin');
  }
  const key = keyOf({ host, argv, ...(stdin !== undefined && { stdin }) });
  if (isObject(error)) {
    const recorded = errorOf(error);
    if (recorded === undefined) throw invalid('error');
    return {
      key,
      answer: () => {
        throw recorded();
      },
    };
  }
  const read = isObject(output) ? outputOf(output) : undefined;
  if (read === undefined) throw invalid('output');
  return { key, answer: () => read };
}

function keyOf({ host, argv, stdin }: { host: string; argv: readonly string[]; stdin?: string }): string {
  return JSON.stringify([host, argv, stdin ?? null]);
}

function outputOf({ code, signal, stdout, stderr }: Readonly<Record<string, unknown>>): Output | undefined {
  if (!(code === null || typeof code === 'number') || !isBytes(stdout) || !isBytes(stderr)) return undefined;
  return {
    code,
    ...(typeof signal === 'string' && { signal }),
    stdout: bytesOf(stdout),
    stderr: bytesOf(stderr),
  };
}

function errorOf(error: Readonly<Record<string, unknown>>): (() => NetctlError) | undefined {
  const { exit, code, message, details, next } = error;
  const Kind = kinds.find((kind) => kind.exit === exit)?.kind;
  if (Kind === undefined || typeof code !== 'string' || typeof message !== 'string') return undefined;
  if (!isTexts(details) || !isTexts(next)) return undefined;
  return () => new Kind({ code, message, details, next });
}

const kinds = [
  { exit: exitCodes.invalid, kind: InvalidInput },
  { exit: exitCodes.refused, kind: Refused },
  { exit: exitCodes.unreachable, kind: Unreachable },
  { exit: exitCodes.failed, kind: ChangeFailed },
  { exit: exitCodes.conflict, kind: Conflict },
] as const;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isBytes(value: unknown): value is RecordedBytes {
  return typeof value === 'string' || (isObject(value) && typeof value['base64'] === 'string');
}

function bytesOf(recorded: RecordedBytes): Uint8Array {
  return typeof recorded === 'string' ? Buffer.from(recorded) : Buffer.from(recorded.base64, 'base64');
}
