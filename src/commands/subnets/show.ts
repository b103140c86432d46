import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, outputFlags, requiredArgument } from '../../lib/cli/flags';
import { readWithReservations } from '../../lib/cli/reserve-scene';
import { Session } from '../../lib/cli/session';
import { lookUpSubnet } from '../../lib/cli/subnet-lookup';
import { exitCodes } from '../../lib/errors';
import { subnetView } from '../../lib/view/subnet';

export default class SubnetsShow extends NetctlCommand {
  static override summary = 'Shows who holds a subnet, found by the subnet, by any address in it, or by its node.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> 172.7.21.0/24',
    '<%= config.bin %> <%= command.id %> 172.7.21.17',
    '<%= config.bin %> <%= command.id %> 10.4.7.21',
    '<%= config.bin %> <%= command.id %> hdss7-21 -o json',
  ];
  static exitCodes = { 10: 'nobody holds it' };
  static override args = {
    what: requiredArgument({
      description: 'SUBNET, an address in it, the public IP of a node, or its name in the inventory.',
    }),
  };
  static override flags = { ...flannelFlag(), ...outputFlags(), ...etcdFlags() };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SubnetsShow);
    const session = await Session.open(this, flags);
    const { network, reservations } = await readWithReservations(this, session);
    const found = await lookUpSubnet(args.what, network, session.inventory?.nodes ?? [], reservations);
    await this.printRecord(found, subnetView, flags);
    await this.printProblems(found.problems, flags);
    if (found.items.length === 0) this.exitWith(exitCodes.problems);
  }
}
