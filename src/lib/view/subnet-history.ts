import type { SubnetPastItem } from '../plan/subnet-past';
import type { Cell, ListView } from './list';

/** One change of the past, with the name of the node as the inventory has it now. */
export interface SubnetHistoryItem extends SubnetPastItem {
  readonly node: string | null;
}

function changeCell({ change, renewals }: SubnetHistoryItem): Cell | string {
  switch (change) {
    case 'renewed':
      return renewals > 1 ? `renewed ${renewals} times` : 'renewed';
    case 'handed-over':
    case 'gone':
    case 'deleted':
      return { text: change, tone: 'warn' };
    case 'unreadable':
      return { text: change, tone: 'bad' };
    case 'acquired':
      return { text: change, tone: 'good' };
    case 'known':
    case 'changed':
    case 'reserved':
    case 'unreserved':
      return change;
    default:
      return change satisfies never;
  }
}

export function subnetHistoryView(empty: string): ListView<SubnetHistoryItem> {
  return {
    kind: 'SubnetHistoryList',
    name: (row) => row.revision,
    empty,
    columns: [
      { header: 'REVISION', cell: (row) => row.revision, align: 'right' },
      { header: 'SUBNET', cell: (row) => row.subnet },
      { header: 'CHANGE', cell: changeCell },
      { header: 'PUBLIC IP', cell: (row) => row.publicIP },
      { header: 'BEFORE', cell: (row) => row.before, drop: 1 },
      { header: 'NODE', cell: (row) => row.node, shrink: true, drop: 2 },
      { header: 'BACKEND', cell: (row) => row.backend, drop: 4 },
      { header: 'BY', cell: (row) => row.by, drop: 3 },
      { header: 'AT', cell: (row) => row.at, wideOnly: true },
      { header: 'COMMAND', cell: (row) => row.command, wideOnly: true },
      { header: 'RENEWALS', cell: (row) => row.renewals, align: 'right', wideOnly: true },
      { header: 'KEY', cell: (row) => row.key, wideOnly: true },
    ],
  };
}
