import type { ResetAnswers, ResetQuestions } from '../fact/reset-facts';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { cidrContains, cidrOf, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import type { FlannelVersion } from '../net/flannel-version';
import { formatIpv4 } from '../net/ipv4';
import { parseIpv6Cidr } from '../net/ipv6';
import type { Lease } from '../net/lease';
import type { EffectiveConfig } from '../net/network-config';
import type { Problem } from '../net/problem';
import { parseSubnetEnv, type SubnetEnv } from '../net/subnet-env';
import { supervisorProgramFile } from '../net/supervisor-program';
import { isWrittenByNetctl } from '../net/written-by-netctl';
import { predictedSubnetEnv } from './bootstrap';
import { dockerDefaults, dockerFiles } from './docker';
import { candidateOf, dockerEnvironmentFiles, dockerFactsOf } from './docker-step';
import { type FlannelFiles, flannelFiles, flannelFilesWish } from './flannel-files';
import { type FlannelTraces, flannelLeftovers } from './flannel-leftovers';
import {
  type HostChange,
  holdsPassword,
  type NodeStep,
  type SeenPath,
  seenSum,
  seenText,
  sha256Of,
} from './host-change';
import { hostFilePaths, withoutNetctlBlock } from './host-files';
import { masqueradePaths } from './masquerade-files';
import { type DockerReset, resetDocker } from './reset-docker';
import { type LeaseRelease, releaseLease } from './reset-lease';

/** What is known of the fleet when nodes are reset. Everything of the workstation has been read. */
export interface ResetWish {
  readonly inventory: Inventory;
  readonly version: FlannelVersion;
  /** Null when etcd was not asked, has no config, or one that flanneld does not take. */
  readonly effective: EffectiveConfig | null;
  readonly leases: readonly Lease[];
  readonly keepLease: boolean;
  /** As flanneld gets them; only for comparing with what lies on the node. */
  readonly endpoints: readonly string[];
  /** The bytes that bootstrap would put there; a file of the workstation that is gone is absent. */
  readonly certificates: { readonly ca?: Uint8Array; readonly cert?: Uint8Array; readonly key?: Uint8Array };
  /** Sums (SHA-256, hex) of the programs of flannel releases. */
  readonly programs: ReadonlySet<string>;
}

export interface ResetNode {
  readonly node: InventoryNode;
  readonly answers: ResetAnswers;
}

export interface ResetPlan {
  readonly node: string;
  readonly subnet: Ipv4Cidr | null;
  readonly steps: readonly NodeStep[];
  /** An error among them: nothing is done on this node. */
  readonly problems: readonly Problem[];
  readonly lease: LeaseRelease;
  /** Containers on the default bridge that run now: they lose their network, or stop. */
  readonly containers: readonly string[];
}

const nmUnit = 'NetworkManager.service';
const forwardUnit = 'netctl-forward.service';
const subnetEnvFolder = '/run/flannel';
/** wireguard's private key (flannel v0.16.0 and later). */
const wireguardKey = '/run/flannel/wgkey';
const certificateNames = ['ca.pem', 'client.pem', 'client-key.pem'] as const;

interface Layout {
  readonly debian: FlannelFiles;
  readonly rhel: FlannelFiles;
}

function layoutsOf(
  node: InventoryNode,
  wish: Pick<ResetWish, 'inventory' | 'version' | 'endpoints' | 'certificates'>,
): Layout {
  const of = (family: 'debian' | 'rhel'): FlannelFiles => {
    const { version, endpoints, certificates } = wish;
    return flannelFiles(flannelFilesWish(wish.inventory, node, { family, version, endpoints, certificates }));
  };
  return { debian: of('debian'), rhel: of('rhel') };
}

/** Where bootstrap puts its own files outside the folder of a release, whatever the service. */
function ownPaths({ debian, rhel }: Layout): readonly string[] {
  return [
    ...new Set([
      debian.layout.environmentFile,
      rhel.layout.environmentFile,
      '/etc/systemd/system/flanneld.service',
      supervisorProgramFile('debian'),
      supervisorProgramFile('rhel'),
      '/etc/flannel/flanneld.sh',
    ]),
  ];
}

/** What must be asked of a node so that it can be planned for. The same whatever the node answers. */
export function resetQuestions(
  node: InventoryNode,
  wish: Pick<ResetWish, 'inventory' | 'version' | 'endpoints' | 'certificates'>,
): ResetQuestions {
  const { docker, flannel } = wish.inventory;
  const layouts = layoutsOf(node, wish);
  const { layout } = layouts.debian;
  return {
    texts: [
      ...new Set([
        ...ownPaths(layouts),
        ...Object.values(hostFilePaths),
        ...dockerFiles({}),
        ...dockerEnvironmentFiles,
        docker.optionsFile ?? dockerDefaults.optionsFile,
        docker.daemonJson ?? inventoryDefaults.docker.daemonJson,
        candidateOf(docker.daemonJson ?? inventoryDefaults.docker.daemonJson),
        layout.subnetFile,
        masqueradePaths.unit,
        ...(layout.link === null ? [] : [layout.link]),
      ]),
    ].sort(),
    sums: [
      layout.programs.flanneld,
      layout.programs.mkDockerOpts,
      ...certificateNames.map((name) => `${layout.certDirOnDisk}/${name}`),
      wireguardKey,
    ],
    folders: foldersOf(layouts),
    installDir: flannel.installDir ?? inventoryDefaults.flannel.installDir,
    dockerService: docker.service ?? inventoryDefaults.docker.service,
  };
}

/** Folders that bootstrap makes; the deepest first. One of the system's own, such as /etc/docker, is not among them. */
function foldersOf({ debian: { layout } }: Layout): readonly string[] {
  return [
    ...new Set([
      ...(layout.link === null || !layout.certDirOnDisk.startsWith(`${layout.folder}/`) ? [layout.certDirOnDisk] : []),
      '/etc/flannel/cert',
      '/etc/flannel',
      parentOf(dockerDefaults.dropIn),
      parentOf(dockerDefaults.helper),
      parentOf(dockerDefaults.keptOptions),
      parentOf(hostFilePaths.networkd),
      subnetEnvFolder,
    ]),
  ];
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/**
 * What must be done so that nothing of `node bootstrap` is left on a node. Only what is marked as netctl's goes, or what still is what
 * bootstrap would write; the rest is named and stays. Pure; an applied plan plans to nothing.
 */
export function planReset(at: ResetNode, wish: ResetWish): ResetPlan {
  const { node, answers } = at;
  const problems: Problem[] = [];
  const layouts = layoutsOf(node, wish);
  const flannel =
    answers.operatingSystem.known && answers.operatingSystem.value.environmentFolder === '/etc/sysconfig'
      ? layouts.rhel
      : layouts.debian;
  const { layout } = flannel;
  const text = (path: string): string | null => textAt(answers, path);

  const found = text(layout.subnetFile);
  const written = found === null ? null : parseSubnetEnv(found).env;
  const lease = leaseOf(at, wish, written);
  const [released] = lease.changes.flatMap(({ key }) => wish.leases.filter((each) => each.key === key));
  const subnet =
    written?.subnet != null ? cidrOf(written.subnet.address, written.subnet.length) : (released?.subnet ?? null);

  problems.push(...foreignFlannel(at, flannel), ...unknownFiles(at, wish), ...masqueradeLeft(at));
  const folders = new FolderCount(answers);
  const traces = tracesOf(wish, written, subnet);
  const flanneld = stopStep(at, layouts, traces, problems, folders);
  const host = hostStep(at, problems, folders);

  const env = found ?? foretold(at, wish, subnet);
  const { facts, refusals } = dockerFactsOf(answers, wish.inventory.docker, { path: layout.subnetFile, text: env });
  const docker =
    facts === null
      ? nothingToDocker(refusals)
      : resetDocker({
          node: node.name,
          facts,
          wish: {
            style: wish.inventory.docker.style ?? inventoryDefaults.docker.style,
            after: ['flanneld.service'],
            ...(wish.inventory.docker.optionsFile === undefined
              ? {}
              : { optionsFile: wish.inventory.docker.optionsFile }),
          },
          docker: wish.inventory.docker,
          containers: answers.containers,
          service: unitOf(answers, `${wish.inventory.docker.service ?? inventoryDefaults.docker.service}.service`),
          networks: networksOf(wish, written),
          taken: rangesWithoutFlannel(answers, traces),
        });
  problems.push(...docker.problems);
  const late = [...docker.after, ...candidateAway(at, wish)];
  folders.take([...docker.step.changes, ...late]);
  const programs = programStep(at, wish, flannel, late, problems, folders);

  const steps = [flanneld, host, docker.step, programs].filter(({ changes }) => changes.length > 0);
  const bridged = answers.containers.known
    ? answers.containers.value.filter(({ networks }) => networks.has('bridge')).map(({ name }) => name)
    : [];
  return {
    node: node.name,
    subnet,
    steps,
    problems: wish.keepLease ? problems : [...problems, ...lease.problems],
    lease: wish.keepLease ? { changes: [], problems: [] } : lease,
    containers: [...new Set([...docker.stops, ...(flanneld.changes.length > 0 ? bridged : [])])],
  };
}

/** What cannot be known is left: with such a problem nothing at all is done on the node. */
function nothingToDocker(problems: readonly Problem[]): DockerReset {
  return {
    step: { title: 'Docker: its bridge as without flannel', changes: [], mind: [] },
    after: [],
    problems,
    stops: [],
  };
}

/** Left by a run of bootstrap that was cut off while dockerd judged the new settings. */
function candidateAway({ answers }: ResetNode, { inventory }: ResetWish): readonly HostChange[] {
  const path = candidateOf(inventory.docker.daemonJson ?? inventoryDefaults.docker.daemonJson);
  const seen = seenText(answers.texts, path);
  if (seen?.kind !== 'file' && seen?.kind !== 'link') return [];
  return [
    { kind: 'remove', path, before: { kind: 'anything' }, why: 'dockerd was asked whether it takes these settings' },
  ];
}

/** Another command's work, with its own way back, which needs the rules as they are while Docker runs. */
function masqueradeLeft({ node, answers }: ResetNode): readonly Problem[] {
  if (textAt(answers, masqueradePaths.unit) === null) return [];
  return [
    {
      code: 'masquerade-left',
      severity: 'warning',
      path: masqueradePaths.unit,
      message: `netctl keeps Docker's masquerade rule on ${node.name} as fix-masquerade has set it; that is left`,
      suggestion: `netctl fix-masquerade ${node.name} --revert`,
    },
  ];
}

function unitOf(answers: ResetAnswers, name: string) {
  return answers.units.known ? answers.units.value.get(name) : undefined;
}

function textAt(answers: ResetAnswers, path: string): string | null {
  const seen = seenText(answers.texts, path);
  return seen?.kind === 'file' ? seen.text : null;
}

function run(why: string, ...argv: readonly [string, ...string[]]): HostChange {
  return { kind: 'run', argv, why };
}

const putThere = 'netctl put it there';

/** Folders that nobody but netctl and flannel makes: one that is empty was left by a run that was cut off. */
const ownFolders = /^(\/etc\/flannel|\/usr\/local\/lib\/netctl|\/var\/lib\/netctl|\/run\/flannel)(\/|$)/;

/** Counts what leaves a folder, and says when nothing is left in it. */
class FolderCount {
  readonly #names = new Map<string, Set<string>>();
  /** Folders from which something is taken. */
  readonly #touched = new Set<string>();
  readonly #gone = new Set<string>();

  constructor(answers: ResetAnswers) {
    if (!answers.folders.known) return;
    for (const [folder, names] of answers.folders.value) if (names !== null) this.#names.set(folder, new Set(names));
  }

  take(changes: readonly HostChange[]): void {
    for (const change of changes) if (change.kind === 'remove') this.#take(change.path);
  }

  #take(path: string): void {
    const folder = parentOf(path);
    this.#touched.add(folder);
    this.#names.get(folder)?.delete(path.slice(path.lastIndexOf('/') + 1));
  }

  /** Those of these folders that are empty by now, in their order. Each is given once. */
  emptied(folders: readonly string[]): readonly HostChange[] {
    return folders.flatMap((folder) => {
      const isEmptied = this.#names.get(folder)?.size === 0 && (this.#touched.has(folder) || ownFolders.test(folder));
      if (!isEmptied || this.#gone.has(folder)) return [];
      this.#gone.add(folder);
      this.#take(folder);
      return [run('nothing is left in it', 'rmdir', '--', folder)];
    });
  }
}

// ---- whose flannel is it? ----

/** A flanneld that netctl did not set up is not stopped, and what it needs is not taken from it. */
function foreignFlannel({ node, answers }: ResetNode, { layout }: FlannelFiles): readonly Problem[] {
  const found: Problem[] = [];
  const refuse = (path: string, message: string): void => {
    found.push({
      code: 'flannel-not-ours',
      severity: 'error',
      path,
      message: `${message}: it is not netctl's to take away`,
      suggestion: 'Take that set-up away by hand first, then run this again.',
    });
  };
  if (!answers.flannelUnit.known || !answers.flanneld.known) {
    const why = !answers.flannelUnit.known
      ? answers.flannelUnit.why
      : !answers.flanneld.known
        ? answers.flanneld.why
        : '';
    return [
      {
        code: 'flannel-unknown',
        severity: 'error',
        path: 'flanneld',
        message: `whose flanneld runs on ${node.name} could not be found out: ${why}`,
        suggestion: null,
      },
    ];
  }
  const [unit, ...dropIns] = answers.flannelUnit.value;
  if (unit !== undefined && !isWrittenByNetctl(unit.text))
    refuse(unit.path, `flanneld.service stands in ${unit.path}, which netctl did not write`);
  for (const { path } of dropIns) found.push(fileLeft(path, 'changes flanneld.service, and netctl did not write it'));
  const isOurs = (words: readonly string[], program: string | null): boolean =>
    [program, ...words.slice(0, 2)].some(
      (word) =>
        word === layout.executable ||
        (layout.link !== null && word?.startsWith(`${layout.link}-v`) === true && word.endsWith('/flanneld')),
    );
  for (const { pid, program, words, isInHostsNamespace } of answers.flanneld.value) {
    if (isInHostsNamespace === false) refuse(String(pid), `a flanneld runs in a container (process ${pid})`);
    else if (!isOurs(words, program))
      refuse(String(pid), `${words.slice(0, 2).join(' ')} runs (process ${pid}), not ${layout.executable}`);
  }
  return found;
}

function unknownFiles({ node, answers }: ResetNode, wish: ResetWish): readonly Problem[] {
  const asked = resetQuestions(node, wish);
  const unread = [
    ...asked.texts.filter((path) => seenText(answers.texts, path) === undefined && !isForeignKind(answers, path)),
    ...asked.sums.filter((path) => seenSum(answers.sums, path) === undefined),
  ];
  return unread.slice(0, 3).map((path) => ({
    code: 'node-file-unknown',
    severity: 'error',
    path,
    message: `what is at ${path} could not be found out, and nothing is taken away that was not seen`,
    suggestion: 'Run netctl as a user that may become root there: ssh.sudo in the inventory',
  }));
}

/** Seen, and neither file nor link nor folder: certainly not ours. */
function isForeignKind(answers: ResetAnswers, path: string): boolean {
  const fact = answers.texts.known ? answers.texts.value.get(path) : undefined;
  return fact?.known === true && fact.value.present && fact.value.kind === 'other';
}

/** A file with our comment goes; another one of that name is left and named. */
function markedFile(answers: ResetAnswers, path: string, problems: Problem[]): readonly HostChange[] {
  const before = seenText(answers.texts, path);
  if (before === undefined || before.kind === 'absent') return [];
  if (before.kind === 'file' && before.text !== null && isWrittenByNetctl(before.text)) {
    return [{ kind: 'remove', path, before: hidden(before), why: putThere }];
  }
  problems.push(fileLeft(path, 'does not say that netctl wrote it'));
  return [];
}

function hidden(before: Extract<SeenPath, { kind: 'file' }>): SeenPath {
  return holdsPassword(before) ? { ...before, text: null } : before;
}

function fileLeft(path: string, why: string): Problem {
  return {
    code: 'file-left',
    severity: 'warning',
    path,
    message: `${path} ${why}; it was left`,
    suggestion: 'Take it away by hand if nobody needs it.',
  };
}

// ---- flanneld ----

function networksOf(wish: ResetWish, env: SubnetEnv | null): readonly Ipv4Cidr[] {
  const config = wish.effective?.network == null ? undefined : parseIpv4Cidr(wish.effective.network);
  return [...(env?.networks ?? []), ...(config === undefined ? [] : [config])];
}

function tracesOf(wish: ResetWish, env: SubnetEnv | null, subnet: Ipv4Cidr | null): FlannelTraces {
  const ipv6 = wish.effective?.ipv6Network == null ? undefined : parseIpv6Cidr(wish.effective.ipv6Network);
  const six = [env?.ipv6Network, ipv6].flatMap((range) =>
    range == null ? [] : [{ family: 6, base: range.base, length: range.length } as const],
  );
  const four = (range: Ipv4Cidr) => ({ family: 4, base: range.base, length: range.length }) as const;
  const six6 = env?.ipv6Subnet;
  return {
    networks: [...networksOf(wish, env).map(four), ...six],
    subnets: [
      ...(subnet === null ? [] : [four(subnet)]),
      ...(six6 == null ? [] : [{ family: 6, base: six6.address, length: six6.length } as const]),
    ],
    gateways: new Set([
      ...wish.inventory.nodes.flatMap(({ publicIP, publicIPv6 }) => [publicIP ?? [], publicIPv6 ?? []].flat()),
      ...wish.leases.flatMap(({ publicIP, publicIPv6 }) => [publicIP ?? [], publicIPv6 ?? []].flat()),
    ]),
    version: wish.version,
  };
}

function stopStep(
  { answers }: ResetNode,
  layouts: Layout,
  traces: FlannelTraces,
  problems: Problem[],
  folders: FolderCount,
): NodeStep {
  const changes: HostChange[] = [];
  const unit = unitOf(answers, 'flanneld.service');
  const unitPath = '/etc/systemd/system/flanneld.service';
  const hasUnit = seenText(answers.texts, unitPath)?.kind === 'file';
  const isOn = unit !== undefined && !['inactive', 'failed', ''].includes(unit.activeState);
  if (hasUnit && (isOn || unit?.unitFileState === 'enabled')) {
    changes.push({
      kind: 'run',
      argv: ['systemctl', 'disable', '--now', 'flanneld.service'],
      timeoutMs: 120_000,
      why: 'flanneld stops, and does not start again',
    });
  }
  const program = answers.supervisor.known
    ? answers.supervisor.value.programs.find(({ name }) => name === 'flanneld')
    : undefined;
  const programFiles = [supervisorProgramFile('debian'), supervisorProgramFile('rhel')];
  const hasProgramFile = programFiles.some((path) => isWrittenByNetctl(textAt(answers, path) ?? ''));
  if (hasProgramFile && program !== undefined && ['RUNNING', 'STARTING', 'BACKOFF'].includes(program.state)) {
    changes.push({
      kind: 'run',
      argv: ['supervisorctl', 'stop', 'flanneld'],
      timeoutMs: 120_000,
      why: 'flanneld stops',
    });
  }
  const stops = changes.length > 0;
  const leftovers = flannelLeftovers(answers, traces);
  problems.push(...leftovers.problems);
  changes.push(...leftovers.changes);

  const files = ownPaths(layouts).flatMap((path) => markedFile(answers, path, problems));
  changes.push(...files);
  folders.take(files);
  const removed = (path: string): boolean => files.some((change) => 'path' in change && change.path === path);
  // Cut off between the two, systemd still knows a unit whose file is gone.
  if (removed(unitPath) || (!hasUnit && unit?.fragmentPath === unitPath)) {
    changes.push(run('systemd forgets the unit', 'systemctl', 'daemon-reload'));
  }
  const isForgotten =
    programFiles.some(removed) || (!hasProgramFile && program !== undefined && program.state === 'STOPPED');
  if (isForgotten && answers.supervisor.known && answers.supervisor.value.isRunning) {
    changes.push(run('supervisord forgets the program', 'supervisorctl', 'update', 'flanneld'));
  }
  return {
    title: 'flannel stops, and what it leaves behind goes',
    changes,
    mind: [
      ...(stops ? ['containers of this node reach those of other nodes no longer'] : []),
      ...(programFiles.some(removed) ? ['the logs of flanneld stay'] : []),
    ],
  };
}

// ---- the host itself ----

function hostStep({ answers }: ResetNode, problems: Problem[], folders: FolderCount): NodeStep {
  const changes: HostChange[] = [];
  const removals = Object.values(hostFilePaths)
    .filter((path) => path !== hostFilePaths.dhcpcd)
    .flatMap((path) => markedFile(answers, path, problems));
  const removes = (path: string): boolean => removals.some((change) => 'path' in change && change.path === path);
  const forward = unitOf(answers, forwardUnit);
  const isForwardOn = forward?.activeState === 'active' || forward?.unitFileState === 'enabled';
  if (isForwardOn && removes(hostFilePaths.forward)) {
    changes.push(
      run('takes its rules out of FORWARD, by their exact words', 'systemctl', 'disable', '--now', forwardUnit),
    );
  }
  changes.push(...removals, ...dhcpcd(answers));
  folders.take(removals);
  changes.push(...folders.emptied([parentOf(hostFilePaths.networkd)]));
  if (removes(hostFilePaths.forward)) changes.push(run('systemd forgets the unit', 'systemctl', 'daemon-reload'));
  const hasProgram = (name: string): boolean => answers.programs.known && answers.programs.value.has(name);
  if (removes(hostFilePaths.link) && hasProgram('udevadm')) {
    changes.push(run('udev forgets the file', 'udevadm', 'control', '--reload'));
  }
  if (removes(hostFilePaths.networkManager) && unitOf(answers, nmUnit)?.activeState === 'active') {
    changes.push(run('NetworkManager forgets the file; connections stay as they are', 'systemctl', 'reload', nmUnit));
  }
  const networkd = unitOf(answers, 'systemd-networkd.service')?.activeState === 'active';
  const systemd = answers.systemdVersion.known ? (answers.systemdVersion.value ?? 0) : 0;
  if (removes(hostFilePaths.network) && networkd && systemd >= 244 && hasProgram('networkctl')) {
    changes.push(run('networkd forgets the file', 'networkctl', 'reload'));
  }
  const mind =
    removes(hostFilePaths.sysctl) || removes(hostFilePaths.modules)
      ? [
          'kernel settings (ip_forward, bridge-nf-call-iptables) and modules stay as they are now: others may rely on them',
        ]
      : [];
  return { title: 'host: modules, kernel settings, links', changes, mind };
}

function dhcpcd(answers: ResetAnswers): readonly HostChange[] {
  const path = hostFilePaths.dhcpcd;
  const before = seenText(answers.texts, path);
  if (before?.kind !== 'file' || before.text === null) return [];
  const rest = withoutNetctlBlock(before.text);
  if (rest === before.text) return [];
  return [
    {
      kind: 'write',
      path,
      mode: before.mode,
      content: Buffer.from(rest),
      before,
      isSecret: false,
      why: "netctl's lines go, the rest is as it was; dhcpcd reads the file when it starts next",
    },
  ];
}

// ---- Docker ----

/** After a boot at which flanneld failed there is no subnet.env; what it said follows from the lease and the config. */
function foretold({ answers }: ResetNode, wish: ResetWish, subnet: Ipv4Cidr | null): string | null {
  const { effective, version, inventory } = wish;
  if (effective === null || subnet === null) return null;
  const publicIPs = new Set(
    wish.leases.filter((lease) => isSame(lease.subnet, subnet)).map(({ publicIP }) => publicIP),
  );
  const link = answers.links.known
    ? answers.links.value.find(({ addresses }) =>
        addresses.some((each) => each.family === 4 && publicIPs.has(formatIpv4(each.address))),
      )
    : undefined;
  return link === undefined ? null : predictedSubnetEnv({ effective, version, inventory }, subnet, link.mtu);
}

function isSame(a: Ipv4Cidr, b: Ipv4Cidr): boolean {
  return a.base === b.base && a.length === b.length;
}

/** What the node's routes lead to when flannel's are gone, docker0's own left out. */
function rangesWithoutFlannel(answers: ResetAnswers, traces: FlannelTraces): readonly Ipv4Cidr[] {
  if (!answers.routes.known) return [];
  return answers.routes.value.flatMap(({ destination, nextHops, table }): readonly Ipv4Cidr[] => {
    if (destination.family !== 4 || destination.length === 0 || table !== 'main') return [];
    const isFlannels = nextHops.some(
      ({ gateway, device }) =>
        device === 'docker0' ||
        device?.startsWith('flannel') === true ||
        (gateway?.family === 4 &&
          traces.gateways.has(formatIpv4(gateway.address)) &&
          isInside(traces, destination.base)),
    );
    return isFlannels ? [] : [cidrOf(destination.base, destination.length)];
  });
}

function isInside(traces: FlannelTraces, address: number): boolean {
  return traces.networks.some(
    (network) => network.family === 4 && cidrContains(cidrOf(network.base, network.length), address),
  );
}

// ---- programs, certificates, subnet.env ----

function programStep(
  { answers }: ResetNode,
  wish: ResetWish,
  { layout }: FlannelFiles,
  late: readonly HostChange[],
  problems: Problem[],
  folders: FolderCount,
): NodeStep {
  const changes: HostChange[] = [...late];
  const sums = new Set(
    [wish.certificates.ca, wish.certificates.cert, wish.certificates.key].flatMap((bytes) =>
      bytes === undefined ? [] : [sha256Of(bytes)],
    ),
  );
  changes.push(...linkAway(answers, layout.link));
  const inLink = (path: string): string | null =>
    layout.link !== null && path.startsWith(`${layout.link}/`) ? path.slice(layout.link.length) : null;
  if (layout.link !== null) {
    changes.push(...releasesAway(answers, wish.programs, sums, inLink(layout.subnetFile), problems));
  } else {
    for (const path of [layout.programs.flanneld, layout.programs.mkDockerOpts]) {
      changes.push(...summedFile(answers, path, wish.programs, 'is of no flannel release that is at hand', problems));
    }
  }
  if (inLink(layout.certDir) === null) {
    for (const name of certificateNames) {
      const path = `${layout.certDirOnDisk}/${name}`;
      changes.push(...summedFile(answers, path, sums, 'is not the file that bootstrap would put there', problems));
    }
  }
  const generated = [
    ...(inLink(layout.subnetFile) === null ? [layout.subnetFile] : []),
    wish.inventory.docker.optionsFile ?? dockerDefaults.optionsFile,
  ];
  for (const path of generated) {
    const before = seenText(answers.texts, path);
    if (before?.kind !== 'file' || before.text === null) continue;
    const isOurs =
      path === layout.subnetFile
        ? /^FLANNEL_/m.test(before.text)
        : before.text.startsWith(`${dockerDefaults.variable}=`);
    if (isOurs) changes.push({ kind: 'remove', path, before, why: 'it told of the subnet' });
  }
  const key = seenSum(answers.sums, wireguardKey);
  if (key?.kind === 'file')
    changes.push({ kind: 'remove', path: wireguardKey, before: key, why: "flannel's private key" });
  folders.take(changes);
  changes.push(
    ...folders.emptied([
      ...(inLink(layout.certDir) === null ? [layout.certDirOnDisk] : []),
      '/etc/flannel/cert',
      '/etc/flannel',
      parentOf(dockerDefaults.dropIn),
      parentOf(dockerDefaults.helper),
      parentOf(dockerDefaults.keptOptions),
      subnetEnvFolder,
    ]),
  );
  return { title: 'flannel: programs, certificates, subnet.env', changes, mind: [] };
}

function linkAway(answers: ResetAnswers, link: string | null): readonly HostChange[] {
  if (link === null) return [];
  const before = seenText(answers.texts, link);
  // A folder of that name, or a link to another place, is somebody's own.
  if (before?.kind !== 'link' || !before.target.startsWith(`${link}-v`)) return [];
  return [{ kind: 'remove', path: link, before, why: 'it led to the release in use' }];
}

function summedFile(
  answers: ResetAnswers,
  path: string,
  sums: ReadonlySet<string>,
  why: string,
  problems: Problem[],
): readonly HostChange[] {
  const before = seenSum(answers.sums, path);
  if (before === undefined || before.kind === 'absent') return [];
  if (before.kind === 'file' && sums.has(before.sha256)) return [{ kind: 'remove', path, before, why: putThere }];
  problems.push(fileLeft(path, why));
  return [];
}

/** Every release that lies beside the link, older ones too: what is known in it goes, and the folder when nothing else is in it. */
function releasesAway(
  answers: ResetAnswers,
  programs: ReadonlySet<string>,
  certificates: ReadonlySet<string>,
  subnetFile: string | null,
  problems: Problem[],
): readonly HostChange[] {
  if (!answers.releases.known) {
    problems.push({
      code: 'releases-unknown',
      severity: 'warning',
      path: '/opt',
      message: `the folders of flannel releases were left: ${answers.releases.why}`,
      suggestion: null,
    });
    return [];
  }
  const changes: HostChange[] = [];
  for (const { path: folder, tag, entries } of answers.releases.value) {
    const why = (path: string, sha256: string | null, isMarked: boolean): string | null => {
      const name = path.slice(folder.length);
      const isKnown = (sums: ReadonlySet<string>): boolean => sha256 !== null && sums.has(sha256);
      if (name === '/flanneld' || name === '/mk-docker-opts.sh') return isKnown(programs) ? `of flannel ${tag}` : null;
      if (name === subnetFile) return 'it told of the subnet';
      return isMarked || isKnown(certificates) ? putThere : null;
    };
    const kept = new Set<string>();
    for (const { path, kind, mode, sha256, isMarked } of entries) {
      if (kind === 'folder') continue;
      const reason = kind === 'file' ? why(path, sha256, isMarked) : null;
      if (reason === null || sha256 === null) {
        kept.add(path);
        const isProgram = path === `${folder}/flanneld` || path === `${folder}/mk-docker-opts.sh`;
        problems.push(
          isProgram
            ? {
                code: 'program-unknown',
                severity: 'warning',
                path,
                message: `${path} is not of a flannel release that is at hand on this machine; it was left`,
                suggestion: `Name the archive that it came from: --archive flannel-${tag}-linux-amd64.tar.gz`,
              }
            : fileLeft(path, 'is not what netctl put there'),
        );
      } else changes.push({ kind: 'remove', path, before: { kind: 'file', sha256, mode, text: null }, why: reason });
    }
    const inner = entries.filter(({ kind }) => kind === 'folder').map(({ path }) => path);
    for (const path of [...inner.sort((a, b) => b.length - a.length), folder]) {
      const isFree = ![...kept].some((each) => each.startsWith(`${path}/`));
      // A folder that netctl did not make is not its own to remove; what keeps it keeps those above it.
      if (isFree && (path === folder || path === `${folder}/cert`))
        changes.push(run('nothing is left in it', 'rmdir', '--', path));
      else kept.add(path);
    }
  }
  return changes;
}

// ---- the lease ----

const notOurs = /^(lo|docker\d+|br-|veth|flannel|cni|virbr|tun|tap)/;

function leaseOf({ node, answers }: ResetNode, wish: ResetWish, env: SubnetEnv | null): LeaseRelease {
  const addresses = answers.links.known
    ? answers.links.value
        .filter(({ name }) => !notOurs.test(name))
        .flatMap((link) => link.addresses.flatMap((each) => (each.family === 4 ? [formatIpv4(each.address)] : [])))
    : [];
  const others = new Set(
    wish.inventory.nodes.flatMap((other) => (other.name === node.name ? [] : (other.publicIP ?? []))),
  );
  return releaseLease(
    {
      node: node.name,
      publicIP: node.publicIP ?? null,
      addresses,
      subnet: env?.subnet == null ? null : cidrOf(env.subnet.address, env.subnet.length),
    },
    wish.leases,
    others,
  );
}
