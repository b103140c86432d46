import { cidrContains, formatCidr, lastAddress, parseIpv4Cidr } from '../net/cidr';
import { cleanPrefix, configKey, leaseListing } from '../net/flannel-keys';
import { type FlannelVersion, isAtLeast } from '../net/flannel-version';
import { parseIpv4 } from '../net/ipv4';
import { type ForeignKey, type Lease, type LeaseReading, ownKeyTail, type UnreadableLease } from '../net/lease';
import { leaseKey } from '../net/lease-key';
import type { EffectiveConfig } from '../net/network-config';
import { type NodeRef, nodesByPublicIP, publicIPOf } from '../net/node-ref';
import { PlainLease } from '../net/plain-lease';
import type { Problem } from '../net/problem';
import { whyNoPublicIP } from '../net/public-ip';
import type { ReservationReading } from '../net/reservation';
import { shellWord } from '../net/shell-word';
import { type Capacity, capacityOf, nearlyFull } from '../plan/capacity';
import { leaseFitOf, publishedType } from '../plan/lease-fit';
import type { Api, EtcdLease } from '../store/store';
import { checkReservations } from './reservations';

/** Something noticed about the leases of a network. */
export interface LeaseProblem extends Problem {
  /** The key, the subnet, the public IP or the node that it is about; `''` for the network as a whole. */
  readonly subject: string;
  /** Keys of the leases that it concerns, so that a table can mark their rows. */
  readonly keys: readonly string[];
}

export interface LeaseCheck {
  readonly api: Api;
  readonly prefix: string;
  readonly version: FlannelVersion;
  readonly reading: LeaseReading;
  /** Null when there is no config that flanneld accepts; checks against it are then left out. */
  readonly effective: EffectiveConfig | null;
  /** Remaining seconds by key, from `Store.ttls`. Absent: not asked, and what needs it is left out (v2 tells by itself). */
  readonly ttls?: ReadonlyMap<string, number>;
  /** From `Store.leases`. */
  readonly etcdLeases?: readonly EtcdLease[];
  /** Nodes of the inventory; empty or absent: leases are not compared with it. */
  readonly nodes?: readonly NodeRef[];
  /** Absent: not asked. */
  readonly reservations?: ReservationReading;
  /** flanneld's `--subnet-lease-renew-margin`. Default 3600. */
  readonly renewMarginSeconds?: number;
  /** How long a renewal may be late before it counts as failing. Default 300; flanneld tries again each minute. */
  readonly slackSeconds?: number;
}

const grantedSeconds = 86_400;
const listed = 5;

/** What is wrong with the leases, the gravest first, then by subject. Pure; n log n in the number of leases. */
export function checkLeases(check: LeaseCheck): readonly LeaseProblem[] {
  const twins = twinSubnets(check.reading.leases);
  // What concerns one lease alone is looked for among those that are not as nearly all are.
  const unusual = { ...check, reading: { ...check.reading, leases: unusualLeases(check) } };
  const problems = [
    ...check.reading.unreadable.map((lease) => unreadable(lease, check)),
    ...foreignKeys(check, twins),
    ...keyProblems(unusual, twins),
    ...overlaps(check, twins),
    ...duplicates(check),
    ...publicIPs(unusual),
    ...configFit(unusual),
    ...families(check, unusual.reading.leases),
    ...backendData(unusual),
    ...times(unusual),
    ...etcdLeaseProblems(check),
    ...capacity(check),
    ...inventory(check),
    ...reserved(check),
  ];
  // That it waits for its node is what its reservation is for.
  const kept = new Set(check.reservations?.reservations.map(({ subnet }) => leaseKey(check.prefix, subnet)));
  const isExpected = ({ code, keys: [key = ''] }: LeaseProblem): boolean => code === 'pre-assigned' && kept.has(key);
  // A stable sort keeps the order in which the checks found them, which is that of the subnets.
  return problems.filter((each) => !isExpected(each)).sort((a, b) => rank[a.severity] - rank[b.severity]);
}

/**
 * Leases without those in which nothing can be wrong by itself: written as flanneld writes them, of a size and in a place that
 * the config wants, with its backend, owned by an address that a host can have, and not known to end soon. One look at each
 * of 65,536 takes a tenth of the time that all checks take.
 */
function unusualLeases({ reading, effective, version, ttls }: LeaseCheck): readonly Lease[] {
  if (effective === null || !effective.enableIPv4 || ttls !== undefined) return reading.leases;
  const fit = leaseFitOf(effective, version);
  const type = publishedType(effective.backend.type);
  if (type === null) return reading.leases;
  const vni = wantedVni(effective, version);
  const network = effective.network === null ? undefined : parseIpv4Cidr(effective.network);
  return reading.leases.filter((lease) => {
    if (!(lease instanceof PlainLease) || lease.permanent || lease.ttlSeconds !== null) return true;
    if (lease.backendType !== type || (vni !== undefined && lease.vni !== null && lease.vni !== vni)) return true;
    const { subnet } = lease;
    return (
      lease.address !== subnet.base ||
      isIpv6Only(lease) ||
      whyNoPublicIP(lease.publicAddress, network) !== undefined ||
      fit.misfits(lease).length > 0
    );
  });
}

const rank: Readonly<Record<Problem['severity'], number>> = { error: 0, warning: 1, info: 2 };

interface Found {
  readonly code: string;
  readonly severity: Problem['severity'];
  readonly subject: string;
  readonly message: string;
  readonly suggestion?: string | null;
  readonly keys?: readonly string[];
}

function problem({ code, severity, subject, message, suggestion, keys }: Found): LeaseProblem {
  return { code, severity, path: subject, subject, message, suggestion: suggestion ?? null, keys: keys ?? [] };
}

// ---- commands that a person can paste ----

function getCommand(key: string, api: Api): string {
  return api === 'v3'
    ? `ETCDCTL_API=3 etcdctl get --print-value-only ${keyWord(key)}`
    : `ETCDCTL_API=2 etcdctl get ${keyWord(key)}`;
}

function deleteCommand(key: string, api: Api): string {
  return `ETCDCTL_API=${api === 'v3' ? '3 etcdctl del' : '2 etcdctl rm'} ${keyWord(key)}`;
}

/** Deletes a lease. flanneld knows leases by their subnet: the deletion of a second key takes the route of the first. */
function deleteLease(lease: Lease, api: Api, twins: ReadonlySet<string>): string {
  const command = deleteCommand(lease.key, api);
  if (!twins.has(lease.subnetText)) return command;
  return `${command} (every node then drops its route to ${lease.subnetText}: restart flanneld on the node that has it)`;
}

/** Subnets that stand in more than one key. @param leases in the order of their subnets */
function twinSubnets(leases: readonly Lease[]): ReadonlySet<string> {
  const twins = new Set<string>();
  let before: Lease | undefined;
  for (const lease of leases) {
    if (before?.address === lease.address && before.subnet.length === lease.subnet.length) twins.add(lease.subnetText);
    before = lease;
  }
  return twins;
}

/** A key that begins with a dash would be taken for an option. */
function keyWord(key: string): string {
  return key.startsWith('-') ? `-- ${shellWord(key)}` : shellWord(key);
}

// ---- keys and values that flanneld cannot read ----

/** What a key or value does that flanneld of this release cannot read (spec 3.6). */
function unreadableEffect(version: FlannelVersion): string {
  if (isAtLeast(version, 'v0.21.3')) {
    return `each flanneld ${version.tag} that sees it change drops its routes to ALL other nodes, until they renew (up to 23 h) or it restarts`;
  }
  if (isAtLeast(version, 'v0.18.0'))
    return `flanneld ${version.tag} logs it and skips it; as the first change after a start it can loop for ever`;
  if (isAtLeast(version, 'v0.14.0')) return `flanneld ${version.tag} skips it and takes its subnet for free`;
  return `flanneld ${version.tag} fails on it every second and sees no other change until it restarts`;
}

function unreadable(lease: UnreadableLease, { api, version, prefix }: LeaseCheck): LeaseProblem {
  const { key, reason, subnet } = lease;
  const effect = unreadableEffect(version);
  if (lease.part === 'key') {
    const again = isAtLeast(version, 'v0.21.3')
      ? ' (its deletion has the same effect once more: restart flanneld everywhere afterwards)'
      : '';
    return problem({
      code: 'unparsable-key',
      severity: 'error',
      subject: key,
      message: `${key} is not the key of a lease: ${reason}; ${effect}`,
      suggestion: `${deleteCommand(key, api)}${again}`,
      keys: [key],
    });
  }
  // Only a key that flanneld itself would write can be made right.
  const mend =
    subnet !== null && key === leaseKey(prefix, subnet)
      ? `netctl subnets mend ${formatCidr(subnet)}`
      : `If its node is gone: ${deleteCommand(key, api)}`;
  if (lease.valueIsKey) {
    return problem({
      code: 'value-is-key',
      severity: 'error',
      subject: key,
      message:
        `the value of ${key} is the text of the key itself: what etcdctl put KEY $(etcdctl get KEY), the command of ` +
        `flannel's documentation on reservations, leaves behind; ${effect}`,
      suggestion: mend,
      keys: [key],
    });
  }
  if (lease.ipv6PublicIP) {
    const crash =
      lease.outcome === 'crash'
        ? `flanneld ${version.tag} crashes on it on every node, and again at each start`
        : `flanneld ${version.tag} cannot read it, and releases before v0.28.9 crash on it`;
    return problem({
      code: 'ipv6-public-ip',
      severity: 'error',
      subject: key,
      message: `${key} has an IPv6 address in the IPv4 field PublicIP (${reason}); ${crash}`,
      suggestion: mend,
      keys: [key],
    });
  }
  const range = subnet === null ? '' : ` and gives ${formatCidr(subnet)} to others`;
  return problem({
    code: 'unparsable-value',
    severity: 'error',
    subject: key,
    message: `flanneld cannot read the value of ${key} (${reason})${range}; ${effect}`,
    suggestion: mend,
    keys: [key],
  });
}

function foreignKeys(check: LeaseCheck, twins: ReadonlySet<string>): readonly LeaseProblem[] {
  const { foreign, leases } = check.reading;
  const taken = new Set(foreign.filter(({ seenAs }) => seenAs === 'lease').map(({ key }) => key));
  const read = new Map(
    taken.size === 0 ? [] : leases.filter(({ key }) => taken.has(key)).map((lease) => [lease.key, lease]),
  );
  return foreign.flatMap((key) => {
    const lease = read.get(key.key);
    return foreignKey(
      key,
      check,
      lease === undefined ? deleteCommand(key.key, check.api) : deleteLease(lease, check.api, twins),
    );
  });
}

function foreignKey({ key, seenAs }: ForeignKey, check: LeaseCheck, deletion: string): readonly LeaseProblem[] {
  const listing = leaseListing(check.prefix);
  switch (seenAs) {
    case 'unreadable':
      // Reported with the others that cannot be read.
      return [];
    case 'lease':
      return [
        problem({
          code: 'foreign-lease',
          severity: 'error',
          subject: key,
          message: `${key} is taken for a lease: flanneld lists every key that begins with ${listing}, also beside and below ${listing}/; its range is blocked and nodes may send to it`,
          suggestion: `Copy it elsewhere if it is a backup (netctl keeps its own under ${cleanPrefix(check.prefix)}-netctl/), then: ${deletion}`,
          keys: [key],
        }),
      ];
    case 'event':
      return [
        problem({
          code: 'foreign-key',
          severity: 'warning',
          subject: key,
          message: `${key} lies deeper than the leases: flanneld does not list it, but sees every change to it`,
          suggestion: deletion,
        }),
      ];
    case 'no':
      return [
        problem({
          code: 'foreign-key',
          severity: 'info',
          subject: key,
          message: `${key} is not flannel's: flanneld reads ${configKey(check.prefix)} and the leases, nothing else below ${cleanPrefix(check.prefix)}/`,
          suggestion: getCommand(key, check.api),
        }),
      ];
    default:
      return seenAs satisfies never;
  }
}

function keyProblems({ reading, prefix, api }: LeaseCheck, twins: ReadonlySet<string>): readonly LeaseProblem[] {
  const found: LeaseProblem[] = [];
  const directory = `${leaseListing(prefix)}/`;
  for (const lease of reading.leases) {
    const { key, subnetText, subnet, address } = lease;
    if (address !== subnet.base) {
      found.push(
        problem({
          code: 'unaligned-subnet',
          severity: 'error',
          subject: key,
          message: `${key} names ${subnetText}, which is no subnet: one of length ${subnet.length} begins at ${formatCidr(subnet)}; the kernel refuses the route to it on every node`,
          suggestion: deleteCommand(key, api),
          keys: [key],
        }),
      );
    } else if (
      !(lease instanceof PlainLease) &&
      key.startsWith(directory) &&
      !key.includes('/', directory.length) &&
      key.slice(directory.length) !== ownKeyTail(lease)
    ) {
      found.push(
        problem({
          code: 'odd-key',
          severity: 'warning',
          subject: key,
          message: `flanneld reads ${key} as ${subnetText} but would write ${directory}${ownKeyTail(lease)}: its owner renews that key and this one stays`,
          suggestion: deleteLease(lease, api, twins),
          keys: [key],
        }),
      );
    }
  }
  return found;
}

// ---- leases against each other ----

function overlaps({ reading, api }: LeaseCheck, twins: ReadonlySet<string>): readonly LeaseProblem[] {
  if (areApart(reading.leases)) return [];
  const found: LeaseProblem[] = [];
  const order = reading.leases.filter((lease) => !isIpv6Only(lease));
  order.sort((a, b) => a.subnet.base - b.subnet.base || a.subnet.length - b.subnet.length);
  // Ranges are aligned: one either holds the other or they are apart, so those still open form a stack.
  const open: Lease[] = [];
  for (const lease of order) {
    let outer = open.at(-1);
    while (outer !== undefined && !cidrContains(outer.subnet, lease.subnet)) {
      open.pop();
      outer = open.at(-1);
    }
    open.push(lease);
    if (outer === undefined) continue;
    const same = outer.subnet.length === lease.subnet.length;
    const relation = same
      ? 'have the same range'
      : `overlap: ${formatCidr(lease.subnet)} lies in ${formatCidr(outer.subnet)}`;
    found.push(
      problem({
        code: 'lease-overlap',
        severity: 'error',
        subject: lease.key,
        message: `${lease.key} (${ipText(lease)}) and ${outer.key} (${ipText(outer)}) ${relation}; nodes send the traffic of one to the other`,
        suggestion: `Find the node that uses it (subnet.env, docker0), move the other, then: ${deleteLease(lease, api, twins)}`,
        keys: [lease.key, outer.key],
      }),
    );
  }
  return found;
}

/** In their order each begins behind the end of the one before, as in every healthy network. */
function areApart(leases: readonly Lease[]): boolean {
  let end = -1;
  for (const { subnet } of leases) {
    if (subnet.base <= end) return false;
    end = lastAddress(subnet);
  }
  return true;
}

/** `0.0.0.0-0&…`: no IPv4 range at all, which would overlap everything. */
function isIpv6Only(lease: Lease): boolean {
  return lease.subnet.length === 0 && lease.subnet.base === 0;
}

function ipText(lease: Lease): string {
  return lease.publicIP ?? 'no public IP';
}

function duplicates({ reading, api }: LeaseCheck): readonly LeaseProblem[] {
  const byIP = grouped(reading.leases, publicAddress, (lease) => lease.publicIP);
  const byMac = grouped(reading.leases, macNumber, (lease) => lease.vtepMac);
  return [
    ...byIP.map(([publicIP, leases]) =>
      problem({
        code: 'duplicate-public-ip',
        severity: 'error',
        subject: publicIP,
        message: `${leases.length} leases have the public IP ${publicIP}: ${subnetList(leases)}; a node finds its lease by this address and takes the first`,
        suggestion: `If two nodes have this address give each its own (--iface, --public-ip); else keep the subnet in the node's subnet.env and delete the other: ${deleteCommand(leases[1]?.key ?? '', api)}`,
        keys: leases.map((lease) => lease.key),
      }),
    ),
    ...byMac.map(([mac, leases]) =>
      problem({
        code: 'duplicate-vtep-mac',
        severity: 'error',
        subject: mac,
        message: `${leases.length} leases have the VTEP MAC ${mac}: ${subnetList(leases)}; other nodes send the packets of all of them to one`,
        suggestion:
          'On all but one of these nodes: ip link delete the flannel device, then restart flanneld; it makes a new address.',
        keys: leases.map((lease) => lease.key),
      }),
    ),
  ];
}

/** A number that tells a value from others; null for none, undefined for one that is no number. */
type NumberOf = (lease: Lease) => number | null | undefined;

const publicAddress: NumberOf = (lease) => {
  if (lease instanceof PlainLease) return lease.publicAddress || null;
  return lease.publicIP === null ? null : someBits(parseIpv4(lease.publicIP));
};

const macNumber: NumberOf = (lease) => {
  if (lease instanceof PlainLease) return lease.macNumber || null;
  if (lease.vtepMac === null) return null;
  return lease.vtepMac.length === 17 ? someBits(hexNumber(lease.vtepMac)) : undefined;
};

/** The lower 52 bits: where they differ the leases differ, and where they do not the texts are looked at. */
const leaseNumber: NumberOf = ({ leaseId }) => (leaseId === null ? null : hexNumber(leaseId.slice(-13)));

/** All zeros is no value. */
function someBits(number: number | undefined): number | null | undefined {
  return number === 0 ? null : number;
}

/** A hex number, colons passed over. */
function hexNumber(text: string): number | undefined {
  let number = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0x30 && code <= 0x39) number = number * 16 + (code - 0x30);
    else if (code >= 0x61 && code <= 0x66) number = number * 16 + (code - 0x57);
    else if (code !== 0x3a) return undefined;
  }
  return number;
}

/** Have these leases different numbers, all of them? In a healthy network that is the whole answer. */
function areDistinct(leases: readonly Lease[], numberOf: NumberOf): boolean {
  // Half empty, so that a place is found at once; 0 is an empty place.
  const size = 2 ** Math.ceil(Math.log2(Math.max(1, leases.length) * 2));
  const table = new Float64Array(size);
  for (const lease of leases) {
    const number = numberOf(lease);
    if (number === null) continue;
    if (number === undefined) return false;
    const kept = number + 1;
    const mixed = Math.imul((number | 0) ^ (number / 2 ** 32), 0x9e3779b1);
    let place = (mixed ^ (mixed >>> 15)) & (size - 1);
    while (table[place] !== 0) {
      if (table[place] === kept) return false;
      place = (place + 1) & (size - 1);
    }
    table[place] = kept;
  }
  return true;
}

/** Values that more than one lease has. @param numberOf null where the text is to be left out */
function grouped(
  leases: readonly Lease[],
  numberOf: NumberOf,
  textOf: (lease: Lease) => string | null,
): readonly [string, readonly Lease[]][] {
  if (areDistinct(leases, numberOf)) return [];
  const first = new Map<string, Lease>();
  const several = new Map<string, Lease[]>();
  for (const lease of leases) {
    const value = numberOf(lease) === null ? null : textOf(lease);
    if (value === null) continue;
    const before = first.get(value);
    if (before === undefined) {
      first.set(value, lease);
      continue;
    }
    const group = several.get(value);
    if (group === undefined) several.set(value, [before, lease]);
    else group.push(lease);
  }
  return [...several];
}

function subnetList(leases: readonly Lease[]): string {
  const names = leases.slice(0, listed).map((lease) => lease.subnetText);
  return leases.length > listed ? `${names.join(', ')} and ${leases.length - listed} more` : names.join(', ');
}

// ---- public IPs ----

function publicIPs({ reading, effective, api }: LeaseCheck): readonly LeaseProblem[] {
  const found: LeaseProblem[] = [];
  const network = effective?.network == null ? undefined : parseIpv4Cidr(effective.network);
  for (const lease of reading.leases) {
    // Of an IPv6-only lease the address is always 0.0.0.0, and worse is said of it.
    if (isIpv6Only(lease)) continue;
    const address = lease.publicIP === null ? 0 : parseIpv4(lease.publicIP);
    const why = address === undefined ? undefined : whyNoPublicIP(address, network);
    if (why === undefined) continue;
    found.push(
      problem({
        code: 'bad-public-ip',
        severity: 'error',
        subject: lease.subnetText,
        message: `the lease of ${lease.subnetText} has ${lease.publicIP === null ? 'no PublicIP' : `the public IP ${lease.publicIP}`}: ${why}; other nodes cannot send to it`,
        suggestion: `Start that node's flanneld with --iface (or --public-ip), then: ${deleteCommand(lease.key, api)}`,
        keys: [lease.key],
      }),
    );
  }
  return found;
}

// ---- leases against the config ----

function configFit({ reading, effective, version, api }: LeaseCheck): readonly LeaseProblem[] {
  if (effective === null || !effective.enableIPv4) return [];
  const found: LeaseProblem[] = [];
  const fit = leaseFitOf(effective, version);
  const type = publishedType(effective.backend.type);
  const vni = wantedVni(effective, version);
  const range = `${effective.subnetMin ?? ''} to ${effective.subnetMax ?? ''}`;
  const atRestart = 'its node deletes it at its next restart and takes another';
  for (const lease of reading.leases) {
    const { key, subnetText } = lease;
    if (isIpv6Only(lease)) continue;
    const misfits = fit.misfits(lease);
    const hasVni = vni === undefined || lease.vni === null || lease.vni === vni;
    // Nearly all leases end here: texts for them would be most of the work of a check of 65,536.
    if (misfits.length === 0 && lease.backendType === type && hasVni && type !== null) continue;
    const say = (code: string, severity: Problem['severity'], message: string, suggestion: string): void => {
      found.push(problem({ code, severity, subject: subnetText, message, suggestion, keys: [key] }));
    };
    const restart = `Restart flanneld on ${ipText(lease)}, then Docker, when its containers may get new addresses.`;
    for (const misfit of misfits) {
      switch (misfit) {
        case 'outside-network':
          say(
            'lease-outside-network',
            'warning',
            `${subnetText} lies outside the network ${effective.network ?? 'none'}; ${atRestart}`,
            restart,
          );
          break;
        case 'out-of-range':
          say(
            'lease-out-of-range',
            'warning',
            `${subnetText} lies outside SubnetMin to SubnetMax, ${range}; ${atRestart}`,
            restart,
          );
          break;
        case 'wrong-length':
          say(
            'lease-wrong-length',
            'warning',
            `${subnetText} has the length ${lease.subnet.length}, the config says ${effective.subnetLen ?? 'none'}; ${atRestart}`,
            restart,
          );
          break;
        case 'dual-stack-mismatch':
          // `families` says which way round, and what it does.
          break;
        default:
          misfit satisfies never;
      }
    }
    if (lease.backendType === null && lease.backendData === null && type !== null) {
      say(
        'pre-assigned',
        'info',
        `the lease of ${subnetText} (${ipText(lease)}) names no backend: it was made beforehand and no flanneld has taken it yet, or its node still runs udp`,
        `Start or restart flanneld on ${ipText(lease)}; when that node is not to come: ${deleteCommand(key, api)}`,
      );
    } else if (lease.backendType !== type) {
      say(
        'other-backend',
        'error',
        `the lease of ${subnetText} has the backend ${lease.backendType ?? 'udp (none published)'}, the config says ${effective.backend.type}; nodes with different backends do not reach each other`,
        `Restart flanneld on ${ipText(lease)}.`,
      );
    }
    if (vni !== undefined && lease.vni !== null && lease.vni !== vni) {
      say(
        'other-vni',
        'error',
        `the lease of ${subnetText} has VNI ${lease.vni}, the config says ${vni}; tunnels with different VNIs do not reach each other`,
        `Restart flanneld on ${ipText(lease)}.`,
      );
    }
  }
  return found;
}

/** The VNI that owners publish; undefined when the backend has none. */
function wantedVni(effective: EffectiveConfig, version: FlannelVersion): number | undefined {
  if (effective.backend.type !== 'vxlan') return undefined;
  const { VNI: vni } = effective.backend.options;
  if (typeof vni !== 'number') return undefined;
  // Sixteen bits are published by v0.14.0 to v0.23.0.
  return isAtLeast(version, 'v0.24.0') ? vni : vni % 65_536;
}

function families(
  { reading, effective, version, api }: LeaseCheck,
  unusual: readonly Lease[],
): readonly LeaseProblem[] {
  // Earlier releases know no IPv6 in etcd and read the IPv4 part of the key only.
  if (!isAtLeast(version, 'v0.17.0')) return [];
  const dual = unusual.filter((lease) => lease.ipv6Subnet !== null && !isIpv6Only(lease));
  const wantsDual = effective?.enableIPv4 === true ? effective.enableIPv6 : null;
  const ipv4 =
    wantsDual === true || (wantsDual === null && dual.length > 0)
      ? reading.leases.filter((lease) => lease.ipv6Subnet === null && !isIpv6Only(lease))
      : [];
  const found: LeaseProblem[] = [];
  for (const lease of unusual) {
    if (!isIpv6Only(lease)) continue;
    found.push(
      problem({
        code: 'ipv6-only-lease',
        severity: 'error',
        subject: lease.key,
        message: `${lease.key} has no IPv4 range, which flannel cannot keep in etcd: all nodes have the public IP 0.0.0.0, share this one subnet, and IPv4 nodes find every subnet taken`,
        suggestion: `Give the network an IPv4 Network as well, stop all flannelds, then: ${deleteCommand(lease.key, api)}`,
        keys: [lease.key],
      }),
    );
  }
  const order = 'stop all flannelds, delete all leases, start them';
  if (ipv4.length > 0) {
    found.push(
      problem({
        code: 'ipv4-lease-in-dual-stack',
        severity: 'error',
        subject: subnetList(ipv4),
        message: `${count(ipv4)} without an IPv6 subnet (${subnetList(ipv4)}) in a dual-stack network; a node that needs a subnet crashes over them until they are gone`,
        suggestion: `In an outage ${order}; or remove it when its node is gone: ${deleteCommand(ipv4[0]?.key ?? '', api)}`,
        keys: ipv4.map((lease) => lease.key),
      }),
    );
  }
  if (dual.length > 0 && wantsDual === false) {
    found.push(
      problem({
        code: 'dual-stack-lease-in-ipv4',
        severity: 'error',
        subject: subnetList(dual),
        message: `${count(dual)} with an IPv6 subnet (${subnetList(dual)}) in an IPv4 network; IPv4 nodes with vxlan, host-gw or wireguard crash when they see one`,
        suggestion: `In an outage ${order}; or remove it when its node is gone: ${deleteCommand(dual[0]?.key ?? '', api)}`,
        keys: dual.map((lease) => lease.key),
      }),
    );
  }
  return found;
}

function count(leases: readonly Lease[]): string {
  return leases.length === 1 ? '1 lease' : `${leases.length} leases`;
}

function backendData({ reading }: LeaseCheck): readonly LeaseProblem[] {
  const found: LeaseProblem[] = [];
  for (const lease of reading.leases) {
    const { key, subnetText } = lease;
    if (lease.backendProblem !== null) {
      found.push(
        problem({
          code: 'bad-backend-data',
          severity: 'error',
          subject: subnetText,
          message: `other nodes cannot use the ${lease.backendType ?? ''} data of ${subnetText} and skip it: ${lease.backendProblem}`,
          suggestion: `Restart flanneld on ${ipText(lease)}; it publishes its data anew.`,
          keys: [key],
        }),
      );
    } else if (lease.vni !== null && lease.vni > 65_535) {
      found.push(
        problem({
          code: 'vni-over-16-bit',
          severity: 'warning',
          subject: subnetText,
          message: `the lease of ${subnetText} has VNI ${lease.vni}; flanneld v0.14.0 to v0.23.0 reads 16 bits and skips the node`,
          suggestion: 'Keep the VNI at 65535 or below while such releases run.',
          keys: [key],
        }),
      );
    }
  }
  return found;
}

// ---- time ----

function times(check: LeaseCheck): readonly LeaseProblem[] {
  const { reading, ttls, api, version } = check;
  const margin = check.renewMarginSeconds ?? 3600;
  const late = margin - (check.slackSeconds ?? 300);
  const found: LeaseProblem[] = [];
  for (const lease of reading.leases) {
    const { key, subnetText } = lease;
    if (lease.permanent) {
      found.push(permanent(lease, api, version));
      continue;
    }
    const left = ttls?.get(key) ?? lease.ttlSeconds;
    if (left === null) continue;
    if (left > grantedSeconds) {
      found.push(
        problem({
          code: 'ttl-too-long',
          severity: 'warning',
          subject: subnetText,
          message: `the lease of ${subnetText} has ${duration(left)} left; flanneld never asks for more than 24h, so something else wrote it`,
          suggestion: getCommand(key, api),
          keys: [key],
        }),
      );
    } else if (left < late) {
      found.push(
        problem({
          code: 'renewal-overdue',
          severity: 'warning',
          subject: subnetText,
          message: `the lease of ${subnetText} (${ipText(lease)}) expires in ${duration(left)}; flanneld renews it ${duration(margin)} before its end, so the node is down or does not reach etcd`,
          suggestion: `On ${ipText(lease)}: systemctl status flanneld; journalctl -u flanneld | grep -i lease`,
          keys: [key],
        }),
      );
    }
  }
  return found;
}

function permanent(lease: Lease, api: Api, version: FlannelVersion): LeaseProblem {
  const { key, subnetText } = lease;
  if (api === 'v2') {
    return problem({
      code: 'reservation',
      severity: 'info',
      subject: subnetText,
      message: `${subnetText} is reserved for ${ipText(lease)}: its key has no TTL and flanneld up to v0.17.0 keeps it so`,
      suggestion: null,
      keys: [key],
    });
  }
  const waiting = lease.backendType === null && lease.backendData === null;
  return problem({
    code: 'reservation-will-not-hold',
    severity: 'warning',
    subject: subnetText,
    message: `${subnetText} (${ipText(lease)}) has no TTL, but flanneld ${isAtLeast(version, 'v0.18.0') ? version.tag : 'since v0.18.0'} knows no reservations on etcd v3: its owner turns it into a lease of 24h as soon as it sees it`,
    suggestion: waiting
      ? 'Good as a pre-assignment: it holds until the node starts. Name the subnet in the inventory (nodes[].subnet) to keep track of it.'
      : `Its node is down, or it would not be permanent. When the node is gone for good: ${deleteCommand(key, api)}`,
    keys: [key],
  });
}

/** Seconds for people: `47m`, `23h 12m`. */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m`;
  const rest = minutes % 60;
  return rest === 0 ? `${Math.floor(minutes / 60)}h` : `${Math.floor(minutes / 60)}h ${rest}m`;
}

function etcdLeaseProblems({ reading, etcdLeases = [] }: LeaseCheck): readonly LeaseProblem[] {
  const found: LeaseProblem[] = [];
  const shared = grouped(reading.leases, leaseNumber, (lease) => lease.leaseId);
  for (const [id, leases] of shared) {
    found.push(
      problem({
        code: 'shared-etcd-lease',
        severity: 'warning',
        subject: id,
        message: `${leases.length} subnets hang on the etcd lease ${id}: ${subnetList(leases)}; flanneld gives each its own, and these end together`,
        suggestion: `Do not revoke it. ETCDCTL_API=3 etcdctl lease timetolive ${shellWord(id)} --keys`,
        keys: leases.map((lease) => lease.key),
      }),
    );
  }
  const orphans = etcdLeases.filter((lease) => lease.keys.length === 0 && lease.grantedSeconds === grantedSeconds);
  if (orphans.length > 0) {
    const longest = orphans.reduce((most, lease) => Math.max(most, lease.ttlSeconds), 0);
    found.push(
      problem({
        code: 'orphan-etcd-leases',
        severity: 'info',
        subject: '',
        message: `${orphans.length} etcd leases of 24h have no key: flanneld asks for a new one at each start and renewal and leaves the old one behind; the last of them ends in ${duration(longest)}`,
        suggestion: null,
      }),
    );
  }
  return found;
}

// ---- the network as a whole ----

function capacity({ reading, effective }: LeaseCheck): readonly LeaseProblem[] {
  if (effective === null) return [];
  const use = capacityOf(effective, reading.leases);
  if (use === null) return [];
  const subject = effective.network ?? '';
  const found: LeaseProblem[] = [];
  if (use.wraps) {
    found.push(
      problem({
        code: 'range-wraps',
        severity: 'error',
        subject,
        message: `${subject} ends at 255.255.255.255 and has fewer than 100 free subnets: flanneld goes on counting at 0.0.0.0 and hands out ranges outside the network`,
        suggestion: 'Set SubnetMax below the last subnet, or choose another network: netctl network plan',
      }),
    );
  }
  if (use.free === 0) found.push(full(use, effective, subject));
  else if (use.utilisation >= nearlyFull) {
    found.push(
      problem({
        code: 'capacity-low',
        severity: 'warning',
        subject,
        message: `${use.used} of ${use.total} subnets are in use (${Math.floor(use.utilisation * 100)} %); leases of nodes that are gone count for up to 24h`,
        suggestion:
          'See whose nodes are gone: netctl subnets reclaim --dead --dry-run; or plan a larger network: netctl network plan --nodes N --containers M',
      }),
    );
  }
  return found;
}

function full(use: Capacity, effective: EffectiveConfig, subject: string): LeaseProblem {
  const inverted = use.total === 0;
  return problem({
    code: 'capacity-exhausted',
    severity: 'error',
    subject,
    message: inverted
      ? `there are no subnets at all: SubnetMin ${effective.subnetMin ?? ''} lies above SubnetMax ${effective.subnetMax ?? ''}; every new node ends with "out of subnets"`
      : `all ${use.total} subnets are in use; every new node ends with "out of subnets"`,
    suggestion: inverted
      ? 'Correct SubnetMin and SubnetMax: netctl init-network'
      : 'See whose nodes are gone: netctl subnets reclaim --dead --dry-run; or widen SubnetMin..SubnetMax: netctl init-network',
  });
}

function inventory({ reading, nodes = [], prefix }: LeaseCheck): readonly LeaseProblem[] {
  if (nodes.length === 0) return [];
  const found: LeaseProblem[] = [];
  const owners = nodesByPublicIP(nodes);
  const byIP = new Map<string, Lease>();
  for (const lease of reading.leases) {
    if (lease.publicIP === null) continue;
    if (!byIP.has(lease.publicIP)) byIP.set(lease.publicIP, lease);
    if (owners.has(lease.publicIP)) continue;
    found.push(
      problem({
        code: 'unknown-owner',
        severity: 'warning',
        subject: lease.subnetText,
        message: `no node of the inventory has the public IP ${lease.publicIP} of ${lease.subnetText}: a node that is gone, one that is missing there, or another cluster with the prefix ${cleanPrefix(prefix)}`,
        suggestion: `Add the node to netctl.yaml; if it is gone: netctl subnets reclaim ${shellWord(lease.subnetText)}`,
        keys: [lease.key],
      }),
    );
  }
  for (const node of nodes) {
    const ip = publicIPOf(node);
    const lease = ip === undefined ? undefined : byIP.get(ip);
    if (lease === undefined) {
      found.push(
        problem({
          code: 'node-without-lease',
          severity: 'warning',
          subject: node.name,
          message: `${node.name} (${ip ?? 'no public IP'}) has no lease: its flanneld does not run, waits for the config, uses another prefix or has another public IP`,
          suggestion: `On ${node.name}: systemctl status flanneld; check publicIP in netctl.yaml against its --iface or --public-ip`,
        }),
      );
    } else if (node.subnet !== undefined && node.subnet !== lease.subnetText) {
      found.push(
        problem({
          code: 'node-other-subnet',
          severity: 'warning',
          subject: node.name,
          message: `${node.name} has ${lease.subnetText}, the inventory wants ${node.subnet} for it`,
          suggestion: 'Correct netctl.yaml, or move the node in an outage of its containers.',
          keys: [lease.key],
        }),
      );
    }
  }
  return found;
}

function reserved(check: LeaseCheck): readonly LeaseProblem[] {
  const { reservations, nodes = [] } = check;
  if (reservations === undefined) return [];
  return checkReservations({ ...check, reservations, nodes });
}
