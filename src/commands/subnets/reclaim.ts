import * as Flags from '@oclif/core/flags';
import { approve } from '../../lib/cli/approve';
import { NetctlCommand } from '../../lib/cli/command';
import {
  etcdFlags,
  flannelFlag,
  hostKeyFlag,
  lockFlags,
  outputFlags,
  ownFlags,
  severalArguments,
} from '../../lib/cli/flags';
import { readReports } from '../../lib/cli/read-reports';
import { reclaim } from '../../lib/cli/reclaim';
import { renewMarginSeconds } from '../../lib/cli/renew-margin';
import { Session } from '../../lib/cli/session';
import { exitCodes, InvalidInput } from '../../lib/errors';
import { reclaimListView, renderReclaim } from '../../lib/view/subnet-reclaim';

export default class SubnetsReclaim extends NetctlCommand {
  static override summary = 'Takes away the leases of nodes that are proven gone, and of no others.';
  static override description =
    'Evidence for and against is gathered and shown for each lease: its time to live, the inventory, what SSH finds on its machine, ' +
    'whether it answers other nodes and this machine, packets that come from it. A host that does not answer proves nothing by ' +
    'itself. What goes is kept, and netctl subnets undo puts it back. A lease that is written meanwhile is left.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dead --dry-run',
    '<%= config.bin %> <%= command.id %> 10.5.1.0/24 hdss7-22',
    '<%= config.bin %> <%= command.id %> --from-report monday.json --from-report tuesday.json --yes',
  ];
  static exitCodes = {
    3: 'a lease that was named is not proven gone, or etcd is not well',
    6: 'a lease was written meanwhile, and left',
  };
  static override args = {
    what: severalArguments({ description: 'SUBNET, an address in it, the public IP of a node, or its name.' }),
  };
  static override flags = {
    ...ownFlags('subnets reclaim', {
      dead: Flags.boolean({ summary: 'All leases that are proven gone.' }),
      'from-report': Flags.string({
        summary: 'Only what was gone in every one of these reports (subnets check --report); two at least.',
        helpValue: 'FILE',
        multiple: true,
        multipleNonGreedy: true,
      }),
      ...hostKeyFlag('subnets reclaim'),
      'min-gap': Flags.integer({
        summary: 'So many minutes must lie between the first report and the last.',
        helpValue: 'MINUTES',
        default: 30,
        min: 0,
        max: 10_080,
      }),
      max: Flags.integer({
        summary: 'So many at most in one run; a tenth of all leases, and five at most, when it is not given.',
        helpValue: 'N',
        min: 1,
      }),
      'renew-margin': Flags.string({
        summary: "flanneld's --subnet-lease-renew-margin, in minutes; 60 when it is not set there.",
        helpValue: 'MINUTES',
      }),
      serial: Flags.integer({ summary: 'Ask so many nodes at a time.', helpValue: 'N', default: 16, min: 1, max: 64 }),
      'dry-run': Flags.boolean({ summary: 'Show the evidence and what would go; take nothing away.' }),
      yes: Flags.boolean({ char: 'y', summary: 'Do not ask.' }),
    }),
    ...lockFlags('subnets reclaim'),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SubnetsReclaim);
    const named = args.what ?? [];
    const files = flags['from-report'] ?? [];
    requireChoice(named, flags.dead, files);
    const reports = await readReports(files);
    const session = await Session.open(this, flags);
    const document = await reclaim(this, session, {
      named,
      reports,
      minGapSeconds: flags['min-gap'] * 60,
      max: flags.max,
      renewMarginSeconds: renewMarginSeconds(flags['renew-margin']),
      atOnce: flags.serial,
      hostKey: flags['host-key'],
      dryRun: flags['dry-run'],
      breakLock: flags['break-lock'],
      approve: (plan) => {
        const count = plan.items.filter(({ state }) => state === 'planned').length;
        return approve({
          yes: flags.yes,
          show: async () => this.talk(await renderReclaim(plan, this.talkScreen)),
          question: count === 1 ? 'Take this lease away?' : `Take these ${count} leases away?`,
          what: 'this',
          nothing: 'nothing was taken away',
          read: 'Read the evidence, above, then add --yes',
        });
      },
    });
    await this.printDocument(document, reclaimListView, flags, () => renderReclaim(document, this.screen));
    for (const warning of document.warnings) this.say(`note: ${warning}`);
    const states = new Set(document.items.map(({ state }) => state));
    if (states.has('failed') || states.has('skipped')) this.exitWith(exitCodes.failed);
    else if (states.has('conflict')) this.exitWith(exitCodes.conflict);
    else if (named.length > 0 && states.has('left')) this.exitWith(exitCodes.refused);
  }
}

function requireChoice(named: readonly string[], dead: boolean, files: readonly string[]): void {
  if (dead && named.length > 0) {
    throw new InvalidInput({ code: 'no-leases-named', message: '--dead and leases were both named; say one of them' });
  }
  if (named.length > 0 || dead || files.length > 0) return;
  throw new InvalidInput({
    code: 'no-leases-named',
    message: 'which leases? Name them by subnet or node, or say --dead',
    next: ['See which look dead: netctl subnets reclaim --dead --dry-run'],
  });
}
