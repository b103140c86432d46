import { formatCidr } from '../net/cidr';
import type { ResetPlan } from '../plan/reset';
import type { Screen } from './format';
import type { ListView } from './list';
import { type LostNode, type NodeReport, reasonOf, stepReport, unreachableReport } from './node-bootstrap';
import { nodeBootstrapListView, renderNodes } from './node-bootstrap-text';

export interface ResetReport extends NodeReport {
  /** Containers on the default bridge that run: they stop, or reach other nodes no longer. */
  readonly containers: readonly string[];
  /** Keys in etcd that go; when `state` is `done` they are gone. */
  readonly leases: readonly string[];
}

/** The document of `node reset -o json`. */
export interface ResetDocument {
  readonly prefix: string;
  readonly applied: boolean;
  readonly keepLease: boolean;
  readonly items: readonly ResetReport[];
}

export function resetReport(plan: ResetPlan, state: NodeReport['state'], error?: unknown): ResetReport {
  return {
    name: plan.node,
    state,
    subnet: plan.subnet === null ? null : formatCidr(plan.subnet),
    steps: plan.steps.map(stepReport),
    problems: plan.problems,
    error: reasonOf(error),
    containers: plan.containers,
    leases: plan.lease.changes.map(({ key }) => key),
  };
}

export function lostReset(lost: LostNode): ResetReport {
  return { ...unreachableReport(lost), containers: [], leases: [] };
}

export const nodeResetListView: ListView<ResetReport> = { ...nodeBootstrapListView, kind: 'NodeResetList' };

/** For people: each node with its state, what goes or went, and the lease last. */
export function renderReset(
  document: ResetDocument,
  screen: Screen,
  withDifferences: boolean,
): Promise<readonly string[]> {
  const items = document.items.map((node) => ({
    ...node,
    steps: [
      ...node.steps,
      ...(node.leases.length === 0
        ? []
        : [{ title: 'etcd: the lease, last of all', mind: node.leases.map((key) => `delete ${key}`), changes: [] }]),
    ],
  }));
  return renderNodes(items, screen, { withDifferences, unchanged: 'unchanged: nothing of netctl is left here' });
}
