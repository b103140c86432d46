import type { Verdict } from '../net/network-config';
import type { HistoryRecord } from '../plan/network-history';
import { printableConfigText } from './config-text';
import type { ListView } from './list';

/** One config that the network has, or had before netctl replaced it. */
export interface NetworkHistoryItem {
  readonly revision: string;
  readonly state: 'current' | 'replaced';
  readonly replacedAt: string | null;
  readonly replacedBy: string | null;
  readonly command: string | null;
  /** Would flanneld of the release in use take it? */
  readonly valid: boolean;
  readonly config: string;
}

export function historyItem(record: HistoryRecord, verdict: Verdict): NetworkHistoryItem {
  return {
    revision: record.revision,
    state: 'replaced',
    replacedAt: record.replacedAt,
    replacedBy: record.replacedBy,
    command: record.command,
    valid: verdict.outcome === 'accepted',
    config: printableConfigText(record.config),
  };
}

export const networkHistoryView: ListView<NetworkHistoryItem> = {
  kind: 'NetworkHistoryList',
  name: (row) => row.revision,
  empty: 'There is no network config, and netctl has replaced none.',
  columns: [
    { header: 'REVISION', cell: (row) => row.revision, align: 'right' },
    { header: 'STATE', cell: (row) => (row.state === 'current' ? { text: row.state, tone: 'good' } : row.state) },
    { header: 'REPLACED AT', cell: (row) => row.replacedAt, drop: 1 },
    { header: 'BY', cell: (row) => row.replacedBy, drop: 2 },
    { header: 'COMMAND', cell: (row) => row.command, wideOnly: true },
    { header: 'CONFIG', cell: (row) => row.config, shrink: true },
  ],
};
