import * as z from 'zod';
import { documentSchema } from './document';
import { subnetItem } from './subnet-item';

/** `netctl subnets ls -o json`. */
export const subnetList = documentSchema('SubnetList', {
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  revision: z.string().describe('All items are as of this revision.'),
  ttlAsked: z.boolean().describe('False: expiresInSeconds is null because nobody asked.'),
  items: z.array(subnetItem),
});
