import { EndpointFailure } from './etcd-errors';
import type { Answer, MemberV2 } from './etcd-v2-member';
import { keyOf, poll } from './etcd-v2-watch';
import type { Past, Snapshot, WatchEvent } from './store';

/** What a look back needs of the store around it. */
interface Source {
  readonly timeoutMs: number;
  members(): readonly MemberV2[];
  snapshot(): Promise<Snapshot>;
  refused(member: MemberV2, answer: Answer): EndpointFailure;
}

/** A member knows at once whether it has such an event; when it has none, the poll stays open. */
const bodyMs = 1000;

/**
 * The last events that a member of etcd remembers: 1,000, of all keys together (`store/event_history.go`). One poll each,
 * from the oldest on, until one brings nothing.
 * @throws AllFailed, EndpointFailure, NetctlError
 */
export async function pastV2(
  source: Source,
  { prefix, path }: { readonly prefix: string; readonly path: string },
  each: (event: WatchEvent) => void,
): Promise<Past> {
  const until = (await source.snapshot()).revision;
  const last = BigInt(until);
  const members = source.members();
  const live = new Set<string>();
  const tell = (event: WatchEvent) => {
    const key = keyOf(event);
    if (event.type === 'put') live.add(key);
    else live.delete(key);
    if (key.startsWith(prefix)) each(event);
  };
  let since = 0n;
  let seen = 0n;
  while (seen < last) {
    const { answer } = await poll({ ...source, members: () => members }, path, seen, never, bodyMs, () => undefined);
    if (answer.event === 'none') break;
    if ('oldest' in answer.event) {
      const { oldest } = answer.event;
      // Events go on falling out at the old end while they are read.
      if (oldest <= seen + 1n) {
        const url = members[0]?.endpoint.url ?? '';
        throw new EndpointFailure('interrupted', url, 'the history was cut off while it was read');
      }
      since = oldest;
      seen = oldest - 1n;
      continue;
    }
    const { revision, change } = answer.event;
    seen = BigInt(revision);
    if (seen > last) break;
    if (change === 'nothing') continue;
    if (change.type !== 'tree') tell(change);
    else {
      // A directory went with all that was in it, of which nothing is said one by one.
      const gone = Array.from(live).filter((key) => key.startsWith(`${change.key}/`));
      for (const key of gone) tell({ type: 'delete', key, revision });
    }
  }
  return { since: String(since), until, isCut: false };
}

const never = new AbortController().signal;
