import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../lib/cli/command';
import { etcdFlags, flannelFlag, lockFlags, outputFlags, ownFlags, requiredArgument } from '../lib/cli/flags';
import { largestBackup, readInput } from '../lib/cli/read-input';
import { restore } from '../lib/cli/restore';
import { Session } from '../lib/cli/session';
import { parseBackup } from '../lib/net/backup-file';

export default class Restore extends NetctlCommand {
  static override summary = 'Puts a network back into etcd from a backup; never over one that lives.';
  static override description =
    "The checksum is verified, and every value by flanneld's own rules: what it cannot read is not written. Only missing keys are written, the config last, because a flanneld that waits for it takes a subnet at once. " +
    'Another config or other leases in etcd refuse the whole. A lease gets the time that it had left when the backup was made, at least an hour and at most a day: an owner that is there renews it at once. ' +
    'An interrupted restore is finished by running it again. Into another prefix or the other store of etcd (--prefix, --etcd-api) it is the way to move a network.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> network.backup --dry-run',
    '<%= config.bin %> <%= command.id %> network.backup --yes',
    '<%= config.bin %> <%= command.id %> network.backup --etcd-api v3',
  ];
  static exitCodes = {
    3: 'etcd holds something else there',
    5: 'not all was written; run it again',
    6: 'another operator holds the lock',
  };
  static override args = {
    file: requiredArgument({ description: 'A file that netctl backup wrote, or - for standard input.' }),
  };
  static override flags = {
    ...ownFlags('restore', {
      'dry-run': Flags.boolean({ summary: 'Show what would be written; write nothing.' }),
      yes: Flags.boolean({ char: 'y', summary: 'Do not ask.' }),
    }),
    ...lockFlags('restore'),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Restore);
    const name = args.file === '-' ? 'standard input' : args.file;
    const backup = parseBackup(await readInput(args.file, largestBackup), name);
    const session = await Session.open(this, flags);
    await restore(this, await session.networkStore(), args.file, backup, flags);
  }
}
