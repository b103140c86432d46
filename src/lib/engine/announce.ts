import { Conflict } from '../errors';
import type { Plan } from '../plan/change';
import type { Store } from '../store/store';
import { execute } from './execute';

/** So many writes are on their way at a time. */
const atOnce = 16;

/** Writes leases again as they are. One that somebody else wrote meanwhile was announced by that. */
export async function announce({ changes }: Pick<Plan, 'changes'>, store: Store): Promise<void> {
  const queue = changes.values();
  const worker = async (): Promise<void> => {
    for (const change of queue) {
      try {
        await execute({ title: change.key, changes: [change] }, store);
      } catch (error) {
        if (!(error instanceof Conflict) || error.code === 'lock-lost') throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
