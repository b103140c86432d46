/** What became of one item. */
export type Outcome<Item, Value> =
  | { readonly kind: 'done'; readonly item: Item; readonly value: Value }
  | { readonly kind: 'failed'; readonly item: Item; readonly error: unknown }
  /** Never begun: too many others had failed, or the run was called off. */
  | { readonly kind: 'skipped'; readonly item: Item };

export interface PoolOptions {
  /** How many at a time; the next begins as soon as one is over. */
  readonly atOnce: number;
  /** Once so many have failed, no further one is begun. Default: no bound. */
  readonly maxFailures?: number;
  readonly signal?: AbortSignal;
}

/** Does something for every host. One that fails does not stop the others. The outcomes stand in the order of the items. */
export async function forEachHost<Item, Value>(
  items: readonly Item[],
  options: PoolOptions,
  work: (item: Item, index: number, signal: AbortSignal | undefined) => Promise<Value>,
): Promise<readonly Outcome<Item, Value>[]> {
  const { signal, maxFailures = Number.POSITIVE_INFINITY } = options;
  const outcomes = items.map((item): Outcome<Item, Value> => ({ kind: 'skipped', item }));
  const queue = items.entries();
  let failures = 0;
  const worker = async () => {
    // All workers draw from one queue.
    for (const [index, item] of queue) {
      if (failures >= maxFailures || signal?.aborted === true) return;
      try {
        outcomes[index] = { kind: 'done', item, value: await work(item, index, signal) };
      } catch (error) {
        failures += 1;
        outcomes[index] = { kind: 'failed', item, error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(options.atOnce, items.length)) }, worker));
  return outcomes;
}
