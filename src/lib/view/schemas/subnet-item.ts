import * as z from 'zod';

/** `SubnetItem` of view/subnet-list.ts. */
export const subnetItem = z.object({
  subnet: z.string().describe('CIDR, with the address of its key.'),
  publicIP: z.string().nullable().describe('Where its owner is reached.'),
  node: z.string().nullable().describe('Name of the node in the inventory that has this public IP.'),
  backend: z.string().nullable(),
  vtepMac: z.string().nullable(),
  vni: z.number().nullable(),
  ipv6Subnet: z.string().nullable(),
  publicIPv6: z.string().nullable(),
  permanent: z.boolean().describe('Has no time to live at all.'),
  expiresInSeconds: z.number().nullable().describe('Null when permanent, and when it was not asked (ttlAsked).'),
  leaseId: z.string().nullable().describe("etcd v3's lease in hex. It changes with every renewal."),
  key: z.string(),
  revision: z.string().describe('Of the last change. Opaque: compare it, do not count with it.'),
  problems: z.array(z.string()).describe('Codes; netctl subnets check has the sentences.'),
});
