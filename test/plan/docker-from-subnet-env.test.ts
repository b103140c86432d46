import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DaemonJsonPart } from '../../src/lib/net/docker-options';
import { mkDockerOpts } from '../../src/lib/net/docker-options';
import { newestFlannel } from '../../src/lib/net/flannel-version';
import { mergeDaemonJson, readDaemonJson } from '../../src/lib/net/json-edit';
import { dockerFromSubnetEnvScript } from '../../src/lib/plan/docker-from-subnet-env';

const env = 'FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.21.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n';
const part: DaemonJsonPart = { bip: '172.7.21.1/24', mtu: 1450, 'ip-masq': false };
const keys = ['bip', 'ip-masq', 'mtu'];

/** The shells, each with the tools that come with it: the script must not lean on GNU ones. */
const shells = { dash: ['dash'], busybox: ['busybox', 'sh'], bash: ['bash', '--posix'] } as const;

let folder = '';
const path = (name: string): string => join(folder, name);
const put = (name: string, text: string): void => writeFileSync(path(name), text);
const get = (name: string): string => readFileSync(path(name), 'utf8');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netctl-helper-'));
  mkdirSync(path('tools'));
  const applets = execFileSync('busybox', ['--list'], { encoding: 'utf8' }).split('\n');
  for (const name of [
    'awk',
    'basename',
    'cat',
    'cp',
    'dirname',
    'mkdir',
    'mv',
    'readlink',
    'rm',
    'sed',
    'sleep',
    'stat',
    'sync',
    'tail',
  ]) {
    if (applets.includes(name)) symlinkSync('/usr/bin/busybox', path(`tools/${name}`));
  }
  mkdirSync(path('fake'));
  put('dash.sh', dockerFromSubnetEnvScript);
  put('bash.sh', dockerFromSubnetEnvScript);
  put('busybox.sh', dockerFromSubnetEnvScript.replace(/^PATH=.*$/m, `PATH=${path('tools')}`));
  put('fake.sh', dockerFromSubnetEnvScript.replace(/^PATH=/m, `PATH=${path('fake')}:`));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(shell: keyof typeof shells | 'fake', ...words: readonly string[]) {
  const [program, ...before] = shell === 'fake' ? shells.dash : shells[shell];
  const ended = spawnSync(program, [...before, path(`${shell}.sh`), ...words], {
    encoding: 'utf8',
    // What docker.service has in its environment must not count.
    env: { PATH: process.env['PATH'] ?? '', FLANNEL_SUBNET: '1.2.3.4/8', FLANNEL_DOCKER_OPTS: '--debug' },
  });
  return { status: ended.status, stderr: ended.stderr, stdout: ended.stdout };
}

describe.each(Object.keys(shells))('the script that a node runs in front of dockerd, under %s', (name) => {
  const shell = name === 'busybox' ? 'busybox' : name === 'bash' ? 'bash' : 'dash';
  const json = (text: string, subnetEnv = env, seconds = '0', ...asked: readonly string[]) => {
    put('env', subnetEnv);
    put('daemon.json', text);
    const ended = run(shell, 'json', path('env'), seconds, path('daemon.json'), ...(asked.length > 0 ? asked : keys));
    return { ...ended, text: get('daemon.json') };
  };

  it('changes the three values where they stand, and nothing else', () => {
    const text =
      '{\r\n  "log-opts": {"mtu": 1, "x": "\\"bip\\": \\\\"}, "bip" :\r\n "172.17.0.1/16",\r\n"é": ["bip", {"ip-masq": 1}], "mtu":1500,"ip-masq":true,\t"z":"mtu"}';
    put('daemon.json', text);
    chmodSync(path('daemon.json'), 0o640);
    const ended = json(text);
    expect(ended).toMatchObject({ status: 0, stdout: '' });
    expect(ended.text).toBe(
      text
        .replace('172.17.0.1/16', '172.7.21.1/24')
        .replace('1500', '1450')
        .replace('"ip-masq":true', '"ip-masq":false'),
    );
    expect(statSync(path('daemon.json')).mode & 0o777).toBe(0o640);
    expect(ended.stderr).toContain('bip 172.7.21.1/24, mtu 1450, ip-masq false');
  });

  it('writes nothing when all is right', () => {
    const text = mergeDaemonJson({ kind: 'absent' }, part).text;
    put('daemon.json', text);
    const { ino } = statSync(path('daemon.json'));
    expect(json(text)).toEqual({ status: 0, stdout: '', stderr: '', text });
    expect(statSync(path('daemon.json')).ino).toBe(ino);
  });

  it('adds no key, and touches none that it was not given', () => {
    const ended = json('{"mtu": 1500, "ip-masq": true}', env, '0', 'bip', 'mtu');
    expect(ended.text).toBe('{"mtu": 1450, "ip-masq": true}');
    expect(ended.stderr).toContain('it has no bip');
  });

  it.each([
    ['brackets that do not match', '{"mtu": 1500'],
    ['a text that does not end', '{"mtu": 1500, "a": "\n}'],
    ['a key that stands twice', '{"mtu": 1, "mtu": 2}'],
  ])('leaves a file as it is with %s', (_name, text) => {
    const ended = json(text);
    expect(ended).toMatchObject({ status: 1, text });
    expect(ended.stderr).toContain('was left as it is');
    expect(readdirSync(folder).filter((each) => each.startsWith('.'))).toEqual([]);
  });

  it('leaves the file when there is no subnet in time, or one that is none', () => {
    for (const bad of ['', 'FLANNEL_SUBNET=x\n', 'FLANNEL_SUBNET=fd00::1/64\n', 'FLANNEL_SUBNET=$(touch /tmp/x)\n']) {
      const ended = json('{"bip": "172.7.9.1/24"}', bad);
      expect(ended).toMatchObject({ status: 1, text: '{"bip": "172.7.9.1/24"}' });
      expect(ended.stderr).toContain('has no subnet yet');
    }
  });

  it('reads subnet.env as a shell does, without running it', () => {
    const text = `FLANNEL_SUBNET=10.9.9.1/24\nexport FLANNEL_SUBNET="172.7.21.1/24" # note\nFLANNEL_MTU='1450'\nFLANNEL_IPMASQ=true\ntouch ${path('ran')}\n`;
    expect(json('{"bip":"","mtu":1,"ip-masq":true}', text).text).toBe(
      '{"bip":"172.7.21.1/24","mtu":1450,"ip-masq":false}',
    );
    expect(existsSync(path('ran'))).toBe(false);
  });

  it('follows a link to the file, and keeps the link', () => {
    put('real.json', '{"mtu": 1}');
    rmSync(path('link.json'), { force: true });
    symlinkSync('real.json', path('link.json'));
    put('env', env);
    run(shell, 'json', path('env'), '0', path('link.json'), 'mtu');
    expect(get('real.json')).toBe('{"mtu": 1450}');
    expect(get('link.json')).toBe('{"mtu": 1450}');
  });

  it('writes options through a link, which stays', () => {
    put('real.env', 'FLANNEL_DOCKER_OPTS=""\n');
    for (const name of ['opts.link', 'kept.opts']) rmSync(path(name), { force: true });
    symlinkSync('real.env', path('opts.link'));
    put('env', env);
    const write = () => run(shell, 'options', path('env'), '0', path('opts.link'), path('kept.opts'), 'OPTS', 'mtu');
    write();
    expect([lstatSync(path('opts.link')).isSymbolicLink(), get('real.env')]).toEqual([true, 'OPTS=" --mtu=1450"\n']);
    put('real.env', '');
    put('env', '');
    write();
    expect([lstatSync(path('opts.link')).isSymbolicLink(), get('real.env')]).toEqual([true, 'OPTS=" --mtu=1450"\n']);
  });

  it('waits for a file that comes late, and for one of the boot before to be written anew', () => {
    put('env', env);
    utimesSync(path('env'), 1, 1);
    put('daemon.json', '{"mtu": 1}');
    const started = performance.now();
    const stale = run(shell, 'json', path('env'), '1', path('daemon.json'), 'mtu');
    expect(performance.now() - started).toBeGreaterThan(900);
    // flanneld takes the same subnet again whenever it can, so the old one is the best guess.
    expect(stale).toMatchObject({ status: 0 });
    expect(get('daemon.json')).toBe('{"mtu": 1450}');
  });

  it('writes options to the byte as mk-docker-opts.sh -c does, and keeps them for a boot without flannel', () => {
    put('env', env);
    const words = [
      'options',
      path('env'),
      '0',
      path('run/opts.env'),
      path('kept/opts.env'),
      'FLANNEL_DOCKER_OPTS',
      ...keys,
    ];
    for (let time = 0; time < 2; time++) {
      expect(run(shell, ...words)).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(get('run/opts.env')).toBe(
        mkDockerOpts(env, { combined: true, key: 'FLANNEL_DOCKER_OPTS', flannel: newestFlannel }).text,
      );
    }
    rmSync(path('env'));
    rmSync(path('run'), { recursive: true });
    mkdirSync(path('run'));
    const late = run(shell, ...words);
    expect(late.status).toBe(0);
    expect(late.stderr).toContain('is as it was last');
    expect(get('run/opts.env')).toBe(get('kept/opts.env'));
    expect(readdirSync(path('run'))).toEqual(['opts.env']);
  });

  it('changes values as netctl itself does, in every daemon.json', () => {
    const blank = fc.constantFrom('', ' ', '\n  ', '\r\n\t');
    const value = fc.oneof(
      fc.constantFrom('"172.17.0.1/16"', '1450', 'false', '-1.5e3', 'null'),
      fc.json({ maxDepth: 2 }),
    );
    const key = fc.oneof(fc.constantFrom('bip', 'mtu', 'ip-masq'), fc.string({ maxLength: 3 }));
    const text = fc
      .tuple(
        fc.uniqueArray(fc.tuple(blank, key, blank, value, blank), {
          maxLength: 5,
          selector: (each) => each[1].toLowerCase(),
        }),
        blank,
      )
      .map(
        ([members, end]) =>
          `{${members.map(([a, name, b, json, c]) => `${a}${JSON.stringify(name)}${b}:${json}${c}`).join(',')}${members.length === 0 ? '' : end}}${end}`,
      );
    fc.assert(
      fc.property(text, (before) => {
        const file = readDaemonJson(before);
        if (file.kind !== 'object') return;
        const scalar = (name: keyof DaemonJsonPart): boolean => {
          const member = file.members.find((each) => each.key === name);
          return member !== undefined && member.value.kind !== 'object' && member.value.kind !== 'array';
        };
        const there: DaemonJsonPart = {
          ...(scalar('bip') ? { bip: '172.7.21.1/24' } : {}),
          ...(scalar('mtu') ? { mtu: 1450 } : {}),
          ...(scalar('ip-masq') ? { 'ip-masq': false } : {}),
        };
        expect(json(before).text).toBe(mergeDaemonJson(file, there).text);
      }),
      { numRuns: 20 },
    );
  });
});

describe('the script that watches for another subnet', () => {
  const fake = (name: string, text: string): void => {
    put(`fake/${name}`, `#!/bin/sh\n${text}\n`);
    chmodSync(path(`fake/${name}`), 0o755);
  };
  const follow = (address: string, active = true) => {
    rmSync(path('asked'), { force: true });
    put('env', env);
    fake(
      'ip',
      address === ''
        ? 'exit 1'
        : `echo '3: docker0    inet ${address} brd 1.2.3.4 scope global docker0\\       valid_lft forever'`,
    );
    fake('systemctl', `case "$*" in *is-active*) exit ${active ? 0 : 3} ;; esac; echo "$*" >>${path('asked')}`);
    const { status } = run('fake', 'follow', path('env'));
    return [status, existsSync(path('asked')) ? get('asked') : null];
  };

  it('restarts Docker when docker0 is elsewhere', () => {
    expect(follow('172.7.9.1/24')).toEqual([0, '--no-block try-restart docker.service\n']);
  });

  it('does nothing when docker0 is right, when there is none, and when Docker does not run', () => {
    expect(follow('172.7.21.1/24')).toEqual([0, null]);
    expect(follow('')).toEqual([0, null]);
    expect(follow('172.7.9.1/24', false)).toEqual([0, null]);
  });
});
