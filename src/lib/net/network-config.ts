import { InvalidInput } from '../errors';
import {
  type BackendOption,
  type BackendType,
  backendOf,
  backendTypes,
  isAvailable,
  judgeBackend,
  subnetEnvMtu,
} from './backend';
import { parseIpv4Cidr, requireIpv4, requireIpv4Cidr } from './cidr';
import { type FlannelVersion, isAtLeast, judgedAs } from './flannel-version';
import {
  clip,
  decodeStruct,
  type GoField,
  type GoJsonDocument,
  type GoJsonFailure,
  type GoJsonMember,
  type GoJsonValue,
  goInteger,
  goMaxDepth,
  goString,
  parseGoJson,
  rawText,
} from './go-json';
import { formatIpv4, parseIpv4 } from './ipv4';
import { formatIpv6, formatIpv6Cidr, ipv6Mask, isV4Mapped, parseIpv6, parseIpv6Cidr, v4Mapped } from './ipv6';
import { nearestWord } from './nearest-word';

/** The values that flanneld works with after decoding, defaulting and checking. Addresses are text in Go's form. */
export interface EffectiveConfig {
  readonly enableIPv4: boolean;
  /** CIDR with host bits masked off; this and the next three are null when IPv4 is off. */
  readonly network: string | null;
  readonly subnetLen: number | null;
  readonly subnetMin: string | null;
  readonly subnetMax: string | null;
  readonly enableIPv6: boolean;
  /** This and the next three are null when IPv6 is off. */
  readonly ipv6Network: string | null;
  readonly ipv6SubnetLen: number | null;
  readonly ipv6SubnetMin: string | null;
  readonly ipv6SubnetMax: string | null;
  readonly enableNFTables: boolean;
  readonly backend: {
    /** Lower-case. */
    readonly type: string;
    /** False when the config has no Backend and flanneld falls back to udp. */
    readonly explicit: boolean;
    /** Sub-keys that this release reads, in documented case, given or default. May hold secrets: see `withoutSecrets`. */
    readonly options: Readonly<Record<string, unknown>>;
  };
}

/** Where flanneld stops. `parse` and `check`: it retries for ever; `backend` and `register`: it exits 1. */
export type Stage = 'parse' | 'check' | 'backend' | 'register';

export interface Verdict {
  /** Tag of the release by which it was judged. */
  readonly flannel: string;
  readonly outcome: 'accepted' | 'refused' | 'crashes';
  /** flanneld's own words in this release (of a megabyte, the beginning); null when accepted. */
  readonly error: string | null;
  readonly stage: null | Stage;
  /** Null when not accepted. */
  readonly effective: EffectiveConfig | null;
}

/** A verdict with what led to it, for the reviewer. */
export interface Examination {
  readonly verdict: Verdict;
  readonly json: GoJsonDocument | GoJsonFailure;
  /** The member that counts for each key, the last of duplicates. */
  readonly members: ReadonlyMap<string, GoJsonMember>;
  /** Where the refusal comes from: a JSON path and a byte offset; null when the whole is at fault. */
  readonly path: string;
  readonly offset: number | null;
}

interface Stop {
  readonly outcome: 'refused' | 'crashes';
  readonly error: string;
  readonly stage: Stage;
  readonly path: string;
  readonly offset: number | null;
}

/** `ip` and `length` as flannel's IP4Net holds them: a length above 32 is possible for `::ffff:a.b.c.d/112`. */
interface Ip4Net {
  readonly ip: number;
  readonly length: number;
}

interface Ip6Net {
  /** Null: the Go pointer is nil, the key is absent. */
  readonly ip: bigint | null;
  readonly length: number;
}

/** flannel's Config before the defaults are filled in. Zero and null mean "not set", as in Go. */
interface Config {
  enableIPv4: boolean;
  enableIPv6: boolean;
  enableNFTables: boolean;
  network: Ip4Net;
  subnetLen: bigint;
  subnetMin: number;
  subnetMax: number;
  ipv6Network: Ip6Net;
  ipv6SubnetLen: bigint;
  ipv6SubnetMin: bigint | null;
  ipv6SubnetMax: bigint | null;
  backend: GoJsonValue | undefined;
}

interface KnownKey extends GoField {
  readonly since: string;
  /** First release that ignores it again. */
  readonly until: string | null;
}

function key(
  name: string,
  kind: GoField['kind'],
  goType: string,
  since = 'v0.8.0',
  until: string | null = null,
): KnownKey {
  return { name, kind, goType, since, until };
}

/** Every key that some release reads, in the order of flannel's documentation (flannel-spec 1.2). */
export const configKeys: readonly KnownKey[] = [
  key('Network', 'raw', 'ip.IP4Net'),
  key('IPv6Network', 'raw', 'ip.IP6Net', 'v0.15.0'),
  key('EnableIPv4', 'bool', 'bool', 'v0.15.0'),
  key('EnableIPv6', 'bool', 'bool', 'v0.15.0'),
  key('EnableNFTables', 'bool', 'bool', 'v0.25.0'),
  key('SubnetLen', 'uint', 'uint'),
  key('SubnetMin', 'raw', 'ip.IP4'),
  key('SubnetMax', 'raw', 'ip.IP4'),
  key('IPv6SubnetLen', 'uint', 'uint', 'v0.15.0'),
  key('IPv6SubnetMin', 'raw', 'ip.IP6', 'v0.15.0'),
  key('IPv6SubnetMax', 'raw', 'ip.IP6', 'v0.15.0'),
  key('Backend', 'raw', 'json.RawMessage'),
  key('Networks', 'list', '[]ip.IP4Net', 'v0.20.0', 'v0.25.0'),
  key('IPv6Networks', 'list', '[]ip.IP6Net', 'v0.20.0', 'v0.25.0'),
];

/** Does this release read the key? */
export function readsKey(
  known: { readonly since: string; readonly until: string | null },
  version: FlannelVersion,
): boolean {
  return isAtLeast(version, known.since) && (known.until === null || !isAtLeast(version, known.until));
}

/** Exactly what flanneld of this release makes of the config at `<prefix>/config`. Never throws, whatever the text. */
export function judgeConfig(text: Uint8Array | string, version: FlannelVersion): Verdict {
  return examineConfig(text, version).verdict;
}

/** `judgeConfig` with the parsed text and the place of the fault. */
export function examineConfig(text: Uint8Array | string, version: FlannelVersion): Examination {
  const release = judgedAs(version).version;
  // Go 1.15 brought the limit; flannel v0.14.0 was the first release built with it.
  const maxDepth = isAtLeast(release, 'v0.14.0') ? goMaxDepth : Number.POSITIVE_INFINITY;
  const json = parseGoJson(text, { maxDepth });
  const members = new Map<string, GoJsonMember>();
  const end = (found: Stop | EffectiveConfig): Examination => {
    const flannel = release.tag;
    if ('enableIPv4' in found) {
      const verdict: Verdict = { flannel, outcome: 'accepted', error: null, stage: null, effective: found };
      return { verdict, json, members, path: '', offset: null };
    }
    const { outcome, error, stage, path, offset } = found;
    return { verdict: { flannel, outcome, error, stage, effective: null }, json, members, path, offset };
  };
  if (!json.ok) return end(refusal('parse', json.error, '', json.offset));

  const config = decodeConfig(json, release, members);
  if ('outcome' in config) return end(config);
  const typeOrStop = decodeBackendType(json, config.backend);
  // The checks were part of the parser, before the backend type, until v0.20.0 took them out.
  const checkFirst = !isAtLeast(release, 'v0.20.0');
  if (!checkFirst && 'outcome' in typeOrStop) return end(typeOrStop);
  const fault = checkConfig(config, release, members);
  if (fault !== null) return end(fault);
  if ('outcome' in typeOrStop) return end(typeOrStop);

  if (!config.enableIPv4 && !config.enableIPv6) {
    return end(refusal('backend', 'none defined stack', 'EnableIPv4', offsetOf(members, 'EnableIPv4')));
  }
  const type = typeOrStop.type.toLowerCase();
  const backend = backendOf(type);
  if (backend === undefined || !isAvailable(backend, release)) {
    return end(refusal('backend', clip(`unknown backend type: ${type}`), 'Backend.Type', typeOrStop.offset));
  }
  const judged = judgeBackend(backend, json, config.backend, release);
  if (judged.error !== null) {
    const path = judged.option === null ? 'Backend' : `Backend.${judged.option}`;
    return end(refusal('register', clip(judged.error), path, judged.offset ?? config.backend?.start ?? null));
  }
  const mode = judged.options['Mode'];
  const sharedTunnel = type === 'wireguard' && typeof mode === 'string' && mode !== 'separate';
  if (sharedTunnel && config.ipv6Network.ip === null && isAtLeast(release, 'v0.21.0')) {
    return end({
      outcome: 'crashes',
      error: nilPointer,
      stage: 'register',
      path: 'Backend.Mode',
      offset: config.backend?.start ?? null,
    });
  }
  return end(effectiveOf(config, type, judged.options));
}

const nilPointer = 'runtime error: invalid memory address or nil pointer dereference';

function refusal(stage: Stage, error: string, path: string, offset: number | null): Stop {
  return { outcome: 'refused', error, stage, path, offset };
}

function offsetOf(members: ReadonlyMap<string, GoJsonMember>, name: string): number | null {
  return members.get(name)?.value.start ?? null;
}

// Decoding (flannel-spec 1.3)

/** What a custom unmarshaler of flannel's `ip` package answers: a value, an error, or a panic. */
type Unmarshaled<T> = { readonly value: T } | { readonly error: string } | { readonly panic: string };

function decodeConfig(
  json: GoJsonDocument,
  version: FlannelVersion,
  members: Map<string, GoJsonMember>,
): Config | Stop {
  const fields = configKeys.filter((known) => readsKey(known, version));
  const { assignments, mismatch } = decodeStruct(json, json.root, fields, 'Config', 'subnet.Config');
  const config: Config = {
    enableIPv4: true,
    enableIPv6: false,
    enableNFTables: false,
    network: { ip: 0, length: 0 },
    subnetLen: 0n,
    subnetMin: 0,
    subnetMax: 0,
    ipv6Network: { ip: null, length: 0 },
    ipv6SubnetLen: 0n,
    ipv6SubnetMin: null,
    ipv6SubnetMax: null,
    backend: undefined,
  };
  for (const { field, member } of assignments) {
    members.set(field.name, member);
    const fault = assign(config, json, field.name, member.value, version);
    // A custom unmarshaler's error ends decoding at once and outranks type mismatches, whichever came first.
    if (fault !== null) return { ...fault, path: field.name, offset: member.value.start };
  }
  if (mismatch === null) return config;
  if (mismatch.field !== undefined && mismatch.member !== undefined) members.set(mismatch.field.name, mismatch.member);
  return refusal('parse', mismatch.error, mismatch.field?.name ?? '', mismatch.offset);
}

function assign(
  config: Config,
  json: GoJsonDocument,
  name: string,
  value: GoJsonValue,
  version: FlannelVersion,
): Stop | null {
  const take = <T>(found: Unmarshaled<T>, store: (value: T) => void): Stop | null => {
    if ('value' in found) {
      store(found.value);
      return null;
    }
    if ('error' in found) return refusal('parse', found.error, name, value.start);
    return { outcome: 'crashes', error: found.panic, stage: 'parse', path: name, offset: value.start };
  };
  const isNull = value.kind === 'null';
  switch (name) {
    case 'Network':
      return take(ip4NetOf(unquoted(json, value), version), (net) => {
        config.network = net;
      });
    case 'SubnetMin':
      return take(ip4Of(unquoted(json, value), version), (ip) => {
        config.subnetMin = ip;
      });
    case 'SubnetMax':
      return take(ip4Of(unquoted(json, value), version), (ip) => {
        config.subnetMax = ip;
      });
    case 'IPv6Network':
      return take(ip6NetOf(unquoted(json, value), version), (net) => {
        config.ipv6Network = net;
      });
    case 'IPv6SubnetMin':
    case 'IPv6SubnetMax': {
      // A null empties the pointer; the unmarshaler is not asked.
      const found: Unmarshaled<bigint | null> = isNull ? { value: null } : ip6Of(unquoted(json, value), version);
      return take(found, (ip) => {
        if (name === 'IPv6SubnetMin') config.ipv6SubnetMin = ip;
        else config.ipv6SubnetMax = ip;
      });
    }
    case 'Networks':
    case 'IPv6Networks':
      if (value.kind !== 'array') return null;
      for (const element of value.elements) {
        const text = unquoted(json, element);
        const found = name === 'Networks' ? ip4NetOf(text, version) : ip6NetOf(text, version);
        const fault = take<unknown>(found, () => undefined);
        if (fault !== null) return fault;
      }
      return null;
    case 'SubnetLen':
      if (!isNull) config.subnetLen = goInteger(rawText(json, value), 'uint') ?? 0n;
      return null;
    case 'IPv6SubnetLen':
      if (!isNull) config.ipv6SubnetLen = goInteger(rawText(json, value), 'uint') ?? 0n;
      return null;
    case 'EnableIPv4':
      if (value.kind === 'bool') config.enableIPv4 = value.truth;
      return null;
    case 'EnableIPv6':
      if (value.kind === 'bool') config.enableIPv6 = value.truth;
      return null;
    case 'EnableNFTables':
      if (value.kind === 'bool') config.enableNFTables = value.truth;
      return null;
    case 'Backend':
      config.backend = value;
      return null;
    default:
      return null;
  }
}

/** The raw text of a value without the quotes at both ends: flannel does not resolve escapes. */
function unquoted(json: GoJsonDocument, value: GoJsonValue): string {
  const text = rawText(json, value);
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) === 0x22) start += 1;
  while (end > start && text.charCodeAt(end - 1) === 0x22) end -= 1;
  return text.slice(start, end);
}

/** How tolerant Go's address parser is in the toolchain of this release (flannel-spec 0, build toolchains). */
function tolerance(version: FlannelVersion): { readonly leadingZeros: boolean; readonly longGroups: boolean } {
  return { leadingZeros: !isAtLeast(version, 'v0.16.3'), longGroups: !isAtLeast(version, 'v0.25.1') };
}

function ip4NetOf(text: string, version: FlannelVersion): Unmarshaled<Ip4Net> {
  const options = tolerance(version);
  const cidr = parseIpv4Cidr(text, options);
  if (cidr !== undefined) return { value: { ip: cidr.base, length: cidr.length } };
  const six = parseIpv6Cidr(text, options);
  if (six === undefined) return { error: `invalid CIDR address: ${clip(text)}` };
  if (isV4Mapped(six.base)) return { value: { ip: Number(six.base & 0xffff_ffffn), length: six.length } };
  return notIpv4('invalid IPv4 CIDR format', version);
}

function ip4Of(text: string, version: FlannelVersion): Unmarshaled<number> {
  const options = tolerance(version);
  const ip = parseIpv4(text, options);
  if (ip !== undefined) return { value: ip };
  const six = parseIpv6(text, options);
  if (six === undefined) return { error: badAddress(version) };
  if (isV4Mapped(six)) return { value: Number(six & 0xffff_ffffn) };
  return notIpv4('invalid IPv4 address format', version);
}

function notIpv4<T>(error: string, version: FlannelVersion): Unmarshaled<T> {
  if (isAtLeast(version, 'v0.28.9')) return { error };
  if (isAtLeast(version, 'v0.13.0')) return { panic: 'Address is not an IPv4 address' };
  return { panic: 'runtime error: index out of range' };
}

function ip6NetOf(text: string, version: FlannelVersion): Unmarshaled<Ip6Net> {
  const options = tolerance(version);
  const four = parseIpv4Cidr(text, options);
  if (four !== undefined) return { value: { ip: v4Mapped(four.base), length: four.length } };
  const cidr = parseIpv6Cidr(text, options);
  if (cidr === undefined) return { error: `invalid CIDR address: ${clip(text)}` };
  return { value: { ip: cidr.base, length: cidr.length } };
}

function ip6Of(text: string, version: FlannelVersion): Unmarshaled<bigint> {
  const options = tolerance(version);
  const four = parseIpv4(text, options);
  if (four !== undefined) return { value: v4Mapped(four) };
  const ip = parseIpv6(text, options);
  return ip === undefined ? { error: badAddress(version) } : { value: ip };
}

function badAddress(version: FlannelVersion): string {
  return isAtLeast(version, 'v0.28.0') ? 'invalid IP address format' : 'Invalid IP address format';
}

const typeField: GoField = { name: 'Type', kind: 'string', goType: 'string' };

interface TypeRead {
  readonly type: string;
  readonly offset: number | null;
}

function decodeBackendType(json: GoJsonDocument, backend: GoJsonValue | undefined): TypeRead | Stop {
  // An absent Backend is udp in every release, whatever the documentation says.
  if (backend === undefined) return { type: 'udp', offset: null };
  const { assignments, mismatch } = decodeStruct(json, backend, [typeField], '', 'struct { Type string }');
  if (mismatch !== null) {
    const path = mismatch.field === undefined ? 'Backend' : 'Backend.Type';
    return refusal('parse', `error decoding Backend property of config: ${mismatch.error}`, path, mismatch.offset);
  }
  let read: TypeRead = { type: '', offset: backend.start };
  for (const { member } of assignments) {
    if (member.value.kind === 'string') read = { type: goString(json, member.value), offset: member.value.start };
  }
  return read;
}

// Checks and defaults (flannel-spec 1.5). Arithmetic is Go's: uint32 that wraps, shifts of 32 and more give zero.

/** `1 << (32 - length)` in uint32. */
function size32(length: bigint): number {
  return length >= 1n && length <= 32n ? 2 ** Number(32n - length) : 0;
}

/** `0xFFFFFFFF << (32 - length)` in uint32. */
function mask32(length: bigint): number {
  return length >= 1n && length <= 32n ? (0xffff_ffff << Number(32n - length)) >>> 0 : 0;
}

function and32(a: number, b: number): number {
  return (a & b) >>> 0;
}

function checkConfig(config: Config, version: FlannelVersion, members: ReadonlyMap<string, GoJsonMember>): Stop | null {
  const stop = (error: string, path: string): Stop => {
    // Up to v0.19.2 the checks were part of the parser; for a person they are the same step.
    return refusal('check', error, path, offsetOf(members, path));
  };
  if (!isAtLeast(version, 'v0.10.0')) return checkEraA(config, stop);
  if (config.enableIPv4) {
    const fault = checkIpv4(config, version, stop);
    if (fault !== null) return fault;
  }
  return config.enableIPv6 ? checkIpv6(config, version, stop) : null;
}

type StopAt = (error: string, path: string) => Stop;

/** v0.9.1 and earlier: no upper limit of SubnetLen, no alignment. */
function checkEraA(config: Config, stop: StopAt): Stop | null {
  const prefix = BigInt(config.network.length);
  if (config.subnetLen > 0n) {
    if (config.subnetLen < prefix) return stop('HostSubnet is larger network than Network', 'SubnetLen');
  } else {
    config.subnetLen = prefix < 24n ? 24n : prefix + 1n;
  }
  return fillIpv4Range(config, stop);
}

/** First letter in lower case since v0.20.0, in some messages. */
function worded(text: string, version: FlannelVersion): string {
  return isAtLeast(version, 'v0.20.0') ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}

function checkIpv4(config: Config, version: FlannelVersion, stop: StopAt): Stop | null {
  const { network } = config;
  const prefix = BigInt(network.length);
  if (isAtLeast(version, 'v0.19.2') && network.ip === 0 && network.length === 0) {
    return stop(worded('Please define a correct Network parameter in the flannel config', version), 'Network');
  }
  if (config.subnetLen > 0n) {
    if (config.subnetLen > 30n) return stop('SubnetLen must be less than /31', 'SubnetLen');
    if (config.subnetLen < prefix + 2n) {
      return stop(worded('Network must be able to accommodate at least four subnets', version), 'SubnetLen');
    }
  } else if (prefix > 28n) {
    return stop(worded('Network is too small. Minimum useful network prefix is /28', version), 'Network');
  } else {
    config.subnetLen = prefix <= 22n ? 24n : prefix + 2n;
  }
  const fault = fillIpv4Range(config, stop);
  if (fault !== null) return fault;
  const mask = mask32(config.subnetLen);
  if (and32(config.subnetMin, mask) !== config.subnetMin) {
    return stop(`SubnetMin is not on a SubnetLen boundary: ${formatIpv4(config.subnetMin)}`, 'SubnetMin');
  }
  if (and32(config.subnetMax, mask) !== config.subnetMax) {
    return stop(`SubnetMax is not on a SubnetLen boundary: ${formatIpv4(config.subnetMax)}`, 'SubnetMax');
  }
  return null;
}

function fillIpv4Range(config: Config, stop: StopAt): Stop | null {
  const { network } = config;
  const prefix = BigInt(network.length);
  const size = size32(config.subnetLen);
  const mask = mask32(prefix);
  const contains = (ip: number) => and32(network.ip, mask) === and32(ip, mask);
  if (config.subnetMin === 0) config.subnetMin = (network.ip + size) >>> 0;
  else if (!contains(config.subnetMin)) return stop('SubnetMin is not in the range of the Network', 'SubnetMin');
  if (config.subnetMax === 0) config.subnetMax = (network.ip + size32(prefix) - size) >>> 0;
  else if (!contains(config.subnetMax)) return stop('SubnetMax is not in the range of the Network', 'SubnetMax');
  return null;
}

function checkIpv6(config: Config, version: FlannelVersion, stop: StopAt): Stop | null {
  const { length } = config.ipv6Network;
  const ip = config.ipv6Network.ip;
  const prefix = BigInt(length);
  if (isAtLeast(version, 'v0.19.2') && (ip === null || ip === 0n) && length === 0) {
    return stop(worded('Please define a correct IPv6Network parameter in the flannel config', version), 'IPv6Network');
  }
  if (config.ipv6SubnetLen > 0n) {
    if (config.ipv6SubnetLen > 126n) return stop('SubnetLen must be less than /127', 'IPv6SubnetLen');
    if (config.ipv6SubnetLen < prefix + 2n) {
      return stop(worded('Network must be able to accommodate at least four subnets', version), 'IPv6SubnetLen');
    }
  } else if (prefix > 124n) {
    return stop('IPv6Network is too small. Minimum useful network prefix is /124', 'IPv6Network');
  } else {
    config.ipv6SubnetLen = prefix <= 62n ? 64n : prefix + 2n;
  }
  // v0.15.0 to v0.19.1 follow the nil pointer of an absent IPv6Network.
  if (ip === null) return { ...stop(nilPointer, 'IPv6Network'), outcome: 'crashes' };
  const size = 1n << (128n - config.ipv6SubnetLen);
  const networkMask = ipv6Mask(length);
  // flannel compares the printed forms, in which `::1.2.3.4` and `::ffff:1.2.3.4` are one.
  const contains = (address: bigint) => flannelIpv6(ip & networkMask) === flannelIpv6(address & networkMask);
  if (config.ipv6SubnetMin === null || config.ipv6SubnetMin === 0n) config.ipv6SubnetMin = ip + size;
  else if (!contains(config.ipv6SubnetMin)) {
    return stop('IPv6SubnetMin is not in the range of the IPv6Network', 'IPv6SubnetMin');
  }
  if (config.ipv6SubnetMax === null || config.ipv6SubnetMax === 0n) {
    config.ipv6SubnetMax = ip + (1n << (128n - prefix)) - size;
  } else if (!contains(config.ipv6SubnetMax)) {
    return stop('IPv6SubnetMax is not in the range of the IPv6Network', 'IPv6SubnetMax');
  }
  const mask = ipv6Mask(Number(config.ipv6SubnetLen));
  if ((config.ipv6SubnetMin & mask) !== config.ipv6SubnetMin) {
    const error = `IPv6SubnetMin is not on a SubnetLen boundary: ${flannelIpv6(config.ipv6SubnetMin)}`;
    return stop(error, 'IPv6SubnetMin');
  }
  if ((config.ipv6SubnetMax & mask) !== config.ipv6SubnetMax) {
    const error = `IPv6SubnetMax is not on a SubnetLen boundary: ${flannelIpv6(config.ipv6SubnetMax)}`;
    return stop(error, 'IPv6SubnetMax');
  }
  return null;
}

/** How flannel prints an IP6: a number of exactly four bytes is taken for IPv4 (its `ToIP` asks `To4` first). */
function flannelIpv6(address: bigint): string {
  if (address >= 1n << 24n && address < 1n << 32n) return formatIpv4(Number(address));
  return formatIpv6(address);
}

function effectiveOf(config: Config, type: string, options: Readonly<Record<string, unknown>>): EffectiveConfig {
  const four = config.enableIPv4;
  const six = config.enableIPv6;
  const six6 = (address: bigint | null) => (six && address !== null ? flannelIpv6(address) : null);
  return {
    enableIPv4: four,
    network: four ? `${formatIpv4(config.network.ip)}/${config.network.length}` : null,
    subnetLen: four ? Number(config.subnetLen) : null,
    subnetMin: four ? formatIpv4(config.subnetMin) : null,
    subnetMax: four ? formatIpv4(config.subnetMax) : null,
    enableIPv6: six,
    ipv6Network:
      six && config.ipv6Network.ip !== null
        ? `${flannelIpv6(config.ipv6Network.ip)}/${config.ipv6Network.length}`
        : null,
    ipv6SubnetLen: six ? Number(config.ipv6SubnetLen) : null,
    ipv6SubnetMin: six6(config.ipv6SubnetMin),
    ipv6SubnetMax: six6(config.ipv6SubnetMax),
    enableNFTables: config.enableNFTables,
    backend: { type, explicit: config.backend !== undefined, options },
  };
}

// Writing

/** A network that somebody wants, in words that were not checked yet. */
export interface NetworkWish {
  readonly network?: string;
  readonly subnetLen?: number;
  readonly subnetMin?: string;
  readonly subnetMax?: string;
  /** Turns IPv6 on. */
  readonly ipv6Network?: string;
  readonly ipv6SubnetLen?: number;
  readonly ipv6SubnetMin?: string;
  readonly ipv6SubnetMax?: string;
  readonly enableIPv4?: boolean;
  readonly enableNFTables?: boolean;
  readonly backend: {
    readonly type: string;
    readonly options: Readonly<Record<string, string | number | boolean>>;
  };
}

/**
 * The text that netctl writes: one line, exact-case keys in flannel's documented order, always an explicit Backend.
 * Whether flanneld takes the numbers is `judgeConfig`'s to say.
 * @throws InvalidInput for a text that cannot be meant (`bad-cidr`, `host-bits`, `bad-ip`, `bad-prefix-length`,
 *   `unknown-backend`, `unknown-backend-option`, `bad-backend-option`), with the corrected form
 */
export function canonicalConfig(wish: NetworkWish): string {
  const config: Record<string, unknown> = {};
  if (wish.network !== undefined) {
    const network = requireIpv4Cidr(wish.network, 'Network');
    config['Network'] = `${formatIpv4(network.base)}/${network.length}`;
  }
  if (wish.ipv6Network !== undefined) config['IPv6Network'] = requireIpv6Network(wish.ipv6Network);
  if (wish.enableIPv4 === false) config['EnableIPv4'] = false;
  if (wish.ipv6Network !== undefined) config['EnableIPv6'] = true;
  if (wish.enableNFTables === true) config['EnableNFTables'] = true;
  if (wish.subnetLen !== undefined) config['SubnetLen'] = requireLength(wish.subnetLen, 'SubnetLen', 30);
  if (wish.subnetMin !== undefined) config['SubnetMin'] = formatIpv4(requireIpv4(wish.subnetMin, 'SubnetMin'));
  if (wish.subnetMax !== undefined) config['SubnetMax'] = formatIpv4(requireIpv4(wish.subnetMax, 'SubnetMax'));
  if (wish.ipv6SubnetLen !== undefined)
    config['IPv6SubnetLen'] = requireLength(wish.ipv6SubnetLen, 'IPv6SubnetLen', 126);
  if (wish.ipv6SubnetMin !== undefined) config['IPv6SubnetMin'] = requireIpv6(wish.ipv6SubnetMin, 'IPv6SubnetMin');
  if (wish.ipv6SubnetMax !== undefined) config['IPv6SubnetMax'] = requireIpv6(wish.ipv6SubnetMax, 'IPv6SubnetMax');
  const backend = requireBackend(wish.backend.type);
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(wish.backend.options)) {
    const option = requireOption(backend, name);
    if (option.name in options) {
      throw new InvalidInput({
        code: 'bad-backend-option',
        message: `backend option ${option.name} is given twice, in different case`,
        next: [`${option.name}=${String(value)}`],
      });
    }
    options[option.name] = requireOptionValue(option, value);
  }
  const ordered = backend.options.flatMap(({ name }) => (name in options ? [[name, options[name]]] : []));
  config['Backend'] = { Type: backend.type, ...Object.fromEntries(ordered) };
  return JSON.stringify(config);
}

function requireLength(length: number, what: string, maximum: number): number {
  if (Number.isInteger(length) && length >= 1 && length <= maximum) return length;
  throw new InvalidInput({
    code: 'bad-prefix-length',
    message: `${what}: ${length} is not a prefix length that flannel takes; write a whole number of 1 to ${maximum}`,
    next: [what === 'SubnetLen' ? '24' : '64'],
  });
}

function requireIpv6Network(text: string): string {
  const cidr = parseIpv6Cidr(text);
  if (cidr === undefined) {
    throw new InvalidInput({
      code: 'bad-cidr',
      message: `IPv6Network: ${JSON.stringify(clip(text))} is not an IPv6 range; write it as ADDRESS/LENGTH with a length of 0 to 128`,
      next: ['fd00:10:1::/48'],
    });
  }
  if (cidr.hostBits) {
    throw new InvalidInput({
      code: 'host-bits',
      message: `IPv6Network: ${text} has bits set behind its prefix length; a range begins at its first address`,
      next: [formatIpv6Cidr(cidr)],
    });
  }
  return formatIpv6Cidr(cidr);
}

function requireIpv6(text: string, what: string): string {
  const address = parseIpv6(text);
  if (address !== undefined) return formatIpv6(address);
  throw new InvalidInput({
    code: 'bad-ip',
    message: `${what}: ${JSON.stringify(clip(text))} is not an IPv6 address`,
    next: ['fd00:10:1:1::'],
  });
}

function requireBackend(type: string): BackendType {
  const backend = backendOf(type.trim());
  if (backend !== undefined) return backend;
  const known = backendTypes.map((entry) => entry.type);
  const near = nearestWord(type.trim(), known);
  throw new InvalidInput({
    code: 'unknown-backend',
    message: `backend ${JSON.stringify(clip(type))} is not one of flannel's; the types are ${known.join(', ')}`,
    next: [near ?? 'vxlan'],
  });
}

function requireOption(backend: BackendType, name: string): BackendOption {
  const option = backend.options.find((entry) => entry.name.toLowerCase() === name.trim().toLowerCase());
  if (option !== undefined) return option;
  const known = backend.options.map((entry) => entry.name);
  const near = nearestWord(name, known);
  const rule = known.length === 0 ? 'takes no options' : `takes ${known.join(', ')}`;
  throw new InvalidInput({
    code: 'unknown-backend-option',
    message: `backend ${backend.type} has no option ${JSON.stringify(clip(name))}; it ${rule}`,
    ...(near === undefined ? {} : { next: [near] }),
  });
}

function requireOptionValue(option: BackendOption, value: string | number | boolean): unknown {
  const wrong = (rule: string, example: string): InvalidInput =>
    new InvalidInput({
      code: 'bad-backend-option',
      // A mistyped key may still be most of a real one.
      message: `backend option ${option.name}: ${option.secret ? 'the value' : JSON.stringify(value)} does not do; ${rule}`,
      next: [`${option.name}=${example}`],
    });
  switch (option.kind) {
    case 'bool':
      if (typeof value === 'boolean') return value;
      if (value === 'true' || value === 'false') return value === 'true';
      throw wrong('write true or false', 'true');
    case 'int': {
      const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
      const [least, most] = option.range ?? [0, Number.MAX_SAFE_INTEGER];
      if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most) return number;
      throw wrong(`write a whole number of ${least} to ${most}`, String(option.default ?? 1500));
    }
    case 'string': {
      const text = String(value);
      if (option.values === undefined || option.values.includes(text)) return text;
      throw wrong(
        `write one of ${option.values.join(', ')}`,
        nearestWord(text, option.values) ?? String(option.default),
      );
    }
    case 'any': {
      const parts = String(value).split(',');
      return parts.length === 1 ? parts[0] : parts;
    }
    default: {
      const never: never = option.kind;
      return never;
    }
  }
}

/** Would flanneld behave the same under both? An explicit udp is the same as no Backend at all. */
export function sameEffect(a: EffectiveConfig, b: EffectiveConfig): boolean {
  return fingerprint(a) === fingerprint(b);
}

function fingerprint(effective: EffectiveConfig): string {
  const { backend, ...rest } = effective;
  const options = Object.entries(backend.options).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([rest, backend.type, options]);
}

/** What a network is, in numbers for people. */
export interface NetworkFacts {
  readonly network: string;
  readonly subnetLen: number;
  /** Subnets between first and last, both counted; 0 when the range is inverted. */
  readonly subnetCount: number;
  /** As CIDR. */
  readonly firstSubnet: string;
  readonly lastSubnet: string;
  readonly addressesPerSubnet: number;
  /** docker0 takes one address; network and broadcast address are not usable. */
  readonly containersPerNode: number;
  /** flanneld picks at random among the first so many free subnets, at most 100. */
  readonly candidates: number;
  /** `FLANNEL_MTU` in subnet.env on an interface of `interfaceMtu`. */
  readonly mtu: number;
  readonly interfaceMtu: number;
}

/** Facts of the IPv4 side; null when IPv4 is off. */
export function describeNetwork(
  effective: EffectiveConfig,
  version: FlannelVersion,
  interfaceMtu = 1500,
): NetworkFacts | null {
  const { network, subnetLen, subnetMin, subnetMax } = effective;
  if (network === null || subnetLen === null || subnetMin === null || subnetMax === null) return null;
  const first = parseIpv4(subnetMin) ?? 0;
  const last = parseIpv4(subnetMax) ?? 0;
  // Old releases take lengths above 32, which are not subnets.
  const size = subnetLen <= 32 ? 2 ** (32 - subnetLen) : 0;
  const subnetCount = size === 0 || last < first ? 0 : Math.floor((last - first) / size) + 1;
  return {
    network,
    subnetLen,
    subnetCount,
    firstSubnet: `${subnetMin}/${subnetLen}`,
    lastSubnet: `${subnetMax}/${subnetLen}`,
    addressesPerSubnet: size,
    containersPerNode: Math.max(0, size - 3),
    candidates: Math.min(100, subnetCount),
    mtu: subnetEnvMtu(effective.backend, interfaceMtu, judgedAs(version).version),
    interfaceMtu,
  };
}

/** The IPv6 side of a network. Counts are bigint: a /48 has 65,536 subnets, a /8 has more than a number can count. */
export interface Ipv6NetworkFacts {
  readonly network: string;
  readonly subnetLen: number;
  readonly subnetCount: bigint;
  readonly firstSubnet: string;
  readonly lastSubnet: string;
}

/** Facts of the IPv6 side; null when IPv6 is off. */
export function describeIpv6Network(effective: EffectiveConfig): Ipv6NetworkFacts | null {
  const { ipv6Network, ipv6SubnetLen, ipv6SubnetMin, ipv6SubnetMax } = effective;
  if (ipv6Network === null || ipv6SubnetLen === null || ipv6SubnetMin === null || ipv6SubnetMax === null) return null;
  const first = parseIpv6(ipv6SubnetMin) ?? 0n;
  const last = parseIpv6(ipv6SubnetMax) ?? 0n;
  return {
    network: ipv6Network,
    subnetLen: ipv6SubnetLen,
    subnetCount: last < first ? 0n : ((last - first) >> BigInt(128 - ipv6SubnetLen)) + 1n,
    firstSubnet: `${ipv6SubnetMin}/${ipv6SubnetLen}`,
    lastSubnet: `${ipv6SubnetMax}/${ipv6SubnetLen}`,
  };
}
