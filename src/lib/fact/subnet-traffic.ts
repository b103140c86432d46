import { cidrContains, formatCidr, type Ipv4Cidr, lastAddress } from '../net/cidr';
import { parseIpv4 } from '../net/ipv4';
import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';

/** Between the two looks at the table of connections. */
const pauseSeconds = 3;
const mostLines = 2000;

/**
 * The kernel's table of connections twice. It may have hundreds of thousands of lines, so awk keeps those with an address
 * in one of the ranges, written as FIRST-LAST in numbers (no awk has bit operations for certain).
 */
const script = `p=$1 n=$2 r=$3
t=/proc/net/nf_conntrack
if [ ! -r "$t" ]; then
if [ -e "$t" ]; then echo 'not readable without root' >&2; exit 3; fi
command -v conntrack >/dev/null || { echo 'the kernel shows no table of connections' >&2; exit 3; }
t=
fi
look() {
if [ -n "$t" ]; then cat "$t"; else conntrack -L -f ipv4 -o extended 2>/dev/null; fi | awk -v r="$r" -v n="$n" 'BEGIN { c = split(r, a, ","); for (i = 1; i <= c; i++) { split(a[i], b, "-"); lo[i] = b[1] + 0; hi[i] = b[2] + 0 } }
/^ipv4 / { hit = 0
for (f = 5; f <= NF && !hit; f++) if ($f ~ /^src=/) { split(substr($f, 5), o, "."); v = ((o[1] * 256 + o[2]) * 256 + o[3]) * 256 + o[4]; for (i = 1; i <= c; i++) if (v >= lo[i] && v <= hi[i]) hit = 1 }
if (hit && k++ < n) print }'
}
look || exit 3
echo --
sleep "$p"
look || exit 3
echo .`;

/**
 * Do packets come from these ranges? By what the kernel remembers of connections, at two moments: from a range packets come when
 * its side of a connection has counted more of them, or, where the kernel does not count, when a connection that was answered
 * was heard of anew, from whichever side: then it may be moving too much, never too little. What goes only to a range does not count: one also talks to the dead.
 *
 * @returns the ranges as text, each with whether something moved; unknown where the node keeps no such table
 */
export function subnetTraffic(ranges: readonly Ipv4Cidr[]): Fact<ReadonlyMap<string, boolean>> {
  const numbers = ranges.map((range) => `${range.base}-${lastAddress(range)}`).join(',');
  return {
    name: `subnet-traffic ${ranges.map(formatCidr).join(' ')}`,
    command: {
      ...shellCommand(script, String(pauseSeconds), String(mostLines), numbers),
      timeoutMs: 15_000,
      maxOutputBytes: 2 * mostLines * 400,
    },
    requires: { root: 'all', programs: [['awk']] },
    parse(output) {
      if (output.code !== 0) return whyFailed('conntrack', output);
      const lines = answerText(output.stdout).split('\n');
      const middle = lines.indexOf('--');
      if (middle < 0 || lines.at(-2) !== '.') return unknown('the table of connections came cut off');
      const before = flowsOf(lines.slice(0, middle));
      const after = flowsOf(lines.slice(middle + 1, -2));
      return known(
        new Map(
          ranges.map((range) => [
            formatCidr(range),
            [...after].some(([name, flow]) => isMoving(range, flow, before.get(name))),
          ]),
        ),
      );
    },
  };
}

interface Side {
  readonly source: number;
  /** Null where the kernel does not count. */
  readonly packets: number | null;
}

interface Flow {
  readonly timeoutSeconds: number;
  readonly isAnswered: boolean;
  readonly sides: readonly Side[];
}

/** By what a connection is told apart: protocol, addresses and ports. */
function flowsOf(lines: readonly string[]): ReadonlyMap<string, Flow> {
  const flows = new Map<string, Flow>();
  for (const line of lines) {
    const head = /^ipv4 +2 +(\w{1,16}) +\d{1,3} +(\d{1,10}) /.exec(line);
    if (head === null) continue;
    const names: string[] = [head[1] ?? ''];
    const sides: { source: number; packets: number | null }[] = [];
    for (const word of line.split(' ')) {
      const [name = '', value = ''] = word.split('=', 2);
      if (name === 'src') {
        const source = parseIpv4(value);
        if (source !== undefined) sides.push({ source, packets: null });
      }
      const side = sides.at(-1);
      if (name === 'packets' && side !== undefined && /^\d{1,15}$/.test(value)) side.packets = Number(value);
      if (['src', 'dst', 'sport', 'dport', 'id', 'type', 'code'].includes(name)) names.push(word);
    }
    flows.set(names.join(' '), {
      timeoutSeconds: Number(head[2]),
      isAnswered: !line.includes('[UNREPLIED]'),
      sides,
    });
  }
  return flows;
}

function isMoving(range: Ipv4Cidr, now: Flow, before: Flow | undefined): boolean {
  return now.sides.some((side, index) => {
    if (!cidrContains(range, side.source)) return false;
    // The first side is who began. An answer that never came says nothing of the other one.
    if (index > 0 && !now.isAnswered) return false;
    if (side.packets !== null) return side.packets > (before?.sides[index]?.packets ?? 0);
    if (before === undefined) return true;
    // It counts down by itself; whoever sends sets it up again, on either side of a connection that was answered.
    return now.timeoutSeconds > before.timeoutSeconds - pauseSeconds + 1;
  });
}
