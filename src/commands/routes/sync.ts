import { approve } from '../../lib/cli/approve';
import { NetctlCommand } from '../../lib/cli/command';
import { syncRoutes } from '../../lib/cli/direct-routes';
import { etcdFlags, nodeChangeFlags, nodeFlags, outputFlags, severalArguments } from '../../lib/cli/flags';
import { fleetExitCode } from '../../lib/cli/fleet-exit-code';
import { chooseNodes, openHosts } from '../../lib/cli/nodes';
import { Session } from '../../lib/cli/session';
import { renderRoutesSync, routesSyncListView } from '../../lib/view/routes';

export default class RoutesSync extends NetctlCommand {
  static override summary =
    'Routes between nodes without flannel: a range for each docker0, static routes to all others.';
  static override description =
    'Each node of the inventory that has a subnet gets it for docker0 ("bip" in daemon.json), and routes to the subnets of the others by their ' +
    'addresses, which must be on the same segment. FORWARD gets two accepts for its own subnet; no policy is changed and no chain flushed. ' +
    'netctl-routes.service puts all of it there again at every boot; stopping it takes exactly that away.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --all --dry-run',
    '<%= config.bin %> <%= command.id %> --all',
    '<%= config.bin %> <%= command.id %> node1 --yes',
  ];
  static exitCodes = { 4: 'a node could not be reached', 5: 'a change failed on a node' };
  static override args = { node: severalArguments({ description: 'Names of nodes in the inventory.' }) };
  static override flags = {
    ...nodeFlags('routes sync', { atOnce: 8 }),
    ...nodeChangeFlags('routes sync'),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RoutesSync);
    const session = await Session.open(this, flags);
    const nodes = chooseNodes(session.inventory, { names: args.node ?? [], all: flags.all, limit: flags.limit ?? [] });
    const { inventory } = session;
    if (inventory === undefined) throw new TypeError('nodes come from an inventory');
    const hosts = await openHosts({ hostKey: flags['host-key'] });
    try {
      const document = await syncRoutes(this, session, inventory, nodes, hosts, {
        dryRun: flags['dry-run'],
        atOnce: flags.serial,
        maxFailures: flags['max-failures'],
        approve: (plan) =>
          approve({
            yes: flags.yes,
            show: async () => this.talk(await renderRoutesSync(plan, this.talkScreen, true)),
            question: 'Do this?',
            nothing: 'nothing was done',
          }),
      });
      await this.printDocument(document, routesSyncListView, flags, () =>
        renderRoutesSync(document, this.screen, flags['dry-run']),
      );
      const code = fleetExitCode(document.items);
      if (code !== undefined) this.exitWith(code);
    } finally {
      hosts.close();
    }
  }
}
