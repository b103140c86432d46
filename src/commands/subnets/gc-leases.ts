import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, lockFlags, outputFlags, ownFlags } from '../../lib/cli/flags';
import { gcLeases } from '../../lib/cli/gc-leases';
import { Session } from '../../lib/cli/session';
import { exitCodes } from '../../lib/errors';

export default class SubnetsGcLeases extends NetctlCommand {
  static override summary = 'Lists etcd leases that renewals have left behind, and with --revoke ends them.';
  static override description =
    'With etcd v3 a flanneld takes a new etcd lease at every renewal and leaves the old one to run out, empty, within a day. They do no harm, so this is tidying. ' +
    "An orphan has no key, was granted for 24 hours as flannel's are, and is older than --min-age: a younger one may belong to a flanneld that is about to put its key under it. " +
    'Another program that grants empty leases of 24 hours looks the same. Each one is looked at again just before it is ended. The subnets themselves are never touched.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --revoke --dry-run',
    '<%= config.bin %> <%= command.id %> --revoke --yes',
  ];
  static exitCodes = { 5: 'a lease could not be ended', 6: 'another operator holds the lock' };
  static override flags = {
    ...ownFlags('subnets gc-leases', {
      revoke: Flags.boolean({ summary: 'End the orphans.' }),
      'min-age': Flags.integer({
        summary: 'Leave those that were granted less than so many minutes ago.',
        helpValue: 'MINUTES',
        default: 30,
        min: 5,
        max: 1439,
      }),
      'dry-run': Flags.boolean({ summary: 'Show what would be ended; end nothing.' }),
      yes: Flags.boolean({ char: 'y', summary: 'Do not ask.' }),
    }),
    ...lockFlags('subnets gc-leases'),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(SubnetsGcLeases);
    const session = await Session.open(this, flags);
    const { items, extra, view } = await gcLeases(this, await session.networkStore(), {
      revoke: flags.revoke,
      leastAgeSeconds: flags['min-age'] * 60,
      dryRun: flags['dry-run'],
      yes: flags.yes,
      breakLock: flags['break-lock'],
    });
    await this.printList(items, view, flags, extra);
    if (items.some(({ state }) => state === 'failed')) this.exitWith(exitCodes.failed);
  }
}
