import { addressOf, rangeOf } from '../../src/lib/fact/address';
import { type Answers, type Known, known } from '../../src/lib/fact/fact';
import { parseIptablesSave } from '../../src/lib/fact/iptables-save';
import type { Link } from '../../src/lib/fact/links';
import type { NodeFacts, NodeSeen } from '../../src/lib/fact/node-facts';
import type { Process } from '../../src/lib/fact/processes';
import type { Route } from '../../src/lib/fact/routes';
import type { Unit } from '../../src/lib/fact/units';

type All = Answers<NodeFacts>;

/** What `known` holds of a fact. */
export type Value<K extends keyof All> = All[K] extends Known<infer T> ? T : never;

/** When the surveys of tests are made, by the workstation. */
export const surveyedAtMs = 1_800_000_000_000;

/**
 * A Debian 12 machine of the seeds' LAN on which everything is as it should be, and nothing of flannel yet: eth0 with its address,
 * etcd at 10.4.7.12, Docker 20.10. `change` says what differs.
 */
export function nodeSeen(
  address: string,
  change: Partial<All> = {},
  peers: readonly string[] = ['10.4.7.21', '10.4.7.22'],
): NodeSeen {
  const name = `hdss${address.split('.').slice(2).join('-')}`;
  const all: All = {
    machine: known({
      kernel: '6.1.0-18-amd64',
      hardware: 'x86_64',
      architecture: 'amd64',
      hostname: name,
      machineId: address.replaceAll('.', '').padStart(32, '0'),
      bootId: null,
      uptimeSeconds: 1000,
      container: null,
    }),
    operatingSystem: known({
      id: 'debian',
      versionId: '12',
      name: 'Debian GNU/Linux 12 (bookworm)',
      family: 'debian',
      environmentFolder: '/etc/default',
    }),
    privileges: known({ uid: 0, user: 'root', isRoot: true, sudo: 'not-needed' }),
    clock: known({ epochMs: surveyedAtMs + 500, resolutionMs: 1 }),
    links: known([
      link('lo', ['127.0.0.1/8'], { isLoopback: true, mtu: 65_536 }),
      link('eth0', [`${address}/24`]),
      link('docker0', ['172.17.0.1/16'], { kind: 'bridge' }),
    ]),
    routes: known([
      route('default', { via: '10.4.7.254', dev: 'eth0' }),
      route('10.4.7.0/24', { dev: 'eth0', source: address, protocol: 'kernel' }),
      route('172.17.0.0/16', { dev: 'docker0', source: '172.17.0.1', protocol: 'kernel' }),
    ]),
    routesTo: known(
      new Map(
        [...peers, '10.4.7.12'].map((target) => [
          target,
          {
            reachable: true,
            gateway: null,
            device: target === address ? 'lo' : 'eth0',
            source: addressOf(address) ?? null,
            isLocal: target === address,
          },
        ]),
      ),
    ),
    modules: known({
      hasModulesFolder: true,
      states: new Map(
        ['vxlan', 'br_netfilter', 'overlay', 'tun', 'wireguard', 'ipip', 'veth', 'bridge', 'nf_tables'].map(
          (module) => [module, 'loadable' as const],
        ),
      ),
    }),
    settings: known(
      new Map([
        ['net/ipv4/ip_forward', '1'],
        ['net/ipv4/conf/all/rp_filter', '0'],
        ['net/ipv4/conf/eth0/rp_filter', '0'],
        ['net/ipv4/conf/eth0/forwarding', '1'],
        ['net/ipv6/conf/all/disable_ipv6', '0'],
      ]),
    ),
    iptables: known({
      standard: 'nft',
      version: '1.8.9',
      hasNft: true,
      hasLegacy: true,
      hasIp6tables: true,
      waitsForLock: true,
      hasNftProgram: true,
    }),
    iptablesNft: rules(dockerRules),
    iptablesLegacy: known({ state: 'not-in-use' }),
    firewalls: known({ firewalld: null, ufw: null }),
    selinux: known('off'),
    dockerProgram: known({
      version: { major: 20, minor: 10, patch: 24, text: '20.10.24+dfsg1' },
      path: '/usr/sbin/dockerd',
      validates: false,
      hasClient: true,
    }),
    docker: dockerRunning('20.10.24+dfsg1'),
    containers: known([]),
    networks: known([dockerNetwork('bridge', '172.17.0.0/16', 'docker0')]),
    dockerUnit: known([
      {
        path: '/lib/systemd/system/docker.service',
        text: '[Service]\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n',
      },
    ]),
    flannelUnit: known([]),
    units: known(
      new Map([
        [
          'flanneld.service',
          unit('flanneld.service', { isFound: false, loadState: 'not-found', activeState: 'inactive' }),
        ],
        ['docker.service', unit('docker.service')],
      ]),
    ),
    supervisor: known({
      isInstalled: true,
      isRunning: true,
      configPath: '/etc/supervisor/supervisord.conf',
      programFiles: [],
      programs: [],
    }),
    systemdVersion: known(252),
    flanneld: known([]),
    dockerd: known([]),
    flannelPrograms: known([]),
    texts: files({}),
    sums: known(new Map()),
    spaces: known(new Map(['/opt', '/etc', '/var/lib/docker'].map((folder) => [folder, roomyFolder(folder)]))),
    ports: known([]),
    sshClient: known({
      viaSsh: true,
      client: { family: 4, address: 0x0a04_07c8 },
      server: addressOf(address) ?? { family: 4, address: 0 },
    }),
    programs: known(
      new Map(
        ['systemctl', 'supervisorctl', 'iptables', 'ip', 'nft', 'gzip', 'sha256sum', 'ping'].map((program) => [
          program,
          `/usr/bin/${program}`,
        ]),
      ),
    ),
    etcd: etcdAnswers({}),
    ...change,
  };
  return { answers: all, beganAtMs: surveyedAtMs, endedAtMs: surveyedAtMs + 1000 };
}

/** Rules as Docker 20.10 makes them, as far as they matter. */
export const dockerRules = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
*nat
:DOCKER - [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`;

export function rules(text: string): All['iptablesNft'] {
  return known({ state: 'read', ruleset: parseIptablesSave(text) });
}

export function dockerRunning(
  text: string,
  change: Partial<Extract<Value<'docker'>, { state: 'running' }>['engine']> = {},
): All['docker'] {
  const [major = 0, minor = 0, patch = 0] = text.split(/[.+]/).map(Number);
  return known({
    state: 'running',
    engine: {
      version: { major, minor, patch, text },
      firewallBackend: 'iptables',
      usesFirewalld: false,
      isLiveRestore: false,
      rootFolder: '/var/lib/docker',
      isInSwarm: false,
      containersRunning: 0,
      addressPools: [],
      warnings: [],
      ...change,
    },
  });
}

export function dockerNetwork(name: string, subnet: string, device: string): Value<'networks'>[number] {
  const range = rangeOf(subnet, 4);
  if (range === undefined) throw new Error(`not a range: ${subnet}`);
  return {
    name,
    id: 'a'.repeat(64),
    driver: 'bridge',
    subnets: [{ range, gateway: null }],
    device,
    mtu: null,
    masquerades: null,
    isInternal: false,
    options: new Map(),
    containerCount: 0,
  };
}

export function link(name: string, addresses: readonly string[], change: Partial<Link> = {}): Link {
  return {
    index: 2,
    name,
    mtu: 1500,
    isUp: true,
    hasCarrier: true,
    isLoopback: false,
    mac: '02:00:00:00:00:01',
    kind: null,
    master: null,
    vxlan: null,
    addresses: addresses.map((text) => {
      const [host = '', length] = text.split('/');
      const address = addressOf(host);
      if (address === undefined) throw new Error(`not an address: ${text}`);
      return { ...address, length: Number(length), scope: 'global', peer: null, isDynamic: false };
    }),
    ...change,
  };
}

export function route(
  destination: string,
  way: { via?: string; dev?: string; source?: string; protocol?: string; table?: string; type?: string },
): Route {
  const range = rangeOf(destination, 4);
  if (range === undefined) throw new Error(`not a range: ${destination}`);
  return {
    destination: range,
    type: way.type ?? 'unicast',
    nextHops: [{ gateway: addressOf(way.via) ?? null, device: way.dev ?? null, isOnlink: false, isDown: false }],
    protocol: way.protocol ?? null,
    source: addressOf(way.source) ?? null,
    metric: 0,
    table: way.table ?? 'main',
  };
}

export function unit(name: string, change: Partial<Unit> = {}): Unit {
  return {
    name,
    id: name,
    loadState: 'loaded',
    isFound: true,
    activeState: 'active',
    subState: 'running',
    unitFileState: 'enabled',
    result: 'success',
    execMainStatus: 0,
    restartCount: 0,
    restart: 'no',
    type: 'notify',
    mainPid: 100,
    requires: [],
    requisite: [],
    bindsTo: [],
    partOf: [],
    wants: [],
    after: [],
    before: [],
    requiredBy: [],
    boundBy: [],
    consistsOf: [],
    wantedBy: [],
    fragmentPath: null,
    dropInPaths: [],
    environmentFiles: [],
    execStartPre: [],
    execStart: [],
    execStartPost: [],
    needsReload: false,
    startedAfterBootSeconds: 10,
    ...change,
  };
}

/** The files that bootstrap asks for; those that are not given are not there. */
export function files(texts: Readonly<Record<string, string>>): All['texts'] {
  const asked = [
    '/run/flannel/subnet.env',
    '/etc/docker/daemon.json',
    '/etc/default/flanneld',
    '/etc/sysconfig/flanneld',
    '/etc/supervisor/conf.d/flanneld.conf',
    '/opt/flannel/flanneld.sh',
    ...Object.keys(texts),
  ];
  return known(
    new Map(
      asked.map((path) => {
        const text = texts[path];
        return [
          path,
          known(
            text === undefined
              ? { present: false as const }
              : {
                  present: true as const,
                  kind: 'file' as const,
                  mode: 0o644,
                  uid: 0,
                  gid: 0,
                  sizeBytes: text.length,
                  modifiedAtSeconds: 0,
                  target: null,
                  bytes: new TextEncoder().encode(text),
                },
          ),
        ];
      }),
    ),
  );
}

export function roomyFolder(folder: string, change: Partial<SpaceValue> = {}): SpaceValue {
  return {
    folder,
    mountPoint: '/',
    availableBytes: 10e9,
    sizeBytes: 20e9,
    availableInodes: 1e6,
    fileSystem: 'ext4',
    isReadOnly: false,
    isNoexec: false,
    ...change,
  };
}

type SpaceValue = Value<'spaces'> extends ReadonlyMap<string, infer S> ? S : never;

type Reach = Value<'etcd'>[number];

/** The three endpoints of the third seed's LAN; all answer unless it is said otherwise. */
export const etcdEndpoints = ['https://10.4.7.12:2379', 'https://10.4.7.21:2379', 'https://10.4.7.22:2379'];

export function etcdAnswers(outcomes: Readonly<Record<string, Reach['outcome']>>, how: Reach['with'] = 'certificates') {
  const fine: Reach['outcome'] = { kind: 'answered', version: '3.4.23', isHealthy: true, servesV2: true };
  return known<Value<'etcd'>>(
    etcdEndpoints.map((endpoint) => ({ endpoint, with: how, tool: 'curl', outcome: outcomes[endpoint] ?? fine })),
  );
}

export function process(pid: number, words: readonly string[], change: Partial<Process> = {}): Process {
  return {
    pid,
    uid: 0,
    program: words[0] ?? null,
    isReplaced: false,
    words,
    environment: new Map(),
    startedAtSeconds: null,
    isInHostsNamespace: true,
    ...change,
  };
}
