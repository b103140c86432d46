import { requiredArgument } from '../../lib/cli/flags';
import { lookAtReservations } from '../../lib/cli/reserve-scene';
import { Session } from '../../lib/cli/session';
import { SubnetWorkCommand, subnetWorkFlags } from '../../lib/cli/subnet-work';
import { planUnreserve } from '../../lib/plan/reserve';

export default class SubnetsUnreserve extends SubnetWorkCommand {
  static override summary = 'Keeps a subnet for nobody any more; its lease stays with its node.';
  static override description =
    'The lease is not deleted: a node that has the subnet goes on with it. On etcd v2 the lease gets a time to live again; on etcd v3 one that no ' +
    'node has taken up runs out within a day.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> 10.5.1.0/24',
    '<%= config.bin %> <%= command.id %> web1 --yes',
  ];
  static override args = {
    what: requiredArgument({
      description:
        'SUBNET, the public IP that it is kept for, the name of its node, or the key of a record that cannot be read.',
    }),
  };
  static override flags = subnetWorkFlags('subnets unreserve');

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SubnetsUnreserve);
    const session = await Session.open(this, flags);
    const opened = await session.networkStore();
    await this.work(
      opened,
      {
        doing: `subnets unreserve ${args.what}`,
        empty: `Unchanged: nothing is reserved for ${args.what}.`,
        isSingle: true,
        plan: async () => planUnreserve(args.what, await lookAtReservations(session, opened)),
      },
      flags,
    );
  }
}
