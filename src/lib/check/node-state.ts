import { type Known, known, unknown } from '../fact/fact';
import { hasWrittenSubnet } from '../fact/has-written-subnet';
import type { PingAnswer } from '../fact/overlay-ping';
import type { Process } from '../fact/processes';
import type { StateQuestions, StateSeen } from '../fact/state-facts';
import type { Unit } from '../fact/units';
import type { InventoryNode } from '../inventory/inventory';
import { formatCidr, type Ipv4Cidr } from '../net/cidr';
import { compareFlannel, type FlannelVersion } from '../net/flannel-version';
import { formatIpv4 } from '../net/ipv4';
import type { Lease } from '../net/lease';
import type { EffectiveConfig } from '../net/network-config';
import { type NodeRef, nodesByPublicIP } from '../net/node-ref';
import type { Problem } from '../net/problem';
import { formatBridge, type SubnetEnv } from '../net/subnet-env';
import { publishedType } from '../plan/lease-fit';
import type { LeaseProblem } from './leases';
import { needsWays, type Peer, peerRoute, type RouteFault, tunnelDevice, whyNoRoutes } from './peer-routes';
import { backendPorts } from './preflight-scene';

/** Everything that a node's state is judged by. */
export interface NodeStateInput {
  readonly node: InventoryNode;
  readonly seen: StateSeen;
  /** Null: no pings were sent. */
  readonly pings: Known<ReadonlyMap<string, Known<PingAnswer>>> | null;
  readonly network: StateNetwork;
  /** What `stateFacts` was asked with. */
  readonly asked: StateQuestions;
}

/** What is the same for all nodes. */
export interface StateNetwork {
  readonly leases: readonly Lease[];
  /** Null: no config, or none that flanneld takes. */
  readonly effective: EffectiveConfig | null;
  readonly nodes: readonly NodeRef[];
  /** The release that the inventory names; null when it names none. */
  readonly wanted: FlannelVersion | null;
  /** From `checkLeases`. */
  readonly problems: readonly LeaseProblem[];
  /** Remaining seconds by key. */
  readonly ttls: ReadonlyMap<string, number>;
}

export interface ServiceState {
  /** Null: somebody started it by hand, or nobody did. */
  readonly manager: 'systemd' | 'supervisord' | null;
  /** In the manager's word: `active`, `failed`, `RUNNING`; `by-hand`; `absent`. */
  readonly state: string;
  readonly isActive: boolean;
}

export interface SubnetEnvState {
  /** Null when the file is not there. */
  readonly env: SubnetEnv | null;
}

export interface PeerState {
  readonly peer: Peer;
  readonly isRouted: Known<boolean>;
  readonly isReached: Known<boolean>;
}

/** A node as it is. What could not be found out is unknown, and is no problem. */
export interface NodeState {
  readonly name: string;
  readonly publicIP: string | null;
  readonly service: Known<ServiceState>;
  /** Of the flanneld that runs, or else of the one that lies there; null when there is none. */
  readonly version: Known<string | null>;
  readonly lease: Lease | null;
  /** Null when it does not expire, and when it is not known. */
  readonly leaseSeconds: number | null;
  readonly subnetEnv: Known<SubnetEnvState>;
  /** Addresses of Docker's bridge, `172.7.21.1/24`; null when there is no bridge. */
  readonly docker0: Known<readonly string[] | null>;
  /** What new containers get, in bytes. */
  readonly mtu: Known<number>;
  readonly peers: readonly PeerState[];
  /** The gravest first. */
  readonly problems: readonly Problem[];
}

/** Do errors or warnings stand among the problems? Remarks do not count. */
export function hasProblems({ problems }: Pick<NodeState, 'problems'>): boolean {
  return problems.some(({ severity }) => severity !== 'info');
}

/** As many peers are asked for their way and pinged at most; the rest of a greater fleet is unknown. */
const mostPeers = 1024;
const listed = 5;

/** Whom flanneld on this node should reach: the other leases with the backend's type. flanneld passes the others by (flannel `backend/`). */
export function peersOf(
  publicIP: string | null,
  network: Pick<StateNetwork, 'leases' | 'effective' | 'nodes'>,
): readonly Peer[] {
  const { effective, leases, nodes } = network;
  if (effective === null || !effective.enableIPv4) return [];
  const type = publishedType(effective.backend.type);
  const names = nodesByPublicIP(nodes);
  return leases.flatMap((lease): readonly Peer[] => {
    if (lease.publicIP === null || lease.publicIP === publicIP || lease.backendProblem !== null) return [];
    if (type !== null && lease.backendType !== type) return [];
    const { publicIP: address, subnet, vtepMac } = lease;
    return [{ name: names.get(address)?.name ?? null, publicIP: address, subnet, vtepMac }];
  });
}

/** Public IPs of the peers to which the kernel's way must be asked before the node's routes can be judged. */
export function waysToAsk(
  node: InventoryNode,
  network: Pick<StateNetwork, 'leases' | 'effective' | 'nodes'>,
): readonly string[] {
  if (network.effective === null || !needsWays(network.effective)) return [];
  return [...new Set(peersOf(node.publicIP ?? null, network).map(({ publicIP }) => publicIP))].slice(0, mostPeers);
}

/** The pings of the second round: to every peer's bridge address, from Docker's own. */
export function pingsToSend(
  node: InventoryNode,
  seen: StateSeen,
  network: Pick<StateNetwork, 'leases' | 'effective' | 'nodes'>,
): { readonly addresses: readonly string[]; readonly source: string | null } {
  const lease = ownLease(node, seen, network.leases);
  const peers = peersOf(lease?.publicIP ?? node.publicIP ?? null, network);
  const addresses =
    network.effective?.backend.type === 'alloc'
      ? []
      : peers.map((peer) => bridgeAddress(peer.subnet)).slice(0, mostPeers);
  const bridge = bridgeOf(seen);
  const own = bridge.known ? bridge.value?.find(({ address }) => inside(lease?.subnet, address)) : undefined;
  return { addresses, source: own === undefined ? null : formatIpv4(own.address) };
}

function inside(subnet: Ipv4Cidr | undefined, address: number): boolean {
  return subnet !== undefined && address >= subnet.base && address < subnet.base + 2 ** (32 - subnet.length);
}

function bridgeAddress(subnet: Ipv4Cidr): string {
  return formatIpv4(subnet.base + 1);
}

function bridgeText(subnet: Ipv4Cidr): string {
  return `${bridgeAddress(subnet)}/${subnet.length}`;
}

/** The node's lease: by its public IP, or by an address of its own where the inventory does not say. */
function ownLease(node: InventoryNode, seen: StateSeen, leases: readonly Lease[]): Lease | null {
  const addresses = node.publicIP === undefined ? ownAddresses(seen) : [node.publicIP];
  const held = leases.filter(({ publicIP }) => publicIP !== null && addresses.includes(publicIP));
  const env = envOf(seen);
  // Two leases with one public IP: the one that flanneld works with.
  return held.find((lease) => isBridgeOf(env, lease.subnet)) ?? held[0] ?? null;
}

function ownAddresses({ links }: StateSeen): readonly string[] {
  if (!links.known) return [];
  return links.value
    .filter(({ isLoopback, kind }) => !isLoopback && kind !== 'bridge' && kind !== 'vxlan')
    .flatMap(({ addresses }) => addresses.flatMap((each) => (each.family === 4 ? [formatIpv4(each.address)] : [])));
}

function envOf({ subnetEnv }: StateSeen): SubnetEnv | null {
  return subnetEnv.known && subnetEnv.value.present ? subnetEnv.value.reading.env : null;
}

function isBridgeOf(env: SubnetEnv | null, subnet: Ipv4Cidr): boolean {
  const bridge = env?.subnet ?? null;
  return bridge !== null && bridge.address === subnet.base + 1 && bridge.length === subnet.length;
}

interface Bridge {
  readonly address: number;
  readonly length: number;
}

/** Docker's default bridge: `docker0`, or what Docker says that it is called. */
function bridgeName({ networks }: StateSeen): string {
  const bridge = networks.known ? networks.value.find(({ name }) => name === 'bridge') : undefined;
  return bridge?.device ?? 'docker0';
}

function bridgeOf(seen: StateSeen): Known<readonly Bridge[] | null> {
  const { links } = seen;
  if (!links.known) return links;
  const link = links.value.find(({ name }) => name === bridgeName(seen));
  if (link === undefined) return known(null);
  return known(
    link.addresses.flatMap((each) => (each.family === 4 ? [{ address: each.address, length: each.length }] : [])),
  );
}

/** Judges a node. Pure; the same facts give the same state. */
export function nodeState(input: NodeStateInput): NodeState {
  const { node, seen, network } = input;
  const problems: Problem[] = [];
  const service = serviceOf(seen);
  judgeService(input, service, problems);
  const version = versionOf(input, problems);
  const lease = ownLease(node, seen, network.leases);
  judgeLease(input, lease, problems);
  const subnetEnv = judgeSubnetEnv(input, lease, service, problems);
  const docker0 = judgeDocker(input, lease, problems);
  const mtu = judgeMtu(seen, problems);
  const publicIP = lease?.publicIP ?? node.publicIP ?? null;
  const peers = judgePeers(input, publicIP, problems);
  return {
    name: node.name,
    publicIP,
    service,
    version,
    lease,
    leaseSeconds: lease === null ? null : (network.ttls.get(lease.key) ?? lease.ttlSeconds),
    subnetEnv,
    docker0,
    mtu,
    peers,
    problems: problems.sort((a, b) => rank[a.severity] - rank[b.severity]),
  };
}

const rank: Readonly<Record<Problem['severity'], number>> = { error: 0, warning: 1, info: 2 };

// ---- the service ----

/** Processes of containers are others' business. */
function processOf({ flanneld }: StateSeen): Process | undefined {
  if (!flanneld.known) return undefined;
  return flanneld.value.find(({ isInHostsNamespace }) => isInHostsNamespace !== false);
}

function unitOf({ units }: StateSeen): Unit | undefined {
  return units.known ? units.value.get('flanneld.service') : undefined;
}

function serviceOf(seen: StateSeen): Known<ServiceState> {
  const { units, supervisor, flanneld, subnetEnv } = seen;
  const unit = unitOf(seen);
  // A hand-made program has names such as flanneld-7-21.
  const program = supervisor.known
    ? supervisor.value.programs.find(({ name }) => /(?:^|:)flannel/.test(name))
    : undefined;
  const bySystemd = (one: Unit): ServiceState => ({
    manager: 'systemd',
    state: one.activeState,
    isActive: one.activeState === 'active',
  });
  if (unit?.activeState === 'active') return known(bySystemd(unit));
  const isRunning =
    program?.state === 'RUNNING' || (program?.state === 'STARTING' && hasWrittenSubnet(flanneld, subnetEnv));
  if (program !== undefined && isRunning) {
    return known({ manager: 'supervisord', state: program.state, isActive: true });
  }
  if (unit?.isFound === true && unit.activeState !== 'inactive') return known(bySystemd(unit));
  if (program !== undefined) return known({ manager: 'supervisord', state: program.state, isActive: false });
  if (processOf(seen) !== undefined) return known({ manager: null, state: 'by-hand', isActive: true });
  if (unit?.isFound === true) return known(bySystemd(unit));
  if (!flanneld.known) return flanneld;
  if (!units.known && !supervisor.known) return units;
  return known({ manager: null, state: 'absent', isActive: false });
}

function judgeService({ node, seen, asked }: NodeStateInput, service: Known<ServiceState>, problems: Problem[]): void {
  if (!service.known) return;
  const { manager, state, isActive } = service.value;
  const unit = unitOf(seen);
  const log = manager === 'supervisord' ? 'supervisorctl tail flanneld' : 'journalctl -u flanneld -n 50';
  if (state === 'absent') {
    problems.push({
      code: 'flanneld-absent',
      severity: 'error',
      path: 'flanneld',
      message: `${node.name} has no service flanneld, and none runs`,
      suggestion: `netctl node bootstrap ${node.name}`,
    });
  } else if (!isActive) {
    const status = unit?.execMainStatus ?? null;
    const more =
      manager === 'systemd' && unit !== undefined
        ? [
            unit.result === '' || unit.result === 'success' ? [] : unit.result,
            status === null || unit.activeState === 'inactive' ? [] : `exit code ${status}`,
            unit.restartCount === null || unit.restartCount === 0 ? [] : `restarted ${unit.restartCount} times`,
          ].flat()
        : [];
    const said = more.length === 0 ? '' : ` (${more.join(', ')})`;
    problems.push({
      code: 'flanneld-not-running',
      severity: 'error',
      path: 'flanneld',
      message:
        state === 'activating'
          ? `flanneld is starting: it waits for etcd, for the config or for a subnet${said}`
          : `flanneld does not run: ${manager ?? 'nobody'} says ${state}${said}; its routes stay, and nobody follows changes of other nodes`,
      suggestion: `On ${node.name}: ${log}`,
    });
  } else if (state === 'by-hand') {
    problems.push({
      code: 'flanneld-without-service',
      severity: 'warning',
      path: 'flanneld',
      message: 'flanneld runs, but neither systemd nor supervisord started it: nobody starts it again',
      suggestion: `netctl node bootstrap ${node.name} --adopt`,
    });
  } else if (manager === 'systemd' && unit?.unitFileState === 'disabled') {
    problems.push({
      code: 'flanneld-not-enabled',
      severity: 'warning',
      path: 'flanneld',
      message: 'flanneld runs, but systemd does not start it at boot',
      suggestion: `On ${node.name}: systemctl enable flanneld.service`,
    });
  }
  const file = subnetFileOf(processOf(seen));
  if (file !== undefined && file !== asked.subnetFile) {
    problems.push({
      code: 'subnet-file-elsewhere',
      severity: 'warning',
      path: asked.subnetFile,
      message: `flanneld writes ${file}, and netctl looks at ${asked.subnetFile}`,
      suggestion: `Write flannel: subnetFile: ${file} in netctl.yaml`,
    });
  }
}

/** `--subnet-file` of a flanneld that runs; undefined when it names none or there is no process. */
function subnetFileOf(process: Process | undefined): string | undefined {
  if (process === undefined) return undefined;
  const { words, environment } = process;
  for (const [index, word] of words.entries()) {
    const match = /^--?subnet-file(?:=(.*))?$/.exec(word);
    if (match !== null) return match[1] ?? words[index + 1];
  }
  return environment?.get('FLANNELD_SUBNET_FILE');
}

// ---- the release ----

function versionOf({ node, seen, network, asked }: NodeStateInput, problems: Problem[]): Known<string | null> {
  const { flannelPrograms, flanneld } = seen;
  if (!flannelPrograms.known) return flannelPrograms;
  const process = processOf(seen);
  if (process?.isReplaced === true) {
    problems.push({
      code: 'flanneld-replaced',
      severity: 'warning',
      path: 'flanneld',
      message: 'the program was replaced, and the flanneld that runs is still the old one',
      suggestion: `netctl node bootstrap ${node.name}`,
    });
    return unknown('the program of the flanneld that runs is no longer there');
  }
  // A script's program is its interpreter: the path is among the words then.
  const running = process === undefined ? undefined : [process.program, ...process.words.slice(0, 2)];
  const path = running?.find((word) => word?.endsWith('/flanneld') === true) ?? undefined;
  const candidates = path === undefined ? asked.programs : [path];
  const found = flannelPrograms.value.find((program) => candidates.includes(program.path));
  if (found === undefined) {
    if (path !== undefined) return unknown(`flanneld runs from ${path}, which was not asked`);
    return flanneld.known ? known(null) : flanneld;
  }
  if (found.version === null) return unknown(`${found.path}: ${found.why ?? 'it does not tell its release'}`);
  const { wanted } = network;
  if (wanted !== null && compareFlannel(found.version, wanted) !== 0) {
    problems.push({
      code: 'flannel-other-release',
      severity: 'warning',
      path: 'flanneld',
      message: `${node.name} has flannel ${found.version.tag}, the inventory names ${wanted.tag}`,
      suggestion: `netctl node bootstrap ${node.name}`,
    });
  }
  return known(found.version.tag);
}

// ---- lease and subnet.env ----

function judgeLease({ node, seen, network }: NodeStateInput, lease: Lease | null, problems: Problem[]): void {
  if (lease !== null) {
    for (const { severity, code, path, message, suggestion, keys } of network.problems) {
      if (severity !== 'info' && keys.includes(lease.key)) problems.push({ code, severity, path, message, suggestion });
    }
    return;
  }
  const env = envOf(seen);
  const other = network.leases.find((one) => isBridgeOf(env, one.subnet));
  if (other !== undefined && other.publicIP !== null && ownAddresses(seen).includes(other.publicIP)) {
    problems.push({
      code: 'lease-under-other-ip',
      severity: 'error',
      path: other.subnetText,
      message: `${node.name} holds ${other.subnetText} under ${other.publicIP}, the inventory says ${node.publicIP ?? 'nothing'}: peers send to the wrong address`,
      suggestion: `Correct publicIP of ${node.name} in netctl.yaml, or: netctl node bootstrap ${node.name}`,
    });
    return;
  }
  problems.push({
    code: 'node-without-lease',
    severity: 'error',
    path: 'lease',
    message: `no lease has ${node.publicIP === undefined ? `an address of ${node.name}` : `the public IP ${node.publicIP} of ${node.name}`}: its containers are on no network`,
    suggestion: `On ${node.name}: journalctl -u flanneld -n 50`,
  });
}

function judgeSubnetEnv(
  { seen, network, asked }: NodeStateInput,
  lease: Lease | null,
  service: Known<ServiceState>,
  problems: Problem[],
): Known<SubnetEnvState> {
  const { subnetEnv } = seen;
  if (!subnetEnv.known) return subnetEnv;
  const file = subnetFileOf(processOf(seen));
  if (file !== undefined && file !== asked.subnetFile) return unknown(`flanneld writes ${file}, which was not asked`);
  if (!subnetEnv.value.present) {
    if (!service.known || service.value.state !== 'absent') {
      problems.push({
        code: 'no-subnet-env',
        severity: 'error',
        path: asked.subnetFile,
        message: `${asked.subnetFile} is not there: flanneld writes it when it has its subnet, and Docker does not know its own without it`,
        suggestion: 'journalctl -u flanneld -n 50',
      });
    }
    return known({ env: null });
  }
  const { env, problems: found } = subnetEnv.value.reading;
  problems.push(...found);
  if (lease !== null && env.subnet !== null && !isBridgeOf(env, lease.subnet)) {
    problems.push({
      code: 'subnet-env-not-lease',
      severity: 'error',
      path: asked.subnetFile,
      message: `FLANNEL_SUBNET=${formatBridge(env.subnet)}, but the lease is ${lease.subnetText}: containers have addresses that peers send elsewhere`,
      suggestion: 'Restart flanneld, then Docker: systemctl restart flanneld docker',
    });
  }
  const networkText = network.effective?.network ?? null;
  if (networkText !== null && env.networks.length > 0 && !env.networks.some((one) => formatCidr(one) === networkText)) {
    problems.push({
      code: 'subnet-env-other-network',
      severity: 'warning',
      path: asked.subnetFile,
      message: `FLANNEL_NETWORK=${env.networks.map(formatCidr).join(',')}, but the network is ${networkText}: flanneld reads the config at its start only`,
      suggestion: 'Restart flanneld: systemctl restart flanneld',
    });
  }
  return known({ env });
}

// ---- Docker ----

function judgeDocker(
  { node, seen, asked }: NodeStateInput,
  lease: Lease | null,
  problems: Problem[],
): NodeState['docker0'] {
  const { docker } = seen;
  const name = bridgeName(seen);
  const bridge = bridgeOf(seen);
  const isRunning = docker.known && docker.value.state === 'running';
  if (docker.known && docker.value.state === 'stopped') {
    problems.push({
      code: 'docker-down',
      severity: 'error',
      path: 'docker',
      message: `Docker does not run on ${node.name}`,
      suggestion: `On ${node.name}: systemctl status ${asked.dockerService}; journalctl -u ${asked.dockerService} -n 50`,
    });
  }
  if (!bridge.known) return bridge;
  if (bridge.value === null) {
    if (isRunning) {
      problems.push({
        code: 'docker-bridge-missing',
        severity: 'error',
        path: name,
        message: `Docker runs, and ${name} is not there: containers have no bridge`,
        suggestion: `On ${node.name}: systemctl restart ${asked.dockerService}`,
      });
    }
    // Without Docker there is nothing that a bridge could be missing for.
    return docker.known ? known(null) : docker;
  }
  const texts = bridge.value.map(formatBridge);
  const env = envOf(seen);
  const expected = env?.subnet != null ? formatBridge(env.subnet) : lease === null ? null : bridgeText(lease.subnet);
  if (expected !== null && !texts.includes(expected)) {
    problems.push({
      code: 'docker-bridge-address',
      severity: 'error',
      path: name,
      message: `${name} has ${texts.length === 0 ? 'no address' : texts.join(' and ')}, flannel's subnet is ${expected}: containers here cannot be reached by others`,
      suggestion: `netctl node bootstrap ${node.name}`,
    });
  }
  return known(texts);
}

function judgeMtu(seen: StateSeen, problems: Problem[]): Known<number> {
  const { docker, networks } = seen;
  if (docker.known && docker.value.state === 'stopped') return unknown('Docker does not run');
  if (!networks.known) return networks;
  const bridge = networks.value.find(({ name }) => name === 'bridge');
  if (bridge === undefined) return unknown('Docker has no default bridge');
  if (bridge.mtu === null) return unknown('Docker does not say which MTU its containers get');
  const { mtu } = bridge;
  const wanted = envOf(seen)?.mtu ?? null;
  if (wanted !== null && mtu > wanted) {
    problems.push({
      code: 'mtu-larger-than-overlay',
      severity: 'error',
      path: 'mtu',
      message: `containers get an MTU of ${mtu}, the overlay carries ${wanted}: small packets pass, large ones are lost`,
      suggestion: `"mtu": ${wanted} for Docker: netctl node bootstrap does so`,
    });
  } else if (wanted !== null && mtu < wanted) {
    problems.push({
      code: 'mtu-smaller-than-overlay',
      severity: 'warning',
      path: 'mtu',
      message: `containers get an MTU of ${mtu}, the overlay carries ${wanted}: it works, more slowly than it could`,
      suggestion: `"mtu": ${wanted} for Docker: netctl node bootstrap does so`,
    });
  }
  return known(mtu);
}

// ---- peers ----

const faultCodes: Readonly<Record<RouteFault['kind'], string>> = {
  device: 'tunnel-device-missing',
  missing: 'peer-route-missing',
  wrong: 'peer-route-wrong',
  'not-adjacent': 'peer-not-adjacent',
  arp: 'peer-arp-wrong',
  fdb: 'peer-fdb-wrong',
};

function judgePeers(
  { node, seen, pings, network }: NodeStateInput,
  publicIP: string | null,
  problems: Problem[],
): readonly PeerState[] {
  const { effective } = network;
  if (effective === null) return [];
  const faults = new Map<RouteFault['kind'], { readonly peer: Peer; readonly text: string }[]>();
  const silent: { readonly peer: Peer; readonly text: string }[] = [];
  const peers = peersOf(publicIP, network).map((peer): PeerState => {
    const route = peerRoute(peer, seen, effective);
    for (const { kind, text } of route.faults) {
      const list = faults.get(kind) ?? [];
      list.push({ peer, text });
      faults.set(kind, list);
    }
    const isReached = reached(peer, pings, effective);
    // Where there is no right way the silence is no news.
    const hasWay = !route.isRouted.known || route.isRouted.value;
    if (hasWay && isReached.known && !isReached.value.isReached) silent.push({ peer, text: isReached.value.why });
    return {
      peer,
      isRouted: route.isRouted,
      isReached: isReached.known ? known(isReached.value.isReached) : isReached,
    };
  });
  for (const [kind, list] of faults) problems.push(faultProblem(node, kind, list, peers.length, effective));
  if (silent.length > 0) problems.push(silentProblem(silent, peers.length, effective));
  return peers;
}

function reached(peer: Peer, pings: NodeStateInput['pings'], effective: EffectiveConfig): Known<PingAnswer> {
  if (effective.backend.type === 'alloc') return unknown(whyNoRoutes(effective) ?? '');
  if (pings === null) return unknown('it was not asked');
  if (!pings.known) return pings;
  return pings.value.get(bridgeAddress(peer.subnet)) ?? unknown(`more than ${mostPeers} peers: it was not asked`);
}

function faultProblem(
  node: InventoryNode,
  kind: RouteFault['kind'],
  list: readonly { readonly peer: Peer; readonly text: string }[],
  all: number,
  effective: EffectiveConfig,
): Problem {
  const restart = `On ${node.name}: systemctl restart flanneld, and look into journalctl -u flanneld`;
  const base = { code: faultCodes[kind], severity: 'error' as const, path: 'routes' };
  const texts = listText(list.map(({ peer, text }) => `${peerText(peer)}: ${text}`));
  switch (kind) {
    case 'device':
      return {
        ...base,
        path: tunnelDevice(effective) ?? 'routes',
        message: `${tunnelDevice(effective) ?? 'the tunnel'} is not there: no packet leaves for ${list.length === all ? 'any peer' : `${list.length} of ${all} peers`}`,
        suggestion: restart,
      };
    case 'missing':
      return {
        ...base,
        message: `no route to ${list.length} of ${all} peers: ${listText(list.map(({ peer }) => peerText(peer)))}`,
        suggestion: restart,
      };
    case 'wrong':
      return { ...base, message: `a wrong route to ${list.length} of ${all} peers: ${texts}`, suggestion: restart };
    case 'not-adjacent':
      return {
        ...base,
        message: `host-gw needs all nodes on one segment, but a router stands before ${list.length} of ${all} peers: ${texts}`,
        suggestion: 'netctl init-network NETWORK --backend vxlan --backend-option DirectRouting=true',
      };
    case 'arp':
      return {
        ...base,
        message: `the ARP entry of ${list.length} of ${all} peers is not right: ${texts}`,
        suggestion: restart,
      };
    case 'fdb':
      return {
        ...base,
        message: `the FDB entry of ${list.length} of ${all} peers is not right: ${texts}`,
        suggestion: restart,
      };
    default:
      return kind satisfies never;
  }
}

function silentProblem(
  silent: readonly { readonly peer: Peer; readonly text: string }[],
  all: number,
  effective: EffectiveConfig,
): Problem {
  const who = listText(
    silent.map(({ peer, text }) => {
      const name = peer.name === null ? '' : `${peer.name} `;
      return `${name}${bridgeAddress(peer.subnet)}${text === 'no answer' ? '' : ` (${text})`}`;
    }),
  );
  const ports = backendPorts(effective);
  const hint =
    ports.length === 0
      ? 'Is the peer up, and does its FORWARD chain let the network through?'
      : `Is the peer up, and do firewalls between the nodes let UDP ${ports.join(' and ')} through?`;
  return {
    code: 'peer-not-reached',
    severity: 'error',
    path: 'peers',
    message: `${silent.length} of ${all} peers ${silent.length === 1 ? 'does' : 'do'} not answer a ping over the overlay: ${who}`,
    suggestion: hint,
  };
}

function peerText({ name, subnet }: Peer): string {
  return name === null ? formatCidr(subnet) : `${name} (${formatCidr(subnet)})`;
}

function listText(texts: readonly string[]): string {
  const rest = texts.length - listed;
  return texts.slice(0, listed).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
