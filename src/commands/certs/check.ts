import * as Flags from '@oclif/core/flags';
import { fleetCertificates, problemsToTell } from '../../lib/cli/check-certificates';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, nodeFlags, outputFlags, ownFlags, severalArguments } from '../../lib/cli/flags';
import { chooseNodes, openHosts } from '../../lib/cli/nodes';
import { Session } from '../../lib/cli/session';
import { exitCodes } from '../../lib/errors';
import { certificateListView } from '../../lib/view/certificate-list';

export default class CertsCheck extends NetctlCommand {
  static override summary = 'Shows when the certificates run out by which flanneld reaches etcd.';
  static override description =
    'The CA and the client certificate as they lie on the nodes, and those of this machine that netctl node bootstrap would push. ' +
    'Keys are not read. etcd is not asked.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> hdss7-21 --warn-days 60',
    '<%= config.bin %> <%= command.id %> -o json',
  ];
  static exitCodes = {
    4: 'a node could not be reached; the others are shown',
    10: 'a certificate runs out within --warn-days, or is no good',
  };
  static override args = {
    node: severalArguments({ description: 'Names of nodes in the inventory; all when none is named.' }),
  };
  static override flags = {
    ...ownFlags('certs check', {
      'warn-days': Flags.integer({
        summary: 'Report a certificate so many days before its end.',
        helpValue: 'N',
        default: 30,
        min: 0,
        max: 36_500,
      }),
      ...nodeFlags('certs check', { atOnce: 16, isAllByDefault: true }),
    }),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(CertsCheck);
    const names = args.node ?? [];
    const session = await Session.open(this, flags);
    const { inventory } = session;
    const nodes = chooseNodes(inventory, { names, all: flags.all || names.length === 0, limit: flags.limit ?? [] });
    if (inventory === undefined) throw new TypeError('nodes come from an inventory');
    const warnDays = flags['warn-days'];
    const hosts = await openHosts({ hostKey: flags['host-key'] });
    try {
      const found = await fleetCertificates(session, inventory, nodes, hosts, { atOnce: flags.serial, warnDays });
      const { items, problems, unreachable } = found;
      const isBad = problems.some(({ severity }) => severity !== 'info');
      const healthy = !isBad && unreachable.length === 0;
      await this.printList(items, certificateListView(warnDays), flags, { warnDays, healthy, problems, unreachable });
      await this.printProblems(problemsToTell(found), flags);
      for (const { message } of unreachable) this.say(message);
      if (unreachable.length > 0) this.exitWith(exitCodes.unreachable);
      else if (isBad) this.exitWith(exitCodes.problems);
    } finally {
      hosts.close();
    }
  }
}
