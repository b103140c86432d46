import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand } from './fact';

/** Names in a folder; null when there is no folder. */
export type FolderEntries = ReadonlyMap<string, readonly string[] | null>;

/** A folder with more is nobody's to remove. */
const mostEntries = 200;

/** What lies in these folders: one is taken away only when nothing is left in it. */
export function folderEntries(paths: readonly string[]): Fact<FolderEntries> {
  return {
    name: `folder-entries ${paths.join(' ')}`,
    command: {
      // A name may hold a line end: base64 keeps it in one line.
      ...shellCommand(
        `for p; do
if [ -d "$p" ] && [ ! -L "$p" ]; then
printf folder
for f in "$p"/* "$p"/.*; do
n=\${f##*/}
case $n in .|..) continue ;; esac
[ -e "$f" ] || [ -L "$f" ] || continue
printf ' '; printf %s "$n" | base64 | tr -d '\\n'
done | cut -c 1-${64 * mostEntries}
echo
else echo none
fi
done`,
        ...paths,
      ),
      maxOutputBytes: 64 * 1024 + 64 * mostEntries * paths.length,
    },
    requires: { root: 'part', programs: [['base64']] },
    parse(output) {
      // The shell's pipe ends each list with a line end of its own.
      const lines = answerText(output.stdout)
        .split('\n')
        .filter((line) => line !== '');
      if (lines.length !== paths.length) return whyFailed('sh', output);
      return known(
        new Map(
          paths.map((path, index) => {
            const [word, ...names] = (lines[index] ?? '').split(' ');
            const list = names.map((name) => Buffer.from(name, 'base64').toString('utf8'));
            return [path, word === 'folder' ? list : null];
          }),
        ),
      );
    },
  };
}
