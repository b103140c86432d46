import * as z from 'zod';
import { documentSchema } from './document';
import { leaseProblemItem } from './lease-problem-item';

/** `netctl subnets check -o json`. */
export const subnetCheck = documentSchema('SubnetCheck', {
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  clusterId: z.string(),
  revision: z.string(),
  flannel: z.string().describe('The release by whose rules keys and values were read.'),
  leases: z.int(),
  ttlAsked: z.boolean(),
  healthy: z.boolean().describe('No error and no warning: exit code 0.'),
  counts: z.object({ error: z.int(), warning: z.int(), info: z.int() }),
  problems: z.array(leaseProblemItem).describe('The gravest first.'),
});
