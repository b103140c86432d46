import * as z from 'zod';
import { documentSchema } from './document';
import { leaseEvidence, leaseVerdict } from './lease-evidence';

/** `netctl subnets reclaim -o json`. */
export const subnetReclaimList = documentSchema('SubnetReclaimList', {
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  clusterId: z.string(),
  applied: z.boolean().describe('False: only a plan, or nothing was to be done.'),
  max: z.int().describe('So many at most in one run.'),
  alive: z.int().describe('Leases that were looked at and live; with --dead they are not among the items.'),
  warnings: z.array(z.string()),
  items: z.array(
    z.object({
      subnet: z.string(),
      key: z.string(),
      revision: z.string().describe('At which it was read: the guard of the deletion.'),
      publicIP: z.string().nullable(),
      node: z.string().nullable(),
      expiresInSeconds: z.number().nullable().describe('Null when it does not expire, or when etcd did not say.'),
      verdict: leaseVerdict,
      why: z.string(),
      evidence: z.array(leaseEvidence),
      state: z
        .enum(['planned', 'reclaimed', 'ended', 'conflict', 'failed', 'skipped', 'over-max', 'left'])
        .describe(
          'reclaimed: it is gone. ended: it went by itself meanwhile. conflict: it was written meanwhile and left. left: not proven gone.',
        ),
      error: z.string().nullable(),
    }),
  ),
});
