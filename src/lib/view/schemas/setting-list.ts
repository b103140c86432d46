import * as z from 'zod';
import { documentSchema } from './document';

/** `netctl config show -o json`. */
export const settingList = documentSchema('SettingList', {
  inventory: z
    .object({
      file: z.string(),
      by: z.enum(['--config', 'NETCTL_CONFIG', 'working directory', 'configuration directory']),
    })
    .nullable(),
  items: z.array(
    z.object({
      setting: z.string().describe('Path of the key in an inventory.'),
      value: z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]),
      source: z.object({
        kind: z.enum(['flag', 'env', 'file', 'default']),
        name: z.string().describe('--endpoints, ETCDCTL_ENDPOINTS, netctl.yaml:4, default.'),
      }),
    }),
  ),
});
