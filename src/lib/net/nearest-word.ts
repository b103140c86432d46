import { distance } from 'fastest-levenshtein';

/**
 * The known word that was probably meant: at most a third of its letters away (two for short words, and never all of
 * them), upper and lower case being the same. `undefined` when nothing is near.
 */
export function nearestWord(typed: string, known: readonly string[]): string | undefined {
  // A key from etcd can be a megabyte; nothing much longer than a word is a slip of the finger.
  if (typed.length === 0 || typed.length > 64) return undefined;
  const wanted = typed.toLowerCase();
  let best: string | undefined;
  let bestSteps = Number.POSITIVE_INFINITY;
  for (const word of known) {
    const steps = distance(wanted, word.toLowerCase());
    if (steps <= Math.max(2, Math.floor(word.length / 3)) && steps < word.length - 1 && steps < bestSteps) {
      best = word;
      bestSteps = steps;
    }
  }
  return best;
}
