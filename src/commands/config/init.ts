import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../../lib/cli/command';
import { argument, etcdFlags, flannelFlag, ownFlags } from '../../lib/cli/flags';
import { manyValues } from '../../lib/cli/many-values';

export default class ConfigInit extends NetctlCommand {
  static override summary = 'Writes an inventory to begin with, every key of it explained.';
  static override description =
    'Flags and variables that are given are filled in; the rest stands there as comments. ' +
    'An inventory that exists is left alone unless --force is given. A password is never written.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --endpoints http://10.4.7.12:2379 --network 172.7.0.0/16 --backend host-gw --node node21=10.4.7.21 --node node22=10.4.7.22',
    '<%= config.bin %> <%= command.id %> --full - | less',
  ];
  static exitCodes = { 3: 'the file is there already' };
  static override args = {
    file: argument({ description: 'Where to write it (default: netctl.yaml); - is standard output.' }),
  };
  static override flags = {
    ...ownFlags('config init', {
      network: Flags.string({ summary: 'Range of the container network.', helpValue: 'CIDR' }),
      'subnet-len': Flags.integer({
        summary: "Prefix length of each node's subnet.",
        helpValue: 'LENGTH',
        min: 1,
        max: 30,
      }),
      backend: Flags.string({ summary: 'How packets get from node to node: host-gw, vxlan …', helpValue: 'TYPE' }),
      node: Flags.string({
        summary: 'A node; can be repeated.',
        helpValue: 'NAME=ADDRESS',
        multiple: true,
        multipleNonGreedy: true,
      }),
      full: Flags.boolean({ summary: 'Explain every key there is.' }),
      force: Flags.boolean({ summary: 'Replace the file if it exists.' }),
    }),
    ...flannelFlag(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ConfigInit);
    const { initialInventory } = await import('../../lib/cli/init-inventory');
    const file = args.file ?? 'netctl.yaml';
    const text = initialInventory({
      ...flags,
      file: file === '-' ? 'netctl.yaml' : file,
      cwd: process.cwd(),
      env: process.env,
      etcd: flags,
      subnetLen: flags['subnet-len'],
      nodes: manyValues(flags.node),
    });
    if (file === '-') {
      await this.write([text]);
      return;
    }
    const { writeTextFile } = await import('../../lib/cli/write-file');
    await writeTextFile(file, text, { mode: 0o644, force: flags.force });
    this.say(`Wrote ${file}. Next: fill it in, then netctl config validate`);
  }
}
