import { NetctlError } from '../errors';
import { longestProbeLine, type ProbeLine, parseProbeLine } from '../fact/probe-line';
import type { Host } from '../host/host';
import type { ProbePlace } from '../plan/probe-place';
import { perlLoader, perlProgram } from './probe-program-perl';
import { pythonLoader, pythonProgram } from './probe-program-python';

/** Two words of one run and one node: whoever knows the first is answered with the second. */
export interface ProbeWords {
  readonly ask: string;
  readonly answer: string;
}

export interface ProbeJob {
  readonly id: number;
  /** From the endpoint beside the containers, or from the node itself. */
  readonly from: 'container' | 'node';
  readonly check: 'tcp' | 'udp' | 'icmp' | 'connect';
  readonly address: string;
  /** 0 for ICMP. */
  readonly port: number;
  /** Of the payload; for ICMP of the whole packet. */
  readonly bytes: number;
  readonly words: ProbeWords;
  /** Sixteen hexadecimal digits, of this job alone. */
  readonly nonce: string;
}

export type ProbeReady = Extract<ProbeLine, { kind: 'ready' }>;
export type ProbeResult = Extract<ProbeLine, { kind: 'answered' | 'failed' | 'not-tried' }>;

/** A node that cannot be probed, though it was reached. */
export class NoProbe extends Error {}

export interface ProbeTalkOptions {
  readonly place: ProbePlace;
  readonly publicIP: string | null;
  readonly words: ProbeWords;
  /** Name of the veth's end on the node. */
  readonly link: string;
  /** A packet without an answer for so long has failed. */
  readonly answerTimeoutMs: number;
  /** The whole talk; after it the node ends it by itself. */
  readonly timeoutMs: number;
  readonly mostJobs: number;
  readonly signal?: AbortSignal;
}

export interface ProbeAnswers {
  /** By the id of their job. */
  readonly results: ReadonlyMap<number, ProbeResult>;
  /** Why there are no more; null when all came, or the time was up. */
  readonly lost: NetctlError | NoProbe | null;
}

export interface ProbeTalk {
  /** @throws NoProbe with the reason · Unreachable what the host throws */
  readonly ready: Promise<ProbeReady>;
  /** Gives what came within the time, also when the connection is lost. */
  ask(jobs: readonly ProbeJob[], timeoutMs: number): Promise<ProbeAnswers>;
  /** The node takes everything back; never rejects. */
  end(): Promise<void>;
}

const tickMs = 3000;
/** A node that does not end within this time does so by itself: it hears no tick any more. */
const endingMs = 8000;
/** Jobs of one node that are on their way at a time. */
const jobsAtOnce = 64;

/** Finds an interpreter. No sudo wants to see 16 KB in its log, so the program itself comes on standard input. */
const chooser = `cd /
no() { echo "unready $1"; exit 0; }
[ "$(id -u)" = 0 ] || no 'root is needed (ssh.sudo in netctl.yaml)'
for p in ip unshare; do command -v $p >/dev/null 2>&1 || no "it has no program $p"; done
if perl -MSocket -MPOSIX -MErrno -MFcntl -e 1 </dev/null >/dev/null 2>&1; then echo 'netctl-probe perl'; exec perl -e "$1"; fi
for p in python3 /usr/libexec/platform-python; do
if $p -c 'import fcntl, re, select, socket, struct, subprocess' </dev/null >/dev/null 2>&1; then echo 'netctl-probe python'; exec $p -c "$2"; fi
done
no 'it has neither perl nor python3'`;

/**
 * One command on a node for a whole probe: it says `ready`, is given jobs, says what became of each, and takes everything back at the
 * end of its standard input, whichever way that comes: a word, the end of netctl, the loss of the connection, or silence.
 */
export function openProbeTalk(host: Host, options: ProbeTalkOptions): ProbeTalk {
  const input = createInput();
  const results = new Map<number, ProbeResult>();
  const ready = deferred<ProbeReady>();
  const over = deferred<unknown>();
  // Whoever asks no more does not want to hear how it ended.
  ready.promise.catch(() => undefined);
  const asked = new Set<number>();
  let hasProgram = false;
  let allCame: () => void = () => undefined;

  const take = (line: ProbeLine) => {
    switch (line.kind) {
      case 'language':
        if (!hasProgram) input.send(program(line.language === 'perl' ? perlProgram : pythonProgram), setUp(options));
        hasProgram = true;
        return;
      case 'unready':
        // It ends by itself, when it has taken back what it had made.
        return ready.reject(new NoProbe(line.why));
      case 'ready':
        // The other nodes will send there, so it is not for this one to name any address.
        if (!options.place.candidates.includes(line.address))
          throw new NoProbe(`it took ${line.address}, which was not offered`);
        return ready.resolve(line);
      case 'answered':
      case 'failed':
      case 'not-tried':
        if (asked.delete(line.job)) results.set(line.job, line);
        if (asked.size === 0) allCame();
        return;
      case 'end':
        return;
      default:
        line satisfies never;
    }
  };

  const ticking = setInterval(() => input.send('tick\n'), tickMs);
  const running = host
    .run(
      {
        argv: ['sh', '-c', chooser, 'sh', perlLoader, pythonLoader],
        stdin: input.stream,
        timeoutMs: options.timeoutMs + 10_000,
        maxOutputBytes: 64 * 1024 + options.mostJobs * 128,
        // Its input holds the words of this run; and nobody wants to read the program in a message.
        secret: true,
        onStdout: lineReader((text) => {
          const line = parseProbeLine(text);
          if (line === undefined) throw new NoProbe(`it said what is no answer: ${JSON.stringify(text.slice(0, 80))}`);
          take(line);
        }),
      },
      options.signal,
    )
    .then((output) => {
      const said = new TextDecoder().decode(output.stderr.subarray(0, 300)).trim();
      const how = output.signal ?? `exit code ${output.code ?? 'unknown'}`;
      throw new NoProbe(`its part of the probe ended (${how})${said === '' ? '' : `: ${said}`}`);
    })
    .catch((error: unknown) => {
      ready.reject(error);
      over.resolve(error);
    })
    .finally(() => {
      clearInterval(ticking);
      input.close();
    });

  return {
    ready: ready.promise,
    async ask(jobs, timeoutMs) {
      const all = deferred<void>();
      allCame = () => all.resolve(undefined);
      for (const { id } of jobs) asked.add(id);
      if (asked.size === 0) allCame();
      input.send(...jobs.map(jobLine));
      const timer = setTimeout(() => all.resolve(undefined), timeoutMs);
      const lost = await Promise.race([all.promise.then(() => null), over.promise]);
      clearTimeout(timer);
      if (lost !== null && !(lost instanceof NetctlError || lost instanceof NoProbe)) throw lost;
      return { results, lost };
    },
    async end() {
      input.send('end\n');
      input.close();
      const patience = deferred<void>();
      const timer = setTimeout(() => patience.resolve(undefined), endingMs);
      await Promise.race([running, patience.promise]);
      clearTimeout(timer);
    },
  };
}

function program(text: string): string {
  return `${Buffer.byteLength(text)}\n${text}`;
}

function setUp({ place, publicIP, words, link, answerTimeoutMs, timeoutMs }: ProbeTalkOptions): string {
  const most = Math.ceil(timeoutMs / 1000);
  return `${[
    'probe',
    most,
    words.ask,
    words.answer,
    answerTimeoutMs / 1000,
    jobsAtOnce,
    link,
    place.bridge,
    place.mtu,
    place.length,
    place.gateway,
    publicIP ?? '-',
    ...place.candidates,
  ].join(' ')}\n`;
}

function jobLine({ id, from, check, address, port, bytes, words, nonce }: ProbeJob): string {
  return `job ${from === 'node' ? 'n' : 'c'} ${id} ${check} ${address} ${port} ${bytes} ${words.ask} ${words.answer} ${nonce}\n`;
}

/** How long a node needs at most for so many jobs. */
export function longestAskMs(jobs: number, answerTimeoutMs: number): number {
  return Math.ceil(jobs / jobsAtOnce) * (answerTimeoutMs + 500) + 3000;
}

/** @throws what `onLine` throws, and NoProbe for a line without end */
function lineReader(onLine: (line: string) => void): (chunk: Uint8Array) => void {
  let held = '';
  return (chunk) => {
    held += Buffer.from(chunk).toString('latin1');
    const lines = held.split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (held.length > longestProbeLine) throw new NoProbe('it said a line without end');
  };
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Standard input that is written bit by bit, and ends when it is closed. */
function createInput(): {
  readonly send: (...texts: readonly string[]) => void;
  readonly close: () => void;
  readonly stream: () => AsyncIterable<Uint8Array>;
} {
  const texts: string[] = [];
  let isClosed = false;
  let wake: () => void = () => undefined;
  return {
    send(...more) {
      if (isClosed) return;
      texts.push(...more);
      wake();
    },
    close() {
      isClosed = true;
      wake();
    },
    async *stream() {
      for (;;) {
        const next = texts.splice(0).join('');
        if (next !== '') yield Buffer.from(next);
        else if (isClosed) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
}
