import { formatCidr } from '../net/cidr';
import type { Problem } from '../net/problem';
import type { NodePlan } from '../plan/bootstrap';
import type { HostChange, NodeStep } from '../plan/host-change';

/** A step of a node in the words of the public document. */
export interface StepReport {
  readonly title: string;
  readonly mind: readonly string[];
  readonly changes: readonly ChangeReport[];
}

export interface ChangeReport {
  readonly kind: HostChange['kind'];
  /** A path, or the words of a command. */
  readonly what: string;
  readonly why: string;
  /** Texts for a difference; null when there is none to show: a program, a secret, a command. */
  readonly before: string | null;
  readonly after: string | null;
}

export interface NodeReport {
  readonly name: string;
  readonly state: 'planned' | 'unchanged' | 'done' | 'failed' | 'skipped' | 'blocked' | 'unreachable';
  readonly subnet: string | null;
  readonly steps: readonly StepReport[];
  readonly problems: readonly Problem[];
  readonly error: string | null;
}

/** The document of `node bootstrap -o json`. */
export interface BootstrapDocument {
  readonly prefix: string;
  readonly flannel: string;
  /** Null when no node could be asked, so that none was looked for. */
  readonly archive: string | null;
  readonly applied: boolean;
  /** What concerns no single node. */
  readonly problems: readonly Problem[];
  readonly items: readonly NodeReport[];
}

export function nodeReport(plan: NodePlan, state: NodeReport['state'], error?: unknown): NodeReport {
  const { subnet } = plan.subnet;
  return {
    name: plan.node,
    state,
    subnet: subnet === null ? null : formatCidr(subnet),
    steps: plan.steps.map(stepReport),
    problems: plan.problems,
    error: reasonOf(error),
  };
}

/** A node that could not be asked, and why. */
export interface LostNode {
  readonly node: string;
  readonly error: string;
}

export function unreachableReport({ node, error }: LostNode): NodeReport {
  return { name: node, state: 'unreachable', subnet: null, steps: [], problems: [], error };
}

/** The state of a node before anything is done there. */
export function plannedState(
  problems: readonly Problem[],
  hasWork: boolean,
): Extract<NodeReport['state'], 'blocked' | 'unchanged' | 'planned'> {
  if (problems.some(({ severity }) => severity === 'error')) return 'blocked';
  return hasWork ? 'planned' : 'unchanged';
}

/** What an error says; null when there is none. */
export function reasonOf(error: unknown): string | null {
  if (error === undefined) return null;
  return error instanceof Error ? error.message : 'it cannot be said why: no error was given';
}

export function stepReport({ title, mind, changes }: NodeStep): StepReport {
  return { title, mind, changes: changes.map(changeReport) };
}

function changeReport(change: HostChange): ChangeReport {
  const { kind, why } = change;
  const nothing = { kind, why, before: null, after: null };
  switch (change.kind) {
    case 'write': {
      const before = change.before.kind === 'file' ? change.before.text : change.before.kind === 'absent' ? '' : null;
      // A certificate is no secret, and no text that anybody reads.
      if (change.isSecret || before === null || /\.(pem|crt|cer)$/.test(change.path))
        return { ...nothing, what: change.path };
      return { ...nothing, what: change.path, before, after: Buffer.from(change.content).toString('utf8') };
    }
    case 'remove':
      return {
        ...nothing,
        what: change.path,
        before: change.before.kind === 'file' ? change.before.text : null,
        after: change.before.kind === 'file' && change.before.text !== null ? '' : null,
      };
    case 'push':
    case 'folder':
      return { ...nothing, what: change.path };
    case 'link':
      return { ...nothing, what: `${change.path} -> ${change.target}` };
    case 'run':
    case 'wait':
      return { ...nothing, what: change.argv.join(' ') };
    default:
      return change satisfies never;
  }
}
