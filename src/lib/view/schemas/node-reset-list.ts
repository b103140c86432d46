import * as z from 'zod';
import { documentSchema } from './document';
import { nodeReportShape } from './node-report-shape';

/** `netctl node reset -o json`. */
export const nodeResetList = documentSchema('NodeResetList', {
  prefix: z.string(),
  applied: z.boolean().describe('False: only a plan, or nothing was to be done.'),
  keepLease: z.boolean(),
  items: z.array(
    z.object({
      ...nodeReportShape,
      containers: z
        .array(z.string())
        .describe('Containers on the default bridge that run: they stop, or reach other nodes no longer.'),
      leases: z.array(z.string()).describe('Keys in etcd that go; when the state is done they are gone.'),
    }),
  ),
});
