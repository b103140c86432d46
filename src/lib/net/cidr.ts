import { InvalidInput } from '../errors';
import { formatIpv4, type Ipv4ParseOptions, parseIpv4 } from './ipv4';

/** An IPv4 range: the first address (host bits zero) as an unsigned 32-bit integer, and the prefix length 0..32. */
export interface Ipv4Cidr {
  readonly base: number;
  readonly length: number;
}

/** What a text said, beside the range that it means. */
export interface ParsedIpv4Cidr extends Ipv4Cidr {
  /** The address as written; differs from `base` when host bits were set. */
  readonly address: number;
  readonly hostBits: boolean;
}

/** Number of addresses in a range of this prefix length. */
export function sizeOfLength(length: number): number {
  return sizes[length] ?? 2 ** (32 - length);
}

/** A power takes ten times as long as a look-up, and lists of leases ask for it some hundred thousand times. */
const sizes: readonly number[] = Array.from({ length: 33 }, (_, length) => 2 ** (32 - length));

/** The range of this length that holds the address. */
export function cidrOf(address: number, length: number): Ipv4Cidr {
  const size = sizeOfLength(length);
  return { base: address - (address % size), length };
}

/**
 * `a.b.c.d/len` as Go's `net.ParseCIDR` reads it: host bits are allowed (`hostBits` says so), a length may have
 * leading zeros. `undefined` for all other text.
 */
export function parseIpv4Cidr(text: string, options?: Ipv4ParseOptions): ParsedIpv4Cidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIpv4(text.slice(0, slash), options);
  if (address === undefined) return undefined;
  const length = parsePrefixLength(text.slice(slash + 1), 32);
  if (length === undefined) return undefined;
  const { base } = cidrOf(address, length);
  return { base, length, address, hostBits: base !== address };
}

/** Decimal digits only, leading zeros allowed (`016` is 16), at most `maximum`; `undefined` for other text. */
export function parsePrefixLength(text: string, maximum: number): number | undefined {
  if (text.length === 0) return undefined;
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return undefined;
    length = length * 10 + (code - 0x30);
    if (length > maximum) return undefined;
  }
  return length;
}

export function formatCidr(cidr: Ipv4Cidr): string {
  return `${formatIpv4(cidr.base)}/${cidr.length}`;
}

/** Last address of the range (its broadcast address when it is a subnet). */
export function lastAddress(cidr: Ipv4Cidr): number {
  return cidr.base + sizeOfLength(cidr.length) - 1;
}

/** Does `outer` hold the address or the whole of the inner range? */
export function cidrContains(outer: Ipv4Cidr, inner: Ipv4Cidr | number): boolean {
  if (typeof inner === 'number') return inner >= outer.base && inner <= lastAddress(outer);
  return inner.length >= outer.length && inner.base >= outer.base && inner.base <= lastAddress(outer);
}

/** Do two ranges share an address? Ranges are aligned, so one then holds the other. */
export function cidrsOverlap(a: Ipv4Cidr, b: Ipv4Cidr): boolean {
  return a.base <= lastAddress(b) && b.base <= lastAddress(a);
}

/** Addresses that hosts can use: all but the network and the broadcast address (RFC 3021: both of a /31). */
export function hostCount(cidr: Ipv4Cidr): number {
  if (cidr.length >= 31) return sizeOfLength(cidr.length);
  return sizeOfLength(cidr.length) - 2;
}

/** What an IPv4 range is set aside for. `public` is space that somebody else may own. */
export type Ipv4Space =
  | 'private'
  | 'shared'
  | 'loopback'
  | 'link-local'
  | 'multicast'
  | 'documentation'
  | 'benchmark'
  | 'reserved'
  | 'public';

interface SpecialRange extends Ipv4Cidr {
  readonly space: Ipv4Space;
  readonly rfc: string;
}

function special(text: string, space: Ipv4Space, rfc: string): SpecialRange {
  const cidr = parseIpv4Cidr(text);
  if (cidr === undefined) throw new Error(`not a CIDR: ${text}`);
  return { base: cidr.base, length: cidr.length, space, rfc };
}

/** IANA's special-purpose address registry, as far as a container network is concerned. */
const specialRanges: readonly SpecialRange[] = [
  special('0.0.0.0/8', 'reserved', 'RFC 791'),
  special('10.0.0.0/8', 'private', 'RFC 1918'),
  special('100.64.0.0/10', 'shared', 'RFC 6598'),
  special('127.0.0.0/8', 'loopback', 'RFC 1122'),
  special('169.254.0.0/16', 'link-local', 'RFC 3927'),
  special('172.16.0.0/12', 'private', 'RFC 1918'),
  special('192.0.0.0/24', 'reserved', 'RFC 6890'),
  special('192.0.2.0/24', 'documentation', 'RFC 5737'),
  special('192.168.0.0/16', 'private', 'RFC 1918'),
  special('198.18.0.0/15', 'benchmark', 'RFC 2544'),
  special('198.51.100.0/24', 'documentation', 'RFC 5737'),
  special('203.0.113.0/24', 'documentation', 'RFC 5737'),
  special('224.0.0.0/4', 'multicast', 'RFC 5771'),
  special('240.0.0.0/4', 'reserved', 'RFC 1112'),
];

export interface SpaceUse {
  readonly space: Ipv4Space;
  /** The registry's range, as text; absent for public space. */
  readonly range?: string;
  readonly rfc?: string;
  /** All of the asked range lies in this space. */
  readonly whole: boolean;
}

/** The kinds of address space that a range touches, in address order; a range of one kind gives one answer. */
export function spacesOf(cidr: Ipv4Cidr): readonly SpaceUse[] {
  const uses: SpaceUse[] = [];
  let covered = 0;
  for (const range of specialRanges) {
    if (!cidrsOverlap(range, cidr)) continue;
    const whole = cidrContains(range, cidr);
    covered += whole ? sizeOfLength(cidr.length) : sizeOfLength(range.length);
    uses.push({ space: range.space, range: formatCidr(range), rfc: range.rfc, whole });
  }
  if (covered < sizeOfLength(cidr.length)) uses.push({ space: 'public', whole: covered === 0 });
  return uses;
}

/** The one kind of a whole range, `public` as soon as any of it is. */
export function spaceOf(cidr: Ipv4Cidr): Ipv4Space {
  const uses = spacesOf(cidr);
  if (uses.some((use) => use.space === 'public')) return 'public';
  return uses[0]?.space ?? 'public';
}

/**
 * A range that a person typed. Host bits are not taken silently.
 * @param what names the flag or field in the message, such as `--subnet`
 * @throws InvalidInput `bad-cidr` with the corrected form
 */
export function requireIpv4Cidr(text: string, what: string): Ipv4Cidr {
  const cidr = parseIpv4Cidr(text);
  if (cidr === undefined) {
    throw new InvalidInput({
      code: 'bad-cidr',
      message: `${what}: ${JSON.stringify(text.slice(0, 200))} is not an IPv4 range; write it as ADDRESS/LENGTH with a length of 0 to 32`,
      next: [correctedCidr(text)],
    });
  }
  if (cidr.hostBits) {
    throw new InvalidInput({
      code: 'host-bits',
      message: `${what}: ${text} has bits set behind its prefix length; a range begins at its first address`,
      next: [formatCidr(cidr)],
    });
  }
  return { base: cidr.base, length: cidr.length };
}

/**
 * The range that a text probably means: blanks and quotes dropped, `10.1/16` filled up, `010` as 10, a dotted mask
 * turned into a length, a missing length taken from the zeros at the end. An example when nothing can be made of it.
 */
export function correctedCidr(text: string): string {
  const example = '10.1.0.0/16';
  const match = /^(\d{1,6}(?:\.\d{1,6}){0,3})\.?(?:\/(\S{1,20}))?$/.exec(text.slice(0, 64).replace(/["'\s\\]/g, ''));
  if (match === null) return example;
  const octets = (match[1] ?? '').split('.').map(Number);
  if (octets.some((octet) => octet > 255)) return example;
  const given = octets.length;
  while (octets.length < 4) octets.push(0);
  const address = parseIpv4(octets.join('.'));
  if (address === undefined) return example;
  const length = correctedLength(match[2], address, given);
  return length === undefined ? example : formatCidr(cidrOf(address, length));
}

function correctedLength(text: string | undefined, address: number, octetsGiven: number): number | undefined {
  if (text === undefined) {
    if (octetsGiven < 4) return octetsGiven * 8;
    return address % 2 ** 24 === 0 ? 8 : address % 2 ** 16 === 0 ? 16 : 24;
  }
  const mask = parseIpv4(text);
  if (mask !== undefined) {
    const host = 2 ** 32 - mask;
    return Number.isInteger(Math.log2(host)) ? 32 - Math.log2(host) : undefined;
  }
  return parsePrefixLength(text.replace(/^\+/, ''), 32);
}

/**
 * An address that a person typed.
 * @throws InvalidInput `bad-ip`
 */
export function requireIpv4(text: string, what: string): number {
  const address = parseIpv4(text);
  if (address === undefined) {
    throw new InvalidInput({
      code: 'bad-ip',
      message: `${what}: ${JSON.stringify(text.slice(0, 200))} is not an IPv4 address; write four numbers of 0 to 255 without leading zeros`,
      next: ['10.5.1.10'],
    });
  }
  return address;
}
