import { ChangeFailed, Conflict, NetctlError } from '../errors';
import type { Change, Plan } from '../plan/change';
import type { Store } from '../store/store';

async function carryOut(change: Change, store: Store): Promise<void> {
  switch (change.kind) {
    case 'put':
      await store.put(
        {
          key: change.key,
          value: change.value,
          ...(change.ttlSeconds === undefined ? {} : { ttlSeconds: change.ttlSeconds }),
        },
        change.expected,
      );
      return;
    case 'delete':
      await store.delete(change.key, change.expected);
      return;
    default:
      throw new TypeError(`no such change: ${change satisfies never as string}`);
  }
}

/**
 * Makes the changes of a plan in their order and stops at the first that fails: recovery is to run the command again,
 * which plans from what it finds then.
 * @throws Conflict when somebody else changed a key since the plan was made; the message says what had been done before.
 */
export async function execute(plan: Plan, store: Store, done: (change: Change) => void = () => {}): Promise<void> {
  const before: string[] = [];
  for (const change of plan.changes) {
    try {
      await carryOut(change, store);
    } catch (error) {
      if (before.length === 0 || !(error instanceof NetctlError)) throw error;
      const Kind = error instanceof Conflict ? Conflict : ChangeFailed;
      throw new Kind({
        code: error.code,
        message: error.message,
        details: [...error.details, ...before.map((line) => `done before: ${line}`)],
        next: error.next,
        cause: error,
      });
    }
    before.push(`${change.kind} ${change.key}`);
    done(change);
  }
}
