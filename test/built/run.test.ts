import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnv, ensureBuilt, node, root, runJs, runToEnd, temporaryFolder } from '../support/built';

const fake = join(root, 'test/support/fake-netctl.cjs');
const folders: { readonly remove: () => void }[] = [];

function home(): string {
  const folder = temporaryFolder();
  folders.push(folder);
  return folder.path;
}

function netctl(words: readonly string[], env = cleanEnv(home())) {
  return runToEnd([node, runJs, ...words], { env });
}

beforeAll(ensureBuilt);
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove();
});

describe('the built netctl', () => {
  it('says its version', async () => {
    for (const words of [['--version'], ['-v']]) {
      const { status, stdout } = await netctl(words);
      expect(status).toBe(0);
      expect(stdout).toMatch(/^netctl\/\d+\.\d+\.\d+ \w+-\w+ node-v\d+\.\d+\.\d+\n$/);
    }
  });

  it('shows its commands when it is given no word', async () => {
    const bare = await netctl([]);
    expect(bare).toMatchObject({ status: 0, stderr: '' });
    expect(bare.stdout).toContain('COMMANDS');
    expect(bare.stdout).toContain('  explain ');
    expect((await netctl(['--help'])).stdout).toBe(bare.stdout);
    expect((await netctl(['help'])).stdout).toBe(bare.stdout);
  });

  it('gives the same help for a command in all three ways', async () => {
    const [flag, word, before] = await Promise.all([
      netctl(['explain', '--help']),
      netctl(['help', 'explain']),
      netctl(['explain', '-o', 'json', '-h']),
    ]);
    expect(flag.status).toBe(0);
    expect(flag.stdout).toContain('netctl explain [CODE] [FLAGS]');
    expect(word.stdout).toBe(flag.stdout);
    expect(before.stdout).toBe(flag.stdout);
  });

  it('never asks for help when the word stands after --', async () => {
    expect(await netctl(['explain', '--', '--help'])).toMatchObject({ status: 2, stdout: '' });
  });

  it.each([
    [['explian'], 'explian: netctl has no such command', 'did you mean: netctl explain'],
    [['explain', '--jsn'], '--jsn: netctl explain has no such flag', 'did you mean: --json'],
    [['explain', '--outptu=json'], 'netctl explain has no such flag', 'did you mean: --output=json'],
    [['explain', '-o', 'jsn'], '--output: jsn is not one of table, wide', 'did you mean: json'],
    [['explain', '-ojsn'], '--output: jsn is not one of', 'did you mean: json'],
    [['completion', 'bsh'], 'netctl completion: bsh is not one of bash, zsh, fish', 'did you mean: bash'],
    [['completion'], 'netctl completion: SHELL must be given', 'netctl help completion'],
    [['explain', 'a', 'b c'], 'b c: netctl explain takes 1 argument', 'netctl help explain'],
    [['explain', '--output'], '--output: needs a value: table, wide', 'netctl help explain'],
    [['explain', '-o', 'yaml', '-o', 'csv'], '--output: can be given only once', 'netctl help explain'],
    [['-o', 'yaml', 'explain'], '-o: a flag comes after the command', 'netctl explain -o yaml'],
    [['explain', 'unknown-fleg'], 'unknown-fleg: netctl explain knows no such code', 'netctl explain unknown-flag'],
  ])('refuses %j with exit code 2 and says what was meant', async (words, message, help) => {
    const { status, stdout, stderr } = await netctl(words);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^netctl: /);
    expect(stderr).toContain(message);
    expect(stderr).toContain(help);
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  it('names the variable that a bad value came from', async () => {
    const { status, stderr } = await netctl(['explain'], cleanEnv(home(), { NETCTL_OUTPUT: 'jsn' }));
    expect(status).toBe(2);
    expect(stderr).toContain('NETCTL_OUTPUT: jsn is not one of');
  });

  it('prints its errors as JSON to those who asked for JSON', async () => {
    const { status, stderr } = await netctl(['explain', 'nothing', '-o', 'json']);
    expect(status).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ kind: 'Error', code: 'unknown-code', exit: 2 });
  });

  it('needs nothing but the files that are shipped: no node_modules', async () => {
    const folder = home();
    for (const shipped of ['bin', 'dist', 'oclif.manifest.json', 'package.json']) {
      cpSync(join(root, shipped), join(folder, shipped), { recursive: true });
    }
    const argv = [node, join(folder, 'bin/run.js'), 'explain', '6', '-o', 'yaml'] as const;
    const { status, stdout, stderr } = await runToEnd([...argv], { env: cleanEnv(folder) });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('apiVersion: netctl/v1');
  });

  it('keeps the warnings of Node and of libraries to itself, except for debugging', async () => {
    const folder = home();
    const noisy = join(folder, 'noisy.cjs');
    const emit = `process.emitWarning('old', 'DeprecationWarning', 'DEP0040'); process.emitWarning('odd');`;
    // Warnings are given out at the next tick, when bin/run.js has taken over.
    writeFileSync(noisy, emit);
    const env = cleanEnv(folder, { NODE_OPTIONS: `--require ${noisy}` });
    expect(await netctl(['explain', '6'], env)).toMatchObject({ status: 0, stderr: '' });
    expect((await netctl(['explain', '6'], { ...env, NETCTL_DEBUG: '1' })).stderr).toContain('odd');
  });
});

// `script` (bsdutils, essential in Debian) gives a command a terminal.
describe.skipIf(spawnSync('script', ['--version']).error !== undefined)('on a terminal', () => {
  function onTerminal(words: string, more: Readonly<Record<string, string>> = {}) {
    const env = { ...cleanEnv(home(), { TERM: 'xterm', ...more }), SHELL: '/bin/sh' };
    return runToEnd(['script', '-qec', `stty cols 60; '${node}' '${runJs}' ${words}`, '/dev/null'], { env });
  }

  it('runs, refuses and helps as in a pipe, within its width', async () => {
    for (const [words, status, text] of [
      ['explain 6', 0, 'Conflict'],
      ['explain', 0, 'unknown-flag'],
      ['completion bash', 0, '_netctl'],
      ['help explain', 0, 'exit-codes lists the exit codes'],
      ['explain nothing', 2, 'netctl explain knows no such code'],
      ['explain -o jsn', 2, 'did you mean: json'],
    ] as const) {
      const ended = await onTerminal(words, { NO_COLOR: '1' });
      expect({ words, status: ended.status }).toEqual({ words, status });
      expect(ended.stdout).toContain(text);
      expect(ended.stdout).not.toContain('\u001b');
      if (words !== 'completion bash') {
        expect(Math.max(...ended.stdout.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(60);
      }
    }
  });

  it('uses colour, unless NO_COLOR forbids it', async () => {
    expect((await onTerminal('help explain')).stdout).toContain('\u001b[1mUSAGE');
    expect((await onTerminal('help explain', { NO_COLOR: '1' })).stdout).toContain('\nUSAGE');
  });
});

describe('a run that is cut off', () => {
  it('has given all of its output to a slow reader', async () => {
    const script = `"$0" "$1" act flood | { sleep 1; wc -c; }; echo "\${PIPESTATUS[0]}"`;
    const { stdout } = await runToEnd(['bash', '-c', script, node, fake], { env: cleanEnv(home()) });
    expect(stdout.trim().split('\n')).toEqual(['20000000', '0']);
  });

  it('ends quietly as by SIGPIPE when its reader goes away', async () => {
    const script = `"$0" "$1" act flood | head -c 10; echo " \${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await runToEnd(['bash', '-c', script, node, fake], { env: cleanEnv(home()) });
    expect(stdout).toBe('xxxxxxxxxx 141\n');
    expect(stderr).toBe('');
  });

  it('ends with 130 and without a stack on Ctrl-C', async () => {
    expect(await interrupt('wait', 'waiting')).toMatchObject({ status: 130, stdout: 'waiting\n', stderr: '' });
  });

  it('lets a change that is on its way end first', async () => {
    const { status, stdout } = await interrupt('change', 'begun');
    expect(status).toBe(130);
    expect(stdout).toBe('begun\nwritten\n');
  });

  it('calls what nobody foresaw a bug, exit code 1', async () => {
    const { status, stderr } = await runToEnd([node, fake, 'act', 'throw'], { env: cleanEnv(home()) });
    expect(status).toBe(1);
    expect(stderr).toContain('bug in netctl');
    expect(stderr).toContain('nobody thought of it');
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  function interrupt(
    act: string,
    sign: string,
  ): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
    return new Promise((resolve) => {
      const child = spawn(node, [fake, 'act', act], { env: cleanEnv(home()) });
      let stdout = '';
      let stderr = '';
      child.stderr.on('data', (bytes: Buffer) => {
        stderr += bytes.toString();
      });
      child.stdout.on('data', (bytes: Buffer) => {
        stdout += bytes.toString();
        if (stdout.includes(sign) && !child.killed) child.kill('SIGINT');
      });
      child.on('close', (status) => resolve({ status, stdout, stderr }));
    });
  }
});

describe('the code cache', () => {
  const cacheIn = (folder: string): string => {
    const [version = ''] = readdirSync(join(folder, '.cache/netctl'));
    return join(folder, '.cache/netctl', version);
  };

  it('is kept in a folder of ours that nobody else may read or write', async () => {
    const folder = home();
    await netctl(['explain', '6'], cleanEnv(folder));
    const cache = cacheIn(folder);
    expect(cache).toContain('-v');
    expect(statSync(cache).mode & 0o777).toBe(0o700);
    expect(readdirSync(cache)).toEqual(['netctl.cjs.explain.bin']);
    expect(statSync(join(cache, 'netctl.cjs.explain.bin')).mode & 0o777).toBe(0o600);
  });

  it('is written again for a new kind of run, and for no other', async () => {
    const folder = home();
    const env = cleanEnv(folder);
    await netctl(['explain', '6'], env);
    const file = join(cacheIn(folder), 'netctl.cjs.explain.bin');
    const first = statSync(file);
    await sleep(20);
    await netctl(['explain', '5'], env);
    expect(statSync(file).mtimeMs).toBe(first.mtimeMs);
    await netctl(['explain', '5', '-o', 'json'], env);
    expect(statSync(file).mtimeMs).toBeGreaterThan(first.mtimeMs);
    expect(statSync(file).size).toBeGreaterThan(first.size);
  });

  it('is one for each command, so that no command reads what another needs', async () => {
    const folder = home();
    const env = cleanEnv(folder);
    for (const words of [
      ['explain'],
      ['completion', 'bash'],
      ['explain', '--help'],
      ['nonsense'],
      ['__complete', '--', 'e'],
    ]) {
      await netctl(words, env);
    }
    const names = readdirSync(cacheIn(folder)).filter((name) => name.startsWith('netctl.cjs.'));
    expect(names.sort()).toEqual(['complete', 'completion', 'explain', 'help'].map((id) => `netctl.cjs.${id}.bin`));
  });

  it('is not believed when it is damaged', async () => {
    const folder = home();
    const env = cleanEnv(folder);
    await netctl(['explain', '6'], env);
    const file = join(cacheIn(folder), 'netctl.cjs.explain.bin');
    const bytes = readFileSync(file);
    for (const damaged of [
      Buffer.concat([bytes.subarray(0, 8192), Buffer.alloc(512), bytes.subarray(8704)]),
      bytes.subarray(0, 100_000),
      bytes.subarray(0, 2),
      Buffer.alloc(bytes.length, 0xff),
      Buffer.alloc(0),
    ]) {
      writeFileSync(file, damaged);
      expect(await netctl(['explain', '6'], env)).toMatchObject({ status: 0, signal: null, stderr: '' });
    }
  });

  it('is not believed when others could have written it', async () => {
    const folder = home();
    const env = cleanEnv(folder);
    await netctl(['explain', '6'], env);
    const cache = cacheIn(folder);
    const file = join(cache, 'netctl.cjs.explain.bin');
    chmodSync(file, 0o666);
    await netctl(['explain', '6'], env);
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const before = statSync(file).mtimeMs;
    chmodSync(cache, 0o777);
    expect(await netctl(['explain', '6', '-o', 'json'], env)).toMatchObject({ status: 0 });
    expect(statSync(file).mtimeMs).toBe(before);
  });

  it('is left alone when the folder is somebody else’s link', async () => {
    const folder = home();
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    mkdirSync(join(folder, '.cache'));
    symlinkSync(elsewhere, join(folder, '.cache/netctl'));
    expect(await netctl(['explain', '6'], cleanEnv(folder))).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it('goes where XDG_CACHE_HOME says, and nowhere when it is switched off or cannot be written', async () => {
    const folder = home();
    const xdg = join(folder, 'xdg');
    mkdirSync(xdg);
    await netctl(['explain', '6'], cleanEnv(folder, { XDG_CACHE_HOME: xdg, NETCTL_NO_CODE_CACHE: '1' }));
    expect(readdirSync(xdg)).toEqual([]);
    await netctl(['explain', '6'], cleanEnv(folder, { XDG_CACHE_HOME: xdg }));
    expect(readdirSync(xdg)).toEqual(['netctl']);
    const silent = cleanEnv(folder, { XDG_CACHE_HOME: '/proc/nowhere' });
    expect(await netctl(['explain', '6'], silent)).toMatchObject({ status: 0, stderr: '' });
  });
});
