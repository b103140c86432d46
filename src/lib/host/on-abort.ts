import { setMaxListeners } from 'node:events';

/**
 * Calls `listener` when the signal aborts, at once when it has. Gives back how to stop listening.
 * One signal serves a whole fleet, so Node's warning at the eleventh listener would be a false alarm.
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => undefined;
  if (signal.aborted) {
    listener();
    return () => undefined;
  }
  setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
