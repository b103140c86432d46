import * as z from 'zod';
import { documentSchema } from './document';

/** `netctl subnets undo -o json`. */
export const subnetUndoList = documentSchema('SubnetUndoList', {
  prefix: z.string(),
  applied: z.boolean().describe('False: a list or a plan; nothing was written.'),
  items: z.array(
    z.object({
      subnet: z.string(),
      publicIP: z.string().nullable(),
      state: z
        .enum(['free', 'restored', 'there', 'taken', 'unfit', 'unreadable', 'conflict', 'failed'])
        .describe('free: can be put back. restored: was. there: is there already. The others: it cannot, see why.'),
      why: z.string().nullable(),
      ttlSeconds: z.number().nullable().describe('With so much time it comes back; null: it does not expire.'),
      deletedAt: z.string().describe('By the clock of the machine that took it away.'),
      deletedBy: z.string(),
      command: z.string(),
      reasons: z.array(z.string()).describe('Why it was taken for dead.'),
      key: z.string(),
    }),
  ),
});
