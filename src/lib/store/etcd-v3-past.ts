import { NetctlError } from '../errors';
import { EndpointFailure } from './etcd-errors';
import { type Member, spokenFailure } from './etcd-v3-member';
import type { RangeAnswer } from './etcd-v3-range';
import { type Arrival, arrivals } from './etcd-v3-watch';
import type { Entry, Past, Revision, WatchEvent } from './store';

/** What a look back needs of the store around it. */
interface Source {
  readonly timeoutMs: number;
  /** A member that answers. @throws NetctlError */
  reach(): Promise<{ readonly member: Member; readonly token: string | undefined }>;
  /** The keys now, or at a revision. @throws NetctlError */
  snapshot(revision: Revision | undefined): Promise<RangeAnswer>;
  failed(failure: EndpointFailure): Error;
}

interface KeyRange {
  readonly key: Buffer;
  readonly end: Buffer;
}

/**
 * etcd sends the past in batches a tenth of a second apart and does not say when it is through. So the stream is read
 * until every key is as it is now, and then until nothing more has come for this long: a key that was made and deleted
 * again after the last change of all others is the only thing that could be missed, and only by an etcd that stalls.
 */
const quietMs = 500;
const mostTries = 3;

/**
 * The changes that etcd has kept, by a watch from the oldest revision on; what was there then comes first. For each thousand
 * revisions that such a watch has to catch up, etcd reads all that are left (3.4, `syncWatchers`), so it does not begin at any depth.
 */
export async function pastV3(
  source: Source,
  range: KeyRange,
  each: (event: WatchEvent) => void,
  depth: number,
): Promise<Past> {
  let known: Revision = '1';
  for (let tries = 1; ; tries++) {
    const now = await source.snapshot(undefined);
    const reach = BigInt(now.revision) - BigInt(depth);
    const isCut = reach > BigInt(known);
    const since = isCut ? String(reach) : known;
    const mayRepeat = tries < mostTries;
    let oldest: Revision | undefined;
    try {
      const { entries } = await source.snapshot(since);
      const reading = new Reading(now, inOrder(entries), BigInt(since), each);
      oldest = await follow(source, range, reading, mayRepeat);
    } catch (error) {
      // Says that it is compacted, not how far.
      if (!mayRepeat || !(error instanceof NetctlError) || error.code !== 'etcd-compacted') throw error;
      oldest = await oldestRevision(source, range);
    }
    if (oldest === undefined) return { since, until: now.revision, isCut };
    known = oldest;
  }
}

/** In the order in which they were written. */
function inOrder(entries: Iterable<Entry>): readonly Entry[] {
  return Array.from(entries).sort((a, b) => (BigInt(a.revision) < BigInt(b.revision) ? -1 : 1));
}

/** Which events there are, and which must still come. */
class Reading {
  readonly first: bigint;
  private readonly until: bigint;
  private readonly now: ReadonlyMap<string, Revision>;
  /** Keys that are not yet as they are now. */
  private readonly open = new Set<string>();
  private readonly before: readonly Entry[];
  private readonly each: (event: WatchEvent) => void;
  private beyond = false;
  hasBegun = false;

  constructor(now: RangeAnswer, before: readonly Entry[], since: bigint, each: (event: WatchEvent) => void) {
    this.first = since + 1n;
    this.until = BigInt(now.revision);
    this.now = new Map(Array.from(now.entries, ({ key, revision }) => [key, revision]));
    this.before = before;
    this.each = each;
    const known = new Map(before.map(({ key, revision }) => [key, revision]));
    for (const [key, revision] of this.now) if (known.get(key) !== revision) this.open.add(key);
    for (const key of known.keys()) if (!this.now.has(key)) this.open.add(key);
  }

  get isComplete(): boolean {
    return this.beyond || this.open.size === 0;
  }

  /** Nothing can come any more, not even after a while. */
  get isOver(): boolean {
    return this.beyond || this.first > this.until;
  }

  take(event: WatchEvent): void {
    this.begin();
    const { key, revision } = event.type === 'put' ? event.entry : event;
    if (BigInt(revision) > this.until) {
      this.beyond = true;
      return;
    }
    const is = event.type === 'put' ? revision : undefined;
    if (this.now.get(key) === is) this.open.delete(key);
    else this.open.add(key);
    this.each(event);
  }

  begin(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    for (const entry of this.before) this.each({ type: 'put', entry });
  }
}

/** Up to where the history has been compacted, which a watch from before that is told. */
async function oldestRevision(source: Source, range: KeyRange): Promise<Revision> {
  let url = '';
  for await (const { arrival, from } of arrivalsUntilQuiet(source, range, 1n, () => source.timeoutMs)) {
    url = from;
    if (arrival.kind === 'compacted') return arrival.oldest;
  }
  throw source.failed(new EndpointFailure('timeout', url, 'how far the history goes back was not told'));
}

/** Undefined when all has been read; else the oldest revision that is known, younger than where we began. */
async function follow(
  source: Source,
  range: KeyRange,
  reading: Reading,
  mayRepeat: boolean,
): Promise<Revision | undefined> {
  if (!reading.isOver) {
    let url = '';
    const patience = () => (reading.isComplete ? quietMs : source.timeoutMs);
    for await (const { arrival, from } of arrivalsUntilQuiet(source, range, reading.first, patience)) {
      url = from;
      if (arrival.kind === 'compacted') {
        if (mayRepeat && !reading.hasBegun) return arrival.oldest;
        throw source.failed(new EndpointFailure('compacted', url, 'the history was cut off while it was read'));
      }
      if (arrival.kind === 'events') for (const event of arrival.events) reading.take(event);
      if (reading.isOver) break;
    }
    if (!reading.isComplete) throw source.failed(new EndpointFailure('timeout', url, 'the history stopped'));
  }
  reading.begin();
  return undefined;
}

/** What a watch brings until nothing more comes for as long as `patienceMs` says then. @throws NetctlError */
async function* arrivalsUntilQuiet(
  source: Source,
  range: KeyRange,
  start: bigint,
  patienceMs: () => number,
): AsyncGenerator<{ readonly arrival: Arrival; readonly from: string }> {
  const { member, token } = await source.reach();
  const url = member.endpoint.url;
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const stream = await member.watchStream(token);
  try {
    for await (const arrival of arrivals(stream, range, start, source.timeoutMs, stop.signal)) {
      clearTimeout(timer);
      yield { arrival, from: url };
      timer = setTimeout(() => stop.abort(), patienceMs());
    }
  } catch (error) {
    // Cancelling the stream ends it with an error too.
    if (stop.signal.aborted) return;
    const failure = error instanceof EndpointFailure ? error : spokenFailure(error, url);
    const said = error instanceof Error ? error.message : String(error);
    throw source.failed(failure ?? new EndpointFailure('interrupted', url, said, error));
  } finally {
    clearTimeout(timer);
    stream.cancel();
  }
}
