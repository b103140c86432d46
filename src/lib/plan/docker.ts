import { cidrContains, cidrOf, formatCidr, parseIpv4Cidr } from '../net/cidr';
import type { DaemonJsonPart } from '../net/docker-options';
import { daemonJsonKeys, daemonJsonPart, dockerdFlagWords } from '../net/docker-options';
import type { DockerdCommand, DockerdFlag, DockerUnit } from '../net/dockerd-flags';
import { dockerdCommand, flagConflicts, flagPlace, runningDockerd } from '../net/dockerd-flags';
import type { DaemonJson } from '../net/json-edit';
import { mergeDaemonJson, readDaemonJson, removeFromDaemonJson } from '../net/json-edit';
import type { Problem } from '../net/problem';
import { parseSubnetEnv } from '../net/subnet-env';
import type { UnitFile } from '../net/unit-settings';
import { listSetting, quotedWords, unitSettings, unitWord } from '../net/unit-settings';
import { dockerFromSubnetEnvScript } from './docker-from-subnet-env';

/** A file as it is on the node; `text` null when there is none, `mode` then too. */
export interface FileFact {
  readonly path: string;
  readonly text: string | null;
  readonly mode: number | null;
  /** Reached through a symbolic link, which is somebody's own: it is written through, never removed. */
  readonly isLink?: true;
}

/** `docker network inspect bridge`: what the default bridge is now, whatever the files say. */
export interface RunningBridge {
  /** `IPAM.Config[].Subnet` of IPv4, such as 10.1.74.0/24. */
  readonly subnet: string | null;
  /** `com.docker.network.driver.mtu`. The link's own MTU says nothing: Docker up to 24 leaves it at 1500. */
  readonly mtu: number | null;
  /** `com.docker.network.bridge.enable_ip_masquerade` */
  readonly ipMasq: boolean | null;
}

/** All of it known: where something is not, there is nothing to plan with (`dockerFactsOf`). */
export interface DockerFacts {
  /** /etc/docker/daemon.json. */
  readonly daemonJson: FileFact;
  readonly unit: DockerUnit;
  /** Words of the running dockerd (/proc/PID/cmdline); null when none runs. */
  readonly cmdline: readonly string[] | null;
  /** `docker version`'s server version; null when unknown. */
  readonly version: string | null;
  /** IPv4 addresses of docker0 such as 172.17.0.1/16; null when there is no docker0. */
  readonly docker0: { readonly addresses: readonly string[] } | null;
  /** Null when Docker does not run, or has no default bridge. */
  readonly bridge: RunningBridge | null;
  /** Names of the containers that run. */
  readonly containers: readonly string[];
  /** Null when Docker does not run. */
  readonly liveRestore: boolean | null;
  readonly subnetEnv: { readonly path: string; readonly text: string | null };
  /** The files of `dockerFiles(wish)`, so that a plan knows what is there. One that is not listed counts as absent. */
  readonly files: readonly FileFact[];
}

export type DockerStyle = 'daemon-json' | 'options-file';

export interface DockerWish {
  readonly style: DockerStyle;
  /** What Docker should be told; as mk-docker-opts.sh would choose from subnet.env when absent. */
  readonly values?: DaemonJsonPart;
  /** False leaves `ip-masq` alone, as `-m` does. */
  readonly ipMasq?: boolean;
  /** Units that write subnet.env, such as flanneld.service; Docker starts after them, and never fails with them. */
  readonly after: readonly string[];
  /**
   * Take the three options out of a hand-made set-up: flags out of ExecStart (the drop-in replaces it; the file stays), or
   * keys out of daemon.json. Otherwise such a set-up is a reason to refuse.
   */
  readonly adopt?: boolean;
  /** Restart Docker by itself when flannel gets another subnet while Docker runs. Its containers stop then. */
  readonly follow?: boolean;
  /** How long a start of Docker waits for subnet.env. Default 30. */
  readonly waitSeconds?: number;
  readonly dropIn?: string;
  readonly helper?: string;
  /** Default /run/docker_opts.env. */
  readonly optionsFile?: string;
}

/** A file to write: only if it is still as `before` says. `after` null: remove it. */
export interface FileWrite {
  readonly kind: 'write';
  readonly path: string;
  readonly mode: number;
  readonly before: string | null;
  readonly after: string | null;
  readonly why: string;
}

export interface DockerRestart {
  readonly kind: 'restart' | 'start';
  /** How the running Docker differs from the wish; one sentence each. */
  readonly why: readonly string[];
  /** Containers that stop; those without a restart policy stay so. */
  readonly stops: readonly string[];
  /** With live-restore dockerd keeps the old bridge as long as a container runs: stop them before the restart. */
  readonly stopFirst: boolean;
}

export interface DockerPlan {
  readonly style: DockerStyle;
  /** Why nothing can be done; then there are no writes and no restart. */
  readonly refusals: readonly Problem[];
  /** Noticed on the way; an error here is mended by this plan unless there are refusals. */
  readonly problems: readonly Problem[];
  readonly values: DaemonJsonPart;
  readonly writes: readonly FileWrite[];
  /** `systemctl daemon-reload` after the writes. */
  readonly reload: boolean;
  /** Units to enable and start (or to disable and stop, before their files go). */
  readonly enable: readonly string[];
  readonly disable: readonly string[];
  readonly restart: DockerRestart | null;
  /** Is to be run against the new daemon.json before it is put in place; null where dockerd has no --validate (before 23.0). */
  readonly validate: ((candidate: string) => readonly string[]) | null;
  /** What must be true afterwards; facts taken then must plan to nothing. */
  readonly expected: RunningBridge & { readonly address: string | null };
  /** Writes that bring back what was there, in their order. */
  readonly undo: readonly FileWrite[];
}

export const dockerDefaults = {
  dropIn: '/etc/systemd/system/docker.service.d/zz-netctl-flannel.conf',
  helper: '/usr/local/lib/netctl/docker-from-subnet-env',
  optionsFile: '/run/docker_opts.env',
  /** The options of the last start, for a boot at which flannel is late. */
  keptOptions: '/var/lib/netctl/docker_opts.env',
  followPath: '/etc/systemd/system/netctl-docker-follow.path',
  followService: '/etc/systemd/system/netctl-docker-follow.service',
  waitSeconds: 30,
  /** Of our own, so that DOCKER_OPTS of the distribution's files keeps its meaning. */
  variable: 'FLANNEL_DOCKER_OPTS',
} as const;

/** The unit that watches flannel's subnet. */
export const followUnit = 'netctl-docker-follow.path';

/** Files of ours that a survey should read for `DockerFacts.files`. */
export function dockerFiles(wish: Pick<DockerWish, 'dropIn' | 'helper'>): readonly string[] {
  const { dropIn, helper, followPath, followService, keptOptions } = dockerDefaults;
  return [wish.helper ?? helper, wish.dropIn ?? dropIn, followPath, followService, keptOptions];
}

/** What must change for Docker to use flannel's subnet, and to use it after a reboot and under another subnet. Pure. */
export function planDocker(facts: DockerFacts, wish: DockerWish): DockerPlan {
  const settings = settingsOf(wish);
  const file = readDaemonJson(facts.daemonJson.text);
  // What stands there without us: the drop-in of an earlier run must not look like somebody's own set-up.
  const base: DockerUnit = { ...facts.unit, files: facts.unit.files.filter(({ path }) => path !== settings.dropIn) };
  const isOurs = facts.unit.files.length > base.files.length;
  const written = dockerdCommand(base);
  const command = written.isDockerd || facts.cmdline === null ? written : runningDockerd(facts.cmdline);
  const effective = isOurs ? dockerdCommand(facts.unit) : command;
  const { values, refusals: noValues } = valuesOf(facts, wish);
  const isOwned = ({ setting }: DockerdFlag): boolean =>
    daemonJsonKeys.some((key) => values[key] !== undefined && key === setting);
  const owned = command.flags.filter(isOwned);
  // Flags that our drop-in has taken out already need no second leave.
  const isAdopted =
    wish.adopt === true ||
    (isOurs && owned.length > 0 && !effective.flags.some((flag) => isOwned(flag) && flag.source.variable === null));
  const hand: HandMade = {
    flags: owned,
    variable: variableOf(base, command, settings.optionsFile),
    isAdopted,
    ownsKeys: ownsKeys(facts, settings.dropIn),
  };

  const problems = [
    ...noticed(facts, file, effective, wish.after),
    ...(command.words.length === 0 ? [unknownFlags()] : []),
  ];
  const refusals: Problem[] = [
    ...noValues,
    ...(file.kind === 'refused' ? [file.problem] : []),
    ...impossible(file, command, values, facts.daemonJson.path),
    ...conflicts(file, command, hand, wish.style, {
      daemonJson: facts.daemonJson.path,
      optionsFile: settings.optionsFile,
    }),
  ];

  const nothing = {
    ...refusedDockerPlan(wish, refusals),
    problems,
    values,
    expected: expectedOf(values, file, command),
  };
  if (file.kind === 'refused' || refusals.length > 0) return nothing;

  const replaced = hand.flags.filter(({ source }) => source.variable === null);
  const execStart = execStartOf(base, replaced, wish.style === 'options-file' && hand.variable === null);
  if (execStart === undefined) return { ...nothing, refusals: [noProgram()] };
  const dropIn = dropInText({
    wish,
    settings,
    keys: daemonJsonKeys.filter((key) => values[key] !== undefined),
    subnetEnv: facts.subnetEnv.path,
    daemonJson: facts.daemonJson.path,
    // Theirs is the same file under their own variable: then it is only kept up to date.
    variable: hand.variable ?? dockerDefaults.variable,
    execStart,
  });
  const overruled = overruledBy(base.files, settings.dropIn, dropIn);
  if (overruled !== null) return { ...nothing, refusals: [overruled] };

  const edit = wish.style === 'daemon-json' ? mergeDaemonJson(file, values) : removeFromDaemonJson(file, partOf(file));
  const writes: FileWrite[] = [];
  const write = (path: string, mode: number, after: string | null, why: string): void => {
    const now = facts.files.find((each) => each.path === path);
    const before = now?.text ?? facts.unit.files.find((each) => each.path === path)?.text ?? null;
    const isRight = before === after && (now === undefined || now.mode === null || after === null || now.mode === mode);
    if (!isRight) writes.push({ kind: 'write', path, mode, before, after, why });
  };
  write(settings.helper, 0o755, dockerFromSubnetEnvScript, 'brings Docker up to date with flannel at each start');
  write(
    settings.dropIn,
    0o644,
    dropIn,
    `starts Docker after flannel${replaced.length > 0 ? ', without the flags that it replaces' : ''}`,
  );
  const wasFollowing = facts.files.some(({ path, text }) => path === dockerDefaults.followPath && text !== null);
  const { path: followPath, service: followService } = followUnits(settings.helper, facts.subnetEnv.path);
  if (wish.follow === true) {
    write(dockerDefaults.followService, 0o644, followService, 'restarts Docker when flannel has another subnet');
    write(dockerDefaults.followPath, 0o644, followPath, 'notices that flannel has another subnet');
  } else if (wasFollowing) {
    write(dockerDefaults.followPath, 0o644, null, 'Docker is not to be restarted by itself');
    write(dockerDefaults.followService, 0o644, null, 'Docker is not to be restarted by itself');
  }
  if (edit.changes.length > 0) {
    const changes = edit.changes.map(({ key, from, to }) => `${key} ${from ?? 'unset'} -> ${to ?? 'unset'}`);
    writes.push({
      kind: 'write',
      path: facts.daemonJson.path,
      mode: facts.daemonJson.mode ?? 0o644,
      before: facts.daemonJson.text,
      after: edit.text,
      why: changes.join(', '),
    });
  }
  const units = writes.filter(({ path }) => path.startsWith('/etc/systemd/'));
  return {
    ...nothing,
    writes,
    reload: units.length > 0,
    enable: wish.follow === true && !wasFollowing ? [followUnit] : [],
    disable: wish.follow !== true && wasFollowing ? [followUnit] : [],
    restart: restartOf(facts, values, nothing.expected),
    validate: edit.changes.length > 0 && hasValidate(facts.version) ? validateWords(command, replaced) : null,
    undo: [...writes].reverse().map(undoOf),
  };
}

/** No plan, and why. */
export function refusedDockerPlan({ style }: Pick<DockerWish, 'style'>, refusals: readonly Problem[]): DockerPlan {
  return {
    style,
    refusals,
    problems: [],
    values: {},
    expected: { address: null, subnet: null, mtu: null, ipMasq: null },
    writes: [],
    reload: false,
    enable: [],
    disable: [],
    restart: null,
    validate: null,
    undo: [],
  };
}

/** What `node reset` takes back: our files, and the keys of daemon.json that still hold flannel's value. Pure. */
export function planDockerReset(
  facts: DockerFacts,
  wish: DockerWish,
): Pick<DockerPlan, 'writes' | 'reload' | 'disable' | 'undo' | 'problems'> {
  const settings = settingsOf(wish);
  const file = readDaemonJson(facts.daemonJson.text);
  const writes: FileWrite[] = [];
  const problems: Problem[] = [];
  const remove = (path: string): void => {
    const before = [...facts.files, ...facts.unit.files].find((each) => each.path === path)?.text ?? null;
    if (before !== null)
      writes.push({ kind: 'write', path, mode: 0o644, before, after: null, why: 'netctl put it there' });
  };
  // Units before the script that they run.
  for (const path of [
    dockerDefaults.followPath,
    dockerDefaults.followService,
    settings.dropIn,
    settings.helper,
    dockerDefaults.keptOptions,
  ]) {
    remove(path);
  }
  if (ownsKeys(facts, settings.dropIn) && file.kind === 'object') {
    const { values } = valuesOf(facts, wish);
    const edit = removeFromDaemonJson(file, values);
    const kept = daemonJsonKeys.filter(
      (key) => file.values.has(key) && !edit.changes.some((change) => change.key === key),
    );
    for (const key of kept) problems.push(notOurs(key, facts.daemonJson.path));
    if (edit.changes.length > 0) {
      writes.push({
        kind: 'write',
        path: facts.daemonJson.path,
        mode: facts.daemonJson.mode ?? 0o644,
        before: facts.daemonJson.text,
        // A file that is just what we make out of nothing was made by us; a link to one was not.
        after:
          facts.daemonJson.isLink !== true && mergeDaemonJson({ kind: 'absent' }, values).text === file.text
            ? null
            : edit.text,
        why: `${edit.changes.map(({ key }) => key).join(', ')} came from netctl`,
      });
    }
  }
  const wasFollowing = writes.some(({ path }) => path === dockerDefaults.followPath);
  return {
    writes,
    reload: writes.some(({ path }) => path.startsWith('/etc/systemd/')),
    disable: wasFollowing ? [followUnit] : [],
    undo: [...writes].reverse().map(undoOf),
    problems,
  };
}

const jsonMode = 'json';

function ownsKeys(facts: DockerFacts, dropIn: string): boolean {
  return facts.unit.files.find(({ path }) => path === dropIn)?.text.includes(` ${jsonMode} `) === true;
}

interface Settings {
  readonly dropIn: string;
  readonly helper: string;
  readonly optionsFile: string;
  readonly waitSeconds: number;
}

function settingsOf(wish: Pick<DockerWish, keyof Settings>): Settings {
  return {
    dropIn: wish.dropIn ?? dockerDefaults.dropIn,
    helper: wish.helper ?? dockerDefaults.helper,
    optionsFile: wish.optionsFile ?? dockerDefaults.optionsFile,
    waitSeconds: wish.waitSeconds ?? dockerDefaults.waitSeconds,
  };
}

function undoOf({ before, after, why, ...rest }: FileWrite): FileWrite {
  return { ...rest, before: after, after: before, why: `takes back: ${why}` };
}

function valuesOf(
  facts: DockerFacts,
  wish: DockerWish,
): { readonly values: DaemonJsonPart; readonly refusals: readonly Problem[] } {
  if (wish.values !== undefined) return { values: wish.values, refusals: [] };
  if (facts.subnetEnv.text === null) {
    return {
      values: {},
      refusals: [
        refusal(
          'no-subnet-env',
          facts.subnetEnv.path,
          `${facts.subnetEnv.path} is not there: flanneld has no subnet on this node, or writes another --subnet-file`,
          'journalctl -u flanneld',
        ),
      ],
    };
  }
  const { env, problems } = parseSubnetEnv(facts.subnetEnv.text);
  const refusals = problems.filter(({ severity }) => severity === 'error');
  const values = daemonJsonPart(env, wish.ipMasq === false ? { ipMasq: false } : {});
  if (refusals.length === 0 && values.bip === undefined) {
    refusals.push(
      refusal(
        'no-ipv4-subnet',
        'FLANNEL_SUBNET',
        `${facts.subnetEnv.path} has an IPv6 subnet only; docker0 takes its address from an IPv4 one`,
        'Turn IPv4 on in the network config.',
      ),
    );
  }
  return { values, refusals };
}

function partOf(file: DaemonJson): DaemonJsonPart {
  if (file.kind !== 'object') return {};
  const bip = file.values.get('bip');
  const mtu = file.values.get('mtu');
  const masq = file.values.get('ip-masq');
  return {
    ...(typeof bip === 'string' ? { bip } : {}),
    ...(typeof mtu === 'number' ? { mtu } : {}),
    ...(typeof masq === 'boolean' ? { 'ip-masq': masq } : {}),
  };
}

function refusal(code: string, path: string, message: string, suggestion: string | null): Problem {
  return { code, severity: 'error', path, message, suggestion };
}

function unknownFlags(): Problem {
  return {
    code: 'docker-flags-unknown',
    severity: 'warning',
    path: 'docker.service',
    message: 'the command line of dockerd is not known: neither its unit nor a running process was found',
    suggestion: 'systemctl cat docker',
  };
}

/** A set-up in which dockerd would not start, or not do what is asked, whoever asks. */
function impossible(
  file: DaemonJson,
  command: DockerdCommand,
  values: DaemonJsonPart,
  daemonJson: string,
): readonly Problem[] {
  const found: Problem[] = [];
  for (const path of command.missingFiles) {
    found.push(
      refusal(
        'environment-file-missing',
        path,
        `docker.service needs ${path}, which is not there: Docker would not start again`,
        `EnvironmentFile=-${path}`,
      ),
    );
  }
  const other = command.flags.findLast(({ setting }) => setting === 'config-file');
  if (other !== undefined && other.value !== daemonJson) {
    found.push(
      refusal(
        'other-daemon-json',
        daemonJson,
        `dockerd reads ${other.value}, not ${daemonJson}: ${flagPlace(other)}`,
        `Name that file: ${other.value}`,
      ),
    );
  }
  const setting = (name: string): { readonly value: string; readonly place: string } | null => {
    const flag = command.flags.findLast((each) => each.setting === name);
    if (flag !== undefined) return { value: flag.value, place: flagPlace(flag) };
    const value = file.kind === 'object' ? file.values.get(name) : undefined;
    return typeof value === 'string' && value !== '' ? { value, place: `"${name}" in ${daemonJson}` } : null;
  };
  const bridge = setting('bridge');
  if (bridge !== null && bridge.value !== '' && values.bip !== undefined) {
    found.push(
      refusal(
        'bip-and-bridge',
        'bridge',
        `dockerd takes no bip beside a bridge of its own: ${bridge.place} is ${JSON.stringify(bridge.value)}`,
        'Take the bridge out, or give containers a network of their own in the subnet: docker network create --subnet …',
      ),
    );
  }
  const fixed = setting('fixed-cidr');
  const bip = values.bip === undefined ? undefined : parseIpv4Cidr(values.bip);
  const range = fixed === null ? undefined : parseIpv4Cidr(fixed.value);
  if (fixed !== null && bip !== undefined && (range === undefined || !cidrContains(bip, range))) {
    found.push(
      refusal(
        'fixed-cidr-outside',
        'fixed-cidr',
        `${fixed.place} is ${fixed.value}, which is not within flannel's subnet ${formatCidr(bip)}: dockerd would not start`,
        'Take fixed-cidr out.',
      ),
    );
  }
  return found;
}

/** flannel's options as somebody has given them to dockerd without netctl. */
interface HandMade {
  readonly flags: readonly DockerdFlag[];
  /** The variable by which the unit reads our options file already (mk-docker-opts.sh set up by hand). */
  readonly variable: string | null;
  readonly isAdopted: boolean;
  /** The keys in daemon.json are ours: there is a drop-in of ours that keeps them up to date. */
  readonly ownsKeys: boolean;
}

function variableOf(base: DockerUnit, command: DockerdCommand, optionsFile: string): string | null {
  const files = listSetting(unitSettings(base.files), 'Service', 'EnvironmentFile').map(({ value }) =>
    value.replace(/^-/, ''),
  );
  if (!files.includes(optionsFile)) return null;
  // Before the first run of mk-docker-opts.sh the file is not there and the variable has no value.
  const found =
    command.variables.find(({ file }) => file === optionsFile) ??
    command.variables.find(({ name, value }) => name === 'DOCKER_OPTS' && value === null) ??
    command.variables.find(({ value }) => value === null);
  return found?.name ?? null;
}

/** The same setting in two places, which dockerd dies of, or in a place that is not ours. */
function conflicts(
  file: DaemonJson,
  command: DockerdCommand,
  hand: HandMade,
  style: DockerStyle,
  { daemonJson, optionsFile }: { readonly daemonJson: string; readonly optionsFile: string },
): readonly Problem[] {
  const found: Problem[] = [];
  const settings = file.kind === 'object' ? file.settings : new Set<string>();
  const owned: readonly string[] = daemonJsonKeys;
  for (const { setting, flag } of flagConflicts(command.flags, settings)) {
    if (owned.includes(setting)) continue;
    found.push(
      refusal(
        'flag-and-file',
        setting,
        `"${setting}" stands in ${daemonJson} and as a flag, ${flagPlace(flag)}: Docker would not start again`,
        `Take one of the two out. ${daemonJson} is the better place.`,
      ),
    );
  }
  const isGenerated = ({ source }: DockerdFlag): boolean => source.variable?.file?.startsWith('/run/') === true;
  const inOptions = hand.flags.filter(({ source }) => source.variable?.file === optionsFile);
  const inVariables = hand.flags.filter((flag) => flag.source.variable !== null && !inOptions.includes(flag));
  const generated = [...(style === 'daemon-json' ? inOptions : []), ...inVariables.filter(isGenerated)];
  if (generated.length > 0 || (style === 'daemon-json' && hand.variable !== null)) {
    const where = generated[0]?.source.variable?.file ?? optionsFile;
    found.push(
      refusal(
        'options-file-in-use',
        where,
        `docker.service reads flags from ${where} already, as mk-docker-opts.sh writes them${generated.length > 0 ? `: ${generated.map(flagPlace).join(', ')}` : ''}; the same settings in a second place would keep Docker from starting`,
        `Take the style options-file with ${where}, which keeps it, or take its EnvironmentFile= line out of the unit.`,
      ),
    );
  }
  const byHand = inVariables.filter((flag) => !isGenerated(flag));
  if (byHand.length > 0) {
    found.push(
      refusal(
        'docker-flags-in-variable',
        byHand[0]?.source.variable?.file ?? '',
        `flannel's options are given by hand: ${byHand.map(flagPlace).join(', ')}`,
        `Take ${byHand.map(({ words }) => words.join(' ')).join(' ')} out of that file; its other words may stay.`,
      ),
    );
  }
  const inCommand = hand.flags.filter(({ source }) => source.variable === null);
  if (inCommand.length > 0 && (!hand.isAdopted || inCommand.some(({ source }) => source.file === '/proc'))) {
    found.push(
      refusal(
        'docker-flags-by-hand',
        inCommand[0]?.source.file ?? '',
        `flannel's options are given by hand: ${inCommand.map(({ words, source }) => `${words.join(' ')} (${source.file})`).join(', ')}`,
        'Take them out of ExecStart, or let netctl do so with --adopt: it replaces ExecStart in a drop-in and leaves the file.',
      ),
    );
  }
  const inFile = daemonJsonKeys.filter((key) => settings.has(key));
  if (style === 'options-file' && inFile.length > 0 && !hand.ownsKeys && !hand.isAdopted) {
    found.push(
      refusal(
        'flag-and-file',
        inFile.join(', '),
        `${daemonJson} has ${inFile.map((key) => `"${key}"`).join(', ')}; the same as flags would keep Docker from starting`,
        'Take the style daemon-json, or take these keys out.',
      ),
    );
  }
  if (style === 'options-file' && !command.isDockerd && command.words.length > 0) {
    found.push(
      refusal(
        'not-dockerd',
        command.file ?? '',
        `docker.service starts ${JSON.stringify(command.words[0]?.text ?? '')}, not dockerd: flags cannot be added to it`,
        'Take the style daemon-json.',
      ),
    );
  }
  return found;
}

/** What is wrong with Docker's side as it is, beside that it differs from the wish. */
function noticed(
  facts: DockerFacts,
  file: DaemonJson,
  command: DockerdCommand,
  after: readonly string[],
): readonly Problem[] {
  const found: Problem[] = [];
  const env = facts.subnetEnv.text === null ? null : parseSubnetEnv(facts.subnetEnv.text).env;
  if (env?.mtu != null) {
    const flag = command.flags.findLast(({ setting }) => setting === 'mtu');
    const key = file.kind === 'object' ? file.values.get('mtu') : undefined;
    const seen =
      flag !== undefined
        ? { mtu: Number(flag.value), place: flagPlace(flag) }
        : typeof key === 'number'
          ? { mtu: key, place: `"mtu" in ${facts.daemonJson.path}` }
          : { mtu: facts.bridge?.mtu ?? 0, place: 'the default bridge of the running Docker' };
    if (seen.mtu > env.mtu) {
      found.push({
        code: 'mtu-larger-than-overlay',
        severity: 'error',
        path: 'mtu',
        message: `${seen.place}: MTU ${seen.mtu}, but the overlay carries ${env.mtu} bytes: small requests work, large ones hang`,
        suggestion: dockerdFlagWords({ mtu: env.mtu }).join(' '),
      });
    }
  }
  if (env?.ipMasq === true && facts.bridge?.ipMasq === true) {
    found.push({
      code: 'both-masquerade',
      severity: 'warning',
      path: 'ip-masq',
      message:
        'flannel and Docker both masquerade: containers on other nodes see the address of this node, not of the container',
      suggestion: '"ip-masq": false',
    });
  }
  const settings = unitSettings(facts.unit.files);
  for (const key of ['Requires', 'BindsTo', 'PartOf', 'Requisite']) {
    for (const setting of listSetting(settings, 'Unit', key)) {
      const unit = setting.value.split(/\s+/).find((name) => after.includes(name));
      if (unit === undefined) continue;
      found.push({
        code: 'docker-requires-flannel',
        severity: 'warning',
        path: setting.path,
        message: `${key}=${unit}: when ${unit} stops or fails, Docker and its containers stop with it`,
        suggestion: `Wants=${unit}`,
      });
    }
  }
  return found;
}

function notOurs(key: string, path: string): Problem {
  return {
    code: 'key-changed-since',
    severity: 'warning',
    path: key,
    message: `"${key}" in ${path} is not what flannel would have it; it was left`,
    suggestion: 'Take it out by hand if nobody needs it.',
  };
}

interface DropIn {
  readonly wish: DockerWish;
  readonly settings: Settings;
  readonly keys: readonly string[];
  readonly subnetEnv: string;
  readonly daemonJson: string;
  readonly variable: string;
  /** Null: the unit's own stays. */
  readonly execStart: string | null;
}

function dropInText({ wish, settings, keys, subnetEnv, daemonJson, variable, execStart }: DropIn): string {
  const { helper, optionsFile, waitSeconds } = settings;
  const run = (words: readonly (string | number)[]): string =>
    ['/bin/sh', helper, ...words].map((word) => unitWord(String(word))).join(' ');
  // As mk-docker-opts.sh sorts its options.
  const sorted = [...keys].sort();
  const lines = ['# Written by netctl; "netctl node reset" takes it away.'];
  if (wish.after.length > 0) {
    // Wanted, not required: Docker lives on when flannel fails.
    lines.push('[Unit]', `Wants=${wish.after.join(' ')}`, `After=${wish.after.join(' ')}`, '');
  }
  lines.push('[Service]');
  if (wish.style === 'daemon-json') {
    lines.push(`ExecStartPre=-${run([jsonMode, subnetEnv, waitSeconds, daemonJson, ...sorted])}`);
  } else {
    lines.push(`EnvironmentFile=-${optionsFile}`);
    lines.push(
      `ExecStartPre=-${run(['options', subnetEnv, waitSeconds, optionsFile, dockerDefaults.keptOptions, variable, ...sorted])}`,
    );
  }
  if (execStart !== null) lines.push('ExecStart=', `ExecStart=${execStart}`);
  return `${lines.join('\n')}\n`;
}

/**
 * The distribution's own line, to the word, less the flags that are replaced; null when nothing has to be changed in it, undefined when
 * the unit names no program: a line of flags alone would keep Docker from starting.
 */
function execStartOf(base: DockerUnit, without: readonly DockerdFlag[], append: boolean): string | null | undefined {
  if (without.length === 0 && !append) return null;
  const own = `$${dockerDefaults.variable}`;
  const start = listSetting(unitSettings(base.files), 'Service', 'ExecStart').at(-1);
  const words =
    start === undefined
      ? dockerdCommand(base).written.map((text) => ({ text, written: text }))
      : quotedWords(start.value);
  const gone = without.flatMap((flag) => flag.words);
  const kept = words.filter(({ text }) => {
    const at = gone.indexOf(text);
    if (at >= 0) gone.splice(at, 1);
    return at < 0 && text !== own;
  });
  const [program] = words;
  if (program === undefined || kept[0] !== program || program.text.startsWith('$')) return undefined;
  return [...kept.map(({ written }) => written), ...(append ? [own] : [])].join(' ');
}

function noProgram(): Problem {
  return refusal(
    'not-dockerd',
    'docker.service',
    'docker.service starts no program that is known here: flags cannot be added to it',
    "Name Docker's unit in netctl.yaml (docker: { service: NAME }), or take the style daemon-json.",
  );
}

/** Does another drop-in, read after ours, take back what ours says? */
function overruledBy(others: readonly UnitFile[], path: string, text: string): Problem | null {
  const nameOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1);
  const [unit, ...dropIns] = others;
  const later = dropIns.filter((file) => nameOf(file.path) > nameOf(path));
  const settings = unitSettings([...(unit === undefined ? [] : [unit]), { path, text }, ...later]);
  for (const key of ['ExecStartPre', 'ExecStart', 'EnvironmentFile']) {
    const mine = unitSettings([{ path, text }]).filter((each) => each.key === key && each.value !== '');
    const left = listSetting(settings, 'Service', key);
    if (mine.every((each) => left.some((setting) => setting.path === path && setting.value === each.value))) continue;
    const culprit = later.find((file) => unitSettings([file]).some((each) => each.key === key && each.value === ''));
    return refusal(
      'drop-in-overruled',
      culprit?.path ?? path,
      `${culprit?.path ?? 'a later drop-in'} is read after ${nameOf(path)} and sets ${key}= anew`,
      `Rename it so that its name comes before ${nameOf(path)}.`,
    );
  }
  return null;
}

function followUnits(helper: string, subnetEnv: string): { readonly path: string; readonly service: string } {
  const note = '# Written by netctl; "netctl node reset" takes it away.';
  return {
    path: `${[
      note,
      '[Unit]',
      'Description=Watch the subnet that flannel holds',
      '',
      '[Path]',
      `PathChanged=${subnetEnv}`,
      '',
      '[Install]',
      'WantedBy=paths.target',
    ].join('\n')}\n`,
    service: `${[
      note,
      '[Unit]',
      'Description=Restart Docker when flannel has another subnet',
      // While Docker starts, its own ExecStartPre may have come too early.
      'After=docker.service',
      '',
      '[Service]',
      'Type=oneshot',
      `ExecStart=${['/bin/sh', helper, 'follow', subnetEnv].map(unitWord).join(' ')}`,
    ].join('\n')}\n`,
  };
}

function expectedOf(values: DaemonJsonPart, file: DaemonJson, command: DockerdCommand): DockerPlan['expected'] {
  const bip = values.bip === undefined ? undefined : parseIpv4Cidr(values.bip);
  const iptables =
    command.flags.findLast(({ setting }) => setting === 'iptables')?.value !== 'false' &&
    !(file.kind === 'object' && file.values.get('iptables') === false);
  return {
    address: values.bip ?? null,
    subnet: bip === undefined ? null : formatCidr(cidrOf(bip.address, bip.length)),
    mtu: values.mtu ?? null,
    // Without iptables dockerd turns masquerading off whatever it is told.
    ipMasq: values['ip-masq'] === undefined ? null : iptables && values['ip-masq'],
  };
}

function restartOf(facts: DockerFacts, values: DaemonJsonPart, expected: DockerPlan['expected']): DockerRestart | null {
  const stops = facts.containers;
  if (facts.cmdline === null) return { kind: 'start', why: ['Docker does not run'], stops: [], stopFirst: false };
  const why: string[] = [];
  const { address, subnet, mtu, ipMasq } = expected;
  if (address !== null) {
    if (facts.docker0 === null) why.push('there is no docker0');
    else if (!facts.docker0.addresses.includes(address)) {
      why.push(
        `docker0 is ${facts.docker0.addresses.join(', ') || 'without an address'}, flannel's subnet is ${address}`,
      );
    } else if (facts.bridge?.subnet != null && facts.bridge.subnet !== subnet) {
      // Somebody gave docker0 the address by hand; Docker still hands out the others.
      why.push(`Docker gives containers addresses of ${facts.bridge.subnet}, flannel's subnet is ${subnet}`);
    }
  }
  const { bridge } = facts;
  if (bridge === null) why.push('Docker has no default bridge');
  if (bridge?.mtu != null && mtu !== null && bridge.mtu !== mtu)
    why.push(`containers get MTU ${bridge.mtu}, it should be ${mtu}`);
  if (bridge?.ipMasq != null && ipMasq !== null && bridge.ipMasq !== ipMasq) {
    why.push(`Docker ${bridge.ipMasq ? 'masquerades' : 'does not masquerade'}, it should${ipMasq ? '' : ' not'}`);
  }
  if (why.length === 0 || Object.keys(values).length === 0) return null;
  return { kind: 'restart', why, stops, stopFirst: facts.liveRestore === true && stops.length > 0 };
}

function hasValidate(version: string | null): boolean {
  const major = /^(\d{1,3})\./.exec(version ?? '')?.[1];
  return major !== undefined && Number(major) >= 23;
}

function validateWords(
  command: DockerdCommand,
  without: readonly DockerdFlag[],
): (candidate: string) => readonly string[] {
  const words = command.words.map(({ text }) => text);
  const config = command.flags.filter(({ setting }) => setting === 'config-file');
  const gone = new Set([...without, ...config].flatMap((flag) => flag.words));
  // With the unit's own flags: a conflict shows with them only.
  return (candidate) => [...words.filter((word) => !gone.has(word)), '--validate', `--config-file=${candidate}`];
}
