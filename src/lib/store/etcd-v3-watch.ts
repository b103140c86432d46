import { Readable } from 'node:stream';
import type { IWatchResponse } from 'etcd3';
import { EndpointFailure, isFinal, staysSo } from './etcd-errors';
import { type Member, spokenFailure } from './etcd-v3-member';
import { entryOf } from './etcd-v3-message';
import { keyText } from './key-text';
import { pause } from './pause';
import type { Revision, Snapshot, WatchBatch, WatchEvent, WatchOptions } from './store';

/** What a watch needs of the store around it. */
interface Source {
  readonly timeoutMs: number;
  /** A member that answers, and how far etcd has come. @throws NetctlError */
  reach(): Promise<{ readonly member: Member; readonly token: string | undefined; readonly revision: Revision }>;
  forgetLogin(): void;
  readonly mayLogIn: boolean;
  snapshot(): Promise<Snapshot>;
  failed(failure: EndpointFailure): Error;
}

type Stream = Awaited<ReturnType<Member['watchStream']>>;

/** What a stream brings: events, a sign that there were none up to a revision, or the end of history. */
export type Arrival =
  | { readonly kind: 'created' }
  | { readonly kind: 'events'; readonly events: readonly WatchEvent[]; readonly revision: Revision }
  | { readonly kind: 'progress'; readonly revision: Revision }
  | { readonly kind: 'compacted'; readonly oldest: Revision };

const longestPauseMs = 2000;

/** Responses; one holds up to 1,000 revisions. */
const mostWaiting = 16;

/**
 * Our own watch. etcd3's resumes at the revision of the last response's header, which lies beyond events that were still
 * on their way: cut while catching up, it silently loses up to all of them. Here the next revision to ask for is that of
 * the last event delivered plus one, as in clientv3, and only whole responses are delivered.
 */
export async function* watchV3(
  source: Source,
  range: { readonly key: Buffer; readonly end: Buffer },
  { from, signal, notice }: WatchOptions,
): AsyncGenerator<WatchBatch> {
  let seen = BigInt(from);
  let reachedOnce = false;
  let lost = false;
  let refusals = 0;
  let pauseMs = 50;

  const loses = (message: string) => {
    if (!lost) notice?.({ kind: 'lost', message });
    lost = true;
  };

  while (!signal.aborted) {
    let stream: Stream | undefined;
    let url = '';
    let compacted = false;
    try {
      const { member, token, revision } = await source.reach();
      if (signal.aborted) return;
      url = member.endpoint.url;
      // A cluster restored from a backup counts from further back; it would keep silent until it has caught up.
      compacted = BigInt(revision) < seen;
      if (!compacted) {
        stream = await member.watchStream(token);
        for await (const arrival of arrivals(stream, range, seen + 1n, source.timeoutMs, signal)) {
          if (arrival.kind === 'created') {
            reachedOnce = true;
            refusals = 0;
            pauseMs = 50;
            if (lost) notice?.({ kind: 'back', message: `watching etcd ${url}` });
            lost = false;
          } else if (arrival.kind === 'events') {
            seen = BigInt(arrival.revision);
            yield { type: 'events', revision: arrival.revision, events: arrival.events };
          } else if (arrival.kind === 'progress') {
            if (BigInt(arrival.revision) > seen) seen = BigInt(arrival.revision);
          } else {
            compacted = true;
            break;
          }
        }
        if (signal.aborted) return;
        if (!compacted) throw new EndpointFailure('interrupted', url, 'the watch ended');
      }
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof EndpointFailure ? error : spokenFailure(error, url);
      if (failure !== undefined && isFinal(failure)) {
        // An expired token looks like a missing right to a watch (etcd 3.4): log in afresh, once, before believing it.
        refusals += 1;
        source.forgetLogin();
        if (!source.mayLogIn || refusals > 1) throw source.failed(failure);
      } else if (failure === undefined && url === '' && (!reachedOnce || staysSo(error))) throw error;
      loses(error instanceof Error ? error.message : String(error));
    } finally {
      stream?.cancel();
    }
    if (compacted) {
      notice?.({ kind: 'compacted', message: `the history since revision ${seen} is gone: everything is read anew` });
      const snapshot = await source.snapshot().catch((error: unknown) => {
        loses(error instanceof Error ? error.message : String(error));
        return undefined;
      });
      if (snapshot !== undefined) {
        seen = BigInt(snapshot.revision);
        yield { type: 'reset', snapshot };
        continue;
      }
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}

/** One stream, from its creation to its end. Ends when `signal` aborts. @throws ServiceError, EndpointFailure */
export async function* arrivals(
  stream: Stream,
  range: { readonly key: Buffer; readonly end: Buffer },
  start: bigint,
  timeoutMs: number,
  signal: AbortSignal,
): AsyncGenerator<Arrival> {
  const inbox = new Inbox(stream, timeoutMs, signal);
  stream.write({
    create_request: {
      key: range.key,
      range_end: range.end,
      start_revision: String(start),
      progress_notify: true,
      fragment: true,
    },
  });
  let parts: WatchEvent[] = [];
  for (let response = await inbox.next(); response !== undefined; response = await inbox.next()) {
    // 3.4 answers `created` and `canceled` in one when it refuses the watch.
    if (response.canceled) {
      if (response.compact_revision !== '0') return yield { kind: 'compacted', oldest: response.compact_revision };
      throw Object.assign(new Error(response.cancel_reason), { details: response.cancel_reason });
    }
    if (response.created) {
      inbox.created();
      yield { kind: 'created' };
      continue;
    }
    for (const event of response.events) {
      parts.push(
        event.type === 'Delete'
          ? { type: 'delete', key: keyText(event.kv.key), revision: event.kv.mod_revision }
          : { type: 'put', entry: entryOf(event.kv) },
      );
    }
    // Part of a large response: one revision may be spread over several, and must not be resumed in its middle.
    if (response.fragment) continue;
    const last = parts.at(-1);
    if (last === undefined) yield { kind: 'progress', revision: response.header.revision };
    else {
      const events = parts;
      parts = [];
      yield { kind: 'events', events, revision: last.type === 'put' ? last.entry.revision : last.revision };
    }
  }
}

/** Responses of a stream in order, with the end, the error and the abort at their place behind them. */
class Inbox {
  private readonly responses: IWatchResponse[] = [];
  private wake: (() => void) | undefined;
  private ended = false;
  private error: Error | undefined;
  private readonly timer: NodeJS.Timeout;
  private readonly stream: Stream;

  constructor(stream: Stream, timeoutMs: number, signal: AbortSignal) {
    this.stream = stream;
    const end = (error?: Error) => {
      clearTimeout(this.timer);
      signal.removeEventListener('abort', abort);
      this.ended = true;
      this.error ??= error;
      this.wake?.();
    };
    const abort = () => {
      stream.cancel();
      end();
    };
    this.timer = setTimeout(() => {
      stream.cancel();
      end(new Error('the watch was not confirmed in time'));
    }, timeoutMs);
    stream.on('data', (response) => {
      this.responses.push(response);
      // A slow reader holds etcd back instead of filling our memory.
      if (this.responses.length >= mostWaiting && stream instanceof Readable) stream.pause();
      this.wake?.();
    });
    stream.on('error', end);
    stream.on('end', () => end());
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
  }

  created(): void {
    clearTimeout(this.timer);
  }

  async next(): Promise<IWatchResponse | undefined> {
    for (;;) {
      const response = this.responses.shift();
      if (this.responses.length === 0 && this.stream instanceof Readable && this.stream.isPaused())
        this.stream.resume();
      if (response !== undefined) return response;
      if (this.error !== undefined) throw this.error;
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
