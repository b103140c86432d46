import * as Flags from '@oclif/core/flags';
import { checkLeases } from '../../lib/check/leases';
import { groupedProblems } from '../../lib/check/problem-groups';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, hostKeyFlag, outputFlags, ownFlags } from '../../lib/cli/flags';
import { lookForOwners } from '../../lib/cli/look-for-owners';
import { renewMarginSeconds } from '../../lib/cli/renew-margin';
import { reportWords } from '../../lib/cli/report-words';
import { readWithReservations } from '../../lib/cli/reserve-scene';
import { Session } from '../../lib/cli/session';
import { askTtls } from '../../lib/cli/subnet-reading';
import { writeTextFile } from '../../lib/cli/write-file';
import { exitCodes } from '../../lib/errors';
import { formatCount } from '../../lib/view/count';
import { subnetCheckView } from '../../lib/view/subnet-check';

export default class SubnetsCheck extends NetctlCommand {
  static override summary = 'Finds what is wrong with the leases, and says how to mend it.';
  static override description =
    'Keys that flanneld cannot read, overlaps, one public IP or MAC twice, leases that the config does not fit, renewals that fail, ' +
    'reservations that are not held, and more: netctl explain lists all codes. Only errors and warnings lead to exit code 10; remarks do not. Nothing is written.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --no-ttl -o json',
    '<%= config.bin %> <%= command.id %> --report monday.json',
  ];
  static exitCodes = { 10: 'there are errors or warnings' };
  static override flags = {
    ...ownFlags('subnets check', {
      ttl: Flags.boolean({
        summary: 'Ask for the TTL of every lease, to find failing renewals; --no-ttl leaves that out.',
        allowNo: true,
        default: true,
      }),
      ...hostKeyFlag('subnets check'),
      'renew-margin': Flags.string({
        summary: "flanneld's --subnet-lease-renew-margin, in minutes; 60 when it is not set there.",
        helpValue: 'MINUTES',
      }),
      evidence: Flags.boolean({
        summary: 'Also look whether the nodes of the leases live (SSH, pings); -o json then serves subnets reclaim.',
      }),
      report: Flags.string({
        summary: 'Write that, as JSON, to a file for subnets reclaim --from-report; -o FILE.json means the same.',
        helpValue: 'FILE',
      }),
      force: Flags.boolean({ summary: 'Replace the file of --report if it exists.' }),
      serial: Flags.integer({ summary: 'Ask so many nodes at a time.', helpValue: 'N', default: 16, min: 1, max: 64 }),
    }),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    this.argv = reportWords(this.argv);
    const { flags } = await this.parse(SubnetsCheck);
    const marginSeconds = renewMarginSeconds(flags['renew-margin']);
    const session = await Session.open(this, flags);
    const { network, reservations } = await readWithReservations(this, session);
    const { leases } = network.leases;
    const [ttls, etcdLeases] = flags.ttl
      ? await Promise.all([askTtls(network, undefined), network.store.leases()])
      : [undefined, undefined];
    const found = checkLeases({
      api: network.api,
      prefix: network.prefix,
      version: network.version,
      reading: network.leases,
      effective: network.effective,
      nodes: session.inventory?.nodes ?? [],
      ...(reservations === null ? {} : { reservations }),
      ...(ttls === undefined ? {} : { ttls }),
      ...(etcdLeases === undefined ? {} : { etcdLeases }),
      renewMarginSeconds: marginSeconds,
    });
    const problems = groupedProblems(found);
    const [value, view] = subnetCheckView({
      prefix: network.prefix,
      api: network.api,
      clusterId: network.snapshot.clusterId,
      revision: network.snapshot.revision,
      flannel: network.version.tag,
      leases: leases.length,
      ttlAsked: flags.ttl,
      problems,
      look:
        flags.evidence || flags.report !== undefined
          ? await lookForOwners(this, session, network, {
              atOnce: flags.serial,
              hostKey: flags['host-key'],
              renewMarginSeconds: marginSeconds,
            })
          : null,
    });
    if (flags.report !== undefined) {
      const { documentText } = await import('../../lib/view/record');
      await writeTextFile(flags.report, documentText(value, view), { mode: 0o644, force: flags.force });
      this.say(
        `wrote ${flags.report}; a second one in half an hour or more, then: netctl subnets reclaim --from-report`,
      );
    }
    await this.printRecord(value, view, flags);
    await this.printProblems(problems, flags);
    if (network.leases.config === null)
      this.say(`note: there is no config at ${network.prefix}/config, so leases were not compared with one`);
    else if (network.effective === null)
      this.say(
        'note: flanneld does not take the config, so leases were not compared with it: netctl network validate --live',
      );
    if (!flags.ttl)
      this.say(
        `note: the TTLs of ${formatCount(leases.length)} leases were not asked, so failing renewals do not show`,
      );
    if (!value.healthy) this.exitWith(exitCodes.problems);
  }
}
