import * as z from 'zod';

/** `Problem` of net/problem.ts as it stands in JSON. */
export const problemItem = z.object({
  code: z.string().describe('Stable kebab-case word: the argument of `netctl explain`.'),
  severity: z.enum(['error', 'warning', 'info']),
  path: z.string().describe('Where: a JSON path, a key, a subnet; empty for the whole.'),
  message: z.string(),
  suggestion: z.string().nullable().describe('The corrected form or the command to run.'),
});
