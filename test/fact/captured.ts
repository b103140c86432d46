import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Known } from '../../src/lib/fact/fact';
import type { Output } from '../../src/lib/host/host';

/** What a real machine printed. `test/fact/captured` was taken from lab hosts (Debian 12) unless its name says otherwise. */
export function captured(name: string): string {
  return readFileSync(join(__dirname, 'captured', name), 'utf8');
}

export function printed(stdout: string, code = 0, stderr = ''): Output {
  return { code, stdout: new TextEncoder().encode(stdout), stderr: new TextEncoder().encode(stderr) };
}

export function knownValue<T>(answer: Known<T>): T {
  if (!answer.known) throw new Error(`unknown: ${answer.why}`);
  return answer.value;
}

export function whyOf(answer: Known<unknown>): string {
  return answer.known ? 'known' : answer.why;
}
