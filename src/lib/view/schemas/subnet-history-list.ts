import * as z from 'zod';
import { listSchema } from './document';

/** `netctl subnets history -o json`. */
export const subnetHistoryList = listSchema(
  'SubnetHistoryList',
  z.object({
    revision: z.string().describe('Of the change; of several renewals in a row, of the last one.'),
    subnet: z.string().describe('CIDR; the key when flanneld cannot read one out of it.'),
    change: z
      .enum([
        'known',
        'acquired',
        'renewed',
        'changed',
        'handed-over',
        'unreadable',
        'gone',
        'deleted',
        'reserved',
        'unreserved',
      ])
      .describe(
        "known: it was so when etcd's memory begins. handed-over: another public IP was written over it. gone: deleted or expired. deleted: by netctl.",
      ),
    publicIP: z.string().nullable().describe('Who has it after the change, or had it when it went.'),
    before: z.string().nullable().describe('Who had it before, when that was another one.'),
    backend: z.string().nullable(),
    permanent: z.boolean(),
    renewals: z.number().describe('Renewals in a row are one item.'),
    key: z.string(),
    at: z.string().nullable().describe("ISO 8601, from netctl's own record; etcd keeps no time."),
    by: z.string().nullable(),
    command: z.string().nullable(),
    node: z.string().nullable().describe('Name of the node in the inventory that has this public IP now.'),
  }),
).extend({
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  since: z.string().describe('Revision since which etcd remembers everything.'),
  until: z.string(),
  complete: z.boolean().describe('Nothing is forgotten, and nothing was left out by --last.'),
});
