/**
 * A file of `NAME=value` lines as `/bin/sh` would take it with `.`: quotes, comments, `export`, several on a line.
 *
 * No shell runs here. What only a shell could tell (an expansion, a command) ends the reading, so that nobody guesses.
 */
export type ShellReading =
  | { readonly ok: true; readonly assignments: readonly ShellAssignment[] }
  | {
      readonly ok: false;
      /** What stands before the place where a shell is needed. */
      readonly assignments: readonly ShellAssignment[];
      /** Counted from 1. */
      readonly line: number;
      /** What stands there, such as `a command substitution`. */
      readonly what: string;
    };

export interface ShellAssignment {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

/** What a variable of a shell may be called. */
export function isShellName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}

class NeedsShell extends Error {
  readonly what: string;
  constructor(what: string) {
    super(what);
    this.what = what;
  }
}

export function readShellAssignments(text: string): ShellReading {
  const assignments: ShellAssignment[] = [];
  const reader = new Reader(text);
  try {
    for (let command = reader.command(); command !== undefined; command = reader.command()) {
      const [first, ...rest] = command.words;
      const words = first?.raw === 'export' ? rest : command.words;
      for (const word of words) {
        const equals = word.raw.indexOf('=');
        const name = word.raw.slice(0, Math.max(equals, 0));
        if (equals < 0 || !isShellName(name)) {
          if (first?.raw === 'export' && isShellName(word.raw)) continue;
          throw new NeedsShell(`${JSON.stringify(word.raw.slice(0, 60))}, which is no assignment`);
        }
        // The name is never quoted, so raw text and value agree up to the equals sign.
        const value = word.value.slice(equals + 1);
        if (/(^|:)~/.test(word.raw.slice(equals + 1))) throw new NeedsShell('a tilde');
        // dash splits and globs the words of `export`, bash does not.
        if (first?.raw === 'export' && /[\s*?[]/.test(value)) throw new NeedsShell('export with blanks or wildcards');
        assignments.push({ name, value, line: command.line });
      }
    }
    return { ok: true, assignments };
  } catch (error) {
    if (error instanceof NeedsShell) return { ok: false, assignments, line: reader.line, what: error.what };
    throw error;
  }
}

interface Word {
  /** As written, with its quotes. */
  readonly raw: string;
  readonly value: string;
}

class Reader {
  line = 1;
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The words up to a line's end or a `;`; `undefined` at the end of the text. */
  command(): { readonly words: readonly Word[]; readonly line: number } | undefined {
    const words: Word[] = [];
    let line = this.line;
    for (;;) {
      const character = this.text[this.at];
      if (character === undefined) return words.length === 0 ? undefined : { words, line };
      if (character === ' ' || character === '\t') this.at += 1;
      else if (character === '\\' && this.text[this.at + 1] === '\n') this.newline(2);
      else if (character === '\n' || character === ';') {
        if (character === '\n') this.newline(1);
        else if (words.length === 0) throw new NeedsShell('a ";" without a command');
        else this.at += 1;
        if (words.length > 0) return { words, line };
        line = this.line;
      } else if (character === '#') {
        while (this.at < this.text.length && this.text[this.at] !== '\n') this.at += 1;
      } else {
        if (words.length === 0) line = this.line;
        words.push(this.word());
      }
    }
  }

  private newline(length: number): void {
    this.at += length;
    this.line += 1;
  }

  private word(): Word {
    const start = this.at;
    let value = '';
    for (;;) {
      const character = this.text[this.at];
      if (character === undefined || /[ \t\n;]/.test(character)) break;
      if (character === "'") value += this.singleQuoted();
      else if (character === '"') value += this.doubleQuoted();
      else if (character === '\\') value += this.escaped();
      else if (/[$`&|<>(){}\0]/.test(character)) throw new NeedsShell(named(character));
      else {
        value += character;
        this.at += 1;
      }
    }
    return { raw: this.text.slice(start, this.at), value };
  }

  private escaped(): string {
    const next = this.text[this.at + 1];
    if (next === undefined) throw new NeedsShell('a backslash at the end');
    if (next === '\n') {
      this.newline(2);
      return '';
    }
    this.at += 2;
    return next;
  }

  private singleQuoted(): string {
    const end = this.text.indexOf("'", this.at + 1);
    if (end < 0) throw new NeedsShell('a quote that does not end');
    const inside = this.text.slice(this.at + 1, end);
    this.line += inside.split('\n').length - 1;
    this.at = end + 1;
    return inside;
  }

  private doubleQuoted(): string {
    let value = '';
    this.at += 1;
    for (;;) {
      const character = this.text[this.at];
      if (character === undefined) throw new NeedsShell('a quote that does not end');
      if (character === '"') {
        this.at += 1;
        return value;
      }
      if (character === '$' || character === '`') throw new NeedsShell(named(character));
      if (character === '\\' && /[$`"\\\n]/.test(this.text[this.at + 1] ?? '')) {
        value += this.escaped();
        continue;
      }
      if (character === '\n') this.line += 1;
      value += character;
      this.at += 1;
    }
  }
}

function named(character: string): string {
  if (character === '$') return 'an expansion ($)';
  if (character === '`') return 'a command substitution (`)';
  return character === '\0' ? 'a NUL byte' : `a ${JSON.stringify(character)}`;
}
