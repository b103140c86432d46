import { formatDuration } from './duration';
import type { Cell, ListView } from './list';
import type { Tone } from './style';

/** A node in the words of `node ls`: plain data, printed as it is in JSON. */
export interface NodeItem {
  readonly name: string;
  /** Where SSH reaches it. */
  readonly address: string;
  /** Where peers send to; null when the inventory does not say. */
  readonly publicIP: string | null;
  /** What etcd has for this public IP. */
  readonly subnet: string | null;
  /** What the inventory wants for it. */
  readonly wantedSubnet: string | null;
  /** `assigned`: a key that no flanneld has taken up yet. */
  readonly lease: 'held' | 'assigned' | 'none';
  /** Has no time to live at all. */
  readonly permanent: boolean;
  /** Null without a lease and for one that does not expire. */
  readonly expiresInSeconds: number | null;
  readonly labels: readonly string[];
}

const tones: Readonly<Record<NodeItem['lease'], Tone>> = { held: 'good', assigned: 'plain', none: 'warn' };

function subnet(row: NodeItem): Cell | string | null {
  const isOther = row.wantedSubnet !== null && row.subnet !== null && row.subnet !== row.wantedSubnet;
  return isOther ? { text: row.subnet, tone: 'warn' } : row.subnet;
}

export const nodeListView: ListView<NodeItem> = {
  kind: 'NodeList',
  name: ({ name }) => name,
  empty: 'No nodes.',
  columns: [
    { header: 'NODE', cell: ({ name }) => name },
    { header: 'ADDRESS', cell: ({ address }) => address, shrink: true, drop: 2 },
    { header: 'PUBLIC IP', cell: ({ publicIP }) => publicIP },
    { header: 'SUBNET', cell: subnet },
    { header: 'WANTED', cell: ({ wantedSubnet }) => wantedSubnet, wideOnly: true },
    { header: 'LEASE', cell: ({ lease }) => ({ text: lease, tone: tones[lease] }) },
    {
      header: 'EXPIRES IN',
      cell: ({ permanent, expiresInSeconds }) =>
        permanent ? 'never' : expiresInSeconds === null ? null : formatDuration(expiresInSeconds),
      csv: ({ expiresInSeconds }) => expiresInSeconds,
      align: 'right',
      drop: 0,
    },
    { header: 'LABELS', cell: ({ labels }) => labels.join(','), shrink: true, drop: 1 },
  ],
};
