import * as Flags from '@oclif/core/flags';
import { approve } from '../../lib/cli/approve';
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
import { reset } from '../../lib/cli/reset';
import { type NetworkReading, Session } from '../../lib/cli/session';
import { NetctlError, Refused } from '../../lib/errors';
import { nodeResetListView, type ResetDocument, renderReset } from '../../lib/view/node-reset';

export default class NodeReset extends NetctlCommand {
  static override summary = 'Takes back what node bootstrap put on machines, and nothing else; the lease last.';
  static override description =
    'Only files that say that netctl wrote them, or still are what bootstrap would write, are taken away; what was changed by hand is named and ' +
    'left. flanneld is stopped first, and what it leaves in the kernel goes piece by piece: no chain is flushed. Kernel settings and modules stay ' +
    'as they are now. Docker is restarted on one node at a time.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --all --dry-run',
    '<%= config.bin %> <%= command.id %> hdss7-22',
    '<%= config.bin %> <%= command.id %> hdss7-22 --keep-lease --yes',
  ];
  static exitCodes = { 4: 'a node could not be reached', 5: 'a change failed on a node' };
  static override args = { node: severalArguments({ description: 'Names of nodes in the inventory.' }) };
  static override flags = {
    ...ownFlags('node reset', {
      'keep-lease': Flags.boolean({
        summary: 'Leave the lease in etcd: the node gets the same subnet when it comes back within a day.',
      }),
      ...nodeFlags('node reset', { atOnce: 8 }),
      ...nodeChangeFlags('node reset', { stopsContainers: true }),
      archive: Flags.string({
        summary:
          'A release archive whose programs may go; that of the inventory and those fetched before count anyway.',
        helpValue: 'FILE',
      }),
    }),
    ...lockFlags('node reset'),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodeReset);
    const session = await Session.open(this, flags);
    const nodes = chooseNodes(session.inventory, { names: args.node ?? [], all: flags.all, limit: flags.limit ?? [] });
    const { inventory } = session;
    if (inventory === undefined) throw new TypeError('nodes come from an inventory');
    const network = flags['keep-lease'] ? await this.networkIfReached(session) : await session.network();
    const hosts = await openHosts({ hostKey: flags['host-key'] });
    try {
      const document = await reset(this, session, inventory, network, nodes, hosts, {
        archive: flags.archive,
        keepLease: flags['keep-lease'],
        dryRun: flags['dry-run'],
        breakLock: flags['break-lock'],
        atOnce: flags.serial,
        maxFailures: flags['max-failures'],
        approve: (plan) => this.approve(plan, flags.yes),
      });
      await this.printDocument(document, nodeResetListView, flags, () =>
        renderReset(document, this.screen, flags['dry-run']),
      );
      const code = fleetExitCode(document.items);
      if (code !== undefined) this.exitWith(code);
    } finally {
      hosts.close();
    }
  }

  private async networkIfReached(session: Session): Promise<NetworkReading | null> {
    try {
      return await session.network();
    } catch (error) {
      if (!(error instanceof NetctlError)) throw error;
      this.say(`note: etcd was not asked, the lease is kept anyway: ${error.message}`);
      return null;
    }
  }

  private async approve(plan: ResetDocument, yes: boolean): Promise<void> {
    const stopping = plan.items.filter(({ containers }) => containers.length > 0);
    const lines = stopping.map(({ name, containers }) => `${name}: ${containers.join(', ')}`);
    if (yes) for (const line of lines) this.say(`containers run on ${line}`);
    const stops = lines.length > 0;
    await approve({
      yes,
      show: async () => this.talk(await renderReset(plan, this.talkScreen, true)),
      question: stops ? 'Containers stop, as shown above. Do this?' : 'Do this?',
      nothing: 'nothing was done',
      nobody: stops
        ? new Refused({
            code: 'containers-run',
            message: 'containers run there that would stop, or lose the other nodes, so nothing was done',
            details: lines,
            next: ['Stop or move them first.', 'Or, when they may stop: the same command with --yes'],
          })
        : undefined,
    });
  }
}
