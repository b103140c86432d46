import { Unreachable } from '../errors';
import {
  type Answers,
  defaultAnswerBytes,
  defaultFactTimeoutMs,
  type Fact,
  type Facts,
  type Known,
  unknown,
} from '../fact/fact';
import type { Host, Output } from '../host/host';

export interface SurveyOptions {
  /** For the whole round trip. A fact that does not answer in time is unknown; the others are not lost. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface Survey<F extends Facts> {
  readonly answers: Answers<F>;
  /** Milliseconds since the epoch on this machine: between them the node was asked, which a clock fact needs. */
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}

/**
 * Asks a node all facts in one round trip: one POSIX shell script on standard input, all answers in one stream.
 * @throws Unreachable what the host throws, and `survey-no-answer` when its shell did not run the script
 */
export async function survey<F extends Facts>(host: Host, facts: F, options: SurveyOptions): Promise<Survey<F>> {
  const asked = Object.values(facts);
  const beganAtMs = Date.now();
  const output = await host.run(
    {
      argv: ['sh', '-s'],
      stdin: new TextEncoder().encode(surveyScript(asked, options.timeoutMs)),
      timeoutMs: options.timeoutMs,
      maxOutputBytes: 64 * 1024 + asked.reduce((sum, fact) => sum + mostBytes(fact), 0),
    },
    options.signal,
  );
  const endedAtMs = Date.now();
  const outputs = readSurvey(output, asked.length);
  if (outputs === undefined) throw noAnswer(host.name, output);
  const answers: [string, Known<unknown>][] = Object.keys(facts).map((key, index) => {
    const fact = asked[index];
    return [key, fact === undefined ? unknown('it was not asked') : answerOf(fact, outputs[index])];
  });
  return { answers: Object.fromEntries(answers) as Answers<F>, beganAtMs, endedAtMs };
}

const marker = 'netctl-survey 1\n';
const endMarker = 'netctl-survey end\n';

/** Files and codes that the script writes itself; a fact's own exit code is never of this form. */
const late = 'late';

/** `ulimit -f` counts 512 bytes, or 1024 in bash: an answer may be cut at up to twice its limit, and so may its errors. */
function mostBytes(fact: Fact<unknown>): number {
  return 4 * answerBytes(fact) + 4096;
}

function answerBytes(fact: Fact<unknown>): number {
  return fact.command.maxOutputBytes ?? defaultAnswerBytes;
}

function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}

/** How many facts are asked at a time. More than the cores, because docker and systemctl mostly wait. */
const lanes = 4;

/**
 * The script. Each answer goes to files of its own in a private folder, and their lengths stand before the bytes, so that no
 * output can pass for another's. It is one group of commands, which a shell reads to its end before it begins: a script that arrives cut off does nothing.
 *
 * Lanes take the facts in order; `set -C` makes a claim atomic (O_EXCL) without a process. /proc/uptime is a clock that costs none either.
 * `ulimit -f` bounds what an answer may write: a `head` on each stream would be two more processes a fact.
 */
export function surveyScript(facts: readonly Fact<unknown>[], timeoutMs: number): string {
  const questions = facts.map((fact, index) => {
    const { command } = fact;
    // One block more than allowed shows that it was too much.
    const blocks = Math.ceil(answerBytes(fact) / 512) + 1;
    return `q ${index + 1} ${seconds(command.timeoutMs ?? defaultFactTimeoutMs)} ${blocks} ${command.argv.map(quoted).join(' ')}`;
  });
  // The host gives up after timeoutMs: what is ready must be on its way before.
  const budget = Math.max(1, Math.floor(timeoutMs / 1000) - 2);
  return `{
n() { shift; "$@"; }
q() {
i=$1 s=$2 b=$3
shift 3
true >"c$i" || return 0
l=$s
if [ -r /proc/uptime ]; then
read -r u x </proc/uptime
l=$((E-\${u%%.*}))
[ "$l" -gt 0 ] || { echo ${late} >"r$i"; return 0; }
[ "$l" -lt "$s" ] || l=$s
fi
(set +C; ulimit -c 0; ulimit -f "$b"; cd /; $T "$l" "$@") </dev/null >"o$i" 2>"e$i"
echo $? >"r$i"
}
all() {
set -C
${questions.join('\n')}
}
main() {
umask 077
LC_ALL=C LANG=C PATH="\${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DOCKER_CONTEXT=default SYSTEMD_COLORS=0 SYSTEMD_PAGER=cat SYSTEMD_LOG_LEVEL=err
export LC_ALL LANG PATH DOCKER_CONTEXT SYSTEMD_COLORS SYSTEMD_PAGER SYSTEMD_LOG_LEVEL
unset LANGUAGE CDPATH ENV BASH_ENV DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_API_VERSION TMOUT
d=
trap 'cd /; [ -z "$d" ] || rm -rf "$d"' EXIT
trap 'exit 130' HUP INT TERM PIPE
for b in /run /dev/shm /tmp "\${TMPDIR:-/var/tmp}"; do
d=$(mktemp -d "$b/netctl-survey.XXXXXX" 2>&4) && break
d=
done 4>/dev/null
[ -n "$d" ] || { echo 'netctl: no folder for temporary files could be made in /run, /dev/shm, /tmp or /var/tmp' >&2; return 3; }
cd "$d" || return 3
if timeout -k 1 1 true; then T='timeout -k 1'
elif timeout 1 true; then T=timeout
else T=n
fi 2>/dev/null
E=0
if [ -r /proc/uptime ]; then
read -r u x </proc/uptime
E=$((\${u%%.*}+${budget}))
fi
${Array.from({ length: Math.min(lanes, Math.max(facts.length, 1)) }, () => 'all 2>/dev/null &').join('\n')}
wait
set --
i=0
while [ "$i" -lt ${facts.length} ]; do
i=$((i+1))
for f in "o$i" "e$i" "r$i"; do
[ -f "$f" ] || : >"$f"
set -- "$@" "$f"
done
done
printf '${marker.replace('\n', '\\n')}'
if [ "$#" -gt 0 ]; then
wc -c "$@"
cat "$@"
fi
printf '${endMarker.replace('\n', '\\n')}'
}
main </dev/null
exit
}
`;
}

/** A word in single quotes, as every POSIX shell takes it. Here nobody pastes: control characters go through as they are. */
function quoted(word: string): string {
  if (word.includes('\0')) throw new TypeError('a word of a command cannot have a NUL byte');
  return /^[A-Za-z0-9_@%+:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

interface RawAnswer {
  /** The exit code as the script wrote it, or its own word. */
  readonly exit: string;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** The answers in the order of the questions; `undefined` for a stream that the script did not write. */
function readSurvey(output: Output, count: number): readonly RawAnswer[] | undefined {
  const bytes = Buffer.from(output.stdout.buffer, output.stdout.byteOffset, output.stdout.byteLength);
  // A talkative .bashrc speaks first; whatever a fact says comes after the marker.
  const start = bytes.indexOf(marker);
  if (start < 0) return undefined;
  let at = start + marker.length;
  const lengths: number[] = [];
  const lineCount = count === 0 ? 0 : 3 * count + 1;
  for (let line = 0; line < lineCount; line++) {
    const end = bytes.indexOf(0x0a, at);
    const match = end < 0 ? null : /^ *(\d{1,12}) ([oer])(\d+)$/.exec(bytes.toString('latin1', at, end));
    const isTotal = line === lineCount - 1;
    if (end < 0 || (match === null) !== isTotal) return undefined;
    if (match !== null) {
      if (match[2] !== 'oer'[line % 3] || Number(match[3]) !== Math.floor(line / 3) + 1) return undefined;
      lengths.push(Number(match[1]));
    }
    at = end + 1;
  }
  const pieces: Buffer[] = [];
  for (const length of lengths) {
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (bytes.toString('latin1', at) !== endMarker) return undefined;
  return Array.from({ length: count }, (_, index) => ({
    stdout: pieces[3 * index] ?? Buffer.alloc(0),
    stderr: pieces[3 * index + 1] ?? Buffer.alloc(0),
    exit: pieces[3 * index + 2]?.toString('latin1').trim() ?? '',
  }));
}

function answerOf(fact: Fact<unknown>, raw: RawAnswer | undefined): Known<unknown> {
  if (raw === undefined) return unknown('the node did not answer it');
  if (raw.exit === late) return unknown('there was no time left to ask the node');
  if (!/^\d{1,3}$/.test(raw.exit)) return unknown('the node could not store its answer (is its disk full?)');
  const limit = answerBytes(fact);
  if (raw.stdout.length > limit) return unknown(`its answer is longer than ${limit} bytes`);
  const code = Number(raw.exit);
  // GNU timeout gives 124, busybox's 143 (TERM), both 137 where the command had to be killed.
  if (code === 124 || code === 137 || code === 143) {
    return unknown(`it did not end within ${seconds(fact.command.timeoutMs ?? defaultFactTimeoutMs)} s`);
  }
  // 255 is a code of its own (ip).
  if (code > 128 && code <= 192) return unknown(`it was ended by signal ${code - 128}`);
  try {
    return fact.parse({ code, stdout: raw.stdout, stderr: raw.stderr });
  } catch (error) {
    // A parser that throws is our mistake, but one strange answer must not cost the look at fifty nodes.
    return unknown(
      `netctl could not read the answer (please report it): ${error instanceof Error ? error.message : ''}`,
    );
  }
}

function noAnswer(host: string, output: Output): Unreachable {
  const said = new TextDecoder()
    .decode(output.stderr.subarray(0, 4096))
    .split('\n')
    .filter((line) => line.trim() !== '');
  return new Unreachable({
    code: 'survey-no-answer',
    message: `${host}: its shell did not run netctl's questions to the end (${output.code === null ? 'ended by a signal' : `exit code ${output.code}`})`,
    details: said.slice(0, 5).map((line) => line.slice(0, 200)),
    next: [`Try by hand what the host gives you: echo 'echo it works' | ssh ${host} sh -s`],
  });
}
