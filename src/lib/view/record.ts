import type { OutputFormat, Screen } from './format';
import type { Cell } from './list';

/** A label with its value (`null` prints as `-`), or a line of its own. */
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

/** One value as text, in chunks that each end in `\n`. */
export async function renderRecord<T extends object>(
  _value: T,
  _view: RecordView<T>,
  _format: OutputFormat,
  _screen: Screen,
): Promise<Iterable<string>> {
  throw new Error('lands in a few minutes');
}
