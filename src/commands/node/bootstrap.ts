import * as Flags from '@oclif/core/flags';
import { preflightChecks } from '../../lib/check/preflight-checks';
import { approve } from '../../lib/cli/approve';
import { bootstrap } from '../../lib/cli/bootstrap';
import { NetctlCommand } from '../../lib/cli/command';
import {
  etcdFlags,
  flannelFlag,
  lockFlags,
  nodeChangeFlags,
  nodeFlags,
  outputFlags,
  ownFlags,
  severalArguments,
} from '../../lib/cli/flags';
import { fleetExitCode } from '../../lib/cli/fleet-exit-code';
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
      archive: Flags.string({
        summary: 'The release archive of flannel; else that of the inventory, else it is fetched.',
        helpValue: 'FILE',
      }),
      ...nodeFlags('node bootstrap', { atOnce: 8 }),
      ...nodeChangeFlags('node bootstrap'),
      adopt: Flags.boolean({ summary: 'Take over a set-up of flannel or Docker that was made by hand.' }),
      follow: Flags.boolean({ summary: 'Let Docker restart by itself when flannel gets another subnet.' }),
      'skip-check': Flags.option({
        options: preflightChecks.map(({ name }) => name),
        summary: 'Leave out a check of the preflight; can be repeated.',
        helpValue: 'NAME',
        multiple: true,
        multipleNonGreedy: true,
      })(),
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
        approve: (plan) =>
          approve({
            yes: flags.yes,
            show: async () => this.talk(await renderBootstrap(plan, this.talkScreen, true)),
            question: 'Do this?',
            nothing: 'nothing was done',
          }),
      });
      await this.printDocument(document, nodeBootstrapListView, flags, () =>
        renderBootstrap(document, this.screen, flags['dry-run']),
      );
      const code = fleetExitCode(document.items);
      if (code !== undefined) this.exitWith(code);
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
