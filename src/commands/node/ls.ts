import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, outputFlags, ownFlags, severalArguments } from '../../lib/cli/flags';
import { nodeItems } from '../../lib/cli/node-items';
import { chooseNodes } from '../../lib/cli/nodes';
import { Session } from '../../lib/cli/session';
import { plural } from '../../lib/view/count';
import { isForPeople } from '../../lib/view/format';
import { nodeListView } from '../../lib/view/node-list';

export default class NodeLs extends NetctlCommand {
  static override summary = 'Lists the nodes of the inventory with the subnets that they hold.';
  static override description =
    'From the inventory and etcd alone: no node is asked. netctl node status asks them, and says what is wrong.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --limit @rack1 -o name',
  ];
  static override args = {
    node: severalArguments({ description: 'Names of nodes in the inventory; all when none is named.' }),
  };
  static override flags = {
    ...ownFlags('node ls', {
      limit: Flags.string({
        summary: 'Only nodes whose name matches, or with a label: web*, @rack1; can be repeated.',
        helpValue: 'PATTERN',
        multiple: true,
        multipleNonGreedy: true,
      }),
    }),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodeLs);
    const names = args.node ?? [];
    const session = await Session.open(this, flags);
    const nodes = chooseNodes(session.inventory, { names, all: names.length === 0, limit: flags.limit ?? [] });
    const network = await session.network();
    const { items, strangers } = await nodeItems(nodes, session.inventory?.nodes ?? nodes, network);
    await this.printList(items, nodeListView, flags, {
      prefix: network.prefix,
      api: network.api,
      revision: network.snapshot.revision,
    });
    if (strangers > 0 && isForPeople(this.format(flags))) {
      this.say(`${plural(strangers, 'lease is', 'leases are')} of no node of the inventory: netctl subnets ls`);
    }
  }
}
