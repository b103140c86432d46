import * as z from 'zod';
import { documentSchema } from './document';
import { subnetItem } from './subnet-item';

/** One line of `netctl subnets ls --watch -o json`. */
export const subnetEvent = documentSchema('SubnetEvent', {
  type: z
    .enum(['present', 'added', 'changed', 'renewed', 'deleted'])
    .describe('present: there when the watch began. deleted: item is as it was last seen.'),
  time: z.string().describe('ISO 8601: when netctl saw it, by the clock of its machine.'),
  revision: z.string(),
  item: subnetItem,
});
