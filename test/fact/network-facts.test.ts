import { describe, expect, it } from 'vitest';
import { addressOf, deviceName } from '../../src/lib/fact/address';
import { forwardingEntries } from '../../src/lib/fact/forwarding-entries';
import { links } from '../../src/lib/fact/links';
import { listeningPorts } from '../../src/lib/fact/listening-ports';
import { neighbours } from '../../src/lib/fact/neighbours';
import { routesTo } from '../../src/lib/fact/route-to';
import { routes } from '../../src/lib/fact/routes';
import { captured, knownValue, printed, whyOf } from './captured';

describe('links', () => {
  const fromJson = knownValue(links.parse(printed(captured('ip-addr.json.txt'))));

  it('tells of flannel.1 what a lease is compared with', () => {
    expect(fromJson.find(({ name }) => name === 'flannel.1')).toMatchObject({
      mtu: 1450,
      isUp: true,
      kind: 'vxlan',
      mac: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
      vxlan: { vni: 1, local: addressOf('10.4.11.21'), device: 'eth0', port: 8472, isLearning: false },
      addresses: [{ ...addressOf('10.1.34.0'), length: 32, scope: 'global' }, { family: 6 }],
    });
  });

  it('tells the same from the text of an iproute2 without -j', () => {
    expect(knownValue(links.parse(printed(captured('ip-addr.txt'))))).toEqual(fromJson);
    expect(fromJson.length).toBeGreaterThan(6);
  });

  it('knows both ends of a point-to-point link', () => {
    expect(fromJson.find(({ name }) => name === 'tun0')).toMatchObject({
      kind: 'tun',
      mac: null,
      addresses: [{ ...addressOf('10.8.0.2'), length: 32, peer: addressOf('10.8.0.1') }],
    });
  });

  it('leaves out a link whose name is none, and is unknown when ip fails', () => {
    expect(knownValue(links.parse(printed('[{"ifindex":1,"ifname":"a\\u001b[2J","mtu":1500}]')))).toEqual([]);
    expect(whyOf(links.parse(printed('', 127)))).toBe('ip addr is not there');
    expect(whyOf(links.parse(printed('[{"cut', 0)))).toContain('no JSON');
  });
});

describe('routes', () => {
  const fromJson = knownValue(routes(4).parse(printed(captured('ip-route.json.txt'))));

  it('tells the same from JSON and from text', () => {
    expect(knownValue(routes(4).parse(printed(captured('ip-route.txt'))))).toEqual(fromJson);
  });

  it('leaves the kernel’s own table out and keeps all others', () => {
    expect(fromJson.map(({ type, table }) => `${type} ${table}`)).toContain('unicast 52');
    expect(fromJson.some(({ table }) => table === 'local')).toBe(false);
  });

  it('knows a peer’s subnet by its onlink next hop, several paths, and a blackhole', () => {
    const to = (text: string) => fromJson.find(({ destination }) => destination.base === addressOf(text)?.address);
    expect(to('10.1.91.0')).toMatchObject({
      nextHops: [{ gateway: addressOf('10.1.91.0'), device: 'flannel.1', isOnlink: true }],
      protocol: null,
    });
    expect(to('10.7.0.0')?.nextHops.map(({ gateway }) => gateway)).toEqual([
      addressOf('10.4.11.22'),
      addressOf('10.4.11.254'),
    ]);
    expect(to('10.9.0.0')).toMatchObject({ type: 'blackhole', nextHops: [] });
    expect(to('0.0.0.0')).toMatchObject({
      destination: { length: 0 },
      nextHops: [{ gateway: addressOf('10.4.11.254') }],
    });
  });

  it('reads IPv6', () => {
    const six = knownValue(routes(6).parse(printed(captured('ip-route6.json.txt'))));
    expect(six[0]).toMatchObject({ destination: { family: 6, length: 64 }, metric: 256 });
  });
});

describe('the way to an address', () => {
  const fact = routesTo(['10.4.11.22', 'x; reboot', '10.1.6.5', '10.9.0.1', '127.0.0.1']);

  it('asks for addresses only', () => {
    expect(fact.command.argv.slice(4)).toEqual(['10.4.11.22', '10.1.6.5', '10.9.0.1', '127.0.0.1']);
  });

  it('is on the link, through a gateway, nowhere, or the node itself', () => {
    const answer = fact.parse(
      printed(
        '[{"dst":"10.4.11.22","dev":"eth0","prefsrc":"10.4.11.21","flags":[],"uid":0,"cache":[]}]\n' +
          '10.1.6.5 via 10.1.6.0 dev flannel.1 src 10.1.5.0 uid 0 \\    cache\n' +
          '! RTNETLINK answers: Network is unreachable\n' +
          '[{"type":"local","dst":"127.0.0.1","dev":"lo","prefsrc":"127.0.0.1","flags":[],"uid":0,"cache":["local"]}]\n',
      ),
    );
    expect([...knownValue(answer).values()]).toEqual([
      { reachable: true, gateway: null, device: 'eth0', source: addressOf('10.4.11.21'), isLocal: false },
      {
        reachable: true,
        gateway: addressOf('10.1.6.0'),
        device: 'flannel.1',
        source: addressOf('10.1.5.0'),
        isLocal: false,
      },
      { reachable: false, why: 'Network is unreachable' },
      { reachable: true, gateway: null, device: 'lo', source: addressOf('127.0.0.1'), isLocal: true },
    ]);
  });

  it('is unknown when an answer is missing', () => {
    expect(whyOf(fact.parse(printed('')))).toContain('0 answers to 4 questions');
  });
});

describe('neighbours and forwarding entries', () => {
  it('tell the same from JSON and from text', () => {
    const arp = knownValue(neighbours.parse(printed(captured('ip-neigh.json.txt'))));
    expect(knownValue(neighbours.parse(printed(captured('ip-neigh.txt')))).map(({ address }) => address)).toEqual(
      arp.map(({ address }) => address),
    );
    expect(arp).toContainEqual({
      address: addressOf('10.1.91.0'),
      device: 'flannel.1',
      mac: expect.stringMatching(/^[0-9a-f:]{17}$/),
      state: 'PERMANENT',
    });
    const fdb = knownValue(forwardingEntries.parse(printed(captured('fdb.json.txt'))));
    expect(knownValue(forwardingEntries.parse(printed(captured('fdb.txt'))))).toEqual(fdb);
    expect(fdb.filter(({ device }) => device === 'flannel.1')).toContainEqual({
      mac: arp.find(({ device }) => device === 'flannel.1')?.mac,
      device: 'flannel.1',
      destination: addressOf('10.4.11.22'),
      isPermanent: true,
      isSelf: true,
    });
  });
});

describe('listening ports', () => {
  it('tell the program where ss can see it, and VXLAN’s port without one', () => {
    const ports = knownValue(listeningPorts.parse(printed(captured('ss.txt'))));
    expect(ports).toContainEqual({ protocol: 'udp', port: 8472, address: null, programs: [] });
    expect(ports).toContainEqual({
      protocol: 'tcp',
      port: 2401,
      address: null,
      programs: [{ name: 'flanneld', pid: expect.any(Number) }],
    });
  });

  it('are the same in /proc/net for a node without ss', () => {
    const key = ({ protocol, port, address }: { protocol: string; port: number; address: unknown }) =>
      `${protocol} ${port} ${address === null ? '*' : 'one'}`;
    const fromSs = knownValue(listeningPorts.parse(printed(captured('ss.txt')))).map(key);
    const fromProc = knownValue(listeningPorts.parse(printed(captured('proc-net.txt')))).map(key);
    expect(fromProc.sort()).toEqual(fromSs.sort());
  });
});

it('takes no name for a device that could not be one', () => {
  expect(['eth0', 'br-fd37f567627c', 'eth0.100', 'a/b', 'a:b', 'a b', '', 'sixteen-letters-'].map(deviceName)).toEqual([
    'eth0',
    'br-fd37f567627c',
    'eth0.100',
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
