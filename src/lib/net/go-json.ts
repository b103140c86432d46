/**
 * JSON as Go's `encoding/json` reads it, because flanneld does: its syntax errors in its words, keys that match by
 * Unicode folding, duplicates of which the last wins, strings with broken UTF-8 tolerated.
 *
 * Every value keeps its place in the text, and objects keep all their members, so that a reviewer can point at them.
 * Nothing here recurses: a text of a million brackets costs memory, not the stack.
 */

/** Byte offsets into the text: `start` is the first byte, `end` the one behind the last. */
interface Span {
  readonly start: number;
  readonly end: number;
}

export interface GoJsonMember {
  /** The key with its escapes resolved. */
  readonly key: string;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly value: GoJsonValue;
}

export type GoJsonValue = Span &
  (
    | { readonly kind: 'object'; readonly members: readonly GoJsonMember[] }
    | { readonly kind: 'array'; readonly elements: readonly GoJsonValue[] }
    | { readonly kind: 'string' | 'number' | 'null' }
    | { readonly kind: 'bool'; readonly truth: boolean }
  );

/** A text that is valid JSON. */
export interface GoJsonDocument {
  readonly ok: true;
  readonly bytes: Uint8Array;
  readonly root: GoJsonValue;
}

/** Why a text is not JSON, as Go says it. */
export interface GoJsonFailure {
  readonly ok: false;
  readonly bytes: Uint8Array;
  /** Byte offset of the offending byte; the length of the text when it ends too early. */
  readonly offset: number;
  readonly error: string;
}

export interface GoJsonOptions {
  /** Go 1.15 and later (flannel >= v0.14.0) stop at 10000 open brackets; `Number.POSITIVE_INFINITY` before. */
  readonly maxDepth?: number;
}

/** Open brackets that Go's scanner allows, since Go 1.15. */
export const goMaxDepth = 10_000;

interface OpenObject {
  readonly kind: 'object';
  readonly start: number;
  end: number;
  readonly members: GoJsonMember[];
  key: string;
  keyStart: number;
  keyEnd: number;
}

interface OpenArray {
  readonly kind: 'array';
  readonly start: number;
  end: number;
  readonly elements: GoJsonValue[];
}

type Await = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'nothing';

const quote = 0x22;
const backslash = 0x5c;
const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

/** How Go's scanner shows the byte that it stumbled over: as a character of Latin-1, in single quotes. */
function quoteByte(byte: number): string {
  if (byte === 0x27) return `'\\''`;
  if (byte === quote) return `'"'`;
  const named: Readonly<Record<number, string>> = {
    7: '\\a',
    8: '\\b',
    9: '\\t',
    10: '\\n',
    11: '\\v',
    12: '\\f',
    13: '\\r',
    92: '\\\\',
  };
  const name = named[byte];
  if (name !== undefined) return `'${name}'`;
  if (byte < 0x20 || byte === 0x7f) return `'\\x${byte.toString(16).padStart(2, '0')}'`;
  if ((byte >= 0x80 && byte <= 0xa0) || byte === 0xad) return `'\\u00${byte.toString(16)}'`;
  return `'${String.fromCharCode(byte)}'`;
}

/** A lexical element that ended well, or the place and the words of the failure. */
type Scan = number | { readonly offset: number; readonly error: string };

/** At the end of the text Go feeds its scanner one blank, hence errors about `' '` where there is none. */
function bad(bytes: Uint8Array, offset: number, context: string): { readonly offset: number; readonly error: string } {
  const byte = offset < bytes.length ? (bytes[offset] ?? 0x20) : 0x20;
  return { offset, error: `invalid character ${quoteByte(byte)} ${context}` };
}

const unexpectedEnd = 'unexpected end of JSON input';

function scanString(bytes: Uint8Array, start: number): Scan {
  let at = start + 1;
  for (;;) {
    if (at >= bytes.length) return { offset: bytes.length, error: unexpectedEnd };
    const byte = bytes[at] ?? 0;
    if (byte === quote) return at + 1;
    if (byte < 0x20) return bad(bytes, at, 'in string literal');
    at += 1;
    if (byte !== backslash) continue;
    const escaped = at < bytes.length ? (bytes[at] ?? 0) : 0x20;
    if (escaped === 0x75) {
      for (let i = 1; i <= 4; i++) {
        const digit = at + i < bytes.length ? (bytes[at + i] ?? 0) : 0x20;
        if (!isHex(digit)) return bad(bytes, at + i, 'in \\u hexadecimal character escape');
      }
      at += 5;
    } else if ('"\\/bfnrt'.includes(String.fromCharCode(escaped))) {
      at += 1;
    } else {
      return bad(bytes, at, 'in string escape code');
    }
  }
}

function scanNumber(bytes: Uint8Array, start: number): Scan {
  let at = start;
  const byteAt = (i: number) => bytes[i] ?? 0x20;
  if (byteAt(at) === 0x2d) {
    at += 1;
    if (!isDigit(byteAt(at))) return bad(bytes, at, 'in numeric literal');
  }
  if (byteAt(at) === 0x30) at += 1;
  else while (isDigit(byteAt(at))) at += 1;
  if (byteAt(at) === 0x2e) {
    at += 1;
    if (!isDigit(byteAt(at))) return bad(bytes, at, 'after decimal point in numeric literal');
    while (isDigit(byteAt(at))) at += 1;
  }
  if (byteAt(at) === 0x65 || byteAt(at) === 0x45) {
    at += 1;
    if (byteAt(at) === 0x2b || byteAt(at) === 0x2d) at += 1;
    if (!isDigit(byteAt(at))) return bad(bytes, at, 'in exponent of numeric literal');
    while (isDigit(byteAt(at))) at += 1;
  }
  return at;
}

function scanWord(bytes: Uint8Array, start: number, word: string): Scan {
  for (let i = 1; i < word.length; i++) {
    const at = start + i;
    const byte = at < bytes.length ? (bytes[at] ?? 0) : 0x20;
    if (byte !== word.charCodeAt(i)) return bad(bytes, at, `in literal ${word} (expecting '${word.charAt(i)}')`);
  }
  return start + word.length;
}

/** Reads a text. A string is taken as its UTF-8 bytes. Linear in the length of the text; never throws. */
export function parseGoJson(text: Uint8Array | string, options?: GoJsonOptions): GoJsonDocument | GoJsonFailure {
  const bytes = typeof text === 'string' ? encoder.encode(text) : text;
  const maxDepth = options?.maxDepth ?? goMaxDepth;
  const stack: (OpenObject | OpenArray)[] = [];
  let root: GoJsonValue | undefined;
  let awaits: Await = 'value';
  let at = 0;
  const fail = (offset: number, error: string): GoJsonFailure => ({ ok: false, bytes, offset, error });

  const close = (value: GoJsonValue): Await => {
    const parent = stack[stack.length - 1];
    if (parent === undefined) {
      root = value;
      return 'nothing';
    }
    if (parent.kind === 'array') parent.elements.push(value);
    else parent.members.push({ key: parent.key, keyStart: parent.keyStart, keyEnd: parent.keyEnd, value });
    return 'comma-or-end';
  };

  for (;;) {
    while (at < bytes.length && isSpace(bytes[at] ?? 0)) at += 1;
    if (at >= bytes.length) {
      if (awaits === 'nothing' && root !== undefined) return { ok: true, bytes, root };
      return fail(bytes.length, unexpectedEnd);
    }
    const byte = bytes[at] ?? 0;
    const top = stack[stack.length - 1];
    switch (awaits) {
      case 'nothing':
        return fail(at, bad(bytes, at, 'after top-level value').error);
      case 'colon':
        if (byte !== 0x3a) return fail(at, bad(bytes, at, 'after object key').error);
        at += 1;
        awaits = 'value';
        continue;
      case 'comma-or-end': {
        const isObject = top?.kind === 'object';
        if (byte === 0x2c) {
          at += 1;
          awaits = isObject ? 'key' : 'value';
          continue;
        }
        if (top === undefined || byte !== (isObject ? 0x7d : 0x5d)) {
          const context = isObject ? 'after object key:value pair' : 'after array element';
          return fail(at, bad(bytes, at, context).error);
        }
        at += 1;
        top.end = at;
        stack.pop();
        awaits = close(top);
        continue;
      }
      case 'key':
      case 'key-or-end': {
        if (top?.kind === 'object' && byte === 0x7d && awaits === 'key-or-end') {
          at += 1;
          top.end = at;
          stack.pop();
          awaits = close(top);
          continue;
        }
        if (byte !== quote || top?.kind !== 'object') {
          return fail(at, bad(bytes, at, 'looking for beginning of object key string').error);
        }
        const end = scanString(bytes, at);
        if (typeof end !== 'number') return fail(end.offset, end.error);
        top.key = unquote(bytes, at, end);
        top.keyStart = at;
        top.keyEnd = end;
        at = end;
        awaits = 'colon';
        continue;
      }
      case 'value':
      case 'value-or-end': {
        if (top?.kind === 'array' && byte === 0x5d && awaits === 'value-or-end') {
          at += 1;
          top.end = at;
          stack.pop();
          awaits = close(top);
          continue;
        }
        if (byte === 0x7b || byte === 0x5b) {
          if (stack.length >= maxDepth) return fail(at, bad(bytes, at, 'exceeded max depth').error);
          if (byte === 0x7b) {
            stack.push({ kind: 'object', start: at, end: at, members: [], key: '', keyStart: at, keyEnd: at });
            awaits = 'key-or-end';
          } else {
            stack.push({ kind: 'array', start: at, end: at, elements: [] });
            awaits = 'value-or-end';
          }
          at += 1;
          continue;
        }
        const start = at;
        let end: Scan;
        let value: (end: number) => GoJsonValue;
        if (byte === quote) {
          end = scanString(bytes, at);
          value = (stop) => ({ kind: 'string', start, end: stop });
        } else if (byte === 0x2d || isDigit(byte)) {
          end = scanNumber(bytes, at);
          value = (stop) => ({ kind: 'number', start, end: stop });
        } else if (byte === 0x74) {
          end = scanWord(bytes, at, 'true');
          value = (stop) => ({ kind: 'bool', truth: true, start, end: stop });
        } else if (byte === 0x66) {
          end = scanWord(bytes, at, 'false');
          value = (stop) => ({ kind: 'bool', truth: false, start, end: stop });
        } else if (byte === 0x6e) {
          end = scanWord(bytes, at, 'null');
          value = (stop) => ({ kind: 'null', start, end: stop });
        } else {
          return fail(at, bad(bytes, at, 'looking for beginning of value').error);
        }
        if (typeof end !== 'number') return fail(end.offset, end.error);
        at = end;
        awaits = close(value(end));
        continue;
      }
      default: {
        const never: never = awaits;
        return never;
      }
    }
  }
}

/** Bytes as text, each byte of broken UTF-8 a U+FFFD of its own, as Go does (WHATWG decoders join them). */
function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  const part = bytes.subarray(start, end);
  try {
    return strictDecoder.decode(part);
  } catch {
    return decodeBrokenUtf8(part);
  }
}

function decodeBrokenUtf8(bytes: Uint8Array): string {
  const parts: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const size = runeSize(bytes, at);
    parts.push(size === 0 ? '\ufffd' : strictDecoder.decode(bytes.subarray(at, at + size)));
    at += Math.max(size, 1);
  }
  return parts.join('');
}

/** Length in bytes of the UTF-8 character that begins here; 0 when none does. */
function runeSize(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const size =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (size === 0 || at + size > bytes.length) return 0;
  for (let i = 1; i < size; i++) {
    if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  const second = bytes[at + 1] ?? 0;
  // Overlong forms, UTF-16 surrogates and what lies beyond U+10FFFF.
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f)) return 0;
  if ((first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f)) return 0;
  return size;
}

const shortEscapes: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  '\\': '\\',
  '/': '/',
};

/** The text of a string literal (with its quotes) at this place; a lone surrogate escape becomes U+FFFD. */
function unquote(bytes: Uint8Array, start: number, end: number): string {
  const inner = decodeUtf8(bytes, start + 1, end - 1);
  if (!inner.includes('\\')) return inner;
  const resolved = inner.replace(
    /\\(?:u([0-9A-Fa-f]{4})|(.))/gs,
    (_, hex: string | undefined, short: string | undefined) =>
      hex === undefined ? (shortEscapes[short ?? ''] ?? '') : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return resolved.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}

/** The decoded text of a string value. */
export function goString(document: GoJsonDocument, value: GoJsonValue): string {
  return unquote(document.bytes, value.start, value.end);
}

/** The bytes of a value as they stand in the text: what a custom unmarshaler of Go gets. */
export function rawText(document: GoJsonDocument, value: Span): string {
  return decodeUtf8(document.bytes, value.start, value.end);
}

/** A key reduced so that two keys are equal when Go's decoder takes them for the same ASCII field name. */
export function foldKey(key: string): string {
  // U+212A (Kelvin) folds to k and U+017F (long s) to s; no other character folds to an ASCII letter.
  return key
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
    .replace(/\u212a/g, 'k')
    .replace(/\u017f/g, 's');
}

/** The value as plain data, duplicates resolved in favour of the last. */
export function plainValue(document: GoJsonDocument, root: GoJsonValue = document.root): unknown {
  interface Open {
    readonly source: GoJsonValue & { readonly kind: 'object' | 'array' };
    readonly target: Record<string, unknown> | unknown[];
    next: number;
  }
  const stack: Open[] = [];
  const begin = (value: GoJsonValue): unknown => {
    switch (value.kind) {
      case 'object': {
        const target: Record<string, unknown> = {};
        stack.push({ source: value, target, next: 0 });
        return target;
      }
      case 'array': {
        const target: unknown[] = [];
        stack.push({ source: value, target, next: 0 });
        return target;
      }
      case 'string':
        return goString(document, value);
      case 'number':
        return Number(rawText(document, value));
      case 'bool':
        return value.truth;
      case 'null':
        return null;
      default: {
        const never: never = value;
        return never;
      }
    }
  };
  const result = begin(root);
  for (let open = stack[stack.length - 1]; open !== undefined; open = stack[stack.length - 1]) {
    const { source, target } = open;
    if (source.kind === 'array') {
      const element = source.elements[open.next];
      if (element === undefined) stack.pop();
      else {
        open.next += 1;
        if (Array.isArray(target)) target.push(begin(element));
      }
    } else {
      const member = source.members[open.next];
      if (member === undefined) stack.pop();
      else {
        open.next += 1;
        // Assignment to `__proto__` would set the prototype instead of a property.
        Object.defineProperty(target, member.key, {
          value: begin(member.value),
          writable: true,
          enumerable: true,
          configurable: true,
        });
      }
    }
  }
  return result;
}

/** A place for people: both counted from 1, the column in characters. */
export interface GoJsonPosition {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** Finds line and column of byte offsets. Asked in ascending order it walks the text once. */
export function positionFinder(bytes: Uint8Array): (offset: number) => GoJsonPosition {
  let at = 0;
  let line = 1;
  let column = 1;
  return (offset) => {
    if (offset < at) {
      at = 0;
      line = 1;
      column = 1;
    }
    for (; at < offset && at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === 0x0a) {
        line += 1;
        column = 1;
      } else if ((byte & 0xc0) !== 0x80) {
        column += 1;
      }
    }
    return { offset, line, column };
  };
}

/** What a field of a Go struct takes. `raw`: the whole value as text, for a custom unmarshaler. `any`: `interface{}`. */
export type GoFieldKind = 'uint' | 'int' | 'bool' | 'string' | 'raw' | 'any' | 'list';

export interface GoField {
  /** Name or `json` tag of the field. */
  readonly name: string;
  readonly kind: GoFieldKind;
  /** The type as Go prints it in an error: `uint`, `time.Duration`. */
  readonly goType: string;
}

/** One member that Go would store, in document order. A null that changes nothing is reported too. */
export interface GoAssignment {
  readonly field: GoField;
  readonly member: GoJsonMember;
}

export interface GoStructResult {
  readonly assignments: readonly GoAssignment[];
  /** The first type mismatch; Go goes on decoding and reports it at the end. */
  readonly mismatch: {
    readonly error: string;
    readonly offset: number;
    /** Absent when the value as a whole is no object. */
    readonly field?: GoField;
    readonly member?: GoJsonMember;
  } | null;
}

const maxUint64 = 18_446_744_073_709_551_615n;
const minInt64 = -9_223_372_036_854_775_808n;
const maxInt64 = 9_223_372_036_854_775_807n;

/**
 * Decodes an object into a struct: which member goes to which field and what does not fit.
 * @param struct the struct's name for errors (`Config`, empty for an anonymous one)
 * @param goType its type for errors (`subnet.Config`)
 */
export function decodeStruct(
  document: GoJsonDocument,
  value: GoJsonValue,
  fields: readonly GoField[],
  struct: string,
  goType: string,
): GoStructResult {
  if (value.kind === 'null') return { assignments: [], mismatch: null };
  if (value.kind !== 'object') {
    const error = `json: cannot unmarshal ${value.kind} into Go value of type ${goType}`;
    return { assignments: [], mismatch: { error, offset: value.start } };
  }
  const byName = new Map(fields.map((field) => [foldKey(field.name), field]));
  const longest = Math.max(...fields.map((field) => field.name.length));
  const assignments: GoAssignment[] = [];
  let mismatch: GoStructResult['mismatch'] = null;
  for (const member of value.members) {
    // A folded key has as many characters as the field's name; a key of a megabyte need not be folded to know.
    if (member.key.length > longest) continue;
    const field = byName.get(foldKey(member.key));
    if (field === undefined) continue;
    const reason = misfit(document, field, member.value);
    if (reason === null) {
      assignments.push({ field, member });
      continue;
    }
    mismatch ??= {
      error: `json: cannot unmarshal ${reason} into Go struct field ${struct}.${field.name} of type ${field.goType}`,
      offset: member.value.start,
      field,
      member,
    };
  }
  return { assignments, mismatch };
}

function misfit(document: GoJsonDocument, field: GoField, value: GoJsonValue): string | null {
  if (field.kind === 'raw' || field.kind === 'any' || value.kind === 'null') return null;
  switch (field.kind) {
    case 'bool':
      return value.kind === 'bool' ? null : value.kind;
    case 'string':
      return value.kind === 'string' ? null : value.kind;
    case 'list':
      return value.kind === 'array' ? null : value.kind;
    case 'uint':
    case 'int': {
      if (value.kind !== 'number') return value.kind;
      const text = rawText(document, value);
      return goInteger(text, field.kind) === undefined ? `number ${clip(text)}` : null;
    }
    default: {
      const never: never = field.kind;
      return never;
    }
  }
}

/** A number literal as Go's `ParseUint` or `ParseInt` reads it into 64 bits: digits only, no fraction, no exponent. */
export function goInteger(text: string, kind: 'uint' | 'int'): bigint | undefined {
  if (text.length > 20 || !(kind === 'uint' ? /^\d+$/ : /^-?\d+$/).test(text)) return undefined;
  const number = BigInt(text);
  if (kind === 'uint') return number <= maxUint64 ? number : undefined;
  return number >= minInt64 && number <= maxInt64 ? number : undefined;
}

const longestQuote = 1000;

/** Go repeats an offending text whole, however long; a megabyte helps nobody. */
export function clip(text: string): string {
  return text.length <= longestQuote ? text : `${text.slice(0, longestQuote)}… (${text.length} characters)`;
}
