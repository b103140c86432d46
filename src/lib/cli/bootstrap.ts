import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { preflight } from '../check/preflight';
import type { PreflightCheck, PreflightProblem } from '../check/preflight-checks';
import { interfaceFor, interfaceOptions, publicIPFor } from '../check/preflight-interface';
import { execute } from '../engine/execute';
import { InvalidInput, NetctlError, Refused } from '../errors';
import { type NodeSeen, nodeFacts } from '../fact/node-facts';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { checkCertificates } from '../net/certificate-check';
import { archiveMember, type FlannelArchive, machineOf, readFlannelArchive } from '../net/flannel-archive';
import type { Problem } from '../net/problem';
import { shellWord } from '../net/shell-word';
import {
  type BootstrapIntent,
  type BootstrapNode,
  bootstrapQuestions,
  type NodePlan,
  planBootstrap,
} from '../plan/bootstrap';
import { isDockerUnknown } from '../plan/docker-step';
import type { BootstrapDocument, NodeReport } from '../view/node-bootstrap';
import { nodeReport, plannedState, unreachableReport } from '../view/node-bootstrap';
import { askFleet } from './ask-fleet';
import { askWhenSettled } from './ask-when-settled';
import { carryOutFleet } from './carry-out-fleet';
import type { NetctlCommand } from './command';
import { flannelCertificatesAndKey } from './flannel-certificates';
import { uninterrupted } from './interrupt';
import { leftOver } from './left-over';
import { readPasswordFile } from './load-etcd-options';
import { lookAgain } from './look-again';
import type { Hosts } from './nodes';
import { withOperatorLock } from './operator-lock';
import { readReservationsOf } from './reserve-scene';
import type { NetworkReading, Session } from './session';

export interface BootstrapOptions {
  readonly archive?: string | undefined;
  readonly adopt: boolean;
  readonly follow: boolean;
  readonly dryRun: boolean;
  /** Take the lock of the network from another operator. */
  readonly breakLock: boolean;
  /** Checks of the preflight that are left out. */
  readonly skip: ReadonlySet<PreflightCheck>;
  readonly atOnce: number;
  readonly maxFailures: number | undefined;
  /** Shows the plan and asks; throws `Refused` when it is not to be done. */
  readonly approve: (document: BootstrapDocument) => Promise<void>;
}

interface Asked {
  readonly node: InventoryNode;
  readonly seen: NodeSeen;
}

/** Survey, plan, show, approve, do, look again, for all nodes together. */
export async function bootstrap(
  command: NetctlCommand,
  session: Session,
  network: NetworkReading,
  nodes: readonly InventoryNode[],
  hosts: Hosts,
  options: BootstrapOptions,
): Promise<BootstrapDocument> {
  const { inventory } = session;
  if (inventory === undefined || network.effective === null) throw new TypeError('there is an inventory and a network');
  const intent = await intentOf(command, session, inventory, network, options);
  const ask = (chosen: readonly InventoryNode[]) => askNodes(chosen, inventory, intent, hosts, options.atOnce);

  const first = await ask(nodes);
  if (first.asked.length === 0) {
    return {
      prefix: network.prefix,
      flannel: intent.version.tag,
      archive: null,
      applied: false,
      problems: [],
      items: first.lost,
    };
  }
  const archive = await archiveFor(
    command,
    options.archive ?? inventory.flannel.archive,
    inventory,
    intent,
    first.asked,
  );
  const wish = { ...intent, archive: archive.facts };
  const planAll = (asked: readonly Asked[], leases: NetworkReading['leases']['leases']) =>
    planNodes(asked, inventory, wish, leases);

  const findings = preflight({
    inventory,
    nodes: first.asked,
    version: intent.version,
    effective: network.effective,
    endpoints: intent.endpoints,
    configIn: network.api,
    leases: network.leases.leases,
    archives: [archive.facts],
    certificates: intent.certificateProblems,
    adopt: options.adopt,
    skip: options.skip,
  });
  const planned = withFindings(planAll(first.asked, network.leases.leases), findings);
  const document = (reports: readonly NodeReport[], applied: boolean): BootstrapDocument => ({
    prefix: network.prefix,
    flannel: intent.version.tag,
    archive: archive.facts.name,
    applied,
    problems: findings.filter(({ node }) => node === null),
    items: nodes.flatMap((node) => reports.find(({ name }) => name === node.name) ?? []),
  });
  const shown = document([...first.lost, ...planned.reports], false);
  const ready = planned.plans.filter(({ problems }) => !problems.some(({ severity }) => severity === 'error'));
  const work = ready.filter(({ steps, subnet }) => steps.length > 0 || subnet.change !== null);
  if (options.dryRun || work.length === 0) return shown;
  await options.approve(shown);

  // Before the first flanneld starts every node has its subnet: none races another for one.
  const changes = work.flatMap(({ subnet }) => (subnet.change === null ? [] : [subnet.change]));
  if (changes.length > 0) {
    const lock = { breakLock: options.breakLock, doing: 'netctl node bootstrap', waitSeconds: 30 };
    await withOperatorLock(command, network, lock, () =>
      uninterrupted(() => execute({ title: 'subnets', changes }, network.store)),
    );
  }
  const outcomes = await carryOutFleet(command, work, hosts, {
    nodes,
    atOnce: options.atOnce,
    maxFailures: options.maxFailures,
    member: (name) => archiveMember(archive.open, archive.facts.name, name),
  });

  // Look again: what was acknowledged and what is there now are two questions.
  const again = await askWhenSettled(
    nodes.filter(({ name }) => outcomes.some(({ item, kind }) => item.node === name && kind === 'done')),
    ask,
    ({ seen }) => isDockerUnknown(seen.answers, inventory.docker),
  );
  const fresh = await session.network(network).catch((error: unknown) => {
    if (error instanceof NetctlError) return error;
    throw error;
  });
  const rest = fresh instanceof NetctlError ? undefined : planAll(again.asked, fresh.leases.leases);
  const reports = planned.plans.map((plan): NodeReport => {
    const outcome = outcomes.find(({ item }) => item.node === plan.node);
    if (outcome === undefined) return nodeReport(plan, plan.steps.length === 0 ? 'unchanged' : 'blocked');
    if (outcome.kind === 'skipped') return nodeReport(plan, 'skipped');
    if (outcome.kind === 'failed') return nodeReport(plan, 'failed', outcome.error);
    // What was done on the nodes is told all the same.
    if (fresh instanceof NetctlError) {
      return nodeReport(
        plan,
        'failed',
        new Error(`all was done, but it could not be looked at again: ${fresh.message}`),
      );
    }
    const lost = again.lost.find(({ name }) => name === plan.node);
    if (lost !== undefined) return { ...nodeReport(plan, 'failed'), error: lost.error };
    const next = rest?.plans.find(({ node }) => node === plan.node);
    const none = rest?.failed.find(({ name }) => name === plan.node);
    const left = leftOver({ steps: next?.steps ?? [], problems: next?.problems ?? none?.problems ?? [] });
    return left === undefined ? nodeReport(plan, 'done') : nodeReport(plan, 'failed', new Error(left));
  });
  const done = nodes.filter(({ name }) => reports.some((report) => report.name === name && report.state === 'done'));
  const looks =
    done.length === 0
      ? []
      : await lookAgain(done, inventory, hosts, {
          atOnce: options.atOnce,
          network: () => session.network(network),
        });
  const looked = reports.map((report): NodeReport => {
    const look = looks.find(({ node }) => node.name === report.name);
    if (look === undefined) return report;
    if (!look.isReachable) return { ...report, state: 'failed', error: look.error.message };
    return { ...report, problems: look.state.problems };
  });
  return document([...first.lost, ...planned.failed, ...looked], true);
}

async function intentOf(
  command: NetctlCommand,
  session: Session,
  inventory: Inventory,
  network: NetworkReading,
  options: BootstrapOptions,
): Promise<BootstrapIntent & { readonly certificateProblems: readonly Problem[] }> {
  const { effective } = network;
  if (effective === null) throw new TypeError('there is a network');
  const settings = await session.settings();
  const given = await flannelCertificatesAndKey(session, inventory);
  const verdict = checkCertificates(given, { now: new Date(), warnDays: 30 });
  const { passwordFile } = inventory.flannel.etcd;
  const notices: string[] = [];
  const password =
    passwordFile === undefined
      ? undefined
      : await readPasswordFile({ value: passwordFile, source: { name: 'flannel.etcd.passwordFile' } }, notices);
  for (const notice of notices) command.say(notice);
  return {
    inventory,
    version: session.version,
    effective,
    prefix: network.prefix,
    endpoints: inventory.flannel.etcd.endpoints ?? settings.endpoints.value,
    adopt: options.adopt,
    follow: options.follow,
    reserved: { api: network.api, reading: await readReservationsOf(network) },
    certificateProblems: verdict.problems,
    ...(password === undefined ? {} : { password }),
    ...(Object.keys(given).length === 0
      ? {}
      : { certificates: Object.fromEntries(Object.entries(given).map(([name, file]) => [name, file?.bytes])) }),
  };
}

async function askNodes(
  nodes: readonly InventoryNode[],
  inventory: Inventory,
  intent: BootstrapIntent,
  hosts: Hosts,
  atOnce: number,
): Promise<{ readonly asked: readonly Asked[]; readonly lost: readonly NodeReport[] }> {
  const peers = inventory.nodes.flatMap(({ publicIP }) => publicIP ?? []);
  const { asked, lost } = await askFleet(nodes, hosts, atOnce, (node) => {
    const others = peers.filter((peer) => peer !== node.publicIP);
    return nodeFacts(bootstrapQuestions(node, intent, others));
  });
  return { asked: asked.map(({ node, ...seen }) => ({ node, seen })), lost: lost.map(unreachableReport) };
}

interface Planned {
  readonly plans: readonly NodePlan[];
  readonly reports: readonly NodeReport[];
  readonly failed: readonly NodeReport[];
}

function planNodes(
  asked: readonly Asked[],
  inventory: Inventory,
  wish: Parameters<typeof planBootstrap>[1],
  leases: NetworkReading['leases']['leases'],
): Planned {
  const optionsOf = interfaceOptions({ inventory, nodes: asked, endpoints: wish.endpoints });
  const ready: BootstrapNode[] = [];
  const failed: NodeReport[] = [];
  for (const { node, seen } of asked) {
    const iface = interfaceFor(node, seen, optionsOf(node));
    const own = publicIPFor(node, seen, optionsOf(node));
    if (!iface.known) failed.push(blocked(node, [noInterface(node, iface.why)]));
    else if (!own.known) failed.push(blocked(node, [noInterface(node, own.why)]));
    else {
      ready.push({
        node,
        seen,
        iface: {
          name: iface.value.iface,
          flag: iface.value.flag,
          mtuBytes: iface.value.mtu,
          hasPublicIP: own.value.isOwn,
        },
        publicIP: own.value.publicIP,
      });
    }
  }
  const plans = planBootstrap(ready, wish, leases);
  return { plans, failed, reports: [...failed, ...plans.map((plan) => nodeReport(plan, stateOf(plan)))] };
}

function noInterface(node: InventoryNode, why: string): Problem {
  return {
    code: 'no-interface',
    severity: 'error',
    path: 'iface',
    message: why,
    suggestion: `Name it in the inventory: nodes: - { name: ${node.name}, iface: eth0 }`,
  };
}

/** What the preflight found stands with the plan of its node; an error blocks it, one that concerns all blocks all. */
function withFindings(planned: Planned, findings: readonly PreflightProblem[]): Planned {
  const isBlocked = findings.some(({ node, severity }) => node === null && severity === 'error');
  const of = (name: string): readonly Problem[] => findings.filter(({ node }) => node === name);
  const plans = planned.plans.map((plan) => ({ ...plan, problems: [...plan.problems, ...of(plan.node)] }));
  const failed = planned.failed.map((report) => ({
    ...report,
    // The preflight says it better, when it was not told to be silent.
    problems: of(report.name).some(({ severity }) => severity === 'error') ? of(report.name) : report.problems,
  }));
  const state = (plan: NodePlan): NodeReport['state'] => (isBlocked ? 'blocked' : stateOf(plan));
  return {
    plans: isBlocked ? [] : plans,
    failed,
    reports: [...failed, ...plans.map((plan) => nodeReport(plan, state(plan)))],
  };
}

function stateOf({ problems, steps, subnet }: NodePlan) {
  return plannedState(problems, steps.length > 0 || subnet.change !== null);
}

function blocked(node: InventoryNode, problems: readonly Problem[]): NodeReport {
  return { name: node.name, state: 'blocked', subnet: null, steps: [], problems, error: null };
}

interface OpenArchive {
  readonly facts: FlannelArchive;
  readonly open: () => AsyncIterable<Uint8Array>;
}

/** The release archive: a file that was named, or the release page's, fetched once and kept. */
async function archiveFor(
  command: NetctlCommand,
  file: string | undefined,
  inventory: Inventory,
  intent: BootstrapIntent,
  asked: readonly Asked[],
): Promise<OpenArchive> {
  const { sha256 } = inventory.flannel;
  if (file !== undefined) {
    const open = () => createReadStream(file);
    const facts = await readFlannelArchive(open, {
      name: basename(file),
      ...(sha256 === undefined ? {} : { sha256 }),
    }).catch((error: unknown) => {
      if (error instanceof NetctlError) throw error;
      throw new InvalidInput({
        code: 'file-unreadable',
        message: `the flannel archive ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
        next: [`ls -l ${shellWord(file)}`, 'Or leave flannel.archive and --archive out: the release is fetched then'],
        cause: error,
      });
    });
    return { facts, open };
  }
  const hardware = [
    ...new Set(asked.flatMap(({ seen }) => (seen.answers.machine.known ? [seen.answers.machine.value.hardware] : []))),
  ];
  const machine = hardware[0] === undefined ? undefined : machineOf(hardware[0]);
  if (hardware.length !== 1 || machine === undefined) {
    throw new Refused({
      code: 'several-architectures',
      message: `these nodes are ${hardware.length === 0 ? 'of no known architecture' : hardware.join(' and ')}; one archive serves one architecture`,
      next: [
        'Bootstrap those of one architecture at a time: netctl node bootstrap NODE…',
        'Or name the archive: --archive FILE',
      ],
    });
  }
  const { fetchFlannelArchive, flannelCacheFolder, flannelMirror } = await import('./flannel-download');
  const baseUrl = flannelMirror(process.env);
  const fetched = await fetchFlannelArchive({
    version: intent.version,
    machine,
    cacheFolder: flannelCacheFolder(process.env),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(baseUrl === undefined ? {} : { baseUrl }),
  });
  for (const notice of fetched.notices) command.say(notice);
  return { facts: fetched.archive, open: () => createReadStream(fetched.file) };
}
