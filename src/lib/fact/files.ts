import { answerText, whyFailed } from './answer-text';
import { type Fact, type Known, known, type Requires, shellCommand, unknown } from './fact';

export interface FileState {
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  /** Permission bits, such as 0o644. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Seconds since the epoch, by the node's clock. */
  readonly modifiedAtSeconds: number;
  /** Where a link points; null for what is no link. */
  readonly target: string | null;
  /** What a link leads to in the end; null when it leads nowhere. Absent for what is no link. */
  readonly through?: { readonly kind: FileState['kind']; readonly mode: number } | null;
}

/** `absent` is certain: a file that we may not look at is unknown. */
export type FileFact<T extends object = object> = Known<
  ({ readonly present: true } & FileState & T) | { readonly present: false }
>;

/**
 * One line a file: `kind mode uid gid size mtime`, then blanks and base64, so that no name and no content can pass for a line.
 * Behind a link's target stands the mode of what it leads to, after a comma.
 * Links are shown as links; what is asked of their content is that of the file behind them.
 */
const looking = `b() { base64 | tr -d '\\n'; }
look() {
if [ -L "$1" ]; then t=$(readlink "$1" | b),$(stat -L -c %f -- "$1" 2>/dev/null || echo -); else t=-; fi
if s=$(stat -c '%f %u %g %s %Y' -- "$1" 2>/dev/null); then printf '%s %s ' "$s" "$t"
else
d=$1
while :; do
d=\${d%/*}
[ -n "$d" ] || d=/
[ -d "$d" ] && break
[ "$d" = / ] && break
done
if [ -d "$d" ] && [ -x "$d" ]; then printf 'absent\\n'; else printf 'hidden\\n'; fi
return 1
fi
}`;

const readable: Requires = { root: 'part', programs: [['base64']] };

export interface FileContent {
  /** Null for a folder. */
  readonly bytes: Uint8Array | null;
}

/**
 * Files with their bytes, by path.
 * @param maxBytes of each; a longer one is unknown
 */
export function fileContents(
  paths: readonly string[],
  maxBytes = 64 * 1024,
): Fact<ReadonlyMap<string, FileFact<FileContent>>> {
  return {
    name: `file-contents ${paths.join(' ')}`,
    command: {
      ...shellCommand(
        `${looking}
n=$1; shift
for p; do
look "$p" || continue
if [ -f "$p" ]; then
if [ -r "$p" ]; then printf '='; head -c "$n" -- "$p" | b; else printf 'hidden'; fi
else printf -- '-'; fi
echo
done`,
        String(maxBytes + 1),
        ...paths,
      ),
      maxOutputBytes: paths.length * (Math.ceil((maxBytes + 1) / 3) * 4 + 8192) + 1024,
    },
    requires: readable,
    parse(output) {
      return filesOf(output, paths, (field): Known<FileContent> => {
        if (field === '-') return known({ bytes: null });
        const bytes = field.startsWith('=') ? bytesOf(field.slice(1)) : undefined;
        if (bytes === undefined) return unknown('we may not read it');
        return bytes.length > maxBytes ? unknown(`it is longer than ${maxBytes} bytes`) : known({ bytes });
      });
    },
  };
}

export interface FileSum {
  /** SHA-256 in lower-case hexadecimal; null for what is no file. */
  readonly sha256: string | null;
}

/** Files with the SHA-256 of their bytes, by path. */
export function fileSums(paths: readonly string[]): Fact<ReadonlyMap<string, FileFact<FileSum>>> {
  return {
    name: `file-sums ${paths.join(' ')}`,
    command: {
      ...shellCommand(
        `${looking}
for p; do
look "$p" || continue
if [ -f "$p" ]; then s=$(sha256sum <"$p") && printf '%s' "\${s%% *}" || printf 'hidden'
else printf -- '-'; fi
echo
done`,
        ...paths,
      ),
      maxOutputBytes: 8192 * paths.length + 1024,
      timeoutMs: 10_000,
    },
    requires: { root: 'part', programs: [['sha256sum'], ['base64']] },
    parse(output) {
      return filesOf(output, paths, (field): Known<FileSum> => {
        if (field === '-') return known({ sha256: null });
        return /^[0-9a-f]{64}$/.test(field) ? known({ sha256: field }) : unknown('we may not read it');
      });
    },
  };
}

const kinds: Readonly<Record<number, FileState['kind']>> = { 8: 'file', 4: 'folder', 10: 'link' };

function filesOf<T extends object>(
  output: { readonly code: number | null; readonly stdout: Uint8Array; readonly stderr: Uint8Array },
  paths: readonly string[],
  more: (field: string) => Known<T>,
): Known<ReadonlyMap<string, FileFact<T>>> {
  const lines = answerText(output.stdout).split('\n');
  if (lines.length !== paths.length + 1) {
    return output.code === 0
      ? unknown(`the node told of ${lines.length - 1} files, not of ${paths.length}`)
      : whyFailed('sh', output);
  }
  const found = new Map<string, FileFact<T>>();
  for (const [index, path] of paths.entries()) found.set(path, fileOf(lines[index] ?? '', more));
  return known(found);
}

function fileOf<T extends object>(line: string, more: (field: string) => Known<T>): FileFact<T> {
  if (line === 'absent') return known({ present: false });
  const match = /^([0-9a-f]{1,8}) (\d{1,10}) (\d{1,10}) (\d{1,16}) (-?\d{1,16}) (\S+) (\S*)$/.exec(line);
  if (match === null) return unknown('we may not look at it');
  const [, raw = '', uid, gid, size, modified, target = '-', field = ''] = match;
  const rest = more(field);
  if (!rest.known) return rest;
  const mode = Number.parseInt(raw, 16);
  const [link = '-', through] = target.split(',');
  const targetBytes = link === '-' ? undefined : bytesOf(link);
  return known({
    present: true,
    kind: kinds[mode >> 12] ?? 'other',
    mode: mode & 0o7777,
    uid: Number(uid),
    gid: Number(gid),
    sizeBytes: Number(size),
    modifiedAtSeconds: Number(modified),
    target: targetBytes === undefined ? null : answerText(targetBytes).replace(/\n$/, ''),
    ...(through === undefined ? {} : { through: throughOf(through) }),
    ...rest.value,
  });
}

function throughOf(raw: string): NonNullable<FileState['through']> | null {
  if (!/^[0-9a-f]{1,8}$/.test(raw)) return null;
  const mode = Number.parseInt(raw, 16);
  return { kind: kinds[mode >> 12] ?? 'other', mode: mode & 0o7777 };
}

function bytesOf(base64: string): Uint8Array | undefined {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(base64) ? Buffer.from(base64, 'base64') : undefined;
}
