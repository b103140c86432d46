import { InvalidInput } from '../errors';
import { directRouteFacts } from '../fact/direct-route-facts';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import {
  type DirectFleet,
  type DirectPlan,
  directFleet,
  directRouteQuestions,
  planDirectRoutes,
  routeRows,
} from '../plan/direct-routes';
import { isDockerUnknown } from '../plan/docker-step';
import { type NodeReport, plannedState, unreachableReport } from '../view/node-bootstrap';
import { type RoutesDocument, type RoutesSyncDocument, routesReport } from '../view/routes';
import { askFleet } from './ask-fleet';
import { askWhenSettled } from './ask-when-settled';
import { carryOutFleet } from './carry-out-fleet';
import type { NetctlCommand } from './command';
import { leftOver } from './left-over';
import type { Hosts } from './nodes';
import type { Session } from './session';

/** @throws InvalidInput when the inventory tells of no routes, or of impossible ones */
function fleetOf(inventory: Inventory): DirectFleet {
  const fleet = directFleet(inventory);
  const [first, ...more] = fleet.problems;
  if (first === undefined) return fleet;
  throw new InvalidInput({
    code: first.code,
    message: first.message,
    details: more.map(({ message }) => message),
    next: fleet.problems.flatMap(({ suggestion }) => suggestion ?? []),
  });
}

function factsOf(inventory: Inventory, fleet: DirectFleet) {
  return (node: InventoryNode) => directRouteFacts(directRouteQuestions(inventory, fleet, node.name));
}

/** The routes that every node should have, against those that it has. */
export async function listRoutes(
  inventory: Inventory,
  nodes: readonly InventoryNode[],
  hosts: Hosts,
  atOnce: number,
): Promise<RoutesDocument> {
  const fleet = fleetOf(inventory);
  const { asked, lost } = await askFleet(nodes, hosts, atOnce, factsOf(inventory, fleet));
  const answers = asked.map(({ node, answers: given }) => ({
    node: node.name,
    rows: routeRows(given, fleet, node.name),
  }));
  const items = answers.flatMap(({ rows }) => rows ?? []);
  const unread = answers.flatMap(({ node, rows }) =>
    rows === undefined ? [{ node, error: 'its routes could not be read' }] : [],
  );
  return { differences: items.filter(({ state }) => state !== 'ok').length, lost: [...lost, ...unread], items };
}

export interface SyncOptions {
  readonly dryRun: boolean;
  readonly atOnce: number;
  readonly maxFailures: number | undefined;
  /** Shows the plan and asks; throws `Refused` when it is not to be done. */
  readonly approve: (document: RoutesSyncDocument) => Promise<void>;
}

/** Survey, plan, show, approve, do, look again. */
export async function syncRoutes(
  command: NetctlCommand,
  session: Session,
  inventory: Inventory,
  nodes: readonly InventoryNode[],
  hosts: Hosts,
  options: SyncOptions,
): Promise<RoutesSyncDocument> {
  const fleet = fleetOf(inventory);
  const wish = { inventory, fleet, leases: await leasesOf(session) };
  const ask = (chosen: readonly InventoryNode[]) => askFleet(chosen, hosts, options.atOnce, factsOf(inventory, fleet));
  const first = await ask(nodes);
  const plans = first.asked.map(({ node, answers }) => planDirectRoutes(node.name, answers, wish));
  const lost = first.lost.map(unreachableReport);
  const stateOf = ({ problems, steps }: DirectPlan) => plannedState(problems, steps.length > 0);
  const document = (reports: readonly NodeReport[], applied: boolean): RoutesSyncDocument => ({
    applied,
    items: nodes.flatMap((node) => reports.find(({ name }) => name === node.name) ?? []),
  });
  const shown = document([...lost, ...plans.map((plan) => routesReport(plan, stateOf(plan)))], false);
  const work = plans.filter((plan) => stateOf(plan) === 'planned');
  if (options.dryRun || work.length === 0) return shown;
  await options.approve(shown);

  const outcomes = await carryOutFleet(command, work, hosts, {
    nodes,
    atOnce: options.atOnce,
    maxFailures: options.maxFailures,
    member: (name) => {
      throw new TypeError(`routes push nothing, not ${name}`);
    },
  });

  // Look again: what was acknowledged and what is there now are two questions.
  const done = nodes.filter(({ name }) => outcomes.some(({ item, kind }) => item.node === name && kind === 'done'));
  const again = await askWhenSettled(done, ask, ({ answers }) => isDockerUnknown(answers, inventory.docker));
  const reports = plans.map((plan): NodeReport => {
    const outcome = outcomes.find(({ item }) => item.node === plan.node);
    if (outcome === undefined) return routesReport(plan, stateOf(plan));
    if (outcome.kind === 'skipped') return routesReport(plan, 'skipped');
    if (outcome.kind === 'failed') return routesReport(plan, 'failed', outcome.error);
    const seen = again.asked.find(({ node }) => node.name === plan.node);
    if (seen === undefined) {
      const error = again.lost.find(({ node }) => node === plan.node)?.error ?? 'it could not be looked at again';
      return { ...routesReport(plan, 'failed'), error };
    }
    const left = leftOver(planDirectRoutes(plan.node, seen.answers, wish));
    return left === undefined ? routesReport(plan, 'done') : routesReport(plan, 'failed', new Error(left));
  });
  return document([...lost, ...reports], true);
}

/** Direct routing needs no etcd; where one is named it is asked, because a node of flannel must not be taken over. */
async function leasesOf(session: Session): Promise<ReadonlyMap<string, string>> {
  const { endpoints } = await session.settings();
  if (endpoints.source.kind === 'default') return new Map();
  const { leases } = (await session.network()).leases;
  return new Map(
    leases.flatMap(({ publicIP, subnetText }) => (publicIP === null ? [] : [[publicIP, subnetText] as const])),
  );
}
