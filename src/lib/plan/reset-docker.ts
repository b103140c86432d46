import type { Unit } from '../fact/units';
import type { DockerSection } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { cidrContains, cidrOf, cidrsOverlap, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import { type DockerdCommand, dockerdCommand } from '../net/dockerd-flags';
import { formatIpv4 } from '../net/ipv4';
import { mergeDaemonJson, readDaemonJson, removeFromDaemonJson } from '../net/json-edit';
import type { Problem } from '../net/problem';
import { type DockerFacts, type DockerWish, dockerDefaults, type FileWrite, planDockerReset } from './docker';
import { stayStopped, stopContainers } from './docker-containers-stop';
import { type DockerAnswers, dockerWrite } from './docker-step';
import type { HostChange, NodeStep, Undo } from './host-change';

export interface DockerResetInput {
  readonly node: string;
  readonly facts: DockerFacts;
  readonly wish: DockerWish;
  readonly docker: DockerSection;
  readonly containers: DockerAnswers['containers'];
  readonly service: Unit | undefined;
  /** flannel's networks: docker0 is not to be in one of them without somebody wanting it. */
  readonly networks: readonly Ipv4Cidr[];
  /** Ranges that the node reaches when flannel is gone, docker0's own not among them: Docker chooses none that overlaps. */
  readonly taken: readonly Ipv4Cidr[];
}

export interface DockerReset {
  /** With the restart when there is one. */
  readonly step: NodeStep;
  /** What may go only when Docker has its own range again. */
  readonly after: readonly HostChange[];
  readonly problems: readonly Problem[];
  /** Containers that stop. */
  readonly stops: readonly string[];
}

const ours = /^# Written by netctl[,;]/m;

/** Takes back what netctl gave Docker: its files, the keys of daemon.json that still hold flannel's values, and docker0's address. Pure. */
export function resetDocker(input: DockerResetInput): DockerReset {
  const { node, facts, docker } = input;
  const { writes, problems } = writesOf(input);
  const path = facts.daemonJson.path;
  const removed = new Set(writes.filter(({ after }) => after === null).map((write) => write.path));
  const json = writes.find((write) => write.path === path);
  const own = json === undefined ? facts.daemonJson.text : json.after;
  const command = dockerdCommand({ ...facts.unit, files: facts.unit.files.filter((file) => !removed.has(file.path)) });
  const told = toldDocker(own, command);

  const stray = (facts.docker0?.addresses ?? []).filter((text) => {
    const address = parseIpv4Cidr(text)?.address;
    return (
      text !== told.bip && address !== undefined && input.networks.some((network) => cidrContains(network, address))
    );
  });
  const isRunning = facts.cmdline !== null;
  const chosen = told.bip === null && stray.length > 0 ? (freeBridge(own, input.taken) ?? null) : null;
  if (stray.length > 0 && !isRunning) problems.push(strayBridge(stray, 'Docker does not run'));
  else if (stray.length > 0 && told.bip === null && chosen === null)
    problems.push(strayBridge(stray, 'no range of its pools is free'));
  const isStuck = (stray.length > 0 && told.bip === null && chosen === null) || readDaemonJson(own).kind === 'refused';
  const why = isRunning && !isStuck ? reasons(facts, stray, told, json !== undefined) : [];
  const stops = why.length === 0 ? [] : facts.containers;
  const service = `${docker.service ?? inventoryDefaults.docker.service}.service`;
  const seconds = docker.restartTimeoutSeconds ?? inventoryDefaults.docker.restartTimeoutSeconds;

  // Docker keeps the range of its last start for as long as nobody names another: for one start its own choice is named.
  const named = why.length > 0 && chosen !== null ? withBridge(facts, own, chosen) : null;
  const isLate = (write: FileWrite): boolean =>
    write.path === dockerDefaults.helper || (named !== null && write.path === path);
  const early = [...(named === null ? [] : [named]), ...writes.filter((write) => !isLate(write))];
  const late = [
    ...(named?.after == null ? [] : [{ ...named, before: named.after, after: own, why: 'it was for one start only' }]),
    ...writes.filter((write) => isLate(write) && write.path !== path),
  ];

  const changes: HostChange[] = disabled(input.facts, removed).map((unit) =>
    run('no longer wanted', ['systemctl', 'disable', '--now', unit]),
  );
  const containers = input.containers.known ? input.containers.value : [];
  const undo: Undo[] = [];
  for (const write of early) {
    const change = dockerWrite(write);
    changes.push(change);
    undo.unshift({ of: change, change: dockerWrite(undoOf(write)) });
  }
  if (early.some((write) => write.path.startsWith('/etc/systemd/')) || input.service?.needsReload === true) {
    const reload = run('systemd reads the units as they are now', ['systemctl', 'daemon-reload']);
    changes.push(reload);
    undo.push({ of: reload, change: { ...reload, why: 'systemd reads the old units' } });
  }
  if (why.length > 0) {
    const stopped = facts.liveRestore === true && stops.length > 0 ? stopContainers(stops, containers, seconds) : null;
    if (stopped !== null) changes.push(stopped.stop);
    const forgive = run('systemd counts failed starts of before no more', ['systemctl', 'reset-failed', service]);
    const restart = (reason: string): HostChange => run(reason, ['systemctl', 'restart', service], seconds * 1000);
    const address = chosen ?? told.bip;
    const again = restart(why.join('; '));
    changes.push(forgive, again, {
      kind: 'wait',
      argv: ['sh', '-c', waitScript, 'sh', address ?? ''],
      seconds,
      why: address === null ? 'Docker answers' : `docker0 has ${address}`,
    });
    undo.push(
      { of: again, change: forgive },
      { of: again, change: restart('Docker starts with its old settings') },
      ...(stopped?.undo ?? []),
    );
    if (stopped !== null && stopped.start !== null) changes.push(stopped.start);
  }

  const stay = stayStopped(stops, containers);
  return {
    problems,
    stops,
    after: late.map(dockerWrite),
    step: {
      title: 'Docker: its bridge as without flannel',
      changes,
      oneAtATime: 'docker-restart',
      // Without a restart nothing is put back: what is gone was to go, and the next run takes the rest.
      ...(why.length === 0 ? {} : { undo }),
      mind: [
        ...(why.length === 0 ? [] : [`Docker on ${node} is restarted: ${why.join('; ')}`]),
        ...(stops.length === 0 ? [] : [`${stops.length} containers stop: ${some(stops)}`]),
        ...(stay.length === 0
          ? []
          : [`these stay stopped, their restart policy does not bring them back: ${some(stay)}`]),
      ],
    },
  };
}

function run(why: string, argv: readonly [string, ...string[]], timeoutMs?: number): HostChange {
  return { kind: 'run', argv, why, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

/** What is to be written and taken away, less what is not ours. */
function writesOf({ facts, wish, taken }: DockerResetInput): {
  readonly writes: readonly FileWrite[];
  readonly problems: Problem[];
} {
  const plan = planDockerReset(facts, wish);
  const problems: Problem[] = [...plan.problems];
  const file = readDaemonJson(facts.daemonJson.text);
  if (file.kind === 'refused') problems.push({ ...file.problem, severity: 'warning' });
  const { path } = facts.daemonJson;
  const known = plan.writes.filter((write) => {
    if (isOurs(write, path)) return true;
    problems.push(notMarked(write.path));
    return false;
  });
  // The mode that the file has: it is put back when Docker does not come up.
  const modes = new Map(facts.files.map((each) => [each.path, each.mode]));
  const writes = known.map((write) => ({ ...write, mode: modes.get(write.path) ?? write.mode }));
  const json = writes.find((write) => write.path === path);
  const own = json === undefined ? facts.daemonJson.text : json.after;
  const rest = withoutChosen(writes, own, taken, facts.daemonJson.isLink === true);
  if (rest === undefined) return { writes, problems };
  const { text: before, mode } = facts.daemonJson;
  const why = json === undefined ? 'it was for one start only' : json.why;
  return {
    writes: [
      ...writes.filter((write) => write !== json),
      { kind: 'write', path, mode: mode ?? 0o644, before, after: rest, why },
    ],
    problems: problems.filter((problem) => problem.code !== 'key-changed-since' || problem.path !== 'bip'),
  };
}

/**
 * daemon.json without the range that a run of ours named for one start before it was cut off; undefined when there is none. The script
 * goes last, so it tells of such a run; and nobody else's word would stand beside it, because it writes flannel's over it.
 * @returns null when nothing is left of the file
 */
function withoutChosen(
  writes: readonly FileWrite[],
  text: string | null,
  taken: readonly Ipv4Cidr[],
  isLink: boolean,
): string | null | undefined {
  const file = readDaemonJson(text);
  if (file.kind !== 'object' || !writes.some((write) => write.path === dockerDefaults.helper)) return undefined;
  const bip = file.values.get('bip');
  if (typeof bip !== 'string' || bip !== freeBridge(text, taken)) return undefined;
  const isMade = !isLink && mergeDaemonJson({ kind: 'absent' }, { bip }).text === file.text;
  return isMade ? null : removeFromDaemonJson(file, { bip }).text;
}

function disabled(facts: DockerFacts, removed: ReadonlySet<string>): readonly string[] {
  const path = dockerDefaults.followPath;
  const isThere = facts.files.some((each) => each.path === path && each.text !== null);
  return isThere && removed.has(path) ? [path.slice(path.lastIndexOf('/') + 1)] : [];
}

/** daemon.json with the address for docker0; null when it cannot be edited. */
function withBridge(facts: DockerFacts, own: string | null, bip: string): FileWrite | null {
  const file = readDaemonJson(own);
  if (file.kind === 'refused') return null;
  const { path, text, mode } = facts.daemonJson;
  const after = mergeDaemonJson(file, { bip }).text;
  return {
    kind: 'write',
    path,
    mode: mode ?? 0o644,
    before: text,
    after,
    why: `names ${bip}, Docker's own choice, for one start`,
  };
}

function strayBridge(stray: readonly string[], because: string): Problem {
  return {
    code: 'docker0-left',
    severity: 'warning',
    path: 'docker0',
    message: `docker0 keeps ${stray.join(', ')}, which was flannel's: ${because}`,
    suggestion: 'Start Docker, or name a range for it ("bip" in daemon.json), then run this again.',
  };
}

function some(names: readonly string[]): string {
  return `${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}`;
}

/** The options of the last start are written by our script and carry no comment; nobody else knows that path. */
function isOurs({ path, before }: FileWrite, daemonJson: string): boolean {
  return path === dockerDefaults.keptOptions || path === daemonJson || ours.test((before ?? '').slice(0, 4096));
}

function notMarked(path: string): Problem {
  return {
    code: 'file-left',
    severity: 'warning',
    path,
    message: `${path} does not say that netctl wrote it; it was left`,
    suggestion: 'Take it away by hand if nobody needs it.',
  };
}

function undoOf({ before, after, why, ...rest }: FileWrite): FileWrite {
  return { ...rest, before: after, after: before, why: `takes back: ${why}` };
}

/** Docker answers, and docker0 has the address when one is expected. */
const waitScript =
  '[ -z "$1" ] || ip -4 -o addr show dev docker0 | grep -qF " $1 " || exit 1; docker info >/dev/null 2>&1';

/** moby libnetwork/ipamutils: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/20 and on. */
const pools: readonly Pool[] = [
  ...Array.from({ length: 15 }, (_, index) => ({ range: cidrOf((172 * 256 + 17 + index) * 65_536, 16), size: 16 })),
  { range: cidrOf((192 * 256 + 168) * 65_536, 16), size: 20 },
];

interface Pool {
  readonly range: Ipv4Cidr;
  readonly size: number;
}

/** A pool may be cut into 65,536 ranges; one that has so many in use is not searched to its end. */
const mostTries = 4096;

/** The address that Docker would give docker0 on a machine where it starts for the first time. */
function freeBridge(daemonJson: string | null, taken: readonly Ipv4Cidr[]): string | undefined {
  for (const { range, size } of poolsOf(daemonJson)) {
    const step = 2 ** (32 - size);
    const count = Math.min(2 ** (size - range.length), mostTries);
    for (let index = 0; index < count; index++) {
      const candidate = cidrOf(range.base + index * step, size);
      if (!taken.some((other) => cidrsOverlap(other, candidate))) return `${formatIpv4(candidate.base + 1)}/${size}`;
    }
  }
  return undefined;
}

function poolsOf(daemonJson: string | null): readonly Pool[] {
  const file = readDaemonJson(daemonJson);
  const list = file.kind === 'object' ? file.values.get('default-address-pools') : undefined;
  if (!Array.isArray(list)) return pools;
  return list.flatMap((entry: unknown): readonly Pool[] => {
    if (typeof entry !== 'object' || entry === null) return [];
    const base: unknown = Reflect.get(entry, 'base');
    const size: unknown = Reflect.get(entry, 'size');
    const range = typeof base === 'string' ? parseIpv4Cidr(base) : undefined;
    const isSize = typeof size === 'number' && Number.isInteger(size) && size <= 30;
    return range === undefined || !isSize || size < range.length
      ? []
      : [{ range: cidrOf(range.base, range.length), size }];
  });
}

interface Told {
  readonly bip: string | null;
  readonly mtu: number;
  readonly ipMasq: boolean;
}

/** What Docker will take when it starts with these settings; its own defaults where they say nothing. */
function toldDocker(daemonJson: string | null, command: DockerdCommand): Told {
  const file = readDaemonJson(daemonJson);
  const values = file.kind === 'object' ? file.values : new Map<string, unknown>();
  const flag = (setting: string): string | null | undefined =>
    command.flags.findLast((each) => each.setting === setting)?.value;
  const bip = flag('bip') ?? values.get('bip');
  const mtu = flag('mtu') ?? values.get('mtu');
  const masq = flag('ip-masq') ?? values.get('ip-masq');
  return {
    bip: typeof bip === 'string' && bip !== '' ? bip : null,
    mtu: Number(mtu ?? 0) || 1500,
    ipMasq: masq !== false && masq !== 'false',
  };
}

function reasons(facts: DockerFacts, stray: readonly string[], told: Told, fileChanges: boolean): readonly string[] {
  const why: string[] = [];
  const { bridge } = facts;
  if (stray.length > 0) why.push(`docker0 is ${stray.join(', ')}, which is flannel's`);
  // Whether it differs is asked only where it was ours: somebody may have told Docker otherwise in a way that we do not know.
  if (stray.length === 0 && !fileChanges) return why;
  if (bridge?.mtu != null && bridge.mtu !== told.mtu)
    why.push(`containers get MTU ${bridge.mtu}, it should be ${told.mtu}`);
  if (bridge?.ipMasq != null && bridge.ipMasq !== told.ipMasq)
    why.push(`Docker ${bridge.ipMasq ? 'masquerades' : 'does not masquerade'}, it should${told.ipMasq ? '' : ' not'}`);
  return why;
}
