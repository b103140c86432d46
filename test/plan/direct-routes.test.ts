import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { addressOf } from '../../src/lib/fact/address';
import type { DirectRouteAnswers } from '../../src/lib/fact/direct-route-facts';
import { known, unknown } from '../../src/lib/fact/fact';
import type { RouteTo } from '../../src/lib/fact/route-to';
import { parseInventory } from '../../src/lib/inventory/parse-inventory';
import { isWrittenByNetctl } from '../../src/lib/net/written-by-netctl';
import { directRouteScript, readDirectRouteScript } from '../../src/lib/plan/direct-route-files';
import {
  type DirectPlan,
  type DirectWish,
  directFleet,
  directRouteQuestions,
  planDirectRoutes,
  type RouteRow,
  routeRows,
} from '../../src/lib/plan/direct-routes';
import { nodeSeen, route } from '../support/node-seen';
import { process, SimulatedNode } from '../support/simulated-node';

type Nodes = readonly Readonly<Record<string, string>>[];

/** The first seed's: a master, and two nodes with containers. */
const seed: Nodes = [
  { name: 'master', address: '192.168.21.135' },
  { name: 'node1', address: '192.168.21.136', subnet: '172.17.1.0/24' },
  { name: 'node2', address: '192.168.21.137', subnet: '172.17.2.0/24' },
];

function wishOf(nodes: Nodes, cidr?: string): DirectWish {
  const network = cidr === undefined ? {} : { network: { cidr } };
  const inventory = parseInventory(JSON.stringify({ ...network, nodes }), '/work/netctl.yaml');
  return { inventory, fleet: directFleet(inventory), leases: new Map() };
}

const wish = wishOf(seed, '172.17.0.0/16');

const onLink: RouteTo = { reachable: true, gateway: null, device: 'eth0', source: null, isLocal: false };

function answersOf(
  node: SimulatedNode,
  name: string,
  ways: Readonly<Record<string, RouteTo>> = {},
): DirectRouteAnswers {
  const ask = directRouteQuestions(wish.inventory, wish.fleet, name);
  const base = nodeSeen(node.address).answers;
  const answers = node.answers({ ...ask, sums: [], folders: [], installDir: '/opt/flannel' });
  const targets = new Map(ask.targets.map((target) => [target, ways[target] ?? onLink]));
  return { ...answers, routesTo: known(targets), settings: base.settings };
}

function plan(node: SimulatedNode, name: string, change: Partial<DirectWish> = {}): DirectPlan {
  return planDirectRoutes(name, answersOf(node, name), { ...wish, ...change });
}

function rows(node: SimulatedNode, name: string): readonly (readonly [string, string | null, string])[] {
  const found: readonly RouteRow[] = routeRows(answersOf(node, name), wish.fleet, name) ?? [];
  return found.map(({ subnet, actual, state }) => [subnet, actual, state]);
}

const errors = (found: DirectPlan): readonly string[] =>
  found.problems.filter(({ severity }) => severity === 'error').map(({ code }) => code);

describe('routes between nodes without flannel', () => {
  let node: SimulatedNode;
  beforeEach(() => {
    node = new SimulatedNode('192.168.21.136');
  });

  it('are missing at first: docker0 has the range of every Docker, and there is no route', () => {
    expect(rows(node, 'node1')).toEqual([
      ['172.17.1.0/24', 'docker0 is 172.17.0.1/16', 'missing'],
      ['172.17.2.0/24', null, 'missing'],
    ]);
  });

  it('are there after the plan, and then there is nothing to do', () => {
    const found = plan(node, 'node1');
    expect(found.problems).toEqual([]);
    node.apply(found.steps);
    expect(node.text('/etc/docker/daemon.json')).toBe('{\n  "bip": "172.17.1.1/24"\n}\n');
    expect(rows(node, 'node1')).toEqual([
      ['172.17.1.0/24', 'dev docker0', 'ok'],
      ['172.17.2.0/24', 'via 192.168.21.137 dev eth0', 'ok'],
    ]);
    expect(plan(node, 'node1')).toMatchObject({ steps: [], problems: [] });
  });

  it('plan the same twice', () => {
    expect(plan(node, 'node1')).toEqual(plan(node, 'node1'));
  });

  it('are all that a node without containers gets: no range, no rules, no setting', () => {
    const master = new SimulatedNode('192.168.21.135');
    const found = plan(master, 'master');
    expect(found.steps.map(({ title }) => title)).toEqual(['routes to the other nodes']);
    master.apply(found.steps);
    expect(rows(master, 'master').map(([subnet, , state]) => [subnet, state])).toEqual([
      ['172.17.1.0/24', 'ok'],
      ['172.17.2.0/24', 'ok'],
    ]);
    expect(master.rules.filter.join('\n')).not.toContain('netctl:routes');
  });

  it('let packets from and to its own subnet through FORWARD, and touch no policy and no other rule', () => {
    const before = [...node.rules.filter];
    const found = plan(node, 'node1');
    node.apply(found.steps);
    expect(node.rules.filter).toEqual([
      ...before,
      '-A FORWARD -s 172.17.1.0/24 -m comment --comment "netctl:routes" -j ACCEPT',
      '-A FORWARD -d 172.17.1.0/24 -m comment --comment "netctl:routes" -j ACCEPT',
    ]);
    const all = JSON.stringify(found.steps) + (node.text('/usr/local/lib/netctl/direct-routes') ?? '');
    expect(all).not.toMatch(/iptables[^\n]* (-P|-F|--flush|--policy) /);
  });

  it('are mended where they lead elsewhere or are gone, and the rest is left in peace', () => {
    node.apply(plan(node, 'node1').steps);
    node.routes = [
      ...node.routes.filter(({ destination }) => destination.length !== 24 || destination.base !== 0xac110200),
      route('172.17.2.0/24', { via: '192.168.21.135', dev: 'eth0' }),
    ];
    expect(rows(node, 'node1')[1]).toEqual(['172.17.2.0/24', 'via 192.168.21.135 dev eth0', 'other-gateway']);
    const found = plan(node, 'node1');
    expect(
      found.steps.flatMap(({ changes }) => changes).map((change) => ('argv' in change ? change.argv : [])),
    ).toEqual([['systemctl', 'reload-or-restart', 'netctl-routes.service']]);
    node.apply(found.steps);
    expect(plan(node, 'node1').steps).toEqual([]);
  });

  it('are put there again when somebody took a rule out, or the service was switched off', () => {
    node.apply(plan(node, 'node1').steps);
    node.rules.filter.pop();
    expect(plan(node, 'node1').steps).toHaveLength(1);
    node.apply(plan(node, 'node1').steps);
    node.units.set('netctl-routes.service', { active: true, enabled: false });
    node.apply(plan(node, 'node1').steps);
    expect(node.units.get('netctl-routes.service')).toEqual({ active: true, enabled: true });
    expect(plan(node, 'node1').steps).toEqual([]);
  });

  it('that nobody expects are shown and left, within the network and within the subnet of another', () => {
    node.apply(plan(node, 'node1').steps);
    node.routes.push(route('172.17.77.0/24', { via: '192.168.21.135', dev: 'eth0' }));
    node.routes.push(route('172.17.2.128/25', { via: '192.168.21.135', dev: 'eth0' }));
    node.routes.push(route('10.0.0.0/8', { via: '192.168.21.135', dev: 'eth0' }));
    expect(rows(node, 'node1').filter(([, , state]) => state === 'extra')).toEqual([
      ['172.17.77.0/24', 'via 192.168.21.135 dev eth0', 'extra'],
      ['172.17.2.128/25', 'via 192.168.21.135 dev eth0', 'extra'],
    ]);
    const found = plan(node, 'node1');
    expect(found.steps).toEqual([]);
    expect(found.problems.map(({ code }) => code)).toEqual(['route-extra', 'route-extra']);
  });

  it('of a node that left the inventory go, because netctl made them; of one that moved they change', () => {
    const third = { name: 'node3', address: '192.168.21.138', subnet: '172.17.3.0/24' };
    const before = wishOf([...seed, third], '172.17.0.0/16');
    const answers = {
      ...answersOf(node, 'node1'),
      routesTo: known(
        new Map([
          ['192.168.21.137', onLink],
          ['192.168.21.138', onLink],
        ]),
      ),
    };
    node.apply(planDirectRoutes('node1', answers, before).steps);
    expect(rows(node, 'node1').at(-1)).toEqual(['172.17.3.0/24', 'via 192.168.21.138 dev eth0', 'extra']);
    const found = plan(node, 'node1');
    expect(found.problems).toEqual([]);
    node.apply(found.steps);
    expect(rows(node, 'node1').map(([subnet]) => subnet)).toEqual(['172.17.1.0/24', '172.17.2.0/24']);
    expect(plan(node, 'node1').steps).toEqual([]);
  });

  it('take the rules of an earlier subnet of the node away', () => {
    node.apply(plan(node, 'node1').steps);
    const moved = wishOf([seed[0] ?? {}, { ...seed[1], subnet: '172.17.9.0/24' }, seed[2] ?? {}], '172.17.0.0/16');
    node.apply(planDirectRoutes('node1', answersOf(node, 'node1'), moved).steps);
    expect(node.rules.filter.filter((rule) => rule.includes('netctl:routes'))).toEqual([
      '-A FORWARD -s 172.17.9.0/24 -m comment --comment "netctl:routes" -j ACCEPT',
      '-A FORWARD -d 172.17.9.0/24 -m comment --comment "netctl:routes" -j ACCEPT',
    ]);
    expect(planDirectRoutes('node1', answersOf(node, 'node1'), moved).steps).toEqual([]);
  });

  it.each<[string, RouteTo, string]>([
    ['behind a router', { ...onLink, gateway: addressOf('192.168.21.254') ?? null }, 'reached by 192.168.21.254'],
    ['not reached', { reachable: false, why: 'Network is unreachable' }, 'Network is unreachable'],
    ['the node itself', { ...onLink, isLocal: true }, 'an address of the node itself'],
  ])('are refused when the gateway is %s', (_, way, reason) => {
    const found = planDirectRoutes('node1', answersOf(node, 'node1', { '192.168.21.137': way }), wish);
    expect(errors(found)).toEqual(['gateway-not-on-link']);
    expect(found.problems[0]?.message).toContain(reason);
  });

  it('are refused on a node of flannel, by its lease, its process or the files of bootstrap', () => {
    expect(errors(plan(node, 'node1', { leases: new Map([['192.168.21.136', '172.7.21.0/24']]) }))).toEqual([
      'node-has-flannel',
    ]);
    node.flanneld = [process(7, '/opt/flannel/flanneld', ['/opt/flannel/flanneld'])];
    expect(errors(plan(node, 'node1'))).toEqual(['node-has-flannel']);
    node.flanneld = [];
    node.put('/etc/systemd/system/docker.service.d/zz-netctl-flannel.conf', '[Service]\n');
    expect(errors(plan(node, 'node1'))).toContain('node-has-flannel');
  });

  it('are refused where the node is in the range itself', () => {
    node.routes.push(route('172.17.1.0/26', { dev: 'br-0123456789ab', protocol: 'kernel' }));
    expect(errors(plan(node, 'node1'))).toEqual(['subnet-in-use']);
  });

  it('are refused where what is known is not enough', () => {
    const answers = answersOf(node, 'node1');
    const blind = {
      ...answers,
      routes: { known: false, why: 'ip is not there' },
      texts: { known: false, why: 'no' },
    } as const;
    expect(new Set(errors(planDirectRoutes('node1', blind, wish)))).toEqual(
      new Set(['routes-unknown', 'node-file-unknown', 'docker-unknown']),
    );
    expect(routeRows(blind, wish.fleet, 'node1')).toBeUndefined();
  });

  it('restart no Docker of which something is not known, also where all is as it should be', () => {
    const node = new SimulatedNode('192.168.21.136');
    const late = unknown('docker: it took longer than 10 s');
    for (const done of [false, true]) {
      if (done) node.apply(plan(node, 'node1').steps);
      for (const change of [{ networks: late }, { dockerd: late }, { containers: late }, { links: late }]) {
        const found = planDirectRoutes('node1', { ...answersOf(node, 'node1'), ...change }, wish);
        expect(errors(found)).toContain('docker-unknown');
        const lines = found.steps.flatMap(({ changes }) => changes.map((each) => JSON.stringify(each)));
        expect(lines.join('\n')).not.toMatch(/docker\.service|daemon\.json/);
      }
    }
  });

  it('are impossible when the inventory tells of none, or of a subnet that holds a node', () => {
    expect(wishOf([{ name: 'a', address: '10.0.0.1' }]).fleet.problems.map(({ code }) => code)).toEqual(['no-subnets']);
    const holds = wishOf([
      { name: 'a', address: '10.0.0.1', subnet: '10.0.0.0/24' },
      { name: 'b', address: '10.0.0.2', subnet: '10.0.1.0/24' },
    ]);
    expect(holds.fleet.problems.map(({ code }) => code)).toEqual(['subnet-holds-gateway']);
    const nameless = wishOf([{ name: 'a', address: 'a.example', subnet: '10.0.1.0/24' }]);
    expect(nameless.fleet.problems.map(({ code }) => code)).toEqual(['no-gateway']);
  });
});

describe('the script that puts routes there', () => {
  const octet = fc.integer({ min: 0, max: 255 });
  const gateway = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));
  const subnet = fc
    .tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 1, max: 30 }))
    .map(([address, length]) => ({ base: address - (address % 2 ** (32 - length)), length }));
  const wanted = fc.record({
    routes: fc.array(fc.record({ subnet, via: gateway }), { maxLength: 50 }),
    accepts: fc.array(subnet, { maxLength: 2 }),
  });

  it('is read back as it was meant', () => {
    fc.assert(
      fc.property(wanted, (script) => {
        expect(readDirectRouteScript(directRouteScript(script))).toEqual(script);
      }),
    );
  });

  it('is ours to replace, and a script that sh takes', () => {
    const text = directRouteScript({
      routes: [{ subnet: { base: 0xac110200, length: 24 }, via: '192.168.21.137' }],
      accepts: [],
    });
    expect(isWrittenByNetctl(text)).toBe(true);
    expect(() => execFileSync('sh', ['-n'], { input: text })).not.toThrow();
  });

  it('tells nothing of another text', () => {
    expect(readDirectRouteScript('routes=1\naccepts="x"\n')).toEqual({ routes: [], accepts: [] });
  });
});
