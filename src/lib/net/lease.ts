import { cidrOf, type Ipv4Cidr } from './cidr';
import { cleanPrefix } from './flannel-keys';
import type { FlannelVersion } from './flannel-version';
import { formatIpv4 } from './ipv4';
import {
  type KeyGrammar,
  keyGrammarOf,
  type LeaseKey,
  leaseKeyTail,
  readLeaseKey,
  readPlainLeaseKey,
} from './lease-key';
import { type LeaseAttrs, readLeaseValue, readPlainLeaseValue, type ValueRules, valueRulesOf } from './lease-value';
import { readPlainLease } from './plain-lease';

/** What is read of a key of etcd; an `Entry` of the store is one. (Network values know no store, so it is said here.) */
export interface StoredKey {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: string;
  readonly createdRevision: string;
  readonly permanent: boolean;
  readonly leaseId?: string;
  readonly ttlSeconds?: number;
}

/** A subnet that a node has: one key of etcd, as flanneld reads it. */
export interface Lease extends LeaseAttrs {
  readonly key: string;
  /** Host bits masked off. */
  readonly subnet: Ipv4Cidr;
  /** The address in the key; differs from `subnet.base` in a key that no flanneld wrote. */
  readonly address: number;
  /** `a.b.c.d/len`, with the address of the key. */
  readonly subnetText: string;
  /** `fc00:0:0:1::/64`, for dual-stack leases. */
  readonly ipv6Subnet: string | null;
  /** The key does not expire. */
  readonly permanent: boolean;
  /** etcd lease id in hex (v3). It changes with every renewal: for display, never to be kept. */
  readonly leaseId: string | null;
  /** Remaining seconds as told with the entry (v2). On v3 `Store.ttls` is asked. */
  readonly ttlSeconds: number | null;
  readonly revision: string;
  readonly createdRevision: string;
}

/** A key among the leases that flanneld cannot read. */
export interface UnreadableLease {
  readonly key: string;
  readonly revision: string;
  readonly part: 'key' | 'value';
  /** crash: every flanneld that sees it ends. error: see `checkLeases`. */
  readonly outcome: 'error' | 'crash';
  /** Why, for people; the offending text may stand in it as it is. */
  readonly reason: string;
  /** The subnet of a key whose value cannot be read. flanneld counts it as free. */
  readonly subnet: Ipv4Cidr | null;
  /** The value is the text of the key: what the one-liner in flannel's documentation on reservations leaves behind. */
  readonly valueIsKey: boolean;
  /** PublicIP holds an IPv6 address. */
  readonly ipv6PublicIP: boolean;
}

/** A key below the prefix that is neither the config nor directly in `subnets/`. */
export interface ForeignKey {
  readonly key: string;
  /**
   * lease: flanneld takes it for a lease, and it is among `leases`. event: flanneld does not list it but sees its changes.
   * no: flanneld never looks at it. unreadable: flanneld lists it and cannot read it; it is among `unreadable`.
   */
  readonly seenAs: 'lease' | 'event' | 'unreadable' | 'no';
}

/** A network as it stands in etcd at one revision. */
export interface LeaseReading<E extends StoredKey = StoredKey> {
  readonly config: E | null;
  /** By address, then by length. */
  readonly leases: readonly Lease[];
  readonly unreadable: readonly UnreadableLease[];
  readonly foreign: readonly ForeignKey[];
}

/**
 * Sorts the keys of a network as flanneld of this release sees them.
 * @param snapshot of `<prefix>/` or more; keys outside `<prefix>/` are passed over
 * Never throws, whatever etcd holds.
 */
export function readLeases<E extends StoredKey>(
  snapshot: { readonly api: 'v2' | 'v3'; readonly entries: Iterable<E> },
  prefix: string,
  version: FlannelVersion,
): LeaseReading<E> {
  const below = `${cleanPrefix(prefix)}/`;
  const listing = `${below}subnets`;
  const directory = `${listing}/`;
  const reader = new LeaseReader(keyGrammarOf(version), valueRulesOf(version), directory);
  const foreign: ForeignKey[] = [];
  let config: E | null = null;
  for (const entry of snapshot.entries) {
    const { key } = entry;
    if (!key.startsWith(below)) continue;
    if (key.startsWith(directory) && !key.includes('/', directory.length)) {
      reader.read(entry);
    } else if (key === `${below}config`) {
      config = entry;
    } else if (snapshot.api === 'v3' && key.startsWith(listing)) {
      foreign.push({ key, seenAs: reader.read(entry) ? 'lease' : 'unreadable' });
    } else {
      foreign.push({ key, seenAs: snapshot.api === 'v2' && key.startsWith(directory) ? 'event' : 'no' });
    }
  }
  return { config, leases: inOrder(reader.leases), unreadable: reader.unreadable, foreign };
}

/** Places of leases stand in the lower 20 bits of a number, their addresses above. */
const mostPlaces = 2 ** 20;

/**
 * Numeric order of subnets. etcd's is that of texts, so a sort has much to do; of plain numbers it takes a tenth of the
 * time. Only leases with one address need a closer look at each other.
 */
function inOrder(leases: readonly Lease[]): readonly Lease[] {
  if (leases.length > mostPlaces) return [...leases].sort(bySubnet);
  const numbers = Float64Array.from(leases, ({ address }, place) => address * mostPlaces + place).sort();
  let twins = false;
  let before = -1;
  const sorted: Lease[] = [];
  for (const number of numbers) {
    const lease = leases[number & (mostPlaces - 1)];
    if (lease === undefined) throw new Error('a lease was lost');
    twins ||= lease.address === before;
    before = lease.address;
    sorted.push(lease);
  }
  return twins ? sorted.sort(bySubnet) : sorted;
}

/** Numeric order of subnets; equal ones by key. */
function bySubnet(a: Lease, b: Lease): number {
  return a.address - b.address || a.subnet.length - b.subnet.length || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}

/** One key among the leases, for a watch. */
export function readLease(entry: StoredKey, prefix: string, version: FlannelVersion): Lease | UnreadableLease {
  const reader = new LeaseReader(keyGrammarOf(version), valueRulesOf(version), `${cleanPrefix(prefix)}/subnets/`);
  reader.read(entry);
  const read = reader.leases[0] ?? reader.unreadable[0];
  if (read === undefined) throw new Error(`entry was lost: ${entry.key}`);
  return read;
}

class LeaseReader {
  readonly leases: Lease[] = [];
  readonly unreadable: UnreadableLease[] = [];
  readonly #grammar: KeyGrammar;
  readonly #rules: ValueRules;
  readonly #directory: string;

  constructor(grammar: KeyGrammar, rules: ValueRules, directory: string) {
    this.#grammar = grammar;
    this.#rules = rules;
    this.#directory = directory;
  }

  /** True when flanneld takes it for a lease. */
  read(entry: StoredKey): boolean {
    const { key } = entry;
    const isOwn = this.#grammar.anchored && key.startsWith(this.#directory);
    const usual = isOwn ? readPlainLease(entry, this.#directory) : undefined;
    if (usual !== undefined) {
      this.leases.push(usual);
      return true;
    }
    const read = this.#readKey(key);
    if (!read.ok) {
      this.unreadable.push(broken(entry, { part: 'key', reason: read.reason, subnet: null }));
      return false;
    }
    const plain = readPlainLeaseValue(entry.value, this.#rules);
    if (plain !== undefined) {
      this.leases.push(leaseOf(entry, read, plain));
      return true;
    }
    const value = readLeaseValue(entry.value, this.#rules);
    if (value.kind === 'ok') {
      this.leases.push(leaseOf(entry, read, value.attrs));
      return true;
    }
    const { kind: outcome, error: reason, ipv6PublicIP } = value;
    this.unreadable.push(broken(entry, { part: 'value', outcome, reason, subnet: read.subnet, ipv6PublicIP }));
    return false;
  }

  #readKey(key: string): ReturnType<typeof readLeaseKey> {
    // The old expression finds the first subnet in the whole key, which a prefix with a subnet in it would be.
    if (this.#grammar.anchored && key.startsWith(this.#directory)) {
      const plain = readPlainLeaseKey(key, this.#directory.length);
      if (plain !== undefined) {
        const { address, length } = plain;
        return { ok: true, subnet: cidrOf(address, length), address, ipv6Subnet: null };
      }
    }
    return readLeaseKey(key, this.#grammar);
  }
}

function leaseOf(entry: StoredKey, key: LeaseKey, attrs: LeaseAttrs): Lease {
  return {
    key: entry.key,
    subnet: key.subnet,
    address: key.address,
    subnetText: `${formatIpv4(key.address)}/${key.subnet.length}`,
    ipv6Subnet: key.ipv6Subnet,
    publicIP: attrs.publicIP,
    publicIPv6: attrs.publicIPv6,
    backendType: attrs.backendType,
    vtepMac: attrs.vtepMac,
    vni: attrs.vni,
    publicKey: attrs.publicKey,
    port: attrs.port,
    backendData: attrs.backendData,
    backendV6Data: attrs.backendV6Data,
    backendProblem: attrs.backendProblem,
    permanent: entry.permanent,
    leaseId: entry.leaseId ?? null,
    ttlSeconds: entry.ttlSeconds ?? null,
    revision: entry.revision,
    createdRevision: entry.createdRevision,
  };
}

function broken(
  entry: StoredKey,
  what: Pick<UnreadableLease, 'part' | 'reason' | 'subnet'> & Partial<UnreadableLease>,
): UnreadableLease {
  return {
    key: entry.key,
    revision: entry.revision,
    outcome: 'error',
    ipv6PublicIP: false,
    valueIsKey: holdsKey(entry),
    ...what,
  };
}

function holdsKey(entry: StoredKey): boolean {
  // No longer than the key with quotes and a line end around it: a value of a megabyte need not be decoded.
  if (entry.value.length > entry.key.length * 4 + 8) return false;
  return Buffer.from(entry.value).toString('utf8').trim() === entry.key.trim();
}

/** The subnet as flanneld would name the key of this lease. */
export function ownKeyTail(lease: Lease): string {
  return leaseKeyTail(lease.address, lease.subnet.length, lease.ipv6Subnet);
}
