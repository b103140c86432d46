import { spawn } from 'node:child_process';
import type { Host } from '../../src/lib/host/host';

/** This machine, asked with a shell of the test's choice, or a lab host by words that reach it. */
export function shellHost(shell: readonly [string, ...string[]], environment: NodeJS.ProcessEnv = process.env): Host {
  return {
    name: 'here',
    close() {},
    run(command, signal) {
      const [, ...rest] = command.argv;
      const [program, ...words] = shell;
      return new Promise((resolve, reject) => {
        const child = spawn(program, [...words, ...rest], {
          env: environment,
          timeout: command.timeoutMs,
          killSignal: 'SIGKILL',
          ...(signal === undefined ? {} : { signal }),
        });
        const stdout: Buffer[] = [];
        const stderr: Buffer[] = [];
        child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
        child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
        child.on('error', reject);
        child.on('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) }));
        child.stdin.on('error', () => {});
        child.stdin.end(command.stdin instanceof Uint8Array ? command.stdin : '');
      });
    },
  };
}
