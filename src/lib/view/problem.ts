import type { Problem } from '../net/problem';
import type { Screen } from './format';

/** Problems for people, worst first, and a line that counts them. Ends in `\n`; `''` when there are none. */
export async function renderProblems(_problems: readonly Problem[], _screen: Screen): Promise<string> {
  throw new Error('lands in a few minutes');
}
