import * as z from 'zod';
import { documentSchema } from './document';
import { nodeReportShape } from './node-report-shape';

/** `netctl routes sync -o json`. */
export const routesSyncList = documentSchema('RoutesSyncList', {
  applied: z.boolean().describe('False: only a plan, or nothing was to be done.'),
  items: z.array(z.object(nodeReportShape)),
});
