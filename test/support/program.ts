import type { ArgInfo, CommandInfo, FlagInfo, Program } from '../../src/lib/cli/program';

type Flag = Partial<FlagInfo>;

function command(
  id: string,
  more: Partial<Omit<CommandInfo, 'flags' | 'args'>> & {
    flags?: Record<string, Flag>;
    args?: Record<string, Partial<ArgInfo>>;
  } = {},
): CommandInfo {
  const { flags = {}, args = {}, ...rest } = more;
  return {
    id,
    aliases: [],
    summary: `Do ${id}.`,
    flags: Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, { name, type: 'option', ...flag }])),
    args: Object.fromEntries(Object.entries(args).map(([name, arg]) => [name, { name, ...arg }])),
    ...rest,
  };
}

const output: Flag = {
  char: 'o',
  options: ['table', 'json'],
  summary: 'How to print.',
  helpGroup: 'OUTPUT',
  env: 'NETCTL_OUTPUT',
};
const json: Flag = { type: 'boolean', summary: 'As JSON.', helpGroup: 'OUTPUT', exclusive: ['output'] };

const commands = [
  command('init-network', {
    args: { network: { description: 'The range, such as 10.5.0.0/16.' } },
    flags: {
      force: { type: 'boolean', char: 'f', summary: 'Do it.' },
      file: { helpValue: 'FILE|-', summary: 'Read it from a file.' },
      'backend-option': { multiple: true, helpValue: 'KEY=VALUE', summary: 'An option of the backend.' },
      secret: { hidden: true },
    },
    description:
      'What it does in full.\n\n  an indented line that stays as it is, however long it may be and whatever the width is',
    examples: [{ description: 'The usual range', command: '<%= config.bin %> <%= command.id %> 10.5.0.0/16' }],
    exitCodes: { '3': 'The network is in use.' },
  }),
  command('network', { args: { name: {} } }),
  command('network:show', { flags: { output, json } }),
  command('network:history', { aliases: ['network:log'] }),
  command('subnets:ls', { flags: { output, json, color: { type: 'boolean', allowNo: true } } }),
  command('subnets:show', { args: { node: { required: true }, rest: { multiple: true } } }),
  command('subnets:leases:move', { args: { node: { required: true, options: ['a', 'b'] } } }),
  command('secret', { hidden: true }),
];

/** A small program with one of everything: what help, completion and the errors are tried on. */
export const program: Program = {
  root: '/nowhere',
  version: '1.2.3',
  description: 'A program for tests',
  topics: { subnets: 'Subnets of nodes' },
  commands: Object.fromEntries(commands.map((each) => [each.id, each])),
  load: () => {
    throw new Error('nothing is loaded');
  },
};
