import type { LeaseProblem } from '../check/leases';
import { cidrsOverlap, parseIpv4Cidr } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';
import type { FoundBy } from '../net/subnet-query';
import type { Api, Revision } from '../store/store';
import { formatDuration } from './duration';
import type { RecordLine, RecordView } from './record';
import type { SubnetItem } from './subnet-list';

export interface FoundSubnet extends SubnetItem {
  readonly foundBy: FoundBy;
  /** As the backend of its owner wrote it. */
  readonly backendData: string | null;
}

/** A subnet that is kept for a node, whether it has it or not. */
export interface FoundReservation {
  readonly subnet: string;
  readonly publicIP: string;
  /** Null when no inventory names it. */
  readonly node: string | null;
  readonly note: string | null;
}

/** The document of `subnets show -o json`: all leases that the query fits, usually one. */
export interface SubnetDocument {
  readonly query: string;
  readonly prefix: string;
  readonly api: Api;
  readonly revision: Revision;
  /** The IPv4 network, so that a reader can tell free from foreign; null without a config that flanneld accepts. */
  readonly network: string | null;
  readonly items: readonly FoundSubnet[];
  /** Reservations of the subnet, or for the node, that the query fits; null when etcd does not let them be read. */
  readonly reservations: readonly FoundReservation[] | null;
  readonly problems: readonly LeaseProblem[];
}

const foundWords: Readonly<Record<FoundBy, string>> = {
  subnet: 'it overlaps this subnet',
  address: 'an address in this subnet',
  'public-ip': 'the public IP of its owner',
  node: 'the name of its node',
};

function linesOf(item: FoundSubnet, { query, reservations }: SubnetDocument): readonly RecordLine[] {
  const lines: RecordLine[] = [
    ['subnet', { text: item.subnet, tone: 'strong' }],
    ...(item.subnet === query ? [] : [[query, foundWords[item.foundBy]] as const]),
    ['owner', [item.publicIP ?? 'no public IP', item.node].filter((part) => part !== null).join(', node ')],
    ['backend', item.backend ?? 'none'],
  ];
  if (item.vtepMac !== null) lines.push(['VTEP MAC', item.vtepMac]);
  if (item.vni !== null) lines.push(['VNI', item.vni]);
  if (item.ipv6Subnet !== null) lines.push(['IPv6 subnet', item.ipv6Subnet]);
  if (item.publicIPv6 !== null) lines.push(['public IPv6', item.publicIPv6]);
  lines.push(['expires in', expiry(item)], ['key', item.key], ['revision', item.revision]);
  if (item.leaseId !== null) lines.push(['etcd lease', item.leaseId]);
  const kept = reservations?.find(({ subnet }) => subnet === item.subnet);
  if (kept !== undefined) lines.push(['reserved for', keeper(kept)]);
  lines.push('');
  return lines;
}

function expiry(item: SubnetItem): string {
  if (item.permanent) return 'never (permanent)';
  return item.expiresInSeconds === null ? 'unknown: its etcd lease is gone' : formatDuration(item.expiresInSeconds);
}

function keeper({ publicIP, node, note }: FoundReservation): string {
  return `${publicIP}${node === null ? '' : `, node ${node}`}${note === null ? '' : ` (${note})`}`;
}

/** Reservations that no lease above tells of. */
function reservedLines({ items, reservations }: SubnetDocument): readonly RecordLine[] {
  return (reservations ?? [])
    .filter(({ subnet }) => !items.some((item) => item.subnet === subnet))
    .map((kept) => `${kept.subnet} is reserved for ${keeper(kept)}: netctl subnets reservations`);
}

function nobody({ query, prefix, network }: SubnetDocument): string {
  const text = query.replace(/-(\d{1,2})$/, '/$1');
  const asked = parseIpv4(text) === undefined ? parseIpv4Cidr(text) : parseIpv4Cidr(`${text}/32`);
  const whole = network === null ? undefined : parseIpv4Cidr(network);
  if (asked === undefined && !query.includes(':')) return `${query} holds no subnet in ${prefix}.`;
  const nobodyHolds = `Nobody holds ${query} in ${prefix}.`;
  if (asked === undefined || whole === undefined) return nobodyHolds;
  return cidrsOverlap(whole, asked)
    ? `${nobodyHolds} It lies in the network ${network}.`
    : `${nobodyHolds} It lies outside the network ${network}, and is no public IP of a node there.`;
}

function spaced(lines: readonly RecordLine[]): readonly RecordLine[] {
  return lines.length === 0 ? [] : ['', ...lines];
}

export const subnetView: RecordView<SubnetDocument> = {
  kind: 'SubnetLookup',
  name: ({ items }) => items.map(({ subnet }) => subnet).join('\n'),
  sections: [
    {
      lines: (value) =>
        value.items.length === 0
          ? [nobody(value), ...reservedLines(value)]
          : [...value.items.flatMap((item) => linesOf(item, value)).slice(0, -1), ...spaced(reservedLines(value))],
    },
  ],
};
