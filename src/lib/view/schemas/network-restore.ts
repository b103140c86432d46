import * as z from 'zod';
import { documentSchema } from './document';

const api = z.enum(['v2', 'v3']);

/** `netctl restore FILE -o json`. */
export const networkRestore = documentSchema('NetworkRestore', {
  file: z.string(),
  state: z.enum(['unchanged', 'would-restore', 'restored', 'refused']),
  prefix: z.string(),
  api,
  from: z.object({
    prefix: z.string(),
    api,
    revision: z.string(),
    madeAt: z.string().describe('ISO 8601, by the clock of who made it.'),
    madeBy: z.string(),
  }),
  counts: z.object({
    create: z.number(),
    unchanged: z.number(),
    kept: z.number(),
    skipped: z.number(),
    conflict: z.number(),
  }),
  notes: z.array(z.string()),
  items: z.array(
    z.object({
      key: z.string(),
      what: z.enum(['config', 'lease', 'own']),
      state: z
        .enum(['create', 'unchanged', 'kept', 'skipped', 'conflict'])
        .describe(
          'create: written, or to be written. unchanged: there with this value. kept: there with another one that is no contradiction. skipped: never restored. conflict: contradicted, so nothing is restored.',
        ),
      ttlSeconds: z.number().nullable().describe('What a lease gets; null when it does not expire or is not written.'),
      reason: z.string().nullable(),
    }),
  ),
});
