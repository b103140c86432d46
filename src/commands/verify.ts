import * as Flags from '@oclif/core/flags';
import { NetctlCommand, type OutputChoice } from '../lib/cli/command';
import { nodeFlags, outputFlags, ownFlags, severalArguments } from '../lib/cli/flags';
import { chooseNodes, openHosts } from '../lib/cli/nodes';
import { Session } from '../lib/cli/session';
import { verifyNodes } from '../lib/cli/verify';
import { exitCodes } from '../lib/errors';
import { plural } from '../lib/view/count';
import { isForPeople } from '../lib/view/format';
import { unknownLines, type VerifyDocument, verifyListView } from '../lib/view/verify';

export default class Verify extends NetctlCommand {
  static override summary = 'Proves that containers on all nodes reach each other, and with which source address.';
  static override description =
    'For the time of the run each node gets an interface on Docker’s bridge, in a network namespace of its own with a free address of the subnet: ' +
    'what a container would have, without an image. From there every node sends to every other one by TCP, UDP and ICMP, less and more than a packet ' +
    'holds, and the receiver says which source address arrived. Nothing stays, also when netctl is killed: all of it lives in one process on the node, ' +
    'which ends with the connection. It needs root there (ssh.sudo), and perl or python3. etcd is not asked.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> hdss7-21 hdss7-22 -o wide',
    '<%= config.bin %> <%= command.id %> --outside 198.51.100.1:80 --with-nodes',
    '<%= config.bin %> <%= command.id %> --junit verify.xml',
  ];
  static exitCodes = {
    4: 'a node could not be asked; its pairs are not known, all others are well',
    10: "a pair fails, or the container's own address does not arrive",
  };
  static override args = {
    node: severalArguments({ description: 'Names of nodes in the inventory; all when none is named.' }),
  };
  static override flags = {
    ...ownFlags('verify', {
      timeout: Flags.integer({
        summary: 'A packet without an answer for so long has failed.',
        helpValue: 'SECONDS',
        default: 5,
        min: 1,
        max: 60,
      }),
      ...nodeFlags('verify', {
        atOnce: 16,
        isAllByDefault: true,
        serial: 'So many nodes send at a time; all of them answer during the whole run.',
      }),
      'with-nodes': Flags.boolean({
        summary: 'Also between containers and the other nodes themselves, by their public IPs.',
      }),
      outside: Flags.string({
        summary: 'Also from containers to this address beyond the cluster: a ping, and with a port a connection.',
        helpValue: 'ADDRESS[:PORT]',
      }),
      junit: Flags.string({
        summary: 'Write the results to this file as well, for a CI system; a file that is there is replaced.',
        helpValue: 'FILE',
      }),
    }),
    ...outputFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Verify);
    const { inventory } = await Session.open(this, { config: flags.config });
    const names = args.node ?? [];
    const nodes = chooseNodes(inventory, { names, all: flags.all || names.length === 0, limit: flags.limit ?? [] });
    if (inventory === undefined) throw new TypeError('nodes come from an inventory');
    const hosts = await openHosts({ hostKey: flags['host-key'] });
    if (this.talkScreen.isTerminal) this.say(`sending packets between ${plural(nodes.length, 'node')}`);
    try {
      const document = await verifyNodes(inventory, nodes, hosts, {
        outside: flags.outside,
        withNodes: flags['with-nodes'],
        answerTimeoutSeconds: flags.timeout,
        atOnce: flags.serial,
      });
      await this.show(document, flags);
      if (flags.junit !== undefined) await writeJunit(flags.junit, document);
      if (document.problems.some(({ severity }) => severity !== 'info')) this.exitWith(exitCodes.problems);
      else if (document.counts.unknown > 0) this.exitWith(exitCodes.unreachable);
    } finally {
      hosts.close();
    }
  }

  private async show(document: VerifyDocument, flags: OutputChoice): Promise<void> {
    const format = this.format(flags);
    if (format === 'table') {
      const { renderVerify } = await import('../lib/view/verify-matrix');
      await this.write(await renderVerify(document, this.screen));
    } else {
      const { items, ...extra } = document;
      await this.printList(items, verifyListView, flags, extra);
    }
    await this.printProblems(document.problems, flags);
    for (const line of unknownLines(document)) this.say(line);
    if (!isForPeople(format)) return;
    const { verifySummary } = await import('../lib/view/verify-matrix');
    this.say(verifySummary(document));
  }
}

async function writeJunit(file: string, document: VerifyDocument): Promise<void> {
  const [{ verifyJunit }, { writeTextFile }] = await Promise.all([
    import('../lib/view/verify-junit'),
    import('../lib/cli/write-file'),
  ]);
  await writeTextFile(file, verifyJunit(document), { mode: 0o644, force: true });
}
