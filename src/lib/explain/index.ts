import { backupTopics } from './backup';
import { bootstrapTopics } from './bootstrap';
import { cliTopics } from './cli';
import { commandTopics } from './command';
import { configTopics } from './config';
import { dockerTopics } from './docker';
import { etcdTopics } from './etcd';
import { exitTopics } from './exit';
import { factTopics } from './fact';
import { flannelTopics } from './flannel';
import { hostTopics } from './host';
import { inventoryTopics } from './inventory';
import { leaseTopics } from './lease';
import { lockTopics } from './lock';
import { masqueradeTopics } from './masquerade';
import { nodeTopics } from './node';
import { preflightTopics } from './preflight';
import { reclaimTopics } from './reclaim';
import { reservationTopics } from './reservation';
import { resetTopics } from './reset';
import { routesTopics } from './routes';
import type { Topic } from './topic';
import { verifyTopics } from './verify';

export { exitTopics };

/** Topics by area, in the order of the documents. */
export const areas: readonly { readonly title: string; readonly topics: readonly Topic[] }[] = [
  { title: 'The command line', topics: cliTopics },
  { title: 'Commands', topics: commandTopics },
  { title: 'The inventory', topics: inventoryTopics },
  { title: 'The network config', topics: configTopics },
  { title: 'etcd', topics: etcdTopics },
  { title: 'Leases and subnets', topics: leaseTopics },
  { title: 'Reclaiming leases', topics: reclaimTopics },
  { title: 'Reserving, moving and mending subnets', topics: reservationTopics },
  { title: 'The lock', topics: lockTopics },
  { title: 'Backup and restore', topics: backupTopics },
  { title: 'Before a bootstrap', topics: preflightTopics },
  { title: 'Nodes', topics: bootstrapTopics },
  { title: 'Taking a node out', topics: resetTopics },
  { title: 'Routes without flannel', topics: routesTopics },
  { title: 'Hosts', topics: [...hostTopics, ...factTopics] },
  { title: 'flannel on a node', topics: flannelTopics },
  { title: 'The state of a node', topics: nodeTopics },
  { title: 'Docker', topics: dockerTopics },
  { title: 'Source addresses of containers', topics: masqueradeTopics },
  { title: 'Proving that packets arrive', topics: verifyTopics },
];

/** Every code that an error or a problem can have, and the exit codes. */
export function allTopics(): readonly Topic[] {
  return [...areas.flatMap(({ topics }) => topics), ...exitTopics];
}
