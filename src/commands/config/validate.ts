import * as Flags from '@oclif/core/flags';
import { NetctlCommand } from '../../lib/cli/command';
import { argument, outputFlags, ownFlags } from '../../lib/cli/flags';
import { exitCodes } from '../../lib/errors';
import { safeJson } from '../../lib/view/safe-text';

export default class ConfigValidate extends NetctlCommand {
  static override summary = 'Says whether an inventory is valid, and names every problem with its line.';
  static override description =
    "Looks at the file alone: neither etcd nor a node is asked. The network in it is judged as flanneld of the inventory's release would.";
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> prod.yaml -o json',
    '<%= config.bin %> <%= command.id %> --schema > netctl.schema.json',
  ];
  static exitCodes = { 2: 'the inventory is not valid' };
  static override args = {
    file: argument({
      description: 'The inventory; - is standard input. Default: the one that all commands would take.',
    }),
  };
  static override flags = {
    ...ownFlags('config validate', {
      schema: Flags.boolean({ summary: 'Print the JSON Schema of the inventory, for editors, and end.' }),
    }),
    ...outputFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ConfigValidate);
    if (flags.schema) {
      const { inventoryJsonSchema } = await import('../../lib/inventory/schema');
      await this.write([`${safeJson(inventoryJsonSchema(), 2)}\n`]);
      return;
    }
    const [{ openInventoryText }, { inventoryValidationView, located, validateInventory }] = await Promise.all([
      import('../../lib/cli/open-inventory-text'),
      import('../../lib/cli/validate-inventory'),
    ]);
    const { content, file, shownAs } = await openInventoryText(args.file ?? flags.config, process.env, process.cwd());
    const validation = validateInventory(content, file, shownAs);
    await this.printRecord(validation, inventoryValidationView, flags);
    await this.printProblems(located(validation), flags);
    if (!validation.valid) this.exitWith(exitCodes.invalid);
  }
}
