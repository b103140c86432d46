import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, lockFlags, outputFlags, ownFlags, severalArguments } from '../../lib/cli/flags';
import { chooseNodes, openHosts } from '../../lib/cli/nodes';
import { reset } from '../../lib/cli/reset';
import { type NetworkReading, Session } from '../../lib/cli/session';
import { exitCodes, NetctlError, Refused } from '../../lib/errors';
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
      all: Flags.boolean({ summary: 'All nodes of the inventory.' }),
      limit: Flags.string({
        summary: 'Only nodes whose name matches, or with a label: web*, @rack1; can be repeated.',
        helpValue: 'PATTERN',
        multiple: true,
        multipleNonGreedy: true,
      }),
      'keep-lease': Flags.boolean({
        summary: 'Leave the lease in etcd: the node gets the same subnet when it comes back within a day.',
      }),
      serial: Flags.integer({ summary: 'So many nodes at a time.', helpValue: 'N', default: 8, min: 1, max: 64 }),
      'max-failures': Flags.integer({
        summary: 'Begin no further node after so many have failed.',
        helpValue: 'N',
        min: 1,
      }),
      archive: Flags.string({
        summary:
          'A release archive whose programs may go; that of the inventory and those fetched before count anyway.',
        helpValue: 'FILE',
      }),
      'host-key': Flags.option({
        options: ['strict', 'accept-new', 'off'] as const,
        summary: 'What to do with the key of a host: strict takes known ones only.',
      })(),
      'dry-run': Flags.boolean({ summary: 'Show what would be done, with differences; do nothing.' }),
      yes: Flags.boolean({ char: 'y', summary: 'Do not ask, also where containers stop.' }),
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
      const format = this.format(flags);
      if (format === 'table' || format === 'wide') {
        await this.write(await renderReset(document, this.screen, flags['dry-run']));
      } else {
        const { items, ...extra } = document;
        await this.printList(items, nodeResetListView, flags, extra);
      }
      const states = new Set(document.items.map(({ state }) => state));
      if (states.has('failed') || states.has('skipped')) this.exitWith(exitCodes.failed);
      else if (states.has('unreachable')) this.exitWith(exitCodes.unreachable);
      else if (states.has('blocked')) this.exitWith(exitCodes.refused);
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
    if (yes) {
      for (const line of lines) this.say(`containers run on ${line}`);
      return;
    }
    const { canAsk, confirm } = await import('../../lib/cli/ask');
    for (const chunk of await renderReset(plan, this.talkScreen, true)) process.stderr.write(chunk);
    if (!canAsk()) {
      if (lines.length > 0) {
        throw new Refused({
          code: 'containers-run',
          message: 'containers run there that would stop, or lose the other nodes, so nothing was done',
          details: lines,
          next: ['Stop or move them first.', 'Or, when they may stop: the same command with --yes'],
        });
      }
      throw new Refused({
        code: 'not-confirmed',
        message: 'nobody is there to confirm these changes, so nothing was done',
        next: ['Read what would be done, above, then add --yes'],
      });
    }
    const question = lines.length > 0 ? 'Containers stop, as shown above. Do this?' : 'Do this?';
    if (!(await confirm(question))) {
      throw new Refused({ code: 'not-confirmed', message: 'not confirmed, nothing was done' });
    }
  }
}
