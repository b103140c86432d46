import { reservationItems } from '../../lib/check/reservation-items';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, outputFlags } from '../../lib/cli/flags';
import { lookAtReservations } from '../../lib/cli/reserve-scene';
import { Session } from '../../lib/cli/session';
import { isForPeople } from '../../lib/view/format';
import { reservationListView } from '../../lib/view/reservation-list';

export default class SubnetsReservations extends NetctlCommand {
  static override summary = 'Lists the subnets that are kept for nodes, and whether they have them.';
  static override description =
    'A reservation is held when there is a lease with the public IP of its node, whether the node has taken it up or not.';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> -o wide'];
  static override flags = { ...flannelFlag(), ...outputFlags(), ...etcdFlags() };

  async run(): Promise<void> {
    const { flags } = await this.parse(SubnetsReservations);
    const session = await Session.open(this, flags);
    const opened = await session.networkStore();
    const items = reservationItems(await lookAtReservations(session, opened));
    await this.printList(items, reservationListView, flags, { prefix: opened.prefix, api: opened.api });
    if (!isForPeople(this.format(flags))) return;
    for (const { subnet, state, why } of items) if (state !== 'held' && why !== null) this.say(`${subnet}: ${why}`);
    if (items.some(({ state }) => state === 'open')) {
      this.say('Those that are not held: netctl subnets reserve --enforce');
    }
  }
}
