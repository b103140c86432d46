import { runningContainers } from './docker-containers';
import { dockerNetworks } from './docker-networks';
import type { Answers } from './fact';
import { links } from './links';
import { subnetEnvFile } from './subnet-env-file';

/** What must be known of a node before a probe of its network has a place. One round trip. */
export function probeFacts(ask: {
  /** flanneld's `--subnet-file`. */
  readonly subnetFile: string;
}) {
  return {
    networks: dockerNetworks,
    containers: runningContainers,
    links,
    subnetEnv: subnetEnvFile(ask.subnetFile),
  };
}

export type ProbeSeen = Answers<ReturnType<typeof probeFacts>>;
