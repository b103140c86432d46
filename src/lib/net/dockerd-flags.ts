import type { UnitFile, UnitSetting } from './unit-settings';
import { environmentFile, listSetting, unitSettings, unitWords } from './unit-settings';

/** What is known of how dockerd is started. */
export interface DockerUnit {
  /** docker.service and its drop-ins, in the order of systemd. Empty when only `execStart` is known. */
  readonly files: readonly UnitFile[];
  /** `systemctl show docker -p ExecStart --value`; its words are not quoted, so the files are better. */
  readonly execStart?: string;
  /** The files of EnvironmentFile=; null for one that is not there. A path that is not listed here is unknown. */
  readonly environmentFiles: readonly { readonly path: string; readonly text: string | null }[];
}

/** Where a word of the command line comes from. */
export interface WordSource {
  /** The unit or drop-in; `systemctl show` when only that is known; `/proc` for a running process. */
  readonly file: string;
  /** The variable that it came out of, and the file that set it (null: unset, or set elsewhere). */
  readonly variable: { readonly name: string; readonly file: string | null } | null;
}

export interface DockerdWord {
  readonly text: string;
  readonly source: WordSource;
}

export interface DockerdFlag {
  /** Long name without dashes, such as `insecure-registry`; `host` for `-H`. */
  readonly name: string;
  /** The name in daemon.json, such as `insecure-registries`. */
  readonly setting: string;
  /** `true` for a flag that stands alone. */
  readonly value: string;
  readonly source: WordSource;
  /** The words that it is made of. */
  readonly words: readonly string[];
}

export interface DockerdCommand {
  /** As they stand in the unit, variables unexpanded; the program first. Empty when there is no ExecStart. */
  readonly written: readonly string[];
  /** The file whose ExecStart counts. */
  readonly file: string | null;
  /** With variables replaced. */
  readonly words: readonly DockerdWord[];
  readonly flags: readonly DockerdFlag[];
  /** Variables that stand in it. */
  readonly variables: readonly { readonly name: string; readonly value: string | null; readonly file: string | null }[];
  /** Required environment files (no leading `-`) that are not there: the unit does not start. */
  readonly missingFiles: readonly string[];
  /** False when the program is no dockerd, such as a shell that starts it: its flags cannot be told. */
  readonly isDockerd: boolean;
}

/** moby cmd/dockerd: flags whose name in daemon.json is another (opts.NamedOption), of all releases. */
const settingOf: Readonly<Record<string, string>> = {
  'add-runtime': 'runtimes',
  'authorization-plugin': 'authorization-plugins',
  'cdi-spec-dir': 'cdi-spec-dirs',
  'cluster-store-opt': 'cluster-store-opts',
  'default-address-pool': 'default-address-pools',
  'default-network-opt': 'default-network-opts',
  'default-ulimit': 'default-ulimits',
  'dns-opt': 'dns-opts',
  'exec-opt': 'exec-opts',
  feature: 'features',
  host: 'hosts',
  'insecure-registry': 'insecure-registries',
  label: 'labels',
  'log-opt': 'log-opts',
  'node-generic-resource': 'node-generic-resources',
  'registry-mirror': 'registry-mirrors',
  'storage-opt': 'storage-opts',
};

/** Settings that may stand in both places: dockerd merges them. */
const mergedSettings = new Set(['runtimes']);

const shorthands: Readonly<Record<string, string>> = {
  b: 'bridge',
  D: 'debug',
  G: 'group',
  g: 'graph',
  H: 'host',
  l: 'log-level',
  p: 'pidfile',
  r: 'restart',
  s: 'storage-driver',
  v: 'version',
  h: 'help',
};

/** Flags that take no word of their own: only `--flag=false` gives them a value. */
const booleans = new Set([
  ...[
    'allow-direct-routing',
    'cri-containerd',
    'debug',
    'disable-legacy-registry',
    'experimental',
    'help',
    'icc',
    'init',
  ],
  ...[
    'ip-forward',
    'ip-forward-no-drop',
    'ip-masq',
    'ip6tables',
    'iptables',
    'ipv6',
    'live-restore',
    'no-new-privileges',
  ],
  ...[
    'raw-logs',
    'restart',
    'rootless',
    'selinux-enabled',
    'tls',
    'tlsverify',
    'userland-proxy',
    'validate',
    'version',
  ],
]);

/** How systemd would start dockerd now. */
export function dockerdCommand(unit: DockerUnit): DockerdCommand {
  const settings = unitSettings(unit.files);
  const starts = listSetting(settings, 'Service', 'ExecStart');
  // Only Type=oneshot may have several; the last one is then what replaced the others by mistake.
  const start = starts.at(-1);
  const { variables, missingFiles } = environmentOf(settings, unit);
  if (start !== undefined) return commandOf(unitWords(start.value), start.path, variables, missingFiles);
  const shown = /argv\[\]=(.*?) ; ignore_errors=/s.exec(unit.execStart ?? '')?.[1];
  if (shown === undefined) return commandOf([], null, variables, missingFiles);
  return commandOf(shown.split(' '), 'systemctl show', variables, missingFiles);
}

/** The flags of a dockerd that runs: /proc/PID/cmdline, split at its NULs. */
export function runningDockerd(cmdline: readonly string[]): DockerdCommand {
  const source = { file: '/proc', variable: null };
  const words = cmdline.map((text) => ({ text, source }));
  return {
    written: cmdline,
    file: '/proc',
    words,
    flags: flagsOf(words.slice(1)),
    variables: [],
    missingFiles: [],
    isDockerd: isDockerd(cmdline[0] ?? ''),
  };
}

interface Variable {
  readonly value: string;
  readonly file: string;
}

function environmentOf(settings: readonly UnitSetting[], unit: DockerUnit) {
  const variables = new Map<string, Variable>();
  for (const setting of listSetting(settings, 'Service', 'Environment')) {
    for (const word of unitWords(setting.value)) {
      const equals = word.indexOf('=');
      if (equals > 0) variables.set(word.slice(0, equals), { value: word.slice(equals + 1), file: setting.path });
    }
  }
  const missingFiles: string[] = [];
  const listed = listSetting(settings, 'Service', 'EnvironmentFile').map(({ value }) => value);
  for (const each of listed.length > 0 ? listed : unit.environmentFiles.map(({ path }) => `-${path}`)) {
    const path = each.replace(/^-/, '');
    const found = unit.environmentFiles.find((file) => file.path === path);
    if (found === undefined) continue;
    if (found.text === null) {
      if (!each.startsWith('-')) missingFiles.push(path);
      continue;
    }
    for (const [name, value] of environmentFile(found.text)) variables.set(name, { value, file: path });
  }
  return { variables, missingFiles };
}

function commandOf(
  written: readonly string[],
  file: string | null,
  variables: ReadonlyMap<string, Variable>,
  missingFiles: readonly string[],
): DockerdCommand {
  const used = new Map<string, Variable | undefined>();
  const [program = '', ...rest] = written;
  const from = (name: string | null): WordSource => ({
    file: file ?? '',
    variable: name === null ? null : { name, file: variables.get(name)?.file ?? null },
  });
  const words: DockerdWord[] =
    written.length === 0 ? [] : [{ text: program.replace(/^[@:+!-]+/, ''), source: from(null) }];
  for (const word of rest) {
    const alone = /^\$([A-Za-z_][A-Za-z0-9_]*)$/.exec(word)?.[1];
    if (alone !== undefined) {
      used.set(alone, variables.get(alone));
      for (const text of unitWords(variables.get(alone)?.value ?? '')) words.push({ text, source: from(alone) });
      continue;
    }
    let inside: string | null = null;
    const text = word.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\$/g, (_all, name: string | undefined) => {
      if (name === undefined) return '$';
      inside = name;
      used.set(name, variables.get(name));
      return variables.get(name)?.value ?? '';
    });
    words.push({ text, source: from(inside) });
  }
  return {
    written,
    file,
    words,
    flags: flagsOf(words.slice(1)),
    variables: Array.from(used, ([name, variable]) => ({
      name,
      value: variable?.value ?? null,
      file: variable?.file ?? null,
    })),
    missingFiles,
    isDockerd: isDockerd(words[0]?.text ?? ''),
  };
}

/** `dockerd`, and the `dockerd-current` and `dockerd-ce` of older packages. */
function isDockerd(program: string): boolean {
  return /(^|\/)dockerd(-[a-z]+)?$/.test(program);
}

/** pflag's reading: `--name=value`, `--name value`, `-Hvalue`, `-H value`, `-D`. dockerd has no arguments beside flags. */
function flagsOf(words: readonly DockerdWord[]): readonly DockerdFlag[] {
  const flags: DockerdFlag[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (word === undefined || !word.text.startsWith('-') || word.text === '-' || word.text === '--') continue;
    const next = words[at + 1];
    const add = (name: string, value: string, used: readonly string[]): void => {
      flags.push({ name, setting: settingOf[name] ?? name, value, source: word.source, words: used });
    };
    /** The value of a flag that stands without one; steps over the word that it takes. */
    const following = (name: string): void => {
      if (booleans.has(name) || next === undefined || (next.text.startsWith('-') && settingOf[name] === undefined)) {
        add(name, 'true', [word.text]);
      } else {
        at += 1;
        add(name, next.text, [word.text, next.text]);
      }
    };
    const long = /^--([^=]+)(?:=(.*))?$/s.exec(word.text);
    if (long !== null) {
      const [, name = '', value] = long;
      if (value === undefined) following(name);
      else add(name, value, [word.text]);
      continue;
    }
    for (let letter = 1; letter < word.text.length; letter++) {
      const name = shorthands[word.text[letter] ?? ''] ?? word.text[letter] ?? '';
      const rest = word.text.slice(letter + 1);
      if (rest.startsWith('=')) {
        add(name, rest.slice(1), [word.text]);
        break;
      }
      if (booleans.has(name)) {
        add(name, 'true', [word.text]);
        continue;
      }
      if (rest === '') following(name);
      else add(name, rest, [word.text]);
      break;
    }
  }
  return flags;
}

/** A setting that stands both as a flag and in daemon.json. dockerd does not start with one. */
export interface FlagConflict {
  readonly setting: string;
  readonly flag: DockerdFlag;
}

/**
 * @param settings the names in daemon.json, flattened as dockerd does
 */
export function flagConflicts(flags: readonly DockerdFlag[], settings: ReadonlySet<string>): readonly FlagConflict[] {
  const found = new Map<string, FlagConflict>();
  for (const flag of flags) {
    if (settings.has(flag.setting) && !mergedSettings.has(flag.setting)) {
      found.set(flag.setting, { setting: flag.setting, flag });
    }
  }
  return [...found.values()];
}

/** `--bip (DOCKER_OPTS in /run/docker_opts.env)`: for messages. */
export function flagPlace({ name, source }: DockerdFlag): string {
  const { variable, file } = source;
  if (variable === null) return `--${name} (${file})`;
  return `--${name} (${variable.name} in ${variable.file ?? file})`;
}
