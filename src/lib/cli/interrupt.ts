import { writeSync } from 'node:fs';

/** How a run ends that was cut off: as a shell counts signals, 128 + SIGINT, SIGTERM, SIGPIPE; or because a disk was full. */
const endings = { interrupted: 130, terminated: 143, 'reader gone': 141, 'output-failed': 5 } as const;

type Cut = keyof typeof endings;

let held = 0;
let waiting: Cut | undefined;
let isEnding = false;
/** @param isCutOff the process ends, whatever is still under way; else the work has ended by itself */
type Farewell = (isCutOff: boolean) => Promise<void>;

/** What is still to be done before the process ends. */
const farewells = new Set<Farewell>();
/** etcd may not answer any more; nobody waits longer than this for a process that was told to end. */
const longestFarewellMs = 3000;
const stopping = new AbortController();

/** Aborted by the first Ctrl-C while a change is on its way: what has many changes to make begins no further one. */
export const beginNoMore: AbortSignal = stopping.signal;

/**
 * Lets a piece of work end before Ctrl-C, SIGTERM or a closed pipe (`netctl … | head`) ends the process:
 * a write that is on its way to etcd or to a node gets its answer. A second Ctrl-C ends it at once.
 */
export async function uninterrupted<T>(work: () => Promise<T>): Promise<T> {
  if (isEnding) return never();
  held += 1;
  try {
    return await work();
  } finally {
    held -= 1;
    if (held === 0 && waiting !== undefined) await end(waiting);
  }
}

/**
 * Runs a piece of work, and then, whether it ends well, badly, or by Ctrl-C, the farewell: something was taken that is to be given back.
 * @param farewell may be called more than once
 */
export async function withFarewell<T>(farewell: Farewell, work: () => Promise<T>): Promise<T> {
  farewells.add(farewell);
  try {
    return await work();
  } finally {
    await farewell(isEnding);
    // What came of the work is of no interest to a process that is about to end by a signal.
    if (isEnding) await never();
    farewells.delete(farewell);
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

async function end(cut: Cut): Promise<never> {
  isEnding = true;
  if (farewells.size > 0) {
    const timer = new Promise((resolve) => setTimeout(resolve, longestFarewellMs));
    await Promise.race([Promise.allSettled(Array.from(farewells, (farewell) => farewell(true))), timer]);
  }
  return exit(cut);
}

function exit(cut: Cut): never {
  // Node waits for a thread that opens a pipe to which nobody writes. With the signals' own effect back a Ctrl-C ends that, too.
  for (const signal of ['SIGINT', 'SIGTERM']) process.removeAllListeners(signal);
  process.exit(endings[cut]);
}

function cutOff(cut: Cut): void {
  const isSignal = cut === 'interrupted' || cut === 'terminated';
  // A second Ctrl-C ends the farewell as well; a reader that went away comes up with every line that is said.
  if (isEnding && !isSignal) return;
  if (!isEnding && held > 0 && (waiting === undefined || !isSignal)) {
    waiting ??= cut;
    stopping.abort();
    if (isSignal) process.stderr.write('netctl: a change is on its way; once more ends it now\n');
    return;
  }
  if (isEnding) exit(cut);
  void end(cut);
}

/** Called once, by the process's entry: a signal or a reader that went away ends the run quietly. */
export function endQuietlyWhenCutOff(): void {
  process.on('SIGINT', () => cutOff('interrupted'));
  process.on('SIGTERM', () => cutOff('terminated'));
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || error.code === 'EIO') cutOff('reader gone');
      else {
        sayOutputFailed(error);
        cutOff('output-failed');
      }
    });
  }
}

let isSaid = false;

/** Past the streams, one of which has failed. */
function sayOutputFailed({ message }: Error): void {
  if (isSaid) return;
  isSaid = true;
  try {
    writeSync(2, `netctl: its output could not be written: ${message} (output-failed; exit code 5)\n`);
  } catch {
    // stderr is full as well: the exit code says it.
  }
}
