import * as Flags from '@oclif/core/flags';
import { approve } from '../lib/cli/approve';
import { NetctlCommand } from '../lib/cli/command';
import { fixMasquerade } from '../lib/cli/fix-masquerade';
import { nodeChangeFlags, nodeFlags, outputFlags, ownFlags, severalArguments } from '../lib/cli/flags';
import { fleetExitCode } from '../lib/cli/fleet-exit-code';
import { chooseNodes, openHosts } from '../lib/cli/nodes';
import { Session } from '../lib/cli/session';
import { exitCodes, InvalidInput } from '../lib/errors';
import { requireIpv4Cidr } from '../lib/net/cidr';
import { isWrong, type MasqueradeDocument, masqueradeListView, renderFixMasquerade } from '../lib/view/masquerade';

export default class FixMasquerade extends NetctlCommand {
  static override summary = "Containers' own addresses arrive at other nodes, and keep arriving.";
  static override description =
    "Docker's rule -s SUBNET ! -o docker0 -j MASQUERADE hides who sends: other nodes see the node, not the container. Method rule leaves the " +
    "network out of that rule; method docker leaves masquerading to flanneld's --ip-masq. A rule goes in before another goes out, rules of others " +
    'stay to the byte, and netctl-masquerade.service puts ours right again after a restart of Docker, a reboot, a flush or iptables-restore. Packets ' +
    'from containers’ addresses prove it; a node that does not pass is put back as it was. Docker is restarted only where it is shown.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --all --dry-run',
    '<%= config.bin %> <%= command.id %> --all',
    '<%= config.bin %> <%= command.id %> --all --check',
    '<%= config.bin %> <%= command.id %> hdss7-21 --method docker --yes',
    '<%= config.bin %> <%= command.id %> hdss7-21 --revert',
  ];
  static exitCodes = {
    4: 'a node could not be reached',
    5: 'a change failed on a node, or the proof did, and the node was put back',
    10: 'with --check: a node is not as it should be',
  };
  static override args = { node: severalArguments({ description: 'Names of nodes in the inventory.' }) };
  static override flags = {
    ...ownFlags('fix-masquerade', {
      network: Flags.string({
        summary: 'The network of the containers; else what flanneld says on the node, else that of the inventory.',
        helpValue: 'CIDR',
      }),
      ...nodeFlags('fix-masquerade', { atOnce: 8 }),
      ...nodeChangeFlags('fix-masquerade', { stopsContainers: true }),
      method: Flags.option({
        options: ['auto', 'rule', 'docker'] as const,
        default: 'auto' as const,
        summary: "rule narrows Docker's rule, docker leaves it to flanneld, auto chooses and says why.",
      })(),
      revert: Flags.boolean({ summary: "Back to Docker's own rule; our files go." }),
      check: Flags.boolean({ summary: 'Only look; exit code 10 when a node is not as it should be.' }),
      save: Flags.boolean({
        summary:
          'Also write the file that iptables-services or netfilter-persistent loads, without the rules of daemons.',
      }),
      probe: Flags.boolean({
        allowNo: true,
        default: true,
        summary: 'Prove it with packets from containers’ addresses, before and after.',
      }),
    }),
    ...outputFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(FixMasquerade);
    if (flags.revert && (flags.check || flags.method !== 'auto')) {
      throw new InvalidInput({
        code: 'revert-alone',
        message: `--revert and ${flags.check ? '--check' : `--method ${flags.method}`} were both given; say one of them`,
      });
    }
    const network = flags.network === undefined ? null : requireIpv4Cidr(flags.network, '--network');
    const { inventory } = await Session.open(this, flags);
    const nodes = chooseNodes(inventory, { names: args.node ?? [], all: flags.all, limit: flags.limit ?? [] });
    if (inventory === undefined) throw new TypeError('nodes come from an inventory');
    const hosts = await openHosts({ hostKey: flags['host-key'] });
    try {
      const { method, revert, save, probe } = flags;
      const document = await fixMasquerade(this, inventory, nodes, hosts, {
        ...{ network, method, revert, save, probe },
        dryRun: flags['dry-run'] || flags.check,
        atOnce: flags.serial,
        maxFailures: flags['max-failures'],
        approve: (plan, stops) => this.approve(plan, stops, flags.yes),
      });
      await this.printDocument(document, masqueradeListView, flags, () => {
        // Whoever only wants to know what is wrong need not read what would be done.
        const items = flags.check ? document.items.map((item) => ({ ...item, steps: [] })) : document.items;
        return renderFixMasquerade({ ...document, items }, this.screen, flags['dry-run']);
      });
      const code = fleetExitCode(document.items);
      // With --check a node that is blocked is one that is wrong.
      const isUnasked = code === exitCodes.failed || code === exitCodes.unreachable;
      if (flags.check && !isUnasked && document.items.some(isWrong)) this.exitWith(exitCodes.problems);
      else if (code !== undefined) this.exitWith(code);
    } finally {
      hosts.close();
    }
  }

  private async approve(plan: MasqueradeDocument, stops: readonly string[], yes: boolean): Promise<void> {
    const stopping = stops.map((line) => `containers stop on ${line}`);
    if (yes) for (const line of stopping) this.say(line);
    await approve({
      yes,
      show: async () => this.talk(await renderFixMasquerade(plan, this.talkScreen, true)),
      question: stops.length > 0 ? 'Containers stop, as shown above. Do this?' : 'Do this?',
      nothing: 'nothing was done',
      details: stopping,
    });
  }
}
