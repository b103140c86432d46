import { onAbort } from './on-abort';

/** Lets at most so many in at a time; the others wait in order. */
export class Gate {
  readonly #places: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /**
   * Runs `work` when there is a place for it.
   * @throws the signal's reason when it aborts while waiting
   */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(signal);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #enter(signal: AbortSignal | undefined): Promise<void> | undefined {
    signal?.throwIfAborted();
    if (this.#inside < this.#places) {
      this.#inside += 1;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const enter = () => {
        stopListening();
        resolve();
      };
      this.#waiting.push(enter);
      const stopListening = onAbort(signal, () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(signal?.reason);
      });
    });
  }

  /** The place goes straight to the next one: nobody can slip in between. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inside -= 1;
    else next();
  }
}
