import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { Command } from './host';

/**
 * Writes a command's standard input and its end, never faster than it is taken. Stops when `ended` aborts: the command is over
 * and nobody takes the rest.
 * @throws what the source throws; the end is then not written, so that half an input cannot pass for a whole one
 */
export async function feed(to: Writable, stdin: Command['stdin'], ended: AbortSignal): Promise<void> {
  if (typeof stdin !== 'function') {
    to.end(stdin);
    return;
  }
  for await (const chunk of stdin()) {
    if (ended.aborted) return;
    if (to.write(chunk)) continue;
    try {
      await once(to, 'drain', { signal: ended });
    } catch {
      return;
    }
  }
  to.end();
}
