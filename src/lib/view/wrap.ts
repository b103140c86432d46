import type { TextWidth } from './text-width';
import { firstCells } from './text-width';

/**
 * Text broken at blanks into lines of at most `columns` cells. A longer word is broken too, unless `keepWords`:
 * a path or a command must be copied in one piece, so it rather sticks out.
 */
export function wrap(text: string, columns: number, widthOf: TextWidth, keepWords = false): readonly string[] {
  if (widthOf(text) <= columns) return [text];
  const lines: string[] = [];
  let line = '';
  let lineWidth = 0;
  for (const word of text.split(' ')) {
    const width = widthOf(word);
    if (lineWidth > 0 && lineWidth + 1 + width > columns) {
      lines.push(line.trimEnd());
      line = '';
      lineWidth = 0;
    }
    if (lineWidth === 0 && width > columns && !keepWords) {
      const pieces = broken(word, columns, widthOf);
      lines.push(...pieces.slice(0, -1));
      line = pieces.at(-1) ?? '';
      lineWidth = widthOf(line);
    } else {
      line = lineWidth === 0 ? word : `${line} ${word}`;
      lineWidth += width + (lineWidth === 0 ? 0 : 1);
    }
  }
  if (line !== '') lines.push(line);
  return lines;
}

function broken(word: string, columns: number, widthOf: TextWidth): readonly string[] {
  const pieces: string[] = [];
  let rest = word;
  while (rest !== '') {
    // A character that is wider than the line goes through whole, else this would never end.
    const piece = firstCells(rest, columns, widthOf) || (Array.from(rest)[0] ?? rest);
    pieces.push(piece);
    rest = rest.slice(piece.length);
  }
  return pieces;
}
