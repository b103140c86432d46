import * as z from 'zod';
import { documentSchema } from './document';
import { problemItem } from './problem-item';

/** `EffectiveConfig` of net/network-config.ts: what flanneld makes of a config. */
export const effectiveConfig = z.object({
  enableIPv4: z.boolean(),
  network: z.string().nullable().describe('CIDR without host bits; null when IPv4 is off.'),
  subnetLen: z.int().min(0).max(32).nullable(),
  subnetMin: z.string().nullable(),
  subnetMax: z.string().nullable(),
  enableIPv6: z.boolean(),
  ipv6Network: z.string().nullable(),
  ipv6SubnetLen: z.int().min(0).max(128).nullable(),
  ipv6SubnetMin: z.string().nullable(),
  ipv6SubnetMax: z.string().nullable(),
  enableNFTables: z.boolean(),
  backend: z.object({
    type: z.string().describe('Lower case.'),
    explicit: z.boolean().describe('False when the config names no Backend, so that flanneld takes udp.'),
    options: z.record(z.string(), z.unknown()).describe('Given values and the defaults of this release.'),
  }),
});

/** `netctl network validate -o json`. */
export const networkValidation = documentSchema('NetworkValidation', {
  valid: z.boolean().describe('Would flanneld of this release take it?'),
  flannel: z.string().describe('The release by which it was judged, such as v0.28.9.'),
  effective: effectiveConfig.nullable().describe('Null when it is not valid.'),
  problems: z.array(problemItem),
});
