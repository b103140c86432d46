import { type FlannelVersion, isAtLeast } from './flannel-version';
import {
  clip,
  decodeStruct,
  type GoField,
  type GoJsonDocument,
  type GoJsonValue,
  goInteger,
  goMaxDepth,
  goString,
  parseGoJson,
  rawText,
} from './go-json';
import { formatIpv4, parseIpv4 } from './ipv4';
import { formatIpv6, isV4Mapped, parseIpv6 } from './ipv6';

/** The value of a lease, flannel's `LeaseAttrs`, as the given release decodes it (spec 3.3). */
export interface LeaseAttrs {
  /** Null when the value has none; flanneld then works with 0.0.0.0. */
  readonly publicIP: string | null;
  /** Go's canonical text. flannel >= v0.15.0. */
  readonly publicIPv6: string | null;
  /** As written; null when absent or empty, as udp and the cloud backends leave it. */
  readonly backendType: string | null;
  /** vxlan: MAC of the owner's device, lower-case with colons. */
  readonly vtepMac: string | null;
  /** vxlan: network id that the owner published. */
  readonly vni: number | null;
  /** wireguard: base64. */
  readonly publicKey: string | null;
  /** wireguard, flannel >= v0.26.6: the port that the owner listens on. */
  readonly port: number | null;
  /** The raw JSON of BackendData and BackendV6Data. */
  readonly backendData: string | null;
  readonly backendV6Data: string | null;
  /** Why peers cannot use BackendData and so skip this node; null when they can. */
  readonly backendProblem: string | null;
}

export type LeaseValue =
  | { readonly kind: 'ok'; readonly attrs: LeaseAttrs }
  /** flanneld cannot read it and skips the lease, or worse (spec 3.6). */
  | { readonly kind: 'error'; readonly error: string; readonly ipv6PublicIP: boolean }
  /** Every flanneld that sees it ends with exit code 2, also at its next start. */
  | { readonly kind: 'crash'; readonly error: string; readonly ipv6PublicIP: true };

/** How the releases read values: decided once, not for each of 65,536 values. */
export interface ValueRules {
  readonly dualStack: boolean;
  readonly leadingZeros: boolean;
  readonly longGroups: boolean;
  /** IPv6 text in PublicIP is an error since v0.28.9 and a crash before. */
  readonly ipv6Crashes: boolean;
  readonly badIpText: string;
  readonly maxDepth: number;
  readonly vniField: boolean;
  readonly vniLimit: number;
  readonly portField: boolean;
}

export function valueRulesOf(version: FlannelVersion): ValueRules {
  return {
    dualStack: isAtLeast(version, 'v0.15.0'),
    leadingZeros: !isAtLeast(version, 'v0.16.3'),
    longGroups: !isAtLeast(version, 'v0.25.1'),
    ipv6Crashes: !isAtLeast(version, 'v0.28.9'),
    badIpText: isAtLeast(version, 'v0.28.0') ? 'invalid IP address format' : 'Invalid IP address format',
    maxDepth: isAtLeast(version, 'v0.14.0') ? goMaxDepth : Number.POSITIVE_INFINITY,
    vniField: isAtLeast(version, 'v0.14.0'),
    vniLimit: isAtLeast(version, 'v0.24.0') ? 0xffffffff : 0xffff,
    portField: isAtLeast(version, 'v0.26.6'),
  };
}

/** What flanneld of this release makes of a lease's value. Never throws. */
export function parseLeaseValue(bytes: Uint8Array, version: FlannelVersion): LeaseValue {
  const rules = valueRulesOf(version);
  const attrs = readPlainLeaseValue(bytes, rules);
  return attrs === undefined ? readLeaseValue(bytes, rules) : { kind: 'ok', attrs };
}

const oldFields: readonly GoField[] = [
  { name: 'PublicIP', kind: 'raw', goType: 'ip.IP4' },
  { name: 'BackendType', kind: 'string', goType: 'string' },
  { name: 'BackendData', kind: 'raw', goType: 'json.RawMessage' },
];
const fields: readonly GoField[] = [
  ...oldFields,
  { name: 'PublicIPv6', kind: 'raw', goType: 'ip.IP6' },
  { name: 'BackendV6Data', kind: 'raw', goType: 'json.RawMessage' },
];

/** By Go's rules, for any bytes. */
export function readLeaseValue(bytes: Uint8Array, rules: ValueRules): LeaseValue {
  const document = parseGoJson(bytes, { maxDepth: rules.maxDepth });
  if (!document.ok) return { kind: 'error', error: document.error, ipv6PublicIP: false };
  const { assignments, mismatch } = decodeStruct(
    document,
    document.root,
    rules.dualStack ? fields : oldFields,
    'LeaseAttrs',
    'lease.LeaseAttrs',
  );
  let publicIP: string | null = null;
  let publicIPv6: string | null = null;
  let backendType: string | null = null;
  let backendData: GoJsonValue | null = null;
  let backendV6Data: GoJsonValue | null = null;
  // In document order: the first address that cannot be read ends decoding, before a later one could crash it.
  for (const { field, member } of assignments) {
    const { value } = member;
    switch (field.name) {
      case 'PublicIP': {
        const text = trimQuotes(rawText(document, value));
        const read = readPublicIP(text, rules);
        if (typeof read !== 'string') return read;
        publicIP = read;
        break;
      }
      case 'PublicIPv6': {
        if (value.kind === 'null') {
          publicIPv6 = null;
          break;
        }
        const text = trimQuotes(rawText(document, value));
        const ipv4 = parseIpv4(text, rules);
        const ipv6 = parseIpv6(text, rules);
        if (ipv4 === undefined && ipv6 === undefined) {
          return { kind: 'error', error: `PublicIPv6 ${clip(text)}: ${rules.badIpText}`, ipv6PublicIP: false };
        }
        publicIPv6 = ipv6 === undefined ? formatIpv4(ipv4 ?? 0) : formatIpv6(ipv6);
        break;
      }
      case 'BackendType':
        if (value.kind !== 'null') backendType = goString(document, value);
        break;
      case 'BackendData':
        backendData = value;
        break;
      default:
        backendV6Data = value;
    }
  }
  if (mismatch !== null) return { kind: 'error', error: mismatch.error, ipv6PublicIP: false };
  const type = backendType === '' ? null : backendType;
  return {
    kind: 'ok',
    attrs: {
      publicIP,
      publicIPv6,
      backendType: type,
      ...readBackendData(document, type, backendData, rules),
      backendData: backendData === null ? null : rawText(document, backendData),
      backendV6Data: backendV6Data === null ? null : rawText(document, backendV6Data),
    },
  };
}

/** Go's `bytes.Trim(text, "\"")`. */
function trimQuotes(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) === 0x22) start += 1;
  while (end > start && text.charCodeAt(end - 1) === 0x22) end -= 1;
  return text.slice(start, end);
}

function readPublicIP(text: string, rules: ValueRules): string | Exclude<LeaseValue, { kind: 'ok' }> {
  const ipv4 = parseIpv4(text, rules);
  if (ipv4 !== undefined) return formatIpv4(ipv4);
  const ipv6 = parseIpv6(text, rules);
  if (ipv6 === undefined) {
    return { kind: 'error', error: `PublicIP ${clip(text)}: ${rules.badIpText}`, ipv6PublicIP: false };
  }
  // `::ffff:10.1.1.1` is IPv4 to Go.
  if (isV4Mapped(ipv6)) return formatIpv6(ipv6);
  if (rules.ipv6Crashes) {
    return { kind: 'crash', error: `PublicIP ${text}: panic: Address is not an IPv4 address`, ipv6PublicIP: true };
  }
  return { kind: 'error', error: `PublicIP ${text}: invalid IPv4 address format`, ipv6PublicIP: true };
}

type BackendFacts = Pick<LeaseAttrs, 'vtepMac' | 'vni' | 'publicKey' | 'port' | 'backendProblem'>;

const noFacts: BackendFacts = { vtepMac: null, vni: null, publicKey: null, port: null, backendProblem: null };

const vxlanFields: readonly GoField[] = [
  { name: 'VNI', kind: 'any', goType: 'uint32' },
  { name: 'VtepMAC', kind: 'raw', goType: 'vxlan.hardwareAddr' },
];
const wireguardFields: readonly GoField[] = [
  { name: 'PublicKey', kind: 'string', goType: 'string' },
  { name: 'Port', kind: 'any', goType: 'uint16' },
];

function readBackendData(
  document: GoJsonDocument,
  type: string | null,
  data: GoJsonValue | null,
  rules: ValueRules,
): BackendFacts {
  if (type !== 'vxlan' && type !== 'wireguard') return noFacts;
  if (data === null) return { ...noFacts, backendProblem: 'BackendData is missing' };
  const known = type === 'vxlan' ? vxlanFields : wireguardFields;
  const struct = type === 'vxlan' ? 'vxlanLeaseAttrs' : 'wireguardLeaseAttrs';
  const { assignments, mismatch } = decodeStruct(document, data, known, struct, `${type}.${struct}`);
  let facts: BackendFacts = noFacts;
  let problem = mismatch?.error ?? null;
  for (const { field, member } of assignments) {
    const { value } = member;
    switch (field.name) {
      case 'VNI': {
        const vni = smallInteger(document, value);
        if (vni !== undefined) facts = { ...facts, vni };
        if (value.kind === 'null' || !rules.vniField) break;
        if (vni === undefined) problem ??= `VNI ${clip(rawText(document, value))} is not a number that fits`;
        else if (vni > rules.vniLimit)
          problem ??= `VNI ${vni} is above ${rules.vniLimit}, the largest that flanneld before v0.24.0 reads`;
        break;
      }
      case 'VtepMAC': {
        const vtepMac = readMac(rawText(document, value));
        if (vtepMac === undefined) problem ??= `VtepMAC ${clip(rawText(document, value))} is not a MAC address`;
        else facts = { ...facts, vtepMac };
        break;
      }
      case 'PublicKey':
        if (value.kind === 'string') facts = { ...facts, publicKey: goString(document, value) };
        break;
      default: {
        const port = smallInteger(document, value);
        if (port !== undefined) facts = { ...facts, port };
        if (value.kind === 'null' || !rules.portField) break;
        if (port === undefined || port > 0xffff) problem ??= `Port ${clip(rawText(document, value))} is not a port`;
      }
    }
  }
  if (type === 'vxlan' && facts.vtepMac === null) problem ??= 'VtepMAC is missing';
  if (type === 'wireguard' && (facts.publicKey === null || facts.publicKey === '')) problem ??= 'PublicKey is missing';
  return { ...facts, backendProblem: problem };
}

function smallInteger(document: GoJsonDocument, value: GoJsonValue): number | undefined {
  if (value.kind !== 'number') return undefined;
  const number = goInteger(rawText(document, value), 'uint');
  return number === undefined || number > 0xffffffffn ? undefined : Number(number);
}

/** Go's `net.ParseMAC` on the raw JSON: colons, hyphens or dotted fours; 6, 8 or 20 bytes. */
function readMac(raw: string): string | undefined {
  const text = /^"([0-9A-Fa-f:.-]{14,59})"$/.exec(raw)?.[1];
  if (text === undefined) return undefined;
  const dotted = /^[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4})+$/.test(text);
  const paired = /^[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2})+|(?:-[0-9A-Fa-f]{2})+)$/.test(text);
  if (!dotted && !paired) return undefined;
  const digits = text.replaceAll(/[:.-]/g, '').toLowerCase();
  if (digits.length !== 12 && digits.length !== 16 && digits.length !== 40) return undefined;
  return digits.replaceAll(/(..)(?!$)/g, '$1:');
}

const longestPlain = 512;

// The text that flanneld writes, field by field in its order, with the data of vxlan or wireguard or none at all.
const vxlanData = String.raw`\{(?:"VNI":(0|[1-9]\d{0,4}),)?"VtepMAC":"((?:[0-9a-f]{2}:){5}[0-9a-f]{2})"\}`;
const wireguardData = String.raw`\{"PublicKey":"([A-Za-z0-9+/=]+)"(?:,"Port":(0|[1-9]\d{0,4}))?\}`;
const v6Data = String.raw`\{(?:"VNI":(?:0|[1-9]\d*),)?"VtepMAC":"[0-9a-f:]*"\}|\{"PublicKey":"[A-Za-z0-9+/=]*"(?:,"Port":(?:0|[1-9]\d*))?\}`;
const plain = new RegExp(
  `^\\{"PublicIP":"([0-9.]{7,15})"(?:,"PublicIPv6":(?:null|"([0-9a-f:]{2,39})"))?` +
    `(?:,"BackendType":"([a-z][a-z-]*)"(?:,"BackendData":(${vxlanData}|${wireguardData}))?` +
    `(?:,"BackendV6Data":(${v6Data}))?)?\\}$`,
);

/** The same as `readLeaseValue` for text in flanneld's own form, ten times as fast; undefined for every other text. */
export function readPlainLeaseValue(bytes: Uint8Array, rules: ValueRules): LeaseAttrs | undefined {
  if (bytes.length > longestPlain) return undefined;
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const match = plain.exec(buffer.toString('latin1'));
  if (match === null) return undefined;
  const [, publicIP = '', ipv6, backendType, backendData, vni, vtepMac, publicKey, port, backendV6Data] = match;
  if ((backendType === 'vxlan') !== (vtepMac !== undefined)) return undefined;
  if ((backendType === 'wireguard') !== (publicKey !== undefined)) return undefined;
  // Leading zeros pass neither here nor in most releases; those that take them decide in the slow way.
  if (parseIpv4(publicIP) === undefined) return undefined;
  if (Number(vni ?? 0) > 0xffff || Number(port ?? 0) > 0xffff) return undefined;
  if (ipv6 !== undefined || backendV6Data !== undefined) {
    if (!rules.dualStack) return undefined;
    const address = ipv6 === undefined ? undefined : parseIpv6(ipv6);
    if (ipv6 !== undefined && (address === undefined || formatIpv6(address) !== ipv6)) return undefined;
  }
  return {
    publicIP,
    publicIPv6: ipv6 ?? null,
    backendType: backendType ?? null,
    vtepMac: vtepMac ?? null,
    vni: vni === undefined ? null : Number(vni),
    publicKey: publicKey ?? null,
    port: port === undefined ? null : Number(port),
    backendData: backendData ?? null,
    backendV6Data: backendV6Data ?? null,
    backendProblem: null,
  };
}
