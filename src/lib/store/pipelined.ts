/**
 * Does something with every item, at most `atOnce` at a time, in no order. Stops early when `signal` aborts (what was
 * begun is finished) and at the first error, which it throws.
 */
export async function pipelined<Item>(
  items: Iterable<Item>,
  atOnce: number,
  signal: AbortSignal | undefined,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failed = false;
  const worker = async () => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      if (failed || signal?.aborted === true) return;
      try {
        await work(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
