import { isWrittenByNetctl, writtenByNetctl } from './written-by-netctl';

/**
 * A text as one word of a POSIX shell script that is run, not shown: every byte but NUL stands for itself.
 * (`shellWord` is for commands that a person pastes; its `$'…'` is not known to dash.)
 * @throws Error for a NUL byte or half a character: a bug of the caller
 */
export function shWord(text: string): string {
  if (/\0|\p{Cs}/u.test(text)) throw new Error(`cannot be a word of a command: ${JSON.stringify(text)}`);
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A text as one word of supervisord's `command=`: it survives the comment rules of the file (a `;` or `#` after a blank),
 * the expansion of `%(…)s` and Python's shlex.
 * @throws Error for control characters, which an ini file cannot hold
 */
export function quoteSupervisorWord(word: string): string {
  if (/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(word)) {
    throw new Error(`cannot be a word of a supervisord command: ${JSON.stringify(word)}`);
  }
  if (word === '') return '""';
  let quoted = '';
  for (const character of word) {
    if (character === '%') quoted += '%%';
    // Quoted alone, so that no comment sign follows a bare blank and none stands at the end, where it would be trimmed.
    else if (/\s/.test(character)) quoted += `"${character}"`;
    else if (/[A-Za-z0-9_@+=:,./-]/.test(character)) quoted += character;
    else quoted += `\\${character}`;
  }
  return quoted;
}

export interface SupervisorProgramOptions {
  /** The start script, and the folder in which it runs. */
  readonly script: string;
  readonly directory: string;
  /** Its folder must exist before supervisord reads the file. */
  readonly logFile: string;
}

/**
 * The program file of flanneld. Kept from the published set-up: the restart, the log and the signals to the whole group.
 * Mended: `stopsignal` was QUIT, on which a Go program prints its goroutines and ends with 2 instead of cleaning up;
 * `startretries` was 3, after which supervisord leaves the node dead; `startsecs` was 30, half a minute in which nobody can tell a flanneld
 * that runs from one that ends again and again; `exitcodes` means nothing beside `autorestart=true`.
 */
export function supervisorProgram(options: SupervisorProgramOptions): string {
  for (const path of [options.script, options.directory, options.logFile]) {
    if (!/^\/[A-Za-z0-9._/@+-]+$/.test(path)) throw new Error(`not a path for supervisord: ${JSON.stringify(path)}`);
  }
  return [
    writtenByNetctl(';'),
    '[program:flanneld]',
    `command=/bin/sh ${options.script}`,
    `directory=${options.directory}`,
    'user=root',
    'numprocs=1',
    'autostart=true',
    '; flanneld ends with 0 when its lease is revoked and with 1 when it lost the race for a subnet: it must come back from both.',
    'autorestart=true',
    'startsecs=1',
    '; Never give up. supervisord waits one second longer after each failed start.',
    'startretries=1000000',
    'stopsignal=TERM',
    'stopwaitsecs=10',
    'stopasgroup=true',
    'killasgroup=true',
    'redirect_stderr=true',
    `stdout_logfile=${options.logFile}`,
    'stdout_logfile_maxbytes=64MB',
    'stdout_logfile_backups=4',
    '',
  ].join('\n');
}

export interface StartScriptOptions {
  readonly executable: string;
  readonly words: readonly string[];
  /** Sourced first, so that its variables reach flanneld; null when there is none. */
  readonly environmentFile: string | null;
}

/** The start script of flanneld. `exec` makes flanneld the process that supervisord sees and signals. */
export function startScript(options: StartScriptOptions): string {
  const words = options.words.map(shWord);
  const environment =
    options.environmentFile === null ? [] : ['set -a', `. ${shWord(options.environmentFile)}`, 'set +a'];
  return [
    '#!/bin/sh',
    `${writtenByNetctl()}set -e`,
    ...environment,
    [`exec ${shWord(options.executable)}`, ...words].join(' \\\n  '),
    '',
  ].join('\n');
}

/** Where a family of distributions keeps supervisord's programs; both include `files=` of their folder with their own ending. */
export function supervisorProgramFile(family: 'debian' | 'rhel'): string {
  return family === 'debian' ? '/etc/supervisor/conf.d/flanneld.conf' : '/etc/supervisord.d/flanneld.ini';
}

export interface SupervisorProgramReading {
  /** The name behind `program:`. */
  readonly name: string;
  /** Words of `command=`, null when it cannot be read. */
  readonly command: readonly string[] | null;
  readonly directory: string | null;
  readonly settings: ReadonlyMap<string, string>;
  readonly isByNetctl: boolean;
}

/** The programs of a supervisord file, to recognise a flanneld that was set up by hand. `%(…)s` is left as it stands. */
export function readSupervisorPrograms(text: string): readonly SupervisorProgramReading[] {
  const programs: { name: string; settings: Map<string, string> }[] = [];
  let current: Map<string, string> | null = null;
  let key = '';
  for (const raw of text.slice(0, 1024 * 1024).split(/\r?\n/)) {
    if (/^\s*[#;]/.test(raw)) continue;
    const line = raw.replace(/(?<=\s)[;#].*$/, '').trimEnd();
    const header = /^\[(.*)\]/.exec(line);
    if (header !== null) {
      const name = /^program:\s*(.*?)\s*$/.exec(header[1] ?? '')?.[1];
      current = name === undefined ? null : new Map<string, string>();
      if (name !== undefined && current !== null) programs.push({ name, settings: current });
      key = '';
      continue;
    }
    if (current === null || line.trim() === '') continue;
    if (/^\s/.test(line) && key !== '') {
      current.set(key, `${current.get(key) ?? ''}\n${line.trim()}`);
      continue;
    }
    const match = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(line);
    key = match?.[1]?.toLowerCase().trim() ?? '';
    if (match !== null) current.set(key, match[2] ?? '');
  }
  return programs.map(({ name, settings }) => ({
    name,
    command: shellWords((settings.get('command') ?? '').replaceAll('%%', '%'))[0] ?? null,
    directory: settings.get('directory') ?? null,
    settings,
    isByNetctl: isWrittenByNetctl(text),
  }));
}

/**
 * The words of the line of a start script that runs flanneld, its own path first; null when there is none, or when it
 * cannot be known without running the script (substitutions, other variables than those given).
 */
export function readStartScript(
  text: string,
  environment: ReadonlyMap<string, string> = new Map(),
): readonly string[] | null {
  for (const words of shellWords(text.slice(0, 1024 * 1024), environment)) {
    const start = words.findIndex((word) => !['exec', 'nohup', 'command'].includes(word));
    const command = start < 0 ? [] : words.slice(start);
    if (/(?:^|\/)flanneld$/.test(command[0] ?? '')) return command;
  }
  return null;
}

/** Each simple command of a shell text as words. A command whose words cannot be known is left out. */
function shellWords(
  text: string,
  environment: ReadonlyMap<string, string> = new Map(),
): readonly (readonly string[])[] {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | null = null;
  let isKnown = true;
  const endWord = (): void => {
    if (word !== null) words.push(word);
    word = null;
  };
  const endCommand = (): void => {
    endWord();
    if (words.length > 0 && isKnown) commands.push(words);
    words = [];
    isKnown = true;
  };
  let index = 0;
  while (index < text.length) {
    const character = text[index] ?? '';
    const next = text[index + 1] ?? '';
    index += 1;
    if (character === '\\') {
      index += 1;
      if (next !== '\n') word = (word ?? '') + next;
    } else if (character === "'") {
      const end = text.indexOf("'", index);
      if (end < 0) return commands;
      word = (word ?? '') + text.slice(index, end);
      index = end + 1;
    } else if (character === '"') {
      const read = doubleQuoted(text, index, environment);
      if (read === null) return commands;
      isKnown &&= read.isKnown;
      word = (word ?? '') + read.value;
      index = read.next;
    } else if (character === '$') {
      const variable = /^(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/.exec(text.slice(index, index + 256));
      const value = environment.get(variable?.[1] ?? variable?.[2] ?? '');
      if (variable === null || value === undefined) isKnown = false;
      else {
        const [first = '', ...more] = value.split(/[ \t\n]+/);
        word = (word ?? '') + first;
        for (const part of more) {
          endWord();
          if (part !== '') word = part;
        }
      }
      index += variable?.[0].length ?? 0;
    } else if (/[ \t]/.test(character)) endWord();
    else if (/[\n;&|]/.test(character)) endCommand();
    else if (character === '`' || character === '(') isKnown = false;
    else if (character === '#' && word === null) {
      const end = text.indexOf('\n', index);
      index = end < 0 ? text.length : end;
    } else word = (word ?? '') + character;
  }
  endCommand();
  return commands;
}

function doubleQuoted(
  text: string,
  from: number,
  environment: ReadonlyMap<string, string>,
): { readonly value: string; readonly next: number; readonly isKnown: boolean } | null {
  let value = '';
  let isKnown = true;
  let index = from;
  while (index < text.length) {
    const character = text[index] ?? '';
    index += 1;
    if (character === '"') return { value, next: index, isKnown };
    if (character === '\\') {
      const next = text[index] ?? '';
      index += 1;
      if (/["\\$`]/.test(next)) value += next;
      else if (next !== '\n') value += `\\${next}`;
    } else if (character === '$') {
      const variable = /^(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/.exec(text.slice(index, index + 256));
      const known = environment.get(variable?.[1] ?? variable?.[2] ?? '');
      if (known === undefined) isKnown = false;
      value += known ?? '';
      index += variable?.[0].length ?? 0;
    } else {
      if (character === '`') isKnown = false;
      value += character;
    }
  }
  return null;
}
