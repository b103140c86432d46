import { deviceName } from './address';
import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand } from './fact';

/** `ethtool -k`: features of a device by name, `tx-checksum-ip-generic` → true. Empty for a device that is not there. */
export function offload(device: string): Fact<ReadonlyMap<string, boolean>> {
  return {
    name: `offload ${device}`,
    command: shellCommand('[ -e "/sys/class/net/$1" ] || exit 0; ethtool -k "$1"', deviceName(device) ?? 'lo'),
    requires: { root: 'none', programs: [['ethtool']] },
    parse(output) {
      if (output.code !== 0) return whyFailed('ethtool', output);
      return known(
        new Map(
          Array.from(
            answerText(output.stdout).matchAll(/^\s*([a-z0-9-]{1,64}): (on|off)\b/gm),
            ([, name = '', state]) => [name, state === 'on'],
          ),
        ),
      );
    },
  };
}
