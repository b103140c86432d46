import * as z from 'zod';
import { problemItem } from './problem-item';

const change = z.object({
  kind: z.enum(['write', 'push', 'remove', 'folder', 'link', 'run', 'wait']),
  what: z.string().describe('A path, or the words of a command.'),
  why: z.string(),
  before: z
    .string()
    .nullable()
    .describe('The text of the file; empty when there is none yet, null when it is not shown.'),
  after: z.string().nullable(),
});

/** A node with what is or was to be done on it: `NodeReport` of view/node-bootstrap.ts. */
export const nodeReportShape = {
  name: z.string(),
  state: z.enum(['planned', 'unchanged', 'done', 'failed', 'skipped', 'blocked', 'unreachable']),
  subnet: z.string().nullable(),
  steps: z.array(
    z.object({
      title: z.string(),
      mind: z.array(z.string()).describe('What the person who approves should know: which containers stop.'),
      changes: z.array(change),
    }),
  ),
  problems: z.array(problemItem),
  error: z.string().nullable(),
};
