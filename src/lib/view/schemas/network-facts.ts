import * as z from 'zod';

/** `NetworkFacts` of net/network-config.ts: what follows from a config, IPv4 side. */
export const networkFacts = z.object({
  network: z.string(),
  subnetLen: z.int(),
  subnetCount: z.int(),
  firstSubnet: z.string(),
  lastSubnet: z.string(),
  addressesPerSubnet: z.int(),
  containersPerNode: z.int(),
  candidates: z.int().describe('flanneld takes one of the first so many free subnets at random.'),
  mtu: z.int().describe('In containers, on an interface of interfaceMtu.'),
  interfaceMtu: z.int(),
});
