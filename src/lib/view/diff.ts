import type { Screen } from './format';

/** What changes between two texts, line by line, as `diff -u` shows it. Ends in `\n`; `''` when they are equal. */
export async function renderDiff(
  _before: string,
  _after: string,
  _screen: Screen,
  _options: { readonly label: string },
): Promise<string> {
  throw new Error('lands in a few minutes');
}
