import { NetctlCommand } from '../../lib/cli/command';
import { etcdFlags, outputFlags } from '../../lib/cli/flags';
import { resolveEtcdSettings } from '../../lib/cli/settings';
import { loadInventory } from '../../lib/inventory/find-inventory';

export default class ConfigShow extends NetctlCommand {
  static override summary = 'Shows every setting that holds, and where its value comes from.';
  static override description =
    'A flag beats NETCTL_…, which beats ETCDCTL_…, which beats the inventory, which beats the default. Passwords are not shown.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --config prod.yaml -o json',
    'ETCDCTL_ENDPOINTS=http://10.4.7.12:2379 <%= config.bin %> <%= command.id %>',
  ];
  static override flags = { ...outputFlags(), ...etcdFlags() };

  async run(): Promise<void> {
    const { flags } = await this.parse(ConfigShow);
    const loaded = await loadInventory({ config: flags.config, env: process.env, cwd: process.cwd() });
    const inventory = loaded?.inventory;
    const name = loaded?.found.shownAs ?? 'netctl.yaml';
    const settings = resolveEtcdSettings({ flags, env: process.env, inventory, inventoryName: name });
    const { effectiveSettings, settingListView } = await import('../../lib/cli/effective-settings');
    await this.printList(effectiveSettings(settings, inventory, name), settingListView, flags, {
      inventory: loaded === undefined ? null : { file: loaded.found.file, by: loaded.found.by },
    });
    for (const notice of settings.notices) this.say(notice);
    if (loaded === undefined)
      this.say('No inventory was found: neither ./netctl.yaml nor one in your configuration directory.');
    for (const file of loaded?.found.ignored ?? []) this.say(`${file} is there too and was not read.`);
  }
}
