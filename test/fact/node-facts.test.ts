import { describe, expect, it } from 'vitest';
import { addressOf } from '../../src/lib/fact/address';
import { clock, sureSkewMs } from '../../src/lib/fact/clock';
import { fileContents, fileSums } from '../../src/lib/fact/files';
import { iptablesRules } from '../../src/lib/fact/iptables';
import { journal } from '../../src/lib/fact/journal';
import { kernelModules } from '../../src/lib/fact/kernel-modules';
import { kernelSettings, reversePathFilter } from '../../src/lib/fact/kernel-settings';
import { links } from '../../src/lib/fact/links';
import { machine } from '../../src/lib/fact/machine';
import { operatingSystem } from '../../src/lib/fact/operating-system';
import { packetCounters } from '../../src/lib/fact/packet-counters';
import { missingPrograms, programsOf } from '../../src/lib/fact/programs';
import { spaces } from '../../src/lib/fact/space';
import { sshClient } from '../../src/lib/fact/ssh-client';
import { subnetEnvFile } from '../../src/lib/fact/subnet-env-file';
import { allFacts } from './all-facts';
import { knownValue, printed, whyOf } from './captured';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('machine and operating system', () => {
  it('tell the architecture as flannel names its archives', () => {
    const answer = (hardware: string) =>
      knownValue(
        machine.parse(
          printed(
            `6.1.0-18-amd64\n${hardware}\nnode1\n${'0a'.repeat(16)}\n6bdd053c-3d1a-4041-99bc-599f1d5ac8db\n4905.12 100.0\n\n`,
          ),
        ),
      );
    expect(
      ['x86_64', 'aarch64', 'armv7l', 's390x', 'sparc64', 'constructor'].map((word) => answer(word).architecture),
    ).toEqual(['amd64', 'arm64', 'arm', 's390x', null, null]);
    expect(answer('x86_64')).toMatchObject({
      hostname: 'node1',
      uptimeSeconds: 4905,
      machineId: '0a'.repeat(16),
      container: null,
    });
  });

  it('take no escape sequence for a host name', () => {
    expect(machine.parse(printed('6.1\nx86_64\n\u001b]0;x\u0007\n\n\n\n\n')).known).toBe(false);
  });

  it.each([
    [
      '/etc/default \nID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
      'debian',
      '/etc/default',
    ],
    ['/etc/default \nID=ubuntu\nID_LIKE=debian\n', 'debian', '/etc/default'],
    ['/etc/default /etc/sysconfig \nID="rocky"\nID_LIKE="rhel centos fedora"\n', 'rhel', '/etc/sysconfig'],
    ['/etc/sysconfig \nID=debian\n', 'debian', '/etc/sysconfig'],
    ['\nID=alpine\n', 'other', null],
  ])('tell the family and where environment files go: %j', (text, family, environmentFolder) => {
    expect(knownValue(operatingSystem.parse(printed(text)))).toMatchObject({ family, environmentFolder });
  });
});

describe('the clock', () => {
  it('is surely wrong only by what the round trip does not explain', () => {
    const at = (text: string) => knownValue(clock.parse(printed(text)));
    expect(at('1795174617.322000000\n')).toEqual({ epochMs: 1795174617322, resolutionMs: 1 });
    expect(at('1795174617.%N\n')).toEqual({ epochMs: 1795174617000, resolutionMs: 1000 });
    expect(sureSkewMs(at('1000.500000000\n'), 1_000_000, 1_001_000)).toBe(0);
    expect(sureSkewMs(at('1061.000000000\n'), 1_000_000, 1_001_000)).toBe(60_000);
    expect(sureSkewMs(at('940.000000000\n'), 1_000_000, 1_001_000)).toBe(-60_000);
    expect(sureSkewMs(at('1000.%N\n'), 1_000_500, 1_000_600)).toBe(0);
  });
});

describe('the kernel', () => {
  it('has settings by path, and the stricter reverse path filter counts', () => {
    const settings = knownValue(
      kernelSettings.parse(
        printed(
          'net/ipv4/ip_forward:1\nnet/ipv4/conf/all/rp_filter:2\nnet/ipv4/conf/eth0/rp_filter:1\nnet/ipv4/conf/eth0.100/rp_filter:0\nevil\u001b:1\n',
        ),
      ),
    );
    expect(settings.get('net/ipv4/ip_forward')).toBe('1');
    expect(settings.has('net/bridge/bridge-nf-call-iptables')).toBe(false);
    expect([
      reversePathFilter(settings, 'eth0'),
      reversePathFilter(settings, 'eth0.100'),
      reversePathFilter(new Map(), 'eth0'),
    ]).toEqual([2, 2, null]);
    expect(settings.size).toBe(4);
  });

  it('has modules, and one that nothing tells of is unclear', () => {
    const fact = kernelModules(['vxlan', 'br_netfilter', 'no-such-module']);
    expect(fact.command.argv.slice(4)).toEqual(['vxlan=CONFIG_VXLAN', 'br_netfilter=CONFIG_BRIDGE_NETFILTER']);
    expect(knownValue(fact.parse(printed('folder\nvxlan loadable\nbr_netfilter unclear\n')))).toEqual({
      hasModulesFolder: true,
      states: new Map([
        ['vxlan', 'loadable'],
        ['br_netfilter', 'unclear'],
      ]),
    });
    expect(fact.parse(printed('vxlan loaded\n')).known).toBe(false);
  });

  it('counts packets under the names of nstat', () => {
    const counters = knownValue(
      packetCounters.parse(
        printed('Udp: InDatagrams InCsumErrors\nUdp: 5 2\nTcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 7\n'),
      ),
    );
    expect([counters.get('UdpInCsumErrors'), counters.get('TcpExtIPReversePathFilter')]).toEqual([2, 7]);
  });
});

describe('files', () => {
  const fact = fileContents(['/a', '/b', '/c', '/d', '/e'], 8);

  it('are there with mode and bytes, absent, or hidden', () => {
    const text =
      `81a4 0 0 5 1795173352 - =${base64('node\n')}\nabsent\nhidden\n` +
      `a1ff 0 0 19 1795172167 ${base64('../x')} =${base64('0123456789')}\n41ed 0 0 4096 1795174614 - -\n`;
    const files = knownValue(fact.parse(printed(text)));
    expect(files.get('/a')).toEqual({
      known: true,
      value: {
        present: true,
        kind: 'file',
        mode: 0o644,
        uid: 0,
        gid: 0,
        sizeBytes: 5,
        modifiedAtSeconds: 1795173352,
        target: null,
        bytes: Buffer.from('node\n'),
      },
    });
    expect(files.get('/b')).toEqual({ known: true, value: { present: false } });
    expect(files.get('/c')?.known).toBe(false);
    expect(files.get('/d')).toEqual({ known: false, why: 'it is longer than 8 bytes' });
    expect(files.get('/e')).toMatchObject({ value: { kind: 'folder', bytes: null } });
  });

  it('are unknown when the node tells of another number of them', () => {
    expect(fact.parse(printed('absent\n')).known).toBe(false);
  });

  it('have sums', () => {
    const sums = knownValue(
      fileSums(['/a', '/b']).parse(printed(`81ed 0 0 5 1 - ${'ab'.repeat(32)}\n81ed 0 0 5 1 - hidden\n`)),
    );
    expect(sums.get('/a')).toMatchObject({ value: { sha256: 'ab'.repeat(32), mode: 0o755 } });
    expect(sums.get('/b')?.known).toBe(false);
  });

  it('of flanneld are read as it reads them', () => {
    const text = 'FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.34.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n';
    const file = subnetEnvFile('/run/flannel/subnet.env');
    expect(knownValue(file.parse(printed(`81a4 0 0 90 1795174615 - =${base64(text)}\n`)))).toMatchObject({
      present: true,
      modifiedAtSeconds: 1795174615,
      reading: { env: { mtu: 1450, ipMasq: true }, problems: [] },
    });
    expect(knownValue(file.parse(printed('absent\n')))).toEqual({ present: false });
    expect(whyOf(file.parse(printed('hidden\n')))).toBe('we may not look at it');
  });
});

describe('space', () => {
  it('is that of the nearest folder, with the mount’s own words', () => {
    const fact = spaces(['/opt/flannel-v0.22.3', '/data']);
    const text =
      '> /opt\noverlay              264212084  29086532  77304380      28% /\noverlay              16777216    515201  16262015       4% /\n' +
      '> /data\n//nas/a b 1000 1000 -5 101% /data\n-\n' +
      '> mounts\noverlay / overlay rw,relatime 0 0\n//nas/a\\040b /data cifs ro,noexec 0 0\n';
    expect(Object.fromEntries(knownValue(fact.parse(printed(text))))).toEqual({
      '/opt/flannel-v0.22.3': {
        folder: '/opt',
        mountPoint: '/',
        availableBytes: 77304380 * 1024,
        sizeBytes: 264212084 * 1024,
        availableInodes: 16262015,
        fileSystem: 'overlay',
        isReadOnly: false,
        isNoexec: false,
      },
      '/data': {
        folder: '/data',
        mountPoint: '/data',
        availableBytes: 0,
        sizeBytes: 1024_000,
        availableInodes: null,
        fileSystem: 'cifs',
        isReadOnly: true,
        isNoexec: true,
      },
    });
  });
});

it('knows from where we came, or that it was not by SSH', () => {
  expect(knownValue(sshClient.parse(printed('10.4.11.200 37470 10.4.11.21 22\n')))).toEqual({
    viaSsh: true,
    client: addressOf('10.4.11.200'),
    server: addressOf('10.4.11.21'),
  });
  expect(knownValue(sshClient.parse(printed('\n')))).toEqual({ viaSsh: false });
});

it('knows a journal that we may not see from an empty one', () => {
  const hint = 'Hint: You are currently not seeing messages from other users and the system.\n';
  expect(whyOf(journal('flanneld.service').parse(printed('', 0, hint)))).toContain('permission denied');
  expect(knownValue(journal('flanneld.service').parse(printed('')))).toEqual([]);
});

it('says which programs a node lacks, and which facts miss them', () => {
  const facts = { links, nft: iptablesRules('nft'), six: iptablesRules('nft', 6) };
  expect(programsOf(facts)).toEqual([
    'ip',
    'ip6tables-nft-save',
    'ip6tables-save',
    'iptables-nft-save',
    'iptables-save',
  ]);
  expect(missingPrograms(facts, new Map([['iptables-save', '/sbin/iptables-save']]))).toEqual([
    { anyOf: ['ip'], facts: ['links'] },
    { anyOf: ['ip6tables-nft-save', 'ip6tables-save'], facts: ['iptables-rules-nft-ipv6'] },
  ]);
});

it('gives every fact a name of its own', () => {
  const names = Object.values(allFacts(['10.4.7.22'], ['http://10.4.7.12:2379'])).map(({ name }) => name);
  // The same question twice, with and without certificates, is asked on purpose.
  expect(names.length - new Set(names).size).toBe(1);
});
