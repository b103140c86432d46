import { clock } from '../../src/lib/fact/clock';
import { dockerProgram, dockerState } from '../../src/lib/fact/docker';
import { runningContainers } from '../../src/lib/fact/docker-containers';
import { dockerNetworks } from '../../src/lib/fact/docker-networks';
import { etcdReach } from '../../src/lib/fact/etcd-reach';
import { fileContents, fileSums } from '../../src/lib/fact/files';
import { firewalls } from '../../src/lib/fact/firewalls';
import { flannelPrograms } from '../../src/lib/fact/flannel-programs';
import { flannelReleases } from '../../src/lib/fact/flannel-releases';
import { folderEntries } from '../../src/lib/fact/folder-entries';
import { forwardingEntries } from '../../src/lib/fact/forwarding-entries';
import { iptablesPrograms, iptablesRules } from '../../src/lib/fact/iptables';
import { journal } from '../../src/lib/fact/journal';
import { kernelModules } from '../../src/lib/fact/kernel-modules';
import { kernelSettings } from '../../src/lib/fact/kernel-settings';
import { links } from '../../src/lib/fact/links';
import { listeningPorts } from '../../src/lib/fact/listening-ports';
import { machine } from '../../src/lib/fact/machine';
import { neighbours } from '../../src/lib/fact/neighbours';
import { nftTables } from '../../src/lib/fact/nft-tables';
import { offload } from '../../src/lib/fact/offload';
import { operatingSystem } from '../../src/lib/fact/operating-system';
import { packetCounters } from '../../src/lib/fact/packet-counters';
import { privileges } from '../../src/lib/fact/privileges';
import { processesNamed } from '../../src/lib/fact/processes';
import { programs } from '../../src/lib/fact/programs';
import { routesTo } from '../../src/lib/fact/route-to';
import { routes } from '../../src/lib/fact/routes';
import { selinux } from '../../src/lib/fact/selinux';
import { spaces } from '../../src/lib/fact/space';
import { sshClient } from '../../src/lib/fact/ssh-client';
import { subnetEnvFile } from '../../src/lib/fact/subnet-env-file';
import { subnetTraffic } from '../../src/lib/fact/subnet-traffic';
import { supervisor } from '../../src/lib/fact/supervisor';
import { unitFiles } from '../../src/lib/fact/unit-files';
import { units } from '../../src/lib/fact/units';

/** Every fact that there is, with arguments as a bootstrap would give them. */
export function allFacts(peers: readonly string[], endpoints: readonly string[]) {
  return {
    dockerState,
    dockerNetworks,
    runningContainers,
    dockerProgram,
    etcd: etcdReach({
      endpoints,
      ca: '/etc/flannel/ca.pem',
      cert: '/etc/flannel/client.pem',
      key: '/etc/flannel/client-key.pem',
    }),
    etcdWithout: etcdReach({ endpoints, ca: '/nowhere/ca.pem', cert: '/nowhere/c.pem', key: '/nowhere/k.pem' }),
    units: units([
      'flanneld.service',
      'docker.service',
      'docker.socket',
      'firewalld.service',
      'ufw.service',
      'NetworkManager.service',
      'systemd-networkd.service',
      'dhcpcd.service',
      'supervisor.service',
    ]),
    flannelReleases: flannelReleases('/opt/flannel'),
    folderEntries: folderEntries(['/etc/flannel', '/usr/local/lib/netctl', '/nowhere']),
    flannelPrograms: flannelPrograms(['/opt/flannel/flanneld', '/usr/bin/flanneld', '/usr/local/bin/flanneld']),
    unitFiles: unitFiles('flanneld.service'),
    dockerUnitFiles: unitFiles('docker.service'),
    legacy: iptablesRules('legacy'),
    nft: iptablesRules('nft'),
    nftSix: iptablesRules('nft', 6),
    iptablesPrograms,
    nftTables,
    flanneld: processesNamed('flanneld', ['FLANNELD_', 'NOTIFY_SOCKET']),
    dockerd: processesNamed('dockerd', ['DOCKER_']),
    dhcpcd: processesNamed('dhcpcd'),
    supervisor,
    firewalls,
    journal: journal('flanneld.service', 50),
    kernelModules: kernelModules(),
    kernelSettings,
    links,
    routes: routes(4),
    routesSix: routes(6),
    routesTo: routesTo(peers),
    neighbours,
    forwardingEntries,
    listeningPorts,
    machine,
    operatingSystem,
    clock,
    privileges,
    sshClient,
    selinux,
    spaces: spaces(['/opt/flannel-v0.22.3', '/var/lib/docker', '/run/flannel', '/tmp', '/etc']),
    subnetEnv: subnetEnvFile('/run/flannel/subnet.env'),
    traffic: subnetTraffic([{ base: 0x0a05_0100, length: 24 }]),
    files: fileContents([
      '/etc/docker/daemon.json',
      '/etc/default/flanneld',
      '/etc/hostname',
      '/etc/mtab',
      '/etc',
      '/no/such',
    ]),
    sums: fileSums([
      '/opt/flannel/flanneld',
      '/opt/flannel/mk-docker-opts.sh',
      '/etc/flannel/client-key.pem',
      '/no/such',
    ]),
    programs: programs(['ip', 'bridge', 'iptables', 'docker', 'curl', 'openssl', 'modprobe', 'ss', 'tar', 'ethtool']),
    offload: offload('flannel.1'),
    packetCounters,
  };
}
