import * as z from 'zod';
import { listSchema } from './document';

/** `netctl network plan -o json`. */
export const networkLayoutList = listSchema(
  'NetworkLayoutList',
  z.object({
    network: z.string(),
    subnetLen: z.int(),
    subnets: z.int(),
    needed: z.int(),
    spare: z.int(),
    utilisation: z.number(),
    containersPerNode: z.int(),
    recommended: z.boolean(),
    note: z.string(),
    command: z.string().describe('Sets it up.'),
  }),
);
