import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, nodeFlags, outputFlags, severalArguments } from '../../lib/cli/flags';
import { lookAtNodes, stateNetwork } from '../../lib/cli/fleet-state';
import { chooseNodes, openHosts } from '../../lib/cli/nodes';
import { noConfig, Session } from '../../lib/cli/session';
import { statusItems, statusProblems, unknownLines } from '../../lib/cli/status-items';
import { exitCodes } from '../../lib/errors';
import { isForPeople } from '../../lib/view/format';
import { nodeStatusListView } from '../../lib/view/node-status';

export default class NodeStatus extends NetctlCommand {
  static override summary = 'Shows how nodes are: service, lease, Docker, routes, and which peers they reach.';
  static override description =
    'It asks every node by SSH and changes nothing: is flanneld active, does subnet.env equal the lease, docker0 and the MTU equal subnet.env, ' +
    'is there a route to every peer that has a lease, and does it answer a ping over the overlay? A ? is what could not be found out. ' +
    'Only errors and warnings lead to exit code 10.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> hdss7-21 -o json',
    '<%= config.bin %> <%= command.id %> --limit @rack1 -o wide',
  ];
  static exitCodes = { 4: 'a node could not be reached; the others are shown', 10: 'there are errors or warnings' };
  static override args = {
    node: severalArguments({ description: 'Names of nodes in the inventory; all when none is named.' }),
  };
  static override flags = {
    ...nodeFlags('node status', { atOnce: 16, isAllByDefault: true }),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodeStatus);
    const names = args.node ?? [];
    const session = await Session.open(this, flags);
    const { inventory } = session;
    const nodes = chooseNodes(inventory, { names, all: flags.all || names.length === 0, limit: flags.limit ?? [] });
    const network = await session.network();
    if (network.leases.config === null) throw noConfig(network.prefix);
    if (inventory === undefined) throw new TypeError('nodes come from an inventory');
    const compared = { ...(await stateNetwork(network, inventory, nodes)), version: network.version };
    const hosts = await openHosts({ hostKey: flags['host-key'] });
    try {
      const looks = await lookAtNodes(nodes, inventory, compared, hosts, flags.serial);
      const items = statusItems(looks, compared);
      await this.printList(items, nodeStatusListView, flags, {
        prefix: network.prefix,
        api: network.api,
        revision: network.snapshot.revision,
        backend: network.effective?.backend.type ?? null,
      });
      await this.printProblems(statusProblems(items), flags);
      if (network.effective === null) {
        this.say(
          'note: flanneld does not take the config, so peers were not looked at: netctl network validate --live',
        );
      }
      for (const item of items) if (item.error !== null) this.say(item.error.message);
      if (isForPeople(this.format(flags))) for (const line of unknownLines(items)) this.say(line);
      if (items.some(({ state }) => state === 'unreachable')) this.exitWith(exitCodes.unreachable);
      else if (items.some(({ state }) => state === 'problems')) this.exitWith(exitCodes.problems);
    } finally {
      hosts.close();
    }
  }
}
