import { formatCount, plural } from './count';
import type { Screen } from './format';
import { safeText } from './safe-text';
import type { Style, Tone } from './style';
import { styler } from './style';
import { lengthAsWidth } from './text-width';
import { wrap } from './wrap';

/** In the order of the legend. */
const states = ['free', 'used', 'permanent', 'reserved', 'expiring', 'outside'] as const;

export type SubnetState = (typeof states)[number];

export interface SubnetMap {
  /** The network as written, `10.1.0.0/16`; for the title only. */
  readonly network: string;
  /** Prefix length of one subnet, bits: 24. */
  readonly subnetLen: number;
  /** First address of the subnet with index 0, as a number. */
  readonly first: number;
  /** How many subnets, 1 to 2^22. */
  readonly count: number;
  /** What the subnet with this index is; called once for each. */
  readonly cells: (index: number) => SubnetState;
}

interface Look {
  readonly glyph: string;
  readonly ascii: string;
  readonly tone: Tone;
  readonly label: string;
}

// Glyphs tell the states apart without colour; the shades are kept for cells that stand for many subnets.
const looks: Readonly<Record<SubnetState, Look>> = {
  free: { glyph: '·', ascii: '.', tone: 'dim', label: 'free' },
  used: { glyph: '█', ascii: '#', tone: 'good', label: 'used' },
  permanent: { glyph: '◆', ascii: 'P', tone: 'strong', label: 'permanent' },
  reserved: { glyph: '○', ascii: 'R', tone: 'plain', label: 'reserved' },
  expiring: { glyph: '▄', ascii: '!', tone: 'warn', label: 'expiring' },
  outside: { glyph: '╱', ascii: '~', tone: 'dim', label: 'out of range' },
};

/** A cell of several subnets that are not all alike, by how many of them are taken; all of them: as `used`. */
const shades = [
  { below: 1 / 3, glyph: '░', ascii: '-', label: 'under a third taken' },
  { below: 2 / 3, glyph: '▒', ascii: '+', label: 'under two thirds' },
  { below: 1, glyph: '▓', ascii: '*', label: 'more' },
] as const;

const mostRows = 32;
/** Few subnets are spread over up to this many rows, so that a terminal of 24 lines shows all. */
const comfortableRows = 16;
const leastCellsInRow = 16;
const pipeColumns = 80;
const rulerStep = 8;

interface Scale {
  /** Subnets in one cell, a power of two. */
  readonly block: number;
  /** Cells in one row, a power of two, so that rows begin at round addresses. */
  readonly perRow: number;
  readonly rows: number;
}

/**
 * The address space as a picture: a row begins with the address of its first subnet, a cell is one subnet while
 * they fit, else a power of two of them. Ends in `\n`.
 */
export async function renderSubnetMap(map: SubnetMap, screen: Screen): Promise<string> {
  const style = await styler(screen);
  const columns = Number.isFinite(screen.columns) ? screen.columns : pipeColumns;
  const subnetSize = 2 ** (32 - map.subnetLen);
  const labelColumns = ipv4(map.first + (map.count - 1) * subnetSize).length + 2;
  const scale = scaleFor(map.count, columns - labelColumns);
  const cellColumns = labelColumns + 2 * scale.perRow - 1 <= columns ? 2 : 1;

  const totals = new Map<SubnetState, number>(states.map((state) => [state, 0]));
  const glyphOf = (look: { readonly glyph: string; readonly ascii: string }): string =>
    screen.unicode ? look.glyph : look.ascii;
  let hasShades = false;
  const rows: string[] = [];
  for (let row = 0; row < scale.rows; row++) {
    const painter = new RowPainter(style, cellColumns);
    for (let column = 0; column < scale.perRow; column++) {
      const start = (row * scale.perRow + column) * scale.block;
      if (start >= map.count) break;
      const counts = countStates(map, start, Math.min(start + scale.block, map.count), totals);
      const look = lookOf(counts);
      hasShades ||= counts.size > 1;
      painter.add(glyphOf(look), look.tone);
    }
    const address = ipv4(map.first + row * scale.perRow * scale.block * subnetSize);
    rows.push(`${address.padEnd(labelColumns)}${painter.text()}`);
  }
  const wrapped = (line: string): readonly string[] => wrap(line, Math.max(columns, 20), lengthAsWidth);
  const lines = [
    ...flowed(titleParts(map, totals), screen.unicode ? ' · ' : ', ', columns).map(({ text }) => style.strong(text)),
    '',
    style.dim(rulerOf(scale, map.count, labelColumns, cellColumns)),
    ...rows,
    '',
    ...legendOf(totals, columns, style, glyphOf),
    ...scaleLines(map, scale, hasShades, glyphOf)
      .flatMap(wrapped)
      .map((line) => style.dim(line)),
  ];
  return `${lines.join('\n')}\n`;
}

function scaleFor(count: number, columns: number): Scale {
  const widest = 2 ** Math.max(Math.floor(Math.log2(Math.max(columns, 1))), 3);
  let block = 1;
  while (Math.ceil(count / block) > widest * mostRows) block *= 2;
  const cells = Math.ceil(count / block);
  let perRow = Math.min(leastCellsInRow, widest, 2 ** Math.ceil(Math.log2(cells)));
  while (perRow < widest && Math.ceil(cells / perRow) > comfortableRows) perRow *= 2;
  return { block, perRow, rows: Math.ceil(cells / perRow) };
}

function countStates(
  map: SubnetMap,
  start: number,
  end: number,
  totals: Map<SubnetState, number>,
): ReadonlyMap<SubnetState, number> {
  const counts = new Map<SubnetState, number>();
  for (let index = start; index < end; index++) {
    const state = map.cells(index);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  for (const [state, count] of counts) totals.set(state, (totals.get(state) ?? 0) + count);
  return counts;
}

function lookOf(counts: ReadonlyMap<SubnetState, number>): Pick<Look, 'glyph' | 'ascii' | 'tone'> {
  const [only, ...others] = counts.keys();
  if (only !== undefined && others.length === 0) return looks[only];
  let all = 0;
  for (const count of counts.values()) all += count;
  const taken = all - (counts.get('free') ?? 0) - (counts.get('outside') ?? 0);
  if (taken === 0) return looks.free;
  const tone = counts.has('expiring') ? 'warn' : 'good';
  return { ...(shades.find(({ below }) => taken / all < below) ?? looks.used), tone };
}

/** Colours runs of like cells at once: 2,048 cells would otherwise carry 20 KB of escape sequences. */
class RowPainter {
  readonly #style: Style;
  readonly #gap: string;
  #output = '';
  #run = '';
  #tone: Tone = 'plain';

  constructor(style: Style, cellColumns: number) {
    this.#style = style;
    this.#gap = ' '.repeat(cellColumns - 1);
  }

  add(glyph: string, tone: Tone): void {
    if (tone !== this.#tone) this.#flush();
    this.#tone = tone;
    this.#run += (this.#run === '' && this.#output === '' ? '' : this.#gap) + glyph;
  }

  text(): string {
    this.#flush();
    return this.#output;
  }

  #flush(): void {
    this.#output += this.#style.tone(this.#tone, this.#run);
    this.#run = '';
  }
}

function titleParts(map: SubnetMap, totals: ReadonlyMap<SubnetState, number>): readonly Part[] {
  const inRange = map.count - (totals.get('outside') ?? 0);
  const free = totals.get('free') ?? 0;
  const taken = inRange - free;
  return [
    `${safeText(map.network, 50)}: ${plural(map.count, 'subnet')} of /${map.subnetLen}`,
    `${formatCount(taken)} of ${formatCount(inRange)} taken (${percent(taken, inRange)})`,
    `${formatCount(free)} free`,
  ].map((text) => ({ text, width: text.length }));
}

/** Text that may be coloured, with the cells that it takes. */
interface Part {
  readonly text: string;
  readonly width: number;
}

/** Parts one after another, on as many lines as they need. */
function flowed(parts: readonly Part[], separator: string, columns: number): readonly Part[] {
  const lines: Part[] = [];
  for (const part of parts) {
    const line = lines.at(-1);
    const width = (line?.width ?? 0) + separator.length + part.width;
    if (line === undefined || width > columns) lines.push(part);
    else lines[lines.length - 1] = { text: line.text + separator + part.text, width };
  }
  return lines;
}

/** Never `0%` of something nor `100%` of not all. */
function percent(part: number, whole: number): string {
  if (part === 0 || whole === 0) return '0%';
  if (part === whole) return '100%';
  const value = (100 * part) / whole;
  if (value < 0.1) return '<0.1%';
  return value > 99.9 ? '>99.9%' : `${Number(value.toFixed(1))}%`;
}

/** How many subnets further than the start of the row a cell begins. */
function rulerOf(scale: Scale, count: number, labelColumns: number, cellColumns: number): string {
  let ruler = ' '.repeat(labelColumns);
  for (let cell = 0; cell < scale.perRow && cell * scale.block < count; cell += rulerStep) {
    ruler += `+${cell * scale.block}`.padEnd(rulerStep * cellColumns);
  }
  return ruler.trimEnd();
}

function legendOf(
  totals: ReadonlyMap<SubnetState, number>,
  columns: number,
  style: Style,
  glyphOf: (look: Look) => string,
): readonly string[] {
  const parts = states
    .map((state) => ({ state, total: totals.get(state) ?? 0 }))
    .filter(({ state, total }) => total > 0 || state === 'free' || state === 'used')
    .map(({ state, total }) => {
      const look = looks[state];
      const text = `${look.label} ${formatCount(total)}`;
      return { text: `${style.tone(look.tone, glyphOf(look))} ${text}`, width: 2 + text.length };
    });
  return flowed(parts, '   ', columns).map(({ text }) => text);
}

function scaleLines(
  map: SubnetMap,
  { block, perRow, rows }: Scale,
  hasShades: boolean,
  glyphOf: (look: { readonly glyph: string; readonly ascii: string }) => string,
): readonly string[] {
  const prefixOf = (subnets: number): string => `/${map.subnetLen - Math.log2(subnets)}`;
  const cell = block === 1 ? '1 subnet' : `${plural(block, 'subnet')} (${prefixOf(block)})`;
  const row = rows > 1 ? `, a row ${plural(perRow * block, 'subnet')} (${prefixOf(perRow * block)})` : '';
  const lines = [`A cell is ${cell}${row}.`];
  if (hasShades) lines.push(`Mixed cells: ${shades.map((each) => `${glyphOf(each)} ${each.label}`).join('  ')}`);
  return lines;
}

function ipv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
