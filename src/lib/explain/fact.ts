import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What can go wrong when a node is asked what it is like. */
export const factTopics: readonly Topic[] = [
  {
    code: 'survey-no-answer',
    title: 'A node was reached, and its shell did not run the questions to the end',
    exit: exitCodes.unreachable,
    meaning:
      'netctl asks a node everything in one go: it starts sh there and sends it a script. The connection worked, but what came back is not the script’s answer, so nothing is known of the node and nothing was changed.',
    causes: [
      'The account runs something else than a shell: nologin, a forced command in authorized_keys, or a menu.',
      'sudo wanted a password or a terminal, and refused.',
      'The node has no room for temporary files: /run, /dev/shm, /tmp and /var/tmp are all full or read-only.',
      'The shell was ended in the middle: the node shut down, or it ran out of memory.',
    ],
    mend: [
      "Try by hand what the node gives you: echo 'echo it works' | ssh NODE sh -s",
      'Look at the lines under the message: they are what the node said.',
      'For an account with sudo, try: ssh NODE sudo -n true',
      'Make room on the node: ssh NODE df -h /run /dev/shm /tmp',
    ],
  },
];
