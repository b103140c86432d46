/** The settings of a systemd unit that say how a program is started, as systemd puts them together from a unit and its drop-ins. */
export interface UnitFile {
  readonly path: string;
  readonly text: string;
}

export interface UnitSetting {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** The file that it stands in. */
  readonly path: string;
}

/**
 * All settings in the order in which systemd reads them: the unit, then its drop-ins by file name.
 * Continuation lines are joined; comments are dropped, within continuations too.
 */
export function unitSettings(files: readonly UnitFile[]): readonly UnitSetting[] {
  return files.flatMap(({ path, text }) => {
    const settings: UnitSetting[] = [];
    let section = '';
    let pending = '';
    for (const raw of text.split(/\r?\n/)) {
      const line = raw.trim();
      if (line.startsWith('#') || line.startsWith(';')) continue;
      if (line.endsWith('\\')) {
        pending += `${line.slice(0, -1)} `;
        continue;
      }
      const whole = (pending + line).trim();
      pending = '';
      const header = /^\[(.+)\]$/.exec(whole);
      const equals = whole.indexOf('=');
      if (header !== null) section = header[1] ?? '';
      else if (equals > 0) {
        settings.push({ section, key: whole.slice(0, equals).trim(), value: whole.slice(equals + 1).trim(), path });
      }
    }
    return settings;
  });
}

/** The settings of a list such as ExecStart= or EnvironmentFile= that count: an empty value forgets those before it. */
export function listSetting(settings: readonly UnitSetting[], section: string, key: string): readonly UnitSetting[] {
  let list: UnitSetting[] = [];
  for (const setting of settings) {
    if (setting.section !== section || setting.key !== key) continue;
    if (setting.value === '') list = [];
    else list.push(setting);
  }
  return list;
}

/** The words of a command line or of Environment=: quotes and backslash escapes as systemd takes them, `%%` as `%`. */
export function unitWords(value: string): readonly string[] {
  return quotedWords(value).map(({ text }) => text);
}

/** The same with each word as it is written, so that a line can be put together again without a word. */
export function quotedWords(value: string): readonly { readonly written: string; readonly text: string }[] {
  const words: { readonly written: string; readonly text: string }[] = [];
  let at = 0;
  while (at < value.length) {
    if (/\s/.test(value[at] ?? '')) {
      at += 1;
      continue;
    }
    const start = at;
    let word = '';
    let quote = '';
    for (; at < value.length; at++) {
      const character = value[at] ?? '';
      if (quote === '' && /\s/.test(character)) break;
      if (character === quote) quote = '';
      else if (quote === '' && (character === '"' || character === "'")) quote = character;
      else if (character === '\\' && at + 1 < value.length) {
        at += 1;
        const next = value[at] ?? '';
        word += escapes[next] ?? (/["'\\]/.test(next) ? next : `\\${next}`);
      } else word += character;
    }
    words.push({ written: value.slice(start, at), text: word.replaceAll('%%', '%') });
  }
  return words;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', s: ' ' };

/** A text as one word of a unit's command line. */
export function unitWord(text: string): string {
  const plain = text.replaceAll('%', '%%').replaceAll('$', '$$$$');
  if (/^[A-Za-z0-9_@%$+=:,./-]+$/.test(plain) && !/^[@:+!-]/.test(plain)) return plain;
  return `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

/** A file of EnvironmentFile=, or the words of Environment=. Later assignments win. */
export function environmentFile(text: string): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const raw of text.replaceAll(/\\\r?\n/g, '').split(/\r?\n/)) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const equals = line.indexOf('=');
    const name = line.slice(0, Math.max(equals, 0)).trim();
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) variables.set(name, unquoted(line.slice(equals + 1).trim()));
  }
  return variables;
}

function unquoted(text: string): string {
  let value = '';
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === '\\' && quote !== "'" && at + 1 < text.length) {
      at += 1;
      const next = text[at] ?? '';
      value += quote === '"' && !/["\\`$]/.test(next) ? `\\${next}` : next;
    } else value += character;
  }
  return value;
}
