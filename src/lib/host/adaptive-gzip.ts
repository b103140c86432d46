import { once } from 'node:events';
import { constants, createGzip } from 'node:zlib';

/** Below this a link gains by packing: gzip -1 makes about 79 MB/s here. */
const fastLinkBytesPerMs = 60_000;
/** So much is measured before the level is chosen anew; more than fits into the buffers on the way (2 MB window, 2 MB stream). */
const probeBytes = 6 * 1024 * 1024;
const poorRatio = 0.95;

/**
 * Packs with gzip as hard as it pays: not at all (stored) as long as the receiver takes bytes faster than we could pack them,
 * lightly (level 1) on a slower way, and not at all again when the content does not shrink.
 */
export async function* adaptiveGzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: constants.Z_NO_COMPRESSION, chunkSize: 256 * 1024 });
  const sent = { bytes: 0, waitedMs: 0 };

  const setLevel = (level: number) =>
    new Promise<void>((resolve, reject) => {
      const done = (error?: Error | null) => (error ? reject(error) : resolve());
      // Node has it for every stream that deflates; its types have it for two of the three.
      const params: unknown = Reflect.get(gzip, 'params');
      if (typeof params === 'function') Reflect.apply(params, gzip, [level, constants.Z_DEFAULT_STRATEGY, done]);
      else resolve();
    });

  const pack = async () => {
    let stage: 'measure' | 'packing' | 'decided' = 'measure';
    let taken = 0;
    let before = { taken: 0, sent: 0 };
    for await (const chunk of source) {
      taken += chunk.length;
      if (!gzip.write(chunk)) await once(gzip, 'drain');
      if (taken - before.taken < probeBytes) continue;
      if (stage === 'measure') {
        if (sent.waitedMs > 0 && sent.bytes / sent.waitedMs < fastLinkBytesPerMs) {
          await setLevel(constants.Z_BEST_SPEED);
          stage = 'packing';
        }
        before = { taken, sent: sent.bytes };
      } else if (stage === 'packing') {
        if ((sent.bytes - before.sent) / (taken - before.taken) > poorRatio) await setLevel(constants.Z_NO_COMPRESSION);
        stage = 'decided';
      }
    }
    gzip.end();
  };

  pack().catch((error: unknown) => gzip.destroy(error instanceof Error ? error : new Error(String(error))));
  for await (const chunk of gzip) {
    sent.bytes += chunk.length;
    const begin = performance.now();
    yield chunk;
    sent.waitedMs += performance.now() - begin;
  }
}
