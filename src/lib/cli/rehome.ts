import { execute } from '../engine/execute';
import { survey } from '../engine/survey';
import { ChangeFailed, Refused } from '../errors';
import { hasWrittenSubnet } from '../fact/has-written-subnet';
import { routes } from '../fact/routes';
import { writtenSubnet } from '../fact/subnet-env-file';
import type { InventoryNode } from '../inventory/inventory';
import { formatCidr } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';
import type { Problem } from '../net/problem';
import { bridgeRoute } from '../plan/bridge-route';
import type { NodeStep } from '../plan/host-change';
import { planRemoval } from '../plan/reclaim';
import { otherNode, planRehome, type Rehome, type RehomeWish } from '../plan/rehome';
import { isSame } from '../plan/reservation-state';
import { isBlocked } from '../plan/subnet-work';
import { stepReport } from '../view/node-bootstrap';
import { entryFinder, removalContext, ttlsOf, untilGone } from './lease-entries';
import { ask, carryOutAt, type LeaseOwner, lookAtOwner, ownerStep, whileStopped } from './lease-owner';
import type { Hosts } from './nodes';
import { readReservationsOf } from './reserve-scene';
import type { NetworkStore, Session } from './session';
import type { WorkWithNode } from './subnet-work';

export interface RehomeWork extends WorkWithNode {
  /** Null when the node is not asked, or nothing is to be done. */
  readonly owner: LeaseOwner | null;
  readonly starts: boolean;
  /** Puts the kernel's route to the containers back; null when it is there. */
  readonly route: NodeStep | null;
}

export interface RehomeRun {
  readonly session: Session;
  readonly opened: NetworkStore;
  readonly hosts: Hosts;
  readonly wish: RehomeWish;
  /** A person says that flanneld does not run there. */
  readonly etcdOnly: boolean;
}

/** What is to be done in etcd, from what is there now. */
async function planInEtcd({ session, opened, wish }: RehomeRun): Promise<Rehome> {
  const [network, reservations, removals] = await Promise.all([
    session.network(opened),
    readReservationsOf(opened),
    removalContext(opened, 'netctl subnets rehome'),
  ]);
  const entryOf = entryFinder(network.snapshot);
  const others = network.leases.leases.filter(({ publicIP }) => publicIP === wish.to);
  const ttls = await ttlsOf(opened, entryOf, others);
  return planRehome(wish, {
    version: network.version,
    reading: network.leases,
    effective: network.effective,
    reservations,
    nodes: session.inventory?.nodes ?? [],
    tombstones: removals.tombstones,
    entryOf,
    removalOf: (lease, entry) =>
      planRemoval(
        {
          lease,
          entry,
          ttlSeconds: ttls.get(lease.key) ?? null,
          reasons: [`the left-over of ${wish.to}, which keeps ${formatCidr(wish.subnet)}`],
        },
        removals,
      ),
  });
}

/**
 * The plan for etcd, with what has to be done on the node around it.
 * @throws Refused `owner-unknown`, and what a look at the owner throws
 */
export async function planRehomeRun(run: RehomeRun): Promise<RehomeWork> {
  const { session, wish, hosts } = run;
  const rehome = await planInEtcd(run);
  const alone = { ...rehome, owner: null, starts: false, route: null };
  if (isBlocked(rehome) || run.etcdOnly) return alone;
  const isWritten = rehome.changes.length === 0;
  const { inventory } = session;
  const node = inventory === undefined ? undefined : ownerIn(inventory.nodes, wish.to, rehome.from);
  if (inventory === undefined || node === undefined) {
    if (isWritten) return alone;
    throw new Refused({
      code: 'owner-unknown',
      message: `no node of the inventory has ${wish.to} or ${rehome.from ?? 'the former address'}, so whether its flanneld runs is not known; nothing was done`,
      next: [
        'A flanneld that runs writes its old address back when it renews the lease.',
        'Put the node into netctl.yaml; or stop flanneld there yourself, then: the same command with --etcd-only',
      ],
    });
  }
  const owner = await lookAtOwner(node, inventory, session.version, hosts).catch((error: unknown) => {
    if (isWritten && error instanceof Refused) return undefined;
    throw error;
  });
  if (owner === undefined) return alone;
  const other = isWritten ? undefined : otherSubnet(owner, wish);
  if (other !== undefined) return { ...alone, changes: [], problems: [other] };
  const route = await routeStep(run, owner);
  const last = route === null ? [] : [stepReport(route)];
  if (isWritten && owner.service.kind === 'runs') return { ...alone, owner, route, after: last };
  const { service, seen } = owner;
  const old = rehome.from === null || service.kind !== 'runs' ? undefined : wordWith(owner, rehome.from);
  // What cannot be seen may hold the old address, and with that flanneld would take another subnet.
  const isSeen = seen.flanneld.known && seen.flanneld.value.every(({ environment }) => environment !== null);
  const starts = service.kind === 'runs' && isSeen && old === undefined;
  const problems: Problem[] = [...rehome.problems];
  const hasIt = !seen.links.known || seen.links.value.some(({ addresses }) => addresses.some(isAddress(wish.to)));
  if (!hasIt) {
    problems.push({
      code: 'rehome-not-its-address',
      severity: 'warning',
      path: wish.to,
      message: `${node.name} has no interface with ${wish.to}: flanneld finds the lease only when it is told so with --public-ip`,
      suggestion: null,
    });
  }
  if (!starts) {
    problems.push({
      code: 'rehome-start-it',
      severity: 'warning',
      path: node.name,
      message:
        old === undefined
          ? `flanneld on ${node.name} does not run, and with which address it would start is not known, so it is not started`
          : `flanneld on ${node.name} is told its old address (${old}), so it is not started again`,
      suggestion: `netctl node bootstrap ${node.name}, with the new address in netctl.yaml, writes its settings anew and starts it`,
    });
  }
  return {
    ...rehome,
    problems,
    owner,
    starts,
    before: service.kind === 'runs' ? [stepReport(stopStep(owner))] : [],
    route,
    after: [...(starts ? [stepReport(startStep(owner))] : []), ...last],
  };
}

/** A node works with one subnet: when its own file names another one, another one was mistyped, or `--drop` is missing. */
function otherSubnet({ node, seen, subnetFile }: LeaseOwner, { subnet, to, drop }: RehomeWish): Problem | undefined {
  const own = writtenSubnet(seen.subnetEnv);
  if (own === null || isSame(own, subnet) || (drop !== null && isSame(own, drop))) return undefined;
  const [text, has] = [formatCidr(subnet), formatCidr(own)];
  return otherNode(
    text,
    `${subnetFile} on ${node.name} says that it works with ${has}, not ${text}`,
    `netctl subnets rehome ${has} --to ${to}, when that is its subnet; when it is a left-over, and its lease has ended: rm ${subnetFile} there, then run this again`,
  );
}

/** By its new address, else by the one that it had. */
function ownerIn(nodes: readonly InventoryNode[], to: string, from: string | null): InventoryNode | undefined {
  const by = (ip: string) => nodes.find(({ publicIP, address }) => publicIP === ip || address === ip);
  return by(to) ?? (from === null ? undefined : by(from));
}

function isAddress(text: string) {
  const wanted = parseIpv4(text);
  return (each: { readonly family: 4 | 6; readonly address: number | bigint }): boolean =>
    each.family === 4 && each.address === wanted;
}

/** The word of flanneld's command line, variables or unit in which an address stands. */
function wordWith({ seen }: LeaseOwner, ip: string): string | undefined {
  const words = [
    ...(seen.flanneld.known
      ? seen.flanneld.value.flatMap((process) => [...process.words, ...(process.environment?.values() ?? [])])
      : []),
    ...(seen.units.known ? Array.from(seen.units.value.values()).flatMap(({ execStart }) => execStart) : []),
  ];
  // Endpoints of etcd may be on this very machine.
  return words.find((word) => !word.includes('://') && word.split(/[^0-9.]+/).includes(ip));
}

function stopStep(owner: LeaseOwner) {
  if (owner.service.kind !== 'runs') throw new TypeError('flanneld does not run');
  return ownerStep(`${owner.node.name}: before`, owner.service.stop, []);
}

function startStep(owner: LeaseOwner) {
  if (owner.service.kind !== 'runs') throw new TypeError('flanneld did not run');
  return ownerStep(`${owner.node.name}: after`, owner.service.start, []);
}

async function routeStep({ hosts, wish }: RehomeRun, { node, seen }: LeaseOwner): Promise<NodeStep | null> {
  const { answers } = await survey(await hosts.of(node), { routes: routes(4) }, { timeoutMs: 20_000 });
  if (!seen.links.known || !answers.routes.known) return null;
  const change = bridgeRoute(wish.subnet, seen.links.value, answers.routes.value);
  return change === null ? null : ownerStep(`${node.name}: last`, change, []);
}

/**
 * Stop, rewrite what is there then, start.
 * @param stillOurs throws when the lock is lost, under which this is done
 */
export async function carryOutRehome(run: RehomeRun, work: RehomeWork, stillOurs: () => Promise<void>): Promise<void> {
  const { owner } = work;
  const stops = owner?.service.kind === 'runs' && work.changes.length > 0;
  if (owner !== null && stops) {
    await stillOurs();
    await carryOutAt(owner, stopStep(owner), run.hosts);
  }
  try {
    // Until it stopped flanneld may have renewed.
    const { changes, problems, removal, subnet } = await planInEtcd(run);
    const [blocked] = problems.filter(({ severity }) => severity === 'error');
    if (blocked !== undefined) throw new ChangeFailed({ code: blocked.code, message: blocked.message });
    const isRemoval = (key: string): boolean => removal !== null && (key === removal.key || key === removal.keep?.key);
    await execute({ title: subnet, changes: changes.filter(({ key }) => isRemoval(key)) }, run.opened.store);
    if (removal !== null) await untilGone(run.opened, [removal.key]);
    await execute({ title: subnet, changes: changes.filter(({ key }) => !isRemoval(key)) }, run.opened.store);
  } catch (error) {
    throw owner !== null && stops ? whileStopped(error, owner) : error;
  }
  if (owner === null) return;
  if (work.starts) {
    await carryOutAt(owner, startStep(owner), run.hosts);
    await untilTaken(run, owner);
  }
  if (work.route === null) return;
  await stillOurs();
  await carryOutAt(owner, work.route, run.hosts);
}

const takeMs = 30_000;

/** systemd says that flanneld has started when it has its subnet; others say it before. */
async function untilTaken({ wish, hosts }: RehomeRun, { node, subnetFile }: LeaseOwner): Promise<void> {
  const deadline = performance.now() + takeMs;
  for (;;) {
    const seen = await ask(node, subnetFile, hosts);
    const taken = writtenSubnet(seen.subnetEnv);
    if (taken !== null && isSame(taken, wish.subnet) && hasWrittenSubnet(seen.flanneld, seen.subnetEnv)) return;
    if (performance.now() > deadline) {
      throw new ChangeFailed({
        code: 'rehome-not-taken',
        message: `${node.name}: flanneld was started and has not taken ${formatCidr(wish.subnet)}${taken === null ? '' : `: ${subnetFile} names ${formatCidr(taken)}`}`,
        next: [
          `On ${node.name}: journalctl -u flanneld -n 50`,
          'Does it start with the new address? --iface, --public-ip',
        ],
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
