import { reviewConfig } from '../../lib/check/network-config';
import { avoidedRanges } from '../../lib/cli/avoid';
import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, outputFlags } from '../../lib/cli/flags';
import { noConfig, Session } from '../../lib/cli/session';
import { capacityOf } from '../../lib/plan/capacity';
import { networkView } from '../../lib/view/network';

export default class NetworkShow extends NetctlCommand {
  static override summary =
    'Shows the network as it is in etcd: its config, what flanneld makes of it, how full it is.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> -o json --prefix /flannel-vxlan/network',
  ];
  static override flags = { ...flannelFlag(), ...outputFlags(), ...etcdFlags() };

  async run(): Promise<void> {
    const { flags } = await this.parse(NetworkShow);
    const session = await Session.open(this, flags);
    const network = await session.network();
    const { config, leases } = network.leases;
    if (config === null) throw noConfig(network.prefix);
    const review = reviewConfig(config.value, network.version, {
      avoid: await avoidedRanges([], session.inventory),
      ...(session.inventory === undefined ? {} : { nodes: session.inventory.nodes.length }),
    });
    const { effective } = review.verdict;
    const [value, view] = networkView(
      {
        prefix: network.prefix,
        api: network.api,
        endpoint: network.snapshot.endpoint,
        clusterId: network.snapshot.clusterId,
        revision: config.revision,
        config: config.value,
        verdict: review.verdict,
        capacity: effective === null ? null : capacityOf(effective, leases),
        leases: leases.length,
        problems: review.problems,
      },
      network.version,
    );
    await this.printRecord(value, view, flags);
    await this.printProblems(review.problems, flags);
  }
}
