/** What a list shows: an array is one. It is gone through once or twice, and never changed. */
export interface Rows<T> extends Iterable<T> {
  readonly length: number;
  slice(start: number, end: number): readonly T[];
}

/** Rows that are made of others while they are printed: of 65,536 only a few are there at a time. */
export function mappedRows<S, T>(source: readonly S[], item: (row: S) => T): Rows<T> {
  return {
    length: source.length,
    slice: (start, end) => source.slice(start, end).map(item),
    *[Symbol.iterator]() {
      for (const row of source) yield item(row);
    },
  };
}
