import * as z from 'zod';
import { listSchema } from './document';
import { nodeReportShape } from './node-report-shape';
import { problemItem } from './problem-item';

/** `netctl node bootstrap -o json`. */
export const nodeBootstrapList = listSchema('NodeBootstrapList', z.object(nodeReportShape)).extend({
  prefix: z.string(),
  flannel: z.string(),
  archive: z.string().nullable(),
  problems: z.array(problemItem).describe('What concerns no single node.'),
  applied: z.boolean().describe('False: only a plan, or nothing was to be done.'),
});
