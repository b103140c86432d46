import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { InvalidInput } from '../errors';
import { readSshConfig, type SshSettings } from './ssh-config-file';
import type { HostKeyPolicy, IdentityFile, SshTarget } from './ssh-target';

/** What netctl itself was told about a host: flags and inventory. It wins over `~/.ssh/config`, and that over defaults. */
export interface SshWish {
  readonly name: string;
  /** As one would type it after `ssh`: an address, a name, or a `Host` of `~/.ssh/config`. */
  readonly address: string;
  readonly user?: string;
  readonly port?: number;
  readonly identityFile?: string;
  /** `[USER@]HOST[:PORT]`, several with commas between them, or `none`. */
  readonly jump?: string;
  /** A known_hosts file instead of all others. */
  readonly knownHosts?: string;
  readonly hostKey?: HostKeyPolicy;
  readonly connectTimeoutSeconds?: number;
}

export interface SshConfigOptions {
  /** Instead of the user's and the system's file, as `ssh -F`; `none` for no file at all. */
  readonly configFile?: string;
  /** OpenSSH's client, which reads its own files best; `null` for our own reader. Default: `ssh` where there is one. */
  readonly program?: string | null;
  readonly home?: string;
  /** The agent's socket; default: SSH_AUTH_SOCK. */
  readonly agentSocket?: string;
}

const mostJumps = 8;
const defaults = { port: 22, connectTimeoutMs: 10_000, passwordPrompts: 3 } as const;
const defaultIdentities = ['id_rsa', 'id_ecdsa', 'id_ed25519'];

/**
 * Works out how a host is reached, jump hosts included.
 *
 * With OpenSSH at hand this is exact (`ssh -G`, which evaluates a person's own `Match exec` as ssh does); otherwise our reader of
 * the most used keywords serves.
 * @throws InvalidInput `ssh-target-invalid`, `ssh-config-invalid`, `ssh-proxy-command`, `ssh-jump-circle`
 */
export function resolveSshTarget(wish: SshWish, options: SshConfigOptions = {}): Promise<SshTarget> {
  return resolve(wish, options, []);
}

async function resolve(wish: SshWish, options: SshConfigOptions, behind: readonly string[]): Promise<SshTarget> {
  checkWord(wish.name, 'host', wish.address);
  if (wish.user !== undefined) checkWord(wish.name, 'user', wish.user);
  const home = options.home ?? homedir();
  const settings = await settingsOf(wish, options, home);
  const of = (keyword: string) => settings.get(keyword)?.[0];
  const isOn = (keyword: string) => /^(?:yes|true)$/i.test(of(keyword) ?? '');

  const hostName = (of('hostname') ?? wish.address).replaceAll(/%[h%]/g, (token) =>
    token === '%h' ? wish.address : '%',
  );
  checkWord(wish.name, 'host', hostName);
  const port = wish.port ?? portOf(wish.name, of('port'));
  const user = wish.user ?? of('user') ?? userInfo().username;
  const expand = (path: string) => expandPath(path, { home, hostName, port, user, address: wish.address });

  const jumpText = wish.jump ?? of('proxyjump') ?? 'none';
  if (wish.jump === undefined && jumpText === 'none') refuseProxyCommand(wish.name, of('proxycommand'));
  const jumps = jumpText === 'none' ? [] : await resolveJumps(wish, jumpText, options, [...behind, wish.address]);

  const isAgentOff = of('identityagent')?.toLowerCase() === 'none';
  const agentSocket = isAgentOff ? undefined : agentOf(of('identityagent'), options, expand);
  const alias = of('hostkeyalias');
  const family = of('addressfamily');
  return {
    name: wish.name,
    hostName,
    port,
    user,
    identityFiles: identitiesOf(settings, options, home).map(({ file, isNamed }) => ({ file: expand(file), isNamed })),
    preferredIdentityFiles: wish.identityFile === undefined ? [] : [expand(wish.identityFile)],
    identitiesOnly: isOn('identitiesonly'),
    ...(agentSocket !== undefined && { agentSocket }),
    allowsPublicKey: !isOff(of('pubkeyauthentication')),
    allowsPassword: !isOff(of('passwordauthentication')),
    allowsKeyboardInteractive: !isOff(of('kbdinteractiveauthentication')),
    passwordPrompts: Number(of('numberofpasswordprompts') ?? defaults.passwordPrompts),
    knownHosts:
      wish.knownHosts === undefined
        ? {
            user: filesOf(settings, 'userknownhostsfile', ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']).map(expand),
            global: filesOf(settings, 'globalknownhostsfile', [
              '/etc/ssh/ssh_known_hosts',
              '/etc/ssh/ssh_known_hosts2',
            ]).map(expand),
          }
        : { user: [expand(wish.knownHosts)], global: [] },
    ...(alias !== undefined && { hostKeyAlias: alias }),
    hostKey: wish.hostKey ?? policyOf(of('stricthostkeychecking')),
    hashKnownHosts: isOn('hashknownhosts'),
    connectTimeoutMs:
      wish.connectTimeoutSeconds === undefined
        ? timeoutOf(of('connecttimeout'))
        : Math.round(wish.connectTimeoutSeconds * 1000),
    ...(family === 'inet' && { addressFamily: 4 }),
    ...(family === 'inet6' && { addressFamily: 6 }),
    jumps,
  };
}

async function settingsOf(wish: SshWish, options: SshConfigOptions, home: string): Promise<SshSettings> {
  if (options.program !== null) {
    const printed = await askOpenSsh(options.program ?? 'ssh', wish, options.configFile);
    if (printed !== undefined) return printed;
  }
  if (options.configFile === 'none') return new Map();
  const files =
    options.configFile === undefined ? [join(home, '.ssh/config'), '/etc/ssh/ssh_config'] : [options.configFile];
  return readSshConfig(wish.address, files, home);
}

/** Undefined when there is no such program. */
function askOpenSsh(program: string, wish: SshWish, configFile: string | undefined): Promise<SshSettings | undefined> {
  const words = [
    '-G',
    ...(configFile === undefined ? [] : ['-F', configFile]),
    ...(wish.user === undefined ? [] : ['-l', wish.user]),
    ...(wish.port === undefined ? [] : ['-p', String(wish.port)]),
    '--',
    wish.address,
  ];
  return new Promise((resolve, reject) => {
    const child = execFile(program, words, { timeout: 10_000, maxBuffer: 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) return resolve(parsePrinted(stdout));
      if (error.code === 'ENOENT') return resolve(undefined);
      const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('Pseudo-terminal'));
      reject(
        new InvalidInput({
          code: 'ssh-config-invalid',
          message: `${wish.name}: ssh cannot read its configuration for ${wish.address}: ${lines[0]?.trim() ?? error.message}`,
          details: lines.slice(1),
          next: [`Look at it with: ssh -G ${wish.address}`],
          cause: error,
        }),
      );
    });
    // Without a terminal ssh would say something about its input.
    child.stdin?.end();
  });
}

function parsePrinted(text: string): SshSettings {
  const settings = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, keyword, value] = /^(\S+) (.*)$/.exec(line) ?? [];
    if (keyword === undefined || value === undefined) continue;
    const before = settings.get(keyword.toLowerCase());
    if (before === undefined) settings.set(keyword.toLowerCase(), [value]);
    else before.push(value);
  }
  return settings;
}

/** `ssh -G` prints several files on one line without quotes, our reader gives them one by one. */
function filesOf(settings: SshSettings, keyword: string, otherwise: readonly string[]): readonly string[] {
  const files = (settings.get(keyword) ?? otherwise).flatMap((value) =>
    existsSync(value) ? [value] : value.split(/\s+/),
  );
  return files.filter((file) => file.toLowerCase() !== 'none');
}

function identitiesOf(settings: SshSettings, options: SshConfigOptions, home: string): readonly IdentityFile[] {
  const files = (settings.get('identityfile') ?? []).filter((file) => file.toLowerCase() !== 'none');
  const standard = defaultIdentities.map((name) => join(home, '.ssh', name));
  if (files.length === 0) {
    return settings.has('identityfile') ? [] : standard.map((file) => ({ file, isNamed: false }));
  }
  // Nothing tells the defaults of `ssh -G` from the same names in a file; to be silent about those harms nobody.
  const isStandard = (file: string) => /^~\/\.ssh\/id_[a-z0-9_]+$/.test(file) && options.program !== null;
  return files.map((file) => ({ file, isNamed: !isStandard(file) }));
}

async function resolveJumps(
  wish: SshWish,
  text: string,
  options: SshConfigOptions,
  behind: readonly string[],
): Promise<readonly SshTarget[]> {
  if (behind.length > mostJumps) {
    throw new InvalidInput({
      code: 'ssh-jump-circle',
      message: `${behind[0] ?? wish.name}: its jump hosts lead in a circle, or there are more than ${mostJumps}: ${behind.join(', ')}`,
    });
  }
  const hops = text.split(',').map((hop) => parseHop(wish.name, hop.trim()));
  const chain: SshTarget[] = [];
  for (const [index, hop] of hops.entries()) {
    const { knownHosts, hostKey, connectTimeoutSeconds, identityFile } = wish;
    const target = await resolve(
      {
        ...hop,
        name: hop.address,
        // What netctl was told of keys and trust holds on the way too; only the first hop may have jump hosts of its own.
        ...(identityFile !== undefined && { identityFile }),
        ...(knownHosts !== undefined && { knownHosts }),
        ...(hostKey !== undefined && { hostKey }),
        ...(connectTimeoutSeconds !== undefined && { connectTimeoutSeconds }),
        ...(index > 0 && { jump: 'none' }),
      },
      options,
      behind,
    );
    chain.push(...target.jumps, { ...target, jumps: [] });
  }
  return chain.map((target, index) => ({ ...target, jumps: chain.slice(0, index) }));
}

function parseHop(name: string, text: string): { address: string; user?: string; port?: number } {
  const [, user, bracketed, plain, port] =
    /^(?:ssh:\/\/)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined || Number(port ?? 22) < 1 || Number(port ?? 22) > 65_535) {
    throw new InvalidInput({
      code: 'ssh-target-invalid',
      message: `${name}: ${JSON.stringify(text)} is not a jump host: [USER@]HOST[:PORT], an IPv6 address in brackets`,
    });
  }
  return { address, ...(user !== undefined && { user }), ...(port !== undefined && { port: Number(port) }) };
}

/** Words that ssh would take for options, or a shell of a person's `Match exec` or `ProxyCommand` for more than a name. */
function checkWord(name: string, what: 'host' | 'user', word: string): void {
  if (word !== '' && !/^-|[\s\p{Cc}'"`$\\;&<>|(){}]/u.test(word)) return;
  throw new InvalidInput({
    code: 'ssh-target-invalid',
    message: `${name}: ${JSON.stringify(word)} cannot be a ${what} for SSH: it must not be empty, begin with "-", or have blanks, quotes or $ \\ ; & < > | ( ) { } in it`,
  });
}

function refuseProxyCommand(name: string, command: string | undefined): void {
  if (command === undefined || command.toLowerCase() === 'none') return;
  throw new InvalidInput({
    code: 'ssh-proxy-command',
    message: `${name}: its SSH configuration has ProxyCommand ${command}, which netctl does not run`,
    next: ['Name the jump host: ProxyJump in ~/.ssh/config, or ssh.jump in netctl.yaml (none for a direct connection)'],
  });
}

function portOf(name: string, value: string | undefined): number {
  const port = Number(value ?? defaults.port);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidInput({
    code: 'ssh-config-invalid',
    message: `${name}: Port ${JSON.stringify(value)} in its SSH configuration is not a number from 1 to 65535`,
  });
}

function policyOf(value: string | undefined): HostKeyPolicy {
  switch (value?.toLowerCase() ?? 'ask') {
    case 'accept-new':
    // OpenSSH's "no" records new keys as well; that it lets changed ones pass, we do not follow.
    case 'no':
    case 'off':
    case 'false':
      return 'accept-new';
    default:
      return 'strict';
  }
}

/** Some of these switches have more values than two, which all mean yes. */
function isOff(value: string | undefined): boolean {
  return /^(?:no|false)$/i.test(value ?? '');
}

/** ssh_config(5), "TIME FORMATS": seconds, or parts such as `1m30s`. */
function timeoutOf(value: string | undefined): number {
  if (value === undefined || !/^(?:\d+[smhdw]?)+$/i.test(value)) return defaults.connectTimeoutMs;
  const unit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
  let seconds = 0;
  for (const [, count, letter] of value.toLowerCase().matchAll(/(\d+)([smhdw]?)/g)) {
    seconds += Number(count) * (unit[letter === undefined || letter === '' ? 's' : letter] ?? 1);
  }
  return seconds === 0 ? defaults.connectTimeoutMs : seconds * 1000;
}

function agentOf(
  named: string | undefined,
  options: SshConfigOptions,
  expand: (path: string) => string,
): string | undefined {
  const fromEnvironment = options.agentSocket ?? process.env['SSH_AUTH_SOCK'];
  if (named === undefined || named === 'SSH_AUTH_SOCK') return fromEnvironment === '' ? undefined : fromEnvironment;
  return named.startsWith('$') ? process.env[named.replace(/^\$\{?(\w+)\}?$/, '$1')] : expand(named);
}

/** `~`, `${VARIABLE}` and the tokens of ssh_config(5) that speak of files. */
function expandPath(
  path: string,
  of: {
    readonly home: string;
    readonly hostName: string;
    readonly port: number;
    readonly user: string;
    readonly address: string;
  },
): string {
  const tokens: Readonly<Record<string, string>> = {
    '%%': '%',
    '%d': of.home,
    '%h': of.hostName,
    '%n': of.address,
    '%p': String(of.port),
    '%r': of.user,
    '%u': userInfo().username,
  };
  const expanded = path
    .replaceAll(/%./g, (token) => tokens[token] ?? token)
    .replaceAll(/\$\{(\w+)\}/g, (whole, variable: string) => process.env[variable] ?? whole);
  return expanded === '~' || expanded.startsWith('~/') ? join(of.home, expanded.slice(1)) : expanded;
}
