import { Unreachable } from '../errors';
import type { Command } from './host';
import { describeCommand } from './quote';

/** What a host allows a command that says nothing of its own. */
export const commandDefaults = { timeoutMs: 60_000, maxOutputBytes: 16 * 1024 * 1024 } as const;

export function tookTooLong(host: string, command: Command, timeoutMs: number, hasExited: boolean): Unreachable {
  return new Unreachable({
    code: 'command-timeout',
    message: hasExited
      ? `${host}: ${describeCommand(command)} ended, but a process that it started still holds its output open after ${timeoutMs / 1000} s`
      : `${host}: ${describeCommand(command)} did not end within ${timeoutMs / 1000} s and was stopped`,
  });
}

export function saidTooMuch(host: string, command: Command, maxBytes: number): Unreachable {
  return new Unreachable({
    code: 'command-output-too-large',
    message: `${host}: ${describeCommand(command)} wrote more than ${maxBytes} bytes and was stopped`,
  });
}
