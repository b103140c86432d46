import type { Command } from './host';

/** Hands on a piece of standard output to the one who waits for it; what that throws ends the command. */
export function tell(command: Command, chunk: Uint8Array, giveUp: (error: unknown) => void): void {
  try {
    command.onStdout?.(chunk);
  } catch (error) {
    giveUp(error);
  }
}
