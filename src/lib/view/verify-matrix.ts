import type { ProbeLeg } from '../fact/probed-path';
import { plural } from './count';
import type { Screen } from './format';
import { safeText } from './safe-text';
import type { Style, Tone } from './style';
import { styler } from './style';
import { renderTable } from './table';
import { textWidthFor } from './text-width';
import type { VerifiedPathItem, VerifyDocument } from './verify';

interface Mark {
  readonly word: string;
  readonly letter: string;
  readonly tone: Tone;
  readonly meaning: string;
}

const marks = {
  ok: {
    word: 'ok',
    letter: '.',
    tone: 'good',
    meaning: 'everything arrived, with the source address that it should have',
  },
  nat: { word: 'nat', letter: 'N', tone: 'warn', meaning: "everything arrived, not with the container's own address" },
  mtu: { word: 'mtu', letter: 'M', tone: 'bad', meaning: 'small packets arrived, large ones did not' },
  part: { word: 'part', letter: 'P', tone: 'bad', meaning: 'some packets arrived, whatever their size' },
  fail: { word: 'FAIL', letter: 'X', tone: 'bad', meaning: 'nothing arrived' },
  unknown: { word: '?', letter: '?', tone: 'dim', meaning: 'not known' },
} as const satisfies Readonly<Record<string, Mark>>;

const legTitles: Readonly<Record<ProbeLeg, string>> = {
  'container-to-container': 'From containers to containers',
  'container-to-node': 'From containers to the nodes themselves',
  'node-to-container': 'From the nodes themselves to containers',
  'container-to-outside': 'From containers to the outside',
};

const title = 'FROM / TO';

/** In a pipe no width forces it, but nobody reads more columns. */
const mostNamedColumns = 16;

/** The result for people: rows send, columns receive; as much of it as the screen has room for. Chunks that end in `\n`. */
export async function renderVerify(document: VerifyDocument, screen: Screen): Promise<readonly string[]> {
  const style = await styler(screen);
  const legs = [...new Set(document.items.map(({ leg }) => leg))];
  const output: string[] = [];
  const signs = new Set<keyof Mark>();
  for (const leg of legs) {
    if (output.length > 0) output.push('\n');
    if (legs.length > 1) output.push(`${style.strong(legTitles[leg])}\n`);
    const items = document.items.filter((item) => item.leg === leg);
    const { lines, sign } = await matrix(items, screen, style);
    output.push(...lines);
    if (sign !== null) signs.add(sign);
  }
  const used = Object.values(marks).filter((mark) => document.items.some((item) => markOf(item) === mark));
  // Where all is well there is nothing to explain.
  if (signs.size > 0 && used.some(({ word }) => word !== 'ok')) {
    output.push('\n');
    for (const mark of used) {
      const sign = [...signs].map((each) => mark[each]).join(' ');
      output.push(`${style.tone(mark.tone, sign.padEnd(4))}  ${mark.meaning}\n`);
    }
  }
  return output;
}

function markOf({ state, fault }: VerifiedPathItem): Mark {
  switch (state) {
    case 'ok':
      return marks.ok;
    case 'masqueraded':
      return marks.nat;
    case 'unknown':
      return marks.unknown;
    case 'failed':
      return fault === 'path-mtu' ? marks.mtu : fault === 'path-protocol' ? marks.part : marks.fail;
    default:
      return state satisfies never;
  }
}

interface Matrix {
  readonly lines: readonly string[];
  /** How a pair is written; null where pairs are counted. */
  readonly sign: 'word' | 'letter' | null;
}

async function matrix(items: readonly VerifiedPathItem[], screen: Screen, style: Style): Promise<Matrix> {
  const rows = [...new Set(items.map(({ from }) => from))].map((name) => ({ name, text: safeText(name, 64) }));
  const order = [...new Set(items.map(({ to }) => to))];
  // The diagonal stays straight.
  const columns = [...rows.map(({ name }) => name).filter((name) => order.includes(name)), ...order]
    .filter((name, index, all) => all.indexOf(name) === index)
    .map((name) => ({ name, text: safeText(name, 64) }));
  const cells = new Map(items.map((item) => [`${item.from}\n${item.to}`, markOf(item)]));
  const widthOf = await textWidthFor([...rows, ...columns].map(({ text }) => text));
  const padded = (text: string, width: number) => text + ' '.repeat(Math.max(0, width - widthOf(text)));
  const first = Math.max(title.length, ...rows.map(({ text }) => widthOf(text)));

  const widths = columns.map(({ text }) => Math.max(4, widthOf(text)));
  const total = first + widths.reduce((sum, width) => sum + width + 2, 0);
  if (columns.length <= mostNamedColumns && total <= screen.columns) {
    const head = columns.map(({ text }, index) => padded(text, widths[index] ?? 4)).join('  ');
    const lines = rows.map(({ name, text }) => {
      const line = columns.map((column, index) => {
        const mark = cells.get(`${name}\n${column.name}`);
        const word = mark?.word ?? '-';
        return style.tone(mark?.tone ?? 'dim', word) + ' '.repeat(Math.max(0, (widths[index] ?? 4) - word.length));
      });
      return `${padded(text, first)}  ${line.join('  ')}`.trimEnd().concat('\n');
    });
    return { lines: [`${style.strong(`${title.padEnd(first)}  ${head}`.trimEnd())}\n`, ...lines], sign: 'word' };
  }

  const digits = String(rows.length).length;
  const before = digits + 1 + first + 2;
  if (before + columns.length <= screen.columns && columns.every(({ name }, index) => rows[index]?.name === name)) {
    const numbers = columns.map((_, index) => String(index + 1).padStart(digits));
    const head = Array.from({ length: digits }, (_, digit) => {
      const left = (digit === digits - 1 ? `${' '.repeat(digits + 1)}${title}` : '').padEnd(before);
      return `${style.strong(left + numbers.map((text) => text[digit] ?? ' ').join(''))}\n`;
    });
    // Of a fleet only the rows with trouble are worth a line.
    const lines = rows.flatMap(({ name, text }, index) => {
      const line = columns.map((column) => cells.get(`${name}\n${column.name}`));
      if (line.every((mark) => mark === undefined || mark === marks.ok)) return [];
      const letters = line.map((mark) => style.tone(mark?.tone ?? 'dim', mark?.letter ?? '-')).join('');
      return [`${style.dim(String(index + 1).padStart(digits))} ${padded(text, first)}  ${letters}\n`];
    });
    if (lines.length === 0) return { lines: [`everything arrives between all ${rows.length} nodes\n`], sign: null };
    const well = rows.length - lines.length;
    const rest = well === 0 ? [] : [`${plural(well, 'other node')} without any trouble as senders\n`];
    return { lines: [...head, ...lines, ...rest], sign: 'letter' };
  }
  const names = rows.map(({ name }) => name);
  return { lines: await perNode(items, names, screen), sign: null };
}

/** For fleets that no line has room for: only nodes with trouble, each with how many of its pairs are well. */
async function perNode(
  items: readonly VerifiedPathItem[],
  names: readonly string[],
  screen: Screen,
): Promise<readonly string[]> {
  const rows = names.map((name) => ({
    name,
    sent: items.filter(({ from }) => from === name),
    received: items.filter(({ to }) => to === name),
  }));
  const isWell = (each: readonly VerifiedPathItem[]) => each.every(({ state }) => state === 'ok');
  const troubled = rows.filter(({ sent, received }) => !isWell(sent) || !isWell(received));
  if (troubled.length === 0) return [`everything arrives between all ${rows.length} nodes\n`];
  const well = `${plural(rows.length - troubled.length, 'other node')} without any trouble\n`;
  const count = (of: readonly VerifiedPathItem[]) => {
    const ok = of.filter(({ state }) => state === 'ok').length;
    return { text: `${ok}/${of.length}`, tone: ok === of.length ? ('good' as const) : ('bad' as const) };
  };
  const table = await renderTable(
    troubled,
    [
      { header: 'NODE', cell: ({ name }) => name, shrink: true },
      { header: 'SENDS WELL', cell: ({ sent }) => count(sent), align: 'right' },
      { header: 'RECEIVES WELL', cell: ({ received }) => count(received), align: 'right' },
    ],
    screen,
    { wide: false },
  );
  return [...table.lines, troubled.length < rows.length ? well : ''];
}

/** `6 pairs: 4 ok, 2 failed`. */
export function verifySummary({ counts, items }: VerifyDocument): string {
  const parts = Object.entries(counts).flatMap(([state, count]) => (count === 0 ? [] : [`${count} ${state}`]));
  return `${plural(items.length, 'pair')}: ${parts.join(', ')}`;
}
