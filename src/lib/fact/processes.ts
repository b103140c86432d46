import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';

export interface Process {
  readonly pid: number;
  readonly uid: number;
  /** The program's file; null when we may not see it. ` (deleted)` behind it is cut off, see `isReplaced`. */
  readonly program: string | null;
  /** The file was replaced or removed since the process began. */
  readonly isReplaced: boolean;
  /** Its command line. What looks like a password or stands in a URL before `@` reads `<redacted>`. */
  readonly words: readonly string[];
  /** The variables that were asked for; null when we may not see them. Redacted likewise. */
  readonly environment: ReadonlyMap<string, string> | null;
  /** Seconds since the epoch, by the node's clock. */
  readonly startedAtSeconds: number | null;
  /** False for a process in a container: its paths mean other files. */
  readonly isInHostsNamespace: boolean | null;
}

/**
 * Secrets are taken out on the node, so that they are in no recording either. A value may stand in the word of its flag, in the
 * next word, and in a URL.
 */
const script = `r() { tr '\\n\\000' '\\001\\n' | sed -e 's#//[^/@]*@#//<redacted>@#g' -e 's/^\\([^=]*\\([Pp][Aa][Ss][Ss][Ww]\\|[Ss][Ee][Cc][Rr][Ee][Tt]\\|[Tt][Oo][Kk][Ee][Nn]\\)[^=]*\\)=..*/\\1=<redacted>/' -e '/^--*[^= ]*\\(passw\\|secret\\|token\\)[^=]*$/{n;s/.*/<redacted>/;}'; }
w=$1 v=$2
b=0
while read -r k x; do [ "$k" = btime ] && b=$x; done </proc/stat
self=$(readlink /proc/1/ns/mnt 2>/dev/null)
for c in /proc/[0-9]*/comm; do
read -r n <"$c" 2>/dev/null || continue
[ "$n" = "$w" ] || continue
p=\${c%/comm}
u=
while read -r k x y; do [ "$k" = Uid: ] && u=$x && break; done <"$p/status"
s=$(cat "$p/stat") || continue
s=\${s##*) }
set -- $s
m=$(readlink "$p/ns/mnt" 2>/dev/null)
if [ -z "$m" ] || [ -z "$self" ]; then h=?; elif [ "$m" = "$self" ]; then h=1; else h=0; fi
echo "P \${p#/proc/} $u $((b+\${20}/100)) $h"
e=$(readlink "$p/exe" 2>/dev/null) && printf 'X%s\\n' "$e"
r <"$p/cmdline" | sed 's/^/W/'
if [ -r "$p/environ" ]; then echo E; r <"$p/environ" | grep -E "^($v)" | sed 's/^/V/'; fi
done
echo .`;

/** A program run with one of these prints something and ends: our own survey does that at the same moment. */
const asksOnly: ReadonlySet<string> = new Set(['--version', '-version', '--help', '-help', '--validate']);

/**
 * Processes whose name (`/proc/PID/comm`) is this one, and that stay.
 * @param variables beginnings of names of variables to ask for, `FLANNELD_`
 */
export function processesNamed(name: string, variables: readonly string[] = []): Fact<readonly Process[]> {
  const pattern =
    variables.length === 0 ? '=' : variables.map((word) => word.replaceAll(/[^A-Za-z0-9_]/g, '')).join('|');
  return {
    name: `processes ${name}`,
    command: { ...shellCommand(script, name.slice(0, 15), pattern), maxOutputBytes: 512 * 1024 },
    requires: { root: 'part', programs: [] },
    parse(output) {
      const lines = answerText(output.stdout).split('\n');
      if (lines.at(-2) !== '.') return whyFailed('sh', output);
      const found: Mutable[] = [];
      for (const line of lines.slice(0, -2)) {
        const head = /^P (\d{1,10}) (\d{1,10}) (\d{1,12}) ([01?])$/.exec(line);
        const last = found.at(-1);
        if (head !== null) {
          const [, pid, uid, started, namespace] = head;
          found.push({
            pid: Number(pid),
            uid: Number(uid),
            program: null,
            isReplaced: false,
            words: [],
            environment: null,
            startedAtSeconds: Number(started),
            isInHostsNamespace: namespace === '?' ? null : namespace === '1',
          });
        } else if (last === undefined) return unknown('what the node tells of its processes cannot be read');
        else if (line.startsWith('X')) {
          last.isReplaced = line.endsWith(' (deleted)');
          last.program = line.slice(1).replace(/ \(deleted\)$/, '');
        } else if (line.startsWith('W')) last.words.push(line.slice(1).replaceAll('\u0001', '\n'));
        else if (line === 'E') last.environment = new Map();
        else if (line.startsWith('V')) {
          const equals = line.indexOf('=');
          if (equals > 0)
            last.environment?.set(line.slice(1, equals), line.slice(equals + 1).replaceAll('\u0001', '\n'));
        }
      }
      // One without words is ending: a zombie, such as the `--version` of our own survey, would pass for a daemon just started.
      return known(found.filter(({ words }) => words.length > 0 && !words.slice(1).some((word) => asksOnly.has(word))));
    },
  };
}

interface Mutable extends Omit<Process, 'program' | 'isReplaced' | 'words' | 'environment'> {
  program: string | null;
  isReplaced: boolean;
  readonly words: string[];
  environment: Map<string, string> | null;
}
