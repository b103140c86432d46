import * as Flags from '@oclif/core/flags';
import { approve } from '../../lib/cli/approve';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, lockFlags, outputFlags, ownFlags, severalArguments } from '../../lib/cli/flags';
import { Session } from '../../lib/cli/session';
import { undoReclaim } from '../../lib/cli/undo-reclaim';
import { exitCodes } from '../../lib/errors';
import { isForPeople } from '../../lib/view/format';
import { undoListView } from '../../lib/view/subnet-undo';

export default class SubnetsUndo extends NetctlCommand {
  static override summary = 'Puts back leases that netctl has taken away, or lists them.';
  static override description =
    'Only if the subnet is still free, byte for byte as it was, and with the time that it had left then: five minutes at least, a ' +
    'day at most; one of etcd v2 that did not expire comes back for good. A lease that flanneld could not read, or that the config does not fit any more, is not put back. Without SUBNET ' +
    'it is a list, the last deletion first.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> 10.5.1.0/24 --yes',
  ];
  static exitCodes = { 3: 'a lease cannot come back', 6: 'somebody took the subnet meanwhile' };
  static override args = {
    subnet: severalArguments({ description: 'Subnets to put back, as the list has them.' }),
  };
  static override flags = {
    ...ownFlags('subnets undo', {
      'dry-run': Flags.boolean({ summary: 'Show what would come back; write nothing.' }),
      yes: Flags.boolean({ char: 'y', summary: 'Do not ask.' }),
    }),
    ...lockFlags('subnets undo'),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SubnetsUndo);
    const session = await Session.open(this, flags);
    const subnets = args.subnet ?? [];
    const { items, ...extra } = await undoReclaim(this, session, {
      subnets: [...new Set(subnets)],
      dryRun: flags['dry-run'],
      breakLock: flags['break-lock'],
      approve: (plan) =>
        approve({
          yes: flags.yes,
          show: async () => {
            const { renderList } = await import('../../lib/view/list');
            this.talk(await renderList(plan.items, undoListView, 'table', this.talkScreen));
          },
          question: 'Put this back?',
          what: 'this',
          nothing: 'nothing was put back',
          read: 'Read what would come back, above, then add --yes',
        }),
    });
    // Of what was named and is there already a note was said.
    const isSaid = subnets.length > 0 && items.length === 0 && isForPeople(this.format(flags));
    if (!isSaid) await this.printList(items, undoListView, flags, extra);
    if (subnets.length === 0) return;
    const states = new Set(items.map(({ state }) => state));
    if (states.has('failed')) this.exitWith(exitCodes.failed);
    else if (states.has('conflict')) this.exitWith(exitCodes.conflict);
    else if (states.has('taken') || states.has('unfit') || states.has('unreadable')) this.exitWith(exitCodes.refused);
  }
}
