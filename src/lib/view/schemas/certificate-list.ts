import * as z from 'zod';
import { documentSchema } from './document';
import { problemItem } from './problem-item';

/** `netctl certs check -o json`. */
export const certificateList = documentSchema('CertificateList', {
  warnDays: z.int(),
  healthy: z.boolean().describe('No error and no warning, and every node could be asked.'),
  problems: z.array(problemItem.extend({ node: z.string().nullable().describe('Null: on the workstation.') })),
  unreachable: z.array(z.object({ node: z.string(), code: z.string(), message: z.string() })),
  items: z.array(
    z.object({
      node: z.string().nullable().describe('Null on the workstation, from which netctl pushes.'),
      file: z.enum(['ca', 'client']),
      path: z.string(),
      isThere: z.boolean().nullable().describe('Null when that could not be found out.'),
      isAsPushed: z
        .boolean()
        .nullable()
        .describe(
          'Byte for byte what netctl would push? Null when it could not be read, and when netctl would push none.',
        ),
      subject: z.string().nullable(),
      issuer: z.string().nullable(),
      notAfter: z.string().nullable().describe('ISO 8601 in UTC.'),
      daysLeft: z.int().nullable().describe('Whole days; negative when it has expired.'),
      sha256: z.string().nullable().describe('Of the certificate, in hex.'),
      problems: z.array(z.string()).describe('Codes; problems has the sentences.'),
    }),
  ),
});
