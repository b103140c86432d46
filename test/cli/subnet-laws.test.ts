import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { untilGone } from '../../src/lib/cli/lease-entries';
import { leaseMemories } from '../../src/lib/cli/lease-memories';
import type { Hosts } from '../../src/lib/cli/nodes';
import { carryOutRehome, planRehomeRun } from '../../src/lib/cli/rehome';
import { carryOutRelease, planReleaseRun } from '../../src/lib/cli/release';
import { lookAtReservations } from '../../src/lib/cli/reserve-scene';
import { type NetworkStore, Session } from '../../src/lib/cli/session';
import { announce } from '../../src/lib/engine/announce';
import { execute } from '../../src/lib/engine/execute';
import { removeLeases } from '../../src/lib/engine/remove-leases';
import { Conflict } from '../../src/lib/errors';
import type { NetworkBackup } from '../../src/lib/net/backup-file';
import { cidrOf, cidrsOverlap, formatCidr, type Ipv4Cidr } from '../../src/lib/net/cidr';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { leaseKey } from '../../src/lib/net/lease-key';
import { parseLeaseValue } from '../../src/lib/net/lease-value';
import { readReservations, reservationsPrefix } from '../../src/lib/net/reservation';
import { readTombstones, tombstonesPrefix } from '../../src/lib/net/tombstone';
import { memoryOf, planAnnounce, planMend } from '../../src/lib/plan/mend';
import { planRemoval } from '../../src/lib/plan/reclaim';
import { planEnforce, planReserve, planUnreserve } from '../../src/lib/plan/reserve';
import { planRestore } from '../../src/lib/plan/restore';
import { isBlocked, type SubnetWork } from '../../src/lib/plan/subnet-work';
import { planUndo } from '../../src/lib/plan/undo-reclaim';
import type { Store } from '../../src/lib/store/store';
import { type Etcd, removeDirectory, startEtcd, temporaryDirectory } from '../support/etcd';

/*
 * Any sequence of what netctl does to subnets, with flannelds that come, renew and go, and people who damage values by hand. The
 * network has few subnets and nodes, so that they get in each other's way.
 */

const nodes = ['n0', 'n1', 'n2', 'n3'];
const ipOf = (node: number): string => `192.0.2.${node + 1}`;
const subnetOf = (slot: number): Ipv4Cidr => cidrOf(0x0a_01_01_00 + slot * 256, 24);
const releases = ['v0.9.1', 'v0.17.0', 'v0.20.2', 'v0.28.9'].map(parseFlannelVersion);

interface World {
  readonly session: Session;
  /** One without an inventory, whose nodes may all be one: who knows them apart moves no lease from one to another. */
  readonly strangers: Session;
  readonly opened: NetworkStore;
  /** Keys whose values somebody else than netctl has spoilt. */
  readonly damaged: Set<string>;
  /** The last backup that was made. */
  backup?: NetworkBackup;
}

const slot = fc.integer({ min: 0, max: 4 });
const node = fc.integer({ min: 0, max: nodes.length - 1 });
const operation = fc.oneof(
  fc.record({ kind: fc.constant('flanneld' as const), node }),
  fc.record({ kind: fc.constant('expire' as const), slot }),
  fc.record({ kind: fc.constant('damage' as const), slot }),
  fc.record({ kind: fc.constant('reserve' as const), slot, node }),
  fc.record({ kind: fc.constant('unreserve' as const), slot }),
  fc.record({ kind: fc.constant('enforce' as const) }),
  fc.record({ kind: fc.constant('mend' as const), slot, said: fc.option(node) }),
  fc.record({ kind: fc.constant('announce' as const) }),
  fc.record({ kind: fc.constant('rehome' as const), slot, node, drop: fc.option(slot), isKnown: fc.boolean() }),
  fc.record({ kind: fc.constant('release' as const), node, unreserve: fc.boolean() }),
  fc.record({ kind: fc.constant('reclaim' as const), slot }),
  fc.record({ kind: fc.constant('undo' as const), slot }),
  fc.record({ kind: fc.constant('backup' as const) }),
  fc.record({ kind: fc.constant('restore' as const) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never;

/** A reservation of before came back beside the one that the node has now. */
const twoReservations: Operation[] = [
  { kind: 'reserve', slot: 0, node: 0 },
  { kind: 'backup' },
  { kind: 'unreserve', slot: 0 },
  { kind: 'reserve', slot: 1, node: 0 },
  { kind: 'restore' },
];

/** What was taken away of a node came back beside the subnet that it has now. */
const twoLeases: Operation[] = [
  { kind: 'reserve', slot: 4, node: 1 },
  { kind: 'flanneld', node: 0 },
  { kind: 'rehome', slot: 4, node: 0, drop: 0, isKnown: false },
  { kind: 'undo', slot: 0 },
];

/** No node is asked here: flanneld runs nowhere. */
const noHosts: Hosts = {
  of: () => Promise.reject(new Error('nobody is asked')),
  close: () => {},
};

/** Does what is planned; then the same plan has nothing more to do. */
async function changeAll(plan: () => Promise<readonly SubnetWork[]>, store: Store): Promise<void> {
  for (const work of await plan()) {
    if (!isBlocked(work)) await execute({ title: work.subnet, changes: work.changes }, store);
  }
  for (const work of await plan()) if (!isBlocked(work)) expect(work.changes).toEqual([]);
}

/** As flanneld of a node does at its start (spec 3.5): its own lease, else the first free subnet. */
async function flanneld(which: number, { session, opened }: World): Promise<void> {
  const { store, prefix } = opened;
  const { leases } = (await session.network(opened)).leases;
  const value = Buffer.from(JSON.stringify({ PublicIP: ipOf(which), BackendType: 'host-gw' }));
  const own = leases.find(({ publicIP }) => publicIP === ipOf(which));
  if (own !== undefined) {
    const isKept = opened.api === 'v2' && own.permanent;
    await store.put({ key: own.key, value, ...(isKept ? {} : { ttlSeconds: 86_400 }) }, own.revision);
    return;
  }
  const free = [0, 1, 2, 3, 4].map(subnetOf).find((each) => !leases.some(({ subnet }) => cidrsOverlap(subnet, each)));
  const there = free === undefined ? undefined : await store.get(leaseKey(prefix, free));
  // A key that it could not read is in its way: it ends.
  if (free === undefined || there?.entry !== undefined) return;
  await store.put({ key: leaseKey(prefix, free), value, ttlSeconds: 86_400 }, 'absent');
}

/** No lock is taken here. */
const stillOurs = async (): Promise<void> => {};

async function carryOut(what: Operation, world: World): Promise<void> {
  const { session, strangers, opened, damaged } = world;
  const { store, prefix } = opened;
  const look = () => lookAtReservations(session, opened, [0, 1, 2, 3, 4].map(subnetOf));
  const entryAt = async (at: number) => (await store.get(leaseKey(prefix, subnetOf(at)))).entry;
  const context = async () => ({
    prefix,
    api: opened.api,
    tombstones: readTombstones((await store.snapshot(tombstonesPrefix(prefix))).entries, prefix),
    now: new Date(),
    who: 'us',
    command: 'a test',
  });
  switch (what.kind) {
    case 'flanneld':
      return flanneld(what.node, world);
    case 'expire': {
      const entry = await entryAt(what.slot);
      if (entry !== undefined) await store.delete(entry.key, entry.revision);
      return;
    }
    case 'damage': {
      const entry = await entryAt(what.slot);
      if (entry === undefined) return;
      await store.put({ key: entry.key, value: Buffer.from(entry.key) }, entry.revision);
      damaged.add(entry.key);
      return;
    }
    case 'reserve': {
      const wish = { subnet: subnetOf(what.slot), publicIP: ipOf(what.node), node: null, note: null };
      return changeAll(
        async () => [planReserve({ ...wish, reservedBy: 'us', reservedAt: 'now' }, await look())],
        store,
      );
    }
    case 'unreserve':
      return changeAll(async () => planUnreserve(formatCidr(subnetOf(what.slot)), await look()), store);
    case 'enforce':
      return changeAll(async () => planEnforce(await look()), store);
    case 'mend':
      return changeAll(async () => {
        const { network, reservations, ...scene } = await look();
        const { unreadable } = network.leases;
        const known = await leaseMemories({ say: () => {} }, network, undefined, unreadable, reservations);
        const { said } = what;
        const key = leaseKey(prefix, subnetOf(what.slot));
        const memories = said === null ? known : [...known, memoryOf(key, 'person', ipOf(said))];
        return planMend({ ...scene, memories });
      }, store);
    case 'announce': {
      const network = await session.network(opened);
      return announce(planAnnounce(network.leases, network.effective, network.snapshot.entries), store);
    }
    case 'rehome': {
      const drop = what.drop === null ? null : subnetOf(what.drop);
      const wish = { subnet: subnetOf(what.slot), to: ipOf(what.node), drop };
      const run = { session: what.isKnown ? session : strangers, opened, hosts: noHosts, wish, etcdOnly: true };
      const { leases } = (await session.network(opened)).leases;
      const holder = leases.find(({ subnetText }) => subnetText === formatCidr(wish.subnet))?.publicIP ?? wish.to;
      const work = await planRehomeRun(run);
      // All of them are in the inventory: it is another node's.
      if (what.isKnown && holder !== wish.to) expect(isBlocked(work)).toBe(true);
      if (!isBlocked(work)) await carryOutRehome(run, work, stillOurs);
      return;
    }
    case 'release': {
      const { inventory } = session;
      const at = inventory?.nodes[what.node];
      if (inventory === undefined || at === undefined) throw new Error('there are nodes');
      const wish = { node: at.name, publicIP: ipOf(what.node), others: new Set<string>(), unreserve: what.unreserve };
      const run = { session, opened, hosts: noHosts, inventory, node: at, wish, etcdOnly: true };
      for (const work of await planReleaseRun(run)) await carryOutRelease(run, work, stillOurs);
      return;
    }
    case 'reclaim': {
      const entry = await entryAt(what.slot);
      const { leases } = (await session.network(opened)).leases;
      const lease = leases.find(({ key }) => key === entry?.key);
      if (entry === undefined || lease === undefined) return;
      await removeLeases([planRemoval({ lease, entry, ttlSeconds: 5000, reasons: [] }, await context())], store);
      // On v2 what goes is let expire.
      return untilGone(opened, [entry.key]);
    }
    case 'undo': {
      const { tombstones } = await context();
      const network = await session.network(opened);
      const tombstone = tombstones.find(({ subnet }) => subnet === formatCidr(subnetOf(what.slot)));
      if (tombstone === undefined) return;
      const { reservations } = readReservations((await store.snapshot(reservationsPrefix(prefix))).entries, prefix);
      const { change } = planUndo(tombstone, { ...network, leases: network.leases.leases, reservations });
      if (change !== null) await execute({ title: 'undo', changes: [change] }, store);
      return;
    }
    case 'backup': {
      const { snapshot } = await session.network(opened);
      const kept = await store.snapshot(`${prefix}-netctl/`);
      const leases = `${prefix}/subnets/`;
      const { api } = opened;
      world.backup = {
        head: {
          madeAt: '',
          madeBy: '',
          netctl: '',
          revision: snapshot.revision,
          api,
          clusterId: '',
          prefix,
          flannel: '',
        },
        config: null,
        leases: Array.from(snapshot.entries).flatMap(({ key, value, permanent }) =>
          key.startsWith(leases) ? [{ tail: key.slice(leases.length), value, permanent, ttlSeconds: null }] : [],
        ),
        own: Array.from(kept.entries, ({ key, value }) => ({ tail: key.slice(`${prefix}-netctl/`.length), value })),
      };
      return;
    }
    case 'restore': {
      if (world.backup === undefined) return;
      const target = { prefix, api: opened.api, version: opened.version, snapshot: await store.snapshot(prefix) };
      return execute(planRestore(world.backup, target), store);
    }
    default:
      what satisfies never;
  }
}

async function expectLaws({ session, opened, damaged }: World): Promise<void> {
  const network = await session.network(opened);
  const { leases, unreadable, foreign } = network.leases;
  expect(foreign).toEqual([]);
  for (const { key } of unreadable) expect(damaged).toContain(key);
  const spoilt = new Set(unreadable.map(({ key }) => key));
  for (const { key, value } of network.snapshot.entries) {
    if (!key.startsWith(`${opened.prefix}/subnets`) || spoilt.has(key)) continue;
    damaged.delete(key);
    // Readable for every release, not only for the one that judges.
    for (const release of releases) expect(parseLeaseValue(value, release).kind).toBe('ok');
  }
  expect(new Set(leases.map(({ publicIP }) => publicIP)).size).toBe(leases.length);
  const kept = readReservations(
    (await opened.store.snapshot(reservationsPrefix(opened.prefix))).entries,
    opened.prefix,
  );
  expect(kept.damaged).toEqual([]);
  expect(new Set(kept.reservations.map(({ publicIP }) => publicIP)).size).toBe(kept.reservations.length);
}

describe.each([
  ['v3', 100],
  ['v2', 12],
] as const)('whatever is done to the subnets of a network in etcd %s', (api, runs) => {
  let etcd: Etcd;
  let folder: string;
  let session: Session;
  let strangers: Session;
  let first: NetworkStore;
  let networks = 0;

  beforeAll(async () => {
    etcd = await startEtcd();
    folder = temporaryDirectory('laws');
    const config = join(folder, 'netctl.yaml');
    const lines = nodes.map(
      (name, index) => `  - { name: ${name}, address: 127.0.9.${index + 1}, publicIP: ${ipOf(index)} }`,
    );
    writeFileSync(config, `nodes:\n${lines.join('\n')}\n`);
    session = await Session.open({ say: () => {} }, { config, endpoints: etcd.endpoints[0], 'etcd-api': api });
    const empty = join(folder, 'empty.yaml');
    writeFileSync(empty, 'nodes: []\n');
    strangers = await Session.open({ say: () => {} }, { config: empty, endpoints: etcd.endpoints[0], 'etcd-api': api });
    first = await session.networkStore();
  });
  afterAll(async () => {
    first.store.close();
    removeDirectory(folder);
    await etcd.stop();
  });

  it('leaves no key that flanneld cannot read, no two leases of one node, no two reservations of one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 3, maxLength: 14 }), async (operations) => {
        networks += 1;
        const opened = { ...first, prefix: `/laws${networks}/network` };
        const config = Buffer.from('{"Network":"10.1.0.0/16","Backend":{"Type":"host-gw"}}');
        await opened.store.put({ key: `${opened.prefix}/config`, value: config }, 'absent');
        const world: World = { session, strangers, opened, damaged: new Set<string>() };
        for (const each of operations) {
          await carryOut(each, world);
          await expectLaws(world);
        }
      }),
      { numRuns: runs, timeout: 20_000, endOnFailure: true, examples: [[twoLeases], [twoReservations]] },
    );
  });

  it('is guarded by what was read: whoever comes in between keeps what it has, and nothing is kept for anybody', async () => {
    networks += 1;
    const opened = { ...first, prefix: `/laws${networks}/network` };
    const { store, prefix } = opened;
    const config = Buffer.from('{"Network":"10.1.0.0/16","Backend":{"Type":"host-gw"}}');
    await store.put({ key: `${prefix}/config`, value: config }, 'absent');
    const look = () => lookAtReservations(session, opened, [subnetOf(0)]);
    const wish = { subnet: subnetOf(0), publicIP: ipOf(0), node: null, note: null, reservedBy: 'us', reservedAt: '' };
    const theirs = Buffer.from(JSON.stringify({ PublicIP: ipOf(1), BackendType: 'host-gw' }));
    const key = leaseKey(prefix, subnetOf(0));

    const late = planReserve(wish, await look());
    const taken = await store.put({ key, value: theirs, ttlSeconds: 600 }, 'absent');
    await expect(execute({ title: '', changes: late.changes }, store)).rejects.toBeInstanceOf(Conflict);
    expect((await look()).reservations).toEqual({ reservations: [], damaged: [] });
    expect(isBlocked(planReserve(wish, await look()))).toBe(true);

    // Its owner renews between the look and the write.
    await changeAll(async () => [planReserve({ ...wish, publicIP: ipOf(1) }, await look())], store);
    const renewed = Buffer.from(JSON.stringify({ PublicIP: ipOf(1), BackendType: 'host-gw', More: 1 }));
    const now = (await store.get(key)).entry ?? taken;
    await store.put({ key, value: now.value, ttlSeconds: 600 }, now.revision);
    const enforcing = planEnforce(await look()).flatMap(({ changes }) => changes);
    expect(enforcing).toHaveLength(1);
    const again = (await store.get(key)).entry ?? taken;
    await store.put({ key, value: renewed, ttlSeconds: 86_400 }, again.revision);
    await expect(execute({ title: '', changes: enforcing }, store)).rejects.toBeInstanceOf(Conflict);
    expect(Buffer.from((await store.get(key)).entry?.value ?? [])).toEqual(renewed);
  });
});
