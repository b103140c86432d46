/** Text as Go's `net.ParseIP` reads IPv6 (zones refused); `undefined` for all other text. */
export function parseIpv6(_text: string): bigint | undefined {
  throw new Error('not built yet');
}

/** Go's canonical form (`net.IP.String()`): compressed lower-case; a v4-mapped address prints as dotted IPv4. */
export function formatIpv6(_address: bigint): string {
  throw new Error('not built yet');
}

export interface Ipv6Cidr {
  readonly base: bigint;
  readonly length: number;
}

export interface ParsedIpv6Cidr extends Ipv6Cidr {
  readonly address: bigint;
  readonly hostBits: boolean;
}

export function parseIpv6Cidr(_text: string): ParsedIpv6Cidr | undefined {
  throw new Error('not built yet');
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
