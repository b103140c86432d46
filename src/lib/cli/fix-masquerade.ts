import { describe } from '../engine/carry-out';
import type { ProbeNode, ProbeReport } from '../engine/probe-nodes';
import { NetctlError } from '../errors';
import { masqueradeFacts } from '../fact/masquerade-facts';
import type { Outcome } from '../host/pool';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { formatIpv4 } from '../net/ipv4';
import { planMasquerade } from '../plan/masquerade';
import { type MasqueradePlan, type MasqueradeWish, masqueradeQuestions } from '../plan/masquerade-scene';
import { lostReport, type MasqueradeDocument, type MasqueradeReport, masqueradeReport } from '../view/masquerade';
import { type LostNode, plannedState } from '../view/node-bootstrap';
import { type AskedNode, askFleet } from './ask-fleet';
import { carryOutFleet } from './carry-out-fleet';
import type { NetctlCommand } from './command';
import { type NodeProof, proofOf } from './masquerade-proof';
import type { Hosts } from './nodes';
import { putBack } from './put-back';

/** Nodes that probe each other: all ordered pairs are tried, so that a fleet does it in groups. */
const probedTogether = 8;

export interface FixMasqueradeOptions extends Omit<MasqueradeWish, 'inventory'> {
  /** Only look. */
  readonly dryRun: boolean;
  /** Send packets from containers' addresses before and after, and put back a node whose packets do not arrive as they should. */
  readonly probe: boolean;
  readonly atOnce: number;
  readonly maxFailures: number | undefined;
  /** Shows the plan and asks; throws `Refused` when it is not to be done. */
  readonly approve: (document: MasqueradeDocument, stops: readonly string[]) => Promise<void>;
}

type Asked = AskedNode<ReturnType<typeof masqueradeFacts>>;

/** Survey, plan, show, approve, probe, do, look again, probe again; what did not prove itself is put back. */
export async function fixMasquerade(
  command: NetctlCommand,
  inventory: Inventory,
  nodes: readonly InventoryNode[],
  hosts: Hosts,
  options: FixMasqueradeOptions,
): Promise<MasqueradeDocument> {
  const wish: MasqueradeWish = { ...options, inventory };
  const { atOnce, maxFailures } = options;
  const ask = (chosen: readonly InventoryNode[]) =>
    askFleet(chosen, hosts, atOnce, (node) => masqueradeFacts(masqueradeQuestions(inventory, node)));
  const first = await ask(nodes);
  const unreachable = first.lost.map(lostReport);
  const plans = first.asked.map(({ node, answers }) => planMasquerade(node, answers, wish));
  const document = (reports: readonly MasqueradeReport[], applied: boolean): MasqueradeDocument => ({
    applied,
    items: nodes.flatMap((node) => reports.find(({ name }) => name === node.name) ?? []),
  });
  const shown = document([...unreachable, ...plans.map((plan) => masqueradeReport(plan, stateOf(plan)))], false);
  const work = plans.filter((plan) => stateOf(plan) === 'planned');
  if (options.dryRun || work.length === 0) return shown;
  await options.approve(
    shown,
    work.flatMap(({ node, stops }) => (stops.length === 0 ? [] : [`${node}: ${stops.join(', ')}`])),
  );

  // A node with no bridge in the network has nothing to prove.
  const probed = options.probe && !options.revert ? work.filter(({ paths }) => paths.length > 0) : [];
  const groups = groupsOf(probed, plans, inventory, nodes);
  const outside = outsideOf(first.asked);
  const before = await probeGroups(command, groups, inventory, hosts, outside);

  const fleet = {
    nodes,
    atOnce,
    maxFailures,
    member: (name: string) => {
      throw new TypeError(`fix-masquerade pushes nothing, not ${name}`);
    },
  };
  const outcomes = await carryOutFleet(command, work, hosts, fleet);
  const done = nodes.filter(({ name }) => outcomes.some(({ item, kind }) => item.node === name && kind === 'done'));
  // Look again: what was acknowledged and what is there now are two questions.
  const again = await ask(done);
  const after = await probeGroups(command, groups, inventory, hosts, outside);
  const proofs = new Map(
    probed.flatMap(({ node }): readonly [string, NodeProof][] => {
      const report = after.get(node);
      return report === undefined ? [] : [[node, proofOf(node, before.get(node) ?? null, report)]];
    }),
  );
  const back = work.filter(
    ({ node, undo }) =>
      proofs.get(node)?.verdict === 'failed' && undo.length > 0 && done.some(({ name }) => name === node),
  );
  const undone = await putBack(
    command,
    back.map(({ node, undo }) => ({ node, steps: undo })),
    hosts,
    fleet,
  );
  return document(
    [
      ...unreachable,
      ...plans.map((plan) => {
        const outcome = outcomes.find(({ item }) => item.node === plan.node);
        if (outcome === undefined) return masqueradeReport(plan, stateOf(plan));
        const proof = proofs.get(plan.node) ?? null;
        return finalReport(plan, outcome, proof, undone.get(plan.node), again, wish);
      }),
    ],
    true,
  );
}

function finalReport(
  plan: MasqueradePlan,
  outcome: Outcome<MasqueradePlan, void>,
  proof: NodeProof | null,
  /** What could not be put back; undefined when nothing was to be. */
  undone: readonly string[] | undefined,
  again: { readonly asked: readonly Asked[]; readonly lost: readonly LostNode[] },
  wish: MasqueradeWish,
): MasqueradeReport {
  if (outcome.kind === 'skipped') return masqueradeReport(plan, 'skipped');
  if (outcome.kind === 'failed') return masqueradeReport(plan, 'failed', proof, outcome.error);
  if (undone !== undefined) {
    const how =
      undone.length === 0
        ? 'the node was put back as it was'
        : `and it could not all be put back: ${undone.join('; ')}`;
    return masqueradeReport(plan, 'failed', proof, new Error(`the proof failed, ${proof?.why ?? ''}; ${how}`));
  }
  const seen = again.asked.find(({ node }) => node.name === plan.node);
  if (seen === undefined) {
    const lost = again.lost.find(({ node }) => node === plan.node);
    return masqueradeReport(plan, 'failed', proof, new Error(lost?.error ?? 'it could not be looked at again'));
  }
  const now = planMasquerade(seen.node, seen.answers, wish);
  const rest = now.steps.flatMap(({ changes }) => changes.map(describe));
  if (rest.length > 0) {
    const error = new Error(`all was done, but it is not as it should be; still to do: ${rest.join('; ')}`);
    return masqueradeReport(plan, 'failed', proof, error);
  }
  if (proof?.verdict === 'failed')
    return masqueradeReport(plan, 'failed', proof, new Error(`the proof failed: ${proof.why}`));
  return { ...masqueradeReport(plan, 'done', proof), problems: now.problems };
}

function stateOf({ problems, steps }: MasqueradePlan) {
  return plannedState(problems, steps.length > 0);
}

/** Nodes that prove each other. Whoever would be alone gets another node of the inventory to send to. */
function groupsOf(
  work: readonly MasqueradePlan[],
  plans: readonly MasqueradePlan[],
  inventory: Inventory,
  chosen: readonly InventoryNode[],
): readonly (readonly InventoryNode[])[] {
  const of = (name: string): readonly InventoryNode[] => chosen.filter((node) => node.name === name);
  const names = work.map(({ node }) => node);
  const groups: (readonly InventoryNode[])[] = [];
  for (let at = 0; at < names.length; at += probedTogether) {
    const group = names.slice(at, at + probedTogether).flatMap(of);
    const other =
      plans.find(({ node, paths }) => paths.length > 0 && !names.includes(node))?.node ??
      names.find((name) => !group.some((node) => node.name === name));
    if (group.length > 1) groups.push(group);
    else if (other !== undefined) groups.push([...group, ...of(other)]);
    else groups.push([...group, ...inventory.nodes.filter((node) => !chosen.includes(node)).slice(0, 1)]);
  }
  return groups;
}

/** An address beyond the network that mostly answers: the gateway of the first node, which knows no way to containers. */
function outsideOf(asked: readonly Asked[]): string | null {
  for (const { answers } of asked) {
    const found = answers.routes.known
      ? answers.routes.value.find(({ destination, table }) => destination.length === 0 && table === 'main')
      : undefined;
    const gateway = found?.nextHops[0]?.gateway;
    if (gateway?.family === 4) return formatIpv4(gateway.address);
  }
  return null;
}

/** What became of packets, by the name of each node. A probe that is not possible proves nothing, and is no failure. */
async function probeGroups(
  command: NetctlCommand,
  groups: readonly (readonly InventoryNode[])[],
  inventory: Inventory,
  hosts: Hosts,
  outside: string | null,
): Promise<ReadonlyMap<string, ProbeReport>> {
  const found = new Map<string, ProbeReport>();
  if (groups.length === 0) return found;
  const { probeNodes } = await import('../engine/probe-nodes');
  for (const group of groups) {
    const probed = group.map(
      (node): ProbeNode => ({
        name: node.name,
        host: () => hosts.of(node),
        publicIP: null,
        subnetFile: masqueradeQuestions(inventory, node).subnetFile,
      }),
    );
    try {
      const report = await probeNodes(probed, {
        legs: ['container-to-container', ...(outside === null ? [] : (['container-to-outside'] as const))],
        ...(outside === null ? {} : { outside: { address: outside, port: null } }),
      });
      for (const { name } of group) found.set(name, report);
    } catch (error) {
      if (!(error instanceof NetctlError)) throw error;
      command.say(`note: no probe: ${error.message}`);
    }
  }
  return found;
}
