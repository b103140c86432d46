import { EndpointFailure, isFinal, staysSo } from './etcd-errors';
import { type Answer, isRecord, type MemberV2 } from './etcd-v2-member';
import { nodeOf } from './etcd-v2-node';
import { AllFailed, firstAnswer } from './failover';
import { pause } from './pause';
import type { Snapshot, WatchBatch, WatchEvent, WatchOptions } from './store';

/** What a watch needs of the store around it. */
interface Source {
  readonly timeoutMs: number;
  members(): readonly MemberV2[];
  answered(member: MemberV2): void;
  snapshot(): Promise<Snapshot>;
  failed(failures: readonly EndpointFailure[]): Error;
  refused(member: MemberV2, answer: Answer): EndpointFailure;
}

/** A poll is ended by us after this time: a peer that died without a word is noticed then. */
const pollMs = 30_000;
const longestPauseMs = 2000;
const indexCleared = 401;

/**
 * Watches by long polls, one event each. etcd's own `stream=true` is of no use: asked from a past index, it delivers one
 * event and then nothing any more (`store/watcher_hub.go`), and it drops a watcher that is 100 events behind.
 */
export async function* watchV2(
  source: Source,
  { prefix, path }: { readonly prefix: string; readonly path: string },
  { from, signal, notice }: WatchOptions,
): AsyncGenerator<WatchBatch> {
  /** Everything up to this index has been delivered, or does not concern us. */
  let seen = BigInt(from);
  let reachedOnce = false;
  let lost = false;
  let pauseMs = 50;
  const loses = (message: string) => {
    if (!lost) notice?.({ kind: 'lost', message });
    lost = true;
  };

  while (!signal.aborted) {
    let mustList = false;
    try {
      const { endpoint: member, answer } = await poll(source, path, seen, signal, pollMs, (index) => {
        reachedOnce = true;
        pauseMs = 50;
        if (lost) notice?.({ kind: 'back', message: 'watching etcd again' });
        lost = false;
        return index;
      });
      if (signal.aborted) return;
      source.answered(member);
      if (answer.event === 'none') {
        // What came before the poll began and was not reported is of other keys.
        if (answer.index > seen) seen = answer.index;
        continue;
      }
      if ('oldest' in answer.event) mustList = true;
      else {
        const { change } = answer.event;
        const index = BigInt(answer.event.revision);
        // A cluster restored from a backup counts from further back.
        mustList = index <= seen || (change !== 'nothing' && change.type === 'tree');
        if (!mustList) {
          seen = index;
          if (change !== 'nothing' && change.type !== 'tree' && keyOf(change).startsWith(prefix)) {
            yield { type: 'events', revision: answer.event.revision, events: [change] };
          }
          continue;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      const failures =
        error instanceof AllFailed ? error.failures : error instanceof EndpointFailure ? [error] : undefined;
      const typed = failures === undefined ? error : source.failed(failures);
      if (!reachedOnce || failures === undefined || failures.some(isFinal) || staysSo(typed)) throw typed;
      loses(typed instanceof Error ? typed.message : String(typed));
    }
    if (mustList) {
      notice?.({ kind: 'compacted', message: `the history since index ${seen} is gone: everything is read anew` });
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

interface Polled {
  /** How far etcd had come when the poll began. */
  readonly index: bigint;
  readonly event: 'none' | Cleared | Change;
}

/** The history does not go back so far. */
interface Cleared {
  readonly oldest: bigint;
}

interface Change {
  readonly revision: string;
  /** `tree`: a directory with all that was in it; its parts are not reported. */
  readonly change: WatchEvent | 'nothing' | { readonly type: 'tree'; readonly key: string };
}

export function poll(
  source: Pick<Source, 'members' | 'timeoutMs' | 'refused'>,
  path: string,
  seen: bigint,
  signal: AbortSignal,
  bodyMs: number,
  begun: (index: bigint) => void,
): Promise<{ readonly endpoint: MemberV2; readonly answer: Polled }> {
  const deadlineMs = Date.now() + source.timeoutMs;
  return firstAnswer(
    source.members(),
    async (member, attempt) => {
      let index = 0n;
      let polling = false;
      try {
        const answer = await member.request({
          method: 'GET',
          path: `${path}?wait=true&recursive=true&waitIndex=${seen + 1n}`,
          deadlineMs,
          bodyMs,
          signal: AbortSignal.any([attempt.signal, signal]),
          answering: (text) => {
            attempt.answering();
            polling = true;
            index = /^\d+$/.test(text ?? '') ? BigInt(text ?? 0) : 0n;
            begun(index);
          },
        });
        if (isRecord(answer.body) && answer.body['errorCode'] === indexCleared) {
          // `the requested history has been cleared [1007/8]`: the oldest that is known, and what was asked for.
          const [, oldest] = /\[(\d{1,19})\//.exec(String(answer.body['cause'])) ?? [];
          return { index, event: { oldest: BigInt(oldest ?? index) } };
        }
        // Restored from a backup: it would keep silent until it has caught up with us.
        if (answer.status !== 200) throw source.refused(member, answer);
        return { index, event: answer.body === undefined ? 'none' : changeOf(answer.body, member) };
      } catch (error) {
        // Not a failure of the endpoint, which would be worth another round.
        if (signal.aborted) throw new Error('called off', { cause: error });
        if (polling && !attempt.signal.aborted && isQuietEnd(error)) return { index, event: 'none' };
        throw error;
      }
    },
    // Long polls are silent by nature; `answering` says that one has begun.
    { silenceMs: 300, deadlineMs },
  );
}

/** Our own end of a poll that brought nothing. */
function isQuietEnd(error: unknown): boolean {
  return error instanceof EndpointFailure && error.kind === 'timeout';
}

function changeOf(body: unknown, member: MemberV2): Change {
  const event = isRecord(body) ? body : {};
  const node = nodeOf(event['node']);
  if (node === undefined) throw new EndpointFailure('not-etcd', member.endpoint.url, 'its event has no node');
  const before = nodeOf(event['prevNode']);
  const gone = event['action'] === 'delete' || event['action'] === 'expire' || event['action'] === 'compareAndDelete';
  if (node.kind === 'directory') {
    // A new, empty directory is nothing; any other event on one takes files with it, or replaces one.
    const matters = gone || before !== undefined;
    return { revision: node.index, change: matters ? { type: 'tree', key: node.key } : 'nothing' };
  }
  const { key, revision } = node.entry;
  return { revision, change: gone ? { type: 'delete', key, revision } : { type: 'put', entry: node.entry } };
}

export function keyOf(event: WatchEvent): string {
  return event.type === 'put' ? event.entry.key : event.key;
}
