import * as z from 'zod';
import { documentSchema } from './document';
import { nodeReportShape } from './node-report-shape';

const carried = z.object({
  kind: z.enum(['kept', 'changed', 'dropped', 'unknown']),
  address: z.string().nullable().describe('The address that arrives; null when none does, or it is not known.'),
  by: z.string().nullable().describe('The rule that decides; null where none does.'),
});

/** `netctl fix-masquerade -o json`. */
export const fixMasqueradeList = documentSchema('FixMasqueradeList', {
  applied: z.boolean().describe('False: only a plan, or nothing was to be done.'),
  items: z.array(
    z.object({
      ...nodeReportShape,
      network: z.string().nullable(),
      method: z.enum(['rule', 'docker']).nullable(),
      reason: z.string().describe('Why this method.'),
      paths: z
        .array(
          z.object({
            path: z.enum([
              'container-to-container',
              'container-to-internet',
              'remote-to-container',
              'host-to-container',
            ]),
            bridge: z.string(),
            from: z.string(),
            to: z.string(),
            before: carried,
            after: carried,
          }),
        )
        .describe('Which source address arrives by the rules of the node, as they stand and as they will be.'),
      chains: z.array(
        z.object({
          program: z.string(),
          table: z.string(),
          chain: z.string(),
          before: z.array(z.string()),
          after: z.array(z.string()),
        }),
      ),
      proof: z
        .object({
          verdict: z.enum(['proved', 'failed', 'unknown']),
          why: z.string(),
          ways: z.array(
            z.object({
              to: z.string(),
              sender: z.string().nullable().describe("The sending container's address."),
              before: z.string().nullable().describe('What the other node saw; `no answer`, or null when not known.'),
              after: z.string().nullable(),
            }),
          ),
          outside: z
            .object({ address: z.string(), before: z.boolean().nullable(), after: z.boolean().nullable() })
            .nullable(),
        })
        .nullable()
        .describe('Null: nothing was changed, or --no-probe.'),
    }),
  ),
});
