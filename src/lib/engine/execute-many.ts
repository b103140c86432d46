import { ChangeFailed, Conflict, NetctlError, Unreachable } from '../errors';
import type { Change } from '../plan/change';
import type { Store } from '../store/store';
import { execute } from './execute';

/**
 * Makes changes that do not wait for each other, several at once. After the first that fails none is begun; what was begun is waited
 * for, so that nothing is written any more when this has ended.
 * @throws what the change threw, with how many were made before
 */
export async function executeMany(
  title: string,
  changes: readonly Change[],
  store: Store,
  options: { readonly atOnce: number; readonly stop: AbortSignal; readonly done: () => void },
): Promise<void> {
  let made = 0;
  const failures: unknown[] = [];
  // One iterator for all workers: each takes the next change.
  const rest = changes.values();
  const worker = async (): Promise<void> => {
    for (const change of rest) {
      if (options.stop.aborted || failures.length > 0) return;
      try {
        await execute({ title, changes: [change] }, store);
        made += 1;
        options.done();
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, worker));
  const [error] = failures;
  if (error === undefined && made === changes.length) return;
  const counted = `${made} of ${changes.length} keys were written`;
  const next = ['Run the same command again: it goes on from what is there.'];
  if (error === undefined) {
    throw new ChangeFailed({
      code: 'stopped',
      message: `${title}: stopped before all was written`,
      details: [counted],
      next,
    });
  }
  if (!(error instanceof NetctlError)) throw error;
  const Kind =
    error instanceof Conflict ? Conflict : error instanceof Unreachable && made === 0 ? Unreachable : ChangeFailed;
  throw new Kind({
    code: error.code,
    message: error.message,
    details: [...error.details, counted],
    next: [...error.next, ...next],
    cause: error,
  });
}
