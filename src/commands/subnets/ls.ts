import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, outputFlags, ownFlags } from '../../lib/cli/flags';
import { manyValues } from '../../lib/cli/many-values';
import { Session } from '../../lib/cli/session';
import { emptyText, readRows, requirePossible } from '../../lib/cli/subnet-reading';
import { filterHelp, parseFilter, parseSort, sortKeys } from '../../lib/net/subnet-query';
import { formatCount, plural } from '../../lib/view/count';
import { isForPeople } from '../../lib/view/format';
import { mappedRows } from '../../lib/view/rows';
import { subnetCells, subnetItem } from '../../lib/view/subnet-item';
import { subnetListView } from '../../lib/view/subnet-list';

export default class SubnetsLs extends NetctlCommand {
  static override summary = 'Lists the subnets that nodes hold.';
  static override description =
    `The time until a lease expires costs one question to etcd per lease, so it is asked for up to 1,000 of them, and for more with --ttl.

FILTERS
${filterHelp.map((line) => `  ${line}`).join('\n')}`;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    "<%= config.bin %> <%= command.id %> --filter 'node=web*' --sort expires",
    "<%= config.bin %> <%= command.id %> --filter 'expires<1h' -o name",
    '<%= config.bin %> <%= command.id %> --watch',
  ];
  static override flags = {
    ...ownFlags('subnets ls', {
      filter: Flags.string({
        summary: 'Only rows that match, such as backend=vxlan or expires<1h; can be repeated.',
        helpValue: 'EXPRESSION',
        multiple: true,
        multipleNonGreedy: true,
      }),
      sort: Flags.string({
        summary: `By ${sortKeys.join(', ')}; a - in front turns it around.`,
        helpValue: 'KEY,…',
      }),
      ttl: Flags.boolean({ summary: 'Ask for the time until each lease expires; --no-ttl never does.', allowNo: true }),
      watch: Flags.boolean({ char: 'w', summary: 'Go on showing changes until Ctrl-C.' }),
    }),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(SubnetsLs);
    const wish = {
      filter: parseFilter(manyValues(flags.filter)),
      sort: flags.sort === undefined ? null : parseSort(flags.sort),
      ttl: flags.ttl,
    };
    requirePossible(wish);
    const session = await Session.open(this, flags);
    const nodes = session.inventory?.nodes ?? [];
    const network = await session.network();
    if (flags.watch) {
      const { watchSubnets } = await import('../../lib/cli/watch-subnets');
      await watchSubnets(this, network, nodes, wish, this.format(flags));
      return;
    }
    const { rows, ttlAsked } = await readRows(network, nodes, wish);
    const isDocument = /^(json|yaml)$/.test(this.format(flags));
    await this.printList(
      mappedRows(rows, isDocument ? subnetItem : subnetCells),
      subnetListView(ttlAsked, emptyText(network)),
      flags,
      {
        prefix: network.prefix,
        api: network.api,
        revision: network.snapshot.revision,
        ttlAsked,
      },
    );
    if (!ttlAsked && flags.ttl === undefined) {
      this.say(
        `When these ${formatCount(rows.length)} leases expire was not asked: --ttl asks (about ${formatCount(Math.ceil(rows.length / 2600))} s).`,
      );
    }
    const marked = rows.filter(({ problems }) => problems.length > 0).length;
    if (marked > 0 && isForPeople(this.format(flags))) {
      this.say(
        `${plural(marked, 'subnet has', 'subnets have')} problems: netctl subnets check says what and how to mend it`,
      );
    }
    const { unreadable } = network.leases;
    if (unreadable.length > 0) {
      this.say(
        `warning: ${plural(unreadable.length, 'key', 'keys')} among the leases that flanneld cannot read: netctl subnets check`,
      );
    }
  }
}
