import * as z from 'zod';
import { documentSchema } from './document';

/** `netctl subnets map -o json`. */
export const subnetMap = documentSchema('SubnetMap', {
  prefix: z.string(),
  network: z.string(),
  subnetLen: z.int(),
  count: z.int().describe('Subnets in the picture; the sum of counts.'),
  ttlAsked: z.boolean().describe('False: nothing is expiring because nobody asked.'),
  counts: z.object({
    free: z.int(),
    used: z.int(),
    permanent: z.int(),
    reserved: z.int(),
    expiring: z.int(),
    outside: z.int(),
  }),
  runs: z
    .array(
      z.object({
        state: z.enum(['free', 'used', 'permanent', 'reserved', 'expiring', 'outside']),
        first: z.string(),
        last: z.string(),
        count: z.int(),
      }),
    )
    .describe('Neighbouring subnets of one state, in order.'),
});
