import { ChangeFailed } from '../errors';
import { type Change, isDone, type Plan } from '../plan/change';
import type { Store } from '../store/store';
import { execute } from './execute';

export interface Converge<F, P extends Plan> {
  readonly store: Store;
  readonly look: () => Promise<F>;
  readonly decide: (facts: F) => P;
  /** Sees the plan before anything is done: prints it, asks, or throws `Refused`. `false` ends the run with nothing changed. */
  readonly approve: (plan: P, facts: F) => Promise<boolean>;
  readonly done?: (change: Change) => void;
  /** Runs the part that writes; a person's Ctrl-C can wait for its end there. */
  readonly whileWriting?: <T>(work: () => Promise<T>) => Promise<T>;
}

export interface Outcome<F, P extends Plan> {
  readonly applied: boolean;
  /** The plan that was shown. */
  readonly plan: P;
  /** The facts as they are at the end. */
  readonly facts: F;
}

/**
 * Look, decide, do, look again. An applied plan must plan to nothing, and that is checked on fresh facts:
 * what etcd acknowledged and what it now holds are two different questions.
 */
export async function converge<F, P extends Plan>(options: Converge<F, P>): Promise<Outcome<F, P>> {
  const facts = await options.look();
  const plan = options.decide(facts);
  if (!(await options.approve(plan, facts)) || isDone(plan)) return { applied: false, plan, facts };
  const write = () => execute(plan, options.store, options.done);
  await (options.whileWriting === undefined ? write() : options.whileWriting(write));
  const after = await options.look();
  const rest = options.decide(after);
  if (!isDone(rest)) {
    throw new ChangeFailed({
      code: 'not-converged',
      message: `${plan.title}: all changes were acknowledged, but etcd does not hold them now`,
      details: rest.changes.map((change) => `still to do: ${change.kind} ${change.key} (${change.why})`),
      next: ['Somebody may have changed it again: run the command once more and look at what it shows.'],
    });
  }
  return { applied: true, plan, facts: after };
}
