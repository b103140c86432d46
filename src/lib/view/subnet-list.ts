import { formatDuration } from './duration';
import type { Cell, ListView } from './list';

/** One lease in the words of `subnets ls`: plain data, printed as it is in JSON. */
export interface SubnetItem {
  readonly subnet: string;
  readonly publicIP: string | null;
  /** Name of the node in the inventory that has this public IP. */
  readonly node: string | null;
  readonly backend: string | null;
  readonly vtepMac: string | null;
  readonly vni: number | null;
  readonly ipv6Subnet: string | null;
  readonly publicIPv6: string | null;
  /** Has no time to live at all. */
  readonly permanent: boolean;
  /** Null when permanent, and when it was not asked for (`ttlAsked`). */
  readonly expiresInSeconds: number | null;
  /** etcd's lease (v3), lower-case hex as etcdctl prints it. */
  readonly leaseId: string | null;
  readonly key: string;
  readonly revision: string;
  /** Codes; `netctl subnets check` says what they mean here, `netctl explain CODE` in general. */
  readonly problems: readonly string[];
}

/** Below flanneld's renew margin (an hour) the renewal was due. */
const renewMarginSeconds = 3600;

function expiry(row: SubnetItem): Cell | string | null {
  if (row.permanent) return { text: 'never', tone: 'dim' };
  if (row.expiresInSeconds === null) return null;
  const text = formatDuration(row.expiresInSeconds);
  return row.expiresInSeconds < renewMarginSeconds ? { text, tone: 'warn' } : text;
}

function problemCell(row: SubnetItem): Cell | string | null {
  return row.problems.length === 0 ? null : { text: row.problems.join(','), tone: 'bad' };
}

/**
 * @param ttlAsked false leaves the column out: not asked is not the same as unknown
 * @param empty what it means that there is nothing
 */
export function subnetListView(ttlAsked: boolean, empty: string): ListView<SubnetItem> {
  return {
    kind: 'SubnetList',
    name: (row) => row.subnet,
    empty,
    columns: [
      { header: 'SUBNET', cell: (row) => row.subnet },
      { header: 'PUBLIC IP', cell: (row) => row.publicIP },
      { header: 'NODE', cell: (row) => row.node, shrink: true, drop: 0 },
      { header: 'BACKEND', cell: (row) => row.backend, drop: 2 },
      { header: 'VTEP MAC', cell: (row) => row.vtepMac, drop: 4 },
      { header: 'VNI', cell: (row) => row.vni, align: 'right', drop: 5 },
      ...(ttlAsked
        ? [
            {
              header: 'EXPIRES IN',
              cell: expiry,
              csv: (row: SubnetItem) => row.expiresInSeconds,
              align: 'right',
              drop: 1,
            } as const,
          ]
        : []),
      { header: 'IPV6 SUBNET', cell: (row) => row.ipv6Subnet, wideOnly: true },
      { header: 'PUBLIC IPV6', cell: (row) => row.publicIPv6, wideOnly: true },
      { header: 'ETCD LEASE', cell: (row) => row.leaseId, wideOnly: true },
      { header: 'REVISION', cell: (row) => row.revision, align: 'right', wideOnly: true },
      { header: 'KEY', cell: (row) => row.key, wideOnly: true },
      { header: 'PROBLEMS', cell: problemCell, shrink: true },
    ],
  };
}
