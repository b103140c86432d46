import * as z from 'zod';
import { documentSchema } from './document';

/** `netctl routes ls -o json`. */
export const routeList = documentSchema('RouteList', {
  differences: z.int().describe('Routes that are not as they should be; exit code 10 when there are any.'),
  lost: z.array(z.object({ node: z.string(), error: z.string() })).describe('Nodes that could not be asked.'),
  items: z.array(
    z.object({
      node: z.string(),
      subnet: z.string(),
      expected: z.string().nullable().describe('via ADDRESS, or dev docker0 for its own; null: nobody expects it.'),
      actual: z.string().nullable().describe('As the node has it; null when it has none.'),
      state: z.enum(['ok', 'missing', 'other-gateway', 'extra']),
    }),
  ),
});
