import { cidrOf, type Ipv4Cidr, parsePrefixLength } from './cidr';
import { leaseListing } from './flannel-keys';
import { type FlannelVersion, isAtLeast } from './flannel-version';
import { formatIpv4, parseIpv4 } from './ipv4';
import { formatIpv6, parseIpv6 } from './ipv6';

/** What flanneld reads out of the key of a lease. */
export interface LeaseKey {
  readonly ok: true;
  /** The range, host bits masked off. */
  readonly subnet: Ipv4Cidr;
  /** The address as written. flanneld keeps it so: `10.5.1.7-24` is 10.5.1.7/24 to it. */
  readonly address: number;
  /** `fc00:0:0:1::/64`; null for an IPv4 lease. */
  readonly ipv6Subnet: string | null;
}

export interface BadLeaseKey {
  readonly ok: false;
  /** Why flanneld cannot read it, for people. */
  readonly reason: string;
}

/** How the releases read keys: decided once, not for each of 65,536 keys. */
export interface KeyGrammar {
  /** v0.17.0 and later: the subnet ends the key, and an IPv6 part may follow it. Before: it may stand anywhere. */
  readonly anchored: boolean;
  /** Built with Go before 1.17 (<= v0.16.2): `10.5.01.0` is decimal. */
  readonly leadingZeros: boolean;
  /** Built with Go before 1.21 (<= v0.25.0): IPv6 groups may have more than four digits. */
  readonly longGroups: boolean;
}

export function keyGrammarOf(version: FlannelVersion): KeyGrammar {
  return {
    anchored: isAtLeast(version, 'v0.17.0'),
    leadingZeros: !isAtLeast(version, 'v0.16.3'),
    longGroups: !isAtLeast(version, 'v0.25.1'),
  };
}

// flanneld's expression is (\d+\.\d+.\d+.\d+)-(\d+), with any character between the later numbers, even a digit. Tried by
// a backtracking engine on a key of a megabyte that would not end, so the cases are written out: the first match begins
// where a run of digits begins, and after the dot come zero, one or two characters that are no digits.
const address = String.raw`(?<!\d)(\d+\.(?:\d+[^\d\n]\d+[^\d\n]\d+|\d{3,}[^\d\n]\d+|\d+[^\d\n]\d{3,}|\d{5,}))-(\d+)`;
const anywhere = new RegExp(address, 'u');
const atEnd = new RegExp(`${address}(?:&([a-f\\d:]+)-(\\d+))?$`, 'u');

/**
 * Reads a key, or the part behind the last slash, as flanneld of this release does (spec 3.2).
 * Never throws; linear in the length of the text.
 */
export function parseLeaseKey(text: string, version: FlannelVersion): LeaseKey | BadLeaseKey {
  return readLeaseKey(text, keyGrammarOf(version));
}

export function readLeaseKey(text: string, grammar: KeyGrammar): LeaseKey | BadLeaseKey {
  const match = (grammar.anchored ? atEnd : anywhere).exec(text);
  if (match === null) return bad(whyNoMatch(text, grammar));
  const [, addressText = '', lengthText = '', ipv6Text, ipv6LengthText = ''] = match;
  const address = parseIpv4(addressText, grammar);
  if (address === undefined) return bad(`${quoted(addressText)} is not an IPv4 address`);
  // flanneld reads the length into five bits and so refuses 32, the length of a single address.
  const length = parsePrefixLength(lengthText, 31);
  if (length === undefined) return bad(`the length ${quoted(lengthText)} is above 31`);
  const subnet = cidrOf(address, length);
  if (ipv6Text === undefined) return { ok: true, subnet, address, ipv6Subnet: null };
  const ipv6 = parseIpv6(ipv6Text, grammar);
  if (ipv6 === undefined) return bad(`${quoted(ipv6Text)} is not an IPv6 address`);
  const ipv6Length = parsePrefixLength(ipv6LengthText, 127);
  if (ipv6Length === undefined) return bad(`the IPv6 length ${quoted(ipv6LengthText)} is above 127`);
  // An address and a length of zero are "no IPv6 subnet" to flanneld.
  const none = ipv6 === 0n && ipv6Length === 0;
  return { ok: true, subnet, address, ipv6Subnet: none ? null : `${formatIpv6(ipv6)}/${ipv6Length}` };
}

function bad(reason: string): BadLeaseKey {
  return { ok: false, reason };
}

function whyNoMatch(text: string, grammar: KeyGrammar): string {
  if (grammar.anchored && anywhere.test(text)) {
    return 'it does not end in a subnet such as 10.5.1.0-24: flanneld since v0.17.0 takes nothing behind it but &IPV6-LENGTH in lower case';
  }
  return 'it does not hold a subnet in the form 10.5.1.0-24';
}

function quoted(text: string): string {
  return JSON.stringify(text.length <= 60 ? text : `${text.slice(0, 60)}…`);
}

/**
 * The same for the form that flanneld itself writes, `…/subnets/10.5.1.0-24`, without an expression: undefined for
 * every other form, which `readLeaseKey` must judge.
 * @param from index of the first character of the subnet
 */
export function readPlainLeaseKey(key: string, from: number): { address: number; length: number } | undefined {
  let address = 0;
  let number = 0;
  let digits = 0;
  let dots = 0;
  let dash = false;
  for (let i = from; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code >= 0x30 && code <= 0x39) {
      if (digits > 0 && number === 0) return undefined;
      number = number * 10 + code - 0x30;
      digits += 1;
      if (number > 255) return undefined;
      continue;
    }
    if (digits === 0 || dash) return undefined;
    if (code === 0x2e) dots += 1;
    else if (code === 0x2d) dash = true;
    else return undefined;
    if (dots > 3) return undefined;
    address = address * 256 + number;
    number = 0;
    digits = 0;
  }
  if (!dash || dots !== 3 || digits === 0 || number > 31) return undefined;
  return { address, length: number };
}

/** The key under which flanneld keeps the lease of a subnet. @param ipv6Subnet `fc00:0:0:1::/64` for a dual-stack lease */
export function leaseKey(prefix: string, subnet: Ipv4Cidr, ipv6Subnet?: string | null): string {
  return `${leaseListing(prefix)}/${leaseKeyTail(subnet.base, subnet.length, ipv6Subnet ?? null)}`;
}

export function leaseKeyTail(address: number, length: number, ipv6Subnet: string | null): string {
  const tail = `${formatIpv4(address)}-${length}`;
  return ipv6Subnet === null ? tail : `${tail}&${ipv6Subnet.replace('/', '-')}`;
}
