import { networkInterfaces } from 'node:os';
import type { LeaseLook, Probe } from '../check/lease-evidence';
import { type OwnerState, ownerJudge, runsForKubernetes } from '../check/lease-owner';
import { survey } from '../engine/survey';
import { NetctlError, Refused } from '../errors';
import { type LeaseOwnerSeen, leaseOwnerFacts } from '../fact/lease-owner-facts';
import { neighbours } from '../fact/neighbours';
import { overlayPing } from '../fact/overlay-ping';
import { type Route, routes } from '../fact/routes';
import { subnetTraffic } from '../fact/subnet-traffic';
import type { Host } from '../host/host';
import { localHost } from '../host/local';
import { forEachHost } from '../host/pool';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { cidrContains, cidrsOverlap, formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import type { Lease } from '../net/lease';
import { publicIPOf } from '../net/node-ref';
import type { ReservationReading } from '../net/reservation';
import { flannelFilesWish, flannelLayout } from '../plan/flannel-files';
import type { Hosts } from './nodes';
import type { NetworkReading } from './session';

export interface LookAtLeases {
  readonly inventory: Inventory | undefined;
  readonly hosts: Hosts;
  readonly reservations: ReservationReading;
  readonly atOnce: number;
  /** Told what is being done, for a line of progress. */
  readonly doing?: (what: string) => void;
}

export interface LeaseLooks {
  /** In the order of the leases asked for. */
  readonly looks: readonly LeaseLook[];
  /** Leases that nobody was asked about, because there were too many; they are not among `looks`. */
  readonly notLookedAt: readonly Lease[];
}

const surveyTimeoutMs = 30_000;
/** From so many other nodes it is listened whether a lease still lives. */
const mostVantages = 3;
/** So many nodes are tried to find them. */
const vantageTries = 6;
/** So many leases are pinged at most in one run, three addresses each. */
const mostProbed = 256;
/** Whether a place hears anybody is found out with so many others. */
const mostReferences = 8;
const probeSeconds = 60;

interface Asked {
  readonly node: InventoryNode;
  readonly seen: LeaseOwnerSeen | null;
  /** Null when it was reached. */
  readonly why: string | null;
  readonly judge: ((lease: Lease) => OwnerState) | null;
}

/**
 * Gathers the evidence for and against leases: their machines by SSH, then pings and the tables of connections of other nodes, and
 * pings from this machine. Changes nothing anywhere.
 * @throws Refused `kube-subnet-manager` when a flanneld there does not keep its leases in etcd at all
 */
export async function lookAtLeases(
  network: NetworkReading,
  candidates: readonly Lease[],
  options: LookAtLeases,
): Promise<LeaseLooks> {
  const { inventory, hosts } = options;
  const all = network.leases.leases;
  options.doing?.('asking etcd when leases expire');
  const keys = new Set(candidates.map(({ key }) => key));
  const ttls = await network.store.ttls(
    Array.from(network.snapshot.entries).filter(({ key, permanent }) => !permanent && keys.has(key)),
  );
  const ttlOf = (lease: Lease): number | null => (lease.permanent ? null : (ttls.get(lease.key) ?? lease.ttlSeconds));

  const nodes = inventory?.nodes ?? [];
  const isElsewhere = elsewhereJudge(all);
  const asked =
    inventory === undefined
      ? []
      : await askNodes(nodesToAsk(nodes, candidates, all, isElsewhere), inventory, network, hosts, options);
  for (const { node, seen } of asked) if (seen !== null && runsForKubernetes(seen)) throw kubernetes(node.name);

  const bases = candidates.map((lease) => {
    const owner = ownerOf(lease, asked, nodes);
    const at = asked.find(({ node }) => node === owner);
    const state = at?.judge?.(lease) ?? null;
    const elsewhere = asked.flatMap((other) => {
      const found = other.node === owner ? undefined : other.judge?.(lease);
      return found?.kind === 'holds' || found?.kind === 'uses' ? [{ node: other.node.name, why: found.why }] : [];
    });
    // Several nodes with one address, as behind NAT: what one of them is without, another may have.
    const away = asked.find(({ node, seen }) => seen === null && publicIPOf(node) === lease.publicIP);
    const ownerLook: LeaseLook['owner'] =
      at === undefined
        ? { kind: 'not-asked' }
        : away !== undefined && away !== at
          ? {
              kind: 'unreachable',
              why: `${away.node.name} has the same public IP, and ${away.why ?? 'did not answer'}`,
            }
          : state === null
            ? { kind: 'unreachable', why: at.why ?? 'it did not answer' }
            : { kind: 'seen', state };
    return { lease, owner, ownerLook, elsewhere };
  });

  // Who certainly lives need not be asked anything else.
  const isHeld = ({ ownerLook, elsewhere }: (typeof bases)[number]): boolean =>
    elsewhere.length > 0 || (ownerLook.kind === 'seen' && ownerLook.state.kind === 'holds');
  const open = bases
    .filter((base) => !isHeld(base) && !base.lease.permanent)
    .sort((a, b) => (ttlOf(a.lease) ?? 0) - (ttlOf(b.lease) ?? 0));
  const probed = open.slice(0, mostProbed).map(({ lease }) => lease);
  const left = new Set(open.slice(mostProbed).map(({ lease }) => lease.key));

  const holders: { readonly at: Asked; readonly lease: Lease }[] = [];
  for (const at of asked) {
    const lease = all.find((each) => at.judge?.(each).kind === 'holds');
    if (lease !== undefined) holders.push({ at, lease });
    if (holders.length > mostReferences) break;
  }
  const heard = await listen(probed, holders, network, options);

  // What the inventory says of their addresses may be another than flanneld's, or a former one: each of them may be the owner.
  const strangersTo = (lease: Lease): readonly string[] =>
    asked.flatMap(({ node, seen }) => (seen?.links.known === true || isElsewhere(node, lease) ? [] : node.name));

  return {
    looks: bases
      .filter(({ lease }) => !left.has(lease.key))
      .map(({ lease, owner, ownerLook, elsewhere }): LeaseLook => {
        const probes = heard(lease);
        const strangers = owner === undefined ? strangersTo(lease) : [];
        return {
          lease,
          node: owner?.name ?? null,
          inventory:
            owner !== undefined
              ? 'has-it'
              : nodes.length === 0
                ? 'none'
                : strangers.length > 0
                  ? 'may-have-it'
                  : 'lacks-it',
          mayBeOf: strangers,
          ttlSeconds: ttlOf(lease),
          owner: ownerLook,
          elsewhere,
          ...probes,
          reservation: reservationOf(lease, options.reservations),
        };
      }),
    notLookedAt: candidates.filter(({ key }) => left.has(key)),
  };
}

type IsElsewhere = (node: InventoryNode, lease: Lease) => boolean;

/**
 * Tells of a node whether it certainly has not the lease: its own, by the address that the inventory tells, was written when that lease
 * was there already. A left-over of a former address nobody writes any more.
 */
function elsewhereJudge(all: readonly Lease[]): IsElsewhere {
  const written = new Map<string, bigint>();
  for (const { publicIP, revision } of all) {
    if (publicIP !== null && (written.get(publicIP) ?? 0n) < BigInt(revision)) written.set(publicIP, BigInt(revision));
  }
  return (node, { createdRevision }) => (written.get(publicIPOf(node) ?? '') ?? 0n) > BigInt(createdRevision);
}

/**
 * Owners of the leases; nodes whose address may be another than the inventory tells; and some that hold other leases, to listen from.
 */
function nodesToAsk(
  nodes: readonly InventoryNode[],
  candidates: readonly Lease[],
  all: readonly Lease[],
  isElsewhere: IsElsewhere,
): readonly InventoryNode[] {
  const wanted = new Set(candidates.map(({ publicIP }) => publicIP));
  const leased = new Set(all.map(({ publicIP }) => publicIP));
  const known = new Set(nodes.flatMap(({ publicIP }) => publicIP ?? []));
  const strange = candidates.filter(({ publicIP }) => publicIP === null || !known.has(publicIP));
  const chosen = nodes.filter(
    (node) =>
      node.publicIP === undefined || wanted.has(node.publicIP) || strange.some((lease) => !isElsewhere(node, lease)),
  );
  const listeners = nodes.filter((node) => !chosen.includes(node) && leased.has(node.publicIP ?? null));
  return [...chosen, ...listeners.slice(0, vantageTries)];
}

function ownerOf(
  { publicIP }: Lease,
  asked: readonly Asked[],
  nodes: readonly InventoryNode[],
): InventoryNode | undefined {
  if (publicIP === null) return undefined;
  const address = parseIpv4(publicIP);
  const named = nodes.filter((node) => publicIPOf(node) === publicIP);
  const has = (node: InventoryNode): boolean => {
    const links = asked.find((at) => at.node === node)?.seen?.links;
    return (
      links?.known === true &&
      links.value.some((link) =>
        link.addresses.some((each) => each.family === 4 && !link.isLoopback && each.address === address),
      )
    );
  };
  // Two nodes with one address in the inventory: the one that really has it.
  return named.find(has) ?? named[0] ?? nodes.find((node) => node.publicIP === undefined && has(node));
}

async function askNodes(
  nodes: readonly InventoryNode[],
  inventory: Inventory,
  network: NetworkReading,
  hosts: Hosts,
  options: LookAtLeases,
): Promise<readonly Asked[]> {
  let done = 0;
  const outcomes = await forEachHost(nodes, { atOnce: options.atOnce }, async (node): Promise<Asked> => {
    const { subnetFile } = flannelLayout(
      flannelFilesWish(inventory, node, { family: 'debian', version: network.version, endpoints: [] }),
    );
    try {
      const host = await hosts.of(node);
      const { answers } = await survey(host, leaseOwnerFacts(subnetFile), { timeoutMs: surveyTimeoutMs });
      const question = { prefix: network.prefix, subnetFile, leases: network.leases.leases };
      return { node, seen: answers, why: null, judge: ownerJudge(answers, question) };
    } catch (error) {
      if (!(error instanceof NetctlError)) throw error;
      return { node, seen: null, why: error.message, judge: null };
    } finally {
      done += 1;
      options.doing?.(`asking nodes: ${done} of ${nodes.length}`);
    }
  });
  return outcomes.map((outcome) => {
    if (outcome.kind === 'done') return outcome.value;
    throw outcome.kind === 'failed' ? outcome.error : new TypeError(`${outcome.item.name} was not asked`);
  });
}

type Heard = Pick<LeaseLook, 'publicIP' | 'overlay' | 'traffic'>;

interface Vantage {
  readonly name: string;
  /** Addresses that answered, by ICMP or ARP, and those that did not. What is in neither was not found out. */
  readonly answered: ReadonlySet<string>;
  readonly silent: ReadonlySet<string>;
  /** Leases of other nodes whose machine, and whose addresses in the overlay, answered. Without any, silence says nothing. */
  readonly hearsMachines: ReadonlySet<string>;
  readonly hearsOverlay: ReadonlySet<string>;
  readonly isNode: boolean;
  /** Has it a route of the network to the subnet? A node that does not follow etcd sends such packets just anywhere. */
  readonly hasWayTo: (lease: Lease) => boolean;
  readonly traffic: ReadonlyMap<string, boolean> | null;
}

function overlayAddresses({ subnet }: Lease): readonly string[] {
  // flannel's own device has the first address, Docker's bridge the second one.
  return [formatIpv4(subnet.base), formatIpv4(subnet.base + 1)];
}

/** Listens for leases from other nodes and from here. */
async function listen(
  probed: readonly Lease[],
  holders: readonly { readonly at: Asked; readonly lease: Lease }[],
  network: NetworkReading,
  options: LookAtLeases,
): Promise<(lease: Lease) => Heard> {
  const all = network.leases.leases;
  const range = parseIpv4Cidr(network.effective?.network ?? '') ?? null;
  const keys = new Set(probed.map(({ key }) => key));
  const living = holders.filter(({ lease }) => !keys.has(lease.key));
  const others = [
    ...living.map(({ lease }) => lease),
    ...all.filter(({ key }) => !keys.has(key) && !living.some(({ lease }) => lease.key === key)),
  ].slice(0, mostReferences);
  if (probed.length === 0) {
    const probe: Probe = { answered: [], silent: [], why: 'it was not asked, because enough was known' };
    return () => ({ publicIP: probe, overlay: probe, traffic: null });
  }
  options.doing?.(`listening for ${probed.length === 1 ? 'one lease' : `${probed.length} leases`}`);
  const places: Promise<Vantage | null>[] = living.slice(0, mostVantages).map(async ({ at, lease }) =>
    listenFrom(
      at.node.name,
      await options.hosts.of(at.node),
      probed,
      others.filter(({ key }) => key !== lease.key),
      addressesOf(at),
      range,
      true,
    ),
  );
  places.push(
    listenFrom('this machine', localHost({ name: 'this machine' }), probed, others, ownAddresses(), range, false),
  );
  const vantages = (await Promise.all(places)).filter((vantage) => vantage !== null);
  return (lease) => ({
    publicIP: probeOf(
      vantages,
      lease.publicIP === null ? [] : [lease.publicIP],
      ({ hearsMachines }) => hasOther(hearsMachines, lease),
      'neither another node nor this machine could ping it',
    ),
    overlay: probeOf(
      vantages.filter(({ isNode }) => isNode),
      overlayAddresses(lease),
      ({ hearsOverlay, hasWayTo }) => hasWayTo(lease) && hasOther(hearsOverlay, lease),
      'no other node of the inventory that is on the network could be asked',
    ),
    traffic: trafficOf(vantages, lease),
  });
}

/** Does it lead into the network, and not just anywhere, as the default route does? */
function leadsTo({ destination, type }: Route, subnet: Ipv4Cidr, network: Ipv4Cidr | null): boolean {
  if (destination.family !== 4 || type !== 'unicast' || destination.length === 0) return false;
  return cidrContains(destination, subnet) && (network === null || cidrContains(network, destination));
}

function addressesOf({ seen }: Asked): ReadonlySet<string> {
  if (seen?.links.known !== true) return new Set();
  return new Set(
    seen.links.value.flatMap(({ addresses }) =>
      addresses.flatMap((each) => (each.family === 4 ? formatIpv4(each.address) : [])),
    ),
  );
}

/** Of this machine, which may be a node itself. */
function ownAddresses(): ReadonlySet<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address)));
}

function hasOther(keys: ReadonlySet<string>, { key }: Lease): boolean {
  return keys.size > (keys.has(key) ? 1 : 0);
}

/**
 * Null when nothing could be learnt from there.
 * @param own addresses of the place itself, which answer always
 */
async function listenFrom(
  name: string,
  host: Host,
  probed: readonly Lease[],
  others: readonly Lease[],
  own: ReadonlySet<string>,
  /** Null when it is not known. */
  network: Ipv4Cidr | null,
  isNode: boolean,
): Promise<Vantage | null> {
  const publicIPs = [...probed, ...others].flatMap(({ publicIP }) => publicIP ?? []);
  const inside = isNode ? [...probed, ...others].flatMap(overlayAddresses) : [];
  const ping = overlayPing([...publicIPs, ...inside], { source: null, deadlineSeconds: probeSeconds });
  const timeoutMs = (probeSeconds + 15) * 1000;
  try {
    const facts = isNode ? { ping, traffic: subnetTraffic(probed.map(({ subnet }) => subnet)) } : { ping };
    const { answers } = await survey(host, facts, { timeoutMs });
    // Asked behind the pings, each of which made the kernel look for the machine; a firewall does not keep ARP from answering.
    const near = isNode
      ? (await survey(host, { neighbours, routes: routes(4) }, { timeoutMs: surveyTimeoutMs })).answers
      : null;
    if (!answers.ping.known) return null;
    const answered = new Set<string>();
    const silent = new Set<string>();
    for (const [address, answer] of answers.ping.value) {
      if (answer.known) (answer.value.isReached ? answered : silent).add(address);
    }
    if (near?.neighbours.known === true) {
      for (const { address, state, mac } of near.neighbours.value) {
        if (address.family === 4 && state === 'REACHABLE' && mac !== null) answered.add(formatIpv4(address.address));
      }
    }
    const keysOf = (isHeard: (lease: Lease) => boolean): ReadonlySet<string> =>
      new Set([...probed, ...others].flatMap((lease) => (isHeard(lease) ? lease.key : [])));
    const traffic = 'traffic' in answers && answers.traffic?.known === true ? answers.traffic.value : null;
    return {
      name,
      answered,
      silent,
      hearsMachines: keysOf(({ publicIP }) => publicIP !== null && !own.has(publicIP) && answered.has(publicIP)),
      hearsOverlay: keysOf((lease) =>
        overlayAddresses(lease).some((address) => !own.has(address) && answered.has(address)),
      ),
      isNode,
      hasWayTo: ({ subnet }) =>
        near?.routes.known === true && near.routes.value.some((route) => leadsTo(route, subnet, network)),
      traffic,
    };
  } catch (error) {
    if (error instanceof NetctlError) return null;
    throw error;
  }
}

function probeOf(
  vantages: readonly Vantage[],
  addresses: readonly string[],
  hears: (vantage: Vantage) => boolean,
  nobody: string,
): Probe {
  if (addresses.length === 0) return { answered: [], silent: [], why: 'there is no address to ask' };
  const answered = vantages.filter((vantage) => addresses.some((address) => vantage.answered.has(address)));
  const quiet = vantages.filter(
    (vantage) => !answered.includes(vantage) && addresses.every((address) => vantage.silent.has(address)),
  );
  const silent = quiet.filter(hears);
  return {
    answered: answered.map(({ name }) => name),
    silent: silent.map(({ name }) => name),
    why:
      vantages.length === 0
        ? nobody
        : quiet.length > 0
          ? `silence, but ${quiet.map(({ name }) => name).join(', ')} hears no other node either, or has no route to it`
          : 'there was no time to ask, or ping is not there',
  };
}

function trafficOf(vantages: readonly Vantage[], { subnet }: Lease): LeaseLook['traffic'] {
  const text = formatCidr(subnet);
  const told = vantages.flatMap(({ name, traffic }) => {
    const isMoving = traffic?.get(text);
    return isMoving === undefined ? [] : [{ name, isMoving }];
  });
  if (told.length === 0) return null;
  return {
    moving: told.flatMap(({ name, isMoving }) => (isMoving ? name : [])),
    still: told.flatMap(({ name, isMoving }) => (isMoving ? [] : name)),
  };
}

/** Who keeps a part of the subnet; a record that cannot be read keeps what its key names. Null when nobody does. */
export function reservationOf({ subnet }: Lease, { reservations, damaged }: ReservationReading): string | null {
  const kept = reservations.find((each) => cidrsOverlap(each.subnet, subnet));
  if (kept !== undefined) {
    return `${formatCidr(kept.subnet)} is reserved for ${kept.node ?? kept.publicIP}: netctl subnets unreserve ${formatCidr(kept.subnet)}`;
  }
  const broken = damaged.find((each) => each.subnet !== null && cidrsOverlap(each.subnet, subnet));
  return broken === undefined ? null : `${broken.key} is a reservation that cannot be read: ${broken.reason}`;
}

function kubernetes(node: string): Refused {
  return new Refused({
    code: 'kube-subnet-manager',
    message: `${node}: flanneld runs there with --kube-subnet-mgr, so its subnets are not in etcd; nothing was done`,
    next: ['Take the node out of netctl.yaml, or look whether this is the right etcd and prefix.'],
  });
}
