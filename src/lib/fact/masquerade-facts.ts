import { dockerProgram, dockerState } from './docker';
import { runningContainers } from './docker-containers';
import { dockerNetworks } from './docker-networks';
import type { Answers } from './fact';
import { fileContents } from './files';
import { iptablesPrograms, iptablesRules } from './iptables';
import { links } from './links';
import { nftTables } from './nft-tables';
import { processesNamed } from './processes';
import { routes } from './routes';
import { subnetEnvFile } from './subnet-env-file';
import { systemdVersion } from './systemd-version';
import { unitFiles } from './unit-files';
import { units } from './units';

export interface MasqueradeQuestions {
  /** Our files, daemon.json, saved rules. */
  readonly texts: readonly string[];
  /** flanneld's `--subnet-file`. */
  readonly subnetFile: string;
  /** Docker's unit without suffix: `docker`. */
  readonly dockerService: string;
}

/** Everything that `fix-masquerade` needs of a node; asked in one round trip. */
export function masqueradeFacts(ask: MasqueradeQuestions) {
  const docker = `${ask.dockerService}.service`;
  return {
    docker: dockerState,
    networks: dockerNetworks,
    containers: runningContainers,
    dockerProgram,
    links,
    routes: routes(4),
    iptables: iptablesPrograms,
    iptablesNft: iptablesRules('nft'),
    iptablesLegacy: iptablesRules('legacy'),
    nftTables,
    systemdVersion,
    units: units(['netctl-masquerade.service', docker]),
    dockerUnit: unitFiles(docker),
    dockerd: processesNamed('dockerd'),
    subnetEnv: subnetEnvFile(ask.subnetFile),
    texts: fileContents(ask.texts),
  };
}

export type MasqueradeAnswers = Answers<ReturnType<typeof masqueradeFacts>>;
