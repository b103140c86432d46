import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { node, root, runJs } from '../support/built';
import { cliFor } from '../support/cli';

const { home, netctl, remove } = cliFor({});
afterAll(remove);

const sample = 'FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.74.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n';
const file = join(home, 'subnet.env');
writeFileSync(file, sample);

const options = (...words: readonly string[]) => netctl(['docker', 'options', ...words]);

/** The project's script under dash, with a machine that has no routes. */
function script(words: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const folder = join(home, 'fake');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'ip'), '#!/bin/sh\n');
  chmodSync(join(folder, 'ip'), 0o755);
  const out = join(home, 'script.out');
  const { status } = spawnSync('dash', [join(root, 'test/lab/flannel/mk-docker-opts.sh'), '-d', out, ...words], {
    env: { PATH: `${folder}:${process.env['PATH']}`, ...more },
  });
  return { status, stdout: readFileSync(out, 'utf8') };
}

describe('netctl docker options', () => {
  it('takes /dev/stdout for a file, as the script does', () => {
    const ended = spawnSync(
      'bash',
      ['-c', '"$0" "$1" docker options -f "$2" -d /dev/stdout | cat', node, runJs, file],
      {
        env: { ...process.env, HOME: home },
        encoding: 'utf8',
      },
    );
    expect(ended).toMatchObject({ stdout: script(['-f', file]).stdout, stderr: '', status: 0 });
    expect(lstatSync('/dev/stdout').isSymbolicLink()).toBe(true);
  });

  it.each([[], ['-i'], ['-c'], ['-k', 'CUSTOM_KEY'], ['-m'], ['-i', '-c', '-m'], ['-ick', 'X']])(
    'prints what mk-docker-opts.sh writes: %j %j %j',
    async (...letters) => {
      const words = letters.flat().filter((word) => word !== undefined);
      expect(await options('-f', file, ...words)).toMatchObject(script(['-f', file, ...words]));
      expect(await options('--from', file, ...words)).toMatchObject(script(['-f', file, ...words]));
    },
  );

  it('counts the variables that it inherits, as the script does', async () => {
    const env = { DOCKER_OPTS: '--debug', DOCKER_OPT_ICC: '--icc=false' };
    const { stdout, status } = await netctl(['docker', 'options', '-f', file], { env });
    expect({ stdout, status }).toEqual(script(['-f', file], env));
    expect(stdout).toContain('DOCKER_OPTS="--debug  --bip=10.1.74.1/24 --icc=false --ip-masq=true --mtu=1472"');
  });

  it('takes a subnet file that is not there for an empty one after -f, and for a slip after --from', async () => {
    const missing = join(home, 'missing.env');
    expect(await options('-f', missing)).toMatchObject(script(['-f', missing]));
    const ended = await options('--from', missing);
    expect(ended).toMatchObject({ status: 2, stdout: '' });
    expect(ended.stderr).toContain(missing);
  });

  it('finds no file without a slash after -f, as a shell does not', async () => {
    const ended = await options('-f', 'subnet.env');
    expect(ended).toMatchObject({ status: 2, stdout: '' });
    expect(ended.stderr).toContain('--from subnet.env');
    expect(await options('--from', 'subnet.env')).toMatchObject({ status: 0 });
  });

  it('reads standard input', async () => {
    const ended = await netctl(['docker', 'options', '--from', '-', '--style', 'json'], { stdin: sample });
    expect(ended).toEqual({
      status: 0,
      signal: null,
      stderr: '',
      stdout: '{\n  "bip": "10.1.74.1/24",\n  "mtu": 1472,\n  "ip-masq": true\n}\n',
    });
  });

  it('gives words for dockerd', async () => {
    expect(await options('--from', file, '--style', 'flags', '-m')).toMatchObject({
      status: 0,
      stdout: '--bip=10.1.74.1/24 --mtu=1472\n',
    });
  });

  it('writes a file whole, with the mode that it has, and prints nothing', async () => {
    const out = join(home, 'docker_opts.env');
    expect(await options('-f', file, '-d', out, '-c')).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(statSync(out).mode & 0o777).toBe(0o644);
    chmodSync(out, 0o600);
    await options('-f', file, '-d', out, '-i');
    expect(readFileSync(out, 'utf8')).toBe(script(['-f', file, '-i']).stdout);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(readdirSync(home).filter((name) => name.startsWith('.docker_opts'))).toEqual([]);
  });

  it('leaves the file alone when FLANNEL_IPMASQ is neither true nor false', async () => {
    const out = join(home, 'untouched.env');
    const bad = join(home, 'bad.env');
    writeFileSync(bad, sample.replace('false', 'yes'));
    const ended = await options('-f', bad, '-d', out);
    expect(ended).toMatchObject({ status: 1, stdout: '', stderr: 'Invalid value of FLANNEL_IPMASQ: yes\n' });
    expect(existsSync(out)).toBe(false);
  });

  it('exits 1 when a route to the subnet is there, from v0.18.0 on, with the output made all the same', async () => {
    const routes = join(home, 'routes');
    writeFileSync(routes, 'default via 10.4.7.254 dev eth0\n10.1.74.0/24 via 10.4.7.9 dev eth0\n');
    const ended = await options('-f', file, '-c', '--routes', routes);
    expect(ended).toMatchObject({
      status: 1,
      stdout: 'DOCKER_OPTS=" --bip=10.1.74.1/24 --ip-masq=true --mtu=1472"\n',
      stderr: 'Your routing table already contains the subnet: 10.1.74.0/24 via 10.4.7.9 dev eth0\n',
    });
    expect(await options('-f', file, '-c', '--routes', routes, '--flannel', 'v0.17.0')).toMatchObject({ status: 0 });
  });

  it('runs nothing of the file, and says why it does not go on', async () => {
    const hostile = join(home, 'hostile.env');
    writeFileSync(hostile, `FLANNEL_MTU=$(touch ${join(home, 'ran')})\u001b[2J\n`);
    for (const style of ['env', 'json']) {
      const ended = await options('--from', hostile, '--style', style);
      expect(ended).toMatchObject({ status: 2, stdout: '' });
      expect(ended.stderr).toContain('line 1');
      expect(ended.stderr).not.toContain('\u001b');
    }
    expect(existsSync(join(home, 'ran'))).toBe(false);
  });

  it('refuses letters that have no meaning for a style', async () => {
    const ended = await options('--from', file, '--style', 'json', '-i');
    expect(ended.status).toBe(2);
    expect(ended.stderr).toContain('--individual belongs to --style env');
  });
});
