import type { EtcdLeaseState } from '../plan/gc-leases';
import { formatDuration } from './duration';
import type { Cell, ListView } from './list';

/** An etcd lease on which no key hangs, or hung when it was looked at first. */
export interface EtcdLeaseItem {
  /** Lower-case hex, as etcdctl prints it. */
  readonly id: string;
  readonly state: Exclude<EtcdLeaseState, 'in-use'> | 'revoked' | 'left' | 'failed';
  readonly ttlSeconds: number;
  readonly grantedSeconds: number;
  /** At least so long ago it was granted. */
  readonly ageSeconds: number;
  /** Why it was left, or not revoked. */
  readonly reason: string | null;
}

const tones: Readonly<Record<EtcdLeaseItem['state'], NonNullable<Cell['tone']>>> = {
  orphan: 'warn',
  fresh: 'plain',
  other: 'dim',
  revoked: 'good',
  left: 'plain',
  failed: 'bad',
};

export function etcdLeaseListView(empty: string): ListView<EtcdLeaseItem> {
  return {
    kind: 'EtcdLeaseList',
    name: (row) => row.id,
    empty,
    columns: [
      { header: 'ETCD LEASE', cell: (row) => row.id },
      { header: 'STATE', cell: (row) => ({ text: row.state, tone: tones[row.state] }) },
      {
        header: 'RUNS OUT IN',
        cell: (row) => formatDuration(row.ttlSeconds),
        csv: (row) => row.ttlSeconds,
        align: 'right',
      },
      {
        header: 'GRANTED FOR',
        cell: (row) => formatDuration(row.grantedSeconds),
        csv: (row) => row.grantedSeconds,
        align: 'right',
      },
      { header: 'AGE', cell: (row) => formatDuration(row.ageSeconds), csv: (row) => row.ageSeconds, align: 'right' },
      { header: 'WHY', cell: (row) => row.reason, shrink: true },
    ],
  };
}
