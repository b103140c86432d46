import { chunks } from './chunks';
import { csvLine } from './csv';
import type { OutputFormat, Screen } from './format';
import type { Cell } from './list';
import { safeJson, safeText } from './safe-text';
import { styler } from './style';
import { textWidthFor } from './text-width';
import { wrap } from './wrap';

/** A label with its value (nothing prints as `-`), or a line of its own. */
export type RecordLine = readonly [label: string, value: string | number | Cell | null] | string;

export interface Section<T> {
  readonly title?: string;
  /** No lines: the section, title and all, is left out. */
  readonly lines: (value: T) => readonly RecordLine[];
}

export interface RecordView<T> {
  /** `kind` of the JSON document, such as `Network`. */
  readonly kind: string;
  readonly name: (value: T) => string;
  readonly sections: readonly Section<T>[];
}

/** Characters of one value that a person is shown. */
const valueLength = 1_000;
/** Beside a long label a value keeps this many cells, even when the line then sticks out. */
const leastValueColumns = 20;

/** One value as text, in chunks that each end in `\n`. JSON and YAML have its own keys beside `apiVersion` and `kind`. */
export async function renderRecord<T extends object>(
  value: T,
  view: RecordView<T>,
  format: OutputFormat,
  screen: Screen,
): Promise<Iterable<string>> {
  switch (format) {
    case 'table':
    case 'wide':
      return chunks(await recordLines(value, view, screen));
    case 'json':
      return [documentText(value, view)];
    case 'yaml': {
      const { toYaml } = await import('./yaml');
      return [toYaml(documentOf(value, view))];
    }
    case 'csv':
      return chunks(csvLines(value));
    case 'name': {
      const name = safeText(view.name(value));
      return name === '' ? [] : [`${name}\n`];
    }
    default:
      return format satisfies never;
  }
}

/** The JSON document of a value, as `-o json` prints it, for a file. */
export function documentText<T extends object>(value: T, view: Pick<RecordView<T>, 'kind'>): string {
  return `${safeJson(documentOf(value, view), 2)}\n`;
}

function documentOf<T extends object>(value: T, view: Pick<RecordView<T>, 'kind'>): object {
  const frame = { apiVersion: 'netctl/v1', kind: view.kind };
  // The frame comes first and has the last word.
  return { ...frame, ...value, ...frame };
}

interface SafeLine {
  readonly label: string | undefined;
  readonly text: string;
  readonly tone: NonNullable<Cell['tone']>;
}

async function recordLines<T>(value: T, view: RecordView<T>, screen: Screen): Promise<readonly string[]> {
  const sections = view.sections
    .map((section) => ({ title: section.title, lines: section.lines(value).map(safeLine) }))
    .filter((section) => section.lines.length > 0);
  const all = sections.flatMap((section) => section.lines);
  const widthOf = await textWidthFor(all.flatMap((line) => [line.label ?? '', line.text]));
  const style = await styler(screen);

  const output: string[] = [];
  for (const [index, section] of sections.entries()) {
    if (index > 0) output.push('\n');
    const indent = section.title === undefined ? '' : '  ';
    // Each section by itself: long labels of one must not push the values of another to the right.
    const labelWidth = Math.max(0, ...section.lines.map((line) => widthOf(labelText(line.label))));
    if (section.title !== undefined) output.push(`${style.strong(safeText(section.title))}\n`);
    for (const { label, text, tone } of section.lines) {
      const labelled = labelText(label);
      const before =
        label === undefined
          ? indent
          : `${indent}${style.dim(labelled)}${' '.repeat(labelWidth + 2 - widthOf(labelled))}`;
      const column = indent.length + (label === undefined ? 0 : labelWidth + 2);
      const lines = wrap(text, Math.max(screen.columns - column, leastValueColumns), widthOf);
      for (const [lineIndex, line] of lines.entries()) {
        output.push(`${lineIndex === 0 ? before : ' '.repeat(column)}${style.tone(tone, line)}\n`);
      }
    }
  }
  return output;
}

/** `network:`, and the number of a step as it is, `1.` */
function labelText(label: string | undefined): string {
  if (label === undefined) return '';
  return label.endsWith('.') ? label : `${label}:`;
}

function safeLine(line: RecordLine): SafeLine {
  if (typeof line === 'string') return { label: undefined, text: safeText(line, valueLength).trimEnd(), tone: 'plain' };
  const [label, value] = line;
  const cell = typeof value === 'object' && value !== null ? value : { text: value === null ? '' : String(value) };
  return {
    label: safeText(label, valueLength),
    text: safeText(cell.text, valueLength).trimEnd() || '-',
    tone: cell.tone ?? 'plain',
  };
}

/** Every scalar with its path, as `effective.backend.type,vxlan`. */
function* csvLines(value: object): Generator<string> {
  yield csvLine(['key', 'value']);
  yield* scalars(value, '');
}

function* scalars(value: object, path: string): Generator<string> {
  for (const [key, each] of Object.entries(value)) {
    const here = path === '' ? key : `${path}.${key}`;
    if (typeof each === 'object' && each !== null) yield* scalars(each, here);
    else if (each !== undefined) yield csvLine([here, typeof each === 'number' || each === null ? each : String(each)]);
  }
}
