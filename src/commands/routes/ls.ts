import { NetctlCommand } from '../../lib/cli/command';
import { listRoutes } from '../../lib/cli/direct-routes';
import { nodeFlags, outputFlags, severalArguments } from '../../lib/cli/flags';
import { chooseNodes, openHosts } from '../../lib/cli/nodes';
import { Session } from '../../lib/cli/session';
import { exitCodes } from '../../lib/errors';
import { isForPeople } from '../../lib/view/format';
import { routeListView, routesSummary } from '../../lib/view/routes';

export default class RoutesLs extends NetctlCommand {
  static override summary = 'Shows the routes between nodes without flannel, expected against actual.';
  static override description =
    'Each node of the inventory that has a subnet is expected to have docker0 in it, and every other node a route to it. States: ok, missing, ' +
    'other-gateway, and extra for a route within these ranges that nobody expects. Nothing is changed.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> node1 -o json',
  ];
  static exitCodes = { 4: 'a node could not be reached', 10: 'a route is not as it should be' };
  static override args = {
    node: severalArguments({ description: 'Names of nodes in the inventory; all unless told.' }),
  };
  static override flags = {
    ...nodeFlags('routes ls', { atOnce: 8, isAllByDefault: true }),
    ...outputFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RoutesLs);
    const session = await Session.open(this, flags);
    const names = args.node ?? [];
    const nodes = chooseNodes(session.inventory, {
      names,
      all: flags.all || names.length === 0,
      limit: flags.limit ?? [],
    });
    const { inventory } = session;
    if (inventory === undefined) throw new TypeError('nodes come from an inventory');
    const hosts = await openHosts({ hostKey: flags['host-key'] });
    try {
      const document = await listRoutes(inventory, nodes, hosts, flags.serial);
      const { items, ...extra } = document;
      await this.printList(items, routeListView, flags, extra);
      for (const { node, error } of document.lost) this.say(`${node} could not be asked: ${error}`);
      if (isForPeople(this.format(flags)) && items.length > 0) this.say(routesSummary(document));
      if (document.lost.length > 0) this.exitWith(exitCodes.unreachable);
      else if (document.differences > 0) this.exitWith(exitCodes.problems);
    } finally {
      hosts.close();
    }
  }
}
