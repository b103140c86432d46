import { formatDuration } from './duration';
import type { ListView } from './list';
import type { Tone } from './style';

/**
 * `free`: can be put back. `restored`: was put back. `there`: is there already. `taken`, `unfit`, `unreadable`: cannot, see `why`.
 * `conflict`: somebody was quicker. `failed`: what became of it is not known.
 */
export type UndoState = 'free' | 'restored' | 'there' | 'taken' | 'unfit' | 'unreadable' | 'conflict' | 'failed';

export interface UndoItem {
  readonly subnet: string;
  readonly publicIP: string | null;
  readonly state: UndoState;
  readonly why: string | null;
  /** With so much time it comes back; null: it does not expire. */
  readonly ttlSeconds: number | null;
  readonly deletedAt: string;
  readonly deletedBy: string;
  readonly command: string;
  /** Why it was taken for dead, one line each. */
  readonly reasons: readonly string[];
  readonly key: string;
}

/** The document of `subnets undo -o json`. */
export interface UndoDocument {
  readonly prefix: string;
  readonly applied: boolean;
  readonly items: readonly UndoItem[];
}

const tones: Readonly<Record<UndoState, Tone>> = {
  free: 'strong',
  restored: 'good',
  there: 'good',
  taken: 'warn',
  unfit: 'warn',
  unreadable: 'warn',
  conflict: 'warn',
  failed: 'bad',
};

export const undoListView: ListView<UndoItem> = {
  kind: 'SubnetUndoList',
  name: ({ subnet }) => subnet,
  empty: 'netctl has taken no lease away from this network, or all have been put back.',
  columns: [
    { header: 'SUBNET', cell: ({ subnet }) => subnet },
    { header: 'PUBLIC-IP', cell: ({ publicIP }) => publicIP },
    { header: 'STATE', cell: ({ state }) => ({ text: state, tone: tones[state] }) },
    {
      header: 'COMES WITH',
      cell: ({ ttlSeconds }) => (ttlSeconds === null ? 'no end' : formatDuration(ttlSeconds)),
      csv: ({ ttlSeconds }) => ttlSeconds,
      align: 'right',
      drop: 1,
    },
    {
      header: 'DELETED',
      cell: ({ deletedAt }) => deletedAt.slice(0, 19).replace('T', ' '),
      csv: ({ deletedAt }) => deletedAt,
    },
    { header: 'BY', cell: ({ deletedBy }) => deletedBy, drop: 2 },
    { header: 'COMMAND', cell: ({ command }) => command, wideOnly: true },
    { header: 'WHY', cell: ({ why, reasons }) => why ?? reasons[0] ?? null, shrink: true },
  ],
};
