/** The values of `-o`. `wide` is the table with all its columns, never cut to the terminal. */
export const outputFormats = ['table', 'wide', 'json', 'yaml', 'csv', 'name'] as const;

export type OutputFormat = (typeof outputFormats)[number];

/** Tables are read by people, who are also told what to do next; the other formats are for programs. */
export function isForPeople(format: OutputFormat): boolean {
  return format === 'table' || format === 'wide';
}

/** What the reader looks at. Views take it as an argument, so that the same bytes can be asked for in a test. */
export interface Screen {
  /** A terminal whose cursor can be moved (so not `TERM=dumb`). */
  readonly isTerminal: boolean;
  /** Cells in a line; `Infinity` in a pipe, where nothing is cut or wrapped. */
  readonly columns: number;
  /** 0 none, 1 sixteen colours, 2 256 colours, 3 true colour. */
  readonly colorLevel: 0 | 1 | 2 | 3;
  /** May our own glyphs (`…`, `→`, `█`) be used? Otherwise ASCII stands in. */
  readonly unicode: boolean;
}

const assumedColumns = 80;

/**
 * What `stream` can show. `NO_COLOR` (https://no-color.org) beats `FORCE_COLOR`, which beats `CLICOLOR_FORCE`.
 * chalk is never asked: version 5 ignores `NO_COLOR` on a terminal.
 */
export function screenOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: NodeJS.ProcessEnv,
): Screen {
  const isTty = stream.isTTY === true;
  const isDumb = env['TERM'] === 'dumb';
  return {
    isTerminal: isTty && !isDumb,
    columns: columnsOf(isTty, stream.columns, env['COLUMNS']),
    colorLevel: colorLevelOf(isTty && !isDumb, env),
    unicode: /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || ''),
  };
}

function columnsOf(isTty: boolean, columns: number | undefined, wish: string | undefined): number {
  if (wish !== undefined && /^[1-9]\d{0,4}$/.test(wish)) return Number(wish);
  if (!isTty) return Number.POSITIVE_INFINITY;
  // A pseudo-terminal that nobody has given a size to (docker exec, expect) says 0.
  return columns === undefined || columns < 1 ? assumedColumns : columns;
}

function colorLevelOf(canColor: boolean, env: NodeJS.ProcessEnv): Screen['colorLevel'] {
  if (env['NO_COLOR']) return 0;
  const force = env['FORCE_COLOR'];
  if (force !== undefined) {
    if (force === '0' || force === 'false') return 0;
    if (force === '2') return 2;
    return force === '3' ? 3 : 1;
  }
  const isForced = (env['CLICOLOR_FORCE'] ?? '0') !== '0' && env['CLICOLOR_FORCE'] !== '';
  if (!isForced && (!canColor || env['CLICOLOR'] === '0')) return 0;
  if (/^(truecolor|24bit)$/i.test(env['COLORTERM'] ?? '')) return 3;
  return /256(color)?$/i.test(env['TERM'] ?? '') ? 2 : 1;
}
