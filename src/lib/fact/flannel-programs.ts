import { compareFlannel, type FlannelVersion, oldestFlannel } from '../net/flannel-version';
import { answerLines } from './answer-text';
import { type Fact, known, shellCommand } from './fact';

export interface FlannelProgram {
  readonly path: string;
  /** Null when it is there and does not tell its release, or may not be asked: see `why`. */
  readonly version: FlannelVersion | null;
  readonly why: string | null;
}

/**
 * Asks a program its release, but only one that nobody but root could have put there: netctl looks as root, and a file that
 * a user may write would then run as root. The group `staff` is Debian's for /usr/local and may be root anyway.
 */
const script = `for p; do
f=$(readlink -f -- "$p") || continue
[ -f "$f" ] && [ -x "$f" ] || continue
q=$f
while :; do
set -- $(stat -c '%u %G %a' -- "$q")
case "$1 $2 $3" in
"0 "*" "1777) ;;
"0 "*[2367]) echo "$p unsafe"; continue 2 ;;
"0 root "* | "0 staff "*) ;;
"0 "*[2367]?) echo "$p unsafe"; continue 2 ;;
"0 "*) ;;
*) echo "$p unsafe"; continue 2 ;;
esac
[ "$q" = / ] && break
q=\${q%/*}
[ -n "$q" ] || q=/
done
v=$("$f" --version 2>&1 </dev/null | head -c 200 | head -n 1)
printf '%s = %s\\n' "$p" "$v"
done`;

/** @param paths where flanneld may lie, such as /opt/flannel/flanneld and /usr/bin/flanneld, and where a unit or process has it */
export function flannelPrograms(paths: readonly string[]): Fact<readonly FlannelProgram[]> {
  const asked = [...new Set(paths)].filter((path) => /^\/[^\s]{1,1000}$/.test(path));
  return {
    name: `flannel-programs ${asked.join(' ')}`,
    command: shellCommand(script, ...asked),
    requires: { root: 'none', programs: [] },
    parse(output) {
      return known(
        answerLines(output.stdout).flatMap((line) => {
          const [path = '', mark, ...rest] = line.split(' ');
          if (!asked.includes(path)) return [];
          if (mark === 'unsafe') {
            return [
              { path, version: null, why: 'others than root may write it, so it was not run to tell its release' },
            ];
          }
          const said = rest.join(' ').trim();
          const version = flannelVersionOf(said);
          return [
            {
              path,
              version: version ?? null,
              why: version === undefined ? `it says ${JSON.stringify(said.slice(0, 60))}` : null,
            },
          ];
        }),
      );
    },
  };
}

/** flanneld prints its tag alone, `v0.22.3`; one that was built by hand says `0.11.0+git`, or nothing that we know. */
function flannelVersionOf(text: string): FlannelVersion | undefined {
  const match = /^v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})([-+][0-9A-Za-z.+-]{1,64})?$/.exec(text);
  if (match === null) return undefined;
  const [, major, minor, patch, suffix] = match;
  const version: FlannelVersion = {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
    tag: `v${Number(major)}.${Number(minor)}.${Number(patch)}${suffix ?? ''}`,
  };
  return compareFlannel(version, oldestFlannel) < 0 ? undefined : version;
}
