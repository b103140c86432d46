import { describe, expect, it } from 'vitest';
import { commandHelp, rootHelp, topicHelp } from '../../src/lib/cli/help';
import { commandOf } from '../../src/lib/cli/program';
import { program } from '../support/program';

const plain = { columns: 80, strong: (text: string) => text };

function helpOf(id: string, columns = 80): string {
  const command = commandOf(program, id);
  if (command === undefined) throw new Error(id);
  return commandHelp(command, { ...plain, columns });
}

describe('help', () => {
  it('of netctl is short: commands, and topics with the words that follow them', () => {
    expect(rootHelp(program, plain)).toBe(`netctl 1.2.3: A program for tests

USAGE
  netctl COMMAND [ARGUMENTS] [FLAGS]

COMMANDS
  init-network  Do init-network.
  network       Do network.

TOPICS
  network  history, show
  subnets  Subnets of nodes: leases, ls, show

netctl help COMMAND says more. netctl explain CODE tells what an error or a
problem means.
`);
  });

  it('of a topic lists its commands', () => {
    expect(topicHelp(program, 'subnets', plain)).toBe(`Subnets of nodes

USAGE
  netctl subnets COMMAND [ARGUMENTS] [FLAGS]

COMMANDS
  subnets ls    Do subnets:ls.
  subnets show  Do subnets:show.

TOPICS
  subnets leases  move

netctl help subnets COMMAND says more.
`);
  });

  it('of a command says everything that may be typed, and what the exit codes mean here', () => {
    expect(helpOf('init-network')).toBe(`Do init-network.

USAGE
  netctl init-network [NETWORK] [FLAGS]

ARGUMENTS
  NETWORK  The range, such as 10.5.0.0/16.

FLAGS
      --backend-option KEY=VALUE  An option of the backend. [may be repeated]
      --file FILE|-               Read it from a file.
  -f, --force                     Do it.

DESCRIPTION
  What it does in full.

    an indented line that stays as it is, however long it may be and whatever the width is

EXAMPLES
  The usual range
    netctl init-network 10.5.0.0/16

EXIT CODES
  3  The network is in use.
`);
  });

  it('names variables, values and groups of flags', () => {
    const text = helpOf('subnets:ls');
    expect(text).toContain('      --[no-]color\n');
    expect(text).toContain('OUTPUT FLAGS\n');
    expect(text).toContain('  -o, --output OUTPUT  How to print. [table|json; $NETCTL_OUTPUT]\n');
    expect(helpOf('network:history')).toContain('ALIASES\n  netctl network log\n');
  });

  it('keeps to the width of the terminal, but never breaks an example', () => {
    for (const columns of [20, 40, 60, 79, 80, 100, 200]) {
      const lines = `${helpOf('subnets:ls', columns)}${rootHelp(program, { ...plain, columns })}`.split('\n');
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(Math.min(100, Math.max(40, columns)));
    }
    expect(helpOf('init-network', 20)).toContain('    netctl init-network 10.5.0.0/16\n');
  });
});
