import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';

/**
 * The last lines of a unit's journal, the oldest first. flanneld prints all its flags when it starts, the etcd password among
 * them: it is taken out on the node.
 */
export function journal(unit: string, lines = 400): Fact<readonly string[]> {
  return {
    name: `journal ${unit}`,
    command: {
      ...shellCommand(
        `command -v journalctl >/dev/null || exit 127
journalctl -u "$1" -n "$2" --no-pager -o cat | cut -c1-2000 | sed -e 's#//[^/@ ]*@#//<redacted>@#g' -e 's/\\([A-Za-z_-]*[Pp]assw[a-z]*[:=]\\)[^ }]*/\\1<redacted>/g'`,
        unit,
        String(lines),
      ),
      maxOutputBytes: 2001 * lines,
      timeoutMs: 10_000,
    },
    requires: { root: 'all', programs: [['journalctl']] },
    parse(output) {
      if (output.code !== 0) return whyFailed('journalctl', output);
      // Its hint to those who may see only their own messages.
      if (answerText(output.stderr).includes('not seeing messages')) return unknown('journalctl: permission denied');
      return known(
        answerText(output.stdout)
          .split('\n')
          .filter((line) => line !== ''),
      );
    },
  };
}
