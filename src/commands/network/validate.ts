import * as Flags from '@oclif/core/flags';
import { reviewConfig } from '../../lib/check/network-config';
import { avoidedRanges } from '../../lib/cli/avoid';
import { NetctlCommand } from '../../lib/cli/command';
import { argument, etcdFlags, flannelFlag, outputFlags, ownFlags } from '../../lib/cli/flags';
import { manyValues } from '../../lib/cli/many-values';
import { Session } from '../../lib/cli/session';
import { exitCodes } from '../../lib/errors';
import { safeJson } from '../../lib/view/safe-text';

export default class NetworkValidate extends NetctlCommand {
  static override summary = "Gives flanneld's verdict on a network config, and says what people regret later.";
  static override description =
    'The verdict is exactly that of the given release: accepted or refused, and the values that flanneld would work with. ' +
    'What would crash it counts as refused. Warnings name what flanneld takes and people regret; they do not change the exit code.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> net-conf.json',
    'etcdctl get /coreos.com/network/config --print-value-only | <%= config.bin %> <%= command.id %> -',
    '<%= config.bin %> <%= command.id %> --live --flannel v0.11.0',
    '<%= config.bin %> <%= command.id %> --schema > flannel-config.schema.json',
  ];
  static exitCodes = { 2: 'flanneld would not take the config' };
  static override args = { file: argument({ description: 'The config as JSON; - is standard input.' }) };
  static override flags = {
    ...ownFlags('network validate', {
      live: Flags.boolean({ summary: 'Judge what is in etcd now.', default: false }),
      avoid: Flags.string({
        summary: 'A range that the network must not overlap; can be repeated.',
        helpValue: 'CIDR',
        multiple: true,
        multipleNonGreedy: true,
        delimiter: ',',
      }),
      schema: Flags.boolean({ summary: 'Print a JSON Schema of the config, for editors, and end.' }),
    }),
    ...flannelFlag(),
    ...outputFlags(),
    ...etcdFlags(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NetworkValidate);
    if (flags.schema) {
      const { networkConfigSchema } = await import('../../lib/net/network-config-schema');
      await this.write([`${safeJson(networkConfigSchema, 2)}\n`]);
      return;
    }
    const session = await Session.open(this, flags);
    const text = await session.configText(args.file, flags.live);
    const review = reviewConfig(text, session.version, {
      avoid: await avoidedRanges(manyValues(flags.avoid), session.inventory),
      ...(session.inventory === undefined ? {} : { nodes: session.inventory.nodes.length }),
    });
    const { networkValidationView } = await import('../../lib/view/network-validation');
    await this.printRecord(...networkValidationView(review, session.version), flags);
    await this.printProblems(review.problems, flags);
    if (review.verdict.outcome !== 'accepted') this.exitWith(exitCodes.invalid);
  }
}
