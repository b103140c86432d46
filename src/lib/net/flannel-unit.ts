import { writtenByNetctl } from './written-by-netctl';

/**
 * A text as one word of `ExecStart=`, which systemd reads back as exactly this text (systemd.service(5), COMMAND LINES).
 * @throws Error for a NUL byte or half a character, which no word can hold: a bug of the caller
 */
export function quoteExecWord(word: string): string {
  assertWord(word);
  // Both are expanded after the quotes are gone, so quotes do not protect them.
  const literal = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  if (/^[A-Za-z0-9_@%+=:,./$-]+$/.test(literal)) return literal;
  let quoted = '';
  for (const character of literal) {
    if (character === '"' || character === '\\') quoted += `\\${character}`;
    else if (/\p{Cc}/u.test(character)) quoted += escapedBytes(character);
    else quoted += character;
  }
  return `"${quoted}"`;
}

function escapedBytes(character: string): string {
  return Array.from(new TextEncoder().encode(character), (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}

function assertWord(word: string): void {
  if (/\0|\p{Cs}/u.test(word)) throw new Error(`cannot be a word of a command: ${JSON.stringify(word)}`);
}

/**
 * A line `NAME="value"` of an environment file, read alike by systemd's `EnvironmentFile=` and by a shell that sources it.
 * @throws Error for a name that is none, and for a NUL byte: a bug of the caller
 */
export function environmentLine(name: string, value: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new Error(`not a variable: ${JSON.stringify(name)}`);
  assertWord(value);
  return `${name}="${value.replace(/["\\$`]/g, '\\$&')}"`;
}

export interface FlannelUnitOptions {
  /** Absolute path on the node, of letters, digits and `. _ / @ + -`. */
  readonly executable: string;
  readonly words: readonly string[];
  /** Read by systemd before it starts flanneld; that it is missing is an error, or flanneld would run with its defaults. */
  readonly environmentFile: string | null;
  /** Docker's unit, which waits for flanneld to be ready but does not need it. */
  readonly dockerUnit: string;
}

/**
 * The unit of flanneld. It is ready (`Type=notify`) when subnet.env is written, and comes back from every end, because flanneld
 * ends with exit code 0 when its lease is revoked and with 1 when another node was faster to take a subnet.
 */
export function flannelUnit(options: FlannelUnitOptions): string {
  assertPath(options.executable);
  if (options.environmentFile !== null) assertPath(options.environmentFile);
  return [
    writtenByNetctl(),
    '[Unit]',
    'Description=flanneld, which gives this node its subnet and routes to the others',
    'Documentation=https://github.com/flannel-io/flannel',
    'Wants=network-online.target',
    'After=network-online.target',
    `Before=${unitName(options.dockerUnit)}`,
    // RestartSec paces the attempts; a limit on their number would leave a node dead after a long failure of etcd.
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    // No RuntimeDirectory=: it would take subnet.env away whenever flanneld stops.
    'Type=notify',
    ...(options.environmentFile === null ? [] : [`EnvironmentFile=${options.environmentFile}`]),
    `ExecStart=${execLine(options.executable, options.words)}`,
    'Restart=always',
    'RestartSec=5',
    // Docker waits for this long at boot when there is no etcd, then starts with what it has.
    'TimeoutStartSec=90',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}

function execLine(executable: string, words: readonly string[]): string {
  const [first, ...rest] = words.map(quoteExecWord);
  if (first === undefined) return executable;
  return [`${executable} ${first}`, ...rest].join(' \\\n  ');
}

/** `docker` and `docker.service` are the same unit. */
function unitName(name: string): string {
  return /\.(?:service|socket|target|mount|timer|path|slice|scope)$/.test(name) ? name : `${name}.service`;
}

function assertPath(path: string): void {
  if (!/^\/[A-Za-z0-9._/@+-]+$/.test(path)) throw new Error(`not a path for a unit: ${JSON.stringify(path)}`);
}

interface UnitEntry {
  readonly section: string;
  readonly key: string;
  readonly value: string;
}

/** Largest text of which a unit or environment file is read; systemd's own limit for a line is 1 MiB. */
const maximumTextLength = 1024 * 1024;

/**
 * The entries of a unit file or drop-in in their order (systemd.syntax(7)): repeated keys stay apart, continued lines are joined,
 * comments within them are left out. Lines that are none of all this are skipped, as systemd does.
 */
function parseUnit(text: string): readonly UnitEntry[] {
  const entries: UnitEntry[] = [];
  let section = '';
  let pending: string | null = null;
  const lines = text
    .slice(0, maximumTextLength)
    .replace(/^\ufeff/, '')
    .split('\n');
  for (const [index, raw] of lines.entries()) {
    const line = raw.replace(/\r$/, '');
    // A comment inside a continued line does not end it.
    if (/^[ \t]*[#;]/.test(line)) continue;
    const joined: string = pending === null ? line : `${pending} ${line}`;
    if (/(?:^|[^\\])(?:\\\\)*\\$/.test(line) && index + 1 < lines.length) {
      pending = joined.slice(0, -1);
      continue;
    }
    pending = null;
    const logical = joined.trim();
    const header = /^\[([^\]]*)\]$/.exec(logical);
    if (header !== null) {
      section = header[1] ?? '';
      continue;
    }
    const equals = logical.indexOf('=');
    if (equals <= 0 || section === '') continue;
    entries.push({
      section,
      key: logical.slice(0, equals).trimEnd(),
      value: logical.slice(equals + 1).trimStart(),
    });
  }
  return entries;
}

/**
 * What a key holds after the unit and all its drop-ins: values add up, an empty one takes all before it away. Of a key that has
 * one value, the last counts.
 */
function unitValues(entries: readonly UnitEntry[], section: string, key: string): readonly string[] {
  let values: string[] = [];
  for (const entry of entries) {
    if (entry.section !== section || entry.key !== key) continue;
    if (entry.value === '') values = [];
    else values.push(entry.value);
  }
  return values;
}

/**
 * The words of an `ExecStart=` as systemd hands them over: quotes, C escapes, `%%`, then `$NAME` (split at blanks) and `${NAME}`
 * (not split). Specifiers other than `%%` stay as they are. Prefixes (`-`, `@`, `+`, `!`, `:`) are taken off; only the first command
 * of a line with several is read. Empty when systemd would refuse the line.
 */
export function execWords(value: string, environment: ReadonlyMap<string, string> = new Map()): readonly string[] {
  const words: string[] = [];
  const { tokens, isComplete } = unquoted(value.replace(/^[-@+!:|]+/, ''));
  if (!isComplete) return [];
  for (const [index, token] of tokens.entries()) {
    const text = token.replaceAll('%%', '%');
    // The program itself is taken as it is written.
    if (index === 0) {
      words.push(text);
      continue;
    }
    const whole = /^\$([A-Za-z_][A-Za-z0-9_]*)$/.exec(text);
    if (whole !== null) {
      words.push(...unquoted(environment.get(whole[1] ?? '') ?? '', true).tokens);
      continue;
    }
    words.push(
      text.replace(/\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\})/g, (match, name: string | undefined) =>
        match === '$$' ? '$' : (environment.get(name ?? '') ?? ''),
      ),
    );
  }
  return words;
}

const simpleEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 0x5c,
  '"': 0x22,
  "'": 0x27,
  s: 0x20,
};

/** Words in quotes and with C escapes; `isComplete` is false when a quote is open at the end, which systemd refuses. */
function unquoted(text: string, isValue = false): { readonly tokens: readonly string[]; readonly isComplete: boolean } {
  const tokens: string[] = [];
  const encoder = new TextEncoder();
  let bytes: number[] = [];
  let isInWord = false;
  let quote = '';
  const end = (): void => {
    if (isInWord) tokens.push(new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes)));
    bytes = [];
    isInWord = false;
  };
  let index = 0;
  while (index < text.length) {
    const rest = text.slice(index, index + 10);
    const character = String.fromCodePoint(text.codePointAt(index) ?? 0);
    if (quote === '' && !isInWord && !isValue && /^;(?:\s|$)/.test(rest)) break;
    if (character === '\\') {
      isInWord = true;
      const escaped = isValue ? protectedCharacter(rest) : escapeSequence(rest);
      bytes.push(...escaped.bytes);
      index += escaped.length;
      continue;
    }
    index += character.length;
    if (quote !== '') {
      if (character === quote) quote = '';
      else bytes.push(...encoder.encode(character));
    } else if (character === '"' || character === "'") {
      quote = character;
      isInWord = true;
    } else if (/[ \t\n\r]/.test(character)) {
      end();
    } else {
      isInWord = true;
      bytes.push(...encoder.encode(character));
    }
  }
  end();
  return { tokens, isComplete: quote === '' };
}

interface Escaped {
  readonly bytes: readonly number[];
  readonly length: number;
}

/** In the value of a variable that is split, a backslash only protects what follows. */
function protectedCharacter(rest: string): Escaped {
  const next = String.fromCodePoint(rest.codePointAt(1) ?? 0x5c);
  return { bytes: [...new TextEncoder().encode(next)], length: 1 + next.length };
}

function escapeSequence(rest: string): Escaped {
  const numeric = /^\\(?:x([0-9A-Fa-f]{2})|([0-3][0-7]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))/.exec(rest);
  if (numeric !== null) {
    const [all, hex, octal, short, long] = numeric;
    if (hex !== undefined) return { bytes: [Number.parseInt(hex, 16)], length: all.length };
    if (octal !== undefined) return { bytes: [Number.parseInt(octal, 8)], length: all.length };
    const code = Number.parseInt(short ?? long ?? '', 16);
    const character = code <= 0x10_ffff ? String.fromCodePoint(code) : '\ufffd';
    return { bytes: [...new TextEncoder().encode(character)], length: all.length };
  }
  const simple = simpleEscapes[rest[1] ?? ''];
  if (simple !== undefined) return { bytes: [simple], length: 2 };
  // The one way to write a semicolon that stands alone without quotes.
  if (/^\\;(?:\s|$)/.test(rest)) return { bytes: [0x3b], length: 2 };
  return { bytes: [0x5c], length: 1 };
}

/**
 * An environment file as systemd reads it (systemd.exec(5), EnvironmentFile=). Of a variable that stands twice the last
 * value counts; lines that are no assignment are skipped.
 */
export function parseEnvironmentFile(text: string): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  const source = text.slice(0, maximumTextLength).replaceAll('\r\n', '\n');
  const blanks = /\s*/y;
  const beforeEquals = /[^=\n]*/y;
  let index = 0;
  while (index < source.length) {
    blanks.lastIndex = index;
    index += blanks.exec(source)?.[0].length ?? 0;
    if (source[index] === '#' || source[index] === ';') {
      index = endOfComment(source, index);
      continue;
    }
    beforeEquals.lastIndex = index;
    const name = beforeEquals.exec(source)?.[0] ?? '';
    index += name.length;
    if (source[index] !== '=') {
      index += 1;
      continue;
    }
    const read = environmentValue(source, index + 1);
    index = read.next;
    const key = name.trim();
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) variables.set(key, read.value);
  }
  return variables;
}

/** After the comment; one whose line ends in a backslash goes on in the next. */
function endOfComment(source: string, index: number): number {
  for (let position = index; ; ) {
    const end = source.indexOf('\n', position);
    if (end < 0) return source.length;
    if (source[end - 1] !== '\\') return end + 1;
    position = end + 1;
  }
}

function environmentValue(source: string, from: number): { readonly value: string; readonly next: number } {
  let value = '';
  // Blanks at the end of an unquoted value do not belong to it.
  let kept = 0;
  let index = from;
  let quote = '';
  let hasBegun = false;
  for (; index < source.length; index += 1) {
    const character = source[index] ?? '';
    const next = source[index + 1] ?? '';
    if (quote === "'") {
      if (character === "'") quote = '';
      else value += character;
    } else if (quote === '"') {
      if (character === '"') quote = '';
      else if (character === '\\' && next !== '') {
        index += 1;
        if (/["\\`$]/.test(next)) value += next;
        else if (next !== '\n') value += `\\${next}`;
      } else value += character;
    } else if (character === '\n') {
      return { value: value.slice(0, kept), next: index + 1 };
    } else if (!hasBegun && (character === '"' || character === "'")) {
      quote = character;
    } else if (/[ \t]/.test(character)) {
      if (hasBegun) value += character;
      continue;
    } else {
      // Behind a closing quote another may open; behind a bare character a quote is a character.
      hasBegun = true;
      if (character !== '\\' || next === '') value += character;
      else {
        index += 1;
        if (next !== '\n') value += next;
      }
    }
    kept = value.length;
  }
  return { value: quote === '' ? value.slice(0, kept) : value, next: source.length };
}

/** What of a flanneld unit matters, to recognise one that was made by hand. */
export interface FlannelUnitReading {
  /** Its words as systemd hands them over, the program first; null when there is no readable ExecStart. */
  readonly command: readonly string[] | null;
  /** The variables that systemd hands over, for `readFlanneld`. */
  readonly environment: ReadonlyMap<string, string>;
  readonly environmentFiles: readonly { readonly path: string; readonly isOptional: boolean }[];
  readonly type: string;
  readonly restart: string;
  /** Units that do not start, or stop, without this one because this unit says so. */
  readonly requiredBy: readonly string[];
  readonly before: readonly string[];
}

/**
 * @param texts the unit file, then its drop-ins by file name, as `systemctl cat` shows them
 * @param files what the environment files hold, by path; those that are missing here count as empty
 */
export function readFlannelUnit(
  texts: readonly string[],
  files: ReadonlyMap<string, string> = new Map(),
): FlannelUnitReading {
  const entries = texts.flatMap((text) => parseUnit(text));
  const environmentFiles = unitValues(entries, 'Service', 'EnvironmentFile').map((value) => ({
    path: value.replace(/^-/, ''),
    isOptional: value.startsWith('-'),
  }));
  const environment = environmentOf(entries, environmentFiles, files);
  const last = (key: string, standard: string): string => unitValues(entries, 'Service', key).at(-1) ?? standard;
  const units = (section: string, key: string): readonly string[] =>
    unitValues(entries, section, key).flatMap((value) => value.split(/\s+/));
  const command = execWords(last('ExecStart', ''), environment);
  return {
    command: command.length === 0 ? null : command,
    environment,
    environmentFiles,
    type: last('Type', 'simple'),
    restart: last('Restart', 'no'),
    requiredBy: [...units('Install', 'RequiredBy'), ...units('Install', 'BoundBy')],
    before: units('Unit', 'Before'),
  };
}

function environmentOf(
  entries: readonly UnitEntry[],
  environmentFiles: FlannelUnitReading['environmentFiles'],
  files: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const environment = new Map<string, string>();
  for (const value of unitValues(entries, 'Service', 'Environment')) {
    for (const word of unquoted(value).tokens) {
      const equals = word.indexOf('=');
      if (equals > 0) environment.set(word.slice(0, equals), word.slice(equals + 1).replaceAll('%%', '%'));
    }
  }
  // Files are read after, and win.
  for (const { path } of environmentFiles) {
    for (const [name, value] of parseEnvironmentFile(files.get(path) ?? '')) environment.set(name, value);
  }
  return environment;
}
