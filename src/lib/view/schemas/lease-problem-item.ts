import * as z from 'zod';
import { problemItem } from './problem-item';

/** `LeaseProblem` of check/leases.ts. */
export const leaseProblemItem = problemItem.extend({
  subject: z
    .string()
    .describe('Key, subnet, public IP or node, several with commas between them; empty for the network as a whole.'),
  keys: z.array(z.string()).describe('Keys of the leases that it concerns.'),
});
