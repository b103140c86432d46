export interface Ipv4ParseOptions {
  /** Take `010.1.0.0` as decimal, as binaries built with Go before 1.17 do (flannel <= v0.16.2). */
  readonly leadingZeros?: boolean;
}

/**
 * Strict dotted decimal: four decimal octets, nothing else. `undefined` for all other text.
 * The number is an unsigned 32-bit integer, so plain comparison orders addresses.
 * As Go's `net.ParseIP` for IPv4 text.
 */
export function parseIpv4(text: string, options?: Ipv4ParseOptions): number | undefined {
  const leadingZeros = options?.leadingZeros === true;
  let address = 0;
  let octet = 0;
  let octets = 0;
  let digits = 0;
  for (let i = 0; i <= text.length; i++) {
    // The end of the text closes the last octet as a dot does.
    const code = i === text.length ? 0x2e : text.charCodeAt(i);
    if (code === 0x2e) {
      if (digits === 0 || octets === 4) return undefined;
      address = address * 256 + octet;
      octets += 1;
      octet = 0;
      digits = 0;
      continue;
    }
    if (code < 0x30 || code > 0x39) return undefined;
    if (digits > 0 && octet === 0 && !leadingZeros) return undefined;
    octet = octet * 10 + (code - 0x30);
    if (octet > 255) return undefined;
    digits += 1;
  }
  return octets === 4 ? address : undefined;
}

const octets: readonly string[] = Array.from({ length: 256 }, (_, octet) => `${octet}`);
const dottedOctets: readonly string[] = octets.map((octet) => `${octet}.`);

/** Dotted decimal of an unsigned 32-bit integer; of a signed one with the same bits too. */
export function formatIpv4(address: number): string {
  const at = (shift: number): string => dottedOctets[(address >>> shift) & 255] ?? '';
  return at(24) + at(16) + at(8) + (octets[address & 255] ?? '');
}
