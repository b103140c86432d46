import * as Flags from '@oclif/core/flags';
import { hostKeyFlag, ownFlags, requiredArgument } from '../../lib/cli/flags';
import { chooseNodes, openHosts } from '../../lib/cli/nodes';
import { carryOutRelease, planReleaseRun, type ReleaseWork } from '../../lib/cli/release';
import { Session } from '../../lib/cli/session';
import { requirePublicIP } from '../../lib/cli/subnet-owner';
import { SubnetWorkCommand, subnetWorkFlags } from '../../lib/cli/subnet-work';
import { publicIPOf } from '../../lib/net/node-ref';

export default class SubnetsRelease extends SubnetWorkCommand {
  static override summary = 'Gives the subnet of a node back that is taken out of service.';
  static override description =
    'flanneld there is stopped first, over SSH, after it was shown: a running one would end with its lease, or take it again. Then the lease goes, and ' +
    'the other nodes take away their routes to it. What it was is kept, and netctl subnets undo puts it back. To take flannel away from ' +
    'the machine as well: netctl node reset. Of a machine that no longer answers: netctl subnets reclaim, which looks for proof.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> web3 --dry-run',
    '<%= config.bin %> <%= command.id %> web3 --unreserve --yes',
  ];
  static exitCodes = { 3: 'whether flanneld runs there is not known, or netctl must not stop it' };
  static override args = { node: requiredArgument({ description: 'Name of a node in the inventory.' }) };
  static override flags = {
    ...ownFlags('subnets release', {
      unreserve: Flags.boolean({ summary: 'Its reservation goes too.' }),
      'etcd-only': Flags.boolean({ summary: 'Do not ask the node: you know that flanneld does not run there.' }),
    }),
    ...hostKeyFlag('subnets release'),
    ...subnetWorkFlags('subnets release'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SubnetsRelease);
    const session = await Session.open(this, flags);
    const { inventory } = session;
    const [node] = chooseNodes(inventory, { names: [args.node], all: false, limit: [] });
    if (inventory === undefined || node === undefined) throw new TypeError(`${args.node} was chosen`);
    const publicIP = requirePublicIP(node);
    const others = inventory.nodes.flatMap((each) => (each === node ? [] : (publicIPOf(each) ?? [])));
    const opened = await session.networkStore();
    const hosts = await openHosts({ hostKey: flags['host-key'] });
    try {
      const wish = { node: node.name, publicIP, others: new Set(others), unreserve: flags.unreserve };
      const run = { session, opened, hosts, inventory, node, wish, etcdOnly: flags['etcd-only'] };
      await this.work<ReleaseWork>(
        opened,
        {
          doing: `subnets release ${node.name}`,
          empty: `Unchanged: ${node.name} (${publicIP}) has no subnet.`,
          isSingle: true,
          plan: () => planReleaseRun(run),
          carryOut: (work, stillOurs) => carryOutRelease(run, work, stillOurs),
        },
        flags,
      );
    } finally {
      hosts.close();
    }
  }
}
