import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The Node that the built CLI is tried on: `NETCTL_TEST_NODE` (see scripts/node-lts.mjs) or our own. */
export const node = process.env['NETCTL_TEST_NODE'] ?? process.execPath;
export const runJs = join(root, 'bin/run.js');

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Builds once a test run when a source is newer than the bundle. */
export function ensureBuilt(): void {
  const bundle = join(root, 'oclif.manifest.json');
  const folders = ['src', 'scripts'];
  const isFresh =
    existsSync(bundle) &&
    folders.every((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).every(
        (file) => statSync(join(root, folder, file)).mtimeMs <= statSync(bundle).mtimeMs,
      ),
    );
  if (isFresh) return;
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/build.mjs')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`scripts/build.mjs: ${stderr}`);
}

/** An environment that knows nothing of the person who runs the tests. */
export function cleanEnv(home: string, more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '', HOME: home, LANG: 'C.UTF-8', ...more };
}

export function temporaryFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'netctl-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs a program to its end with all its output; `file` first, as in a shell. */
export function runToEnd(
  argv: readonly [string, ...string[]],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd?: string; readonly stdin?: string },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const [file, ...args] = argv;
    const child = spawn(file, args, { env: options.env, cwd: options.cwd ?? options.env['HOME'], timeout: 25_000 });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
    child.stdin.end(options.stdin ?? '');
  });
}
