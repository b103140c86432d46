import type { LeaseProblem } from '../check/leases';
import type { FoundBy } from '../net/subnet-query';
import type { Api, Revision } from '../store/store';
import { formatDuration } from './duration';
import type { RecordLine, RecordView } from './record';
import type { SubnetItem } from './subnet-list';

export interface FoundSubnet extends SubnetItem {
  readonly foundBy: FoundBy;
  /** As the backend of its owner wrote it. */
  readonly backendData: unknown;
}

/** The document of `subnets show -o json`: all leases that the query fits, usually one. */
export interface SubnetDocument {
  readonly query: string;
  readonly prefix: string;
  readonly api: Api;
  readonly revision: Revision;
  readonly items: readonly FoundSubnet[];
  readonly problems: readonly LeaseProblem[];
}

const foundWords: Readonly<Record<FoundBy, string>> = {
  subnet: 'it is, holds or lies in this subnet',
  address: 'the address lies in this subnet',
  'public-ip': 'the public IP of its owner',
  node: 'the node of this name',
};

function linesOf(item: FoundSubnet): readonly RecordLine[] {
  const lines: RecordLine[] = [
    ['subnet', { text: item.subnet, tone: 'strong' }],
    ['found by', foundWords[item.foundBy]],
    ['owner', [item.publicIP ?? 'no public IP', item.node].filter((part) => part !== null).join(', node ')],
    ['backend', item.backend ?? 'none'],
  ];
  if (item.vtepMac !== null) lines.push(['VTEP MAC', item.vtepMac]);
  if (item.vni !== null) lines.push(['VNI', item.vni]);
  if (item.ipv6Subnet !== null) lines.push(['IPv6 subnet', item.ipv6Subnet]);
  if (item.publicIPv6 !== null) lines.push(['public IPv6', item.publicIPv6]);
  lines.push(['expires in', expiry(item)], ['key', item.key], ['revision', item.revision]);
  if (item.leaseId !== null) lines.push(['etcd lease', item.leaseId]);
  lines.push('');
  return lines;
}

function expiry(item: SubnetItem): string {
  if (item.permanent) return 'never (permanent)';
  return item.expiresInSeconds === null ? 'unknown: its etcd lease is gone' : formatDuration(item.expiresInSeconds);
}

export const subnetView: RecordView<SubnetDocument> = {
  kind: 'SubnetLookup',
  name: ({ items }) => items.map(({ subnet }) => subnet).join('\n'),
  sections: [
    {
      lines: ({ items, query, prefix }) =>
        items.length === 0 ? [`Nobody holds ${query} in ${prefix}.`] : items.flatMap(linesOf).slice(0, -1),
    },
  ],
};
