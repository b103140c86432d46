import { plural } from './count';
import type { Screen } from './format';
import { safeText } from './safe-text';
import { styler } from './style';

const contextLines = 3;
const lineLength = 1_000;
const shownLines = 2_000;
/** Cells of the table that finds common lines; beyond, all of one side is removed and all of the other added. */
const comparedCells = 1_000_000;

type Edit = { readonly kind: ' ' | '-' | '+'; readonly text: string };

/** What changes between two texts, line by line, as `diff -u` shows it. Ends in `\n`; `''` when they are equal. */
export async function renderDiff(
  before: string,
  after: string,
  screen: Screen,
  options: { readonly label: string },
): Promise<string> {
  if (before === after) return '';
  const style = await styler(screen);
  const label = safeText(options.label, lineLength);
  const lines = [style.strong(`--- ${label} (before)`), style.strong(`+++ ${label} (after)`)];
  for (const line of hunks(editsBetween(linesOf(before), linesOf(after)))) {
    switch (line.kind) {
      case '-':
        lines.push(style.bad(`-${safeText(line.text, lineLength)}`));
        break;
      case '+':
        lines.push(style.good(`+${safeText(line.text, lineLength)}`));
        break;
      case ' ':
        lines.push(` ${safeText(line.text, lineLength)}`);
        break;
      case '@':
        lines.push(style.dim(line.text));
        break;
      default:
        line satisfies never;
    }
  }
  const left = lines.length - shownLines;
  const shown = left > 0 ? [...lines.slice(0, shownLines), style.dim(`(${plural(left, 'more line')})`)] : lines;
  return `${shown.join('\n')}\n`;
}

/** The end of the last line is no difference worth a line: `diff` would say "No newline at end of file". */
function linesOf(text: string): readonly string[] {
  if (text === '') return [];
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}

function editsBetween(before: readonly string[], after: readonly string[]): readonly Edit[] {
  const shortest = Math.min(before.length, after.length);
  let start = 0;
  while (start < shortest && before[start] === after[start]) start++;
  let end = 0;
  while (end < shortest - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const same = (text: string): Edit => ({ kind: ' ', text });
  return [
    ...before.slice(0, start).map(same),
    ...middleEdits(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...before.slice(before.length - end).map(same),
  ];
}

function middleEdits(before: readonly string[], after: readonly string[]): readonly Edit[] {
  const removed = before.map((text): Edit => ({ kind: '-', text }));
  const added = after.map((text): Edit => ({ kind: '+', text }));
  if (removed.length * added.length > comparedCells) return [...removed, ...added];

  // Longest common subsequence: cell (i, j) is its length for before[i..] and after[j..].
  const width = after.length + 1;
  const common = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      common[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const edits: Edit[] = [];
  let i = 0;
  let j = 0;
  while (i < removed.length || j < added.length) {
    const left = removed[i];
    const right = added[j];
    if (left !== undefined && right !== undefined && left.text === right.text) {
      edits.push({ kind: ' ', text: left.text });
      i++;
      j++;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      edits.push(left);
      i++;
    } else if (right !== undefined) {
      edits.push(right);
      j++;
    }
  }
  return edits;
}

type Line = Edit | { readonly kind: '@'; readonly text: string };

/** Changes with three lines around them, each group under its `@@ -1,3 +1,4 @@`. */
function* hunks(edits: readonly Edit[]): Generator<Line> {
  const changed = edits.flatMap((edit, index) => (edit.kind === ' ' ? [] : [index]));
  let beforeLine = 1;
  let afterLine = 1;
  let position = 0;
  const pass = (to: number): void => {
    for (; position < to; position++) {
      const kind = edits[position]?.kind;
      if (kind !== '+') beforeLine++;
      if (kind !== '-') afterLine++;
    }
  };
  let next = 0;
  while (next < changed.length) {
    const first = changed[next] ?? 0;
    let last = first;
    while (next < changed.length && (changed[next] ?? 0) - last <= 2 * contextLines) {
      last = changed[next] ?? 0;
      next++;
    }
    const start = Math.max(first - contextLines, position);
    const end = Math.min(last + contextLines + 1, edits.length);
    pass(start);
    const part = edits.slice(start, end);
    const beforeCount = part.filter((edit) => edit.kind !== '+').length;
    const afterCount = part.filter((edit) => edit.kind !== '-').length;
    // diff -u names the line before an empty side.
    const from = `-${beforeCount === 0 ? beforeLine - 1 : beforeLine},${beforeCount}`;
    const to = `+${afterCount === 0 ? afterLine - 1 : afterLine},${afterCount}`;
    yield { kind: '@', text: `@@ ${from} ${to} @@` };
    yield* part;
    pass(end);
  }
}
