import * as Flags from '@oclif/core/flags';
import { hostKeyFlag, ownFlags, requiredArgument } from '../../lib/cli/flags';
import { openHosts } from '../../lib/cli/nodes';
import { carryOutRehome, planRehomeRun, type RehomeWork } from '../../lib/cli/rehome';
import { Session } from '../../lib/cli/session';
import { requireSubnet } from '../../lib/cli/subnet-owner';
import { SubnetWorkCommand, subnetWorkFlags } from '../../lib/cli/subnet-work';
import { exitCodes } from '../../lib/errors';
import { formatCidr, requireIpv4 } from '../../lib/net/cidr';
import { formatIpv4 } from '../../lib/net/ipv4';

export default class SubnetsRehome extends SubnetWorkCommand {
  static override summary = 'Lets a node whose address has changed keep its subnet.';
  static override description =
    'flanneld finds its lease by its public IP. With another address it would take another subnet, and its containers would have to move. So the ' +
    'address in the lease is changed, and nothing else in it. A flanneld that runs writes its old address back when it renews: netctl stops it ' +
    'over SSH, changes the lease, and starts it again unless it was told its old address: then netctl node bootstrap does. Docker and its ' +
    'containers are not touched. A reservation goes with the subnet.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> 10.5.1.0/24 --to 192.168.0.17 --dry-run',
    '<%= config.bin %> <%= command.id %> 10.5.1.0/24 --to 192.168.0.17 --drop 10.5.44.0/24',
    '<%= config.bin %> <%= command.id %> 10.5.1.0/24 --to 192.168.0.17 --etcd-only --yes',
  ];
  static exitCodes = {
    3: "another lease has that address, the subnet is another node's, or whether flanneld runs there is not known",
    10: 'done, and flanneld has to be started with its new address: netctl node bootstrap NODE',
  };
  static override args = { subnet: requiredArgument({ description: 'The subnet that the node keeps.' }) };
  static override flags = {
    ...ownFlags('subnets rehome', {
      to: Flags.string({ summary: 'The public IP that the node has now.', helpValue: 'IP', required: true }),
      drop: Flags.string({
        summary:
          'Take this lease of the new address away: a left-over of the same node. netctl subnets undo brings it back.',
        helpValue: 'SUBNET',
      }),
      ...hostKeyFlag('subnets rehome'),
      'etcd-only': Flags.boolean({
        summary: 'Do not ask the node: you have stopped flanneld there, and will start it.',
      }),
    }),
    ...subnetWorkFlags('subnets rehome'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SubnetsRehome);
    const subnet = requireSubnet(args.subnet);
    const to = formatIpv4(requireIpv4(flags.to, '--to'));
    const drop = flags.drop === undefined ? null : requireSubnet(flags.drop);
    const session = await Session.open(this, flags);
    const opened = await session.networkStore();
    const hosts = await openHosts({ hostKey: flags['host-key'] });
    try {
      const run = { session, opened, hosts, wish: { subnet, to, drop }, etcdOnly: flags['etcd-only'] };
      const done = await this.work<RehomeWork>(
        opened,
        {
          doing: `subnets rehome ${formatCidr(subnet)} --to ${to}`,
          empty: '',
          isSingle: true,
          plan: async () => [await planRehomeRun(run)],
          carryOut: (work, stillOurs) => carryOutRehome(run, work, stillOurs),
        },
        flags,
      );
      const isOff = !flags['dry-run'] && done.items.some(({ problems }) => problems.some(isStopped));
      if (isOff) this.exitWith(exitCodes.problems);
    } finally {
      hosts.close();
    }
  }
}

/** It does not run now. */
function isStopped({ code }: { readonly code: string }): boolean {
  return code === 'rehome-start-it';
}
