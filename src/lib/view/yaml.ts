import { escapeJson } from './safe-text';

// An own writer, because it streams, costs nothing to load and never prints a raw control or bidi character.
// Tests read it back with the `yaml` package.

/** Plain data as block YAML that ends in `\n`, each line indented by `indent` blanks. What JSON leaves out is left out. */
export function toYaml(value: unknown, indent = 0): string {
  const plain = asJson(value);
  const pad = ' '.repeat(indent);
  const block = blockOf(plain, pad, new Map());
  return block ?? `${pad}${scalar(plain)}\n`;
}

/** Texts of keys that have been made before, by their indentation: of the rows of a list all have the same. */
type Keys = Map<number, Map<string, string>>;

/** Writes the items of one sequence: `- ` and the value, indented by `indent` blanks. */
export function yamlItems(indent: number): (value: unknown) => string {
  const keys: Keys = new Map();
  const pad = ' '.repeat(indent);
  return (value) => item(asJson(value), pad, keys);
}

function item(value: unknown, pad: string, keys: Keys): string {
  const block = blockOf(value, `${pad}  `, keys);
  return block === undefined ? `${pad}- ${scalar(value)}\n` : `${pad}- ${block.slice(pad.length + 2)}`;
}

/** Maps and sequences that have something in them; all else is written on the line of its key. */
function blockOf(value: unknown, pad: string, keys: Keys): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    return value.length === 0 ? undefined : value.map((each) => item(asJson(each), pad, keys)).join('');
  }
  let text = '';
  const known = keys.get(pad.length) ?? new Map<string, string>();
  keys.set(pad.length, known);
  for (const [key, raw] of Object.entries(value)) {
    const plain = asJson(raw);
    if (plain === undefined) continue;
    text += knownKey(key, pad, known) + afterKey(plain, pad, keys);
  }
  return text === '' ? undefined : text;
}

const mostKeys = 200;

function knownKey(key: string, pad: string, known: Map<string, string>): string {
  const before = known.get(key);
  if (before !== undefined) return before;
  const text = keyOf(key, pad);
  if (known.size < mostKeys) known.set(key, text);
  return text;
}

function keyOf(key: string, pad: string): string {
  const text = textOf(key);
  // YAML allows an implicit key 1,024 characters.
  return text.length <= 1_000 ? `${pad}${text}:` : `${pad}? ${text}\n${pad}:`;
}

function afterKey(value: unknown, pad: string, keys: Keys): string {
  if (typeof value !== 'object' || value === null) return ` ${scalar(value)}\n`;
  const block = blockOf(value, `${pad}  `, keys);
  return block === undefined ? ` ${scalar(value)}\n` : `\n${block}`;
}

function scalar(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return textOf(value);
    case 'number':
      return Number.isFinite(value) ? String(value === 0 ? 0 : value) : 'null';
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? '[]' : '{}';
    case 'bigint':
    case 'symbol':
    case 'undefined':
    case 'function':
      return 'null';
  }
}

// Words and addresses that are text in YAML 1.1 and 1.2 alike; anything else is quoted.
const plainWords = /^[A-Za-z][\w./-]*(?: [\w./-]+)*$/;
const ipv4 = /^\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?$/;
// `e1` is a number to the YAML 1.1 of the yaml package.
const notText = /^(?:true|false|yes|no|on|off|y|n|null|nan|inf|e\d+)$/i;

function isLetter(code: number): boolean {
  return (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
}

const needsNoEscape = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

function textOf(text: string): string {
  if (isLetter(text.charCodeAt(0)) ? plainWords.test(text) && !notText.test(text) : ipv4.test(text)) return text;
  if (needsNoEscape.test(text)) return `"${text}"`;
  // A double-quoted scalar understands the escapes of JSON, but knows no surrogate halves.
  const wellFormed = text.replace(/\p{Cs}/gu, '\ufffd');
  return escapeJson(JSON.stringify(wellFormed)).replace(
    /\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})/g,
    (_pair, high: string, low: string) => {
      const code = 0x10000 + ((Number.parseInt(high, 16) - 0xd800) << 10) + (Number.parseInt(low, 16) - 0xdc00);
      return `\\U${code.toString(16).padStart(8, '0')}`;
    },
  );
}

/** What JSON would see: `toJSON` is asked, functions and symbols vanish. */
function asJson(value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function') {
    return value.toJSON();
  }
  return value;
}
