import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execute } from '../engine/execute';
import { NetctlError } from '../errors';
import { resetFacts } from '../fact/reset-facts';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { parseArchiveName, readFlannelArchive } from '../net/flannel-archive';
import { isDockerUnknown } from '../plan/docker-step';
import { planReset, type ResetNode, type ResetPlan, type ResetWish, resetQuestions } from '../plan/reset';
import { expiring } from '../plan/reset-lease';
import type { Entry } from '../store/store';
import { plannedState } from '../view/node-bootstrap';
import { lostReset, type ResetDocument, type ResetReport, resetReport } from '../view/node-reset';
import { askFleet } from './ask-fleet';
import { askWhenSettled } from './ask-when-settled';
import { carryOutFleet } from './carry-out-fleet';
import type { NetctlCommand } from './command';
import { uninterrupted } from './interrupt';
import { leftOver } from './left-over';
import type { Hosts } from './nodes';
import { withOperatorLock } from './operator-lock';
import type { NetworkReading, Session } from './session';

export interface ResetOptions {
  /** The archive whose programs may go, besides those in the cache. */
  readonly archive?: string | undefined;
  readonly keepLease: boolean;
  readonly dryRun: boolean;
  /** Take the lock of the network from another operator. */
  readonly breakLock: boolean;
  readonly atOnce: number;
  readonly maxFailures: number | undefined;
  /** Shows the plan and asks; throws `Refused` when it is not to be done. */
  readonly approve: (document: ResetDocument) => Promise<void>;
}

/**
 * Survey, plan, show, approve, do, look again; then the leases.
 * @param network null when etcd could not be asked, which only `keepLease` allows
 */
export async function reset(
  command: NetctlCommand,
  session: Session,
  inventory: Inventory,
  network: NetworkReading | null,
  nodes: readonly InventoryNode[],
  hosts: Hosts,
  options: ResetOptions,
): Promise<ResetDocument> {
  const basis = await basisOf(session, inventory, network, options);
  const ask = (chosen: readonly InventoryNode[]) =>
    askFleet(chosen, hosts, options.atOnce, (node) => resetFacts(resetQuestions(node, basis)));
  const first = await ask(nodes);
  const lost = first.lost.map(lostReset);
  const programs = await knownPrograms(command, options.archive, inventory.flannel.archive, first.asked);
  const wish: ResetWish = { ...basis, programs };

  const plans = first.asked.map((asked) => planReset(asked, wish));
  const document = (reports: readonly ResetReport[], applied: boolean): ResetDocument => ({
    prefix: network?.prefix ?? inventory.etcd.prefix ?? '',
    applied,
    keepLease: options.keepLease,
    items: nodes.flatMap((node) => reports.find(({ name }) => name === node.name) ?? []),
  });
  const shown = document([...lost, ...plans.map((plan) => resetReport(plan, stateOf(plan)))], false);
  const work = plans.filter((plan) => stateOf(plan) === 'planned');
  if (options.dryRun || work.length === 0) return shown;
  await options.approve(shown);

  const outcomes = await carryOutFleet(command, work, hosts, {
    nodes,
    atOnce: options.atOnce,
    maxFailures: options.maxFailures,
    member: (name) => {
      throw new TypeError(`a reset pushes nothing, not ${name}`);
    },
  });

  // Look again: what was acknowledged and what is there now are two questions. A lease goes only when its flanneld has gone.
  const again = await askWhenSettled(
    nodes.filter(({ name }) => outcomes.some(({ item, kind }) => item.node === name && kind === 'done')),
    ask,
    ({ answers }) => isDockerUnknown(answers, inventory.docker),
  );
  const reports = new Map<string, ResetReport>();
  const done: ResetPlan[] = [];
  for (const outcome of outcomes) {
    const plan = outcome.item;
    const seen = again.asked.find(({ node }) => node.name === plan.node);
    if (outcome.kind === 'skipped') reports.set(plan.node, resetReport(plan, 'skipped'));
    else if (outcome.kind === 'failed') reports.set(plan.node, resetReport(plan, 'failed', outcome.error));
    else if (seen === undefined) {
      const why = again.lost.find(({ node }) => node === plan.node);
      reports.set(plan.node, {
        ...resetReport(plan, 'failed'),
        error: why?.error ?? 'it could not be looked at again',
      });
    } else {
      const rest = stillThere(planReset(seen, wish), seen);
      if (rest === undefined) done.push(plan);
      else reports.set(plan.node, resetReport(plan, 'failed', new Error(rest)));
    }
  }
  const release = async (): Promise<void> => {
    for (const plan of done) reports.set(plan.node, await releaseLeases(session, network, plan));
  };
  if (network === null || done.every(({ lease }) => lease.changes.length === 0)) await release();
  else {
    try {
      const lock = { breakLock: options.breakLock, doing: 'netctl node reset', waitSeconds: 30 };
      await withOperatorLock(command, network, lock, release);
    } catch (error) {
      // The nodes are done, which is told all the same; the same command takes the leases later.
      if (!(error instanceof NetctlError)) throw error;
      for (const plan of done) if (!reports.has(plan.node)) reports.set(plan.node, resetReport(plan, 'failed', error));
    }
  }
  const unchanged = plans.filter(({ node }) => !reports.has(node)).map((plan) => resetReport(plan, stateOf(plan)));
  return document([...lost, ...unchanged, ...reports.values()], true);
}

function stateOf({ problems, steps, lease }: ResetPlan) {
  return plannedState(problems, steps.length > 0 || lease.changes.length > 0);
}

function stillThere(rest: ResetPlan, { answers }: ResetNode): string | undefined {
  const left = leftOver(rest);
  if (left !== undefined) return left;
  if (!answers.flanneld.known) return `whether flanneld has ended is not known: ${answers.flanneld.why}`;
  return answers.flanneld.value.length === 0 ? undefined : 'flanneld still runs, so its lease was left';
}

/** Each key at the revision that it has now: until flanneld stopped it may have been renewed. */
async function releaseLeases(session: Session, network: NetworkReading | null, plan: ResetPlan): Promise<ResetReport> {
  if (network === null || plan.lease.changes.length === 0) return resetReport(plan, 'done');
  try {
    const before = new Map(network.leases.leases.map((lease) => [lease.key, lease]));
    const fresh = await session.network(network);
    const changes = plan.lease.changes.flatMap((change) => {
      const lease = fresh.leases.leases.find(({ key }) => key === change.key);
      const entry = entryAt(fresh, change.key);
      if (lease === undefined || entry === undefined || lease.publicIP !== before.get(change.key)?.publicIP) return [];
      const now = { ...change, expected: lease.revision };
      return [network.api === 'v2' ? expiring(now, entry.value) : now];
    });
    await uninterrupted(() => execute({ title: `lease of ${plan.node}`, changes }, network.store));
    const left = await stillLeased(
      session,
      network,
      changes.map(({ key }) => key),
    );
    if (left === undefined) return resetReport(plan, 'done');
    return resetReport(plan, 'failed', new Error(`${left} is there again: somebody wrote it`));
  } catch (error) {
    if (error instanceof NetctlError) return resetReport(plan, 'failed', error);
    throw error;
  }
}

function entryAt({ snapshot }: NetworkReading, key: string): Entry | undefined {
  for (const entry of snapshot.entries) if (entry.key === key) return entry;
  return undefined;
}

/** etcd v2 looks for what has expired twice a second. */
const expiryMs = 10_000;

async function stillLeased(
  session: Session,
  network: NetworkReading,
  keys: readonly string[],
): Promise<string | undefined> {
  const deadline = performance.now() + (network.api === 'v2' ? expiryMs : 0);
  for (;;) {
    const { leases } = (await session.network(network)).leases;
    const left = keys.find((key) => leases.some((lease) => lease.key === key));
    if (left === undefined || performance.now() >= deadline) return left;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

type Basis = Omit<ResetWish, 'programs'>;

async function basisOf(
  session: Session,
  inventory: Inventory,
  network: NetworkReading | null,
  options: ResetOptions,
): Promise<Basis> {
  const settings = await session.settings();
  const { endpoints, ca, cert, key } = inventory.flannel.etcd;
  const read = async (path: string | undefined): Promise<Uint8Array | undefined> =>
    path === undefined ? undefined : readFile(path).catch(() => undefined);
  const files = {
    ca: await read(ca ?? settings.ca?.value),
    cert: await read(cert ?? settings.cert?.value),
    key: await read(key ?? settings.key?.value),
  };
  return {
    inventory,
    version: session.version,
    effective: network?.effective ?? null,
    leases: network?.leases.leases ?? [],
    keepLease: options.keepLease,
    endpoints: endpoints ?? settings.endpoints.value,
    certificates: {
      ...(files.ca === undefined ? {} : { ca: files.ca }),
      ...(files.cert === undefined ? {} : { cert: files.cert }),
      ...(files.key === undefined ? {} : { key: files.key }),
    },
  };
}

/** Sums of the programs in the archive that was named, and in those of the cache whose release lies on a node. Nothing is fetched. */
async function knownPrograms(
  command: NetctlCommand,
  given: string | undefined,
  named: string | undefined,
  asked: readonly ResetNode[],
): Promise<ReadonlySet<string>> {
  const { flannelCacheFolder } = await import('./flannel-download');
  const folder = flannelCacheFolder(process.env);
  const tags = new Set(
    asked.flatMap(({ answers }) => (answers.releases.known ? answers.releases.value.map(({ tag }) => tag) : [])),
  );
  const cached = (await readdir(folder).catch(() => [])).filter((name) => tags.has(parseArchiveName(name)?.tag ?? ''));
  const sums = new Set<string>();
  const read = async (file: string): Promise<void> => {
    const archive = await readFlannelArchive(() => createReadStream(file), { name: basename(file) });
    for (const { sha256 } of archive.members) sums.add(sha256);
  };
  if (given !== undefined) await read(given);
  for (const file of [...(named === undefined ? [] : [named]), ...cached.map((name) => join(folder, name))]) {
    try {
      await read(file);
    } catch (error) {
      command.say(`note: ${file} tells no sums of programs: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return sums;
}
