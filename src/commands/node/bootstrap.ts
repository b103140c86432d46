import * as Flags from '@oclif/core/flags';
import { preflightChecks } from '../../lib/check/preflight-checks';
import { bootstrap } from '../../lib/cli/bootstrap';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, lockFlags, outputFlags, ownFlags, severalArguments } from '../../lib/cli/flags';
import { chooseNodes, openHosts } from '../../lib/cli/nodes';
import { noConfig, Session } from '../../lib/cli/session';
import { exitCodes, Refused } from '../../lib/errors';
import { nodeBootstrapListView, renderBootstrap } from '../../lib/view/node-bootstrap-text';

export default class NodeBootstrap extends NetctlCommand {
  static override summary =
    "Makes machines flannel nodes over SSH: program, certificates, service, subnet, Docker's bridge.";
  static override description =
    'It looks at every node, says what it would change, asks, does it, and looks again. Run again it changes nothing; a run that was cut off is ' +
    'finished by running it again. Docker is restarted on one node at a time, and only where its running state differs.\n\nCHECKS\n' +
    preflightChecks.map(({ name, about }) => `  ${name.padEnd(15)} ${about}`).join('\n');
  static override examples = [
    '<%= config.bin %> <%= command.id %> --all --dry-run',
    '<%= config.bin %> <%= command.id %> hdss7-21 hdss7-22',
    '<%= config.bin %> <%= command.id %> --limit @rack1 --serial 1 --yes',
  ];
  static exitCodes = {
    4: 'a node could not be reached',
    5: 'a change failed on a node',
    10: 'all was done, and looking again found problems',
  };
  static override args = { node: severalArguments({ description: 'Names of nodes in the inventory.' }) };
  static override flags = {
    ...ownFlags('node bootstrap', {
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
      archive: Flags.string({
        summary: 'The release archive of flannel; else that of the inventory, else it is fetched.',
        helpValue: 'FILE',
      }),
      'host-key': Flags.option({
        options: ['strict', 'accept-new', 'off'] as const,
        summary: 'What to do with the key of a host: strict takes known ones only.',
      })(),
      adopt: Flags.boolean({ summary: 'Take over a set-up of flannel or Docker that was made by hand.' }),
      follow: Flags.boolean({ summary: 'Let Docker restart by itself when flannel gets another subnet.' }),
      'skip-check': Flags.option({
        options: preflightChecks.map(({ name }) => name),
        summary: 'Leave out a check of the preflight; can be repeated.',
        helpValue: 'NAME',
        multiple: true,
        multipleNonGreedy: true,
      })(),
      'dry-run': Flags.boolean({ summary: 'Show what would be done, with differences; do nothing.' }),
      yes: Flags.boolean({ char: 'y', summary: 'Do not ask.' }),
    }),
    ...lockFlags('node bootstrap'),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodeBootstrap);
    const session = await Session.open(this, flags);
    const nodes = chooseNodes(session.inventory, { names: args.node ?? [], all: flags.all, limit: flags.limit ?? [] });
    const network = await session.network();
    if (network.leases.config === null) throw noConfig(network.prefix);
    if (network.effective === null) {
      throw new Refused({
        code: 'config-unusable',
        message: `flannel ${session.version.tag} does not take the config at ${network.leases.config.key}`,
        next: ['See why: netctl network validate --live'],
      });
    }
    const hosts = await openHosts({ hostKey: flags['host-key'] });
    try {
      const document = await bootstrap(this, session, network, nodes, hosts, {
        archive: flags.archive,
        adopt: flags.adopt,
        follow: flags.follow,
        dryRun: flags['dry-run'],
        breakLock: flags['break-lock'],
        skip: new Set(flags['skip-check'] ?? []),
        atOnce: flags.serial,
        maxFailures: flags['max-failures'],
        approve: async (plan) => {
          if (flags.yes) return;
          const { canAsk, confirm } = await import('../../lib/cli/ask');
          for (const chunk of await renderBootstrap(plan, this.talkScreen, true)) process.stderr.write(chunk);
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
        await this.write(await renderBootstrap(document, this.screen, flags['dry-run']));
      } else {
        const { items, ...extra } = document;
        await this.printList(items, nodeBootstrapListView, flags, extra);
      }
      const states = new Set(document.items.map(({ state }) => state));
      if (states.has('failed') || states.has('skipped')) this.exitWith(exitCodes.failed);
      else if (states.has('unreachable')) this.exitWith(exitCodes.unreachable);
      else if (states.has('blocked')) this.exitWith(exitCodes.refused);
      else if (document.applied && document.items.some(({ problems }) => problems.some(isError))) {
        this.exitWith(exitCodes.problems);
      }
    } finally {
      hosts.close();
    }
  }
}

function isError({ severity }: { readonly severity: string }): boolean {
  return severity === 'error';
}
