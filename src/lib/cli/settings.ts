import { InvalidInput } from '../errors';
import { readEndpoint } from '../inventory/etcd-endpoint';
import { normalizePrefix } from '../inventory/etcd-prefix';
import type { Inventory } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';

export interface Source {
  readonly kind: 'flag' | 'env' | 'file' | 'default';
  /** As a person would look for it: `--endpoints`, `ETCDCTL_ENDPOINTS`, `netctl.yaml:4`, `default`. */
  readonly name: string;
}

/** A setting and where it came from. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: Source;
}

/** Never printed: whoever shows settings says `(set, hidden)`. */
export type PasswordSource =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly path: string };

export interface EtcdSettings {
  /** Addresses with a scheme, all of one kind, without a slash at the end. */
  readonly endpoints: Sourced<readonly [string, ...string[]]>;
  /** One slash in front, none at the end. */
  readonly prefix: Sourced<string>;
  readonly api: Sourced<'auto' | 'v2' | 'v3'>;
  readonly ca?: Sourced<string>;
  /** There if and only if `key` is. */
  readonly cert?: Sourced<string>;
  readonly key?: Sourced<string>;
  readonly user?: Sourced<string>;
  /** Absent with a user: the person is asked. */
  readonly password?: Sourced<PasswordSource>;
  readonly timeoutMs: Sourced<number>;
  /** Sentences for stderr: a variable that beat the inventory, files that are of no use. */
  readonly notices: readonly string[];
}

/** Values of the flags as oclif parsed them; `etcdFlags` in flags.ts defines them. */
export interface EtcdFlagValues {
  readonly endpoints?: string | undefined;
  readonly prefix?: string | undefined;
  readonly 'etcd-api'?: string | undefined;
  readonly cacert?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly user?: string | undefined;
  readonly 'password-file'?: string | undefined;
  readonly timeout?: string | undefined;
}

export interface SettingsInput {
  readonly flags: EtcdFlagValues;
  readonly env: NodeJS.ProcessEnv;
  readonly inventory?: Inventory | undefined;
  /** How the inventory is called in messages. Default: its path. */
  readonly inventoryName?: string | undefined;
}

/**
 * How to reach etcd: flag, `NETCTL_…`, `ETCDCTL_…`, inventory, default, the first that says something. Pure.
 * oclif folds `NETCTL_…` into the flags; a flag that says the same as its variable is taken to have come from it.
 *
 * @throws InvalidInput `endpoint-invalid`, `prefix-invalid`, `api-invalid`, `timeout-invalid`, `tls-incomplete`,
 *   `password-on-argv`, `user-missing`, `setting-empty`. No message repeats a password.
 */
export function resolveEtcdSettings(input: SettingsInput): EtcdSettings {
  const notices: string[] = [];
  const lookup = new Lookup(input, notices);
  const section = input.inventory?.etcd ?? {};

  const ca = lookup.text('cacert', 'NETCTL_CACERT', 'ETCDCTL_CACERT', 'ca', section.ca);
  const cert = lookup.text('cert', 'NETCTL_CERT', 'ETCDCTL_CERT', 'cert', section.cert);
  const key = lookup.text('key', 'NETCTL_KEY', 'ETCDCTL_KEY', 'key', section.key);
  requirePair(cert, key);

  const written = lookup.text(
    'endpoints',
    'NETCTL_ENDPOINTS',
    'ETCDCTL_ENDPOINTS',
    'endpoints',
    section.endpoints?.join(','),
  );
  const hasTls = ca !== undefined || cert !== undefined;
  const endpoints = normalizeEndpoints(written ?? byDefault(inventoryDefaults.etcd.endpoints.join(',')), hasTls);
  if (hasTls && endpoints.value[0].startsWith('http://')) {
    const unused = [ca, cert, key].flatMap((file) => (file === undefined ? [] : [file.source.name]));
    notices.push(
      `TLS files (${unused.join(', ')}) are not used: ${endpoints.value[0]} of ${endpoints.source.name} is plain http`,
    );
  }

  const prefix = lookup.text('prefix', 'NETCTL_PREFIX', undefined, 'prefix', section.prefix);
  const api = lookup.text('etcd-api', 'NETCTL_ETCD_API', undefined, 'api', section.api);
  const timeout = lookup.text(
    'timeout',
    'NETCTL_TIMEOUT',
    undefined,
    'timeoutSeconds',
    section.timeoutSeconds === undefined ? undefined : String(section.timeoutSeconds),
  );
  const account = resolveAccount(lookup, input, notices);
  return {
    endpoints,
    prefix:
      prefix === undefined
        ? byDefault(inventoryDefaults.etcd.prefix)
        : mapped(prefix, (text, name) => normalizePrefix(text, name)),
    api: api === undefined ? byDefault('auto') : mapped(api, readApi),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...account,
    timeoutMs:
      timeout === undefined ? byDefault(inventoryDefaults.etcd.timeoutSeconds * 1000) : mapped(timeout, readTimeout),
    notices,
  };
}

/** Asks the places for a value in their order, and remembers where it was found. */
class Lookup {
  readonly #input: SettingsInput;
  readonly #notices: string[];

  constructor(input: SettingsInput, notices: string[]) {
    this.#input = input;
    this.#notices = notices;
  }

  text(
    flag: keyof EtcdFlagValues,
    ours: string,
    etcdctl: string | undefined,
    key: string,
    inFile: string | undefined,
  ): Sourced<string> | undefined {
    const typed = this.typed(flag, ours);
    if (typed !== undefined) return typed;
    const own = this.variable(ours);
    if (own !== undefined) return own;
    const borrowed = etcdctl === undefined ? undefined : this.variable(etcdctl);
    const file: Sourced<string> | undefined =
      inFile === undefined ? undefined : { value: inFile, source: this.line(key) };
    if (borrowed !== undefined && file !== undefined && borrowed.value !== file.value) {
      // Set for etcdctl, perhaps years ago: the person may not know that it decides here too.
      this.#notices.push(
        `${borrowed.source.name} from the environment is used instead of etcd.${key} in ${file.source.name}; unset it, or give --${flag}, to choose`,
      );
    }
    return borrowed ?? file;
  }

  /** A flag on the command line. */
  typed(flag: keyof EtcdFlagValues, ours: string): Sourced<string> | undefined {
    const value = this.#input.flags[flag];
    if (value === undefined || value === this.#input.env[ours]) return undefined;
    if (value.trim() === '') {
      throw new InvalidInput({
        code: 'setting-empty',
        message: `--${flag} is empty`,
        next: [`Give it a value, or leave --${flag} out`],
      });
    }
    return { value, source: { kind: 'flag', name: `--${flag}` } };
  }

  /** An empty variable is as good as none: that is how scripts unset things. */
  variable(name: string): Sourced<string> | undefined {
    const value = this.#input.env[name];
    return value === undefined || value === '' ? undefined : { value, source: { kind: 'env', name } };
  }

  line(key: string): Source {
    const { inventory } = this.#input;
    const name = this.#input.inventoryName ?? inventory?.file ?? 'netctl.yaml';
    const line = inventory?.lines.get(`etcd.${key}`);
    return { kind: 'file', name: line === undefined ? name : `${name}:${line}` };
  }
}

function resolveAccount(
  lookup: Lookup,
  input: SettingsInput,
  notices: string[],
): { readonly user?: Sourced<string>; readonly password?: Sourced<PasswordSource> } {
  const section = input.inventory?.etcd ?? {};
  const given = lookup.text('user', 'NETCTL_USER', 'ETCDCTL_USER', 'user', section.user);
  const colon = given?.value.indexOf(':') ?? -1;
  if (given !== undefined && colon >= 0 && given.source.kind === 'flag') {
    throw new InvalidInput({
      code: 'password-on-argv',
      message: '--user carries a password, which every user of this machine can read in the list of processes',
      next: [
        `--user ${given.value.slice(0, colon) || 'NAME'} --password-file FILE`,
        'NETCTL_PASSWORD=… in the environment',
        'or --user alone: netctl asks for the password',
      ],
    });
  }
  const user = given === undefined ? undefined : mapped(given, (text) => (colon < 0 ? text : text.slice(0, colon)));
  if (user?.value === '') {
    throw new InvalidInput({
      code: 'user-missing',
      message: `${user.source.name} has a password but no user before the colon`,
      next: [`${user.source.name}=NAME:PASSWORD`],
    });
  }
  const file = (found: Sourced<string> | undefined): Sourced<PasswordSource> | undefined =>
    found === undefined ? undefined : { value: { kind: 'file', path: found.value }, source: found.source };
  const text = (found: Sourced<string> | undefined): Sourced<PasswordSource> | undefined =>
    found === undefined ? undefined : { value: { kind: 'text', text: found.value }, source: found.source };

  const typed = file(lookup.typed('password-file', 'NETCTL_PASSWORD_FILE'));
  if (user === undefined) {
    if (typed !== undefined) {
      throw new InvalidInput({
        code: 'user-missing',
        message: '--password-file is given, but no user; etcd asks for both',
        next: ['--user NAME --password-file FILE'],
      });
    }
    const lonely = ['NETCTL_PASSWORD', 'NETCTL_PASSWORD_FILE', 'ETCDCTL_PASSWORD'].find(
      (name) => lookup.variable(name) !== undefined,
    );
    if (lonely !== undefined)
      notices.push(`${lonely} is not used: no user is given (--user, NETCTL_USER, ETCDCTL_USER)`);
    return {};
  }
  // A password that came with a name belongs to that name and is never sent with another.
  const withName: Sourced<PasswordSource> | undefined =
    given !== undefined && colon >= 0
      ? { value: { kind: 'text', text: given.value.slice(colon + 1) }, source: given.source }
      : undefined;
  const inFile: Sourced<PasswordSource> | undefined =
    section.passwordFile !== undefined && section.user === user.value
      ? { value: { kind: 'file', path: section.passwordFile }, source: lookup.line('passwordFile') }
      : undefined;
  const password =
    typed ??
    text(lookup.variable('NETCTL_PASSWORD')) ??
    file(lookup.variable('NETCTL_PASSWORD_FILE')) ??
    withName ??
    text(lookup.variable('ETCDCTL_PASSWORD')) ??
    inFile;
  return { user, ...(password === undefined ? {} : { password }) };
}

function requirePair(cert: Sourced<string> | undefined, key: Sourced<string> | undefined): void {
  const lonely =
    cert !== undefined && key === undefined ? cert : key !== undefined && cert === undefined ? key : undefined;
  if (lonely === undefined) return;
  const [has, lacks] = cert === undefined ? ['private key', 'certificate'] : ['client certificate', 'private key'];
  const flag = cert === undefined ? '--cert' : '--key';
  throw new InvalidInput({
    code: 'tls-incomplete',
    message: `${lonely.source.name}: ${lonely.value} is a ${has} without its ${lacks}; TLS needs both (flanneld would use neither)`,
    next: [`${flag} FILE, or etcd.${flag.slice(2)} in netctl.yaml`],
  });
}

/**
 * Addresses of etcd as every client wants them.
 * @param hasTls a CA or client certificate is given: an address without a scheme is then https
 * @throws InvalidInput `endpoint-invalid`, never repeating a user or password
 */
function normalizeEndpoints(written: Sourced<string>, hasTls: boolean): Sourced<readonly [string, ...string[]]> {
  const { value, source } = written;
  const parts = value.split(',').map((part) => part.trim());
  // A comma at the end is a habit of scripts that build the list in a loop.
  if (parts.length > 1 && parts.at(-1) === '') parts.pop();
  const read = parts.map((part) => {
    const endpoint = readEndpoint(part);
    if ('reason' in endpoint) {
      const shown = /@/.test(part) || part === '' ? 'an endpoint' : JSON.stringify(part.slice(0, 100));
      throw new InvalidInput({
        code: 'endpoint-invalid',
        message: `${source.name}: ${shown} ${endpoint.reason}`,
        next: [`Write ${endpoint.corrected}`],
      });
    }
    return endpoint;
  });
  const schemes = new Set(read.flatMap((endpoint) => (endpoint.scheme === undefined ? [] : [endpoint.scheme])));
  if (schemes.size > 1) {
    throw new InvalidInput({
      code: 'endpoint-invalid',
      message: `${source.name}: http:// and https:// are mixed; all members of an etcd serve alike`,
      next: [`Write ${read.map((endpoint) => `https://${endpoint.authority}`).join(',')}`],
    });
  }
  const [scheme = hasTls ? 'https' : 'http'] = schemes;
  const [first, ...others] = new Set(read.map((endpoint) => `${scheme}://${endpoint.authority}`));
  if (first === undefined) throw new Error('a split text has at least one part');
  return { value: [first, ...others], source };
}

function readApi(text: string, name: string): 'auto' | 'v2' | 'v3' {
  const word = text.toLowerCase();
  if (word === 'auto' || word === 'v2' || word === 'v3') return word;
  throw new InvalidInput({
    code: 'api-invalid',
    message: `${name}: ${JSON.stringify(text)} is not auto, v2 or v3`,
    next: [/^v?2$/.test(word) ? 'v2' : /^v?3$/.test(word) ? 'v3' : 'auto'],
  });
}

function readTimeout(text: string, name: string): number {
  const match = /^\s*([0-9]{1,6}(?:\.[0-9]{1,3})?)\s*s?\s*$/.exec(text);
  const seconds = match === null ? Number.NaN : Number(match[1]);
  if (seconds >= 0.1 && seconds <= 600) return Math.round(seconds * 1000);
  throw new InvalidInput({
    code: 'timeout-invalid',
    message: `${name}: ${JSON.stringify(text)} is not a number of seconds from 0.1 to 600`,
    next: [/^[0-9]+ms$/.test(text) ? String(Number.parseInt(text, 10) / 1000) : '5'],
  });
}

function mapped<A, B>(found: Sourced<A>, convert: (value: A, name: string) => B): Sourced<B> {
  return { value: convert(found.value, found.source.name), source: found.source };
}

function byDefault<T>(value: T): Sourced<T> {
  return { value, source: { kind: 'default', name: 'default' } };
}
