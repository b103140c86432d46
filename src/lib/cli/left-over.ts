import { describe } from '../engine/carry-out';
import type { Problem } from '../net/problem';
import type { NodeStep } from '../plan/host-change';

/**
 * What the plan made after the work says of it; undefined when all is as it should be. An error in it is never taken for that: where
 * something could not be found out, nothing may be left to do only because nothing could be planned.
 */
export function leftOver(rest: {
  readonly steps: readonly NodeStep[];
  readonly problems: readonly Problem[];
}): string | undefined {
  const things = rest.steps.flatMap(({ changes }) => changes.map(describe));
  const error = rest.problems.find(({ severity }) => severity === 'error');
  if (error !== undefined) return `all was done, but it could not be confirmed: ${error.message}`;
  if (things.length > 0) return `all was done, but it is not as it should be; still to do: ${things.join('; ')}`;
  return undefined;
}
