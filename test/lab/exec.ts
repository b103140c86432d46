import { spawn } from 'node:child_process';
import { LabError } from './lab-error';

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code; 128 + the signal's number when a signal ended it; 124 when its time was up. */
  readonly code: number;
}

export interface ExecOptions {
  readonly stdin?: string;
  /** How long it may run before it is killed. 60 unless told. */
  readonly timeoutSeconds?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Gives each chunk of output as it comes, both streams mixed. */
  readonly onOutput?: (text: string) => void;
}

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGPIPE: 13, SIGTERM: 15 };

/** Runs a program on this machine and gives back what it said and how it ended; it never throws for an exit code. */
export function exec(argv: readonly [string, ...string[]], options: ExecOptions = {}): Promise<Output> {
  const [program, ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: options.env === undefined ? process.env : { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let late = false;
    const timer = setTimeout(
      () => {
        late = true;
        child.kill('SIGKILL');
        // A grandchild may hold the pipes open for ever: what it says after the deadline is of no interest.
        child.stdout.destroy();
        child.stderr.destroy();
      },
      (options.timeoutSeconds ?? 60) * 1000,
    );
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      into.push(chunk);
      options.onOutput?.(chunk.toString('utf8'));
    };
    child.stdout.on('data', collect(stdout));
    child.stderr.on('data', collect(stderr));
    // The program may end without reading its input.
    child.stdin.on('error', () => {});
    child.stdin.end(options.stdin ?? '');
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new LabError(`${program}: cannot be started: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
        code: late ? 124 : (code ?? 128 + (signalNumbers[signal ?? ''] ?? 0)),
      });
    });
  });
}

/** Like `exec`, for what must succeed. Throws LabError with what the program said. */
export async function mustExec(argv: readonly [string, ...string[]], options: ExecOptions = {}): Promise<string> {
  const output = await exec(argv, options);
  if (output.code !== 0) {
    const said = `${output.stdout}${output.stderr}`.trim().split('\n').slice(-15).join('\n');
    throw new LabError(`${argv.slice(0, 4).join(' ')}: exit code ${output.code}\n${said}`);
  }
  return output.stdout;
}

/** Runs a shell script that must succeed; it stops at the first command that fails. */
export function mustRunScript(script: string, options: ExecOptions = {}): Promise<string> {
  return mustExec(['sh', '-eu', '-s'], { ...options, stdin: script });
}
