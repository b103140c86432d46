import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { forEachHost } from '../../src/lib/host/pool';

describe('work on many hosts', () => {
  it('goes on in a window that slides: one that is slow keeps only its own place', async () => {
    let running = 0;
    let most = 0;
    const begun: number[] = [];
    const outcomes = await forEachHost([50, 5, 5, 5, 5, 5], { atOnce: 2 }, async (milliseconds, index) => {
      begun.push(index);
      most = Math.max(most, ++running);
      await sleep(milliseconds);
      running -= 1;
      return index * 10;
    });
    expect(most).toBe(2);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
    expect(outcomes.map((outcome) => outcome.kind === 'done' && outcome.value)).toEqual([0, 10, 20, 30, 40, 50]);
  });

  it('is not stopped by one that fails, and outcomes stay in order', async () => {
    const outcomes = await forEachHost(['a', 'b', 'c'], { atOnce: 3 }, async (name) => {
      if (name === 'b') throw new Error('b is down');
      return name;
    });
    expect(outcomes).toEqual([
      { kind: 'done', item: 'a', value: 'a' },
      { kind: 'failed', item: 'b', error: new Error('b is down') },
      { kind: 'done', item: 'c', value: 'c' },
    ]);
  });

  it('begins no further one after too many failures', async () => {
    const outcomes = await forEachHost([0, 1, 2, 3, 4], { atOnce: 1, maxFailures: 2 }, async (index) => {
      if (index > 0) throw new Error('down');
    });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['done', 'failed', 'failed', 'skipped', 'skipped']);
  });

  it('begins no further one when it is called off', async () => {
    const control = new AbortController();
    const outcomes = await forEachHost([0, 1, 2], { atOnce: 1, signal: control.signal }, async (index, _, signal) => {
      if (index === 1) control.abort();
      return signal?.aborted;
    });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['done', 'done', 'skipped']);
  });

  it('is over at once when there is nothing to do', async () => {
    expect(await forEachHost([], { atOnce: 8 }, () => Promise.reject(new Error('never')))).toEqual([]);
  });
});
