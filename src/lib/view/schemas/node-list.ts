import * as z from 'zod';
import { documentSchema } from './document';

/** `netctl node ls -o json`. */
export const nodeList = documentSchema('NodeList', {
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  revision: z.string().describe('Leases are as of this revision.'),
  items: z.array(
    z.object({
      name: z.string(),
      address: z.string().describe('Where SSH reaches it.'),
      publicIP: z.string().nullable().describe('Where peers send to; null when the inventory does not say.'),
      subnet: z.string().nullable().describe('What etcd has for this public IP.'),
      wantedSubnet: z.string().nullable().describe('What the inventory wants for it.'),
      lease: z.enum(['held', 'assigned', 'none']).describe('assigned: a key that no flanneld has taken up yet.'),
      permanent: z.boolean().describe('Has no time to live at all.'),
      expiresInSeconds: z.number().nullable().describe('Null without a lease and for one that does not expire.'),
      labels: z.array(z.string()),
    }),
  ),
});
