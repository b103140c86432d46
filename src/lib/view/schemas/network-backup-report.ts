import * as z from 'zod';
import { documentSchema } from './document';

/** `netctl backup FILE -o json`. */
export const networkBackupReport = documentSchema('NetworkBackupReport', {
  file: z.string(),
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  revision: z.string().describe('Of etcd, at which all was read.'),
  config: z.boolean().describe('Whether there was a network config.'),
  leases: z.number(),
  ttlAsked: z.boolean().describe('Whether the file says how long each lease still lives.'),
  unreadable: z.array(z.string()).describe('Keys in the file that flanneld cannot read; they are never restored.'),
  own: z.number().describe("netctl's own records: reservations, deleted leases, replaced configs."),
  leftOut: z.array(z.string()).describe('Keys below the prefix that are no part of a network, and not in the file.'),
});
