import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What `netctl backup` and `netctl restore` say. */
export const backupTopics: readonly Topic[] = [
  {
    code: 'nothing-to-back-up',
    title: 'There is no network to back up at this prefix',
    exit: exitCodes.invalid,
    meaning:
      'Neither a config nor a lease nor a record of netctl is there, so no file was written: it would hide the mistake until it is needed.',
    causes: ['The prefix is not the one of flanneld.', 'The network lives in the other store of etcd.'],
    mend: ['Name the prefix: --prefix KEY, as in --etcd-prefix of flanneld.', 'Name the store: --etcd-api v2 or v3.'],
    see: ['netctl config show'],
  },
  {
    code: 'not-a-backup',
    title: 'The file is no backup that netctl can read',
    exit: exitCodes.invalid,
    meaning:
      'netctl restore takes only what netctl backup has written: a document of kind NetworkBackup that ends in its checksum.',
    causes: [
      'Another file was named.',
      'The end is missing, as after a copy that broke off.',
      'A newer netctl wrote it.',
    ],
    mend: ['Take another copy of the file.', 'Use the release of netctl that wrote it: it stands under "made".'],
  },
  {
    code: 'backup-damaged',
    title: 'The checksum of the backup does not fit its content',
    exit: exitCodes.invalid,
    meaning:
      'Something in the file is not as it was written. Nothing of it is restored, because one wrong value among the leases can take the routes of all nodes away.',
    causes: ['The file was edited, or its line ends were changed on the way.', 'A disk or a transfer damaged it.'],
    mend: ['Take another copy of the file.'],
  },
  {
    code: 'restore-over-live',
    title: 'What is in etcd contradicts the backup',
    exit: exitCodes.refused,
    meaning:
      'netctl restore writes missing keys and nothing over anything. Another config, a subnet that another node holds now, or a lease that the backup does not know means that the network has gone on, and then the whole is refused.',
    causes: [
      'flanneld has started on the prefix since, and nodes took subnets.',
      'The backup is of another network, or an old one.',
    ],
    mend: [
      'Compare: netctl backup NOW, then diff it with the backup.',
      'Stop every flanneld before a restore, and let the restore write the config: they wait for it.',
      'Restore beside it: another --prefix.',
    ],
    see: ['netctl subnets history', 'netctl subnets undo'],
  },
  {
    code: 'stopped',
    title: 'The work was stopped before all was written',
    exit: exitCodes.failed,
    meaning: 'What was being written got its answer, and nothing further was begun.',
    causes: ['Ctrl-C, or the lock of the network was lost.'],
    mend: ['Run the same command again: it writes what is still missing.'],
    see: ['lock-lost'],
  },
];
