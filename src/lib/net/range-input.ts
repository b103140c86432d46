import { InvalidInput } from '../errors';
import { cidrOf, formatCidr, type Ipv4Cidr } from './cidr';

/**
 * An IPv4 range as a person types it. ip-num judges the text and says why it does not do; what comes back is the plain
 * value that the rest computes with (ip-num's own ranges are some hundred times slower in loops).
 *
 * @param what the flag or argument, for messages
 * @throws InvalidInput `bad-range` for another text, `host-bits` with the corrected form
 */
export async function readRange(text: string, what: string): Promise<Ipv4Cidr> {
  const { IPv4CidrRange, Validator } = await import('ip-num');
  const word = text.trim();
  const [isValid, reasons] = Validator.isValidIPv4CidrNotation(word);
  // `/024` passes ip-num, and reads as octal to some people.
  if (!isValid || /\/0\d/.test(word)) {
    throw new InvalidInput({
      code: 'bad-range',
      message: `${what} ${JSON.stringify(text.slice(0, 100))} is not an IPv4 range`,
      details: reasons,
      next: ['Write it as ADDRESS/LENGTH, such as 10.0.0.0/8'],
    });
  }
  const range = IPv4CidrRange.fromCidr(word);
  const cidr = { base: Number(range.getFirst().value), length: Number(range.cidrPrefix.value) };
  const [address] = word.split('/');
  if (address !== range.getFirst().toString()) {
    throw new InvalidInput({
      code: 'host-bits',
      message: `${what} ${word} has bits set behind its prefix length; a range begins at its first address`,
      next: [formatCidr(cidrOf(cidr.base, cidr.length))],
    });
  }
  return cidr;
}
