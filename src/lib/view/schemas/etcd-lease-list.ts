import * as z from 'zod';
import { listSchema } from './document';

/** `netctl subnets gc-leases -o json`. */
export const etcdLeaseList = listSchema(
  'EtcdLeaseList',
  z.object({
    id: z.string().describe('Lower-case hex, as etcdctl prints it.'),
    state: z
      .enum(['orphan', 'fresh', 'other', 'revoked', 'left', 'failed'])
      .describe(
        'orphan: left behind by a renewal. fresh: so young that a flanneld may be about to use it. other: not one of flannel. left: it was used or gone by then.',
      ),
    ttlSeconds: z.number(),
    grantedSeconds: z.number(),
    ageSeconds: z.number().describe('At least: a change of the leader of etcd sets it back.'),
    reason: z.string().nullable(),
  }),
).extend({
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  applied: z.boolean(),
});
