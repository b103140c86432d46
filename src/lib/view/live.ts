import { plural } from './count';
import type { Screen } from './format';

export interface Live {
  /** Terminal: replaces the block that was shown before. Pipe: appends the text when it differs from the last. */
  readonly show: (text: string) => void;
  /** Leaves the last block standing; nothing is shown after it. */
  readonly end: () => void;
}

export interface LiveStream {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

// The cursor is never hidden and wrapping is off only within one write, so even `kill -9` leaves a sane terminal.
const beginUpdate = '\x1b[?2026h';
const endUpdate = '\x1b[?2026l';
const wrapOff = '\x1b[?7l';
const wrapOn = '\x1b[?7h';
const eraseBelow = '\x1b[J';
const assumedRows = 24;

/**
 * A block of text that is drawn again and again, for `--watch`. A block higher than the terminal is cut,
 * since what has scrolled away cannot be erased.
 *
 * @param resized called with the new screen after the terminal changed its size; render again and `show`
 */
export function live(stream: LiveStream, screen: Screen, resized?: (screen: Screen) => void): Live {
  return screen.isTerminal ? redrawn(stream, screen, resized) : appended(stream);
}

function appended(stream: LiveStream): Live {
  let last: string | undefined;
  return {
    show: (text) => {
      if (text !== last) stream.write(text);
      last = text;
    },
    end: () => {},
  };
}

function redrawn(stream: LiveStream, screen: Screen, resized: ((screen: Screen) => void) | undefined): Live {
  let drawn: readonly string[] = [];
  let drawnColumns = columnsOf(stream, screen);
  let last = '';
  let isOver = false;

  const draw = (text: string): void => {
    if (isOver) return;
    last = text;
    const columns = columnsOf(stream, screen);
    const lines = fitted(text, (stream.rows || assumedRows) - 1);
    const back = drawnRows(drawn, drawnColumns, columns);
    const up = back === 0 ? '' : `\x1b[${back}A`;
    const body = lines.map((line) => `${line}\n`).join('');
    stream.write(`${beginUpdate}\r${up}${eraseBelow}${wrapOff}${body}${wrapOn}${endUpdate}`);
    drawn = lines;
    drawnColumns = columns;
  };
  const onResize = (): void => {
    draw(last);
    resized?.({ ...screen, columns: columnsOf(stream, screen) });
  };
  stream.on?.('resize', onResize);
  return {
    show: draw,
    end: () => {
      isOver = true;
      stream.off?.('resize', onResize);
    },
  };
}

function columnsOf(stream: LiveStream, screen: Screen): number {
  return stream.columns || screen.columns;
}

function fitted(text: string, rows: number): readonly string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length <= rows) return lines;
  const room = Math.max(rows - 1, 0);
  return [...lines.slice(0, room), `(${plural(lines.length - room, 'more line')})`];
}

/** How many rows of the terminal the block takes now: one that was made narrower has wrapped the lines itself. */
function drawnRows(lines: readonly string[], before: number, now: number): number {
  if (now >= before) return lines.length;
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(Math.min(visibleLength(line), before) / now)), 0);
}

function visibleLength(line: string): number {
  return line.replace(/\x1b\[[\d;]*m/g, '').length;
}
