import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** A way in which a process ends; `code` is the number that the shell sees. */
export interface ExitTopic extends Topic {
  readonly exit: NonNullable<Topic['exit']>;
}

/** Every number that netctl exits with, in order. `docs/exit-codes.md` is made from it. */
export const exitTopics: readonly ExitTopic[] = [
  {
    code: String(exitCodes.done),
    exit: exitCodes.done,
    title: 'Done',
    meaning: 'What was asked for is so. A command that found nothing to change ends with it too.',
    causes: ['The command succeeded.'],
    mend: [],
  },
  {
    code: String(exitCodes.bug),
    exit: exitCodes.bug,
    title: 'A bug in netctl',
    meaning: 'Something happened that netctl did not foresee. What it was doing may be half done.',
    causes: ['A mistake in netctl, or in a library that it uses.'],
    mend: [
      'Run the command again with NETCTL_DEBUG=1 and report what it prints.',
      'Look at the state before you repeat a command that changes something: netctl network show, netctl subnets ls.',
    ],
  },
  {
    code: String(exitCodes.invalid),
    exit: exitCodes.invalid,
    title: 'Invalid input',
    meaning: 'An argument, a flag, a variable or a file is wrong. Nothing was changed.',
    causes: [
      'A misspelt command or flag, or a value that the rule in the message does not allow.',
      'An inventory or a network config that does not validate.',
    ],
    mend: [
      'Correct what the message names; its last lines show the corrected form.',
      'netctl help COMMAND lists arguments and flags.',
    ],
  },
  {
    code: String(exitCodes.refused),
    exit: exitCodes.refused,
    title: 'Refused',
    meaning: 'What was asked for would harm a network that is in use, so nothing was done.',
    causes: ['A change would take leases or addresses away from nodes.', 'A confirmation was asked for and not given.'],
    mend: [
      'Read what the message says would happen.',
      'Repeat it with the flag that the message names, if you want it.',
    ],
  },
  {
    code: String(exitCodes.unreachable),
    exit: exitCodes.unreachable,
    title: 'Unreachable',
    meaning: 'A host or an etcd endpoint did not answer within the time allowed, or did not let netctl in.',
    causes: [
      'The machine or the service is down, or a firewall is between.',
      'A wrong address, certificate, user or password.',
      'etcd has no quorum.',
    ],
    mend: [
      'Try the endpoint that the message names from this machine.',
      'Give it more time with --timeout when the network is slow.',
    ],
  },
  {
    code: String(exitCodes.failed),
    exit: exitCodes.failed,
    title: 'A change failed',
    meaning: 'A change was begun and did not succeed. The message says what was done before.',
    causes: ['A command on a node failed.', 'etcd refused a write, for example because its disk quota is used up.'],
    mend: ['Mend the cause and run the same command again: it goes on from the state that it finds.'],
  },
  {
    code: String(exitCodes.conflict),
    exit: exitCodes.conflict,
    title: 'Conflict',
    meaning: 'Somebody else changed the thing between the look and the write. Nothing was written over their change.',
    causes: ['Another administrator, another netctl or flanneld wrote at the same moment.'],
    mend: ['Look at the new state, then run the command again.'],
  },
  {
    code: String(exitCodes.problems),
    exit: exitCodes.problems,
    title: 'Problems found',
    meaning: 'The command worked and what it looked at has problems. They are in its output.',
    causes: ['A check found something that is wrong or that people regret.'],
    mend: ['netctl explain CODE, with the code of a problem, says what it means and how to mend it.'],
  },
  {
    code: '130',
    exit: 130,
    title: 'Interrupted',
    meaning: 'Ctrl-C. A write that was on its way to etcd was finished first.',
    causes: ['You, or the program that runs netctl, sent SIGINT.'],
    mend: ['Run the command again: it goes on from the state that it finds.'],
  },
];
