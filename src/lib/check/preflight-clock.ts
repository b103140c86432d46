import { sureSkewMs } from '../fact/clock';
import { type FleetCheck, notChecked, someOf } from './preflight-scene';

const warnMs = 30_000;
const errorMs = 300_000;

/**
 * Each node's clock against the median of all, with this machine as one more: a single wrong clock, here or there, moves it not.
 * A clock is only ever said to be wrong by as much as it surely is, whatever the survey took.
 */
export const clocks: FleetCheck = function* (scenes, { endpoints }) {
  const seen = scenes.flatMap(({ node, answers: { clock }, seen: { beganAtMs, endedAtMs } }) =>
    clock.known ? [{ name: node.name, clock: clock.value, beganAtMs, endedAtMs }] : [],
  );
  for (const { node, answers } of scenes) {
    if (!answers.clock.known) yield { node: node.name, ...notChecked('the clock', answers.clock.why) };
  }
  const votes = [0, ...seen.map(({ clock, beganAtMs, endedAtMs }) => sureSkewMs(clock, beganAtMs, endedAtMs))].sort(
    (a, b) => a - b,
  );
  // Of the two in the middle that which is nearer to this machine: with one node there is nobody else to ask.
  const low = votes[Math.floor((votes.length - 1) / 2)] ?? 0;
  const high = votes[Math.ceil((votes.length - 1) / 2)] ?? 0;
  const median = Math.abs(low) <= Math.abs(high) ? low : high;
  const usesTls = endpoints.some((endpoint) => endpoint.startsWith('https:'));
  for (const { name, clock, beganAtMs, endedAtMs } of seen) {
    const skewMs = sureSkewMs(clock, beganAtMs + median, endedAtMs + median);
    if (Math.abs(skewMs) <= warnMs) continue;
    yield {
      node: name,
      code: 'clock-skew',
      severity: usesTls && Math.abs(skewMs) > errorMs ? 'error' : 'warning',
      path: 'clock',
      message: `the clock is ${durationText(skewMs)} ${skewMs > 0 ? 'ahead of' : 'behind'} ${seen.length > 1 ? 'most' : 'this machine'}: ${
        usesTls ? 'certificates are found expired or not yet valid by it' : 'its log does not fit those of the others'
      }`,
      suggestion: 'timedatectl set-ntp true (or install chrony)',
    };
  }
  if (Math.abs(median) <= warnMs) return;
  yield {
    node: null,
    code: 'clock-of-workstation',
    severity: 'warning',
    path: 'clock',
    message: `the clock of this machine is ${durationText(median)} ${median > 0 ? 'behind' : 'ahead of'} that of ${someOf(seen.map(({ name }) => name))}: whether certificates have expired was judged by it`,
    suggestion: 'timedatectl set-ntp true, on this machine',
  };
};

function durationText(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
