import { compareFlannel, etcdApiOf, type FlannelVersion, isAtLeast, newestFlannel } from './flannel-version';
import { parseIpv4 } from './ipv4';
import { parseIpv6 } from './ipv6';
import { nearestWord } from './nearest-word';
import type { Problem } from './problem';

/** One of flanneld's flags, as Go's flag package declares it. */
export interface FlannelFlag {
  /** Without dashes. Its variable is `FLANNELD_` and the name in capitals, dashes as underscores. */
  readonly name: string;
  /** `list`: may be given several times on the command line, but only once by its variable. */
  readonly kind: 'string' | 'bool' | 'int' | 'list';
  /** What flanneld takes when the flag is not given, as text; of a list: nothing. */
  readonly default: string;
  /** First release that knows it. */
  readonly from: string;
  /** First release that does not know it any more; null while it lives. */
  readonly gone: string | null;
  /** Who reads it: `kube` flags are accepted and ignored while flanneld keeps its state in etcd. */
  readonly mode: 'any' | 'kube';
}

const flag = (
  name: string,
  kind: FlannelFlag['kind'],
  standard: string,
  from: string,
  more: { readonly gone?: string; readonly mode?: 'kube' } = {},
): FlannelFlag => ({ name, kind, default: standard, from, gone: more.gone ?? null, mode: more.mode ?? 'any' });

/** flanneld's flags from v0.8.0 to v0.28.9, flannel-spec 4.1, in the order in which netctl writes them. */
export const flannelFlags: readonly FlannelFlag[] = [
  flag('etcd-endpoints', 'string', 'http://127.0.0.1:4001,http://127.0.0.1:2379', 'v0.4.0'),
  flag('etcd-prefix', 'string', '/coreos.com/network', 'v0.1.0'),
  flag('etcd-cafile', 'string', '', 'v0.2.0'),
  flag('etcd-certfile', 'string', '', 'v0.2.0'),
  flag('etcd-keyfile', 'string', '', 'v0.2.0'),
  flag('etcd-username', 'string', '', 'v0.5.6'),
  flag('etcd-password', 'string', '', 'v0.5.6'),
  flag('iface', 'list', '', 'v0.1.0'),
  flag('iface-regex', 'list', '', 'v0.8.0'),
  flag('iface-can-reach', 'string', '', 'v0.18.0'),
  flag('public-ip', 'string', '', 'v0.5.2'),
  flag('public-ipv6', 'string', '', 'v0.15.0'),
  flag('subnet-file', 'string', '/run/flannel/subnet.env', 'v0.1.0'),
  flag('subnet-lease-renew-margin', 'int', '60', 'v0.7.0'),
  flag('ip-masq', 'bool', 'false', 'v0.1.0'),
  flag('ip-masq-fully-random-disable', 'bool', 'false', 'v0.27.4'),
  flag('ip-blackhole-route', 'bool', 'false', 'v0.27.1'),
  flag('iptables-resync', 'int', '5', 'v0.11.0'),
  flag('iptables-forward-rules', 'bool', 'true', 'v0.11.0'),
  flag('healthz-ip', 'string', '0.0.0.0', 'v0.8.0'),
  flag('healthz-port', 'int', '0', 'v0.8.0'),
  flag('v', 'int', '0', 'v0.1.0'),
  flag('vmodule', 'string', '', 'v0.1.0'),
  flag('log_backtrace_at', 'string', '', 'v0.1.0'),
  flag('version', 'bool', 'false', 'v0.1.0'),
  flag('kube-subnet-mgr', 'bool', 'false', 'v0.7.0'),
  flag('kube-api-url', 'string', '', 'v0.8.0', { mode: 'kube' }),
  flag('kubeconfig-file', 'string', '', 'v0.8.0', { mode: 'kube' }),
  flag('kube-annotation-prefix', 'string', 'flannel.alpha.coreos.com', 'v0.11.0', { mode: 'kube' }),
  flag('net-config-path', 'string', '/etc/kube-flannel/net-conf.json', 'v0.12.0', { mode: 'kube' }),
  flag('set-node-network-unavailable', 'bool', 'true', 'v0.15.0', { mode: 'kube' }),
  flag('use-multi-cluster-cidr', 'bool', 'false', 'v0.21.0', { gone: 'v0.23.0', mode: 'kube' }),
  // The client and server modes and the several networks of the first releases.
  flag('listen', 'string', '', 'v0.5.0', { gone: 'v0.8.0' }),
  flag('remote', 'string', '', 'v0.5.0', { gone: 'v0.8.0' }),
  flag('networks', 'string', '', 'v0.5.0', { gone: 'v0.8.0' }),
  flag('watch-networks', 'bool', 'false', 'v0.5.0', { gone: 'v0.8.0' }),
  flag('subnet-dir', 'string', '', 'v0.5.0', { gone: 'v0.8.0' }),
  flag('remote-cafile', 'string', '', 'v0.5.0', { gone: 'v0.8.0' }),
  flag('remote-certfile', 'string', '', 'v0.5.0', { gone: 'v0.8.0' }),
  flag('remote-keyfile', 'string', '', 'v0.5.0', { gone: 'v0.8.0' }),
];

const byName: ReadonlyMap<string, FlannelFlag> = new Map(flannelFlags.map((entry) => [entry.name, entry]));

/** Does this release know the flag? An unknown one makes flanneld print its usage and end with exit code 0. */
export function knowsFlag(version: FlannelVersion, name: string): boolean {
  const known = byName.get(name);
  return (
    known !== undefined && isAtLeast(version, known.from) && (known.gone === null || !isAtLeast(version, known.gone))
  );
}

/** The variable by which flanneld takes a flag: `iface-regex` is `FLANNELD_IFACE_REGEX`. */
export function flagVariable(name: string): string {
  return `FLANNELD_${name.toUpperCase().replaceAll('-', '_')}`;
}

export type FlagValue = string | number | boolean | readonly string[];

/** How flanneld shall run on a node. Paths are those on the node. */
export interface FlanneldWish {
  readonly endpoints: readonly string[];
  /** Absent: flanneld's own. */
  readonly prefix?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly user?: string;
  readonly password?: string;
  /** Names or addresses, the first that is there is taken. */
  readonly iface?: readonly string[];
  readonly ifaceRegex?: readonly string[];
  readonly ifaceCanReach?: string;
  readonly publicIP?: string;
  readonly publicIPv6?: string;
  /** Is the public IP an address of the node's own? Absent: not known. False: NAT lies before it. */
  readonly hasPublicIP?: boolean;
  readonly subnetFile?: string;
  readonly ipMasq?: boolean;
  readonly healthzIP?: string;
  readonly healthzPort?: number;
  /** Further flags without dashes: the section `flannel.options`. */
  readonly options?: Readonly<Record<string, FlagValue>>;
}

export interface FlanneldCommand {
  /** Flags in the form `--name=value`, never a positional word and never the password. */
  readonly words: readonly string[];
  /** `FLANNELD_…` variables and their values, in the order of `flannelFlags`. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** An error means that flanneld would end, or silently do something else; the command is then not to be used. */
  readonly problems: readonly Problem[];
}

/**
 * The wish as flanneld of this release takes it. A value that equals flanneld's own default is left out, but for the
 * endpoints and the subnet file, on which others rely.
 * @param form `words`: on the command line; `environment`: as variables, and only what they cannot carry as words.
 *   The password is a variable in both, because a command line can be read by every user of the node.
 */
export function flanneldFlags(
  wish: FlanneldWish,
  version: FlannelVersion,
  form: 'words' | 'environment' = 'words',
): FlanneldCommand {
  const problems: Problem[] = [];
  const settings = settingsOf(wish, version, problems);
  checkEtcd(wish, version, problems);
  checkInterface(wish, settings, version, problems);
  checkEffect(settings, problems);
  const words: string[] = [];
  const environment: (readonly [string, string])[] = [];
  for (const { name, kind, default: standard } of flannelFlags) {
    const values = settings.get(name);
    if (values === undefined) continue;
    const [value = ''] = values;
    const isAlwaysWritten = name === 'etcd-endpoints' || name === 'subnet-file';
    if (kind !== 'list' && value === standard && !isAlwaysWritten) continue;
    // A variable carries one value of a list, and an empty one counts as not given.
    const fitsVariable = values.length === 1 && value !== '';
    if (name === 'etcd-password' || (form === 'environment' && fitsVariable)) {
      environment.push([flagVariable(name), value]);
    } else {
      words.push(...values.map((text) => `--${name}=${text}`));
    }
  }
  return { words, environment, problems };
}

/** The values of each flag as text, checked one by one. What is wrong is left out and told. */
function settingsOf(
  wish: FlanneldWish,
  version: FlannelVersion,
  problems: Problem[],
): ReadonlyMap<string, readonly string[]> {
  const settings = new Map<string, readonly string[]>();
  const own: readonly (readonly [string, FlagValue | undefined])[] = [
    ['etcd-endpoints', wish.endpoints.join(',')],
    ['etcd-prefix', wish.prefix],
    ['etcd-cafile', wish.ca],
    ['etcd-certfile', wish.cert],
    ['etcd-keyfile', wish.key],
    ['etcd-username', wish.user],
    ['etcd-password', wish.password],
    ['iface', wish.iface],
    ['iface-regex', wish.ifaceRegex],
    ['iface-can-reach', wish.ifaceCanReach],
    ['public-ip', wish.publicIP],
    ['public-ipv6', wish.publicIPv6],
    ['subnet-file', wish.subnetFile],
    ['ip-masq', wish.ipMasq],
    ['healthz-ip', wish.healthzIP],
    ['healthz-port', wish.healthzPort],
  ];
  for (const [name, value] of own) {
    if (value !== undefined) take(settings, name, value, version, problems);
  }
  for (const [name, value] of Object.entries(wish.options ?? {})) {
    if (settings.has(name)) {
      problems.push({
        code: 'flag-given-twice',
        severity: 'error',
        path: `options.${name}`,
        message: `--${name} is set by a key of its own and among the options: one of the two would be silently lost`,
        suggestion: `Leave ${name} out of flannel.options`,
      });
      continue;
    }
    take(settings, name, value, version, problems);
  }
  return settings;
}

function take(
  settings: Map<string, readonly string[]>,
  name: string,
  value: FlagValue,
  version: FlannelVersion,
  problems: Problem[],
): void {
  const known = byName.get(name);
  if (known === undefined || !knowsFlag(version, name)) {
    problems.push(unknownFlag(name, known, version));
    return;
  }
  if (name === 'version') {
    problems.push(badValue(name, String(value), 'makes flanneld print its release and end with exit code 0', null));
    return;
  }
  const values = (typeof value === 'object' ? value : [value]).map(String);
  if (values.length !== 1 && known.kind !== 'list') {
    problems.push(badValue(name, values.join(' '), 'takes one value', `--${name}=${values[0] ?? ''}`));
    return;
  }
  const texts: string[] = [];
  for (const text of values) {
    const problem = problemOfValue(known, text);
    if (problem === undefined) texts.push(canonical(known, text));
    else problems.push(problem);
  }
  if (texts.length > 0) settings.set(name, texts);
}

function unknownFlag(name: string, known: FlannelFlag | undefined, version: FlannelVersion): Problem {
  const path = `options.${name}`;
  if (known !== undefined) {
    const when =
      known.gone !== null && isAtLeast(version, known.gone)
        ? `was taken away in ${known.gone}`
        : `exists from ${known.from} on`;
    return {
      code: 'flag-not-in-release',
      severity: 'error',
      path,
      message: `--${name} ${when}: flanneld ${version.tag} prints its usage and ends with exit code 0`,
      suggestion: insteadOf(name, known),
    };
  }
  const bare = name.replace(/^-+/, '').replace(/=.*$/s, '').toLowerCase();
  const alive = flannelFlags.filter((entry) => knowsFlag(version, entry.name)).map((entry) => entry.name);
  const meant = byName.has(bare) ? bare : (nearestWord(bare, alive) ?? nearestWord(bare.replaceAll('_', '-'), alive));
  const isNewer = compareFlannel(version, newestFlannel) > 0;
  return {
    code: 'flag-unknown',
    // A release that came after netctl may well know more flags.
    severity: isNewer ? 'warning' : 'error',
    path,
    message: `--${name} is not one of flanneld's flags: it prints its usage and ends with exit code 0`,
    suggestion: meant === undefined ? null : `${meant}: …`,
  };
}

function insteadOf(name: string, known: FlannelFlag): string {
  if (name === 'iface-can-reach') return 'flannel.iface: the name or the address of the interface, or flannel v0.18.0';
  if (known.gone !== null) return 'Leave it out';
  return `flannel.version: ${known.from} or later, or leave it out`;
}

function badValue(name: string, value: string, rule: string, suggestion: string | null): Problem {
  const shown = name === 'etcd-password' ? `--${name}` : `--${name}=${value}`;
  return { code: 'flag-bad-value', severity: 'error', path: name, message: `${shown} ${rule}`, suggestion };
}

/** Ranges outside of which flanneld ends, spins or never listens. */
const ranges: Readonly<Record<string, readonly [minimum: number, maximum: number, unit: string]>> = {
  'subnet-lease-renew-margin': [1, 1439, 'minutes'],
  'iptables-resync': [1, 86_400, 'seconds'],
  'healthz-port': [0, 65_535, ''],
  v: [0, 10, ''],
};

function problemOfValue(known: FlannelFlag, text: string): Problem | undefined {
  const { name, kind } = known;
  if (/[\u0000-\u001f\u007f]|\p{Cs}/u.test(text)) {
    return badValue(name, JSON.stringify(text), 'holds a control character: a flag is one line of text', null);
  }
  if (text !== text.trim())
    return badValue(name, JSON.stringify(text), 'has blanks around it', `--${name}=${text.trim()}`);
  switch (kind) {
    case 'bool':
      return goBool(text) === undefined
        ? badValue(
            name,
            text,
            'is neither true nor false; flanneld prints its usage and ends with exit code 0',
            `--${name}=${known.default !== 'true'}`,
          )
        : undefined;
    case 'int': {
      const number = goInt(text);
      const [minimum, maximum, unit] = ranges[name] ?? [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, ''];
      if (number === undefined) return badValue(name, text, 'is not a whole number', `--${name}=${known.default}`);
      if (number >= minimum && number <= maximum) return undefined;
      return badValue(
        name,
        text,
        `is out of range: ${minimum} to ${maximum} ${unit}`.trimEnd(),
        `--${name}=${known.default}`,
      );
    }
    case 'list':
    case 'string':
      return problemOfText(name, text);
    default:
      return kind satisfies never;
  }
}

function problemOfText(name: string, text: string): Problem | undefined {
  switch (name) {
    case 'public-ip':
      return parseIpv4(text) === undefined
        ? badValue(name, text, 'is not an IPv4 address: four numbers of 0 to 255', '--public-ip=10.4.7.21')
        : undefined;
    case 'public-ipv6':
      return parseIpv6(text) === undefined || !text.includes(':')
        ? badValue(name, text, 'is not an IPv6 address', '--public-ipv6=fd00:4:7::21')
        : undefined;
    case 'healthz-ip':
    case 'iface-can-reach':
      return parseIpv4(text) === undefined && parseIpv6(text) === undefined
        ? badValue(name, text, 'is not an IP address', `--${name}=10.4.7.21`)
        : undefined;
    case 'iface':
      return text === '' || /[\s/]/.test(text) || (text.length > 15 && parseIpv6(text) === undefined)
        ? badValue(
            name,
            text,
            'is neither the name of an interface (at most 15 characters) nor an address',
            '--iface=eth0',
          )
        : undefined;
    case 'iface-regex':
      // Go's RE2 knows neither; flanneld would only find out when it looks for its interface.
      return text === '' || /\(\?<?[=!]|\\[1-9]/.test(text)
        ? badValue(
            name,
            text,
            'is no regular expression of Go: not empty, no look-around, no back-reference',
            '--iface-regex=^10\\.4\\.7\\.',
          )
        : undefined;
    case 'subnet-file':
    case 'etcd-cafile':
    case 'etcd-certfile':
    case 'etcd-keyfile':
      return text.startsWith('/')
        ? undefined
        : badValue(
            name,
            text,
            'is not an absolute path: what it means would depend on where flanneld is started',
            `--${name}=/${text.replace(/^(?:\.\/)?/, 'opt/flannel/')}`,
          );
    case 'etcd-prefix':
      return problemOfPrefix(text);
    default:
      return undefined;
  }
}

/** flanneld compiles `PREFIX/subnets/…` as a regular expression and panics on one that is none. */
function problemOfPrefix(text: string): Problem | undefined {
  if (text === '' || /[\s\\^$*+?()[\]{}|]/.test(text)) {
    const mended = text.replace(/[\s\\^$*+?()[\]{}|]+/g, '');
    return badValue(
      'etcd-prefix',
      text,
      'cannot be a prefix: flanneld reads it as a regular expression, so no blanks and none of \\ ^ $ * + ? ( ) [ ] { } |',
      `--etcd-prefix=${mended === '' ? '/coreos.com/network' : mended}`,
    );
  }
  return undefined;
}

function canonical({ kind }: FlannelFlag, text: string): string {
  if (kind === 'bool') return String(goBool(text));
  if (kind === 'int') return String(goInt(text));
  return text;
}

/** `strconv.ParseBool`. */
function goBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  return undefined;
}

/** `strconv.ParseInt(text, 0, 64)` as far as numbers are exact here. */
function goInt(text: string): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)$/.exec(text);
  if (match === null) return undefined;
  const [, sign, digits = ''] = match;
  const number = Number(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  if (!Number.isSafeInteger(number)) return undefined;
  // Not -0, which equals 0 but prints alike and compares otherwise.
  return sign === '-' && number !== 0 ? -number : number;
}

function checkEtcd(wish: FlanneldWish, version: FlannelVersion, problems: Problem[]): void {
  const { endpoints, ca, cert, key, user, password } = wish;
  const error = (code: string, path: string, message: string, suggestion: string | null): void => {
    problems.push({ code, severity: 'error', path, message, suggestion });
  };
  const warning = (code: string, path: string, message: string, suggestion: string | null): void => {
    problems.push({ code, severity: 'warning', path, message, suggestion });
  };
  if (endpoints.length === 0) {
    error(
      'flannel-no-endpoint',
      'etcd-endpoints',
      'no etcd endpoint is given: flanneld would ask 127.0.0.1, ports 4001 and 2379',
      '--etcd-endpoints=https://10.4.7.12:2379',
    );
  }
  for (const endpoint of endpoints) {
    if (/^https?:\/\/[^\s,/?#@]+\/?$/.test(endpoint)) continue;
    const mended = endpoint
      .trim()
      .replace(/,.*$/s, '')
      .replace(/^(?!https?:\/\/)(?:[a-z]*:\/\/)?/i, 'http://')
      .replace(/\/\/[^/]*@/, '//');
    error(
      'flannel-bad-endpoint',
      'etcd-endpoints',
      `etcd endpoint ${JSON.stringify(endpoint)} is not one that flanneld takes: http:// or https://, host and port; blanks are not trimmed`,
      mended,
    );
  }
  const isTls = endpoints.some((endpoint) => endpoint.startsWith('https://'));
  const hasPair = cert !== undefined && key !== undefined;
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? 'etcd-certfile' : 'etcd-keyfile';
    error(
      'flannel-tls-incomplete',
      missing,
      `--${cert === undefined ? 'etcd-keyfile' : 'etcd-certfile'} is given without --${missing}: flanneld uses neither`,
      `Give both the client certificate and its key`,
    );
  } else if (ca !== undefined && !hasPair && etcdApiOf(version) === 'v3') {
    const effect = isAtLeast(version, 'v0.19.2')
      ? 'connects with the CAs of the system and without TLS settings'
      : 'does not verify the server at all';
    error(
      'flannel-ca-ignored',
      'etcd-cafile',
      `--etcd-cafile without a client certificate is silently ignored: flanneld ${version.tag} ${effect}`,
      'Give --etcd-certfile and --etcd-keyfile as well; any certificate that etcd accepts will do',
    );
  }
  if (isTls && ca === undefined && hasPair) {
    warning(
      'flannel-no-ca',
      'etcd-cafile',
      'https endpoints without --etcd-cafile: the server is judged by the CAs that the node has',
      '--etcd-cafile=/opt/flannel/cert/ca.pem',
    );
  }
  if (isTls && ca === undefined && !hasPair && isAtLeast(version, 'v0.18.0') && !isAtLeast(version, 'v0.19.2')) {
    error(
      'flannel-tls-unverified',
      'etcd-endpoints',
      `https endpoints without certificates: flanneld ${version.tag} accepts any server`,
      'Give CA, client certificate and key, or run v0.19.2 or later',
    );
  }
  if (!isTls && (ca !== undefined || hasPair) && endpoints.length > 0) {
    warning(
      'flannel-tls-unused',
      'etcd-endpoints',
      'certificates are given, but all endpoints are plain http: they are not used',
      endpoints.map((endpoint) => endpoint.replace(/^http:/, 'https:')).join(','),
    );
  }
  if (endpoints.some((endpoint) => endpoint.startsWith('http://')) && isTls) {
    warning(
      'flannel-mixed-endpoints',
      'etcd-endpoints',
      'some endpoints are http and some https: what flanneld sends to the http ones can be read on the way',
      endpoints.map((endpoint) => endpoint.replace(/^http:/, 'https:')).join(','),
    );
  }
  if ((user === undefined) !== (password === undefined)) {
    error(
      'flannel-login-incomplete',
      user === undefined ? 'etcd-username' : 'etcd-password',
      user === undefined
        ? 'an etcd password is given without a user'
        : `etcd user ${JSON.stringify(user)} is given without a password`,
      'flannel.etcd.user and flannel.etcd.passwordFile: both or neither',
    );
  }
  if (password !== undefined) {
    warning(
      'flannel-password-logged',
      'etcd-password',
      'flanneld prints all its flags when it starts: the etcd password will stand in the journal of every node',
      'Use a client certificate: flannel.etcd.cert and flannel.etcd.key',
    );
  }
}

function checkInterface(
  wish: FlanneldWish,
  settings: ReadonlyMap<string, readonly string[]>,
  version: FlannelVersion,
  problems: Problem[],
): void {
  const hasInterface = ['iface', 'iface-regex', 'iface-can-reach'].some((name) => settings.has(name));
  if (hasInterface || wish.hasPublicIP === true) return;
  const { publicIP, publicIPv6 } = wish;
  const address =
    publicIP !== undefined && isAtLeast(version, 'v0.12.0')
      ? publicIP
      : publicIP === undefined && isAtLeast(version, 'v0.19.0')
        ? publicIPv6
        : undefined;
  if (address === undefined) return;
  problems.push({
    code: 'flannel-public-ip-needs-iface',
    severity: wish.hasPublicIP === false ? 'error' : 'warning',
    path: 'public-ip',
    message: `--public-ip=${address} without --iface chooses the interface as well: flanneld ${version.tag} ends with exit code 1 when the node has no interface with that address (NAT)`,
    suggestion: '--iface=eth0',
  });
}

function checkEffect(settings: ReadonlyMap<string, readonly string[]>, problems: Problem[]): void {
  const isOn = (name: string): boolean => settings.get(name)?.[0] === 'true';
  if (isOn('kube-subnet-mgr')) {
    problems.push({
      code: 'flannel-kube-mode',
      severity: 'error',
      path: 'kube-subnet-mgr',
      message: '--kube-subnet-mgr makes flanneld ignore etcd, which is all that netctl administers',
      suggestion: 'Leave it out',
    });
  }
  for (const [name, values] of settings) {
    const known = byName.get(name);
    if (known?.mode === 'kube' && values[0] !== known.default && !isOn('kube-subnet-mgr')) {
      problems.push(withoutEffect(name, 'error', 'is only read together with --kube-subnet-mgr', 'Leave it out'));
    }
  }
  if (isOn('ip-masq-fully-random-disable') && !isOn('ip-masq')) {
    problems.push(
      withoutEffect(
        'ip-masq-fully-random-disable',
        'warning',
        'has no effect without --ip-masq',
        'flannel.ipMasq: true',
      ),
    );
  }
  const healthzIP = settings.get('healthz-ip')?.[0];
  if (healthzIP !== undefined && healthzIP !== '0.0.0.0' && (settings.get('healthz-port')?.[0] ?? '0') === '0') {
    problems.push(
      withoutEffect('healthz-ip', 'warning', 'has no effect without --healthz-port', 'flannel.healthzPort: 2401'),
    );
  }
}

function withoutEffect(name: string, severity: Problem['severity'], rule: string, suggestion: string): Problem {
  return { code: 'flag-without-effect', severity, path: name, message: `--${name} ${rule}`, suggestion };
}

/** What flanneld makes of the words and variables that it was started with. */
export interface FlanneldReading {
  /** The values that were given, by flag, and by what. Defaults are not among them. */
  readonly settings: ReadonlyMap<
    string,
    { readonly values: readonly string[]; readonly source: 'flag' | 'environment' }
  >;
  /** `usage`: flanneld would print its usage (or release) and end with exit code 0. */
  readonly ends: 'runs' | 'usage';
  /** Words that flanneld never looks at: the first positional one and all that follow. */
  readonly ignored: readonly string[];
  readonly problems: readonly Problem[];
}

/**
 * Reads a command line and environment as flanneld does (Go's flag package, then `FLANNELD_…` for what was not given),
 * to recognise what somebody set up by hand.
 * @param words without the program's own name
 * @param version of the running flanneld; null when it is not known: then every flag that ever existed is taken
 */
export function readFlanneld(
  words: readonly string[],
  environment: Readonly<Record<string, string>> | ReadonlyMap<string, string>,
  version: FlannelVersion | null,
): FlanneldReading {
  const settings = new Map<string, { values: readonly string[]; source: 'flag' | 'environment' }>();
  const problems: Problem[] = [];
  const isKnown = (name: string): boolean => (version === null ? byName.has(name) : knowsFlag(version, name));
  let ends: FlanneldReading['ends'] = 'runs';
  let index = 0;
  for (; index < words.length && ends === 'runs'; index += 1) {
    const word = words[index] ?? '';
    if (!word.startsWith('-') || word === '-') break;
    if (word === '--') {
      index += 1;
      break;
    }
    const [, name = '', equals, text = ''] = /^--?([^=]*)(=?)(.*)$/s.exec(word) ?? [];
    const known = byName.get(name);
    if (known === undefined || !isKnown(name) || name === 'version') {
      ends = 'usage';
      const isAsked = name === 'version' || name === 'h' || name === 'help';
      if (!isAsked)
        problems.push(
          version === null || known === undefined
            ? unknownFlag(name, undefined, version ?? newestFlannel)
            : unknownFlag(name, known, version),
        );
      continue;
    }
    let value = text;
    if (equals === '') {
      if (known.kind === 'bool') value = 'true';
      else if (index + 1 < words.length) {
        index += 1;
        value = words[index] ?? '';
      } else {
        ends = 'usage';
        problems.push(badValue(name, '', 'needs a value', `--${name}=${known.default}`));
        continue;
      }
    }
    const isBad =
      (known.kind === 'bool' && goBool(value) === undefined) || (known.kind === 'int' && goInt(value) === undefined);
    if (isBad) {
      ends = 'usage';
      problems.push(problemOfValue(known, value) ?? badValue(name, value, 'cannot be read', null));
      continue;
    }
    const before = known.kind === 'list' ? (settings.get(name)?.values ?? []) : [];
    settings.set(name, { values: [...before, canonical(known, value)], source: 'flag' });
  }
  const ignored = ends === 'usage' ? [] : words.slice(index);
  const [first] = ignored;
  if (first !== undefined) {
    const isFlagLike = ignored.some((word) => word.startsWith('-'));
    problems.push({
      code: 'flanneld-positional-word',
      severity: isFlagLike ? 'error' : 'warning',
      path: 'words',
      message: `flanneld stops reading at ${JSON.stringify(first)}: ${
        isFlagLike
          ? `what follows it is silently ignored (${ignored
              .slice(1)
              .filter((word) => word.startsWith('-'))
              .map((word) => word.replace(/=.*$/s, ''))
              .join(' ')})`
          : 'it has no effect'
      }`,
      suggestion: /^(?:true|false)$/i.test(first)
        ? `${words[index - 1] ?? '--flag'}=${first.toLowerCase()}`
        : 'Leave it out',
    });
  }
  const variables = environment instanceof Map ? environment : new Map(Object.entries(environment));
  for (const known of flannelFlags) {
    const text = variables.get(flagVariable(known.name));
    if (
      text === undefined ||
      text === '' ||
      settings.has(known.name) ||
      !isKnown(known.name) ||
      known.name === 'version'
    )
      continue;
    const isBad =
      (known.kind === 'bool' && goBool(text) === undefined) || (known.kind === 'int' && goInt(text) === undefined);
    if (isBad) {
      problems.push(
        badValue(
          known.name,
          text,
          `cannot be read from ${flagVariable(known.name)}: flanneld goes on without it`,
          `--${known.name}=${known.default}`,
        ),
      );
      continue;
    }
    settings.set(known.name, { values: [canonical(known, text)], source: 'environment' });
  }
  return { settings, ends, ignored, problems };
}

/** The words of `/proc/PID/cmdline` (or `environ`): NUL-terminated, not necessarily UTF-8. */
export function procWords(bytes: Uint8Array): readonly string[] {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  if (text === '') return [];
  return (text.endsWith('\0') ? text.slice(0, -1) : text).split('\0');
}

export interface FlagDifference {
  readonly flag: string;
  /** Null: not given, so flanneld's default. Passwords are never shown: `(secret)`. */
  readonly before: readonly string[] | null;
  readonly after: readonly string[] | null;
}

/** Flags whose effect differs between two readings; by which means a value was given plays no part. */
export function flagDifferences(before: FlanneldReading, after: FlanneldReading): readonly FlagDifference[] {
  const differences: FlagDifference[] = [];
  for (const { name, kind, default: standard } of flannelFlags) {
    const effective = (reading: FlanneldReading): readonly string[] =>
      reading.settings.get(name)?.values ?? (kind === 'list' ? [] : [standard]);
    const [old, wanted] = [effective(before), effective(after)];
    if (old.length === wanted.length && old.every((value, index) => value === wanted[index])) continue;
    const shown = (reading: FlanneldReading): readonly string[] | null => {
      const values = reading.settings.get(name)?.values ?? null;
      return values !== null && name === 'etcd-password' ? ['(secret)'] : values;
    };
    differences.push({ flag: name, before: shown(before), after: shown(after) });
  }
  return differences;
}
