import * as Flags from '@oclif/core/flags';
import { avoidedRanges } from '../../lib/cli/avoid';
import { NetctlCommand } from '../../lib/cli/command';
import { outputFlags, ownFlags } from '../../lib/cli/flags';
import { manyValues } from '../../lib/cli/many-values';
import { Session } from '../../lib/cli/session';
import { InvalidInput } from '../../lib/errors';
import { parseIpv4Cidr } from '../../lib/net/cidr';
import { readRange } from '../../lib/net/range-input';
import { planCapacity } from '../../lib/plan/capacity';
import { isForPeople } from '../../lib/view/format';
import { layoutListView } from '../../lib/view/layout-list';

export default class NetworkPlan extends NetctlCommand {
  static override summary = 'Says which network suits so many nodes with so many containers.';
  static override description =
    'A node that goes away holds its subnet until its lease runs out, up to 24 hours later. ' +
    'With --churn such dead leases are counted in. Nothing is read from etcd and nothing is written.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --nodes 40 --containers 100',
    '<%= config.bin %> <%= command.id %> --nodes 200 --containers 30 --growth 50% --churn 400 --within 10.0.0.0/8',
  ];
  static override flags = {
    ...ownFlags('network plan', {
      nodes: Flags.integer({ summary: 'Nodes that run at once.', helpValue: 'N', required: true, min: 1 }),
      containers: Flags.integer({ summary: 'Containers on one node.', helpValue: 'M', required: true, min: 1 }),
      growth: Flags.string({ summary: 'Room for so many more nodes: 50%, or 0.5.', helpValue: 'SHARE' }),
      churn: Flags.string({ summary: 'Nodes replaced in a day.', helpValue: 'N' }),
      within: Flags.string({ summary: 'Where the network shall lie; else in private space.', helpValue: 'CIDR' }),
      avoid: Flags.string({
        summary: 'A range that the network must not overlap; can be repeated.',
        helpValue: 'CIDR',
        multiple: true,
        multipleNonGreedy: true,
      }),
    }),
    ...outputFlags(),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(NetworkPlan);
    const session = await Session.open(this, flags);
    const avoid = await avoidedRanges(manyValues(flags.avoid), session.inventory);
    const layouts = planCapacity({
      nodes: flags.nodes,
      containersPerNode: flags.containers,
      ...(flags.growth === undefined ? {} : { growth: share(flags.growth) }),
      ...(flags.churn === undefined ? {} : { churnPerDay: nodesADay(flags.churn) }),
      ...(flags.within === undefined ? {} : { within: await readRange(flags.within, '--within') }),
      avoid: avoid.flatMap(({ cidr }) => parseIpv4Cidr(cidr) ?? []),
    });
    await this.printList(layouts, layoutListView, flags);
    const best = layouts[0];
    if (best !== undefined && isForPeople(this.format(flags))) this.say(`Next: ${best.command}`);
  }
}

function nodesADay(text: string): number {
  if (/^\d+(?:\.\d+)?$/.test(text.trim())) return Number(text);
  throw new InvalidInput({
    code: 'bad-value',
    message: `--churn ${JSON.stringify(text)} is not a number of nodes a day`,
    next: ['--churn 400'],
  });
}

function share(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim());
  if (match === null) {
    throw new InvalidInput({
      code: 'bad-share',
      message: `--growth ${JSON.stringify(text)} is not a share of the nodes`,
      next: ['Write it as 50% or as 0.5'],
    });
  }
  return match[2] === '%' ? Number(match[1]) / 100 : Number(match[1]);
}
