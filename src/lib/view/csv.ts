import { safeText } from './safe-text';

/**
 * One line of RFC 4180, but ending in `\n` alone: every reader takes it, and `cut`, `sort` and `wc` need it.
 *
 * A record is always one line, because control characters are written as visible escapes. Text that a spreadsheet
 * would run as a formula (it begins with `= + - @`) gets a `'` before it, as OWASP advises: values come from etcd,
 * where any node can write. Numbers keep their sign. Who needs exact bytes reads JSON.
 */
export function csvLine(values: readonly (string | number | null)[]): string {
  return `${values.map(field).join(',')}\n`;
}

/** Nothing but letters, digits and `.:/_`: nearly every value, and told five times as fast as by expressions. */
function isBare(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const isLetter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
    // From . to : lie the slash and the digits.
    if (!isLetter && (code < 0x2e || code > 0x3a) && code !== 0x5f) return false;
  }
  return true;
}

function field(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  if (isBare(value)) return value;
  const text = /^\s*[=+\-@]/.test(value) && !/^-?\d+(\.\d+)?$/.test(value) ? `'${safeText(value)}` : safeText(value);
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
