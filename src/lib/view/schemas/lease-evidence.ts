import * as z from 'zod';

/** `LeaseVerdict` and `Evidence` of check/lease-evidence.ts. */
export const leaseVerdict = z.enum(['proven-gone', 'not-proven', 'alive', 'kept']);

export const leaseEvidence = z.object({
  name: z.enum(['ttl', 'inventory', 'flanneld', 'elsewhere', 'public-ip', 'overlay', 'traffic', 'reservation']),
  speaks: z.enum(['gone', 'alive', 'unknown']).describe('For the node being gone, against it, or nothing was learnt.'),
  text: z.string(),
});
