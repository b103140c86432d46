import type { Api } from '../store/store';
import { formatCount, plural } from './count';
import type { RecordLine, RecordView } from './record';

/** What `netctl backup` wrote. The file itself is a document of its own kind, `NetworkBackup`. */
export interface NetworkBackupReport {
  readonly file: string;
  readonly prefix: string;
  readonly api: Api;
  readonly revision: string;
  /** Whether there was a network config. */
  readonly config: boolean;
  readonly leases: number;
  /** Whether the file says how long each lease still lives. */
  readonly ttlAsked: boolean;
  /** Keys in the file that flanneld cannot read; they are never restored. */
  readonly unreadable: readonly string[];
  /** Of netctl's own: reservations, deleted leases, replaced configs. */
  readonly own: number;
  /** Keys below the prefix that are no part of a network, and not in the file. */
  readonly leftOut: readonly string[];
}

const listed = 10;

function keyLines(label: string, keys: readonly string[]): readonly RecordLine[] {
  const rest = keys.length - listed;
  return [
    ...keys.slice(0, listed).map((key): RecordLine => [label, { text: key, tone: 'warn' }]),
    ...(rest > 0 ? [`and ${plural(rest, 'more key')}: -o json has them all`] : []),
  ];
}

export const networkBackupView: RecordView<NetworkBackupReport> = {
  kind: 'NetworkBackupReport',
  name: ({ file }) => file,
  sections: [
    {
      lines: (value) => [
        ['file', value.file],
        ['network', `${value.prefix}, etcd ${value.api}, revision ${value.revision}`],
        ['config', value.config ? 'yes' : { text: 'there is none', tone: 'warn' }],
        ['leases', `${formatCount(value.leases)}${value.ttlAsked ? '' : ', without the time that they had left'}`],
        ["netctl's own", plural(value.own, 'record')],
        ...keyLines('unreadable', value.unreadable),
        ...keyLines('not in it', value.leftOut),
      ],
    },
  ],
};
