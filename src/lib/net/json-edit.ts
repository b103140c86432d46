import type { DaemonJsonPart } from './docker-options';
import { daemonJsonKeys } from './docker-options';
import type { GoJsonDocument, GoJsonMember, GoJsonValue } from './go-json';
import { goString, parseGoJson, plainValue, positionFinder } from './go-json';
import type { Problem } from './problem';

/**
 * daemon.json, read as strictly as dockerd reads it and changed in a few keys only: the rest stays to the byte.
 *
 * The parser is Go's own grammar (`go-json.ts`), since dockerd's reading is the one that counts; spans of the members let
 * us splice instead of printing anew.
 */
export type DaemonJson =
  | { readonly kind: 'absent' }
  /** Nothing or blanks only: dockerd up to 20.10 refuses it, later ones take it for `{}`. */
  | { readonly kind: 'empty'; readonly text: string }
  | DaemonJsonObject
  | { readonly kind: 'refused'; readonly problem: Problem };

export interface DaemonJsonObject {
  readonly kind: 'object';
  readonly text: string;
  /** Top-level members as plain values; the last of a key counts. */
  readonly values: ReadonlyMap<string, unknown>;
  /** The names that dockerd compares with its flags: one level of nested objects is flattened, but for some (moby's `flatOptions`). */
  readonly settings: ReadonlySet<string>;
  readonly document: GoJsonDocument;
  readonly members: readonly GoJsonMember[];
}

/** moby daemon/config/config.go: objects that are one value, not a group of settings. */
const wholeObjects = new Set([
  ...['cluster-store-opts', 'default-network-opts', 'log-opts', 'runtimes', 'default-ulimits', 'features', 'builder'],
]);

/** @param text the file's content; null when there is no file. Bytes that are not UTF-8 may stand in it as U+FFFD: such a file is refused. */
export function readDaemonJson(text: string | null): DaemonJson {
  if (text === null) return { kind: 'absent' };
  if (text.startsWith('\ufeff')) {
    return refuse(
      'daemon-json-bom',
      'it begins with a byte order mark, which most releases of dockerd do not take',
      "sed -i '1s/^\\xEF\\xBB\\xBF//' /etc/docker/daemon.json",
    );
  }
  if (text.includes('\ufffd')) {
    return refuse('daemon-json-not-utf8', 'it is not UTF-8; writing it again would change what it says', null);
  }
  if (/^[ \t\r\n]*$/.test(text)) return { kind: 'empty', text };
  const document = parseGoJson(text);
  if (!document.ok) {
    const { line, column } = positionFinder(document.bytes)(document.offset);
    return refuse(
      'daemon-json-invalid',
      `line ${line}, column ${column}: ${document.error}; dockerd does not start with it`,
      hint(document.bytes, document.offset),
    );
  }
  const { root } = document;
  if (root.kind !== 'object') {
    return refuse('daemon-json-not-object', `it is ${article(root.kind)}, dockerd wants an object`, '{}');
  }
  const owned: readonly string[] = daemonJsonKeys;
  for (const key of owned) {
    const same = root.members.filter((member) => member.key === key);
    if (same.length > 1) {
      return refuse('daemon-json-duplicate', `"${key}" stands in it ${same.length} times`, `Keep one "${key}".`);
    }
    const cased = root.members.find((member) => member.key !== key && member.key.toLowerCase() === key);
    if (cased !== undefined) {
      return refuse(
        'daemon-json-key-case',
        `it has ${JSON.stringify(cased.key)}, which dockerd does not know; keys are in lower case`,
        `Write "${key}".`,
      );
    }
  }
  return {
    kind: 'object',
    text,
    document,
    members: root.members,
    values: new Map(root.members.map(({ key, value }) => [key, plainValue(document, value)])),
    settings: settingsOf(root.members),
  };
}

function settingsOf(members: readonly GoJsonMember[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { key, value } of members) {
    if (value.kind === 'object' && !wholeObjects.has(key)) for (const inner of value.members) names.add(inner.key);
    else names.add(key);
  }
  return names;
}

function refuse(code: string, message: string, suggestion: string | null): DaemonJson {
  return {
    kind: 'refused',
    problem: { code, severity: 'error', path: '', message: `daemon.json was left as it is: ${message}`, suggestion },
  };
}

function article(kind: string): string {
  return kind === 'array' ? 'an array' : kind === 'null' ? 'null' : `a ${kind}`;
}

function hint(bytes: Uint8Array, offset: number): string | null {
  const at = String.fromCharCode(bytes[offset] ?? 0);
  if (at === '/' || at === '#') return 'Take the comment out: JSON has none.';
  if (at === '}' || at === ']') return 'Take away the comma in front of the bracket.';
  return null;
}

/** Every key that netctl ever writes: those that follow flannel, and what Docker from 28.2 on needs to let routed packets in. */
export interface DaemonJsonValues extends DaemonJsonPart {
  readonly 'allow-direct-routing'?: boolean;
}

const writtenKeys = [...daemonJsonKeys, 'allow-direct-routing'] as const satisfies readonly (keyof DaemonJsonValues)[];

export interface DaemonJsonChange {
  readonly key: string;
  /** JSON text; null when the key was, or will be, absent. */
  readonly from: string | null;
  readonly to: string | null;
}

export interface DaemonJsonEdit {
  /** The whole file. Equal to what was there, to the byte, when `changes` is empty. */
  readonly text: string;
  readonly changes: readonly DaemonJsonChange[];
}

type Readable = Exclude<DaemonJson, { kind: 'refused' }>;

/** Sets the keys of `part`; every other key, the order, the indentation and the line ends stay. */
export function mergeDaemonJson(file: Readable, part: DaemonJsonValues): DaemonJsonEdit {
  const wanted = literals(part);
  if (file.kind !== 'object') {
    const lines = wanted.map(([key, literal]) => `  "${key}": ${literal}`);
    return {
      text: lines.length === 0 ? '' : `{\n${lines.join(',\n')}\n}\n`,
      changes: wanted.map(([key, to]) => ({ key, from: null, to })),
    };
  }
  const edits: Splice[] = [];
  const changes: DaemonJsonChange[] = [];
  const added: (readonly [key: string, literal: string])[] = [];
  for (const [key, to] of wanted) {
    const member = file.members.find((each) => each.key === key);
    if (member === undefined) {
      added.push([key, to]);
      changes.push({ key, from: null, to });
    } else if (!means(file.document, member.value, to)) {
      edits.push({ start: member.value.start, end: member.value.end, text: to });
      changes.push({ key, from: slice(file, member.value), to });
    }
  }
  if (added.length > 0) edits.push(insertion(file, added));
  return { text: splice(file.document.bytes, edits), changes };
}

/**
 * Takes out the keys that still hold the value of `part`; what somebody has changed since is theirs.
 * An object that is left empty becomes `{}`.
 */
export function removeFromDaemonJson(file: Readable, part: DaemonJsonValues): DaemonJsonEdit {
  if (file.kind !== 'object') return { text: file.kind === 'empty' ? file.text : '', changes: [] };
  const wanted = new Map(literals(part));
  const goes = (member: GoJsonMember): boolean => {
    const literal = wanted.get(member.key);
    return literal !== undefined && means(file.document, member.value, literal);
  };
  const changes = file.members.filter(goes).map(({ key, value }) => ({ key, from: slice(file, value), to: null }));
  if (changes.length === 0) return { text: file.text, changes };
  const { members } = file;
  const { root } = file.document;
  if (changes.length === members.length) {
    return { text: splice(file.document.bytes, [{ start: root.start, end: root.end, text: '{}' }]), changes };
  }
  const edits: Splice[] = [];
  const firstKept = members.findIndex((member) => !goes(member));
  if (firstKept > 0) edits.push({ start: startOf(members[0]), end: startOf(members[firstKept]), text: '' });
  for (const [index, member] of members.entries()) {
    if (index <= firstKept || !goes(member)) continue;
    // With the comma in front of it; what stands behind the last member stays where it is.
    edits.push({ start: endOf(members[index - 1]), end: member.value.end, text: '' });
  }
  return { text: splice(file.document.bytes, edits), changes };
}

function startOf(member: GoJsonMember | undefined): number {
  return member?.keyStart ?? 0;
}

function endOf(member: GoJsonMember | undefined): number {
  return member?.value.end ?? 0;
}

function literals(part: DaemonJsonValues): readonly (readonly [key: string, literal: string])[] {
  return writtenKeys.flatMap((key) => {
    const value = part[key];
    return value === undefined ? [] : [[key, JSON.stringify(value)] as const];
  });
}

/** Would dockerd read the same from it? `1450.0` it would not: an integer has no point. */
function means(document: GoJsonDocument, value: GoJsonValue, literal: string): boolean {
  if (value.kind === 'string') return JSON.stringify(goString(document, value)) === literal;
  return (value.kind === 'number' || value.kind === 'bool') && sliceOf(document, value) === literal;
}

function sliceOf(document: GoJsonDocument, { start, end }: { readonly start: number; readonly end: number }): string {
  return decode(document.bytes.subarray(start, end));
}

function slice(file: DaemonJsonObject, span: { readonly start: number; readonly end: number }): string {
  return sliceOf(file.document, span);
}

/** New members behind the last one, in the manner of the file: its line ends, its indent, its blanks. */
function insertion(file: DaemonJsonObject, added: readonly (readonly [key: string, literal: string])[]): Splice {
  const { root, bytes } = file.document;
  const last = file.members.at(-1);
  if (last === undefined) {
    const eol = decode(bytes).includes('\r\n') ? '\r\n' : '\n';
    const lines = added.map(([key, literal]) => `  "${key}": ${literal}`);
    return { start: root.start, end: root.end, text: `{${eol}${lines.join(`,${eol}`)}${eol}}` };
  }
  const before = file.members.at(-2);
  const gap = decode(bytes.subarray(before === undefined ? root.start + 1 : endOf(before), last.keyStart)).replace(
    /^\s*,/,
    '',
  );
  const colon = decode(bytes.subarray(last.keyEnd, last.value.start));
  const lineBreak = gap.includes('\r\n') ? '\r\n' : '\n';
  const between = gap.includes('\n') ? `${lineBreak}${gap.slice(gap.lastIndexOf('\n') + 1)}` : gap;
  const text = added
    .map(([key, literal]) => `,${between}"${key}"${/^\s*:[ \t]*$/.test(colon) ? colon : ': '}${literal}`)
    .join('');
  return { start: last.value.end, end: last.value.end, text };
}

interface Splice {
  /** Byte offsets. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function splice(bytes: Uint8Array, edits: readonly Splice[]): string {
  const sorted = [...edits].sort((a, b) => a.start - b.start);
  let text = '';
  let at = 0;
  for (const edit of sorted) {
    text += decode(bytes.subarray(at, edit.start)) + edit.text;
    at = edit.end;
  }
  return text + decode(bytes.subarray(at));
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
