import * as z from 'zod';
import { documentSchema } from './document';

/** `netctl subnets reservations -o json`. */
export const reservationList = documentSchema('ReservationList', {
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  items: z.array(
    z.object({
      subnet: z.string().describe('Such as 10.5.1.0/24; a key where not even that is known.'),
      publicIP: z.string().nullable(),
      node: z.string().nullable(),
      state: z
        .enum([
          'held',
          'open',
          'elsewhere',
          'taken',
          'unreadable',
          'misfit',
          'clash',
          'inventory',
          'no-config',
          'damaged',
        ])
        .describe(
          'held: its node has the lease, or the lease waits for it; open: nobody has it; elsewhere: nobody has it, and its node has another; ' +
            'the others: why it cannot be held.',
        ),
      lease: z
        .object({ subnet: z.string(), publicIP: z.string().nullable() })
        .nullable()
        .describe('Who has the subnet, or what its node has instead.'),
      expiresInSeconds: z.number().nullable(),
      note: z.string().nullable(),
      reservedBy: z.string().nullable(),
      reservedAt: z.string().nullable().describe('ISO 8601, by the clock of who reserved it.'),
      why: z.string().nullable(),
    }),
  ),
});
