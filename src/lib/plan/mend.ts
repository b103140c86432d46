import { cidrsOverlap, formatCidr } from '../net/cidr';
import { type FlannelVersion, isAtLeast } from '../net/flannel-version';
import { parseIpv4 } from '../net/ipv4';
import type { LeaseReading, UnreadableLease } from '../net/lease';
import { leaseKey } from '../net/lease-key';
import { parseLeaseValue } from '../net/lease-value';
import type { EffectiveConfig } from '../net/network-config';
import { type NodeRef, nodesByPublicIP } from '../net/node-ref';
import type { Problem } from '../net/problem';
import type { Api, Entry } from '../store/store';
import type { Change } from './change';
import { LeaseFinder } from './lease-finder';
import type { SubnetWork } from './subnet-work';

/** Where the right value of a lease may be known from, the surest first. */
export interface LeaseMemory {
  readonly key: string;
  /** `person`: said on the command line. `past`: what etcd held before. `deleted`: what netctl kept when it took it away. Others tell the public IP only. */
  readonly from: 'person' | 'past' | 'deleted' | 'reservation' | 'inventory' | 'node';
  readonly value: Uint8Array;
}

export interface MendWork extends SubnetWork {
  /** All leases, written again. */
  readonly isAnnouncement?: boolean;
}

export interface MendScene {
  readonly api: Api;
  readonly prefix: string;
  readonly version: FlannelVersion;
  readonly reading: LeaseReading;
  readonly nodes: readonly NodeRef[];
  /** All that is known of the unreadable leases, in any order. */
  readonly memories: readonly LeaseMemory[];
}

const leaseSeconds = 86_400;
/**
 * Below flanneld's margin of renewal: an owner that is alive sees it and writes the lease anew at once, with what its peers need.
 * One that is gone has no use for it.
 */
const incompleteSeconds = 600;

const order: readonly LeaseMemory['from'][] = ['person', 'past', 'deleted', 'reservation', 'inventory', 'node'];

const told: Readonly<Record<LeaseMemory['from'], string>> = {
  person: 'the public IP that was given; flanneld there writes the rest at once',
  past: 'the value that it had before, as etcd still knows it',
  deleted: 'the value that it had when netctl took it away',
  reservation: 'its public IP by the reservation; flanneld there writes the rest at once',
  inventory: 'its public IP by the inventory; flanneld there writes the rest at once',
  node: 'its public IP by the node whose subnet.env names it; flanneld there writes the rest at once',
};

/** The keys of leases whose values flanneld cannot read, each with a right value again where one is known. */
export function planMend(scene: MendScene): readonly MendWork[] {
  const leases = new LeaseFinder(scene.reading.leases);
  const names = nodesByPublicIP(scene.nodes);
  return scene.reading.unreadable.map((unreadable): SubnetWork => {
    const { key, subnet, revision } = unreadable;
    const nothing = { subnet: subnet === null ? key : formatCidr(subnet), publicIP: null, node: null, changes: [] };
    if (subnet === null || unreadable.part === 'key' || key !== leaseKey(scene.prefix, subnet)) {
      return { ...nothing, problems: [cannotMendKey(unreadable)] };
    }
    const [twin] = leases.overlapping(subnet);
    if (twin !== undefined)
      return { ...nothing, problems: [heldElsewhere(unreadable, twin.subnetText, twin.publicIP)] };
    const memories = scene.memories
      .filter((each) => each.key === key)
      .sort((a, b) => order.indexOf(a.from) - order.indexOf(b.from));
    const said = memories.find(({ from }) => from === 'person');
    const ip = said === undefined ? null : publicIPIn(said.value, scene.version);
    const [other] = ip === null ? [] : leases.of(ip);
    if (ip !== null && other !== undefined) return { ...nothing, problems: [inUse(ip, other.subnetText)] };
    const memory = memories.find(({ value }) => {
      const publicIP = publicIPIn(value, scene.version);
      // Whoever has another subnet by now does not come back to this one.
      return publicIP !== null && leases.of(publicIP).length === 0;
    });
    const publicIP = memory === undefined ? null : publicIPIn(memory.value, scene.version);
    if (memory === undefined || publicIP === null) return { ...nothing, problems: [unknownValue(unreadable)] };
    const isWhole = memory.from === 'past' || memory.from === 'deleted';
    return {
      ...nothing,
      publicIP,
      node: names.get(publicIP)?.name ?? null,
      changes: [
        {
          kind: 'put',
          key,
          value: memory.value,
          expected: revision,
          ttlSeconds: isWhole ? leaseSeconds : incompleteSeconds,
          why: told[memory.from],
        },
      ],
      problems: [],
    };
  });
}

/** The public IP of a value that flanneld of every release reads; null for any other. */
export function publicIPIn(value: Uint8Array, version: FlannelVersion): string | null {
  const read = parseLeaseValue(value, version);
  if (read.kind !== 'ok' || read.attrs.publicIP === null) return null;
  const address = parseIpv4(read.attrs.publicIP);
  return address === undefined || address === 0 ? null : read.attrs.publicIP;
}

/** Since this release a key that cannot be read takes away the routes to all nodes, and a lease that is written again brings back its own. */
export function losesRoutes(version: FlannelVersion): boolean {
  return isAtLeast(version, 'v0.21.3');
}

/** Every lease again as it is, under the etcd lease that it has: to flanneld that is a renewal, and it sets its routes. */
export function planAnnounce(
  { leases }: Pick<LeaseReading, 'leases'>,
  effective: EffectiveConfig | null,
  entries: Iterable<Entry>,
): MendWork {
  const known = new Set(leases.map(({ key }) => key));
  const changes: Change[] = [];
  for (const { key, value, revision } of entries) {
    if (!known.has(key)) continue;
    changes.push({
      kind: 'put',
      key,
      value,
      expected: revision,
      ttlSeconds: 'keep',
      why: 'as it is, so that all nodes set their routes to it',
    });
  }
  return {
    subnet: effective?.network ?? 'all leases',
    publicIP: null,
    node: null,
    changes,
    problems: [],
    isAnnouncement: true,
  };
}

// ---- what cannot be mended ----

const whyNotDelete =
  'deleting it is no way out while its node lives: flanneld there would end, and the subnet go to another';
const whyNotDeleteKey =
  'its deletion is a change that flanneld cannot read either, and since v0.21.3 it takes away the routes to all nodes';

function unknownValue({ key, reason }: UnreadableLease): Problem {
  return {
    code: 'mend-unknown',
    severity: 'error',
    path: key,
    message: `flanneld cannot read the value of ${key} (${reason}), and what it was is not known: not from etcd's past, a reservation, the inventory or a node; ${whyNotDelete}`,
    suggestion: 'Say whose it is: netctl subnets mend SUBNET --public-ip IP',
  };
}

export function inUse(publicIP: string, subnet: string): Problem {
  return {
    code: 'public-ip-in-use',
    severity: 'error',
    path: publicIP,
    message: `${publicIP} has ${subnet}: of two leases with one public IP flanneld takes the first that it finds`,
    suggestion: `netctl subnets show ${publicIP}`,
  };
}

function cannotMendKey({ key, reason }: UnreadableLease): Problem {
  return {
    code: 'mend-key',
    severity: 'error',
    path: key,
    message: `${key} is not a key of a lease as flanneld writes it, so no value makes it right (${reason}); ${whyNotDeleteKey}`,
    suggestion:
      'When a short loss of routes does no harm: delete it with etcdctl, then netctl subnets mend --announce brings the routes back',
  };
}

function heldElsewhere({ key }: UnreadableLease, subnet: string, publicIP: string | null): Problem {
  return {
    code: 'mend-overlap',
    severity: 'error',
    path: key,
    message: `${key} cannot be read, and ${publicIP ?? 'another node'} has ${subnet} meanwhile: made right it would be a second lease of one range`,
    suggestion:
      'netctl subnets check tells more; when nobody needs it, delete it with etcdctl, then: netctl subnets mend --announce',
  };
}

/** A value that tells the owner and nothing else. */
export function memoryOf(key: string, from: LeaseMemory['from'], publicIP: string): LeaseMemory {
  return { key, from, value: Buffer.from(JSON.stringify({ PublicIP: publicIP })) };
}

/** Do the ranges of these unreadable leases touch one that was asked for? All do when none was. */
export function isAskedFor(
  unreadable: UnreadableLease,
  asked: readonly { readonly base: number; readonly length: number }[],
): boolean {
  const { subnet } = unreadable;
  return asked.length === 0 || (subnet !== null && asked.some((each) => cidrsOverlap(each, subnet)));
}
