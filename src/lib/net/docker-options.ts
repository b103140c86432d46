import { InvalidInput } from '../errors';
import type { FlannelVersion } from './flannel-version';
import { isAtLeast } from './flannel-version';
import { isShellName, readShellAssignments } from './shell-assignments';
import type { SubnetEnv } from './subnet-env';
import { formatBridge } from './subnet-env';

/** The keys of daemon.json that follow flannel, and no others. A key that is absent is left alone. */
export interface DaemonJsonPart {
  /** docker0's address, such as 10.1.74.1/24. */
  readonly bip?: string;
  /** Bytes; of the default bridge only. */
  readonly mtu?: number;
  readonly 'ip-masq'?: boolean;
}

export const daemonJsonKeys = ['bip', 'mtu', 'ip-masq'] as const satisfies readonly (keyof DaemonJsonPart)[];

/**
 * What Docker should be told for this subnet, as mk-docker-opts.sh chooses: `ip-masq` is the opposite of FLANNEL_IPMASQ,
 * so that exactly one of the two masquerades.
 * @param options `ipMasq: false` leaves `ip-masq` out, as `-m` does
 */
export function daemonJsonPart(env: SubnetEnv, options: { readonly ipMasq?: boolean } = {}): DaemonJsonPart {
  return {
    ...(env.subnet === null ? {} : { bip: formatBridge(env.subnet) }),
    ...(env.mtu === null ? {} : { mtu: env.mtu }),
    ...(env.ipMasq === null || options.ipMasq === false ? {} : { 'ip-masq': !env.ipMasq }),
  };
}

/** The same as words for dockerd, in the order of mk-docker-opts.sh. */
export function dockerdFlagWords(part: DaemonJsonPart): readonly string[] {
  return [
    ...(part.bip === undefined ? [] : [`--bip=${part.bip}`]),
    ...(part['ip-masq'] === undefined ? [] : [`--ip-masq=${part['ip-masq']}`]),
    ...(part.mtu === undefined ? [] : [`--mtu=${part.mtu}`]),
  ];
}

/** How mk-docker-opts.sh is called. Neither `individual` nor `combined` means both. */
export interface MkDockerOptsCall {
  /** `-i` */
  readonly individual?: boolean;
  /** `-c` */
  readonly combined?: boolean;
  /** False for `-m`. */
  readonly ipMasq?: boolean;
  /** `-k`; DOCKER_OPTS unless told. */
  readonly key?: string;
  /** Variables that the script would inherit; they count (FLANNEL_SUBNET, DOCKER_OPT_…, the key). */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** The release whose script is meant: from v0.18.0 on it also looks for a route to the subnet. */
  readonly flannel: FlannelVersion;
  /** What `ip route show` prints on that node; absent: as if it printed nothing. */
  readonly routes?: string;
}

export interface MkDockerOptsResult {
  /** The output file; null when the script ends before it touches it. */
  readonly text: string | null;
  readonly exitCode: 0 | 1 | 2;
  readonly stderr: string;
}

/** Variables that the script, or the shell itself, works with: a subnet file that sets one changes what the script does. */
const workingVariables = new Set([
  ...['flannel_env', 'docker_env', 'combined_opts_key', 'indiv_opts', 'combined_opts', 'ipmasq', 'opt', 'docker_opts'],
  ...['OPT_NAME', 'OPT_VALUE', 'dot_four', 'subnets_pre', 'subnets_lat', 'subnets', 'route_invalid'],
  ...['IFS', 'PATH', 'PWD', 'OLDPWD', 'PPID', 'PS1', 'PS2', 'PS4', 'OPTIND', 'OPTARG', 'OPTERR', 'LINENO', 'ENV', '_'],
  ...['RANDOM', 'SECONDS', 'UID', 'EUID', 'SHELLOPTS', 'BASHOPTS', 'POSIXLY_CORRECT', 'CDPATH', 'FUNCNAME'],
]);

const marker = 'DOCKER_OPT_';
/** What survives the script's word splitting, `eval`, wildcards and `echo` unchanged. */
const plainValue = /^[A-Za-z0-9_./:,=@%+-]*$/;

/**
 * What flannel's mk-docker-opts.sh writes, run under `/bin/sh`, to the byte: its order, its leading blank, its exit code.
 * Both versions of the script (up to v0.17.0, from v0.18.0 on); flannel specification 5.
 * @param envText the subnet file; null when there is none, which the script passes over in silence
 * @throws InvalidInput `needs-a-shell` when only a shell could tell what the script would do
 */
export function mkDockerOpts(envText: string | null, call: MkDockerOptsCall): MkDockerOptsResult {
  const key = call.key ?? 'DOCKER_OPTS';
  if (!isShellName(key) || workingVariables.has(key) || key.includes(marker)) {
    throw needsShell(
      `-k ${JSON.stringify(key.slice(0, 200))} is no name for the combined options: a letter, then letters, digits and _, and none that the script uses itself`,
    );
  }
  const variables = inherited(call.environment ?? {});
  if (envText !== null) source(envText, variables);

  const subnet = variables.get('FLANNEL_SUBNET') ?? '';
  const mtu = variables.get('FLANNEL_MTU') ?? '';
  const ipMasq = variables.get('FLANNEL_IPMASQ') ?? '';
  if (subnet !== '') variables.set('DOCKER_OPT_BIP', `--bip=${subnet}`);
  if (mtu !== '') variables.set('DOCKER_OPT_MTU', `--mtu=${mtu}`);
  if (ipMasq !== '' && call.ipMasq !== false) {
    if (ipMasq !== 'true' && ipMasq !== 'false') {
      return { text: null, exitCode: 1, stderr: `Invalid value of FLANNEL_IPMASQ: ${ipMasq}\n` };
    }
    variables.set('DOCKER_OPT_IPMASQ', ipMasq === 'true' ? '--ip-masq=false' : '--ip-masq=true');
  }

  const preset = variables.get(key) ?? '';
  if (preset.includes('\\') || preset.includes(marker)) {
    throw needsShell(`the variable ${key} has a value already, with a backslash or ${marker} in it`);
  }
  const both = call.individual !== true && call.combined !== true;
  let text = '';
  let line = preset === '' ? '' : `${preset} `;
  for (const [name, value] of shown(variables)) {
    if (both || call.individual === true) text += `${name}="${value}"\n`;
    line += ` ${value}`;
  }
  if (both || call.combined === true) text += `${key}="${line}"\n`;
  if (subnet === '' || !isAtLeast(call.flannel, 'v0.18.0')) return { text, exitCode: 0, stderr: '' };
  return { text, ...lookForRoute(subnet, call.routes ?? '') };
}

function inherited(environment: Readonly<Record<string, string | undefined>>): Map<string, string> {
  const variables = new Map<string, string>();
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || !isShellName(name)) continue;
    if (workingVariables.has(name) && value.includes(marker)) {
      throw needsShell(`the environment variable ${name} holds ${marker}`);
    }
    variables.set(name, value);
  }
  return variables;
}

function source(envText: string, variables: Map<string, string>): void {
  const reading = readShellAssignments(envText);
  if (!reading.ok) throw needsShell(`line ${reading.line} of the subnet file has ${reading.what}`);
  for (const { name, value, line } of reading.assignments) {
    if (workingVariables.has(name)) {
      throw needsShell(`line ${line} of the subnet file sets ${name}, a variable of the script or the shell`);
    }
    variables.set(name, value);
  }
}

/** The variables that `set | grep DOCKER_OPT_` shows, in its order. */
function shown(variables: ReadonlyMap<string, string>): readonly (readonly [name: string, value: string])[] {
  const found = Array.from(variables).filter(([name, value]) => `${name}='${value}'`.includes(marker));
  for (const [name, value] of found) {
    // dash takes `echo -n` for an option.
    if (!plainValue.test(value) || /^-[neE]+$/.test(value)) {
      throw needsShell(
        `${sourceOf(name)} gives ${JSON.stringify(value.slice(0, 200))}, which the script hands to eval`,
      );
    }
  }
  return found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function sourceOf(name: string): string {
  return name === 'DOCKER_OPT_BIP' ? 'FLANNEL_SUBNET' : name === 'DOCKER_OPT_MTU' ? 'FLANNEL_MTU' : name;
}

/** The last part of the script from v0.18.0 on. By then the file is written, whatever comes of it. */
function lookForRoute(subnet: string, routes: string): Omit<MkDockerOptsResult, 'text'> {
  const octet = before(field(subnet, '.', 3), '/');
  const last = minusOne(octet);
  if (last === undefined) {
    return { exitCode: 2, stderr: `mk-docker-opts.sh: arithmetic expression: not a number: "${octet}-1"\n` };
  }
  const dots = subnet.includes('.') ? subnet.split('.').slice(0, 3).join('.') : subnet;
  const wanted = `${dots}.${last}/${field(subnet, '/', 1)}`;
  // grep takes it for a regular expression, so a dot stands for any character; the other characters stand for themselves.
  const pattern = new RegExp(wanted.replaceAll(/[+]/g, '\\+').replaceAll('/', '\\/'));
  const found = routes.split('\n').filter((line) => pattern.test(line) && line.includes('via'));
  if (found.length === 0) return { exitCode: 0, stderr: '' };
  return { exitCode: 1, stderr: `Your routing table already contains the subnet: ${found.join('\n')}\n` };
}

/** `cut -d SEPARATOR -f INDEX+1`: a line without the separator is printed whole. */
function field(text: string, separator: string, index: number): string {
  return text.includes(separator) ? (text.split(separator)[index] ?? '') : text;
}

function before(text: string, separator: string): string {
  return text.split(separator, 1)[0] ?? '';
}

/** `$((TEXT-1))`; undefined where the shell gives up. */
function minusOne(text: string): number | undefined {
  if (text === '') return -1;
  if (/^(0|[1-9]\d{0,9})$/.test(text)) return Number(text) - 1;
  if (/^0[0-7]{1,9}$/.test(text)) return Number.parseInt(text, 8) - 1;
  if (/^0\d*[89]\d*$/.test(text) || text.includes(':')) return undefined;
  throw needsShell(`the last part of FLANNEL_SUBNET, ${JSON.stringify(text.slice(0, 200))}, is no number`);
}

function needsShell(reason: string): InvalidInput {
  return new InvalidInput({
    code: 'needs-a-shell',
    message: `mk-docker-opts.sh cannot be imitated here: ${reason}`,
    next: ['Correct the value', 'or run the script itself: sh mk-docker-opts.sh -f FILE -d FILE'],
  });
}
