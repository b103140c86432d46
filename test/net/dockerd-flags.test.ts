import { describe, expect, it } from 'vitest';
import type { DockerUnit } from '../../src/lib/net/dockerd-flags';
import { dockerdCommand, flagConflicts, flagPlace, runningDockerd } from '../../src/lib/net/dockerd-flags';

const unitPath = '/lib/systemd/system/docker.service';
/** docker.io 20.10 of Debian 12. */
const debian =
  '[Unit]\nAfter=network-online.target docker.socket\nRequires=docker.socket\n\n[Service]\nType=notify\n# a comment\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS\nRestart=on-failure\n';

function unit(text: string, more: Partial<DockerUnit> = {}): DockerUnit {
  return { files: [{ path: unitPath, text }], environmentFiles: [], ...more };
}

const texts = (command: ReturnType<typeof dockerdCommand>): readonly string[] => command.words.map(({ text }) => text);
const flags = (command: ReturnType<typeof dockerdCommand>) =>
  Object.fromEntries(command.flags.map(({ setting, value }) => [setting, value]));

describe('how dockerd is started', () => {
  it('is read from the unit, its variables and their files', () => {
    const command = dockerdCommand(
      unit(debian, {
        environmentFiles: [{ path: '/etc/default/docker', text: '# x\nDOCKER_OPTS="--debug --mtu=1400"\n' }],
      }),
    );
    expect(texts(command)).toEqual([
      '/usr/sbin/dockerd',
      '-H',
      'fd://',
      '--containerd=/run/containerd/containerd.sock',
      '--debug',
      '--mtu=1400',
    ]);
    expect(flags(command)).toEqual({
      hosts: 'fd://',
      containerd: '/run/containerd/containerd.sock',
      debug: 'true',
      mtu: '1400',
    });
    expect(command.flags.map(flagPlace).slice(1)).toEqual([
      `--containerd (${unitPath})`,
      '--debug (DOCKER_OPTS in /etc/default/docker)',
      '--mtu (DOCKER_OPTS in /etc/default/docker)',
    ]);
  });

  it('is what the last ExecStart= says, and an empty one forgets those before', () => {
    const command = dockerdCommand(
      unit(debian, {
        files: [
          { path: unitPath, text: debian },
          {
            path: '/etc/systemd/system/docker.service.d/override.conf',
            text: '[Service]\nEnvironment="OPTS=--icc=false" \'B=1\'\nExecStart=\nExecStart=/usr/bin/dockerd \\\n  # why\n  --bip $\u007bADDR} $OPTS "--label=a b" --log-opt=max-size=1%%\n',
          },
        ],
        environmentFiles: [{ path: '/etc/default/docker', text: 'ADDR=10.1.74.1/24' }],
      }),
    );
    expect(texts(command)).toEqual([
      '/usr/bin/dockerd',
      '--bip',
      '10.1.74.1/24',
      '--icc=false',
      '--label=a b',
      '--log-opt=max-size=1%',
    ]);
    expect(flags(command)).toEqual({
      bip: '10.1.74.1/24',
      icc: 'false',
      labels: 'a b',
      'log-opts': 'max-size=1%',
    });
  });

  it("is taken from systemctl's words when the unit cannot be read", () => {
    const command = dockerdCommand({
      files: [],
      execStart:
        '{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS ; ignore_errors=no ; start_time=[n/a] ; pid=0 }',
      environmentFiles: [{ path: '/run/docker_opts.env', text: 'DOCKER_OPTS=" --bip=10.1.74.1/24  --mtu=1450"\n' }],
    });
    expect(flags(command)).toEqual({ hosts: 'fd://', bip: '10.1.74.1/24', mtu: '1450' });
  });

  it('knows flags in every form that dockerd takes', () => {
    const words =
      '/usr/bin/dockerd -DHunix:///x -H=tcp://1 -s overlay2 --bip 10.0.0.1/24 --ip-masq --mtu=1400 --insecure-registry r:5000 --unknown x --tls -b none';
    const command = runningDockerd(words.split(' '));
    expect(command.flags.map(({ setting, value }) => `${setting}=${value}`)).toEqual([
      'debug=true',
      'hosts=unix:///x',
      'hosts=tcp://1',
      'storage-driver=overlay2',
      'bip=10.0.0.1/24',
      'ip-masq=true',
      'mtu=1400',
      'insecure-registries=r:5000',
      'unknown=x',
      'tls=true',
      'bridge=none',
    ]);
  });

  it('is unknown when a shell starts it', () => {
    expect(dockerdCommand(unit('[Service]\nExecStart=/bin/sh -c "exec dockerd --bip=1.2.3.4/8"\n')).isDockerd).toBe(
      false,
    );
    expect(dockerdCommand(unit('[Service]\nExecStart=-/usr/bin/dockerd-current\n')).isDockerd).toBe(true);
  });

  it('names an environment file that is needed and not there', () => {
    const text =
      '[Service]\nEnvironmentFile=/run/flannel/docker\nEnvironmentFile=-/run/x\nExecStart=/usr/bin/dockerd $A\n';
    const environmentFiles = ['/run/flannel/docker', '/run/x'].map((path) => ({ path, text: null }));
    expect(dockerdCommand(unit(text, { environmentFiles })).missingFiles).toEqual(['/run/flannel/docker']);
  });

  it('has no flags without a unit', () => {
    expect(dockerdCommand({ files: [], environmentFiles: [] }).words).toEqual([]);
  });
});

describe('a setting in two places', () => {
  it('is found under the name that it has in daemon.json', () => {
    const { flags: given } = runningDockerd('dockerd -H fd:// --log-opt a=b --add-runtime x=y --mtu 1500'.split(' '));
    const conflicts = flagConflicts(given, new Set(['hosts', 'log-opts', 'runtimes', 'mtu', 'debug']));
    // runtimes are merged, not refused.
    expect(conflicts.map(({ setting }) => setting)).toEqual(['hosts', 'log-opts', 'mtu']);
  });
});
