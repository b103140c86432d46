/** Collects the two outputs of a command as bytes, up to a bound on both together. */
export class CollectedOutput {
  readonly #stdout: Uint8Array[] = [];
  readonly #stderr: Uint8Array[] = [];
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** False when it is more than was bargained for; the chunk is then dropped. */
  add(stream: 'stdout' | 'stderr', chunk: Uint8Array): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) return false;
    (stream === 'stdout' ? this.#stdout : this.#stderr).push(chunk);
    return true;
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#stdout);
  }

  get stderr(): Buffer {
    return Buffer.concat(this.#stderr);
  }
}
