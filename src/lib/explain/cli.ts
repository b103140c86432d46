import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What can be wrong with the words that netctl was started with. */
export const cliTopics: readonly Topic[] = [
  {
    code: 'bug',
    exit: exitCodes.bug,
    title: 'A mistake in netctl',
    meaning: 'Something was thrown that netctl did not foresee. What it was doing may be half done.',
    causes: ['A mistake in netctl, or in a library that it uses.'],
    mend: [
      'Run the command again with NETCTL_DEBUG=1 and report what it prints, with the command and netctl --version.',
      'Before you repeat a command that changes something, look at the state: netctl network show, netctl subnets ls.',
    ],
    see: ['1'],
  },
  {
    code: 'unknown-command',
    exit: exitCodes.invalid,
    title: 'There is no such command',
    meaning: 'The words before the first flag are not a command of this netctl.',
    causes: [
      'A slip of the finger.',
      'The command came with a newer release: netctl --version says which one this is.',
    ],
    mend: ['netctl lists the commands, netctl help TOPIC those of a topic.'],
    see: ['unknown-flag'],
  },
  {
    code: 'unknown-flag',
    exit: exitCodes.invalid,
    title: 'The command has no such flag',
    meaning: 'Every command has its own flags, and flags come after the command that they are for.',
    causes: ['A slip of the finger.', 'A flag of another command, or one that stands before the command.'],
    mend: ['netctl help COMMAND lists the flags.', 'Put -- before a value that begins with a dash but is no flag.'],
    see: ['unknown-command'],
  },
  {
    code: 'missing-argument',
    exit: exitCodes.invalid,
    title: 'An argument was not given',
    meaning: 'The command cannot do its work without the argument that the message names.',
    causes: ['It was forgotten.', 'A variable in a script was empty and not in quotes.'],
    mend: ['netctl help COMMAND shows the order of the arguments.'],
    see: ['unexpected-argument'],
  },
  {
    code: 'unexpected-argument',
    exit: exitCodes.invalid,
    title: 'There are more arguments than the command takes',
    meaning: 'A word is left over. netctl does not guess what it was for, so nothing was done.',
    causes: ['A value with a blank that is not in quotes.', 'A flag without its dashes.'],
    mend: ['Put quotes around values with blanks.', 'netctl help COMMAND shows what the command takes.'],
    see: ['missing-argument'],
  },
  {
    code: 'bad-value',
    exit: exitCodes.invalid,
    title: 'A flag, a variable or an argument has a value that is not allowed',
    meaning: 'The message names the flag (or the variable that stands for it), the value and the rule.',
    causes: ['A slip of the finger.', 'A NETCTL_… variable that is still set from before.'],
    mend: ['Correct the value; netctl help COMMAND shows what is allowed.', 'env | grep NETCTL_ shows the variables.'],
    see: ['bad-usage'],
  },
  {
    code: 'bad-usage',
    exit: exitCodes.invalid,
    title: 'The flags do not go together, or one has no value',
    meaning: 'Some flags exclude or need each other, need a value, or can be given only once.',
    causes: [
      'Two flags that mean the same, such as --json and -o.',
      'A flag at the end of the line without its value.',
    ],
    mend: ['Leave out the flag that the message names, or give what it asks for.'],
    see: ['bad-value', 'unknown-flag'],
  },
  {
    code: 'unknown-code',
    exit: exitCodes.invalid,
    title: 'netctl explain knows no such code',
    meaning: 'A code is the kebab-case word that stands beside an error or a problem, or the number of an exit code.',
    causes: ['A slip of the finger.', 'The code comes from a newer netctl.'],
    mend: ['netctl explain lists every code.'],
  },
];
