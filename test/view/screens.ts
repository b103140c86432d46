import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Screen } from '../../src/lib/view/format';

const folder = join(import.meta.dirname, 'golden');

/** Compares with `golden/<name>.txt`; `UPDATE_GOLDEN=1` writes it. Escape sequences are kept as `\e`, so that a diff can be read. */
export function expectGolden(name: string, text: string): void {
  const file = join(folder, `${name}.txt`);
  const readable = text.replaceAll('\x1b', '\\e');
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, readable);
  }
  expect(readable).toBe(readFileSync(file, 'utf8'));
}

export const pipe: Screen = { isTerminal: false, columns: Number.POSITIVE_INFINITY, colorLevel: 0, unicode: true };

export function terminal(columns: number, colorLevel: Screen['colorLevel'] = 0, unicode = true): Screen {
  return { isTerminal: true, columns, colorLevel, unicode };
}

/** Every screen that the golden files know, with a word for the file's name. */
export const screens: readonly (readonly [name: string, screen: Screen])[] = [
  ['40', terminal(40)],
  ['80', terminal(80)],
  ['200', terminal(200)],
  ['80-colour', terminal(80, 1)],
  ['40-ascii', terminal(40, 0, false)],
  ['pipe', pipe],
];
