import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** One operator at a time. */
export const lockTopics: readonly Topic[] = [
  {
    code: 'locked',
    title: 'Another operator is changing this network',
    exit: exitCodes.conflict,
    meaning:
      'Commands that change a network in etcd take a lock first: the key PREFIX-netctl/lock, beside the network. It says who has it and for what, and lives for a minute unless its run renews it. It is held, so nothing was begun.',
    causes: [
      'Another person, or a script, runs such a command just now.',
      'A run was killed on another machine, or its machine lost etcd, less than a minute ago. On this machine a run that is gone is noticed, and its lock is taken over.',
      'Something else wrote that key: a value that netctl cannot read counts as held by somebody unknown.',
    ],
    mend: [
      'Wait until that run has ended, then run the command again.',
      'When it is surely gone: the same command with --break-lock. The run that loses its lock writes nothing more.',
    ],
    see: ['lock-lost'],
  },
];
