import type { Expected, Revision } from '../store/store';

/** One thing that ought to change in etcd, as plain data: a dry run prints it, the engine carries it out, a test compares it. */
export type Change =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      /** What the plan was made from. A different state at the time of the write is a `Conflict`. */
      readonly expected: Expected;
      readonly ttlSeconds?: number | 'keep';
      readonly why: string;
    }
  | { readonly kind: 'delete'; readonly key: string; readonly expected: Revision; readonly why: string };

/** Changes in the order in which they are made; an empty plan means that all is as it should be. */
export interface Plan {
  readonly title: string;
  readonly changes: readonly Change[];
}

export function isDone(plan: Plan): boolean {
  return plan.changes.length === 0;
}
