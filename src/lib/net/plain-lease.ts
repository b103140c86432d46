import { cidrOf, type Ipv4Cidr } from './cidr';
import { formatIpv4 } from './ipv4';
import type { Lease, StoredKey } from './lease';
import { readPlainLeaseKey } from './lease-key';

/**
 * A lease exactly as flanneld writes nearly all of them: an IPv4 subnet, a public IP, and no data of the backend or
 * those of vxlan. Key and value have one form only, so numbers are enough, and the texts are made when somebody looks:
 * 65,536 of these take a quarter of the memory, and of the time that is spent on clearing up, of those that hold texts.
 */
export class PlainLease implements Lease {
  /** What the key begins with: `<prefix>/subnets/`. */
  private readonly directory: string;
  // Addresses are kept as signed numbers of 32 bits, which V8 holds in place.
  private readonly signedAddress: number;
  private readonly prefixLength: number;
  private readonly signedPublicIP: number;
  /** The halves of a MAC address; -1 without one. */
  private readonly macHigh: number;
  private readonly macLow: number;
  readonly backendType: string | null;
  readonly vni: number | null;
  readonly permanent: boolean;
  readonly leaseId: string | null;
  readonly ttlSeconds: number | null;
  readonly revision: string;
  readonly createdRevision: string;

  constructor(directory: string, address: number, length: number, value: PlainValue, entry: StoredKey) {
    this.directory = directory;
    this.signedAddress = address | 0;
    this.prefixLength = length;
    this.signedPublicIP = value.publicIP;
    this.macHigh = value.macHigh;
    this.macLow = value.macLow;
    this.backendType = value.backendType;
    this.vni = value.vni < 0 ? null : value.vni;
    this.permanent = entry.permanent;
    this.leaseId = entry.leaseId ?? null;
    this.ttlSeconds = entry.ttlSeconds ?? null;
    this.revision = entry.revision;
    this.createdRevision = entry.createdRevision;
  }

  get address(): number {
    return this.signedAddress >>> 0;
  }

  get subnet(): Ipv4Cidr {
    return cidrOf(this.address, this.prefixLength);
  }

  get subnetText(): string {
    return `${formatIpv4(this.signedAddress)}/${this.prefixLength}`;
  }

  get key(): string {
    return `${this.directory}${formatIpv4(this.signedAddress)}-${this.prefixLength}`;
  }

  get publicIP(): string {
    return formatIpv4(this.signedPublicIP);
  }

  /** `publicIP` as a number. */
  get publicAddress(): number {
    return this.signedPublicIP >>> 0;
  }

  get vtepMac(): string | null {
    if (this.macHigh < 0) return null;
    const { macHigh: high, macLow: low } = this;
    return `${pair(high >>> 16)}:${pair(high >>> 8)}:${pair(high)}:${pair(low >>> 16)}:${pair(low >>> 8)}:${pair(low)}`;
  }

  /** `vtepMac` as a number of 48 bits. */
  get macNumber(): number | null {
    return this.macHigh < 0 ? null : this.macHigh * 2 ** 24 + this.macLow;
  }

  get backendData(): string | null {
    const mac = this.vtepMac;
    if (mac === null) return null;
    return this.vni === null ? `{"VtepMAC":"${mac}"}` : `{"VNI":${this.vni},"VtepMAC":"${mac}"}`;
  }

  get ipv6Subnet(): null {
    return null;
  }

  get publicIPv6(): null {
    return null;
  }

  get publicKey(): null {
    return null;
  }

  get port(): null {
    return null;
  }

  get backendV6Data(): null {
    return null;
  }

  get backendProblem(): null {
    return null;
  }
}

const pairs: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function pair(bits: number): string {
  return pairs[bits & 255] ?? '';
}

/**
 * Undefined for every lease of another form, which the reader by flanneld's own rules must judge.
 * @param directory `<prefix>/subnets/`, which the key begins with
 */
export function readPlainLease(entry: StoredKey, directory: string): PlainLease | undefined {
  const place = readPlainLeaseKey(entry.key, directory.length);
  if (place === undefined) return undefined;
  const value = readPlainValue(entry.value);
  return value === undefined ? undefined : new PlainLease(directory, place.address, place.length, value, entry);
}

interface PlainValue {
  /** Signed. */
  readonly publicIP: number;
  readonly backendType: string | null;
  /** -1 for none. */
  readonly vni: number;
  readonly macHigh: number;
  readonly macLow: number;
}

const word = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const openPublicIP = word('{"PublicIP":"');
const noPublicIPv6 = word(',"PublicIPv6":null');
const openType = word(',"BackendType":"');
const openVxlan = word('vxlan","BackendData":{');
const hostGw = word('host-gw"');
const openVni = word('"VNI":');
const comma = word(',');
const openMac = word('"VtepMAC":"');
const closeData = word('"}');
const longest = 160;
const quote = 0x22;
const closingBrace = 0x7d;

function readPlainValue(bytes: Uint8Array): PlainValue | undefined {
  if (bytes.length > longest) return undefined;
  let at = after(bytes, 0, openPublicIP);
  if (at < 0) return undefined;
  let publicIP = 0;
  for (let octets = 0; octets < 4; octets++) {
    const end = numberEnd(bytes, at, 3);
    const octet = numberIn(bytes, at, end);
    if (end < 0 || octet > 255 || bytes[end] !== (octets === 3 ? quote : 0x2e)) return undefined;
    publicIP = (publicIP << 8) | octet;
    at = end + 1;
  }
  const behind = after(bytes, at, noPublicIPv6);
  if (behind >= 0) at = behind;
  let backendType: string | null = null;
  let vni = -1;
  let macHigh = -1;
  let macLow = -1;
  const type = after(bytes, at, openType);
  if (type >= 0) {
    const data = after(bytes, type, openVxlan);
    if (data >= 0) {
      backendType = 'vxlan';
      at = data;
      const number = after(bytes, at, openVni);
      if (number >= 0) {
        const end = numberEnd(bytes, number, 5);
        vni = numberIn(bytes, number, end);
        // One that is larger is for some releases wrong.
        if (end < 0 || vni > 0xffff) return undefined;
        at = after(bytes, end, comma);
        if (at < 0) return undefined;
      }
      at = after(bytes, at, openMac);
      if (at < 0) return undefined;
      macHigh = macPart(bytes, at);
      macLow = bytes[at + 8] === 0x3a ? macPart(bytes, at + 9) : -1;
      if (macHigh < 0 || macLow < 0) return undefined;
      at = after(bytes, at + 17, closeData);
    } else {
      backendType = 'host-gw';
      at = after(bytes, type, hostGw);
    }
    if (at < 0) return undefined;
  }
  if (bytes[at] !== closingBrace || at + 1 !== bytes.length) return undefined;
  return { publicIP, backendType, vni, macHigh, macLow };
}

/** Where the text ends that stands here, -1 when another does. */
function after(bytes: Uint8Array, at: number, text: Uint8Array): number {
  for (let index = 0; index < text.length; index++) if (bytes[at + index] !== text[index]) return -1;
  return at + text.length;
}

/** Where a decimal number without leading zeros ends; -1 when there is none, or one of more digits. */
function numberEnd(bytes: Uint8Array, at: number, mostDigits: number): number {
  let end = at;
  while (end - at <= mostDigits && isDigit(bytes[end])) end += 1;
  const digits = end - at;
  return digits === 0 || digits > mostDigits || (digits > 1 && bytes[at] === 0x30) ? -1 : end;
}

function numberIn(bytes: Uint8Array, at: number, end: number): number {
  let number = 0;
  for (let index = at; index < end; index++) number = number * 10 + (bytes[index] ?? 0) - 0x30;
  return number;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** `0e:11:22` as a number; -1 for another text. */
function macPart(bytes: Uint8Array, at: number): number {
  let number = 0;
  for (let index = 0; index < 8; index++) {
    const byte = bytes[at + index] ?? 0;
    if (index % 3 === 2) {
      if (byte !== 0x3a) return -1;
    } else if (byte >= 0x30 && byte <= 0x39) number = number * 16 + byte - 0x30;
    else if (byte >= 0x61 && byte <= 0x66) number = number * 16 + byte - 0x57;
    else return -1;
  }
  return number;
}
