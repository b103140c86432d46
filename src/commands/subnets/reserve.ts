import * as Flags from '@oclif/core/flags';
import { argument, ownFlags } from '../../lib/cli/flags';
import { lookAtReservations } from '../../lib/cli/reserve-scene';
import { Session } from '../../lib/cli/session';
import { ownerOf, requireNote, requireSubnet } from '../../lib/cli/subnet-owner';
import { SubnetWorkCommand, subnetWorkFlags } from '../../lib/cli/subnet-work';
import { whoAmI } from '../../lib/cli/who-am-i';
import { exitCodes, InvalidInput } from '../../lib/errors';
import { formatCidr } from '../../lib/net/cidr';
import { planEnforce, planReserve } from '../../lib/plan/reserve';

export default class SubnetsReserve extends SubnetWorkCommand {
  static override summary = 'Keeps a subnet for one node, also while the node is away.';
  static override description =
    'On etcd v2 the lease becomes a key without a time to live, which flanneld leaves as it is. On etcd v3 flanneld turns every such key into a ' +
    'lease of 24 hours, so the wish is kept beside the network, and a lease is made beforehand that only this node takes up. ' +
    'When its node is away longer than that it would run out: run --enforce twice a day, from cron for example. It makes lost leases again and ' +
    'extends those with less than 12 hours left. netctl node bootstrap gives the node its reserved subnet, and reclaim leaves it alone.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> 10.5.1.0/24 --node web1',
    '<%= config.bin %> <%= command.id %> 10.5.2.0/24 --public-ip 192.168.0.7 --note "the new rack"',
    '<%= config.bin %> <%= command.id %> --enforce --yes',
  ];
  static exitCodes = { 3: 'somebody else has the subnet', 10: 'a reservation is not held, the message says why' };
  static override args = { subnet: argument({ description: 'Such as 10.5.1.0/24.' }) };
  static override flags = {
    ...ownFlags('subnets reserve', {
      node: Flags.string({ summary: 'For this node of the inventory.', helpValue: 'NAME' }),
      'public-ip': Flags.string({ summary: 'For the node with this public IP.', helpValue: 'IP' }),
      note: Flags.string({ summary: 'Why, for others who look.', helpValue: 'TEXT' }),
      enforce: Flags.boolean({ summary: 'All reservations: make lost leases again, tell those that cannot be held.' }),
    }),
    ...subnetWorkFlags('subnets reserve'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SubnetsReserve);
    const isNamed = args.subnet !== undefined;
    if (!flags.enforce !== (isNamed || flags.node !== undefined || flags['public-ip'] !== undefined)) {
      throw new InvalidInput({
        code: 'reserve-what',
        message: flags.enforce
          ? '--enforce looks at all reservations, so it takes no subnet and no node'
          : 'which subnet? Name one, or say --enforce',
        next: ['netctl subnets reserve 10.5.1.0/24 --node NAME', 'netctl subnets reserve --enforce'],
      });
    }
    const note = flags.note === undefined ? null : requireNote(flags.note);
    const session = await Session.open(this, flags);
    const subnet = isNamed ? requireSubnet(args.subnet) : undefined;
    const owner = subnet === undefined ? undefined : ownerOf(flags, session.inventory, subnet);
    const opened = await session.networkStore();
    const now = new Date().toISOString();
    const done = await this.work(
      opened,
      {
        doing: subnet === undefined ? 'subnets reserve --enforce' : `subnets reserve ${formatCidr(subnet)}`,
        empty: 'Nothing is reserved.',
        isSingle: subnet !== undefined,
        plan: async () => {
          const scene = await lookAtReservations(session, opened, subnet === undefined ? [] : [subnet]);
          if (subnet === undefined || owner === undefined) return planEnforce(scene);
          const { publicIP, node } = owner;
          return [planReserve({ subnet, publicIP, node, note, reservedBy: whoAmI(), reservedAt: now }, scene)];
        },
      },
      flags,
    );
    const isBad = done.items.some(({ problems }) => problems.length > 0);
    if (isBad && process.exitCode === undefined) this.exitWith(exitCodes.problems);
  }
}
