import { distance } from 'fastest-levenshtein';

/**
 * What somebody may have meant, the nearest first: at most three words that begin with what was typed, have its letters
 * in another order, or differ from it in at most two letters of five.
 */
export function didYouMean(typed: string, known: readonly string[]): readonly string[] {
  const wanted = typed.toLowerCase();
  if (wanted === '') return [];
  return known
    .map((word) => ({ word, steps: stepsBetween(wanted, word.toLowerCase()) }))
    .filter(({ word, steps }) => steps <= Math.max(1, Math.floor(word.length * 0.4)))
    .sort((a, b) => a.steps - b.steps || (a.word < b.word ? -1 : 1))
    .slice(0, 3)
    .map(({ word }) => word);
}

function stepsBetween(typed: string, word: string): number {
  if (typed.length >= 2 && word.startsWith(typed)) return 1;
  // A text from a script can be long; nothing that is much longer than every word is a slip of the finger.
  if (Math.abs(typed.length - word.length) > 8) return Number.POSITIVE_INFINITY;
  // Two neighbours that changed places are one slip, not two.
  return lettersOf(typed) === lettersOf(word) ? 1 : distance(typed, word);
}

function lettersOf(word: string): string {
  return Array.from(word).sort().join('');
}
