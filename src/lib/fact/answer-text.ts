import type { Output } from '../host/host';
import { type Unknown, unknown } from './fact';

const decoder = new TextDecoder();

/** The bytes of a node as text; what is not UTF-8 becomes U+FFFD. */
export function answerText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** The lines of an answer, without their ends and without empty ones. */
export function answerLines(bytes: Uint8Array): readonly string[] {
  return answerText(bytes)
    .split('\n')
    .filter((line) => line !== '');
}

/** Why a command gave no answer: its first words on standard error, cut short, or its exit code. */
export function whyFailed(what: string, output: Output): Unknown {
  const said = answerText(output.stderr.subarray(0, 2048))
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '');
  if (output.code === 127) return unknown(`${what} is not there`);
  if (said !== undefined) return unknown(`${what}: ${said.slice(0, 200)}`);
  return unknown(
    output.code === null ? `${what} was ended by a signal` : `${what} ended with exit code ${output.code}`,
  );
}

/** Did the command stumble over nothing but things that went away while it was asked? Then what it shows of the others is all there is. */
export function isOnlyOfGone(output: Output): boolean {
  return answerLines(output.stderr.subarray(0, 65_536)).every((line) => /\bno such\b|\bnot found\b/i.test(line));
}
