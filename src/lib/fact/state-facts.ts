import { dockerState } from './docker';
import { dockerNetworks } from './docker-networks';
import type { Answers } from './fact';
import { flannelPrograms } from './flannel-programs';
import { forwardingEntries } from './forwarding-entries';
import { links } from './links';
import { neighbours } from './neighbours';
import { processesNamed } from './processes';
import { routesTo } from './route-to';
import { routes } from './routes';
import { subnetEnvFile } from './subnet-env-file';
import { supervisor } from './supervisor';
import { units } from './units';

/** What has to be said before a node can be asked how it is. */
export interface StateQuestions {
  /** flanneld's `--subnet-file`. */
  readonly subnetFile: string;
  /** Where flanneld may lie. */
  readonly programs: readonly string[];
  /** Public IPs of peers to which the kernel's way is asked. */
  readonly targets: readonly string[];
  /** Docker's unit without suffix: `docker`. */
  readonly dockerService: string;
}

/** What a look at a node that should be up needs: a good part less than bootstrap asks. One round trip. */
export function stateFacts(ask: StateQuestions) {
  return {
    // The slow ones first: they run beside the others.
    docker: dockerState,
    networks: dockerNetworks,
    flannelPrograms: flannelPrograms(ask.programs),
    supervisor,
    units: units(['flanneld.service', `${ask.dockerService}.service`]),
    flanneld: processesNamed('flanneld', ['FLANNELD_']),
    links,
    routes: routes(4),
    routesTo: routesTo(ask.targets),
    neighbours,
    forwardingEntries,
    subnetEnv: subnetEnvFile(ask.subnetFile),
  };
}

export type StateSeen = Answers<ReturnType<typeof stateFacts>>;
