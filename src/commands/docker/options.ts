import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../../lib/cli/command';
import { dockerOptionsText } from '../../lib/cli/docker-options-text';
import { flannelFlag, ownFlags } from '../../lib/cli/flags';
import type { NodeSubnetEnv } from '../../lib/cli/node-subnet-env';

interface NodeFlags {
  readonly config?: string | undefined;
  readonly flannel?: string | undefined;
  readonly 'flannel-env'?: string | undefined;
  readonly 'host-key'?: 'strict' | 'accept-new' | 'off' | undefined;
}

export default class DockerOptions extends NetctlCommand {
  static override summary = "Prints what Docker must be told to use flannel's subnet.";
  static override description =
    'As flannel’s mk-docker-opts.sh does, to the byte and with its exit codes, but nothing in the file is run, and the output goes to standard output unless -d names a file. ' +
    'Exit 1 is the script’s own: FLANNEL_IPMASQ is neither true nor false, or a route to the subnet exists already (from v0.18.0 on, asked with --routes).';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --from /run/flannel/subnet.env',
    '<%= config.bin %> <%= command.id %> --from subnet.env --style json',
    '<%= config.bin %> <%= command.id %> --node hdss7-21 --style json',
    'dockerd $(<%= config.bin %> <%= command.id %> --from /run/flannel/subnet.env --style flags)',
    '<%= config.bin %> <%= command.id %> -f /run/flannel/subnet.env -d /run/docker_opts.env -c -k DOCKER_NETWORK_OPTIONS',
  ];
  static exitCodes = {
    1: 'mk-docker-opts.sh exits 1 here',
    2: 'the file cannot be read, or only a shell could read it',
    4: 'the node could not be reached (--node)',
  };
  static override flags = {
    ...ownFlags('docker options', {
      from: Flags.string({
        summary: 'The subnet file; - is standard input.',
        helpValue: 'FILE',
        exclusive: ['flannel-env'],
      }),
      node: Flags.string({
        summary: 'Read the subnet file, and the routes, of this node of the inventory; -f then names a file there.',
        helpValue: 'NODE',
        exclusive: ['from'],
      }),
      'host-key': Flags.option({
        options: ['strict', 'accept-new', 'off'] as const,
        summary: 'What to do with the key of the node: strict takes known ones only.',
        dependsOn: ['node'],
      })(),
      style: Flags.option({
        options: ['env', 'json', 'flags'] as const,
        summary: 'env: as mk-docker-opts.sh; json: the part of daemon.json; flags: words for dockerd.',
        default: 'env',
      })(),
      'flannel-env': Flags.string({
        char: 'f',
        summary:
          'The subnet file as the script takes it: one that is not there is no error. Default: /run/flannel/subnet.env.',
        helpValue: 'FILE',
      }),
      'docker-env': Flags.string({ char: 'd', summary: 'Write to this file, whole or not at all.', helpValue: 'FILE' }),
      individual: Flags.boolean({ char: 'i', summary: 'One variable for each option.' }),
      combined: Flags.boolean({ char: 'c', summary: 'One variable with all options. Neither -i nor -c: both.' }),
      'without-ip-masq': Flags.boolean({ char: 'm', summary: 'Leave ip-masq out.' }),
      'combined-key': Flags.string({ char: 'k', summary: 'Name of the combined variable.', helpValue: 'KEY' }),
      routes: Flags.string({
        summary: 'What ip route show prints on that node; the script looks for the subnet in it from v0.18.0 on.',
        helpValue: 'FILE',
      }),
    }),
    ...flannelFlag(),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(DockerOptions);
    const node = flags.node === undefined ? undefined : await this.readNode(flags.node, flags);
    const { text, exitCode, notes } = await dockerOptionsText(flags, process.env, node);
    for (const note of notes) this.say(note);
    if (text !== null && flags['docker-env'] === undefined) await this.write([text]);
    this.exitWith(exitCode);
  }

  private async readNode(name: string, flags: NodeFlags): Promise<NodeSubnetEnv> {
    const { Session } = await import('../../lib/cli/session');
    const { nodeSubnetEnv } = await import('../../lib/cli/node-subnet-env');
    const session = await Session.open(this, { config: flags.config, flannel: flags.flannel });
    return nodeSubnetEnv(session, name, { path: flags['flannel-env'], hostKey: flags['host-key'] });
  }
}
