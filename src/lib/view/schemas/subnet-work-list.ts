import * as z from 'zod';
import { documentSchema } from './document';
import { nodeReportShape } from './node-report-shape';
import { problemItem } from './problem-item';

/** `-o json` of `netctl subnets reserve`, `unreserve`, `mend`, `rehome` and `release`. */
export const subnetWorkList = documentSchema('SubnetWorkList', {
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  applied: z.boolean().describe('False: only a plan, or nothing was to be done.'),
  items: z.array(
    z.object({
      subnet: z.string().describe('Such as 10.5.1.0/24; a key where not even that is known.'),
      publicIP: z.string().nullable(),
      node: z.string().nullable().describe('Name in the inventory, or as it was noted.'),
      state: z.enum(['planned', 'unchanged', 'done', 'failed', 'blocked']),
      before: nodeReportShape.steps.describe('What is done on the node before the keys are written.'),
      changes: z.array(
        z.object({
          kind: z.enum(['put', 'delete']),
          key: z.string(),
          value: z.string().nullable().describe('What is written; null for a delete, and for bytes that are no text.'),
          ttlSeconds: z
            .union([z.number(), z.literal('keep')])
            .nullable()
            .describe('Seconds to live; keep leaves it as it is, null is none.'),
          why: z.string(),
        }),
      ),
      after: nodeReportShape.steps.describe('What is done on the node when the keys are written.'),
      problems: z.array(problemItem),
      error: z.string().nullable(),
    }),
  ),
});
