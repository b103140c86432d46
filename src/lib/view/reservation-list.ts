import type { ReservationItem } from '../check/reservation-items';
import { formatDuration } from './duration';
import type { ListView } from './list';
import type { Tone } from './style';

const words: Readonly<Record<ReservationItem['state'], string>> = {
  held: 'held',
  open: 'not held',
  elsewhere: 'node has another',
  taken: 'taken',
  unreadable: 'lease unreadable',
  misfit: 'does not fit',
  clash: 'clash',
  inventory: 'not as in inventory',
  'no-config': 'no config',
  damaged: 'record unreadable',
};

const toneOf = (state: ReservationItem['state']): Tone =>
  state === 'held' ? 'good' : state === 'open' || state === 'elsewhere' ? 'warn' : 'bad';

export const reservationListView: ListView<ReservationItem> = {
  kind: 'ReservationList',
  name: ({ subnet }) => subnet,
  empty: 'Nothing is reserved: netctl subnets reserve SUBNET --node NAME',
  columns: [
    { header: 'SUBNET', cell: ({ subnet }) => subnet },
    { header: 'PUBLIC IP', cell: ({ publicIP }) => publicIP },
    { header: 'NODE', cell: ({ node }) => node },
    { header: 'STATE', cell: ({ state }) => ({ text: words[state], tone: toneOf(state) }), csv: ({ state }) => state },
    {
      header: 'EXPIRES IN',
      cell: ({ expiresInSeconds, state }) =>
        expiresInSeconds === null ? (state === 'held' ? 'never' : null) : formatDuration(expiresInSeconds),
      csv: ({ expiresInSeconds }) => expiresInSeconds,
      drop: 2,
    },
    { header: 'HELD BY', cell: ({ lease }) => lease?.publicIP ?? null, wideOnly: true },
    { header: 'NOTE', cell: ({ note }) => note, shrink: true, drop: 1 },
    { header: 'BY', cell: ({ reservedBy }) => reservedBy, wideOnly: true },
    { header: 'SINCE', cell: ({ reservedAt }) => reservedAt, wideOnly: true },
    { header: 'WHY', cell: ({ why }) => why, wideOnly: true },
  ],
};
