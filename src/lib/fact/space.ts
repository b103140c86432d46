import { countOf } from './address';
import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';

export interface Space {
  /** The folder that was looked at: the path itself, or the nearest above it that is there. */
  readonly folder: string;
  readonly mountPoint: string;
  /** For those who are not root. */
  readonly availableBytes: number;
  readonly sizeBytes: number;
  /** Null where the file system does not count them (btrfs). */
  readonly availableInodes: number | null;
  readonly fileSystem: string | null;
  readonly isReadOnly: boolean | null;
  /** Programs cannot be run from it. */
  readonly isNoexec: boolean | null;
}

const script = `for p; do
while [ ! -d "$p" ]; do
p=\${p%/*}
[ -n "$p" ] || p=/
done
printf '> %s\\n' "$p"
df -P -k -- "$p" | tail -n 1
df -P -i -- "$p" 2>/dev/null | tail -n 1 || echo
done
echo '> mounts'
cat /proc/self/mounts`;

/** @param paths absolute; they need not be there yet */
export function spaces(paths: readonly string[]): Fact<ReadonlyMap<string, Space>> {
  const asked = paths.filter((path) => /^\/[^\n]{0,4000}$/.test(path));
  return {
    name: `spaces ${asked.join(' ')}`,
    // A node with a thousand containers has some thousand mounts.
    command: { ...shellCommand(script, ...asked), maxOutputBytes: 4 * 1024 * 1024 },
    requires: { root: 'none', programs: [] },
    parse(output) {
      const lines = answerText(output.stdout).split('\n');
      const end = lines.indexOf('> mounts');
      if (end !== 3 * asked.length) return whyFailed('df', output);
      const mounts = new Map(
        lines.slice(end + 1).flatMap((line) => {
          const [, point, type, options] = line.split(' ');
          // The last one that was mounted on a folder is the one that counts.
          return point === undefined || type === undefined
            ? []
            : [[unescaped(point), { type, options: (options ?? '').split(',') }]];
        }),
      );
      const found = new Map<string, Space>();
      for (const [index, path] of asked.entries()) {
        const folder = (lines[3 * index] ?? '').slice(2);
        const blocks = dfOf(lines[3 * index + 1]);
        const inodes = dfOf(lines[3 * index + 2]);
        if (blocks === undefined) return unknown(`df did not tell of ${path}`);
        const mount = mounts.get(blocks.mountPoint);
        found.set(path, {
          folder,
          mountPoint: blocks.mountPoint,
          availableBytes: blocks.available * 1024,
          sizeBytes: blocks.size * 1024,
          availableInodes: inodes === undefined || inodes.size === 0 ? null : inodes.available,
          fileSystem: mount !== undefined && /^[\w.-]{1,32}$/.test(mount.type) ? mount.type : null,
          isReadOnly: mount?.options.includes('ro') ?? null,
          isNoexec: mount?.options.includes('noexec') ?? null,
        });
      }
      return known(found);
    },
  };
}

/** `overlay 264212084 29086532 77304380 28% /`: the source may have blanks, so numbers are found by their percent sign. */
function dfOf(
  line: string | undefined,
): { readonly size: number; readonly available: number; readonly mountPoint: string } | undefined {
  const match = /\s(\d+)\s+(?:\d+|-)\s+(-?\d+|-)\s+(?:\d+%|-)\s+(\/.*)$/.exec(line ?? '');
  const size = countOf(match?.[1]);
  // Root's reserve may make it negative.
  const available = match?.[2]?.startsWith('-') === true ? 0 : countOf(match?.[2]);
  return match?.[3] === undefined || size === undefined || available === undefined
    ? undefined
    : { size, available, mountPoint: match[3] };
}

/** The kernel writes blanks, tabs, line ends and backslashes of a path in octal. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
