import { pipeline } from 'node:stream';
import { constants, createGzip } from 'node:zlib';

/** Below this a link gains by packing: gzip -1 makes about 79 MB/s here. */
const fastLinkBytesPerMs = 60_000;
/** More than fits into the buffers on the way (2 MB of window, 2 MB of stream), which take it at any speed. */
const memberBytes = 8 * 1024 * 1024;
const poorRatio = 0.95;

/**
 * Packs with gzip as hard as it pays: not at all (stored) as long as the receiver takes bytes faster than we could pack them,
 * lightly (level 1) on a slower way, and not at all again when the content does not shrink.
 *
 * Made of several gzip members, which `gzip -dc` reads as one: zlib's own change of level is not open to gzip streams in Node.
 */
export async function* adaptiveGzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  let level = constants.Z_NO_COMPRESSION;
  let isStubborn = false;
  let isOver = false;
  try {
    while (!isOver) {
      let taken = 0;
      let packed = 0;
      let waitedMs = 0;
      const part = async function* () {
        while (taken < memberBytes) {
          const { value, done } = await chunks.next();
          if (done === true) {
            isOver = true;
            return;
          }
          taken += value.length;
          yield value;
        }
      };
      // Errors of the source reach the loop below through the gzip stream, which is then destroyed.
      const member = pipeline(part, createGzip({ level, chunkSize: 256 * 1024 }), () => undefined);
      for await (const chunk of member) {
        packed += chunk.length;
        const begin = performance.now();
        yield chunk;
        waitedMs += performance.now() - begin;
      }
      if (level !== constants.Z_NO_COMPRESSION && packed / taken > poorRatio) isStubborn = true;
      const isSlow = waitedMs > 0 && packed / waitedMs < fastLinkBytesPerMs;
      level = isSlow && !isStubborn ? constants.Z_BEST_SPEED : constants.Z_NO_COMPRESSION;
    }
  } finally {
    await chunks.return?.();
  }
}
