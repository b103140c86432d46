import { type ChildProcess, spawn } from 'node:child_process';
import { cleanEnv, node, runJs } from './built';
import { until } from './etcd';

export interface Terminal {
  /** All that was shown, escape sequences included. */
  readonly shown: () => string;
  /** Waits until it was shown. */
  readonly shows: (text: string | RegExp) => Promise<void>;
  /** As typed: `\x03` is Ctrl-C. */
  readonly type: (text: string) => void;
  /** `stty` of the terminal before and after the program, and its exit code. */
  readonly ended: Promise<{ readonly status: number; readonly before: string; readonly after: string }>;
  readonly kill: () => void;
}

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Runs the built netctl on a pseudo terminal of its own (`script` of util-linux). */
export function netctlOnTerminal(
  argv: readonly string[],
  options: {
    readonly home: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly columns?: number;
    readonly rows?: number;
  },
): Terminal {
  const size = `stty cols ${options.columns ?? 100} rows ${options.rows ?? 30}`;
  const program = [node, runJs, ...argv].map(quoted).join(' ');
  // The shell must outlive Ctrl-C, to tell how the program ended and what it left behind.
  const line = `trap : INT; ${size}; echo "before=$(stty -g)"; ${program}; echo "status=$?"; echo "after=$(stty -g)"`;
  const child: ChildProcess = spawn('script', ['-qefc', line, '/dev/null'], {
    env: cleanEnv(options.home, { TERM: 'xterm-256color', SHELL: '/bin/bash', ...options.env }),
    cwd: options.home,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  const timer = setTimeout(kill, 55_000);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve())).then(() => {
    clearTimeout(timer);
    const find = (name: string): string => new RegExp(`${name}=([0-9a-f:]+)`).exec(text)?.[1] ?? '';
    return { status: Number(find('status') || '-1'), before: find('before'), after: find('after') };
  });
  return {
    shown: () => text,
    shows: (wanted) =>
      until(`${wanted} in ${text}`, () => (typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text))),
    type: (typed) => void child.stdin?.write(typed),
    ended,
    kill,
  };
}
