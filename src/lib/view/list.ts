import { chunks } from './chunks';
import { plural } from './count';
import { csvLine } from './csv';
import type { OutputFormat, Screen } from './format';
import type { Rows } from './rows';
import { safeJson, safeText } from './safe-text';
import type { Tone } from './style';

export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

/** `cell` and `csv` are pure: a table calls them twice a row instead of holding every text. */
export interface Column<T> {
  /** Upper case, as kubectl has it: `SUBNET`. */
  readonly header: string;
  /** Nothing (`null`, `undefined`, `''`) prints as `-`. The text may be untrusted: the renderer makes it harmless. */
  readonly cell: (row: T) => string | number | null | undefined | Cell;
  /** The raw value for csv. Default: the cell's text, and nothing for null. */
  readonly csv?: (row: T) => string | number | null;
  readonly align?: 'left' | 'right';
  /** Only in `-o wide` (and in csv, which has every column). */
  readonly wideOnly?: boolean;
  /** On a terminal that is too narrow the columns with the highest number go first; absent: never dropped. */
  readonly drop?: number;
  /** May be cut with `…`, down to its header or 8 cells, when dropping was not enough. */
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
  /** Headers of the columns that the terminal had no room for; `hiddenColumnsNote` makes a sentence of them. */
  readonly hidden: readonly string[];
}

/**
 * Rows as text: `for (const chunk of await renderList(...)) await write(chunk)`. It can be iterated once.
 * `rows` stand in `items` of JSON and YAML as they are; `extra` are further keys of that document.
 */
export async function renderList<T>(
  rows: Rows<T>,
  view: ListView<T>,
  format: OutputFormat,
  screen: Screen,
  extra: Readonly<Record<string, unknown>> = {},
): Promise<RenderedList> {
  switch (format) {
    case 'table':
    case 'wide': {
      if (rows.length === 0) return rendered([`${safeText(view.empty)}\n`]);
      const { renderTable } = await import('./table');
      const table = await renderTable(rows, view.columns, screen, { wide: format === 'wide' });
      return rendered(table.lines, table.hidden);
    }
    case 'json':
      return rendered(jsonLines(rows, view, extra));
    case 'yaml': {
      const { toYaml, yamlItems } = await import('./yaml');
      const head = toYaml(headOf(view, extra));
      return rendered(yamlLines(rows, head, yamlItems(2)));
    }
    case 'csv':
      return rendered(csvLines(rows, view));
    case 'name':
      return rendered(nameLines(rows, view));
    default:
      return format satisfies never;
  }
}

/** `3 columns hidden (MAC, VNI, NODE): widen the terminal or use -o wide`, or nothing. */
export function hiddenColumnsNote(hidden: readonly string[]): string | undefined {
  if (hidden.length === 0) return undefined;
  return `${plural(hidden.length, 'column')} hidden (${hidden.join(', ')}): widen the terminal or use -o wide`;
}

function rendered(lines: Iterable<string>, hidden: readonly string[] = []): RenderedList {
  return { hidden, [Symbol.iterator]: () => chunks(lines) };
}

function headOf<T>(view: ListView<T>, extra: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { apiVersion: _apiVersion, kind: _kind, items: _items, ...others } = extra;
  return { apiVersion: 'netctl/v1', kind: view.kind, ...others };
}

/** The bytes of `safeJson({apiVersion, kind, ...extra, items: rows}, 2)`, some rows at a time. */
function* jsonLines<T>(rows: Rows<T>, view: ListView<T>, extra: Readonly<Record<string, unknown>>): Generator<string> {
  const head = safeJson(headOf(view, extra), 2).slice(0, -'\n}'.length);
  if (rows.length === 0) {
    yield `${head},\n  "items": []\n}\n`;
    return;
  }
  const opening = ',\n  "items": [\n';
  const closing = '\n  ]\n}';
  yield head + opening;
  const rowsAtOnce = 64;
  for (let start = 0; start < rows.length; start += rowsAtOnce) {
    // In a document of their own the rows have the indentation that they need.
    const part = safeJson({ items: rows.slice(start, start + rowsAtOnce) }, 2);
    const items = part.slice('{'.length + opening.length - ','.length, -closing.length);
    yield items + (start + rowsAtOnce < rows.length ? ',\n' : `${closing}\n`);
  }
}

function* yamlLines<T>(rows: Rows<T>, head: string, toItem: (value: unknown) => string): Generator<string> {
  yield head;
  yield rows.length === 0 ? 'items: []\n' : 'items:\n';
  for (const row of rows) yield toItem(row);
}

function* csvLines<T>(rows: Rows<T>, view: ListView<T>): Generator<string> {
  yield csvLine(view.columns.map((column) => column.header));
  for (const row of rows) yield csvLine(view.columns.map((column) => csvValue(row, column)));
}

function csvValue<T>(row: T, column: Column<T>): string | number | null {
  if (column.csv !== undefined) return column.csv(row);
  const value = column.cell(row);
  return typeof value === 'object' && value !== null ? value.text : (value ?? null);
}

function* nameLines<T>(rows: Rows<T>, view: ListView<T>): Generator<string> {
  for (const row of rows) yield `${safeText(view.name(row))}\n`;
}
