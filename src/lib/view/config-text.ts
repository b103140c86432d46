import { backendTypes } from '../net/backend';

const secretKeys = [
  ...new Set(backendTypes.flatMap((type) => type.options.flatMap((option) => (option.secret ? [option.name] : [])))),
];
const secretPattern = new RegExp(`("(?:${secretKeys.join('|')})"\\s*:\\s*)"(?:[^"\\\\]|\\\\.)*"`, 'gi');

/** A config text as it may be printed: the values of pre-shared keys and cloud secrets are hidden. */
export function printableConfigText(text: Uint8Array | string): string {
  const decoded = typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
  return decoded.replace(secretPattern, '$1"(hidden)"');
}
