import * as z from 'zod';
import { documentSchema } from './document';
import { networkFacts } from './network-facts';
import { effectiveConfig } from './network-validation';
import { problemItem } from './problem-item';

const misfit = z.enum(['outside-network', 'out-of-range', 'wrong-length', 'dual-stack-mismatch']);
const leaseFate = z.enum(['kept', ...misfit.options]);

/** `netctl init-network -o json` and `netctl network rollback -o json`. */
export const networkChange = documentSchema('NetworkChange', {
  state: z.enum(['unchanged', 'created', 'changed', 'would-create', 'would-change']),
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  revision: z.string().nullable().describe('Of the config that is in etcd now; null when there is none.'),
  flannel: z.string(),
  before: z.string().nullable(),
  after: z.string(),
  network: effectiveConfig.nullable(),
  facts: networkFacts.nullable(),
  impact: z
    .enum(['none', 'restart', 'outage'])
    .describe('restart: node by node, containers keep their addresses. outage: traffic stops or addresses are lost.'),
  rolling: z.boolean().describe('Nodes may be restarted one after the other.'),
  differences: z.array(z.string()),
  counts: z.object({ leases: z.int(), kept: z.int(), lost: z.int(), otherBackend: z.int() }),
  leases: z.array(
    z.object({
      key: z.string(),
      subnet: z.string(),
      publicIP: z.string().nullable(),
      node: z.string().nullable(),
      fate: leaseFate,
      misfits: z.array(misfit),
      otherBackend: z.boolean(),
    }),
  ),
  nodes: z
    .array(
      z.object({
        node: z.string(),
        publicIP: z.string().nullable(),
        subnet: z.string().nullable(),
        fate: z.enum([...leaseFate.options, 'no-lease']),
        otherBackend: z.boolean(),
      }),
    )
    .describe('Nodes of the inventory.'),
  running: z.string().nullable().describe('What running flannelds do when the config is written.'),
  atRestart: z.array(z.string()),
  steps: z.array(z.string()),
  warnings: z.array(z.string()),
  problems: z.array(problemItem),
});
