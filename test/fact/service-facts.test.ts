import { describe, expect, it } from 'vitest';
import { addressOf } from '../../src/lib/fact/address';
import { dockerState, dockerVersionOf, isDockerAtLeast } from '../../src/lib/fact/docker';
import { runningContainers } from '../../src/lib/fact/docker-containers';
import { dockerNetworks } from '../../src/lib/fact/docker-networks';
import { etcdReach } from '../../src/lib/fact/etcd-reach';
import { firewalls } from '../../src/lib/fact/firewalls';
import { flannelPrograms } from '../../src/lib/fact/flannel-programs';
import { iptablesPrograms, iptablesRules } from '../../src/lib/fact/iptables';
import { parseNft } from '../../src/lib/fact/nft-tables';
import { processesNamed } from '../../src/lib/fact/processes';
import { supervisor } from '../../src/lib/fact/supervisor';
import { units } from '../../src/lib/fact/units';
import { captured, knownValue, printed, whyOf } from './captured';

describe('docker', () => {
  it('of Debian 12 runs with iptables and does not say so', () => {
    expect(knownValue(dockerState.parse(printed(captured('docker-info-20.10.txt'))))).toMatchObject({
      state: 'running',
      engine: {
        version: { major: 20, minor: 10, patch: 24, text: '20.10.24+dfsg1' },
        firewallBackend: 'iptables',
        isLiveRestore: false,
      },
    });
  });

  it('29 names its firewall backend', () => {
    expect(knownValue(dockerState.parse(printed(captured('docker-info-29.txt'))))).toMatchObject({
      state: 'running',
      engine: {
        firewallBackend: 'nftables',
        usesFirewalld: true,
        isLiveRestore: true,
        addressPools: ['10.200.0.0/16'],
      },
    });
  });

  it('that is stopped is known, one that we may not ask or that is not there is not', () => {
    const stopped =
      '{"ServerErrors":["Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"],"ClientInfo":{}}\n';
    expect(knownValue(dockerState.parse(printed(stopped, 1)))).toMatchObject({ state: 'stopped' });
    const denied = '{"ServerErrors":["permission denied while trying to connect to the Docker daemon socket"]}\n';
    expect(whyOf(dockerState.parse(printed(denied, 1)))).toBe('docker: permission denied on its socket');
    expect(whyOf(dockerState.parse(printed('', 127)))).toBe('docker is not installed');
    expect(whyOf(dockerState.parse(printed('{"ServerVersion":"\\u001b[31mx"}')))).toContain('docker info');
  });

  it('has networks with ranges, MTU and the switch of the masquerade', () => {
    const networks = knownValue(dockerNetworks.parse(printed(captured('docker-network-inspect-20.10.txt'))));
    expect(networks.find(({ name }) => name === 'bridge')).toMatchObject({
      device: 'docker0',
      mtu: 1500,
      masquerades: true,
    });
    expect(networks.find(({ name }) => name === 'extra')).toMatchObject({
      device: expect.stringMatching(/^br-[0-9a-f]{12}$/),
      mtu: 1400,
      masquerades: false,
      subnets: [{ range: { family: 4, length: 24 }, gateway: addressOf('10.1.9.254') }],
    });
  });

  it('has no networks and no containers that are known when it failed to tell of some', () => {
    const text = captured('docker-network-inspect-20.10.txt');
    const gone = 'Error: No such network: 0a1b2c\nError response from daemon: network 0a1b2c not found\n';
    expect(dockerNetworks.parse(printed(text, 1, gone)).known).toBe(true);
    const late = 'Error response from daemon: context deadline exceeded\n';
    expect(whyOf(dockerNetworks.parse(printed(text, 1, late)))).toContain('deadline');
    expect(whyOf(dockerNetworks.parse(printed('[]\n', 1, late)))).toContain('deadline');
    expect(dockerNetworks.parse(printed('[]\n', 1, gone)).known).toBe(false);
    const line = `{"Id":"${'0a'.repeat(32)}","Name":"/web","Policy":"no","Pid":944,"Networks":{} }\n`;
    expect(runningContainers.parse(printed(line, 1, 'Error: No such object: 0a1b2c\n')).known).toBe(true);
    expect(whyOf(runningContainers.parse(printed(line, 1, late)))).toContain('deadline');
  });

  it('tells which containers come back by themselves', () => {
    const line = (policy: string) =>
      `{"Id":"${'0a'.repeat(32)}","Name":"/web","Image":"lab.image","Policy":"${policy}","Pid":944,"Networks":{ "bridge":"172.17.0.3","new":"" } }\n`;
    const found = knownValue(
      runningContainers.parse(printed(`${line('unless-stopped') + line('on-failure')}Error: No such object\n`, 1)),
    );
    expect(found.map(({ restartsWithDocker }) => restartsWithDocker)).toEqual([true, false]);
    expect(found[0]?.networks).toEqual(
      new Map([
        ['bridge', addressOf('172.17.0.3')],
        ['new', null],
      ]),
    );
  });

  it('releases are compared by number', () => {
    const version = dockerVersionOf('28.1.1');
    expect(
      version === undefined
        ? []
        : [isDockerAtLeast(version, 28), isDockerAtLeast(version, 28, 2), isDockerAtLeast(version, 27, 9)],
    ).toEqual([true, false, true]);
    expect(dockerVersionOf('dev')).toBeUndefined();
  });
});

describe('systemd units', () => {
  const found = knownValue(
    units(['flanneld.service', 'docker.service', 'nosuch.service']).parse(printed(captured('systemctl-show-252.txt'))),
  );

  it('tell state, dependencies and the words of ExecStart', () => {
    expect(found.get('docker.service')).toMatchObject({
      isFound: true,
      activeState: 'active',
      restart: 'on-failure',
      requires: expect.arrayContaining(['docker.socket']),
      execStart: ['/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS'],
      environmentFiles: [{ path: '/etc/default/docker', isOptional: true }],
      execMainStatus: 0,
    });
    expect(found.get('flanneld.service')).toMatchObject({
      type: 'notify',
      restart: 'always',
      before: expect.arrayContaining(['docker.service']),
      fragmentPath: '/etc/systemd/system/flanneld.service',
      dropInPaths: ['/etc/systemd/system/flanneld.service.d/10-netctl.conf'],
    });
  });

  it('know one that is not there', () => {
    expect(found.get('nosuch.service')).toMatchObject({ isFound: false, loadState: 'not-found', mainPid: null });
  });

  it('are unknown when systemctl answers for another number of units', () => {
    expect(whyOf(units(['a.service']).parse(printed(captured('systemctl-show-252.txt'))))).toContain('3 units');
    expect(
      whyOf(units(['a.service']).parse(printed('', 1, 'System has not been booted with systemd as init system'))),
    ).toContain('not been booted');
  });
});

describe('nft tables', () => {
  const tables = parseNft(captured('nft-docker-29.txt'));

  it('are named, and Docker’s are read rule by rule', () => {
    expect(tables.map(({ family, name, chains }) => [family, name, chains?.length ?? null])).toEqual([
      ['ip', 'nat', null],
      ['ip', 'filter', null],
      ['ip', 'docker-bridges', 5],
      ['ip6', 'docker-bridges', 1],
    ]);
  });

  it('show the masquerade with its handle, and the policy of a base chain', () => {
    const chains = tables[2]?.chains ?? [];
    expect(chains.find(({ name }) => name === 'nat-postrouting-out__docker0')?.rules).toEqual([
      {
        text: 'oifname != "docker0" ip saddr 172.17.0.0/16 counter packets 0 bytes 0 masquerade',
        handle: 25,
        comment: 'MASQUERADE',
      },
    ]);
    expect(chains[0]).toMatchObject({
      name: 'filter-FORWARD',
      hook: { type: 'filter', hook: 'forward', priority: 'filter', policy: 'drop' },
      rules: [{ text: 'oifname vmap @filter-forward-in-jumps', handle: 12 }],
    });
  });

  it('keep a rule whole that nft breaks over lines', () => {
    const raw = tables[2]?.chains?.find(({ name }) => name === 'raw-PREROUTING');
    expect(raw?.rules[1]).toEqual({
      text: 'ip saddr { 10.0.0.1, 10.0.0.2, 10.0.0.3 } accept',
      handle: 31,
      comment: null,
    });
  });
});

describe('iptables', () => {
  it('front ends are told by the word behind the version, and old ones have none', () => {
    const standard = (text: string) => knownValue(iptablesPrograms.parse(printed(text))).standard;
    expect(['iptables v1.8.9 (nf_tables)\n', 'iptables v1.8.9 (legacy)\n', 'iptables v1.4.21\n'].map(standard)).toEqual(
      ['nft', 'legacy', 'legacy'],
    );
    expect(knownValue(iptablesPrograms.parse(printed('', 127))).standard).toBeNull();
    expect(knownValue(iptablesPrograms.parse(printed('iptables v1.4.7\n'))).waitsForLock).toBe(false);
  });

  it('rules that are there and cannot be shown are unknown, not none', () => {
    expect(knownValue(iptablesRules('legacy').parse(printed('', 41)))).toEqual({ state: 'not-in-use' });
    expect(whyOf(iptablesRules('legacy').parse(printed('', 42)))).toContain('there is no iptables-legacy-save');
    expect(whyOf(iptablesRules('nft').parse(printed('*nat\n:A - [0:0]\n')))).toContain(
      'none that iptables-save writes',
    );
    expect(whyOf(iptablesRules('nft').parse(printed('', 1, 'Permission denied (you must be root)')))).toContain(
      'must be root',
    );
  });
});

describe('processes', () => {
  it('are read with their words and variables', () => {
    const text =
      'P 1072 0 1795174614 1\nX/opt/flannel-v0.22.3/flanneld (deleted)\nW/opt/flannel/flanneld\nW--iface=eth0\nW--etcd-password\nW<redacted>\nE\nVFLANNELD_V=1\nVFLANNELD_X=a\u0001b\nP 7 1000 1 0\nW/x\n.\n';
    expect(knownValue(processesNamed('flanneld', ['FLANNELD_']).parse(printed(text)))).toEqual([
      {
        pid: 1072,
        uid: 0,
        program: '/opt/flannel-v0.22.3/flanneld',
        isReplaced: true,
        words: ['/opt/flannel/flanneld', '--iface=eth0', '--etcd-password', '<redacted>'],
        environment: new Map([
          ['FLANNELD_V', '1'],
          ['FLANNELD_X', 'a\nb'],
        ]),
        startedAtSeconds: 1795174614,
        isInHostsNamespace: true,
      },
      {
        pid: 7,
        uid: 1000,
        program: null,
        isReplaced: false,
        words: ['/x'],
        environment: null,
        startedAtSeconds: 1,
        isInHostsNamespace: false,
      },
    ]);
  });

  it('are not those that only tell their release or check a file: the survey runs such ones itself', () => {
    const text =
      'P 1 0 1 1\nW/opt/flanneld\nW--version\nP 2 0 1 1\nWdockerd\nW--validate\nP 3 0 1 1\nWflanneld\nW-v\nW10\n.\n';
    expect(knownValue(processesNamed('x').parse(printed(text))).map(({ pid }) => pid)).toEqual([3]);
  });

  it('are not those that are ending: a zombie has no words left', () => {
    const text = 'P 1 0 9 1\nP 2 0 1 1\nW/opt/flanneld\n.\n';
    expect(knownValue(processesNamed('x').parse(printed(text))).map(({ pid }) => pid)).toEqual([2]);
  });

  it('are unknown when the list was cut off', () => {
    expect(processesNamed('x').parse(printed('P 1 0 1 1\n')).known).toBe(false);
  });
});

describe('supervisor', () => {
  it('tells its programs', () => {
    const text =
      'installed\nconfig /etc/supervisor/supervisord.conf\nfile /etc/supervisor/conf.d/flannel.conf\nrunning\n flanneld-7-21                    RUNNING   pid 123, uptime 0:00:05\n web                              FATAL     Exited too quickly (process log may have details)\n';
    expect(knownValue(supervisor.parse(printed(text)))).toEqual({
      isInstalled: true,
      isRunning: true,
      configPath: '/etc/supervisor/supervisord.conf',
      programFiles: ['/etc/supervisor/conf.d/flannel.conf'],
      programs: [
        { name: 'flanneld-7-21', state: 'RUNNING', pid: 123, note: 'pid 123, uptime 0:00:05' },
        { name: 'web', state: 'FATAL', pid: null, note: 'Exited too quickly (process log may have details)' },
      ],
    });
  });

  it('does not run behind a socket that was left over', () => {
    const text = 'installed\nrunning\n unix:///var/run/supervisor.sock refused connection\n';
    expect(knownValue(supervisor.parse(printed(text))).isRunning).toBe(false);
    expect(
      whyOf(supervisor.parse(printed("running\n error: <class 'PermissionError'>, [Errno 13] Permission denied\n"))),
    ).toContain('Permission');
  });
});

describe('etcd, asked from the node', () => {
  const fact = etcdReach({
    endpoints: ['https://10.4.11.12:2379', 'http://10.4.11.13:2379', 'ftp://x', 'https://u:p@y'],
    ca: '/ca',
  });
  const line = (number: number, tool: string, code: number, ...fields: readonly string[]) =>
    `${number} certificates ${tool} ${code} ${fields.map((text) => (text === '' ? '-' : Buffer.from(text).toString('base64'))).join(' ')}\n`;
  const outcome = (tool: string, code: number, error: string, version = '') =>
    knownValue(fact.parse(printed(line(0, tool, code, version, '', '', error) + line(1, 'bash', 0, '', '', '', ''))))[0]
      ?.outcome;

  it('is asked only at http and https endpoints without a password in them', () => {
    expect(fact.command.argv.slice(7)).toEqual([
      '0',
      'https://10.4.11.12:2379',
      '10.4.11.12',
      '2379',
      '1',
      '1',
      'http://10.4.11.13:2379',
      '10.4.11.13',
      '2379',
      '0',
    ]);
  });

  it('answers with its version, its health and whether it serves v2', () => {
    const answer = line(
      0,
      'curl',
      0,
      '{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}',
      '{"health":"true"}',
      '{"errorCode":100}',
      '',
    );
    expect(knownValue(fact.parse(printed(answer + line(1, 'bash', 0, '', '', '', ''))))).toEqual([
      {
        endpoint: 'https://10.4.11.12:2379',
        with: 'certificates',
        tool: 'curl',
        outcome: { kind: 'answered', version: '3.4.23', isHealthy: true, servesV2: true },
      },
      { endpoint: 'http://10.4.11.13:2379', with: 'certificates', tool: 'bash', outcome: { kind: 'connected' } },
    ]);
  });

  // Each as curl 7.88, openssl 3.0 and bash 5.2 said it in the lab.
  it.each([
    ['curl', 7, 'connect to 10.4.11.22 port 2379 failed: Connection refused', 'refused'],
    ['curl', 28, 'Connection timed out after 3001 milliseconds', 'timeout'],
    ['curl', 6, 'curl: (6) Could not resolve host: nosuch.invalid', 'name'],
    ['curl', 60, 'curl: (60) SSL certificate problem: unable to get local issuer certificate', 'server-certificate'],
    ['curl', 58, "curl: (58) unable to set private key file: '/etc/flannel/ca.pem' type PEM", 'own-certificate'],
    [
      'curl',
      55,
      'curl: (55) getpeername() failed with errno 107: Transport endpoint is not connected',
      'client-certificate',
    ],
    ['curl', 35, 'curl: (35) OpenSSL/3.0.20: error:0A00010B:SSL routines::wrong version number', 'tls'],
    [
      'openssl',
      1,
      'verify error:num=20:unable to get local issuer certificate\nerror:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate',
      'client-certificate',
    ],
    [
      'openssl',
      1,
      'verify error:num=20:unable to get local issuer certificate\ncertificate verify failed',
      'server-certificate',
    ],
    ['openssl', 1, 'BIO_connect:Connection refused\nconnect:errno=111', 'refused'],
    ['bash', 124, '', 'timeout'],
    ['bash', 1, 'bash: connect: No route to host', 'no-route'],
  ] as const)('fails by %s with code %i and is told why: %s', (tool, code, error, kind) => {
    expect(outcome(tool, code, error)?.kind).toBe(kind);
  });

  it('is unknown when the node has nothing to ask with', () => {
    expect(whyOf(fact.parse(printed('')))).toContain('none of curl');
  });
});

it('takes a release only from a program that says one', () => {
  const fact = flannelPrograms(['/opt/flannel/flanneld', '/usr/bin/flanneld', '/home/x/flanneld', 'relative']);
  const text =
    '/opt/flannel/flanneld = v0.22.3\n/usr/bin/flanneld = usage: what\n/home/x/flanneld unsafe\n/etc/passwd = v0.1.0\n';
  expect(knownValue(fact.parse(printed(text)))).toEqual([
    { path: '/opt/flannel/flanneld', version: { major: 0, minor: 22, patch: 3, tag: 'v0.22.3' }, why: null },
    { path: '/usr/bin/flanneld', version: null, why: 'it says "usage: what"' },
    { path: '/home/x/flanneld', version: null, why: expect.stringContaining('others than root') },
  ]);
});

it('reads the zones of firewalld and the switch of ufw', () => {
  const text =
    'firewalld\n public (default)\n   interfaces: eth0\n trusted\n   interfaces: flannel.1 docker0\n   sources: 10.1.0.0/16\nufw\nENABLED=yes\nDEFAULT_FORWARD_POLICY="DROP"\n';
  expect(knownValue(firewalls.parse(printed(text)))).toEqual({
    firewalld: {
      activeZones: new Map([
        ['public', { interfaces: ['eth0'], sources: [] }],
        ['trusted', { interfaces: ['flannel.1', 'docker0'], sources: ['10.1.0.0/16'] }],
      ]),
    },
    ufw: { isEnabled: true, forwardPolicy: 'DROP' },
  });
  expect(knownValue(firewalls.parse(printed('')))).toEqual({ firewalld: null, ufw: null });
});
