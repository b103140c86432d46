import { type Known, known } from '../fact/fact';
import type { FileState } from '../fact/files';
import { hasWrittenSubnet } from '../fact/has-written-subnet';
import type { NodeQuestions, NodeSeen } from '../fact/node-facts';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { subnetEnvMtu } from '../net/backend';
import { formatCidr, type Ipv4Cidr } from '../net/cidr';
import type { FlannelArchive } from '../net/flannel-archive';
import type { FlannelVersion } from '../net/flannel-version';
import { formatIpv4 } from '../net/ipv4';
import type { Lease } from '../net/lease';
import type { EffectiveConfig } from '../net/network-config';
import type { Problem } from '../net/problem';
import type { ReservationReading } from '../net/reservation';
import { formatSubnetEnv, parseSubnetEnv } from '../net/subnet-env';
import { supervisorProgramFile } from '../net/supervisor-program';
import type { Api } from '../store/store';
import { type AssignedSubnet, assignSubnets } from './assign-subnets';
import { type DockerFacts, type DockerPlan, dockerFiles, followUnit } from './docker';
import { dockerEnvironmentFiles, dockerStep, planNodeDocker, unreadDropIn } from './docker-step';
import { type FlannelFiles, flannelFiles, flannelFilesWish, flannelLayout, type NodeFamily } from './flannel-files';
import { fileChanges, type HostChange, type NodeStep, seenSum, seenText, throughLink } from './host-change';
import { type HostFiles, hostFilePaths, hostFiles } from './host-files';
import { publishedType } from './lease-fit';
import type { NodeCommand, NodeFile } from './node-file';
import { seekersOf } from './subnet-seekers';

/** What is wanted of every node. Everything that has to be read from files of the workstation has been read. */
export interface BootstrapWish extends BootstrapIntent {
  readonly archive: FlannelArchive;
}

/** What is wanted, before the archive was chosen by what the nodes are. */
export interface BootstrapIntent {
  readonly inventory: Inventory;
  readonly version: FlannelVersion;
  readonly effective: EffectiveConfig;
  readonly prefix: string;
  /** As flanneld takes them. */
  readonly endpoints: readonly string[];
  readonly certificates?: { readonly ca?: Uint8Array; readonly cert?: Uint8Array; readonly key?: Uint8Array };
  readonly password?: string;
  /** Take over a set-up that somebody made by hand. */
  readonly adopt: boolean;
  /** Restart Docker when flannel gets another subnet while Docker runs. */
  readonly follow: boolean;
  /** What is kept for whom; a node gets its own, and nobody that of another. */
  readonly reserved?: { readonly api: Api; readonly reading: ReservationReading };
}

/** A node with what preflight chose for it. */
export interface BootstrapNode {
  readonly node: InventoryNode;
  readonly seen: NodeSeen;
  /** The interface that flanneld will use, and its address and MTU. */
  readonly iface: {
    readonly name: string;
    /** For `--iface`: the name, or the address where the interface has several. */
    readonly flag: string;
    readonly mtuBytes: number;
    readonly hasPublicIP: boolean;
  };
  readonly publicIP: string;
}

export interface NodePlan {
  readonly node: string;
  readonly steps: readonly NodeStep[];
  /** An error among them: nothing is done on this node. */
  readonly problems: readonly Problem[];
  readonly subnet: AssignedSubnet;
  /** How Docker will have its bridge. */
  readonly docker: DockerPlan;
}

const dhcpcdConf = '/etc/dhcpcd.conf';

function familyOf(seen: NodeSeen): NodeFamily {
  const { operatingSystem } = seen.answers;
  if (!operatingSystem.known) return 'debian';
  return operatingSystem.value.environmentFolder === '/etc/sysconfig' ? 'rhel' : 'debian';
}

function filesOf(node: InventoryNode, wish: BootstrapIntent, family: NodeFamily, found: FoundOnNode): FlannelFiles {
  return flannelFiles(
    flannelFilesWish(wish.inventory, node, {
      family,
      version: wish.version,
      endpoints: wish.endpoints,
      prefix: wish.prefix,
      iface: found.iface,
      hasPublicIP: found.hasPublicIP,
      ...(wish.certificates === undefined ? {} : { certificates: wish.certificates }),
      ...(wish.password === undefined ? {} : { password: wish.password }),
    }),
  );
}

interface FoundOnNode {
  readonly iface: string;
  readonly hasPublicIP: boolean;
}

/** What must be asked of a node so that it can be planned for. The same whatever the node answers. */
export function bootstrapQuestions(
  node: InventoryNode,
  wish: BootstrapIntent,
  peers: readonly string[],
): NodeQuestions {
  const { docker } = wish.inventory;
  const found = { iface: 'eth0', hasPublicIP: true };
  const both = (['debian', 'rhel'] as const).map((family) => filesOf(node, wish, family, found));
  const [debian] = both;
  const layout = debian?.layout;
  const texts = new Set<string>([
    ...both.flatMap(({ files }) => files.map(({ path }) => path)),
    ...Object.values(hostFilePaths),
    ...dockerFiles({}),
    ...dockerEnvironmentFiles,
    // Whichever service is wanted: a program file of ours from before must be known as ours.
    supervisorProgramFile('debian'),
    supervisorProgramFile('rhel'),
    dhcpcdConf,
    docker.daemonJson ?? inventoryDefaults.docker.daemonJson,
    layout?.subnetFile ?? inventoryDefaults.flannel.subnetFile,
  ]);
  const paths = layout === undefined ? [] : [layout.programs.flanneld, layout.programs.mkDockerOpts];
  return {
    texts: [...texts].sort(),
    sums: paths,
    targets: [...new Set([...peers, ...wish.endpoints.flatMap(hostOf)])],
    etcd: { endpoints: wish.endpoints, ...certificatePaths(wish, layout?.certDir) },
    dockerService: docker.service ?? inventoryDefaults.docker.service,
    folders: [layout?.folder ?? '/opt', '/etc', '/var/lib/docker'],
  };
}

/** Where flanneld finds them on the node; before the first run they are not there, and the answer says so. */
function certificatePaths({ certificates = {} }: BootstrapIntent, folder: string | undefined) {
  if (folder === undefined) return {};
  return {
    ...(certificates.ca === undefined ? {} : { ca: `${folder}/ca.pem` }),
    ...(certificates.cert === undefined ? {} : { cert: `${folder}/client.pem` }),
    ...(certificates.key === undefined ? {} : { key: `${folder}/client-key.pem` }),
  };
}

function hostOf(endpoint: string): readonly string[] {
  return URL.canParse(endpoint) ? [new URL(endpoint).hostname.replace(/^\[|\]$/g, '')] : [];
}

/**
 * What must be done so that these nodes are flannel nodes. All are planned together, because each must have a subnet of its
 * own before the first flanneld starts. Pure; an applied plan plans to nothing.
 */
export function planBootstrap(
  nodes: readonly BootstrapNode[],
  wish: BootstrapWish,
  leases: readonly Lease[],
): readonly NodePlan[] {
  const seekers = seekersOf(
    nodes.map(({ node, seen, publicIP }) => ({
      name: node.name,
      publicIP,
      wanted: node.subnet ?? null,
      previous: previousSubnet(node, seen, wish),
    })),
    wish.inventory.nodes,
    wish.reserved,
  );
  const assigned = assignSubnets(
    seekers.seekers,
    leases,
    wish.effective,
    wish.prefix,
    wish.version,
    seekers.keptForOthers,
  );
  return nodes.flatMap((node, index) => {
    const subnet = assigned[index];
    const lease = leases.find(
      (one) =>
        one.publicIP === node.publicIP &&
        subnet?.subnet?.base === one.subnet.base &&
        subnet.subnet.length === one.subnet.length,
    );
    return subnet === undefined ? [] : [planNode(node, wish, subnet, lease)];
  });
}

function subnetFileOf(node: InventoryNode, seen: NodeSeen, wish: BootstrapWish): string {
  const family = familyOf(seen);
  const flannel = flannelFilesWish(wish.inventory, node, { family, version: wish.version, endpoints: wish.endpoints });
  return flannelLayout(flannel).subnetFile;
}

function textAt(seen: NodeSeen, path: string): string | null {
  const found = throughLink(seenText(seen.answers.texts, path));
  return found?.kind === 'file' ? found.text : null;
}

function previousSubnet(node: InventoryNode, seen: NodeSeen, wish: BootstrapWish): string | null {
  const text = textAt(seen, subnetFileOf(node, seen, wish));
  const subnet = text === null ? null : parseSubnetEnv(text).env.subnet;
  if (subnet === null) return null;
  const size = 2 ** (32 - subnet.length);
  return `${formatIpv4(subnet.address - (subnet.address % size))}/${subnet.length}`;
}

function planNode(at: BootstrapNode, wish: BootstrapWish, subnet: AssignedSubnet, lease: Lease | undefined): NodePlan {
  const { node, seen, iface } = at;
  const family = familyOf(seen);
  const flannel = filesOf(node, wish, family, { iface: iface.flag, hasPublicIP: iface.hasPublicIP });
  const problems: Problem[] = [...flannel.problems];
  if (subnet.problem !== null) problems.push(subnet.problem);

  const started = flannelStep(at, wish, flannel, subnet, lease, problems);
  const host = hostStep(at, wish, problems, started.step.changes.length > 0);
  const docker = planNodeDocker(
    seen.answers,
    wish.inventory.docker,
    subnetEnvOf(at, wish, flannel.layout.subnetFile, subnet.subnet, started.restarts),
    {
      style: wish.inventory.docker.style ?? inventoryDefaults.docker.style,
      after: ['flanneld.service'],
      adopt: wish.adopt,
      follow: wish.follow,
      ...(wish.inventory.docker.optionsFile === undefined ? {} : { optionsFile: wish.inventory.docker.optionsFile }),
    },
  );
  // What is wrong with Docker's side is mended by this plan, but is said: with a refusal it stays as it is.
  const isMended = docker.refusals.length === 0;
  problems.push(
    ...docker.refusals,
    ...docker.problems.map(
      (each): Problem => (isMended && each.severity === 'error' ? { ...each, severity: 'warning' } : each),
    ),
  );
  const steps = [
    host,
    started.step,
    dockerStep(
      'Docker: its bridge gets the subnet',
      { ...docker, ...unfinishedUnits(docker, seen, wish) },
      wish.inventory.docker,
      node.name,
      seen.answers.containers,
    ),
  ].filter(({ changes }) => changes.length > 0);
  return { node: node.name, steps, problems, subnet, docker };
}

/** Units whose files a run of before has written, and that systemd has not read or started yet. */
function unfinishedUnits(
  { refusals, reload, enable }: DockerPlan,
  { answers }: NodeSeen,
  { inventory, follow }: BootstrapWish,
): Pick<DockerPlan, 'reload' | 'enable'> {
  if (refusals.length > 0 || !answers.units.known) return { reload, enable };
  const service = answers.units.value.get(`${inventory.docker.service ?? inventoryDefaults.docker.service}.service`);
  const watcher = answers.units.value.get(followUnit);
  const isWatching = watcher?.unitFileState === 'enabled' && watcher.activeState === 'active';
  return {
    reload: reload || service?.needsReload === true || watcher?.needsReload === true || unreadDropIn(answers) !== null,
    enable: follow && !isWatching ? [followUnit] : enable,
  };
}

// ---- the host itself ----

/** @param isUnfinished more is to be done on this node: a run of before may have ended between a file and its command */
function hostStep(
  { seen, iface }: BootstrapNode,
  wish: BootstrapWish,
  problems: Problem[],
  isUnfinished: boolean,
): NodeStep {
  const { answers } = seen;
  const { effective } = wish;
  const isActive = (name: string): boolean =>
    answers.units.known && answers.units.value.get(name)?.activeState === 'active';
  const files = hostFiles({
    version: wish.version,
    backend: effective.backend.type,
    hasDirectRouting: effective.backend.options['DirectRouting'] === true,
    network: effective.network,
    ipv6Network: effective.ipv6Network,
    enableNFTables: effective.enableNFTables,
    hasForwardRules: wish.inventory.flannel.options['iptables-forward-rules'] !== false,
    iface: iface.name,
    strictRpFilter: [],
    present: {
      systemdVersion: answers.systemdVersion.known ? answers.systemdVersion.value : null,
      networkManager: isActive('NetworkManager.service'),
      networkd: isActive('systemd-networkd.service'),
      dhcpcdConf: textAt(seen, dhcpcdConf),
      iptables: !(
        answers.docker.known &&
        answers.docker.value.state === 'running' &&
        answers.docker.value.engine.firewallBackend === 'nftables'
      ),
    },
  });
  const { changes, unknown } = fileChanges(files.files, (path) => seenText(answers.texts, path));
  problems.push(...unknown.map(unknownFile));
  return {
    title: 'host: modules, kernel settings, links',
    changes: [...changes, ...hostCommands(files, changes, seen, isUnfinished)],
    mind: [],
  };
}

/**
 * The commands that make the host's files take effect. Where the node shows whether they did (modules, kernel settings), that
 * decides and not what this run writes; the others are harmless to repeat.
 */
function hostCommands(
  { files, commands }: HostFiles,
  changes: readonly HostChange[],
  { answers }: NodeSeen,
  isUnfinished: boolean,
): readonly HostChange[] {
  const changed = new Set(changes.flatMap((change) => ('path' in change ? [change.path] : [])));
  const sysctl = files.find(({ path }) => path === hostFilePaths.sysctl);
  const isNeeded = ({ argv, after }: NodeCommand): boolean => {
    const [program, word = ''] = argv;
    const isAfterChange = after.some((path) => changed.has(path));
    switch (program) {
      case 'modprobe': {
        const state = answers.modules.known ? answers.modules.value.states.get(word) : undefined;
        return state === 'loadable' || (isAfterChange && state !== 'loaded');
      }
      case 'sysctl':
        return isAfterChange || !hasSettings(answers, sysctl);
      case 'udevadm':
      case 'networkctl':
        if (answers.programs.known && !answers.programs.value.has(program)) return false;
        return isAfterChange || isUnfinished;
      default:
        return isAfterChange || isUnfinished;
    }
  };
  return commands.filter(isNeeded).map(({ argv, why }) => ({ kind: 'run', argv, why }));
}

/** Does the kernel have what the file says? What it does not tell of, such as bridges without br_netfilter, is left out. */
function hasSettings({ settings }: NodeSeen['answers'], file: NodeFile | undefined): boolean {
  if (!settings.known || file?.kind !== 'file' || typeof file.content !== 'string') return true;
  return file.content.split('\n').every((line) => {
    const [, name, value] = /^-?([^#=\s]+) = (\S+)$/.exec(line) ?? [];
    if (name === undefined) return true;
    // In a file dots part the words and a slash stands for a dot; below /proc/sys it is the other way round.
    const seen = settings.value.get(name.replace(/[./]/g, (sign) => (sign === '.' ? '/' : '.')));
    return seen === undefined || seen === value;
  });
}

function unknownFile(path: string): Problem {
  return {
    code: 'node-file-unknown',
    severity: 'error',
    path,
    message: `what is at ${path} could not be found out, and nothing is written over what was not seen`,
    suggestion: 'Run netctl as a user that may become root there: ssh.sudo in the inventory',
  };
}

/** A flanneld that may be running is not restarted because systemd did not say. */
function unitsUnknown(why: string): Problem {
  return {
    code: 'units-unknown',
    severity: 'error',
    path: 'flanneld.service',
    message: `whether flanneld runs could not be found out: ${why}; nothing is done on this node`,
    suggestion: 'When this answers there, run the same command again: systemctl show flanneld.service docker.service',
  };
}

// ---- flannel ----

function flannelStep(
  { seen }: BootstrapNode,
  wish: BootstrapWish,
  { files, layout }: FlannelFiles,
  subnet: AssignedSubnet,
  lease: Lease | undefined,
  problems: Problem[],
): { readonly step: NodeStep; readonly restarts: boolean } {
  const { answers } = seen;
  const pushes = wish.archive.members.flatMap((member): readonly HostChange[] => {
    const path =
      member.name === 'flanneld'
        ? layout.programs.flanneld
        : member.name === 'mk-docker-opts.sh'
          ? layout.programs.mkDockerOpts
          : undefined;
    if (path === undefined) return [];
    const before = seenSum(answers.sums, path);
    if (before === undefined) {
      problems.push(unknownFile(path));
      return [];
    }
    if (before.kind === 'file' && before.sha256 === member.sha256 && before.mode === 0o755) return [];
    const { name, sha256, bytes: sizeBytes } = member;
    return [
      {
        kind: 'push',
        path,
        mode: 0o755,
        member: name,
        sha256,
        sizeBytes,
        before,
        why: `${name} of ${wish.archive.name}`,
      },
    ];
  });
  const { changes, unknown } = fileChanges(files, (path) => seenText(answers.texts, path));
  problems.push(...unknown.map(unknownFile));

  const isSystemd = (wish.inventory.flannel.service ?? inventoryDefaults.flannel.service) === 'systemd';
  if (isSystemd && !answers.units.known) problems.push(unitsUnknown(answers.units.why));
  const unit = answers.units.known ? answers.units.value.get('flanneld.service') : undefined;
  const program = answers.supervisor.known
    ? answers.supervisor.value.programs.find(({ name }) => name === 'flanneld')
    : undefined;
  const subnetEnv = stateOf(answers.texts, layout.subnetFile);
  const hasWritten = hasWrittenSubnet(
    answers.flanneld,
    known(subnetEnv === undefined ? { present: false } : { ...subnetEnv, present: true }),
  );
  const runs = isSystemd
    ? unit?.activeState === 'active'
    : program?.state === 'RUNNING' || (program?.state === 'STARTING' && hasWritten);
  const touched = [...pushes, ...changes].filter((change) => change.kind !== 'folder');
  const flanneld = touched.some((change) => !('path' in change && change.path === layout.programs.mkDockerOpts));
  const startedBefore = runs && isOfOtherConfig(textAt(seen, layout.subnetFile), lease, wish.effective);
  const restarts = flanneld || !runs || subnet.change !== null || startedBefore || isBehind(seen, { files, layout });
  const startWhy = startedBefore
    ? 'flanneld reads the network config at its start only, and has an older one'
    : runs
      ? 'flanneld takes up what has changed; traffic goes on'
      : 'flanneld starts';
  const commands: HostChange[] = [];
  if (isSystemd) {
    if (
      changes.some((change) => 'path' in change && change.path === layout.serviceFile) ||
      unit?.needsReload === true
    ) {
      commands.push({ kind: 'run', argv: ['systemctl', 'daemon-reload'], why: 'systemd reads the changed unit' });
    }
    if (unit?.unitFileState !== 'enabled') {
      commands.push({ kind: 'run', argv: ['systemctl', 'enable', 'flanneld.service'], why: 'flanneld starts at boot' });
    }
    if (restarts) {
      commands.push({
        kind: 'run',
        argv: ['systemctl', 'restart', 'flanneld.service'],
        timeoutMs: startTimeoutMs,
        why: startWhy,
      });
    }
  } else {
    if (restarts) {
      // It knows the old program file until it is told, also one that a run of before has written; an unchanged one is left alone.
      commands.push({
        kind: 'run',
        argv: ['supervisorctl', 'update', 'flanneld'],
        timeoutMs: startTimeoutMs,
        why: `supervisord reads the program file${program === undefined ? ' and starts flanneld' : ''}`,
      });
    }
    if (restarts && program !== undefined) {
      commands.push({
        kind: 'run',
        argv: ['supervisorctl', 'restart', 'flanneld'],
        timeoutMs: startTimeoutMs,
        why: startWhy,
      });
    }
  }
  if (restarts) {
    const expected =
      subnet.subnet === null ? '^FLANNEL_(IPV6_)?SUBNET=.' : `^FLANNEL_SUBNET=${bridgeOf(subnet.subnet)}$`;
    commands.push({
      kind: 'wait',
      // systemd's start ends when flanneld is ready; supervisord's does not, and a subnet.env of before tells nothing.
      argv: isSystemd
        ? ['grep', '-qE', '-e', expected, layout.subnetFile]
        : ['sh', '-c', freshSubnetScript, 'sh', expected, layout.subnetFile],
      seconds: 60,
      why: `flanneld writes ${layout.subnetFile} when it has its subnet`,
    });
  }
  return {
    step: {
      title: `flannel ${wish.version.tag}`,
      changes: [...pushes, ...changes, ...commands],
      mind: [],
    },
    restarts,
  };
}

/** flanneld reads the config once, at its start (flannel main.go, all releases): what it then wrote and published tells which one. */
function isOfOtherConfig(
  subnetEnv: string | null,
  lease: Lease | undefined,
  { network, enableIPv4, backend }: EffectiveConfig,
): boolean {
  if (lease !== undefined && lease.backendType !== publishedType(backend.type)) return true;
  const written = subnetEnv === null ? [] : parseSubnetEnv(subnetEnv).env.networks.map(formatCidr);
  return enableIPv4 && network !== null && written.length > 0 && !written.includes(network);
}

/**
 * Does flanneld run with an older program or older settings than those on disk? So it is after a run of ours that was cut
 * off between writing and restarting.
 */
function isBehind({ answers }: NodeSeen, { files, layout }: Pick<FlannelFiles, 'files' | 'layout'>): boolean {
  const process = answers.flanneld.known
    ? answers.flanneld.value.find(({ isInHostsNamespace }) => isInHostsNamespace !== false)
    : undefined;
  if (process === undefined) return false;
  const { program, startedAtSeconds, isReplaced } = process;
  if (isReplaced || (program?.endsWith('/flanneld') === true && program !== layout.programs.flanneld)) return true;
  if (startedAtSeconds === null) return false;
  const states = [
    ...files.flatMap(({ kind, path }) => (kind === 'directory' ? [] : [stateOf(answers.texts, path)])),
    stateOf(answers.sums, layout.programs.flanneld),
  ];
  // A second of doubt on either side: the start of a process is known to the second.
  return states.some((state) => state !== undefined && state.modifiedAtSeconds > startedAtSeconds + 1);
}

function stateOf<T extends FileState>(
  facts: Known<ReadonlyMap<string, Known<({ readonly present: true } & T) | { readonly present: false }>>>,
  path: string,
): FileState | undefined {
  const fact = facts.known ? facts.value.get(path) : undefined;
  return fact?.known === true && fact.value.present ? fact.value : undefined;
}

/**
 * `hasWrittenSubnet` asked on the node: the line is there, and the file is as young as the process that supervisord runs (proc_pid_stat(5)).
 * Until supervisord calls it RUNNING it may be one that ends at once.
 */
const freshSubnetScript = `grep -qE -e "$1" "$2" || exit 1
l=$(supervisorctl status flanneld)
case $l in *' RUNNING '*' pid '*,*) ;; *) echo "$l"; exit 1 ;; esac
p=\${l##* pid }
s=$(cat "/proc/\${p%%,*}/stat") || exit 1
m=$(stat -L -c %Y "$2"); b=$(sed -n 's/^btime //p' /proc/stat)
set -- \${s##*) }
[ "$m" -ge $((b + \${20} / 100 - 1)) ]`;

/** flanneld waits for etcd and for the config as long as it takes; systemd gives it 90 s by default. */
const startTimeoutMs = 100_000;

function bridgeOf(subnet: Ipv4Cidr): string {
  return `${formatIpv4(subnet.base + 1)}/${subnet.length}`;
}

// ---- Docker ----

function subnetEnvOf(
  { seen, iface }: BootstrapNode,
  wish: BootstrapWish,
  path: string,
  subnet: Ipv4Cidr | null,
  restarts: boolean,
): DockerFacts['subnetEnv'] {
  // Before flanneld runs the file is not there yet, or tells of another subnet; what it will say is known.
  const text = restarts && subnet !== null ? predictedSubnetEnv(wish, subnet, iface.mtuBytes) : textAt(seen, path);
  return { path, text };
}

/** The subnet.env that flanneld will write, or has written. */
export function predictedSubnetEnv(
  wish: Pick<BootstrapIntent, 'effective' | 'version' | 'inventory'>,
  subnet: Ipv4Cidr,
  interfaceMtu: number,
): string {
  const { effective, version, inventory } = wish;
  return formatSubnetEnv(
    parseSubnetEnv(
      [
        `FLANNEL_NETWORK=${effective.network ?? formatCidr(subnet)}`,
        `FLANNEL_SUBNET=${bridgeOf(subnet)}`,
        `FLANNEL_MTU=${subnetEnvMtu(effective.backend, interfaceMtu, version)}`,
        `FLANNEL_IPMASQ=${inventory.flannel.ipMasq ?? inventoryDefaults.flannel.ipMasq}`,
        '',
      ].join('\n'),
    ).env,
  );
}
