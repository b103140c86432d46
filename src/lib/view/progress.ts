import { formatCount } from './count';
import type { Screen } from './format';
import { safeText } from './safe-text';

export interface Progress {
  /** Replaces the line; cheap enough for every item. Without `total` only the count is shown. */
  readonly update: (done: number, total?: number) => void;
  /** Erases the line. Call it before anything else is printed, and in a `finally`. */
  readonly end: () => void;
}

/** What is quick needs no progress, so nothing is shown before. */
const silentMs = 300;
const intervalMs = 100;
const eraseLine = '\r\x1b[K';

/** A line on stderr such as `asking TTLs  12,345 of 65,536  18%`; nothing at all unless it is a terminal. */
export function progress(
  stream: { write(text: string): unknown },
  screen: Screen,
  label: string,
  now: () => number = () => performance.now(),
): Progress {
  if (!screen.isTerminal) return { update: () => {}, end: () => {} };
  const safeLabel = safeText(label, 100);
  let nextMs = now() + silentMs;
  let isShown = false;
  return {
    update: (done, total) => {
      const nowMs = now();
      if (nowMs < nextMs) return;
      nextMs = nowMs + intervalMs;
      isShown = true;
      const amount =
        total === undefined || total <= 0
          ? formatCount(done)
          : `${formatCount(done)} of ${formatCount(total)}  ${Math.floor((100 * Math.min(done, total)) / total)}%`;
      // A full line would wrap, and the next erase would miss its beginning.
      stream.write(`${eraseLine}${`${safeLabel}  ${amount}`.slice(0, Math.max(screen.columns - 1, 0))}`);
    },
    end: () => {
      if (isShown) stream.write(eraseLine);
      isShown = false;
      nextMs = Number.POSITIVE_INFINITY;
    },
  };
}
