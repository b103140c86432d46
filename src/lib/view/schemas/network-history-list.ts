import * as z from 'zod';
import { listSchema } from './document';

/** `netctl network history -o json`. */
export const networkHistoryList = listSchema(
  'NetworkHistoryList',
  z.object({
    revision: z.string().describe('The argument of netctl network rollback.'),
    state: z.enum(['current', 'replaced']),
    replacedAt: z.string().nullable().describe('ISO 8601, by the clock of who replaced it; null for the current one.'),
    replacedBy: z.string().nullable(),
    command: z.string().nullable(),
    valid: z.boolean(),
    config: z.string().describe('The text; secrets are hidden.'),
  }),
);
