import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';

/** Something in the folder of a release, such as `flanneld` or `cert/ca.pem`. */
export interface ReleaseEntry {
  /** Absolute. */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  readonly mode: number;
  /** Hex; null for what is no file, or could not be read. */
  readonly sha256: string | null;
  /** netctl's comment stands in its beginning. */
  readonly isMarked: boolean;
}

/** `/opt/flannel-v0.28.9`, where netctl unpacks a release. */
export interface ReleaseFolder {
  readonly path: string;
  /** `v0.28.9` */
  readonly tag: string;
  /** All that lies in it and below. */
  readonly entries: readonly ReleaseEntry[];
}

/** netctl puts some ten files into one; with more it is no longer ours to judge. */
const mostEntries = 100;

const script = `b() { base64 | tr -d '\\n'; }
for d in "$1"-v[0-9]*; do
[ -d "$d" ] && [ ! -L "$d" ] || continue
printf 'R '; printf %s "$d" | b; echo
find "$d" -mindepth 1 -exec sh -c '
b() { base64 | tr -d "\\n"; }
for p; do
s=- m=0
if [ -L "$p" ]; then k=link
elif [ -d "$p" ]; then k=folder
elif [ -f "$p" ]; then
k=file s=$(sha256sum <"$p") && s=\${s%% *} || s=-
head -c 4096 -- "$p" | head -n 3 | LC_ALL=C grep -aq "^[#;] Written by netctl," && m=1
else k=other
fi
printf "E %s %s %s %s " "$k" "$(stat -c %f -- "$p")" "$s" "$m"; printf %s "$p" | b; echo
done' sh {} + | head -n ${mostEntries + 1}
done
echo .`;

/** @param installDir `/opt/flannel`; its releases lie beside it */
export function flannelReleases(installDir: string): Fact<readonly ReleaseFolder[]> {
  return {
    name: `flannel-releases ${installDir}`,
    command: { ...shellCommand(script, installDir), maxOutputBytes: 512 * 1024, timeoutMs: 15_000 },
    requires: { root: 'part', programs: [['base64'], ['sha256sum'], ['find']] },
    parse(output) {
      const lines = answerText(output.stdout).split('\n');
      if (lines.at(-2) !== '.') return whyFailed('sh', output);
      const found: { path: string; tag: string; entries: ReleaseEntry[] }[] = [];
      for (const line of lines.slice(0, -2)) {
        const folder = /^R ([A-Za-z0-9+/=]{1,8192})$/.exec(line)?.[1];
        if (folder !== undefined) {
          const path = textOf(folder);
          const tag = path.slice(installDir.length + 1);
          if (path.startsWith(`${installDir}-v`)) found.push({ path, tag, entries: [] });
          continue;
        }
        const match =
          /^E (file|folder|link|other) ([0-9a-f]{1,8}) (-|[0-9a-f]{64}) ([01]) ([A-Za-z0-9+/=]{1,8192})$/.exec(line);
        const last = found.at(-1);
        if (match === null || last === undefined) return unknown('what the node tells of its releases cannot be read');
        const [, word, mode = '', sha256 = '-', marked, path = ''] = match;
        last.entries.push({
          path: textOf(path),
          kind: word === 'file' || word === 'folder' || word === 'link' ? word : 'other',
          mode: Number.parseInt(mode, 16) & 0o7777,
          sha256: sha256 === '-' ? null : sha256,
          isMarked: marked === '1',
        });
      }
      const full = found.find(({ entries }) => entries.length > mostEntries);
      if (full !== undefined) return unknown(`${full.path} holds more than ${mostEntries} things`);
      return known(found);
    },
  };
}

function textOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
