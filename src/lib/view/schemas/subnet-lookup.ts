import * as z from 'zod';
import { documentSchema } from './document';
import { leaseProblemItem } from './lease-problem-item';
import { subnetItem } from './subnet-item';

/** `netctl subnets show -o json`. */
export const subnetLookup = documentSchema('SubnetLookup', {
  query: z.string(),
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  revision: z.string(),
  network: z.string().nullable().describe('The IPv4 network; null without a config that flanneld accepts.'),
  items: z
    .array(
      subnetItem.extend({
        foundBy: z.enum(['subnet', 'address', 'public-ip', 'node']),
        backendData: z.string().nullable().describe('JSON text as the owner wrote it: jq has fromjson.'),
      }),
    )
    .describe('All leases that the query fits, usually one.'),
  reservations: z
    .array(
      z.object({
        subnet: z.string(),
        publicIP: z.string(),
        node: z.string().nullable(),
        note: z.string().nullable(),
      }),
    )
    .nullable()
    .describe('Kept subnets that the query fits, held or not; null when etcd does not let them be read.'),
  problems: z.array(leaseProblemItem),
});
