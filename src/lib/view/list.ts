import type { OutputFormat, Screen } from './format';
import type { Tone } from './style';

export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

/** `cell` and `csv` are pure: a big table calls them twice a row instead of holding every text. */
export interface Column<T> {
  /** Upper case, as kubectl has it: `SUBNET`. */
  readonly header: string;
  /** `null` and `undefined` print as `-`. The text may be untrusted: the renderer makes it harmless. */
  readonly cell: (row: T) => string | number | null | undefined | Cell;
  /** The raw value for csv. Default: the cell's text, and nothing for null. */
  readonly csv?: (row: T) => string | number | null;
  readonly align?: 'left' | 'right';
  /** Only in `-o wide` (and in csv, which has every column). */
  readonly wideOnly?: boolean;
  /** On a terminal that is too narrow the columns with the highest number go first; absent: never dropped. */
  readonly drop?: number;
  /** May be cut with `…` when dropping was not enough. */
  readonly shrink?: boolean;
}

export interface ListView<T> {
  /** `kind` of the JSON document, such as `SubnetList`. */
  readonly kind: string;
  readonly columns: readonly Column<T>[];
  /** The line of `-o name`. */
  readonly name: (row: T) => string;
  /** A sentence for people when there is nothing; only tables print it. */
  readonly empty: string;
}

/** Chunks of text, each ending in `\n`. */
export interface RenderedList extends Iterable<string> {
  /** Headers of the columns that the terminal had no room for. */
  readonly hidden: readonly string[];
}

/** Rows as text: `for (const chunk of await renderList(...)) await write(chunk)`. */
export async function renderList<T>(
  _rows: readonly T[],
  _view: ListView<T>,
  _format: OutputFormat,
  _screen: Screen,
  _extra?: Readonly<Record<string, unknown>>,
): Promise<RenderedList> {
  throw new Error('lands in a few minutes');
}
