import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { InvalidInput } from '../errors';
import { matchesGlob } from './known-hosts';

/** Keywords in lower case with their values, as `ssh -G` prints them; the first value stands first. */
export type SshSettings = ReadonlyMap<string, readonly string[]>;

/** Keywords that add up; of all others the first value holds. */
const listed = new Set(['identityfile', 'certificatefile']);
const deepestInclude = 16;

/**
 * What `~/.ssh/config` and the system's file say of a host, for machines without OpenSSH. Follows Include. Of Match only `all` is
 * understood; other Match blocks are passed over, and `Match exec` never runs anything.
 * @throws InvalidInput `ssh-config-invalid`
 */
export async function readSshConfig(host: string, files: readonly string[], home: string): Promise<SshSettings> {
  const settings = new Map<string, string[]>();
  for (const file of files) await readInto(settings, host, file, { home, depth: 0, isOn: true });
  return settings;
}

interface Place {
  readonly home: string;
  readonly depth: number;
  /** Whether the block that includes the file is about the host. */
  readonly isOn: boolean;
}

async function readInto(settings: Map<string, string[]>, host: string, file: string, place: Place): Promise<void> {
  if (place.depth > deepestInclude) throw invalid(file, 1, 'Include goes round in a circle');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return '';
    throw invalid(file, 1, error instanceof Error ? error.message : String(error));
  });
  let isOn = place.isOn;
  for (const [index, content] of text.split('\n').entries()) {
    const line = content.trim();
    if (line === '' || line.startsWith('#')) continue;
    const [, word, rest] = /^([A-Za-z]+)(?:\s*=\s*|\s+)(.*)$/.exec(line) ?? [];
    if (word === undefined || rest === undefined)
      throw invalid(file, index + 1, `${JSON.stringify(line)} has no value`);
    const keyword = word.toLowerCase();
    const values = wordsOf(rest);
    if (values === undefined) throw invalid(file, index + 1, 'a quote is not closed');
    if (keyword === 'host') {
      isOn = place.isOn && isAboutHost(values, host);
    } else if (keyword === 'match') {
      isOn = place.isOn && values.length === 1 && values[0]?.toLowerCase() === 'all';
    } else if (keyword === 'include') {
      if (!isOn) continue;
      for (const each of await includedFiles(values, place.home)) {
        await readInto(settings, host, each, { ...place, depth: place.depth + 1, isOn });
      }
    } else if (isOn) {
      const before = settings.get(keyword);
      // A command is a text of its own, quotes and all.
      const value = keyword === 'proxycommand' ? [rest] : values;
      if (before === undefined) settings.set(keyword, [...value]);
      else if (listed.has(keyword)) before.push(...value);
    }
  }
}

function isAboutHost(patterns: readonly string[], host: string): boolean {
  const matches = (pattern: string) => matchesGlob(pattern, host);
  return (
    patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern)) &&
    !patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1)))
  );
}

/** Words with blanks between them; double quotes keep blanks. Undefined when one is not closed. */
function wordsOf(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let rest = text.trim();
  while (rest !== '' && !rest.startsWith('#')) {
    const [whole, quoted, plain] = /^(?:"([^"]*)"|([^\s"]+))\s*/.exec(rest) ?? [];
    if (whole === undefined) return undefined;
    words.push(quoted ?? plain ?? '');
    rest = rest.slice(whole.length);
  }
  return words;
}

async function includedFiles(patterns: readonly string[], home: string): Promise<readonly string[]> {
  const found = await Promise.all(
    patterns.map(async (pattern) => {
      const expanded = pattern.startsWith('~/') ? join(home, pattern.slice(2)) : pattern;
      const full = isAbsolute(expanded) ? expanded : join(home, '.ssh', expanded);
      if (!/[*?]/.test(full)) return [full];
      const names = await readdir(dirname(full)).catch(() => []);
      // As a shell's glob does: in order, and no hidden files.
      const matching = names.filter((name) => !name.startsWith('.') && matchesGlob(basename(full), name)).sort();
      return matching.map((name) => join(dirname(full), name));
    }),
  );
  return found.flat();
}

function invalid(file: string, line: number, reason: string): InvalidInput {
  return new InvalidInput({ code: 'ssh-config-invalid', message: `${file}:${line}: ${reason}` });
}
