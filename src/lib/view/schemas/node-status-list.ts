import * as z from 'zod';
import { documentSchema } from './document';
import { problemItem } from './problem-item';

/** `netctl node status -o json`. */
export const nodeStatusList = documentSchema('NodeStatusList', {
  prefix: z.string(),
  api: z.enum(['v2', 'v3']),
  revision: z.string().describe('Leases are as of this revision.'),
  backend: z.string().nullable().describe('Null when there is no config that flanneld takes; then there are no peers.'),
  items: z.array(
    z.object({
      name: z.string(),
      address: z.string(),
      publicIP: z.string().nullable(),
      state: z
        .enum(['healthy', 'problems', 'unreachable'])
        .describe('healthy: no error and no warning. What is unknown is no problem: see unknown.'),
      version: z.string().nullable().describe('The release of the flanneld that runs, or lies there.'),
      service: z
        .string()
        .nullable()
        .describe("In the manager's word, such as active, failed, RUNNING; by-hand and absent are netctl's."),
      serviceManager: z.enum(['systemd', 'supervisord']).nullable(),
      subnet: z.string().nullable().describe('The lease that the node holds in etcd.'),
      expiresInSeconds: z.number().nullable().describe('Null without a lease and for one that does not expire.'),
      subnetEnv: z
        .object({ subnet: z.string().nullable(), mtu: z.number().nullable() })
        .nullable()
        .describe('What flanneld wrote for Docker.'),
      dockerBridge: z.array(z.string()).nullable().describe("Addresses of Docker's bridge."),
      mtu: z.number().nullable().describe('What new containers get, in bytes.'),
      peers: z.int().describe('Other nodes that hold a lease of this backend.'),
      peersRouted: z.int().nullable().describe('To so many of them the node has the right route.'),
      peersReached: z.int().nullable().describe('So many of them answered a ping over the overlay.'),
      problems: z.array(problemItem).describe('The gravest first.'),
      unknown: z
        .array(z.object({ what: z.string(), why: z.string() }))
        .describe('What could not be found out; its field is null.'),
      error: z
        .object({ code: z.string(), message: z.string() })
        .nullable()
        .describe('Why the node could not be asked.'),
    }),
  ),
});
