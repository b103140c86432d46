/** How a run ends that was cut off: as a shell counts signals, 128 + SIGINT, SIGTERM, SIGPIPE. */
const endings = { interrupted: 130, terminated: 143, 'reader gone': 141 } as const;

type Cut = keyof typeof endings;

let held = 0;
let waiting: Cut | undefined;
const stopping = new AbortController();

/** Aborted by the first Ctrl-C while a change is on its way: what has many changes to make begins no further one. */
export const beginNoMore: AbortSignal = stopping.signal;

/**
 * Lets a piece of work end before Ctrl-C, SIGTERM or a closed pipe (`netctl … | head`) ends the process:
 * a write that is on its way to etcd or to a node gets its answer. A second Ctrl-C ends it at once.
 */
export async function uninterrupted<T>(work: () => Promise<T>): Promise<T> {
  held += 1;
  try {
    return await work();
  } finally {
    held -= 1;
    if (held === 0 && waiting !== undefined) process.exit(endings[waiting]);
  }
}

function cutOff(cut: Cut): void {
  if (held > 0 && (waiting === undefined || cut === 'reader gone')) {
    waiting ??= cut;
    stopping.abort();
    if (cut !== 'reader gone') process.stderr.write('netctl: a change is on its way; once more ends it now\n');
    return;
  }
  process.exit(endings[cut]);
}

/** Called once, by the process's entry: a signal or a reader that went away ends the run quietly. */
export function endQuietlyWhenCutOff(): void {
  process.on('SIGINT', () => cutOff('interrupted'));
  process.on('SIGTERM', () => cutOff('terminated'));
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || error.code === 'EIO') cutOff('reader gone');
      else throw error;
    });
  }
}
