import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';

export interface UnitFile {
  readonly path: string;
  /** `''` for a masked unit. */
  readonly text: string;
}

/**
 * Paths as `systemctl show` prints a list of them, one a line. With a blank in it a path stands in double quotes (systemd from 243 on,
 * shell_maybe_quote in bus-print-properties.c), with `\x20` for it (before 230), or is not told at all: `[unprintable]`.
 */
const onePathALine = `{ w = ""; q = 0; n = length($0)
for (i = 1; i <= n; i++) { c = substr($0, i, 1)
if (c == "\\"") q = !q
else if (c == "\\\\" && !q && substr($0, i + 1, 3) ~ /^x[0-9a-f][0-9a-f]/) {
w = w sprintf("%c", 16 * (index(h, substr($0, i + 2, 1)) - 1) + index(h, substr($0, i + 3, 1)) - 1); i += 3 }
else if (c == "\\\\") w = w substr($0, ++i, 1)
else if (c == " " && !q) { if (w != "") print w; w = "" }
else w = w c }
if (w != "") print w }`;

/**
 * The files of a unit, in the order in which systemd applies them: its own, then its drop-ins. No file: there is no such unit.
 *
 * Not `systemctl cat`: there a comment in a file could pass for the head of the next.
 */
export function unitFiles(name: string): Fact<readonly UnitFile[]> {
  return {
    name: `unit-files ${name}`,
    command: {
      ...shellCommand(
        `b() { base64 | tr -d '\\n'; echo; }
u=$(systemctl show --no-pager -p FragmentPath -p DropInPaths -- "$1") || exit
d=$(printf '%s\\n' "$u" | sed -n 's/^DropInPaths=//p' | LC_ALL=C awk -v h=0123456789abcdef "$2") || exit
{ printf '%s\\n' "$u" | sed -n 's/^FragmentPath=//p'; printf '%s\\n' "$d"; } | while IFS= read -r p; do
[ -n "$p" ] || continue
[ "$p" != '[unprintable]' ] || exit 45
[ -r "$p" ] || exit 44
printf '%s' "$p" | b
head -c 65537 -- "$p" | b
done`,
        name,
        onePathALine,
      ),
      maxOutputBytes: 1024 * 1024,
    },
    requires: { root: 'none', programs: [['systemctl'], ['base64'], ['awk']] },
    parse(output) {
      const lines = answerText(output.stdout).split('\n');
      lines.pop();
      if (output.code === 44) return unknown(`a file of ${name} cannot be read`);
      if (output.code === 45)
        return unknown(`systemd does not tell the path of a drop-in of ${name}: there is a blank in it`);
      if (output.code !== 0) return whyFailed('systemctl', output);
      const files: UnitFile[] = [];
      for (let at = 0; at < lines.length; at += 2) {
        const path = textOf(lines[at]);
        const text = textOf(lines[at + 1]);
        if (path === undefined || text === undefined || !path.startsWith('/'))
          return unknown(`the files of ${name} could not be read`);
        if (text.length > 65_536) return unknown(`${path} is longer than 65536 bytes`);
        files.push({ path, text });
      }
      return known(files);
    },
  };
}

function textOf(base64: string | undefined): string | undefined {
  if (base64 === undefined || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) return undefined;
  return answerText(Buffer.from(base64, 'base64'));
}
