import { createHash } from 'node:crypto';
import { ChangeFailed, Conflict } from '../errors';
import { adaptiveGzip } from './adaptive-gzip';
import type { Command, Host, Output } from './host';

/** A file as it is on a host. */
export interface RemoteFile {
  readonly bytes: Uint8Array;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Permission bits, such as 0o644. */
  readonly mode: number;
  /** `user:group`; numbers where they have no names. */
  readonly owner: string;
}

/** What the plan saw: a write that finds something else is a conflict. */
export type Before =
  | { readonly sha256: string }
  | 'absent'
  /** Whatever is there may go. */
  | 'anything';

export interface FileTarget {
  /** Absolute. A symbolic link is written through, as an editor would. */
  readonly path: string;
  readonly mode: number;
  /** `user:group`. Default: who owns it now, or us. */
  readonly owner?: string;
  readonly before: Before;
}

/** `attributes`: the content was right already, mode or owner were not. */
export type WriteOutcome = 'created' | 'replaced' | 'attributes' | 'unchanged';

export interface PushSource {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly open: () => AsyncIterable<Uint8Array>;
  /** Called while it is sent, with the bytes of the file that are on their way. */
  readonly onProgress?: (sentBytes: number) => void;
}

/**
 * Reads a file whole, in one round trip.
 * @throws ChangeFailed `remote-file-unreadable` no right to read it, or not a regular file
 */
export async function readFile(host: Host, path: string, signal?: AbortSignal): Promise<RemoteFile | 'absent'> {
  const output = await host.run({ argv: ['sh', '-c', readScript, 'netctl-read', path] }, signal);
  const end = output.stdout.indexOf(10);
  const [word = '', mode = '', uid = '', gid = '', user = '', group = ''] = Buffer.from(
    output.stdout.subarray(0, Math.max(end, 0)),
  )
    .toString('utf8')
    .split(' ');
  if (output.code === 0 && word === 'absent') return 'absent';
  if (output.code !== 0 || word !== 'file') {
    throw new ChangeFailed({
      code: 'remote-file-unreadable',
      message: `${host.name}: ${path} cannot be read: ${word === 'kind' ? `it is a ${[mode, uid, gid].join(' ').trim()}` : reasonOf(output)}`,
    });
  }
  const bytes = output.stdout.subarray(end + 1);
  const named = (name: string, number: string) => (name === 'UNKNOWN' ? number : name);
  return {
    bytes,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    mode: Number.parseInt(mode, 8),
    owner: `${named(user, uid)}:${named(group, gid)}`,
  };
}

/**
 * Writes a file whole or not at all, in one round trip: beside the target, flushed, then put in its place. Missing folders are
 * made (0755). What is there must be what the plan saw, or already what is wished.
 * @throws Conflict `remote-file-changed` · ChangeFailed `remote-file-unwritable`, `remote-file-damaged`
 */
export function writeFile(
  host: Host,
  target: FileTarget,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<WriteOutcome> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return put(host, target, sha256, { decoder: 'cat', stdin: bytes }, signal);
}

/**
 * As `writeFile`, for what is large: it is sent while it is read, packed on the way when the way is slow, and takes the
 * target's place only when its sha256 is right.
 */
export function pushFile(
  host: Host,
  target: FileTarget,
  source: PushSource,
  signal?: AbortSignal,
): Promise<WriteOutcome> {
  const slowestBytesPerSecond = 50_000;
  const delivery: Delivery = {
    decoder: 'gzip -dc',
    stdin: () => adaptiveGzip(counted(source)),
    timeoutMs: 60_000 + (source.sizeBytes / slowestBytesPerSecond) * 1000,
  };
  return put(host, target, source.sha256, delivery, signal);
}

/**
 * Removes a file, if it is what the plan saw. One that is gone already is no error.
 * @throws Conflict `remote-file-changed` · ChangeFailed `remote-file-unwritable`
 */
export async function removeFile(
  host: Host,
  path: string,
  before: Exclude<Before, 'absent'>,
  signal?: AbortSignal,
): Promise<'removed' | 'absent'> {
  const argv = [
    'sh',
    '-c',
    removeScript,
    'netctl-remove',
    path,
    before === 'anything' ? before : before.sha256,
  ] as const;
  const output = await host.run({ argv: [...argv] }, signal);
  const [word] = answerOf(host, path, output);
  return word === 'absent' ? 'absent' : 'removed';
}

interface Delivery {
  readonly decoder: 'cat' | 'gzip -dc';
  readonly stdin: NonNullable<Command['stdin']>;
  readonly timeoutMs?: number;
}

async function put(
  host: Host,
  target: FileTarget,
  sha256: string,
  delivery: Delivery,
  signal: AbortSignal | undefined,
): Promise<WriteOutcome> {
  const { path, owner = '', before } = target;
  if (!path.startsWith('/')) throw new Error(`${path} is not absolute`);
  const mode = target.mode.toString(8).padStart(4, '0');
  const expected = typeof before === 'string' ? before : before.sha256;
  const { stdin, timeoutMs, decoder } = delivery;
  const output = await host.run(
    {
      argv: ['sh', '-c', writeScript, 'netctl-write', path, mode, owner, expected, sha256, decoder],
      stdin,
      ...(timeoutMs !== undefined && { timeoutMs }),
    },
    signal,
  );
  const [word] = answerOf(host, path, output);
  return outcomes.find((outcome) => outcome === word) ?? 'replaced';
}

const outcomes: readonly WriteOutcome[] = ['created', 'replaced', 'attributes', 'unchanged'];

async function* counted({ open, onProgress }: PushSource): AsyncGenerator<Uint8Array> {
  let sentBytes = 0;
  for await (const chunk of open()) {
    yield chunk;
    sentBytes += chunk.length;
    onProgress?.(sentBytes);
  }
}

/** The script's last line. @throws what it says */
function answerOf(host: Host, path: string, output: Output): readonly string[] {
  const words = Buffer.from(output.stdout).toString('utf8').trimEnd().split('\n').at(-1)?.split(' ') ?? [];
  if (output.code === 0) return words;
  const [word, ...rest] = words;
  if (word === 'conflict') {
    const [found = ''] = rest;
    throw new Conflict({
      code: 'remote-file-changed',
      message: `${host.name}: ${path} is not what it was when the plan was made: ${found === 'absent' ? 'it is gone' : `somebody changed it (sha256 is now ${found.slice(0, 12)}…)`}`,
      details: ['Nothing was written over it.'],
      next: ['Run the command again: it looks at the file anew.'],
    });
  }
  if (word === 'damaged') {
    throw new ChangeFailed({
      code: 'remote-file-damaged',
      message: `${host.name}: ${path} was not written: what arrived is not what was sent (sha256 differs)`,
      details: [reasonOf(output), 'The file that was there is untouched.'],
      next: ['Run the command again. If the local file changes while it is sent, this comes back.'],
    });
  }
  throw new ChangeFailed({
    code: 'remote-file-unwritable',
    message: `${host.name}: ${path} was not written: ${word === 'failed' ? rest.join(' ') : 'the script broke off'}`,
    details: [...reasonOf(output).split('\n'), 'The file that was there is untouched.'],
  });
}

function reasonOf(output: Output): string {
  const said = Buffer.from(output.stderr).toString('utf8').trim();
  if (said !== '') return said;
  return output.signal === undefined ? `code ${output.code}` : output.signal;
}

const readScript = `
header=$(stat -L -c '%a %u %g %U %G' "$1" 2>&1) || case $header in
  *'No such file'* | *'Not a directory'*) echo absent; exit 0 ;;
  *) echo "$header" >&2; exit 1 ;;
esac
if [ ! -f "$1" ]; then echo "kind $(stat -L -c %F "$1")"; exit 1; fi
echo "file $header"
exec cat "$1"
`;

// Debian and the RHEL family, and busybox where it has the options. Words come as arguments, never into the text.
const writeScript = `
path=$1 mode=$2 owner=$3 before=$4 after=$5 decoder=$6
umask 077
tmp=
say() { echo "$@"; }
fail() { say failed "$@"; exit 1; }
hash() { set -- $(sha256sum <"$1"); echo "$1"; }
look() { if [ -f "$path" ]; then hash "$path"; elif [ -e "$path" ]; then echo other; else echo absent; fi; }
attributes() { stat -c '%a %u:%g %U:%G' "$1"; }
guard() {
  found=$(look)
  [ "$found" = other ] && fail 'something that is not a file is there'
  [ "$before" = anything ] || [ "$found" = "$before" ] || [ "$found" = "$after" ] || { say conflict "$found"; exit 1; }
}
dress() { { [ -z "$owner" ] || chown "$owner" "$1"; } && chmod "$mode" "$1"; }
trap '[ -z "$tmp" ] || rm -f "$tmp"' EXIT
trap 'exit 1' HUP INT TERM PIPE

if [ -L "$path" ]; then path=$(readlink -f "$path") || fail 'its symbolic link leads nowhere'; fi
guard
if [ "$found" = "$after" ]; then
  was=$(attributes "$path")
  dress "$path" || fail 'mode or owner cannot be set'
  [ "$was" = "$(attributes "$path")" ] && say unchanged || say attributes
  exit 0
fi
folder=\${path%/*}/
[ -d "$folder" ] || (umask 022; mkdir -p "$folder") || fail 'its folder cannot be made'
beside=$folder.\${path##*/}.netctl-
for stale in "$beside"??????; do
  # What a power cut left behind; a younger one may be in use.
  [ -f "$stale" ] && [ -n "$(find "$stale" -mmin +60)" ] && rm -f "$stale"
done
tmp=$(mktemp "\${beside}XXXXXX") || fail 'nothing can be written beside it'
$decoder >"$tmp" || { say damaged; exit 1; }
[ "$(hash "$tmp")" = "$after" ] || { say damaged; exit 1; }
[ -n "$owner" ] || [ "$found" = absent ] || owner=$(stat -c %u:%g "$path")
dress "$tmp" || fail 'mode or owner cannot be set'
sync "$tmp" 2>/dev/null || sync
guard
mv -fT "$tmp" "$path" || fail 'it cannot be put in its place'
tmp=
if command -v restorecon >/dev/null 2>&1; then restorecon "$path" 2>/dev/null; fi
sync "$folder" 2>/dev/null || sync
[ "$found" = absent ] && say created || say replaced
`;

const removeScript = `
if [ ! -e "$1" ] && [ ! -L "$1" ]; then echo absent; exit 0; fi
if [ "$2" != anything ]; then
  set -- "$1" "$2" $(sha256sum <"$1")
  [ "$3" = "$2" ] || { echo conflict "$3"; exit 1; }
fi
rm -f "$1" || { echo failed 'it cannot be removed'; exit 1; }
echo removed
`;
