import * as Flags from '@oclif/core/flags';
import { execute } from '../engine/execute';
import {
  ChangeFailed,
  Conflict,
  type ExitCode,
  exitCodes,
  InvalidInput,
  NetctlError,
  Refused,
  Unreachable,
} from '../errors';
import type { Problem } from '../net/problem';
import { isBlocked, type SubnetWork } from '../plan/subnet-work';
import type { Store } from '../store/store';
import type { StepReport } from '../view/node-bootstrap';
import {
  renderSubnetWork,
  type SubnetWorkDocument,
  type SubnetWorkReport,
  subnetWorkListView,
  subnetWorkReport,
} from '../view/subnet-work';
import { approve } from './approve';
import { NetctlCommand, type OutputChoice } from './command';
import { etcdFlags, flannelFlag, lockFlags, outputFlags, ownFlags } from './flags';
import { uninterrupted } from './interrupt';
import { withOperatorLock } from './operator-lock';
import type { NetworkStore } from './session';

export interface SubnetWorkOptions extends OutputChoice {
  readonly 'dry-run': boolean;
  readonly yes: boolean;
  readonly 'break-lock': boolean;
}

/** Flags of every command that changes subnets in etcd. */
export const subnetWorkFlags = (command: string) => ({
  ...ownFlags(command, {
    'dry-run': Flags.boolean({ summary: 'Show what would be done; do nothing.' }),
    yes: Flags.boolean({ char: 'y', summary: 'Do not ask.' }),
  }),
  ...lockFlags(command),
  ...flannelFlag(),
  ...outputFlags(),
  ...etcdFlags(),
});

/** Work on a subnet that may also need something done on its node. */
export interface WorkWithNode extends SubnetWork {
  readonly before?: readonly StepReport[];
  readonly after?: readonly StepReport[];
}

export interface SubnetWorkRun<Work extends WorkWithNode> {
  /** For the lock and for questions: `subnets reserve 10.5.1.0/24`. */
  readonly doing: string;
  /** Looks at what is there and decides; called again under the lock, and again when all is done. */
  readonly plan: () => Promise<readonly Work[]>;
  /** When there is nothing to speak of. */
  readonly empty: string;
  /**
   * One thing was asked for: what keeps a part of it from being done ends the run, before or while it is done, and nothing further
   * is begun. Else it is told, and the others are done.
   */
  readonly isSingle: boolean;
  /**
   * How the work on one subnet is done; the changes in etcd alone when absent.
   * @param stillOurs to be called before anything is done elsewhere than in etcd: throws Conflict `lock-lost`
   */
  readonly carryOut?: (work: Work, stillOurs: () => Promise<void>) => Promise<void>;
}

interface Outcome {
  readonly report: SubnetWorkReport;
  readonly failure?: NetctlError;
}

/** A command that changes subnets: shows, asks, writes under the lock of one operator, looks again, prints. */
export abstract class SubnetWorkCommand extends NetctlCommand {
  /**
   * Unless it is single, what is done about one subnet does not depend on the others: a conflict at one leaves it and goes on.
   * @throws what a single subnet is blocked by or fails with; Refused `not-confirmed`
   */
  protected async work<Work extends WorkWithNode>(
    opened: NetworkStore,
    run: SubnetWorkRun<Work>,
    options: SubnetWorkOptions,
  ): Promise<SubnetWorkDocument> {
    const { store, prefix, api } = opened;
    const document = (items: readonly SubnetWorkReport[], applied: boolean): SubnetWorkDocument => ({
      prefix,
      api,
      applied,
      items,
    });
    const plan = async (): Promise<readonly Work[]> => {
      const works = await run.plan();
      if (run.isSingle) for (const { problems } of works) refuseBlocked(problems);
      return works;
    };
    const shown = async (works: readonly Work[]): Promise<SubnetWorkDocument> => {
      const value = document(works.map(asPlanned), false);
      await this.printDocument(value, subnetWorkListView(run.empty), options, () =>
        renderSubnetWork(value, this.screen, run.empty),
      );
      return value;
    };
    const first = await plan();
    if (options['dry-run'] || !first.some(isToDo)) {
      if (options['dry-run'] && first.some(isToDo)) this.say('Dry run: nothing was written.');
      return shown(first);
    }
    return withOperatorLock(
      this,
      opened,
      { breakLock: options['break-lock'], doing: run.doing },
      async (_lost, stillOurs) => {
        // Whoever had the lock before may have done it.
        const works = await plan();
        if (!works.some(isToDo)) return shown(works);
        const planned = document(works.map(asPlanned), false);
        await approve({
          yes: options.yes,
          show: async () => this.talk(await renderSubnetWork(planned, this.talkScreen, run.empty)),
          question: 'Do this?',
          nothing: 'nothing was done',
        });
        // The person may have thought about it for long.
        await stillOurs();
        const outcomes = await carryOutAll(works, run, store, stillOurs);
        const failures = outcomes.flatMap(({ failure }) => failure ?? []);
        if (run.isSingle && failures[0] !== undefined) throw failures[0];
        const done = document(
          outcomes.map(({ report }) => report),
          true,
        );
        await this.printDocument(done, subnetWorkListView(run.empty), options, () =>
          renderSubnetWork(done, this.screen, run.empty),
        );
        const [code] = failures.map(({ exit }) => exit).sort(byGravity);
        if (code !== undefined) this.exitWith(code);
        return done;
      },
    );
  }
}

/** What a person has to look at first comes first. */
function byGravity(a: ExitCode, b: ExitCode): number {
  const order: readonly ExitCode[] = [exitCodes.failed, exitCodes.unreachable, exitCodes.conflict];
  return order.indexOf(a) - order.indexOf(b);
}

function isToDo(work: WorkWithNode): boolean {
  const steps = [...(work.before ?? []), ...(work.after ?? [])];
  return !isBlocked(work) && (work.changes.length > 0 || steps.length > 0);
}

function asPlanned(work: WorkWithNode): SubnetWorkReport {
  return subnetWorkReport(work, isBlocked(work) ? 'blocked' : isToDo(work) ? 'planned' : 'unchanged');
}

/** What cannot be as it was asked is wrong input; what would harm is refused. */
const wrongInput: ReadonlySet<string> = new Set(['bad-public-ip', 'reservation-misfit', 'reservation-no-config']);

function refuseBlocked(problems: readonly Problem[]): void {
  const found = problems.find(({ severity }) => severity === 'error');
  if (found === undefined) return;
  const Kind = wrongInput.has(found.code) ? InvalidInput : Refused;
  throw new Kind({
    code: found.code,
    message: `${found.message}; nothing was done`,
    ...(found.suggestion === null ? {} : { next: [found.suggestion] }),
  });
}

function doneLines({ subnet, before = [], changes, after = [] }: WorkWithNode): readonly string[] {
  const onNode = (steps: readonly StepReport[]) =>
    steps.flatMap(({ title, changes: each }) => each.map(({ what }) => `${title}: ${what}`));
  return [...onNode(before), ...changes.map(({ kind, key }) => `${subnet}: ${kind} ${key}`), ...onNode(after)];
}

/** The same error, with what had been done before it. */
function behind(error: NetctlError, before: readonly string[]): NetctlError {
  if (before.length === 0) return error;
  const Kind = error instanceof Conflict ? Conflict : error instanceof Unreachable ? Unreachable : ChangeFailed;
  return new Kind({
    code: error.code,
    message: error.message,
    details: [...error.details, ...before.map((line) => `done before: ${line}`)],
    next: error.next,
    cause: error,
  });
}

async function carryOutAll<Work extends WorkWithNode>(
  works: readonly Work[],
  run: SubnetWorkRun<Work>,
  store: Store,
  stillOurs: () => Promise<void>,
): Promise<readonly Outcome[]> {
  const make = run.carryOut ?? (({ subnet, changes }: Work) => execute({ title: `subnet ${subnet}`, changes }, store));
  const failures = new Map<string, NetctlError>();
  const before: string[] = [];
  let lost: NetctlError | undefined;
  for (const work of works.filter(isToDo)) {
    if (lost !== undefined) {
      failures.set(work.subnet, lost);
      continue;
    }
    try {
      await uninterrupted(() => make(work, stillOurs));
      before.push(...doneLines(work));
    } catch (error) {
      if (!(error instanceof NetctlError)) throw error;
      // A running owner keeps the others of its leases too: what follows was planned for when this is done.
      if (run.isSingle) throw behind(error, before);
      failures.set(work.subnet, error);
      // Another key will not fare better without etcd or without the lock.
      if (error.exit === exitCodes.unreachable || error.code === 'lock-lost') lost = error;
    }
  }
  // What etcd acknowledged and what it holds are two questions.
  const rest = lost === undefined ? await run.plan() : [];
  return works.map((work): Outcome => {
    const failure = failures.get(work.subnet);
    if (failure !== undefined) return { report: subnetWorkReport(work, 'failed', failure), failure };
    if (!isToDo(work)) return { report: asPlanned(work) };
    const left = rest.find(({ subnet }) => subnet === work.subnet);
    if (left !== undefined && isToDo(left)) {
      const undone = new ChangeFailed({
        code: 'not-converged',
        message: `${work.subnet}: all changes were acknowledged, but it is not as it should be now`,
        details: left.changes.map(({ kind, key, why }) => `still to do: ${kind} ${key} (${why})`),
        next: ['Somebody may have changed it again: run the command once more and look at what it shows.'],
      });
      return { report: subnetWorkReport(work, 'failed', undone), failure: undone };
    }
    const news = (left?.problems ?? []).filter(({ code }) => !work.problems.some((each) => each.code === code));
    return { report: subnetWorkReport({ ...work, problems: [...work.problems, ...news] }, 'done') };
  });
}
