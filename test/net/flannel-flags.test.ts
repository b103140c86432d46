import { describe, expect, it } from 'vitest';
import {
  type FlanneldWish,
  flagDifferences,
  flagVariable,
  flanneldFlags,
  flannelFlags,
  knowsFlag,
  procWords,
  readFlanneld,
} from '../../src/lib/net/flannel-flags';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';

const old = parseFlannelVersion('v0.11.0');
const middle = parseFlannelVersion('v0.17.0');
const newest = parseFlannelVersion('v0.28.9');
const plain: FlanneldWish = { endpoints: ['http://10.4.7.12:2379'] };

const codesOf = (wish: FlanneldWish, version = newest, severity = 'error'): readonly string[] =>
  flanneldFlags(wish, version)
    .problems.filter((problem) => problem.severity === severity)
    .map(({ code }) => code);

describe('the flags of flanneld', () => {
  it('are known from the release that brought them to the one that took them away', () => {
    const releases = [
      'v0.8.0',
      'v0.10.0',
      'v0.11.0',
      'v0.12.0',
      'v0.14.1',
      'v0.15.0',
      'v0.17.0',
      'v0.18.0',
      'v0.22.3',
      'v0.23.0',
      'v0.27.0',
      'v0.27.1',
      'v0.27.4',
      'v0.28.9',
    ];
    const known = (name: string): readonly string[] =>
      releases.filter((tag) => knowsFlag(parseFlannelVersion(tag), name));
    expect(known('iface-regex')).toEqual(releases);
    expect(known('iptables-resync')[0]).toBe('v0.11.0');
    expect(known('net-config-path')[0]).toBe('v0.12.0');
    expect(known('public-ipv6')[0]).toBe('v0.15.0');
    expect(known('iface-can-reach')[0]).toBe('v0.18.0');
    expect(known('ip-blackhole-route')[0]).toBe('v0.27.1');
    expect(known('ip-masq-fully-random-disable')[0]).toBe('v0.27.4');
    expect(known('use-multi-cluster-cidr')).toEqual(['v0.22.3']);
    expect(known('remote')).toEqual([]);
    expect(known('ipmasq')).toEqual([]);
  });

  it('have the variable that flanneld reads', () => {
    expect(flagVariable('iface-regex')).toBe('FLANNELD_IFACE_REGEX');
    expect(flagVariable('log_backtrace_at')).toBe('FLANNELD_LOG_BACKTRACE_AT');
    expect(new Set(flannelFlags.map(({ name }) => flagVariable(name))).size).toBe(flannelFlags.length);
  });
});

describe('a wish as flags', () => {
  const seed003: FlanneldWish = {
    endpoints: ['https://10.4.7.12:2379', 'https://10.4.7.21:2379', 'https://10.4.7.22:2379'],
    prefix: '/coreos.com/network',
    ca: '/opt/flannel/cert/ca.pem',
    cert: '/opt/flannel/cert/client.pem',
    key: '/opt/flannel/cert/client-key.pem',
    iface: ['eth0'],
    publicIP: '10.4.7.21',
    subnetFile: '/opt/flannel/subnet.env',
    healthzPort: 2401,
  };

  it('is the command line of the published set-up', () => {
    expect(flanneldFlags(seed003, old)).toEqual({
      words: [
        '--etcd-endpoints=https://10.4.7.12:2379,https://10.4.7.21:2379,https://10.4.7.22:2379',
        '--etcd-cafile=/opt/flannel/cert/ca.pem',
        '--etcd-certfile=/opt/flannel/cert/client.pem',
        '--etcd-keyfile=/opt/flannel/cert/client-key.pem',
        '--iface=eth0',
        '--public-ip=10.4.7.21',
        '--subnet-file=/opt/flannel/subnet.env',
        '--healthz-port=2401',
      ],
      environment: [],
      problems: [],
    });
  });

  it('goes into variables, but for what a variable cannot carry', () => {
    const { words, environment } = flanneldFlags(
      { ...plain, iface: ['eth0', '10.4.7.21'], ifaceRegex: ['^10'], ipMasq: true },
      newest,
      'environment',
    );
    expect(words).toEqual(['--iface=eth0', '--iface=10.4.7.21']);
    expect(environment).toEqual([
      ['FLANNELD_ETCD_ENDPOINTS', 'http://10.4.7.12:2379'],
      ['FLANNELD_IFACE_REGEX', '^10'],
      ['FLANNELD_IP_MASQ', 'true'],
    ]);
  });

  it('never has the password on the command line', () => {
    const { words, environment, problems } = flanneldFlags({ ...plain, user: 'flannel', password: 's3cret' }, newest);
    expect(words.join(' ')).not.toContain('s3cret');
    expect(environment).toEqual([['FLANNELD_ETCD_PASSWORD', 's3cret']]);
    expect(JSON.stringify(problems)).not.toContain('s3cret');
    expect(problems.map(({ code }) => code)).toEqual(['flannel-password-logged']);
  });

  it('has every boolean and number in the form that Go reads', () => {
    const { words, problems } = flanneldFlags(
      {
        ...plain,
        options: { 'iptables-forward-rules': false, 'iptables-resync': '0x0a', v: 2, 'ip-blackhole-route': 'T' },
      },
      newest,
    );
    expect(problems).toEqual([]);
    expect(words.slice(1)).toEqual([
      '--ip-blackhole-route=true',
      '--iptables-resync=10',
      '--iptables-forward-rules=false',
      '--v=2',
    ]);
  });

  it('reads back as itself, whichever way it was given', () => {
    const wish: FlanneldWish = { ...seed003, ipMasq: true, ifaceRegex: ['^eth'], options: { 'iptables-resync': 7 } };
    const words = flanneldFlags(wish, newest, 'words');
    const variables = flanneldFlags(wish, newest, 'environment');
    const byWords = readFlanneld(words.words, Object.fromEntries(words.environment), newest);
    const byVariables = readFlanneld(variables.words, Object.fromEntries(variables.environment), newest);
    expect(byWords.problems).toEqual([]);
    expect(byVariables.problems).toEqual([]);
    expect(byVariables.settings.size).toBeGreaterThan(8);
    expect(flagDifferences(byWords, byVariables)).toEqual([]);
  });
});

describe('what flanneld would refuse or ignore', () => {
  it.each<[string, Partial<FlanneldWish>, string, string]>([
    ['a misspelt flag', { options: { ipmasq: true } }, 'v0.28.9', 'flag-unknown'],
    ['dashes and a value in the name', { options: { '--ip-masq=true': true } }, 'v0.28.9', 'flag-unknown'],
    ['a flag of a later release', { ifaceCanReach: '10.4.7.12' }, 'v0.17.0', 'flag-not-in-release'],
    ['a flag that was taken away', { options: { remote: 'x' } }, 'v0.11.0', 'flag-not-in-release'],
    ['a margin of zero', { options: { 'subnet-lease-renew-margin': 0 } }, 'v0.28.9', 'flag-bad-value'],
    ['a margin of a day', { options: { 'subnet-lease-renew-margin': 1440 } }, 'v0.28.9', 'flag-bad-value'],
    ['a margin that is no number', { options: { 'subnet-lease-renew-margin': '1h' } }, 'v0.28.9', 'flag-bad-value'],
    ['a boolean that is none', { options: { 'iptables-forward-rules': 'no' } }, 'v0.28.9', 'flag-bad-value'],
    ['a port beyond all ports', { healthzPort: 65_536 }, 'v0.28.9', 'flag-bad-value'],
    ['--version', { options: { version: true } }, 'v0.28.9', 'flag-bad-value'],
    ['an address with a leading zero', { publicIP: '010.4.7.21', iface: ['eth0'] }, 'v0.28.9', 'flag-bad-value'],
    ['a relative subnet file', { subnetFile: './subnet.env' }, 'v0.28.9', 'flag-bad-value'],
    ['a prefix that is no regular expression', { prefix: '/net(work' }, 'v0.28.9', 'flag-bad-value'],
    ['a regular expression that Go does not know', { ifaceRegex: ['eth(?!1)'] }, 'v0.28.9', 'flag-bad-value'],
    ['a line feed', { options: { vmodule: 'a=1\nb' } }, 'v0.28.9', 'flag-bad-value'],
    [
      'a list where one value belongs',
      { options: { 'public-ip': ['10.4.7.21', '10.4.7.22'] } },
      'v0.28.9',
      'flag-bad-value',
    ],
    ['a flag given twice', { iface: ['eth0'], options: { iface: 'eth1' } }, 'v0.28.9', 'flag-given-twice'],
    ['Kubernetes mode', { options: { 'kube-subnet-mgr': true } }, 'v0.28.9', 'flannel-kube-mode'],
    [
      'a flag of Kubernetes mode',
      { options: { 'kubeconfig-file': '/root/.kube/config' } },
      'v0.28.9',
      'flag-without-effect',
    ],
    ['no endpoint', { endpoints: [] }, 'v0.28.9', 'flannel-no-endpoint'],
    ['a blank behind a comma', { endpoints: ['http://a:2379', ' http://b:2379'] }, 'v0.28.9', 'flannel-bad-endpoint'],
    ['an endpoint without a scheme', { endpoints: ['10.4.7.12:2379'] }, 'v0.28.9', 'flannel-bad-endpoint'],
    ['a certificate without its key', { cert: '/a.pem' }, 'v0.28.9', 'flannel-tls-incomplete'],
    ['a key without its certificate', { key: '/a.pem' }, 'v0.11.0', 'flannel-tls-incomplete'],
    ['a CA alone with etcd v3', { ca: '/ca.pem', endpoints: ['https://a:2379'] }, 'v0.28.9', 'flannel-ca-ignored'],
    ['TLS that is not verified', { endpoints: ['https://a:2379'] }, 'v0.19.1', 'flannel-tls-unverified'],
    ['a user without a password', { user: 'flannel' }, 'v0.28.9', 'flannel-login-incomplete'],
    [
      'a public IP behind NAT without an interface',
      { publicIP: '198.51.100.7', hasPublicIP: false },
      'v0.12.0',
      'flannel-public-ip-needs-iface',
    ],
  ])('%s is an error', (_what, wish, tag, code) => {
    expect(codesOf({ ...plain, ...wish }, parseFlannelVersion(tag))).toContain(code);
  });

  it('says what was probably meant', () => {
    const suggestion = (options: FlanneldWish['options']): string | null | undefined =>
      flanneldFlags({ ...plain, ...(options === undefined ? {} : { options }) }, newest).problems[0]?.suggestion;
    expect(suggestion({ ipmasq: true })).toBe('ip-masq: …');
    expect(suggestion({ '--iface-regex=x': 'x' })).toBe('iface-regex: …');
    expect(suggestion({ iptables_resync: 5 })).toBe('iptables-resync: …');
    expect(flanneldFlags({ endpoints: ['10.4.7.12:2379'] }, newest).problems[0]?.suggestion).toBe(
      'http://10.4.7.12:2379',
    );
    expect(flanneldFlags({ endpoints: ['https://root:pw@a:1'] }, newest).problems[0]?.suggestion).toBe('https://a:1');
  });

  it('leaves alone what is right in that release', () => {
    expect(codesOf({ ...plain, ca: '/ca.pem', endpoints: ['https://a:2379'] }, middle)).toEqual([]);
    expect(codesOf({ ...plain, publicIP: '198.51.100.7', hasPublicIP: false }, old)).toEqual([]);
    expect(codesOf({ ...plain, publicIP: '198.51.100.7', hasPublicIP: false, iface: ['eth0'] })).toEqual([]);
    expect(codesOf({ ...plain, options: { 'kubeconfig-file': '' } })).toEqual([]);
    // Unknown to netctl, but it is not the newest any more.
    expect(codesOf({ ...plain, options: { 'brand-new': 1 } }, parseFlannelVersion('v0.40.0'))).toEqual([]);
    expect(codesOf({ ...plain, options: { 'brand-new': 1 } }, parseFlannelVersion('v0.40.0'), 'warning')).toEqual([
      'flag-unknown',
    ]);
  });

  it('warns of what works but is regretted', () => {
    expect(codesOf({ ...plain, publicIP: '10.4.7.21' }, newest, 'warning')).toEqual(['flannel-public-ip-needs-iface']);
    expect(codesOf({ ...plain, healthzIP: '127.0.0.1' }, newest, 'warning')).toEqual(['flag-without-effect']);
    expect(codesOf({ ...plain, ca: '/a', cert: '/b', key: '/c' }, newest, 'warning')).toEqual(['flannel-tls-unused']);
    expect(
      codesOf({ endpoints: ['https://a:1', 'http://b:1'], ca: '/a', cert: '/b', key: '/c' }, newest, 'warning'),
    ).toEqual(['flannel-mixed-endpoints']);
  });
});

describe('a command line that somebody wrote', () => {
  it('is read as Go reads it', () => {
    const { settings, ends, ignored, problems } = readFlanneld(
      [
        '-etcd-endpoints',
        'http://172.16.70.190:2379',
        '--etcd-prefix=/flannel-vxlan/network',
        '--ip-masq=true',
        '-iface=172.16.70.191',
        '--iface',
        'eth1',
      ],
      {},
      parseFlannelVersion('v0.9.1'),
    );
    expect([ends, ignored, problems]).toEqual(['runs', [], []]);
    expect(Object.fromEntries([...settings].map(([name, { values }]) => [name, values]))).toEqual({
      'etcd-endpoints': ['http://172.16.70.190:2379'],
      'etcd-prefix': ['/flannel-vxlan/network'],
      'ip-masq': ['true'],
      iface: ['172.16.70.191', 'eth1'],
    });
  });

  it('stops at the first word without a dash, and what follows is told', () => {
    const reading = readFlanneld(['--ip-masq', 'true', '--iface=eth0'], {}, newest);
    expect(reading.ignored).toEqual(['true', '--iface=eth0']);
    expect(reading.settings.has('iface')).toBe(false);
    expect(reading.problems).toMatchObject([
      { code: 'flanneld-positional-word', severity: 'error', suggestion: '--ip-masq=true' },
    ]);
    expect(readFlanneld(['--', '--iface=eth0'], {}, newest).ignored).toEqual(['--iface=eth0']);
  });

  it('ends with the usage for what flanneld does not know', () => {
    for (const words of [
      ['--iface-can-reach=10.0.0.1'],
      ['--ipmasq'],
      ['--healthz-port=abc'],
      ['--iface'],
      ['--version'],
      ['---iface=x'],
      ['-h'],
    ]) {
      expect(readFlanneld(words, {}, middle).ends, words.join(' ')).toBe('usage');
    }
    expect(readFlanneld(['--iface-can-reach=10.0.0.1'], {}, null).ends).toBe('runs');
  });

  it('goes before variables, of which empty and bad ones count for nothing', () => {
    const reading = readFlanneld(
      ['--iface=eth0'],
      {
        FLANNELD_IFACE: 'eth1',
        FLANNELD_IP_MASQ: 'true',
        FLANNELD_PUBLIC_IP: '',
        FLANNELD_HEALTHZ_PORT: 'x',
        FLANNELD_VERSION: 'true',
        PATH: '/bin',
      },
      newest,
    );
    expect(reading.ends).toBe('runs');
    expect([...reading.settings]).toEqual([
      ['iface', { values: ['eth0'], source: 'flag' }],
      ['ip-masq', { values: ['true'], source: 'environment' }],
    ]);
    expect(reading.problems.map(({ path }) => path)).toEqual(['healthz-port']);
  });

  it('is what stands in /proc, byte for byte', () => {
    expect(procWords(Buffer.from('/usr/bin/flanneld\0--iface=\0--v\x002\0'))).toEqual([
      '/usr/bin/flanneld',
      '--iface=',
      '--v',
      '2',
    ]);
    expect(procWords(new Uint8Array())).toEqual([]);
  });

  it('differs from another by effect, never by form, and shows no password', () => {
    const read = (...words: string[]) => readFlanneld(words, {}, newest);
    expect(flagDifferences(read('--ip-masq=false', '--etcd-prefix=/coreos.com/network'), read())).toEqual([]);
    expect(flagDifferences(read('--iface=eth0'), read('--iface=eth1'))).toEqual([
      { flag: 'iface', before: ['eth0'], after: ['eth1'] },
    ]);
    const secret = flagDifferences(read('--etcd-password=aaa'), read('--etcd-password=bbb'));
    expect(secret).toEqual([{ flag: 'etcd-password', before: ['(secret)'], after: ['(secret)'] }]);
  });
});
