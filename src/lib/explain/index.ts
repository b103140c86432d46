import { cliTopics } from './cli';
import { exitTopics } from './exit';
import type { Topic } from './topic';

export { exitTopics };

/** Topics by area, in the order of the documents. */
export const areas: readonly { readonly title: string; readonly topics: readonly Topic[] }[] = [
  { title: 'The command line', topics: cliTopics },
];

/** Every code that an error or a problem can have, and the exit codes. */
export function allTopics(): readonly Topic[] {
  return [...areas.flatMap(({ topics }) => topics), ...exitTopics];
}
