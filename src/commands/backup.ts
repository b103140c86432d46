import * as Flags from '@oclif/core/flags';
import { readBackup } from '../lib/cli/backup';
import { NetctlCommand } from '../lib/cli/command';
import { etcdFlags, flannelFlag, outputFlags, ownFlags, requiredArgument } from '../lib/cli/flags';
import { Session } from '../lib/cli/session';
import { writeTextFile } from '../lib/cli/write-file';
import { InvalidInput } from '../lib/errors';
import { formatBackup } from '../lib/net/backup-file';
import { networkBackupView } from '../lib/view/network-backup';
import { safeJson } from '../lib/view/safe-text';

export default class Backup extends NetctlCommand {
  static override summary = 'Saves the network in etcd to a file: config, leases, reservations, and what netctl keeps.';
  static override description =
    'All is read at one revision; values are kept byte for byte. The file is JSON with one lease a line in a stable order, so that two of them can be compared with diff, and ends in a checksum. ' +
    'It is written whole or not at all and only you may read it: a config may hold secrets. The time that leases have left costs one question to etcd each, so it is asked for up to 10,000 of them, and for more with --ttl; restored without it they get 24 hours.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> network.backup',
    '<%= config.bin %> <%= command.id %> network.backup --force -o json',
    '<%= config.bin %> <%= command.id %> - | ssh vault "cat > network.backup"',
  ];
  static exitCodes = { 3: 'the file is there already, and --force was not given' };
  static override args = {
    file: requiredArgument({ description: 'The file to write, or - for standard output.' }),
  };
  static override flags = {
    ...ownFlags('backup', {
      ttl: Flags.boolean({
        summary: 'Ask how long each lease still lives, also when there are more than 10,000; --no-ttl never does.',
        allowNo: true,
      }),
      force: Flags.boolean({ summary: 'Replace the file when it is there.' }),
    }),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Backup);
    const session = await Session.open(this, flags);
    const opened = await session.networkStore();
    const { backup, ttlAsked, unreadable, leftOut } = await readBackup(this, opened, flags.ttl);
    const { head, config, leases, own } = backup;
    if (config === null && leases.length === 0 && own.length === 0) {
      throw new InvalidInput({
        code: 'nothing-to-back-up',
        message: `there is no network at ${opened.prefix} in etcd ${opened.api}: no config, no lease`,
        next: ['Name the prefix that flanneld uses: --prefix KEY', 'Or the other store: --etcd-api v2'],
      });
    }
    const chunks = formatBackup(backup, (value) => safeJson(value));
    if (args.file === '-') {
      await this.write(chunks);
      return;
    }
    await writeTextFile(args.file, chunks, { mode: 0o600, force: flags.force });
    await this.printRecord(
      {
        file: args.file,
        prefix: head.prefix,
        api: head.api,
        revision: head.revision,
        config: config !== null,
        leases: leases.length,
        ttlAsked,
        unreadable,
        own: own.length,
        leftOut,
      },
      networkBackupView,
      flags,
    );
  }
}
