import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';

export interface UnitFile {
  readonly path: string;
  /** `''` for a masked unit. */
  readonly text: string;
}

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
f=$(printf '%s\\n' "$u" | sed -n 's/^FragmentPath=//p')
d=$(printf '%s\\n' "$u" | sed -n 's/^DropInPaths=//p')
set -f
for p in $f $d; do
[ -r "$p" ] || exit 44
printf '%s' "$p" | b
head -c 65537 -- "$p" | b
done`,
        name,
      ),
      maxOutputBytes: 1024 * 1024,
    },
    requires: { root: 'none', programs: [['systemctl'], ['base64']] },
    parse(output) {
      const lines = answerText(output.stdout).split('\n');
      lines.pop();
      if (output.code === 44) return unknown(`a file of ${name} cannot be read, or its path has a blank`);
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
