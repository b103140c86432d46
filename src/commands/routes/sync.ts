import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../../lib/cli/command';
import { syncRoutes } from '../../lib/cli/direct-routes';
import { etcdFlags, outputFlags, ownFlags, severalArguments } from '../../lib/cli/flags';
import { chooseNodes, openHosts } from '../../lib/cli/nodes';
import { Session } from '../../lib/cli/session';
import { exitCodes, Refused } from '../../lib/errors';
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
    ...ownFlags('routes sync', {
      all: Flags.boolean({ summary: 'All nodes of the inventory.' }),
      limit: Flags.string({
        summary: 'Only nodes whose name matches, or with a label: web*, @rack1; can be repeated.',
        helpValue: 'PATTERN',
        multiple: true,
        multipleNonGreedy: true,
      }),
      serial: Flags.integer({ summary: 'So many nodes at a time.', helpValue: 'N', default: 8, min: 1, max: 64 }),
      'max-failures': Flags.integer({
        summary: 'Begin no further node after so many have failed.',
        helpValue: 'N',
        min: 1,
      }),
      'host-key': Flags.option({
        options: ['strict', 'accept-new', 'off'] as const,
        summary: 'What to do with the key of a host: strict takes known ones only.',
      })(),
      'dry-run': Flags.boolean({ summary: 'Show what would be done, with differences; do nothing.' }),
      yes: Flags.boolean({ char: 'y', summary: 'Do not ask.' }),
    }),
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
        approve: async (plan) => {
          if (flags.yes) return;
          const { canAsk, confirm } = await import('../../lib/cli/ask');
          for (const chunk of await renderRoutesSync(plan, this.talkScreen, true)) process.stderr.write(chunk);
          if (!canAsk()) {
            throw new Refused({
              code: 'not-confirmed',
              message: 'nobody is there to confirm these changes, so nothing was done',
              next: ['Read what would be done, above, then add --yes'],
            });
          }
          if (!(await confirm('Do this?')))
            throw new Refused({ code: 'not-confirmed', message: 'not confirmed, nothing was done' });
        },
      });
      const format = this.format(flags);
      if (format === 'table' || format === 'wide') {
        await this.write(await renderRoutesSync(document, this.screen, flags['dry-run']));
      } else {
        const { items, ...extra } = document;
        await this.printList(items, routesSyncListView, flags, extra);
      }
      const states = new Set(document.items.map(({ state }) => state));
      if (states.has('failed') || states.has('skipped')) this.exitWith(exitCodes.failed);
      else if (states.has('unreachable')) this.exitWith(exitCodes.unreachable);
      else if (states.has('blocked')) this.exitWith(exitCodes.refused);
    } finally {
      hosts.close();
    }
  }
}
