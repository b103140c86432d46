import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
  /** Milliseconds after which the run is killed and the test fails. */
  readonly timeoutMs?: number;
}

const repository = path.resolve(import.meta.dirname, '../..');
/** An empty home: no inventory, no settings of the person who runs the tests. */
const emptyHome = mkdtempSync(path.join(tmpdir(), 'netctl-home-'));

/** The environment of a test run: nothing of ours leaks in but the path and one shared code cache. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: emptyHome,
    XDG_CACHE_HOME: path.join(emptyHome, 'cache'),
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ...extra,
  };
}

/** Runs the built CLI as a person would, and waits for its end. */
export function netctl(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.env['NETCTL_TEST_NODE'] ?? process.execPath,
      [path.join(repository, 'bin/run.js'), ...argv],
      {
        cwd: options.cwd ?? emptyHome,
        env: cleanEnvironment(options.env),
        stdio: 'pipe',
      },
    );
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const limit = options.timeoutMs ?? 20_000;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`netctl ${argv.join(' ')} was still running after ${limit} ms\n${Buffer.concat(err)}`));
    }, limit);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8') });
    });
    child.stdin.on('error', () => {});
    child.stdin.end(options.stdin ?? '');
  });
}
