import { parsePrefixLength } from './cidr';
import { formatIpv4, type Ipv4ParseOptions, parseIpv4 } from './ipv4';

/** An IPv6 range: the first address as an unsigned 128-bit integer, and the prefix length 0..128. */
export interface Ipv6Cidr {
  readonly base: bigint;
  readonly length: number;
}

export interface ParsedIpv6Cidr extends Ipv6Cidr {
  /** The address as written; differs from `base` when host bits were set. */
  readonly address: bigint;
  readonly hostBits: boolean;
}

export interface Ipv6ParseOptions extends Ipv4ParseOptions {
  /** Take groups of more than four digits such as `00fc0`, as binaries built with Go before 1.21 do (flannel <= v0.25.0). */
  readonly longGroups?: boolean;
}

/** `::ffff:0:0/96`, where IPv4 addresses live inside IPv6. */
const v4MappedBase = 0xffff_0000_0000n;

/** Is it an IPv4 address in IPv6 clothes (`::ffff:a.b.c.d`)? Go treats it as IPv4. */
export function isV4Mapped(address: bigint): boolean {
  return address >> 32n === 0xffffn;
}

/** The IPv6 form of an IPv4 address, as Go's `To16` makes it. */
export function v4Mapped(address: number): bigint {
  return v4MappedBase + BigInt(address);
}

/**
 * IPv6 text as Go's `net.ParseIP` reads it: any case, `::` once and for at least one group, an IPv4 tail.
 * Zones (`%eth0`) and IPv4 text are not taken. `undefined` for all other text.
 */
export function parseIpv6(text: string, options?: Ipv6ParseOptions): bigint | undefined {
  // Long groups of zeros are legal in old releases, a megabyte of them is not worth the time.
  if (text.length < 2 || text.length > 1024) return undefined;
  const head = text.indexOf('::');
  if (head < 0) {
    const groups = parseGroups(text, options);
    return groups?.length === 8 ? joinGroups(groups) : undefined;
  }
  if (text.indexOf('::', head + 1) >= 0) return undefined;
  const left = head === 0 ? [] : parseGroups(text.slice(0, head), options, true);
  const right = head + 2 === text.length ? [] : parseGroups(text.slice(head + 2), options);
  if (left === undefined || right === undefined || left.length + right.length > 7) return undefined;
  return joinGroups([...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]);
}

function parseGroups(text: string, options: Ipv6ParseOptions | undefined, head = false): number[] | undefined {
  const groups: number[] = [];
  const words = text.split(':');
  for (const [index, word] of words.entries()) {
    if (word.includes('.')) {
      const tail = parseIpv4(word, options);
      if (head || index !== words.length - 1 || tail === undefined) return undefined;
      groups.push(Math.floor(tail / 65_536), tail % 65_536);
    } else {
      if (!/^[0-9a-fA-F]+$/.test(word)) return undefined;
      if (word.length > 4 && options?.longGroups !== true) return undefined;
      const group = Number.parseInt(word, 16);
      if (group > 0xffff) return undefined;
      groups.push(group);
    }
    if (groups.length > 8) return undefined;
  }
  return groups;
}

function joinGroups(groups: readonly number[]): bigint {
  let address = 0n;
  for (const group of groups) address = (address << 16n) | BigInt(group);
  return address;
}

/**
 * Go's canonical text (`net.IP.String()`): lower-case, the first longest run of two or more zero groups as `::`.
 * A v4-mapped address prints as dotted IPv4.
 */
export function formatIpv6(address: bigint): string {
  if (isV4Mapped(address)) return formatIpv4(Number(address & 0xffff_ffffn));
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((address >> shift) & 0xffffn));
  let runStart = -1;
  let runLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length += 1;
    if (length > runLength) {
      runStart = i;
      runLength = length;
    }
    i += length;
  }
  const hex = groups.map((group) => group.toString(16));
  if (runStart < 0) return hex.join(':');
  return `${hex.slice(0, runStart).join(':')}::${hex.slice(runStart + runLength).join(':')}`;
}

/** `addr/len` as Go's `net.ParseCIDR` reads IPv6 text; host bits are allowed and reported. IPv4 text is not taken. */
export function parseIpv6Cidr(text: string, options?: Ipv6ParseOptions): ParsedIpv6Cidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIpv6(text.slice(0, slash), options);
  if (address === undefined) return undefined;
  const length = parsePrefixLength(text.slice(slash + 1), 128);
  if (length === undefined) return undefined;
  const base = address & ipv6Mask(length);
  return { base, length, address, hostBits: base !== address };
}

/** The network mask of a prefix length. */
export function ipv6Mask(length: number): bigint {
  return ((1n << BigInt(length)) - 1n) << BigInt(128 - length);
}

export function formatIpv6Cidr(cidr: Ipv6Cidr): string {
  return `${formatIpv6(cidr.base)}/${cidr.length}`;
}

export function lastIpv6Address(cidr: Ipv6Cidr): bigint {
  return cidr.base + (1n << BigInt(128 - cidr.length)) - 1n;
}

export function ipv6CidrContains(outer: Ipv6Cidr, inner: Ipv6Cidr | bigint): boolean {
  if (typeof inner === 'bigint') return inner >= outer.base && inner <= lastIpv6Address(outer);
  return inner.length >= outer.length && inner.base >= outer.base && inner.base <= lastIpv6Address(outer);
}

export function ipv6CidrsOverlap(a: Ipv6Cidr, b: Ipv6Cidr): boolean {
  return a.base <= lastIpv6Address(b) && b.base <= lastIpv6Address(a);
}
