import { parseIpv4Cidr } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';
import { parseIpv6, parseIpv6Cidr } from '../net/ipv6';

/** An address as a node shows it: IPv4 as an unsigned 32-bit integer, IPv6 as an unsigned 128-bit one. */
export type Address =
  | { readonly family: 4; readonly address: number }
  | { readonly family: 6; readonly address: bigint };

/** A range as a node shows it: its first address and its length. */
export type Range =
  | { readonly family: 4; readonly base: number; readonly length: number }
  | { readonly family: 6; readonly base: bigint; readonly length: number };

/** `undefined` for what is no address. A zone (`fe80::1%eth0`) is dropped. */
export function addressOf(text: string | undefined): Address | undefined {
  if (text === undefined) return undefined;
  const four = parseIpv4(text);
  if (four !== undefined) return { family: 4, address: four };
  const six = parseIpv6(text.replace(/%[\w.-]{1,15}$/, ''));
  return six === undefined ? undefined : { family: 6, address: six };
}

/** `10.1.0.0/16`, `10.4.7.21` (one address) and, with the family of the list that it stands in, `default`. */
export function rangeOf(text: string | undefined, family: 4 | 6): Range | undefined {
  if (text === undefined) return undefined;
  if (family === 4) {
    const cidr = text === 'default' ? { base: 0, length: 0 } : parseIpv4Cidr(text.includes('/') ? text : `${text}/32`);
    return cidr === undefined ? undefined : { family, base: cidr.base, length: cidr.length };
  }
  const cidr = text === 'default' ? { base: 0n, length: 0 } : parseIpv6Cidr(text.includes('/') ? text : `${text}/128`);
  return cidr === undefined ? undefined : { family, base: cidr.base, length: cidr.length };
}

/** What Linux lets an interface be called: 1 to 15 bytes, no blank, no slash, no colon. We take printable ASCII only. */
export function deviceName(text: string | undefined): string | undefined {
  return text !== undefined && /^[!-.0-9;-~]{1,15}$/.test(text) ? text : undefined;
}

/** Six bytes in lower case, `02:46:57:4c:95:f5`. */
export function macOf(text: string | undefined): string | undefined {
  return text !== undefined && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text) ? text.toLowerCase() : undefined;
}

/** A decimal number of 0 to `greatest`. */
export function countOf(text: string | undefined, greatest = Number.MAX_SAFE_INTEGER): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const count = Number(text);
  return count <= greatest ? count : undefined;
}
