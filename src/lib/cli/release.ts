import { execute } from '../engine/execute';
import { removeLeases } from '../engine/remove-leases';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import type { Problem } from '../net/problem';
import { planRemoval } from '../plan/reclaim';
import { planRelease, type Release, type ReleaseWish } from '../plan/release-node';
import { isBlocked } from '../plan/subnet-work';
import { plural } from '../view/count';
import { stepReport } from '../view/node-bootstrap';
import { entryFinder, removalContext, ttlsOf, untilGone } from './lease-entries';
import { carryOutAt, type LeaseOwner, lookAtOwner, ownerStep, whileStopped } from './lease-owner';
import type { Hosts } from './nodes';
import { readReservationsOf } from './reserve-scene';
import type { NetworkStore, Session } from './session';
import type { WorkWithNode } from './subnet-work';

export interface ReleaseWork extends WorkWithNode {
  /** To be stopped before this subnet goes; null when nothing runs there, or it was not asked. */
  readonly owner: LeaseOwner | null;
}

export interface ReleaseRun {
  readonly session: Session;
  readonly opened: NetworkStore;
  readonly hosts: Hosts;
  readonly inventory: Inventory;
  readonly node: InventoryNode;
  readonly wish: ReleaseWish;
  /** A person says that flanneld does not run there. */
  readonly etcdOnly: boolean;
}

async function planInEtcd({ session, opened, wish }: ReleaseRun): Promise<readonly Release[]> {
  const [network, reservations, removals] = await Promise.all([
    session.network(opened),
    readReservationsOf(opened),
    removalContext(opened, 'netctl subnets release'),
  ]);
  const entryOf = entryFinder(network.snapshot);
  const { leases } = network.leases;
  const ttls = await ttlsOf(
    opened,
    entryOf,
    leases.filter(({ publicIP }) => publicIP === wish.publicIP),
  );
  const routes = leases.filter(({ publicIP }) => publicIP !== null && publicIP !== wish.publicIP).length;
  return planRelease(wish, {
    reading: network.leases,
    reservations,
    entryOf,
    removalOf: (lease, entry) => {
      const ttlSeconds = ttls.get(lease.key) ?? null;
      const removal = planRemoval({ lease, entry, ttlSeconds, reasons: [`${wish.node} leaves`] }, removals);
      const why = `${wish.node} gives it back; ${routes === 0 ? 'no other node has a route to it' : `${plural(routes, 'other node')} would lose the route to it`}`;
      return { ...removal, remove: { ...removal.remove, why } };
    },
  });
}

/** @throws what a look at the owner throws */
export async function planReleaseRun(run: ReleaseRun): Promise<readonly ReleaseWork[]> {
  const works = (await planInEtcd(run)).map((work) => ({ ...work, owner: null }));
  const [first, ...rest] = works;
  if (first === undefined || first.removal === null || isBlocked(first) || run.etcdOnly) return works;
  const owner = await lookAtOwner(run.node, run.inventory, run.session.version, run.hosts);
  const { service } = owner;
  const problems = [...first.problems, ...comesBack(owner)];
  if (service.kind === 'stopped') return [{ ...first, problems }, ...rest];
  const step = stopStep(owner);
  return [{ ...first, problems, owner, before: [stepReport(step)] }, ...rest];
}

function stopStep({ node, service }: LeaseOwner) {
  if (service.kind !== 'runs') throw new TypeError('flanneld does not run');
  return ownerStep(`${node.name}: before`, { ...service.stop, why: 'flanneld stops' }, [
    `containers on ${node.name} reach those of other nodes no longer`,
  ]);
}

function comesBack({ node, service, seen }: LeaseOwner): readonly Problem[] {
  const enabled = seen.units.known
    ? Array.from(seen.units.value.values()).find(({ isFound, unitFileState }) => isFound && unitFileState === 'enabled')
    : undefined;
  const name = enabled?.name ?? service.name;
  if (name === null) return [];
  return [
    {
      code: 'release-comes-back',
      severity: 'warning',
      path: node.name,
      message: `${name} on ${node.name} starts again with the machine, and takes a subnet then`,
      suggestion: `netctl node reset ${node.name} takes flannel away from it`,
    },
  ];
}

/**
 * Stop, take away what is there then, wait until it is gone.
 * @param stillOurs throws when the lock is lost, under which this is done
 */
export async function carryOutRelease(
  run: ReleaseRun,
  work: ReleaseWork,
  stillOurs: () => Promise<void>,
): Promise<void> {
  const { owner } = work;
  if (owner !== null) {
    await stillOurs();
    await carryOutAt(owner, stopStep(owner), run.hosts);
  }
  try {
    // Until it stopped flanneld may have renewed.
    const fresh = (await planInEtcd(run)).find(({ subnet }) => subnet === work.subnet);
    if (fresh === undefined) return;
    const { removal, changes } = fresh;
    if (removal !== null) {
      const [outcome] = await removeLeases([removal], run.opened.store);
      if (outcome?.kind === 'conflict' || outcome?.kind === 'failed') throw outcome.error;
      await untilGone(run.opened, [removal.key]);
    }
    const rest = changes.filter((change) => change !== removal?.keep && change !== removal?.remove);
    await execute({ title: work.subnet, changes: rest }, run.opened.store);
  } catch (error) {
    throw owner === null ? error : whileStopped(error, owner);
  }
}
