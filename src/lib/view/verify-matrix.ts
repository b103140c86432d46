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

/** In a pipe no width forces it, but nobody reads more columns. */
const mostNamedColumns = 16;

/** The result for people: rows send, columns receive; as much of it as the screen has room for. Chunks that end in `\n`. */
export async function renderVerify(document: VerifyDocument, screen: Screen): Promise<readonly string[]> {
  const style = await styler(screen);
  const legs = [...new Set(document.items.map(({ leg }) => leg))];
  const output: string[] = [];
  for (const leg of legs) {
    if (output.length > 0) output.push('\n');
    if (legs.length > 1) output.push(`${style.strong(legTitles[leg])}\n`);
    const items = document.items.filter((item) => item.leg === leg);
    output.push(...(await matrix(items, screen, style)));
  }
  const used = Object.values(marks).filter((mark) => document.items.some((item) => markOf(item) === mark));
  // Where all is well there is nothing to explain.
  if (used.some(({ word }) => word !== 'ok')) {
    output.push('\n');
    const isShort = output.some((line) => line.includes(shortHint));
    for (const { word, letter, tone, meaning } of used) {
      output.push(`${style.tone(tone, (isShort ? letter : word).padEnd(4))}  ${meaning}\n`);
    }
  }
  return output;
}

const shortHint = 'rows send, columns receive';

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

async function matrix(items: readonly VerifiedPathItem[], screen: Screen, style: Style): Promise<readonly string[]> {
  const rows = [...new Set(items.map(({ from }) => from))].map((name) => ({ name, text: safeText(name, 64) }));
  const order = [...new Set(items.map(({ to }) => to))];
  // The diagonal stays straight.
  const columns = [...rows.map(({ name }) => name).filter((name) => order.includes(name)), ...order]
    .filter((name, index, all) => all.indexOf(name) === index)
    .map((name) => ({ name, text: safeText(name, 64) }));
  const cells = new Map(items.map((item) => [`${item.from}\n${item.to}`, markOf(item)]));
  const widthOf = await textWidthFor([...rows, ...columns].map(({ text }) => text));
  const padded = (text: string, width: number) => text + ' '.repeat(Math.max(0, width - widthOf(text)));
  const first = Math.max('FROM / TO'.length, ...rows.map(({ text }) => widthOf(text)));

  const widths = columns.map(({ text }) => Math.max(4, widthOf(text)));
  const total = first + widths.reduce((sum, width) => sum + width + 2, 0);
  if (columns.length <= mostNamedColumns && total <= screen.columns) {
    const head = columns.map(({ text }, index) => padded(text, widths[index] ?? 4)).join('  ');
    return [
      `${style.strong(`${'FROM / TO'.padEnd(first)}  ${head}`.trimEnd())}\n`,
      ...rows.map(({ name, text }) => {
        const line = columns.map((column, index) => {
          const mark = cells.get(`${name}\n${column.name}`);
          const word = mark?.word ?? '-';
          return style.tone(mark?.tone ?? 'dim', word) + ' '.repeat(Math.max(0, (widths[index] ?? 4) - word.length));
        });
        return `${padded(text, first)}  ${line.join('  ')}`.trimEnd().concat('\n');
      }),
    ];
  }

  const digits = String(rows.length).length;
  const before = digits + 1 + first + 2;
  if (before + columns.length <= screen.columns && columns.every(({ name }, index) => rows[index]?.name === name)) {
    const numbers = columns.map((_, index) => String(index + 1).padStart(digits));
    return [
      ...Array.from({ length: digits }, (_, digit) => {
        const head = digit === 0 ? shortHint.slice(0, before - 2).padEnd(before) : ' '.repeat(before);
        return `${style.dim(head)}${style.strong(numbers.map((text) => text[digit] ?? ' ').join(''))}\n`;
      }),
      ...rows.map(({ name, text }, index) => {
        const line = columns.map((column) => {
          const mark = cells.get(`${name}\n${column.name}`);
          return style.tone(mark?.tone ?? 'dim', mark?.letter ?? '-');
        });
        return `${style.dim(String(index + 1).padStart(digits))} ${padded(text, first)}  ${line.join('')}\n`;
      }),
    ];
  }
  return perNode(
    items,
    rows.map(({ name }) => name),
    screen,
  );
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
  const well = `${plural(rows.length - troubled.length, 'node')} without any trouble\n`;
  if (troubled.length === 0) return [well];
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
