import { dockerProgram, dockerState } from './docker';
import { runningContainers } from './docker-containers';
import { dockerNetworks } from './docker-networks';
import type { Answers } from './fact';
import { fileContents, fileSums } from './files';
import { flannelReleases } from './flannel-releases';
import { folderEntries } from './folder-entries';
import { iptablesPrograms, iptablesRules } from './iptables';
import { links } from './links';
import { nftTables } from './nft-tables';
import { operatingSystem } from './operating-system';
import { processesNamed } from './processes';
import { programs } from './programs';
import { routes } from './routes';
import { supervisor } from './supervisor';
import { systemdVersion } from './systemd-version';
import { unitFiles } from './unit-files';
import { units } from './units';

export interface ResetQuestions {
  /** Files whose text counts: what netctl writes, daemon.json, subnet.env. */
  readonly texts: readonly string[];
  /** Files of which the sum is enough: programs and certificates in shared folders. */
  readonly sums: readonly string[];
  /** Folders that go when nothing is left in them. */
  readonly folders: readonly string[];
  /** `/opt/flannel` */
  readonly installDir: string;
  /** Docker's unit without suffix: `docker`. */
  readonly dockerService: string;
}

/** Everything that `node reset` needs of a node; asked in one round trip. */
export function resetFacts(ask: ResetQuestions) {
  const docker = ask.dockerService;
  return {
    operatingSystem,
    systemdVersion,
    links,
    routes: routes(4),
    routes6: routes(6),
    iptables: iptablesPrograms,
    iptablesNft: iptablesRules('nft'),
    iptablesLegacy: iptablesRules('legacy'),
    ip6tablesNft: iptablesRules('nft', 6),
    ip6tablesLegacy: iptablesRules('legacy', 6),
    nftTables,
    units: units([
      'flanneld.service',
      'netctl-forward.service',
      `${docker}.service`,
      'NetworkManager.service',
      'systemd-networkd.service',
    ]),
    flannelUnit: unitFiles('flanneld.service'),
    programs: programs(['udevadm', 'networkctl']),
    supervisor,
    flanneld: processesNamed('flanneld'),
    releases: flannelReleases(ask.installDir),
    folders: folderEntries(ask.folders),
    texts: fileContents(ask.texts),
    sums: fileSums(ask.sums),
    dockerProgram,
    docker: dockerState,
    containers: runningContainers,
    networks: dockerNetworks,
    dockerUnit: unitFiles(`${docker}.service`),
    dockerd: processesNamed('dockerd'),
  };
}

export type ResetAnswers = Answers<ReturnType<typeof resetFacts>>;
