import { conflict, type EndpointFailure, notWritten, outcomeUnknown } from './etcd-errors';
import type { Entry, Expected, Store } from './store';

/** A guarded change that was sent and got no answer: it may have been carried out. It is never sent again. */
export interface LostAnswer {
  readonly key: string;
  readonly expected: Expected;
  readonly failure: EndpointFailure;
  /** Between the two looks at a key that has not changed. */
  readonly pauseMs: number;
}

/**
 * Was our put carried out? The guard lets at most one change follow `expected`, so what is there now tells.
 * @param isOurs whether an entry is what our put would have made
 * @throws ChangeFailed when it was not, or when that cannot be found out; Conflict when somebody else has written since
 */
export async function settlePut(
  store: Pick<Store, 'get'>,
  lost: LostAnswer,
  isOurs: (entry: Entry) => boolean,
): Promise<Entry> {
  const now = await readAgain(store, lost);
  if (revisionOf(now) === lost.expected) throw notWritten(lost.key, lost.failure);
  if (now !== undefined && isOurs(now)) return now;
  throw overtaken(lost, now);
}

/** Was our deletion carried out? A key that is gone is what was asked for, whoever did it. Throws as `settlePut` does. */
export async function settleDelete(store: Pick<Store, 'get'>, lost: LostAnswer): Promise<void> {
  const now = await readAgain(store, lost);
  if (now === undefined) return;
  if (now.revision === lost.expected) throw notWritten(lost.key, lost.failure);
  throw overtaken(lost, now);
}

/** Looks twice when nothing has changed: the news of a cut connection may outrun a commit that is under way. */
async function readAgain(store: Pick<Store, 'get'>, lost: LostAnswer): Promise<Entry | undefined> {
  try {
    const first = (await store.get(lost.key)).entry;
    if (revisionOf(first) !== lost.expected) return first;
    await new Promise((resolve) => setTimeout(resolve, lost.pauseMs));
    return (await store.get(lost.key)).entry;
  } catch (cause) {
    throw outcomeUnknown(lost.key, lost.failure, cause);
  }
}

function revisionOf(entry: Entry | undefined): Expected {
  return entry?.revision ?? 'absent';
}

function overtaken(lost: LostAnswer, now: Entry | undefined) {
  return conflict(lost.failure.endpoint, lost.key, lost.expected, now?.revision, [
    'The answer to our own change was lost. Whether it came before the other one cannot be told; what is there now is theirs.',
  ]);
}
