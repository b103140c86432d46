/** Cells that a text without escape sequences takes on a terminal. */
export type TextWidth = (text: string) => number;

// Printable ASCII and the glyphs of our own views: one cell each.
const narrow = /^[\x20-\x7e…→·█▓▒░▄◆○╱]*$/;

export function isNarrow(text: string): boolean {
  return narrow.test(text);
}

export const lengthAsWidth: TextWidth = (text) => text.length;

/** Measures what `isNarrow` does not cover (CJK, emoji, combining marks). Loaded only when such a text turns up. */
export async function loadTextWidth(): Promise<TextWidth> {
  const { default: stringWidth } = await import('string-width');
  return (text) => (narrow.test(text) ? text.length : stringWidth(text));
}

/** The measure that these texts need. */
export async function textWidthFor(texts: readonly string[]): Promise<TextWidth> {
  return texts.every(isNarrow) ? lengthAsWidth : loadTextWidth();
}

/** The text cut to `columns` cells, the last of them an ellipsis, when it is wider. */
export function cutToWidth(text: string, columns: number, ellipsis: string, widthOf: TextWidth): string {
  if (widthOf(text) <= columns) return text;
  return firstCells(text, Math.max(columns - ellipsis.length, 0), widthOf) + ellipsis;
}

/** The longest beginning that takes no more than `columns` cells; characters are never split. */
export function firstCells(text: string, columns: number, widthOf: TextWidth): string {
  if (isNarrow(text)) return text.slice(0, columns);
  let length = 0;
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    width += widthOf(segment);
    if (width > columns) break;
    length += segment.length;
  }
  return text.slice(0, length);
}
