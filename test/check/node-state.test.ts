import { describe, expect, it } from 'vitest';
import { checkLeases } from '../../src/lib/check/leases';
import {
  hasProblems,
  type NodeStateInput,
  nodeState,
  peersOf,
  pingsToSend,
  type StateNetwork,
  waysToAsk,
} from '../../src/lib/check/node-state';
import { addressOf } from '../../src/lib/fact/address';
import { known, unknown } from '../../src/lib/fact/fact';
import type { ForwardingEntry } from '../../src/lib/fact/forwarding-entries';
import type { Neighbour } from '../../src/lib/fact/neighbours';
import type { PingAnswer } from '../../src/lib/fact/overlay-ping';
import type { RouteTo } from '../../src/lib/fact/route-to';
import type { Route } from '../../src/lib/fact/routes';
import type { StateSeen } from '../../src/lib/fact/state-facts';
import type { InventoryNode } from '../../src/lib/inventory/inventory';
import { newestFlannel, parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { readLeases } from '../../src/lib/net/lease';
import { judgeConfig } from '../../src/lib/net/network-config';
import { parseSubnetEnv } from '../../src/lib/net/subnet-env';
import { dockerNetwork, dockerRunning, link, process, route, unit } from '../support/node-seen';

const nodes: readonly InventoryNode[] = ['10.4.7.21', '10.4.7.22', '10.4.7.23'].map((address) => ({
  name: `hdss${address.split('.').slice(2).join('-')}`,
  address,
  publicIP: address,
  ssh: {},
  labels: [],
}));
const [own, second, third] = nodes as readonly [InventoryNode, InventoryNode, InventoryNode];
const macs = { '10.4.7.22': '0e:00:00:00:00:22', '10.4.7.23': '0e:00:00:00:00:23' } as const;

type Values = Readonly<Record<string, object>>;

/** The network as etcd has it: subnet → value. */
function network(config: object, values: Values, change: Partial<StateNetwork> = {}): StateNetwork {
  const entry = (key: string, value: object) => ({
    key: `/coreos.com/network/${key}`,
    value: new TextEncoder().encode(JSON.stringify(value)),
    revision: '5',
    createdRevision: '5',
    permanent: false,
  });
  const entries = [
    entry('config', config),
    ...Object.entries(values).map(([subnet, value]) => entry(`subnets/${subnet.replace('/', '-')}`, value)),
  ];
  const reading = readLeases({ api: 'v3', entries }, '/coreos.com/network', newestFlannel);
  const { effective } = judgeConfig(JSON.stringify(config), newestFlannel);
  if (effective === null) throw new Error('the config of the test is no good');
  const ttls = new Map(reading.leases.map(({ key }) => [key, 80_000]));
  const problems = checkLeases({
    api: 'v3',
    prefix: '/coreos.com/network',
    version: newestFlannel,
    reading,
    effective,
    nodes,
    ttls: change.ttls ?? ttls,
  });
  return { leases: reading.leases, effective, nodes, wanted: newestFlannel, problems, ttls, ...change };
}

const hostGw = { Network: '172.7.0.0/16', Backend: { Type: 'host-gw' } };
const hostGwLeases: Values = {
  '172.7.21.0/24': { PublicIP: '10.4.7.21', BackendType: 'host-gw' },
  '172.7.22.0/24': { PublicIP: '10.4.7.22', BackendType: 'host-gw' },
  '172.7.23.0/24': { PublicIP: '10.4.7.23', BackendType: 'host-gw' },
};
const vxlan = { Network: '172.7.0.0/16', Backend: { Type: 'vxlan', VNI: 7 } };
const vxlanLeases: Values = {
  '172.7.21.0/24': {
    PublicIP: '10.4.7.21',
    BackendType: 'vxlan',
    BackendData: { VNI: 7, VtepMAC: '0e:00:00:00:00:21' },
  },
  '172.7.22.0/24': { PublicIP: '10.4.7.22', BackendType: 'vxlan', BackendData: { VNI: 7, VtepMAC: macs['10.4.7.22'] } },
  '172.7.23.0/24': { PublicIP: '10.4.7.23', BackendType: 'vxlan', BackendData: { VNI: 7, VtepMAC: macs['10.4.7.23'] } },
};

function subnetEnv(text: string): StateSeen['subnetEnv'] {
  return known({ present: true, reading: parseSubnetEnv(text), modifiedAtSeconds: 1_800_000_000 });
}

function env(mtu: number, subnet = '172.7.21.1/24', range = '172.7.0.0/16'): StateSeen['subnetEnv'] {
  return subnetEnv(`FLANNEL_NETWORK=${range}\nFLANNEL_SUBNET=${subnet}\nFLANNEL_MTU=${mtu}\nFLANNEL_IPMASQ=false\n`);
}

function bridgeNetwork(mtu: number | null): StateSeen['networks'] {
  return known([{ ...dockerNetwork('bridge', '172.7.21.0/24', 'docker0'), mtu }]);
}

function way(gateway: string | null): RouteTo {
  return {
    reachable: true,
    gateway: gateway === null ? null : (addressOf(gateway) ?? null),
    device: 'eth0',
    source: null,
    isLocal: false,
  };
}

const ownRoutes: readonly Route[] = [
  route('default', { via: '10.4.7.254', dev: 'eth0' }),
  route('10.4.7.0/24', { dev: 'eth0' }),
  route('172.7.21.0/24', { dev: 'docker0' }),
];
const flanneldWords = ['/opt/flannel/flanneld', '--iface=eth0'];

/** The first node of the third seed, host-gw, as it should be. */
function seen(change: Partial<StateSeen> = {}): StateSeen {
  return {
    docker: dockerRunning('20.10.24'),
    networks: bridgeNetwork(1500),
    flannelPrograms: known([{ path: '/opt/flannel/flanneld', version: newestFlannel, why: null }]),
    supervisor: known({ isInstalled: false, isRunning: false, configPath: null, programFiles: [], programs: [] }),
    units: known(new Map([['flanneld.service', unit('flanneld.service')]])),
    flanneld: known([process(100, flanneldWords)]),
    links: known([
      link('lo', ['127.0.0.1/8'], { isLoopback: true }),
      link('eth0', ['10.4.7.21/24']),
      link('docker0', ['172.7.21.1/24'], { kind: 'bridge' }),
    ]),
    routes: known([
      ...ownRoutes,
      route('172.7.22.0/24', { via: '10.4.7.22', dev: 'eth0' }),
      route('172.7.23.0/24', { via: '10.4.7.23', dev: 'eth0' }),
    ]),
    routesTo: known(new Map([second, third].map(({ address }) => [address, way(null)]))),
    neighbours: known([]),
    forwardingEntries: known([]),
    subnetEnv: env(1500),
    ...change,
  };
}

function neighbour(address: string, mac: string, device = 'flannel.7'): Neighbour {
  const parsed = addressOf(address);
  if (parsed === undefined) throw new Error(address);
  return { address: parsed, device, mac, state: 'PERMANENT' };
}

function forwarding(mac: string, destination: string, device = 'flannel.7'): ForwardingEntry {
  return { mac, device, destination: addressOf(destination) ?? null, isPermanent: true, isSelf: true };
}

/** The same node with vxlan. */
function vxlanSeen(change: Partial<StateSeen> = {}): StateSeen {
  const base = seen();
  return {
    ...base,
    networks: bridgeNetwork(1450),
    links: known([
      ...(base.links.known ? base.links.value : []),
      link('flannel.7', ['172.7.21.0/32'], { kind: 'vxlan' }),
    ]),
    routes: known([
      ...ownRoutes,
      route('172.7.22.0/24', { via: '172.7.22.0', dev: 'flannel.7' }),
      route('172.7.23.0/24', { via: '172.7.23.0', dev: 'flannel.7' }),
    ]),
    routesTo: known(new Map()),
    neighbours: known([neighbour('172.7.22.0', macs['10.4.7.22']), neighbour('172.7.23.0', macs['10.4.7.23'])]),
    forwardingEntries: known([forwarding(macs['10.4.7.22'], '10.4.7.22'), forwarding(macs['10.4.7.23'], '10.4.7.23')]),
    subnetEnv: env(1450),
    ...change,
  };
}

const silent: PingAnswer = { isReached: false, why: 'no answer' };

function pings(...lost: readonly string[]): NodeStateInput['pings'] {
  return known(
    new Map(
      ['172.7.22.1', '172.7.23.1'].map((address) => [
        address,
        known<PingAnswer>(lost.includes(address) ? silent : { isReached: true, milliseconds: 1 }),
      ]),
    ),
  );
}

const asked = {
  subnetFile: '/run/flannel/subnet.env',
  programs: ['/opt/flannel/flanneld', '/usr/bin/flanneld'],
  targets: [],
  dockerService: 'docker',
};

function stateOf(facts: StateSeen, more: Partial<NodeStateInput> = {}) {
  return nodeState({ node: own, seen: facts, pings: pings(), network: network(hostGw, hostGwLeases), asked, ...more });
}

function codes(facts: StateSeen, more: Partial<NodeStateInput> = {}): readonly string[] {
  return stateOf(facts, more).problems.map(({ code }) => code);
}

const vxlanNetwork = network(vxlan, vxlanLeases);

describe('a node that is as it should be', () => {
  it('has no problems with host-gw, and everything is known', () => {
    const state = stateOf(seen());
    expect(state.problems).toEqual([]);
    expect(hasProblems(state)).toBe(false);
    expect(state).toMatchObject({
      name: 'hdss7-21',
      publicIP: '10.4.7.21',
      service: { value: { manager: 'systemd', state: 'active', isActive: true } },
      version: { value: 'v0.28.9' },
      lease: { subnetText: '172.7.21.0/24' },
      leaseSeconds: 80_000,
      docker0: { value: ['172.7.21.1/24'] },
      mtu: { value: 1500 },
    });
    expect(state.peers.map(({ peer, isRouted, isReached }) => [peer.name, isRouted, isReached])).toEqual([
      ['hdss7-22', known(true), known(true)],
      ['hdss7-23', known(true), known(true)],
    ]);
  });

  it('has no problems with vxlan', () => {
    const state = stateOf(vxlanSeen(), { network: vxlanNetwork });
    expect(state.problems).toEqual([]);
    expect(state.peers.map(({ isRouted }) => isRouted)).toEqual([known(true), known(true)]);
  });

  it('may be run by supervisord under a name of its own', () => {
    const facts = seen({
      units: unknown('systemctl is not there'),
      supervisor: known({
        isInstalled: true,
        isRunning: true,
        configPath: null,
        programFiles: [],
        programs: [{ name: 'flanneld-7-21', state: 'RUNNING', pid: 100, note: '' }],
      }),
    });
    expect(stateOf(facts)).toMatchObject({
      problems: [],
      service: { value: { manager: 'supervisord', isActive: true } },
    });
  });
});

describe('flanneld', () => {
  const units = (change: Parameters<typeof unit>[1]) =>
    known(new Map([['flanneld.service', unit('flanneld.service', change)]]));

  it('that has ended is told with what systemd says', () => {
    const facts = seen({
      units: units({ activeState: 'failed', result: 'exit-code', execMainStatus: 1, restartCount: 4 }),
      flanneld: known([]),
    });
    const [problem] = stateOf(facts).problems;
    expect(problem).toMatchObject({ code: 'flanneld-not-running', severity: 'error' });
    expect(problem?.message).toContain('systemd says failed (exit-code, exit code 1, restarted 4 times)');
  });

  it('that waits is not said to have ended', () => {
    const facts = seen({ units: units({ activeState: 'activating' }) });
    expect(stateOf(facts).problems[0]?.message).toContain('waits for etcd');
  });

  it('that nobody would start again is told', () => {
    const none = units({ isFound: false, loadState: 'not-found', activeState: 'inactive' });
    expect(codes(seen({ units: none }))).toEqual(['flanneld-without-service']);
    expect(codes(seen({ units: units({ unitFileState: 'disabled' }) }))).toEqual(['flanneld-not-enabled']);
    expect(codes(seen({ units: none, flanneld: known([]) }))).toEqual(['flanneld-absent']);
  });

  it('in a container is not the node’s', () => {
    const facts = seen({
      units: units({ activeState: 'inactive' }),
      flanneld: known([process(7, ['/opt/flanneld', '--kube-subnet-mgr'], { isInHostsNamespace: false })]),
    });
    expect(codes(facts)).toEqual(['flanneld-not-running']);
  });

  it('is unknown, and no problem, when nothing could be asked', () => {
    const state = stateOf(
      seen({ units: unknown('no systemctl'), supervisor: unknown('no supervisorctl'), flanneld: unknown('no /proc') }),
    );
    expect(state.service).toEqual(unknown('no /proc'));
    expect(state.problems).toEqual([]);
  });

  it('of another release than the inventory names is told, and of a replaced program the release is unknown', () => {
    const old = known([{ path: '/opt/flannel/flanneld', version: parseFlannelVersion('v0.20.2'), why: null }]);
    expect(codes(seen({ flannelPrograms: old }))).toEqual(['flannel-other-release']);
    expect(codes(seen({ flannelPrograms: old }), { network: network(hostGw, hostGwLeases, { wanted: null }) })).toEqual(
      [],
    );
    const replaced = stateOf(seen({ flanneld: known([process(100, flanneldWords, { isReplaced: true })]) }));
    expect(replaced.version.known).toBe(false);
    expect(replaced.problems.map(({ code }) => code)).toEqual(['flanneld-replaced']);
  });

  it('of a program that was not asked has an unknown release', () => {
    const state = stateOf(seen({ flanneld: known([process(100, ['/srv/flanneld'])]) }));
    expect(state.version).toEqual(unknown('flanneld runs from /srv/flanneld, which was not asked'));
  });

  it.each([
    ['a word', process(100, ['/opt/flannel/flanneld', '--subnet-file=/srv/subnet.env'])],
    ['two words', process(100, ['/opt/flannel/flanneld', '-subnet-file', '/srv/subnet.env'])],
    [
      'a variable',
      process(100, ['/opt/flannel/flanneld'], { environment: new Map([['FLANNELD_SUBNET_FILE', '/srv/subnet.env']]) }),
    ],
  ])('that writes its file elsewhere makes it unknown (%s)', (_how, one) => {
    const state = stateOf(seen({ flanneld: known([one]), subnetEnv: known({ present: false }) }));
    expect(state.subnetEnv.known).toBe(false);
    expect(state.problems.map(({ code }) => code)).toEqual(['subnet-file-elsewhere']);
  });
});

describe('lease and subnet.env', () => {
  const { '172.7.21.0/24': _own, ...others } = hostGwLeases;

  it('tells that there is no lease, and that the file is missing', () => {
    const facts = seen({ subnetEnv: known({ present: false }) });
    expect(codes(facts, { network: network(hostGw, others) })).toEqual(['node-without-lease', 'no-subnet-env']);
  });

  it('tells of a lease under another address of the node', () => {
    const facts = seen({
      links: known([
        link('eth0', ['10.0.2.15/24']),
        link('eth1', ['10.4.7.21/24']),
        link('docker0', ['172.7.21.1/24']),
      ]),
    });
    const behindNat = network(hostGw, {
      ...others,
      '172.7.21.0/24': { PublicIP: '10.0.2.15', BackendType: 'host-gw' },
    });
    expect(codes(facts, { network: behindNat })).toContain('lease-under-other-ip');
    expect(codes(facts, { network: behindNat })).not.toContain('node-without-lease');
  });

  it('finds the lease by an address of the node when the inventory has a name alone', () => {
    const { publicIP: _publicIP, ...named } = { ...own, address: 'hdss7-21.host.com' };
    expect(stateOf(seen(), { node: named })).toMatchObject({ problems: [], publicIP: '10.4.7.21' });
  });

  it('tells of a file that is not of this lease, or of another network', () => {
    expect(codes(seen({ subnetEnv: env(1500, '172.7.99.1/24') }))).toEqual([
      'subnet-env-not-lease',
      'docker-bridge-address',
    ]);
    expect(codes(seen({ subnetEnv: env(1500, '172.7.21.1/25') }))).toContain('subnet-env-not-lease');
    expect(codes(seen({ subnetEnv: env(1500, '172.7.21.1/24', '172.7.0.0/15') }))).toEqual([
      'subnet-env-other-network',
    ]);
  });

  it('tells what is wrong with the lease itself', () => {
    const key = '/coreos.com/network/subnets/172.7.21.0-24';
    const late = network(hostGw, hostGwLeases, { ttls: new Map([[key, 60]]) });
    expect(codes(seen(), { network: late })).toEqual(['renewal-overdue']);
  });

  it('makes of a hostile file problems, not words of its own', () => {
    expect(codes(seen({ subnetEnv: subnetEnv('FLANNEL_SUBNET=$(reboot)\n') }))).toContain('subnet-env-not-plain');
  });
});

describe('Docker', () => {
  it('with its own address is told', () => {
    const facts = seen({ links: known([link('eth0', ['10.4.7.21/24']), link('docker0', ['172.17.0.1/16'])]) });
    const state = stateOf(facts);
    expect(state.docker0).toEqual(known(['172.17.0.1/16']));
    expect(state.problems.map(({ code }) => code)).toEqual(['docker-bridge-address']);
    expect(state.problems[0]?.message).toContain('docker0 has 172.17.0.1/16');
  });

  it('that is stopped, or has lost its bridge, is told', () => {
    const links = known([link('eth0', ['10.4.7.21/24'])]);
    expect(codes(seen({ links }))).toEqual(['docker-bridge-missing']);
    const stopped = stateOf(
      seen({
        links,
        docker: known({ state: 'stopped', why: 'Cannot connect' }),
        networks: unknown('docker: Cannot connect'),
      }),
    );
    expect(stopped.problems.map(({ code }) => code)).toEqual(['docker-down']);
    expect(stopped.mtu).toEqual(unknown('Docker does not run'));
  });

  it('that is not there is unknown, and no problem', () => {
    const why = 'docker is not installed';
    const state = stateOf(
      seen({ links: known([link('eth0', ['10.4.7.21/24'])]), docker: unknown(why), networks: unknown(why) }),
    );
    expect(state).toMatchObject({ problems: [], docker0: unknown(why), mtu: unknown(why) });
  });

  it('with the article’s own slip, an MTU of 1500 over 1450, is told', () => {
    const facts = vxlanSeen({ networks: bridgeNetwork(1500) });
    expect(codes(facts, { network: vxlanNetwork })).toEqual(['mtu-larger-than-overlay']);
    expect(codes(vxlanSeen({ networks: bridgeNetwork(1400) }), { network: vxlanNetwork })).toEqual([
      'mtu-smaller-than-overlay',
    ]);
  });

  it('may call its bridge otherwise', () => {
    const facts = seen({
      links: known([link('eth0', ['10.4.7.21/24']), link('br0', ['172.7.21.1/24'])]),
      networks: known([{ ...dockerNetwork('bridge', '172.7.21.0/24', 'br0'), mtu: 1500 }]),
    });
    expect(codes(facts)).toEqual([]);
  });
});

describe('routes with host-gw', () => {
  const without = (subnet: string, ...more: readonly Route[]) => {
    const { routes } = seen();
    const kept = routes.known
      ? routes.value.filter((one) => JSON.stringify(one.destination) !== JSON.stringify(route(subnet, {}).destination))
      : [];
    return known([...kept, ...more]);
  };

  it('tells of one that is missing, once, and not of the silence that follows', () => {
    const state = stateOf(seen({ routes: without('172.7.22.0/24') }), { pings: pings('172.7.22.1') });
    expect(state.problems.map(({ code }) => code)).toEqual(['peer-route-missing']);
    expect(state.problems[0]?.message).toBe('no route to 1 of 2 peers: hdss7-22 (172.7.22.0/24)');
    expect(state.peers.map(({ isRouted, isReached }) => [isRouted, isReached])).toEqual([
      [known(false), known(false)],
      [known(true), known(true)],
    ]);
  });

  it.each([
    ['another gateway', route('172.7.22.0/24', { via: '10.4.7.99', dev: 'eth0' })],
    ['another device', route('172.7.22.0/24', { via: '10.4.7.22', dev: 'eth1' })],
    ['a blackhole', { ...route('172.7.22.0/24', { type: 'blackhole' }), nextHops: [] }],
  ])('tells of %s', (_what, wrong) => {
    expect(codes(seen({ routes: without('172.7.22.0/24', wrong) }))).toEqual(['peer-route-wrong']);
  });

  it('takes no route of another table, and the one of the least metric', () => {
    const right = route('172.7.22.0/24', { via: '10.4.7.22', dev: 'eth0' });
    expect(codes(seen({ routes: without('172.7.22.0/24', { ...right, table: '100' }) }))).toEqual([
      'peer-route-missing',
    ]);
    const detour = route('172.7.22.0/24', { via: '10.4.7.99', dev: 'eth0' });
    expect(codes(seen({ routes: without('172.7.22.0/24', { ...right, metric: 100 }, detour) }))).toEqual([
      'peer-route-wrong',
    ]);
  });

  it('tells of a router before a peer', () => {
    const routesTo = known(
      new Map([
        ['10.4.7.22', way('10.4.7.254')],
        ['10.4.7.23', way(null)],
      ]),
    );
    expect(codes(seen({ routesTo }))).toEqual(['peer-not-adjacent']);
  });

  it('is unknown when the routes are', () => {
    const state = stateOf(seen({ routes: unknown('ip is not there') }));
    expect(state.problems).toEqual([]);
    expect(state.peers.map(({ isRouted }) => isRouted.known)).toEqual([false, false]);
  });
});

describe('routes with vxlan', () => {
  const codesOf = (change: Partial<StateSeen>, config: object = vxlan) =>
    codes(vxlanSeen(change), { network: network(config, vxlanLeases) });

  it('tells of the device, once for all peers', () => {
    const { links } = seen();
    const state = stateOf(vxlanSeen({ links }), { network: vxlanNetwork });
    expect(state.problems.map(({ code, path }) => [code, path])).toEqual([['tunnel-device-missing', 'flannel.7']]);
  });

  it('tells of a route past the tunnel', () => {
    const plain = known([
      ...ownRoutes,
      ...['22', '23'].map((n) => route(`172.7.${n}.0/24`, { via: `10.4.7.${n}`, dev: 'eth0' })),
    ]);
    expect(codesOf({ routes: plain })).toEqual(['peer-route-wrong']);
  });

  it('tells of an ARP entry that is missing or has the MAC of an earlier device', () => {
    const good = neighbour('172.7.23.0', macs['10.4.7.23']);
    expect(codesOf({ neighbours: known([good]) })).toEqual(['peer-arp-wrong']);
    expect(codesOf({ neighbours: known([good, neighbour('172.7.22.0', '0e:00:00:00:00:99')]) })).toEqual([
      'peer-arp-wrong',
    ]);
    expect(codesOf({ neighbours: known([good, neighbour('172.7.22.0', macs['10.4.7.22'], 'flannel.1')]) })).toEqual([
      'peer-arp-wrong',
    ]);
  });

  it('tells of an FDB entry that is missing or leads elsewhere', () => {
    const good = forwarding(macs['10.4.7.23'], '10.4.7.23');
    expect(codesOf({ forwardingEntries: known([good]) })).toEqual(['peer-fdb-wrong']);
    const elsewhere = forwarding(macs['10.4.7.22'], '10.4.7.99');
    expect(codesOf({ forwardingEntries: known([good, elsewhere]) })).toEqual(['peer-fdb-wrong']);
  });

  it('is unknown when ARP or FDB are, unless something is wrong already', () => {
    const state = stateOf(vxlanSeen({ forwardingEntries: unknown('bridge is not there') }), { network: vxlanNetwork });
    expect(state.problems).toEqual([]);
    expect(state.peers.map(({ isRouted }) => isRouted)).toEqual([
      unknown('bridge is not there'),
      unknown('bridge is not there'),
    ]);
    expect(codesOf({ forwardingEntries: unknown('bridge is not there'), neighbours: known([]) })).toEqual([
      'peer-arp-wrong',
    ]);
  });

  it('takes plain routes on the segment and the tunnel beyond it with DirectRouting', () => {
    const direct = { Network: '172.7.0.0/16', Backend: { Type: 'vxlan', VNI: 7, DirectRouting: true } };
    const ways = known(
      new Map([
        ['10.4.7.22', way(null)],
        ['10.4.7.23', way('10.4.7.254')],
      ]),
    );
    const mixed = known([
      ...ownRoutes,
      route('172.7.22.0/24', { via: '10.4.7.22', dev: 'eth0' }),
      route('172.7.23.0/24', { via: '172.7.23.0', dev: 'flannel.7' }),
    ]);
    expect(codesOf({ routes: mixed, routesTo: ways }, direct)).toEqual([]);
    expect(codesOf({ routesTo: ways }, direct)).toEqual(['peer-route-wrong']);
    // Where adjacency is not known both are right.
    expect(codesOf({ routes: mixed, routesTo: unknown('no ip') }, direct)).toEqual([]);
    expect(waysToAsk(own, network(direct, vxlanLeases))).toEqual(['10.4.7.22', '10.4.7.23']);
    expect(waysToAsk(own, vxlanNetwork)).toEqual([]);
  });
});

describe('other backends', () => {
  const ofType = (type: string, more: object = {}): Values =>
    Object.fromEntries(
      Object.entries(hostGwLeases).map(([subnet, value]) => [subnet, { ...value, BackendType: type, ...more }]),
    );

  it('ipip sends through its own device', () => {
    const ipip = network({ Network: '172.7.0.0/16', Backend: { Type: 'ipip' } }, ofType('ipip'));
    const { links } = seen();
    const facts = seen({
      links: known([...(links.known ? links.value : []), link('flannel.ipip', [])]),
      routes: known([
        ...ownRoutes,
        ...['22', '23'].map((n) => route(`172.7.${n}.0/24`, { via: `10.4.7.${n}`, dev: 'flannel.ipip' })),
      ]),
    });
    expect(codes(facts, { network: ipip })).toEqual([]);
    expect(codes(seen(), { network: ipip })).toEqual(['tunnel-device-missing']);
  });

  it('wireguard and udp have one route for the whole network', () => {
    const wireguard = network(
      { Network: '172.7.0.0/16', Backend: { Type: 'wireguard' } },
      ofType('wireguard', { BackendData: { PublicKey: 'x', Port: 51820 } }),
    );
    const { links } = seen();
    const facts = seen({
      links: known([...(links.known ? links.value : []), link('flannel-wg', [])]),
      routes: known([...ownRoutes, route('172.7.0.0/16', { dev: 'flannel-wg' })]),
    });
    expect(codes(facts, { network: wireguard })).toEqual([]);
    const udpValues = Object.fromEntries(
      Object.entries(hostGwLeases).map(([subnet, { PublicIP }]: [string, { PublicIP?: string }]) => [
        subnet,
        { PublicIP },
      ]),
    );
    const udp = network({ Network: '172.7.0.0/16', Backend: { Type: 'udp' } }, udpValues);
    const tun = seen({ routes: known([...ownRoutes, route('172.7.0.0/16', { dev: 'flannel0' })]) });
    expect(codes(tun, { network: udp })).toEqual([]);
    expect(codes(seen(), { network: udp })).toEqual(['peer-route-missing']);
  });

  it('what keeps no routes on the node is unknown there, but is pinged', () => {
    const state = stateOf(seen({ routes: known(ownRoutes) }), {
      network: network({ Network: '172.7.0.0/16', Backend: { Type: 'ipsec', PSK: 'x'.repeat(96) } }, ofType('ipsec')),
      pings: pings('172.7.22.1'),
    });
    expect(state.peers.map(({ isRouted }) => isRouted.known)).toEqual([false, false]);
    expect(state.problems.map(({ code }) => code)).toEqual(['peer-not-reached']);
    expect(state.problems[0]?.suggestion).toContain('UDP 500 and 4500');
  });
});

describe('peers', () => {
  it('are the others with a lease of this backend that flanneld can use', () => {
    const leases = {
      ...vxlanLeases,
      '172.7.30.0/24': { PublicIP: '10.4.7.30' },
      '172.7.31.0/24': { PublicIP: '10.4.7.31', BackendType: 'host-gw' },
      '172.7.32.0/24': { PublicIP: '10.4.7.32', BackendType: 'vxlan', BackendData: { VtepMAC: 7 } },
      '172.7.33.0/24': { PublicIP: '10.4.7.33', BackendType: 'vxlan', BackendData: { VtepMAC: '0e:00:00:00:00:33' } },
    };
    expect(peersOf('10.4.7.21', network(vxlan, leases)).map(({ name, publicIP }) => [name, publicIP])).toEqual([
      ['hdss7-22', '10.4.7.22'],
      ['hdss7-23', '10.4.7.23'],
      [null, '10.4.7.33'],
    ]);
  });

  it('are pinged at their bridges, from Docker’s own where it is there', () => {
    expect(pingsToSend(own, seen(), network(hostGw, hostGwLeases))).toEqual({
      addresses: ['172.7.22.1', '172.7.23.1'],
      source: '172.7.21.1',
    });
    const links = known([link('eth0', ['10.4.7.21/24']), link('docker0', ['172.17.0.1/16'])]);
    expect(pingsToSend(own, seen({ links }), network(hostGw, hostGwLeases)).source).toBeNull();
  });

  it('that do not answer are counted and named, five of them', () => {
    const many = Object.fromEntries(
      Array.from({ length: 9 }, (_, index) => [
        `172.7.${40 + index}.0/24`,
        { PublicIP: `10.4.7.${40 + index}`, BackendType: 'host-gw' },
      ]),
    );
    const lost = known(new Map(Array.from({ length: 9 }, (_, index) => [`172.7.${40 + index}.1`, known(silent)])));
    const routes = known(
      Array.from({ length: 9 }, (_, index) =>
        route(`172.7.${40 + index}.0/24`, { via: `10.4.7.${40 + index}`, dev: 'eth0' }),
      ),
    );
    const { '172.7.21.0/24': mine = {} } = hostGwLeases;
    const [problem] = stateOf(seen({ routes, routesTo: known(new Map()) }), {
      network: network(hostGw, { '172.7.21.0/24': mine, ...many }),
      pings: lost,
    }).problems;
    expect(problem?.message).toBe(
      '9 of 9 peers do not answer a ping over the overlay: 172.7.40.1, 172.7.41.1, 172.7.42.1, 172.7.43.1, 172.7.44.1 and 4 more',
    );
  });

  it('that were not asked are unknown, and no problem', () => {
    for (const none of [null, unknown('ping is not there'), known(new Map())]) {
      const state = stateOf(seen(), { pings: none });
      expect(state.problems).toEqual([]);
      expect(state.peers.map(({ isReached }) => isReached.known)).toEqual([false, false]);
    }
  });

  it('are none when flanneld does not take the config', () => {
    const state = stateOf(seen(), { network: { ...network(hostGw, hostGwLeases), effective: null } });
    expect(state.peers).toEqual([]);
    expect(state.problems).toEqual([]);
  });
});
