import * as z from 'zod';
import { documentSchema } from './document';
import { leaseEvidence, leaseVerdict } from './lease-evidence';
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
  look: z
    .object({
      version: z.string().describe('Of netctl.'),
      at: z.string().describe('ISO 8601, by the clock of this machine.'),
      leases: z.array(
        z.object({
          subnet: z.string(),
          key: z.string(),
          revision: z.string(),
          leaseId: z.string().nullable(),
          expiresInSeconds: z.number().nullable(),
          valueSha256: z.string().describe('Of the stored bytes, hex.'),
          publicIP: z.string().nullable(),
          node: z.string().nullable(),
          verdict: leaseVerdict,
          why: z.string(),
          evidence: z.array(leaseEvidence),
        }),
      ),
    })
    .nullable()
    .describe('Whether the nodes of the leases live (--evidence, --report); null when nobody looked.'),
});
