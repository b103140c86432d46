import * as Flags from '@oclif/core/flags';
import { reviewConfig } from '../../lib/check/network-config';
import { avoidedRanges } from '../../lib/cli/avoid';
import { NetctlCommand } from '../../lib/cli/command';
import { notAccepted } from '../../lib/cli/config-not-accepted';
import { argument, etcdFlags, flannelFlag, lockFlags, outputFlags, ownFlags } from '../../lib/cli/flags';
import { Session } from '../../lib/cli/session';
import { setNetwork } from '../../lib/cli/set-network';
import { InvalidInput } from '../../lib/errors';
import { historyPrefix } from '../../lib/net/own-keys';
import { historyOf } from '../../lib/plan/network-history';
import { printableConfigText } from '../../lib/view/config-text';

export default class NetworkRollback extends NetctlCommand {
  static override summary = 'Brings back a network config that netctl has replaced.';
  static override description =
    'Without REVISION it is the one that was replaced last. The text is written back byte for byte, under the same guards as ' +
    'any other change: what it does is shown, a change that would cost a node its subnet needs --force, and the config ' +
    'that it replaces is kept as well.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %> 41 --yes',
  ];
  static exitCodes = { 3: 'a node would lose its subnet, and --force was not given' };
  static override args = {
    revision: argument({ description: 'Which one, by its revision in `netctl network history`.' }),
  };
  static override flags = {
    ...ownFlags('network rollback', {
      'dry-run': Flags.boolean({ summary: 'Show what would be written and what it does; write nothing.' }),
      yes: Flags.boolean({ char: 'y', summary: 'Do not ask.' }),
      force: Flags.boolean({ summary: 'Also when nodes lose their subnets, after that has been shown.' }),
    }),
    ...lockFlags('network rollback'),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NetworkRollback);
    if (args.revision !== undefined && !/^\d+$/.test(args.revision)) {
      throw new InvalidInput({
        code: 'no-such-revision',
        message: `${JSON.stringify(args.revision)} is not a revision, which is a whole number`,
        next: ['See which there are: netctl network history'],
      });
    }
    const session = await Session.open(this, flags);
    const opened = await session.networkStore();
    const records = historyOf(await opened.store.snapshot(historyPrefix(opened.prefix)));
    const [record, ...more] =
      args.revision === undefined
        ? records.slice(0, 1)
        : records.filter(({ revision }) => BigInt(revision) === BigInt(args.revision ?? 0));
    if (record === undefined) {
      throw new InvalidInput({
        code: 'no-such-revision',
        message:
          args.revision === undefined
            ? `netctl has replaced no config of ${opened.prefix}, so there is none to bring back`
            : `netctl has kept no config of ${opened.prefix} with revision ${JSON.stringify(args.revision)}`,
        next: ['See which there are: netctl network history'],
      });
    }
    if (more.length > 0) {
      throw new InvalidInput({
        code: 'revision-twice',
        message: `${1 + more.length} kept configs of ${opened.prefix} have the revision ${record.revision}: some came from the backup of another etcd`,
        details: [record, ...more].map(
          ({ config, replacedAt }) => `replaced ${replacedAt}: ${printableConfigText(config)}`,
        ),
        next: ['Give the one that is meant as a file: netctl init-network --file FILE'],
      });
    }
    const review = reviewConfig(record.config, opened.version, { avoid: await avoidedRanges([], session.inventory) });
    if (review.verdict.outcome !== 'accepted') throw notAccepted(review);
    await setNetwork(
      this,
      session,
      opened,
      {
        text: record.config,
        exact: true,
        problems: review.problems,
        command: 'netctl network rollback',
        harmlessNeedsNoForce: true,
      },
      flags,
    );
  }
}
