import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../../lib/cli/command';
import { argument, etcdFlags, flannelFlag, outputFlags, ownFlags } from '../../lib/cli/flags';
import { Session } from '../../lib/cli/session';
import { pastOfSubnets, pastWish } from '../../lib/cli/subnet-past';
import { nodesByPublicIP } from '../../lib/net/node-ref';
import { formatCount } from '../../lib/view/count';
import { isForPeople } from '../../lib/view/format';
import { type SubnetHistoryItem, subnetHistoryView } from '../../lib/view/subnet-history';

export default class SubnetsHistory extends NetctlCommand {
  static override summary = 'Shows who held subnets before, from what etcd itself remembers, the newest first.';
  static override description =
    'etcd v3 remembers every change since it was last compacted, v2 the last 1,000 events of all its keys; of v3 the last 20,000 changes are looked at, and further back with --depth. etcd numbers changes and keeps no time: ' +
    "when one was made is known only where netctl made it and kept a record. A lease that is gone was deleted or has expired, which etcd does not tell apart. Renewals in a row are one line. NODE is whose public IP it is in today's inventory.";
  static override examples = [
    '<%= config.bin %> <%= command.id %> 172.7.21.0/24',
    '<%= config.bin %> <%= command.id %> hdss7-21',
    '<%= config.bin %> <%= command.id %> --last 20 -o wide',
  ];
  static override args = {
    what: argument({
      description: 'SUBNET, an address in it, the public IP of a node, or its name in the inventory; else all of them.',
    }),
  };
  static override flags = {
    ...ownFlags('subnets history', {
      last: Flags.integer({
        summary: 'So many changes, the newest.',
        helpValue: 'N',
        default: 1000,
        min: 1,
        max: 1_000_000,
      }),
      depth: Flags.integer({
        summary: 'etcd v3: look back so many changes of all its keys; more cost etcd far more.',
        helpValue: 'N',
        default: 20_000,
        min: 100,
        max: 1_000_000,
      }),
    }),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(SubnetsHistory);
    const session = await Session.open(this, flags);
    const nodes = session.inventory?.nodes ?? [];
    const wish = pastWish(args.what, nodes);
    const opened = await session.networkStore();
    const { items, omitted, since, until, isCut } = await pastOfSubnets(opened, wish, {
      most: flags.last,
      depth: flags.depth,
    });
    const owners = nodesByPublicIP(nodes);
    const named = items.map(
      (item): SubnetHistoryItem => ({
        ...item,
        node: (item.publicIP === null ? undefined : owners.get(item.publicIP)?.name) ?? null,
      }),
    );
    const { prefix, api } = opened;
    const forgotten = BigInt(since) > 1n;
    await this.printList(named, subnetHistoryView(`etcd remembers no change of ${args.what ?? 'a subnet'}.`), flags, {
      prefix,
      api,
      since,
      until,
      complete: !forgotten && omitted === 0,
    });
    if (!isForPeople(this.format(flags))) return;
    if (omitted > 0) this.say(`${formatCount(omitted)} older changes were left out: --last ${items.length + omitted}`);
    if (!forgotten) return;
    if (isCut) {
      this.say(`looked at since revision ${since}: --depth N goes further back, and costs etcd far more`);
      return;
    }
    this.say(
      api === 'v3'
        ? `etcd was compacted up to revision ${since}: what was before is forgotten`
        : `etcd v2 remembers its last 1,000 events, which begin at ${since}: what was before is forgotten`,
    );
  }
}
