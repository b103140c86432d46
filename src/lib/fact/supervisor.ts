import { answerText } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';

export interface SupervisorProgram {
  readonly name: string;
  /** `RUNNING`, `STOPPED`, `FATAL`, `EXITED`, `BACKOFF`, `STARTING`, … */
  readonly state: string;
  readonly pid: number | null;
  /** What supervisord adds: `pid 123, uptime 0:01:02`, `Exited too quickly (process log may have details)`. */
  readonly note: string;
}

export interface Supervisor {
  readonly isInstalled: boolean;
  readonly isRunning: boolean;
  /** Its main file, `/etc/supervisor/supervisord.conf` or `/etc/supervisord.conf`. */
  readonly configPath: string | null;
  /** Files of programs: `/etc/supervisor/conf.d/*.conf`, `/etc/supervisord.d/*.ini` and `*.conf`. */
  readonly programFiles: readonly string[];
  readonly programs: readonly SupervisorProgram[];
}

/** supervisorctl is a Python program that takes a fifth of a second: it is asked only where supervisord runs. */
const script = `command -v supervisord >/dev/null && echo installed
for f in /etc/supervisor/supervisord.conf /etc/supervisord.conf; do [ -e "$f" ] && echo "config $f"; done
for f in /etc/supervisor/conf.d/*.conf /etc/supervisord.d/*.ini /etc/supervisord.d/*.conf; do [ -e "$f" ] && printf 'file %s\\n' "$f"; done
for s in /run/supervisor.sock /var/run/supervisor.sock /run/supervisor/supervisor.sock /var/run/supervisor/supervisor.sock /tmp/supervisor.sock; do
[ -S "$s" ] && { echo running; supervisorctl status 2>&1 | sed 's/^/ /'; break; }
done
:`;

export const supervisor: Fact<Supervisor> = {
  name: 'supervisor',
  command: shellCommand(script),
  requires: { root: 'part', programs: [] },
  parse(output) {
    const lines = answerText(output.stdout).split('\n');
    const value = (word: string): readonly string[] =>
      lines.filter((line) => line.startsWith(`${word} /`)).map((line) => line.slice(word.length + 1));
    const programs = lines.flatMap((line): readonly SupervisorProgram[] => {
      const match = /^ (\S{1,255})\s+([A-Z]{4,10})(?:\s+(.*))?$/.exec(line);
      if (match === null) return [];
      const [, name = '', state = '', note = ''] = match;
      const pid = /^pid (\d{1,10}),/.exec(note)?.[1];
      return [{ name, state, pid: pid === undefined ? null : Number(pid), note: note.trim().slice(0, 200) }];
    });
    const isRunning = lines.includes('running');
    const other = lines.find((line) => line.startsWith(' ') && !/^ \S+\s+[A-Z]{4,10}(\s|$)/.test(line));
    if (isRunning && programs.length === 0 && other !== undefined) {
      // A socket that nobody listens on was left behind.
      if (/refused|no such file/i.test(other)) return known({ ...base(value, lines), isRunning: false, programs });
      return unknown(`supervisorctl: ${other.trim().slice(0, 200)}`);
    }
    return known({ ...base(value, lines), isRunning, programs });
  },
};

function base(
  value: (word: string) => readonly string[],
  lines: readonly string[],
): Pick<Supervisor, 'isInstalled' | 'configPath' | 'programFiles'> {
  return {
    isInstalled: lines.includes('installed'),
    configPath: value('config')[0] ?? null,
    programFiles: value('file'),
  };
}
