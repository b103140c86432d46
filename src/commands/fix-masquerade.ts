import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../lib/cli/command';
import { fixMasquerade } from '../lib/cli/fix-masquerade';
import { outputFlags, ownFlags, severalArguments } from '../lib/cli/flags';
import { chooseNodes, openHosts } from '../lib/cli/nodes';
import { Session } from '../lib/cli/session';
import { exitCodes, InvalidInput, Refused } from '../lib/errors';
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
      all: Flags.boolean({ summary: 'All nodes of the inventory.' }),
      limit: Flags.string({
        summary: 'Only nodes whose name matches, or with a label: web*, @rack1; can be repeated.',
        helpValue: 'PATTERN',
        multiple: true,
        multipleNonGreedy: true,
      }),
      network: Flags.string({
        summary: 'The network of the containers; else what flanneld says on the node, else that of the inventory.',
        helpValue: 'CIDR',
      }),
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
      yes: Flags.boolean({ char: 'y', summary: 'Do not ask, also where containers stop.' }),
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
      const format = this.format(flags);
      if (format === 'table' || format === 'wide') {
        // Whoever only wants to know what is wrong need not read what would be done.
        const shown = flags.check
          ? { ...document, items: document.items.map((item) => ({ ...item, steps: [] })) }
          : document;
        await this.write(await renderFixMasquerade(shown, this.screen, flags['dry-run']));
      } else {
        const { items, ...extra } = document;
        await this.printList(items, masqueradeListView, flags, extra);
      }
      const states = new Set(document.items.map(({ state }) => state));
      if (states.has('failed') || states.has('skipped')) this.exitWith(exitCodes.failed);
      else if (states.has('unreachable')) this.exitWith(exitCodes.unreachable);
      else if (flags.check && document.items.some(isWrong)) this.exitWith(exitCodes.problems);
      else if (states.has('blocked')) this.exitWith(exitCodes.refused);
    } finally {
      hosts.close();
    }
  }

  private async approve(plan: MasqueradeDocument, stops: readonly string[], yes: boolean): Promise<void> {
    if (yes) {
      for (const line of stops) this.say(`containers stop on ${line}`);
      return;
    }
    const { canAsk, confirm } = await import('../lib/cli/ask');
    for (const chunk of await renderFixMasquerade(plan, this.talkScreen, true)) process.stderr.write(chunk);
    if (!canAsk()) {
      throw new Refused({
        code: 'not-confirmed',
        message: 'nobody is there to confirm these changes, so nothing was done',
        details: stops.map((line) => `containers stop on ${line}`),
        next: ['Read what would be done, above, then add --yes'],
      });
    }
    const question = stops.length > 0 ? 'Containers stop, as shown above. Do this?' : 'Do this?';
    if (!(await confirm(question))) {
      throw new Refused({ code: 'not-confirmed', message: 'not confirmed, nothing was done' });
    }
  }
}
