import * as Flags from '@oclif/core/flags';
import { reviewConfig } from '../lib/check/network-config';
import { avoidedRanges } from '../lib/cli/avoid';
import { NetctlCommand } from '../lib/cli/command';
import { notAccepted } from '../lib/cli/config-not-accepted';
import { argument, etcdFlags, flannelFlag, lockFlags, outputFlags, ownFlags } from '../lib/cli/flags';
import { manyValues } from '../lib/cli/many-values';
import { networkText } from '../lib/cli/network-text';
import { Session } from '../lib/cli/session';
import { setNetwork } from '../lib/cli/set-network';
import { problemLine } from '../lib/view/problem-line';

export default class InitNetwork extends NetctlCommand {
  static override summary = "Writes the network's config to etcd, where flanneld reads it.";
  static override description =
    'What it writes is what flanneld will take: it is judged as flanneld of the given release would judge it, in exact case, ' +
    'with a Backend named. Asked again it changes nothing. Over a different config it shows what the change does to each lease ' +
    'and node, and refuses without --force; the config that is replaced is kept (netctl network history). ' +
    'Without NETWORK and --file it takes the section `network` of the inventory.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> 172.7.0.0/16 --backend host-gw',
    '<%= config.bin %> <%= command.id %> 10.0.0.0/16 --subnet-min 10.0.1.0 --subnet-max 10.0.20.0 --backend vxlan --backend-option DirectRouting=true',
    '<%= config.bin %> <%= command.id %> --file net-conf.json --dry-run',
    '<%= config.bin %> <%= command.id %> 10.0.0.0/16 --prefix /flannel-vxlan/network --etcd-api v2',
  ];
  static exitCodes = { 3: 'a different config is there, and --force was not given' };
  static override args = { network: argument({ description: 'The address space of all containers, as a CIDR.' }) };
  static override flags = {
    ...ownFlags('init-network', {
      'subnet-len': Flags.integer({ summary: 'Prefix length of one subnet.', helpValue: 'LEN', helpGroup: 'NETWORK' }),
      'subnet-min': Flags.string({ summary: 'First subnet to hand out.', helpValue: 'ADDRESS', helpGroup: 'NETWORK' }),
      'subnet-max': Flags.string({ summary: 'Last subnet to hand out.', helpValue: 'ADDRESS', helpGroup: 'NETWORK' }),
      backend: Flags.string({
        summary: 'How packets travel between nodes: vxlan (the default), host-gw, udp, wireguard, …',
        helpValue: 'TYPE',
        helpGroup: 'NETWORK',
      }),
      'backend-option': Flags.string({
        summary: 'An option of the backend, such as DirectRouting=true; can be repeated.',
        helpValue: 'KEY=VALUE',
        helpGroup: 'NETWORK',
        multiple: true,
        multipleNonGreedy: true,
      }),
      'ipv6-network': Flags.string({ summary: 'Turns IPv6 on.', helpValue: 'CIDR', helpGroup: 'NETWORK' }),
      'ipv6-subnet-len': Flags.integer({ summary: 'As --subnet-len.', helpValue: 'LEN', helpGroup: 'NETWORK' }),
      'ipv6-subnet-min': Flags.string({ summary: 'As --subnet-min.', helpValue: 'ADDRESS', helpGroup: 'NETWORK' }),
      'ipv6-subnet-max': Flags.string({ summary: 'As --subnet-max.', helpValue: 'ADDRESS', helpGroup: 'NETWORK' }),
      nftables: Flags.boolean({ summary: 'Let flanneld use nftables (v0.25.0 and later).', helpGroup: 'NETWORK' }),
      file: Flags.string({
        char: 'f',
        summary: 'Take the config from a JSON file; - is standard input.',
        helpValue: 'FILE',
        helpGroup: 'NETWORK',
      }),
      avoid: Flags.string({
        summary: 'A range that the network must not overlap; can be repeated.',
        helpValue: 'CIDR',
        multiple: true,
        multipleNonGreedy: true,
      }),
      'dry-run': Flags.boolean({ summary: 'Show what would be written and what it does; write nothing.' }),
      yes: Flags.boolean({ char: 'y', summary: 'Do not ask.' }),
      force: Flags.boolean({ summary: 'Replace a different config, after what that does has been shown.' }),
    }),
    ...lockFlags('init-network'),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InitNetwork);
    const session = await Session.open(this, flags);
    const avoid = await avoidedRanges(manyValues(flags.avoid), session.inventory);
    const given = flags['backend-option'];
    const options = given === undefined ? {} : { 'backend-option': manyValues(given) };
    const wish = await networkText(args.network, { ...flags, ...options }, session);
    const opened = await session.networkStore();
    const review = reviewConfig(wish, opened.version, {
      avoid,
      ...(session.inventory === undefined ? {} : { nodes: session.inventory.nodes.length }),
    });
    if (review.verdict.outcome !== 'accepted') throw notAccepted(review);
    for (const problem of review.problems) this.say(problemLine(problem));
    await setNetwork(
      this,
      session,
      opened,
      {
        text: Buffer.from(wish),
        exact: false,
        problems: review.problems,
        command: 'netctl init-network',
        harmlessNeedsNoForce: false,
      },
      flags,
    );
  }
}
