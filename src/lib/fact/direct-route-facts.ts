import { dockerProgram, dockerState } from './docker';
import { runningContainers } from './docker-containers';
import { dockerNetworks } from './docker-networks';
import type { Answers } from './fact';
import { fileContents } from './files';
import { iptablesPrograms, iptablesRules } from './iptables';
import { kernelSettings } from './kernel-settings';
import { links } from './links';
import { processesNamed } from './processes';
import { routesTo } from './route-to';
import { routes } from './routes';
import { systemdVersion } from './systemd-version';
import { unitFiles } from './unit-files';
import { units } from './units';

export interface DirectRouteQuestions {
  readonly texts: readonly string[];
  /** Addresses of the other nodes. */
  readonly targets: readonly string[];
  /** Docker's unit without suffix: `docker`. */
  readonly dockerService: string;
}

/** Everything that routing without flannel needs of a node; asked in one round trip. */
export function directRouteFacts(ask: DirectRouteQuestions) {
  const docker = `${ask.dockerService}.service`;
  return {
    links,
    routes: routes(4),
    routesTo: routesTo(ask.targets),
    settings: kernelSettings,
    iptables: iptablesPrograms,
    iptablesNft: iptablesRules('nft'),
    iptablesLegacy: iptablesRules('legacy'),
    units: units(['netctl-routes.service', 'flanneld.service', 'systemd-networkd.service', docker]),
    systemdVersion,
    flanneld: processesNamed('flanneld'),
    texts: fileContents(ask.texts),
    dockerProgram,
    docker: dockerState,
    containers: runningContainers,
    networks: dockerNetworks,
    dockerUnit: unitFiles(docker),
    dockerd: processesNamed('dockerd'),
  };
}

export type DirectRouteAnswers = Answers<ReturnType<typeof directRouteFacts>>;
