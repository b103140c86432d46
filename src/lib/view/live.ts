import type { Screen } from './format';

export interface Live {
  /** Terminal: replaces the block that was shown before. Pipe: appends the text when it differs from the last. */
  readonly show: (text: string) => void;
  /** Leaves the last block standing and gives the cursor back. */
  readonly end: () => void;
}

export interface LiveStream {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

/** A block of text that is drawn again and again, for `--watch`. */
export function live(_stream: LiveStream, _screen: Screen): Live {
  return { show: () => {}, end: () => {} };
}
