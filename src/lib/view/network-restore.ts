import type { RestoreItem, RestoreState } from '../plan/restore';
import type { Api } from '../store/store';
import { formatCount, plural } from './count';
import { formatDuration } from './duration';
import type { RecordLine, RecordView } from './record';

/** What `netctl restore` did, or would do. */
export interface NetworkRestoreReport {
  readonly file: string;
  readonly state: 'unchanged' | 'would-restore' | 'restored' | 'refused';
  readonly prefix: string;
  readonly api: Api;
  /** Where the backup is from. */
  readonly from: {
    readonly prefix: string;
    readonly api: Api;
    readonly revision: string;
    readonly madeAt: string;
    readonly madeBy: string;
  };
  readonly counts: Readonly<Record<RestoreState, number>>;
  readonly notes: readonly string[];
  readonly items: readonly RestoreItem[];
}

const stateWords: Readonly<Record<NetworkRestoreReport['state'], string>> = {
  unchanged: 'all of it is there already',
  'would-restore': 'to be restored',
  restored: 'restored',
  refused: 'refused: what is in etcd contradicts it',
};

/** Keys of a kind that a person is shown one by one. */
const listed = 20;

function lines(items: readonly RestoreItem[], state: RestoreState): readonly RecordLine[] {
  const these = items.filter((item) => item.state === state);
  const rest = these.length - listed;
  return [
    ...these.slice(0, listed).map(({ key, ttlSeconds, reason }): RecordLine => {
      const expiry = ttlSeconds === null ? 'does not expire' : `expires in ${formatDuration(ttlSeconds)}`;
      const life = state === 'create' ? [expiry] : [];
      const words = [...life, ...(reason === null ? [] : [reason])].join('; ');
      return [key, { text: words, tone: state === 'conflict' ? 'bad' : state === 'skipped' ? 'warn' : 'plain' }];
    }),
    ...(rest > 0 ? [`and ${plural(rest, 'more key')}: -o json has them all`] : []),
  ];
}

export const networkRestoreView: RecordView<NetworkRestoreReport> = {
  kind: 'NetworkRestore',
  name: ({ prefix }) => prefix,
  sections: [
    {
      lines: ({ file, state, prefix, api, from, counts, notes }) => [
        ['backup', `${file}, made ${from.madeAt} by ${from.madeBy}`],
        ['of', `${from.prefix}, etcd ${from.api}, revision ${from.revision}`],
        ['to', `${prefix}, etcd ${api}`],
        [
          'state',
          { text: stateWords[state], tone: state === 'refused' ? 'bad' : state === 'restored' ? 'good' : 'strong' },
        ],
        [
          'keys',
          `${formatCount(counts.create)} ${state === 'restored' ? 'written' : 'to write'}, ${formatCount(counts.unchanged + counts.kept)} there already, ${formatCount(counts.skipped)} not restored`,
        ],
        ...notes.map((note): RecordLine => ['mind', { text: note, tone: 'warn' }]),
      ],
    },
    { title: 'Contradictions', lines: ({ items }) => lines(items, 'conflict') },
    {
      title: 'Written, in this order',
      lines: ({ items, state }) => (state === 'refused' ? [] : lines(items, 'create')),
    },
    { title: 'Left as they are', lines: ({ items }) => lines(items, 'kept') },
    { title: 'Not restored', lines: ({ items }) => lines(items, 'skipped') },
  ],
};
