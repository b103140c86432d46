import { answerText, whyFailed } from './answer-text';
import { type Fact, known, nothingElse } from './fact';

export interface Clock {
  /** Milliseconds since the epoch by the node's clock, at some moment of the survey. */
  readonly epochMs: number;
  /** 1 where `date` gives fractions, 1000 where it does not (busybox). */
  readonly resolutionMs: number;
}

export const clock: Fact<Clock> = {
  name: 'clock',
  command: { argv: ['date', '+%s.%N'] },
  requires: nothingElse,
  parse(output) {
    const match = /^(\d{1,12})\.(\d{9})?/.exec(answerText(output.stdout));
    if (match === null) return whyFailed('date', output);
    const [, seconds, fraction] = match;
    return known({
      epochMs: Number(seconds) * 1000 + Math.floor(Number(fraction ?? 0) / 1e6),
      resolutionMs: fraction === undefined ? 1000 : 1,
    });
  },
};

/**
 * By how much the node's clock is surely wrong, in milliseconds: positive when it is ahead, 0 when it may be right.
 * All that is known is that it was read between two moments on this machine.
 */
export function sureSkewMs(clockOfNode: Clock, beganAtMs: number, endedAtMs: number): number {
  const { epochMs, resolutionMs } = clockOfNode;
  if (epochMs > endedAtMs) return epochMs - endedAtMs;
  const latest = epochMs + resolutionMs - 1;
  return latest < beganAtMs ? latest - beganAtMs : 0;
}
