import { answerText, whyFailed } from './answer-text';
import { type Fact, known } from './fact';

/** systemd's number, such as 252; null on a node without systemd. */
export const systemdVersion: Fact<number | null> = {
  name: 'systemd-version',
  command: { argv: ['systemctl', '--version'] },
  requires: { root: 'none', programs: [] },
  parse(output) {
    if (output.code === 127) return known(null);
    const match = /^systemd (\d{1,5})\b/.exec(answerText(output.stdout));
    return match === null ? whyFailed('systemctl --version', output) : known(Number(match[1]));
  },
};
