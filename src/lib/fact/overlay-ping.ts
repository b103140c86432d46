import { parseIpv4 } from '../net/ipv4';
import { answerText, whyFailed } from './answer-text';
import { type Fact, type Known, known, shellCommand, unknown } from './fact';

export type PingAnswer =
  | {
      readonly isReached: true;
      /** There and back; null when ping did not say. */
      readonly milliseconds: number | null;
    }
  | { readonly isReached: false; readonly why: string };

export interface OverlayPingOptions {
  /** The node's own address to send from, `172.7.21.1`; null leaves it to the kernel. */
  readonly source: string | null;
  /** After so long no further address is begun with; those are unknown. */
  readonly deadlineSeconds?: number;
}

/** How many pings run at a time. They wait more than they work. */
const lanes = 32;
const defaultDeadlineSeconds = 8;
/** Longest time that an address takes once it has begun: two tries of a second each, and slack for a busy node. */
const lastOneSeconds = 4;
/** ping says a handful of lines for one packet; a hostile one is cut off by the survey. */
const bytesPerAddress = 1024;

/**
 * Lane I takes every 32nd address from the I-th on. What ping says becomes one line, with | for the ends of its own: `ADDRESS CODE TEXT`.
 * A first packet may be lost while neighbours find each other, so there are two tries.
 */
const script = `l=$1 d=$2 s=$3
shift 3
command -v ping >/dev/null || exit 127
E=
if [ -r /proc/uptime ]; then read -r u x </proc/uptime; E=$((\${u%%.*}+d)); fi
late() {
[ -n "$E" ] || return 1
read -r u x </proc/uptime
[ "\${u%%.*}" -ge "$E" ]
}
p() { ping -n -c 1 -W 1 \${s:+-I "$s"} "$1" 2>&1; }
one() (
a=$1
o=$(p "$a")
c=$?
[ "$c" = 0 ] || { o=$(p "$a"); c=$?; }
set -f
IFS='
'
set -- $o
IFS='|'
printf '%s %s %s\\n' "$a" "$c" "$*"
)
lane() {
k=$1
shift
i=0
for a; do
if [ "$((i%l))" = "$k" ]; then late && return; one "$a"; fi
i=$((i+1))
done
}
k=0
while [ "$k" -lt "$l" ]; do lane "$k" "$@" & k=$((k+1)); done
wait
echo .`;

/**
 * Do these addresses answer a ping from the node? By the address as it was given; one for which the time did not suffice is unknown.
 * @param addresses IPv4; what is none is not asked and not answered
 */
export function overlayPing(
  addresses: readonly string[],
  options: OverlayPingOptions,
): Fact<ReadonlyMap<string, Known<PingAnswer>>> {
  const asked = [...new Set(addresses)].filter((address) => parseIpv4(address) !== undefined);
  const source = options.source !== null && parseIpv4(options.source) !== undefined ? options.source : '';
  const seconds = options.deadlineSeconds ?? defaultDeadlineSeconds;
  const count = Math.max(1, Math.min(lanes, asked.length));
  return {
    name: `overlay-ping ${source === '' ? '' : `from ${source} `}${asked.join(' ')}`,
    command: {
      ...shellCommand(script, String(count), String(seconds), source, ...asked),
      timeoutMs: (seconds + lastOneSeconds) * 1000,
      maxOutputBytes: 4096 + bytesPerAddress * asked.length,
    },
    requires: { root: 'none', programs: [['ping']] },
    parse(output) {
      if (output.code === 127) return unknown('ping is not there');
      const lines = answerText(output.stdout).split('\n');
      if (lines.at(-2) !== '.') return whyFailed('ping', output);
      const answers = new Map<string, Known<PingAnswer>>(
        asked.map((address) => [address, unknown('there was no time left to ask')]),
      );
      for (const line of lines.slice(0, -2)) {
        const [, address = '', code = '', text = ''] = /^(\S+) (\d{1,3}) ?(.*)$/.exec(line) ?? [];
        if (answers.has(address)) answers.set(address, answerOf(address, Number(code), text));
      }
      return known(answers);
    },
  };
}

/** Both ping of iputils (0 answered, 1 not, 2 another error) and busybox's (0 and 1 alone). */
function answerOf(address: string, code: number, text: string): Known<PingAnswer> {
  if (code === 0) {
    const time = new RegExp(`from ${address.replaceAll('.', '\\.')}:[^|]* time=(\\d{1,6}(?:\\.\\d{1,6})?) ms`).exec(
      text,
    )?.[1];
    return known({ isReached: true, milliseconds: time === undefined ? null : Number(time) });
  }
  const said = /(?:^|\|)ping: ([^|]{1,120})/.exec(text)?.[1];
  if (said !== undefined) {
    return /unreachable|no route to host/i.test(said)
      ? known({ isReached: false, why: said })
      : unknown(`ping: ${said}`);
  }
  if (code !== 1) return unknown(`ping ended with exit code ${code}`);
  const unreachable = /Destination (Host|Net|Port) \w+|Packet filtered|Time to live exceeded/.exec(text)?.[0];
  return known({ isReached: false, why: unreachable ?? 'no answer' });
}
