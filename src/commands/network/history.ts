import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, flannelFlag, outputFlags } from '../../lib/cli/flags';
import { Session } from '../../lib/cli/session';
import { judgeConfig } from '../../lib/net/network-config';
import { historyPrefix } from '../../lib/net/own-keys';
import { historyOf } from '../../lib/plan/network-history';
import { printableConfigText } from '../../lib/view/config-text';
import { historyItem, type NetworkHistoryItem, networkHistoryView } from '../../lib/view/network-history';

export default class NetworkHistory extends NetctlCommand {
  static override summary = 'Lists the network config and those that netctl has replaced, the newest first.';
  static override description =
    'Kept is what netctl replaced; a config that somebody wrote over with etcdctl is not here. ' +
    'The records lie beside the network in etcd, where flanneld never looks.';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> -o json'];
  static override flags = { ...flannelFlag(), ...outputFlags(), ...etcdFlags() };

  async run(): Promise<void> {
    const { flags } = await this.parse(NetworkHistory);
    const session = await Session.open(this, flags);
    const opened = await session.networkStore();
    const [network, kept] = await Promise.all([
      session.network(opened),
      opened.store.snapshot(historyPrefix(opened.prefix)),
    ]);
    const items: NetworkHistoryItem[] = historyOf(kept).map((record) =>
      historyItem(record, judgeConfig(record.config, opened.version)),
    );
    const { config } = network.leases;
    if (config !== null) {
      items.unshift({
        revision: config.revision,
        state: 'current',
        replacedAt: null,
        replacedBy: null,
        command: null,
        valid: network.effective !== null,
        config: printableConfigText(config.value),
      });
    }
    await this.printList(items, networkHistoryView, flags);
  }
}
