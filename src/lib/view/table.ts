import type { Screen } from './format';
import type { Cell, Column } from './list';
import type { Rows } from './rows';
import { safeText } from './safe-text';
import type { Style, Tone } from './style';
import { styler } from './style';
import type { TextWidth } from './text-width';
import { cutToWidth, isNarrow, lengthAsWidth, loadTextWidth } from './text-width';

/** Above it cli-table3 0.6.5, whose time is quadratic (1,000 rows 140 ms, 65,536 rows 190 s), hands over to our own renderer. */
const cliTableRows = 50;
/** Characters of one value that a table shows. */
const cellLength = 256;
const gap = '  ';
/** A shrinkable column keeps this many cells while others are still dropped for it. */
const comfortableWidth = 24;
/** With so few cells a shrinkable column is still better than none. */
const uncomfortableWidth = 12;
const leastWidth = 8;

export interface Table {
  readonly lines: Iterable<string>;
  /** Headers of the columns that found no room. */
  readonly hidden: readonly string[];
}

export interface TableOptions {
  /** No column is dropped or cut. */
  readonly wide: boolean;
  /** For tests; without it the number of rows decides. */
  readonly renderer?: 'cli-table3' | 'own';
}

/** A column as it will stand: how wide, and cut or not. */
interface Fitted<T> {
  readonly column: Column<T>;
  readonly width: number;
}

/**
 * Rows under a header, two blanks between columns, no borders, no trailing blanks.
 * `cell` is called twice a row above 500 rows: measuring and printing apart holds no text of 65,536 rows in memory.
 */
export async function renderTable<T>(
  rows: Rows<T>,
  columns: readonly Column<T>[],
  screen: Screen,
  options: TableOptions,
): Promise<Table> {
  const style = await styler(screen);
  const wanted = columns.filter((column) => options.wide || column.wideOnly !== true);
  let widthOf = lengthAsWidth;
  let widths = measure(rows, wanted, widthOf, true);
  const isPlain = widths !== undefined;
  if (widths === undefined) {
    widthOf = await loadTextWidth();
    widths = measure(rows, wanted, widthOf, false) ?? [];
  }
  const natural = widths;
  const all = wanted.map((column, index) => ({ column, width: natural[index] ?? 0 }));
  const { fitted, hidden } = options.wide ? { fitted: all, hidden: [] } : fitInto(screen.columns, all);
  const layout: Layout<T> = { fitted, widthOf, style, ellipsis: screen.unicode ? '…' : '...' };
  // cli-table3 brings an older string-width, which sees some scripts otherwise than terminals do.
  const renderer = options.renderer ?? (rows.length <= cliTableRows && isPlain ? 'cli-table3' : 'own');
  const lines = renderer === 'own' ? ownLines(rows, layout) : await cliTableLines(rows, layout);
  return { lines, hidden };
}

interface Layout<T> {
  readonly fitted: readonly Fitted<T>[];
  readonly widthOf: TextWidth;
  readonly style: Style;
  readonly ellipsis: string;
}

/** A text that stands as it is: not cut, nothing escaped, no blank at its end. */
function isUsual(text: string): boolean {
  const { length } = text;
  if (length === 0 || length > cellLength || text.charCodeAt(length - 1) === 0x20) return false;
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

function textOf(value: string | number | null | undefined | Cell): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number') return String(value);
  const text = typeof value === 'string' ? value : value.text;
  return safeText(text, cellLength).trimEnd() || '-';
}

function toneOf(value: string | number | null | undefined | Cell): Tone {
  return typeof value === 'object' && value !== null ? (value.tone ?? 'plain') : 'plain';
}

/** Widest text of each column; `undefined` when `narrowOnly` and a text turns up whose width is not its length. */
function measure<T>(
  rows: Rows<T>,
  columns: readonly Column<T>[],
  widthOf: TextWidth,
  narrowOnly: boolean,
): readonly number[] | undefined {
  const widths = columns.map((column) => column.header.length);
  for (const row of rows) {
    let index = -1;
    for (const column of columns) {
      index += 1;
      const value = column.cell(row);
      if (typeof value === 'string' && isUsual(value)) {
        if (value.length > (widths[index] ?? 0)) widths[index] = value.length;
        continue;
      }
      const text = textOf(value);
      if (narrowOnly && !isNarrow(text)) return undefined;
      const width = widthOf(text);
      if (width > (widths[index] ?? 0)) widths[index] = width;
    }
  }
  return widths;
}

function fitInto<T>(
  columns: number,
  all: readonly Fitted<T>[],
): { readonly fitted: readonly Fitted<T>[]; readonly hidden: readonly string[] } {
  const total = (some: readonly Fitted<T>[]): number =>
    some.reduce((sum, each) => sum + each.width, gap.length * (some.length - 1));
  if (total(all) <= columns) return { fitted: all, hidden: [] };

  // One absurdly long value must not push every other column away, so it counts only as wide as is comfortable.
  const comfortable = all.map((each) => ({ ...each, width: Math.min(each.width, floorOf(each, comfortableWidth)) }));
  const chosen = comfortable.filter(({ column }) => column.drop === undefined);
  for (const each of comfortable.filter(({ column }) => column.drop !== undefined).sort(byRank)) {
    const room = columns - total([...chosen, { ...each, width: 0 }]);
    if (room >= each.width || chosen.length === 0) chosen.push(each);
    else if (room >= floorOf(each, uncomfortableWidth)) chosen.push({ ...each, width: room });
  }
  // Back into the order of the view.
  const order = all.map(({ column }) => column);
  const hidden = order.filter((column) => !chosen.some((each) => each.column === column));
  let fitted: readonly Fitted<T>[] = chosen.sort((a, b) => order.indexOf(a.column) - order.indexOf(b.column));

  const naturalOf = new Map(all.map((each) => [each.column, each.width]));
  let spare = columns - total(fitted);
  while (spare !== 0) {
    const candidates = fitted.filter((each) =>
      spare > 0
        ? each.width < (naturalOf.get(each.column) ?? 0)
        : each.column.shrink === true && each.width > floorOf(each, leastWidth),
    );
    const [first, ...others] = candidates;
    if (first === undefined) break;
    const step = Math.sign(spare);
    // The narrowest grows, the widest shrinks.
    const next = others.reduce((best, each) => (step * each.width < step * best.width ? each : best), first);
    fitted = fitted.map((each) => (each === next ? { ...each, width: each.width + step } : each));
    spare -= step;
  }
  return { fitted, hidden: hidden.map((column) => column.header) };
}

function byRank<T>(a: Fitted<T>, b: Fitted<T>): number {
  return (a.column.drop ?? 0) - (b.column.drop ?? 0);
}

function floorOf<T>(each: Fitted<T>, least: number): number {
  return each.column.shrink === true ? Math.max(each.column.header.length, least) : each.width;
}

function* ownLines<T>(rows: Rows<T>, layout: Layout<T>): Generator<string> {
  const { fitted, widthOf, style, ellipsis } = layout;
  const last = fitted.length - 1;
  let header = '';
  for (const [index, { column, width }] of fitted.entries()) {
    header += padded(style.strong(column.header), column.header.length, width, column.align, index === last);
  }
  yield `${header}\n`;
  for (const row of rows) {
    let line = '';
    let index = -1;
    for (const { column, width } of fitted) {
      index += 1;
      const value = column.cell(row);
      if (typeof value === 'string' && value.length <= width && column.align !== 'right' && isUsual(value)) {
        line += index === last ? value : value.padEnd(width + gap.length);
        continue;
      }
      const text = cutToWidth(textOf(value), width, ellipsis, widthOf);
      line += padded(style.tone(toneOf(value), text), widthOf(text), width, column.align, index === last);
    }
    yield `${line}\n`;
  }
}

function padded(
  text: string,
  textWidth: number,
  width: number,
  align: 'left' | 'right' | undefined,
  isLast: boolean,
): string {
  const missing = width - textWidth;
  const blanks = missing > 0 ? ' '.repeat(missing) : '';
  if (align === 'right') return isLast ? blanks + text : blanks + text + gap;
  return isLast ? text : text + blanks + gap;
}

async function cliTableLines<T>(rows: Rows<T>, layout: Layout<T>): Promise<readonly string[]> {
  const { default: CliTable } = await import('cli-table3');
  const { fitted, widthOf, style, ellipsis } = layout;
  const table = new CliTable({
    head: fitted.map(({ column }) => style.strong(column.header)),
    colAligns: fitted.map(({ column }) => column.align ?? 'left'),
    colWidths: fitted.map(({ width }) => width),
    chars: noBorders,
    // Without empty lists it colours a pipe.
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const row of rows) {
    table.push(
      fitted.map(({ column, width }) => {
        const value = column.cell(row);
        return style.tone(toneOf(value), cutToWidth(textOf(value), width, ellipsis, widthOf));
      }),
    );
  }
  return table
    .toString()
    .split('\n')
    .map((line) => `${line.trimEnd()}\n`);
}

const noBorders = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: gap,
};
