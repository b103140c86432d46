import * as z from 'zod';
import { documentSchema } from './document';
import { networkFacts } from './network-facts';
import { effectiveConfig } from './network-validation';
import { problemItem } from './problem-item';

/** `netctl network show -o json`. */
export const network = documentSchema('Network', {
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  endpoint: z.string().describe('The member of etcd that answered.'),
  clusterId: z.string(),
  revision: z.string().describe("Of the config's last change."),
  flannel: z.string(),
  config: z.string().describe('The stored text; secrets are hidden.'),
  valid: z.boolean(),
  effective: effectiveConfig.nullable(),
  facts: networkFacts.nullable().describe('Null without IPv4 or without a valid config.'),
  capacity: z
    .object({
      total: z.int(),
      used: z.int(),
      free: z.int(),
      utilisation: z.number().min(0).max(1),
      next: z.array(z.string()).describe('The free subnets of which flanneld would take one at random.'),
      wraps: z.boolean(),
    })
    .nullable(),
  leases: z.int(),
  problems: z.array(problemItem),
});
