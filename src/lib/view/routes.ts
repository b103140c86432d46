import { formatCidr } from '../net/cidr';
import type { DirectPlan, RouteRow, RouteState } from '../plan/direct-routes';
import { plural } from './count';
import type { Screen } from './format';
import type { ListView } from './list';
import { type LostNode, type NodeReport, reasonOf, stepReport } from './node-bootstrap';
import { nodeBootstrapListView, renderNodes } from './node-bootstrap-text';
import type { Tone } from './style';

/** The document of `routes ls -o json`. */
export interface RoutesDocument {
  /** Routes that are not as they should be. */
  readonly differences: number;
  readonly lost: readonly LostNode[];
  readonly items: readonly RouteRow[];
}

const tones: Readonly<Record<RouteState, Tone>> = {
  ok: 'good',
  missing: 'bad',
  'other-gateway': 'bad',
  extra: 'warn',
};

export const routeListView: ListView<RouteRow> = {
  kind: 'RouteList',
  name: ({ node, subnet }) => `${node}/${subnet}`,
  empty: 'No routes.',
  columns: [
    { header: 'NODE', cell: ({ node }) => node },
    { header: 'SUBNET', cell: ({ subnet }) => subnet },
    { header: 'EXPECTED', cell: ({ expected }) => expected },
    { header: 'ACTUAL', cell: ({ actual }) => actual, shrink: true },
    { header: 'STATE', cell: ({ state }) => ({ text: state, tone: tones[state] }) },
  ],
};

/** One line below the table, for people. What is extra is not taken away, so there nothing is advised. */
export function routesSummary({ items, differences }: RoutesDocument): string {
  if (differences === 0) return `${plural(items.length, 'route')}, all as they should be`;
  const isMended = items.some(({ state }) => state === 'missing' || state === 'other-gateway');
  return `${plural(items.length, 'route')}, ${differences} not as they should be${isMended ? ': netctl routes sync' : ''}`;
}

/** The document of `routes sync -o json`. */
export interface RoutesSyncDocument {
  readonly applied: boolean;
  readonly items: readonly NodeReport[];
}

export function routesReport(plan: DirectPlan, state: NodeReport['state'], error?: unknown): NodeReport {
  return {
    name: plan.node,
    state,
    subnet: plan.subnet === null ? null : formatCidr(plan.subnet),
    steps: plan.steps.map(stepReport),
    problems: plan.problems,
    error: reasonOf(error),
  };
}

export const routesSyncListView: ListView<NodeReport> = { ...nodeBootstrapListView, kind: 'RoutesSyncList' };

/** For people: each node with its state, and what is or was to be done. */
export function renderRoutesSync(
  document: RoutesSyncDocument,
  screen: Screen,
  withDifferences: boolean,
): Promise<readonly string[]> {
  return renderNodes(document.items, screen, {
    withDifferences,
    unchanged: 'unchanged: all routes are as they should be',
  });
}
