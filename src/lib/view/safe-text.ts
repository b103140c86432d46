import { formatCount } from './count';

// Everything that moves the cursor, turns the writing direction, breaks the line or cannot be seen.
// Cc: C0, DEL, C1 · Cf: bidi controls, zero width, tags · Zl, Zp: line separators · Cs: lone surrogates. Noncharacters are not even YAML.
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/gu;
// Marks pile up on the character before them: on a neighbour's when they come first, over other lines when there are many.
const unsafeMarks = /^\p{M}+|(?<=\p{M}{4})\p{M}+/gu;

/**
 * Untrusted text made harmless for a terminal, on one line: what cannot be seen becomes an escape that can
 * (`\x1b`, `\n`, `\u202e`), a lone surrogate becomes U+FFFD. A backslash stays as it is, so this is for eyes;
 * programs read JSON.
 *
 * @param maxLength UTF-16 units of `text` that are shown; the rest becomes `… (1,048,576 bytes)`.
 */
export function safeText(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  if (text.length > maxLength) {
    return `${safeText(cutBetweenCharacters(text, maxLength))}… (${formatCount(Buffer.byteLength(text))} bytes)`;
  }
  if (isPrintable(text)) return text;
  return text.replace(unsafe, escapeForEyes).replace(unsafeMarks, escapeAllForEyes);
}

/** Is it ASCII that can be seen? A loop: for the short texts of a table an expression takes four times as long. */
function isPrintable(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** Stored bytes, which need not be UTF-8, as harmless text. What is not UTF-8 becomes U+FFFD. `maxLength` in bytes. */
export function safeBytes(bytes: Uint8Array, maxLength = Number.POSITIVE_INFINITY): string {
  // A byte order mark is something that the reader must see: flanneld does.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  if (bytes.length <= maxLength) return safeText(decoder.decode(bytes));
  // `stream` keeps back a character that the cut has split.
  const start = decoder.decode(bytes.subarray(0, maxLength), { stream: true });
  return `${safeText(start)}… (${formatCount(bytes.length)} bytes)`;
}

/**
 * `JSON.stringify`, but what a terminal would obey or hide stands as `\uXXXX`. Equal to the original when parsed.
 * `undefined` (and a function) gives `null`.
 */
export function safeJson(value: unknown, indent = 0): string {
  const json: string | undefined = JSON.stringify(value, null, indent);
  return json === undefined ? 'null' : escapeJson(json);
}

/** The same for text that is JSON already; line feeds between tokens stay. */
export function escapeJson(json: string): string {
  // JSON itself escapes C0, so what is ASCII and has no DEL is safe; of 26 MB these two know it in a tenth of the time.
  if (Buffer.byteLength(json) === json.length && !json.includes('\x7f')) return json;
  return json.replace(unsafe, (character) => (character === '\n' ? '\n' : escapeUnits(character)));
}

/** Does it hold anything that `safeText` would escape? */
export function isSafe(text: string): boolean {
  return isPrintable(text) || text.search(unsafe) === -1;
}

function cutBetweenCharacters(text: string, length: number): string {
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

function escapeForEyes(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x0a) return '\\n';
  if (code === 0x0d) return '\\r';
  if (code === 0x09) return '\\t';
  if (code <= 0xff) return `\\x${hex(code, 2)}`;
  if (code >= 0xd800 && code <= 0xdfff) return '\ufffd';
  return code <= 0xffff ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 1)}}`;
}

function escapeAllForEyes(characters: string): string {
  return Array.from(characters, escapeForEyes).join('');
}

function escapeUnits(character: string): string {
  let text = '';
  for (let index = 0; index < character.length; index++) text += `\\u${hex(character.charCodeAt(index), 4)}`;
  return text;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
