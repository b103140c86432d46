import { clock } from './clock';
import { dockerProgram, dockerState } from './docker';
import { runningContainers } from './docker-containers';
import { dockerNetworks } from './docker-networks';
import { etcdReach } from './etcd-reach';
import type { Answers } from './fact';
import { fileContents, fileSums } from './files';
import { firewalls } from './firewalls';
import { flannelPrograms } from './flannel-programs';
import { iptablesPrograms, iptablesRules } from './iptables';
import { kernelModules } from './kernel-modules';
import { kernelSettings } from './kernel-settings';
import { links } from './links';
import { listeningPorts } from './listening-ports';
import { machine } from './machine';
import { operatingSystem } from './operating-system';
import { privileges } from './privileges';
import { processesNamed } from './processes';
import { programs } from './programs';
import { routesTo } from './route-to';
import { routes } from './routes';
import { selinux } from './selinux';
import { spaces } from './space';
import { sshClient } from './ssh-client';
import { supervisor } from './supervisor';
import { systemdVersion } from './systemd-version';
import { unitFiles } from './unit-files';
import { units } from './units';

/** What has to be said before a node can be asked: paths and addresses that follow from the inventory. */
export interface NodeQuestions {
  /** Files whose text counts, each up to 64 KiB: units, daemon.json, subnet.env, files that netctl would write. */
  readonly texts: readonly string[];
  /** Files of which the sum is enough: programs. */
  readonly sums: readonly string[];
  /** Public IPs of peers, addresses of etcd. */
  readonly targets: readonly string[];
  /** As flanneld on the node gets them. */
  readonly etcd: {
    readonly endpoints: readonly string[];
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
  };
  /** Docker's unit without suffix: `docker`. */
  readonly dockerService: string;
  /** Where room is needed. */
  readonly folders: readonly string[];
}

/** Everything that bootstrap, status and doctor need of a node; asked in one round trip. */
export function nodeFacts(ask: NodeQuestions) {
  const docker = `${ask.dockerService}.service`;
  return {
    // The slow ones first: a few are asked at a time, in this order.
    docker: dockerState,
    etcd: etcdReach(ask.etcd),
    units: units([
      'flanneld.service',
      docker,
      'supervisor.service',
      'supervisord.service',
      'NetworkManager.service',
      'systemd-networkd.service',
      'netctl-docker-follow.path',
    ]),
    containers: runningContainers,
    networks: dockerNetworks,
    machine,
    operatingSystem,
    privileges,
    clock,
    links,
    routes: routes(4),
    routesTo: routesTo(ask.targets),
    modules: kernelModules(),
    settings: kernelSettings,
    iptables: iptablesPrograms,
    iptablesNft: iptablesRules('nft'),
    iptablesLegacy: iptablesRules('legacy'),
    firewalls,
    selinux,
    dockerProgram,
    dockerUnit: unitFiles(docker),
    flannelUnit: unitFiles('flanneld.service'),
    supervisor,
    systemdVersion,
    flanneld: processesNamed('flanneld', ['FLANNELD_']),
    dockerd: processesNamed('dockerd'),
    flannelPrograms: flannelPrograms(ask.sums.filter((path) => path.endsWith('/flanneld'))),
    texts: fileContents(ask.texts),
    sums: fileSums(ask.sums),
    spaces: spaces(ask.folders),
    ports: listeningPorts,
    sshClient,
    programs: programs([
      'systemctl',
      'supervisorctl',
      'iptables',
      'ip',
      'nft',
      'gzip',
      'sha256sum',
      'ping',
      'dhcpcd',
      'udevadm',
      'networkctl',
    ]),
  };
}

export type NodeFacts = ReturnType<typeof nodeFacts>;

/** A node as it was seen, and when, by the workstation's clock. */
export interface NodeSeen {
  readonly answers: Answers<NodeFacts>;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}
