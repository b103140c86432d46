import type { DirectRouteAnswers, DirectRouteQuestions } from '../fact/direct-route-facts';
import { isDockerAtLeast } from '../fact/docker';
import { readRule } from '../fact/iptables-rule';
import { rulesOfChain, tableOf } from '../fact/iptables-save';
import type { Route } from '../fact/routes';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { cidrContains, cidrOf, cidrsOverlap, formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import type { Problem } from '../net/problem';
import {
  type DirectRoute,
  directRouteComment,
  directRouteFiles,
  directRoutePaths,
  directRouteUnit,
  foreignRoutesFile,
  forwardingFile,
  readDirectRouteScript,
} from './direct-route-files';
import { type DockerPlan, type DockerWish, dockerDefaults, dockerFiles } from './docker';
import { dockerEnvironmentFiles, dockerStep, planNodeDocker } from './docker-step';
import { fileChanges, type HostChange, type NodeStep, seenText } from './host-change';

/** A node among those that route to each other. */
export interface DirectNode {
  readonly node: InventoryNode;
  /** Null: it has no containers of its own, and routes to those of the others. */
  readonly subnet: Ipv4Cidr | null;
  /** The address that the others send to; null when the inventory tells none. */
  readonly address: string | null;
}

export interface DirectFleet {
  readonly nodes: readonly DirectNode[];
  /** Where a route that is not expected is worth a word: the subnets, and the network of the inventory. */
  readonly ranges: readonly Ipv4Cidr[];
  /** An error among them: nothing can be planned on any node. */
  readonly problems: readonly Problem[];
}

/** Who routes to whom, by the inventory alone. */
export function directFleet(inventory: Inventory): DirectFleet {
  const problems: Problem[] = [];
  const nodes = inventory.nodes.map((node): DirectNode => {
    const parsed = node.subnet === undefined ? undefined : parseIpv4Cidr(node.subnet);
    const subnet = parsed === undefined ? null : cidrOf(parsed.base, parsed.length);
    const address = node.publicIP ?? null;
    if (subnet !== null && address === null) {
      problems.push(
        wrong(
          'no-gateway',
          node.name,
          `${node.name} has a subnet, but the inventory tells no IPv4 address that the others could send to`,
          `nodes: - { name: ${node.name}, publicIP: 192.0.2.1 }`,
        ),
      );
    }
    return { node, subnet, address };
  });
  const withSubnet = nodes.flatMap(({ node, subnet }) => (subnet === null ? [] : [{ node, subnet }]));
  if (withSubnet.length === 0) {
    problems.push(
      wrong(
        'no-subnets',
        'nodes',
        'no node of the inventory has a subnet, so there is nothing to route to',
        `nodes: - { name: ${inventory.nodes[0]?.name ?? 'node1'}, subnet: 172.17.1.0/24 }`,
      ),
    );
  }
  for (const { node, subnet } of withSubnet) {
    const inside = nodes.find(({ address }) => {
      const number = address === null ? undefined : parseIpv4(address);
      return number !== undefined && cidrContains(subnet, number);
    });
    if (inside !== undefined) {
      problems.push(
        wrong(
          'subnet-holds-gateway',
          node.name,
          `the subnet ${formatCidr(subnet)} of ${node.name} holds the address ${inside.address ?? ''} of ${inside.node.name}, which could then not be reached`,
          null,
        ),
      );
    }
  }
  const network = inventory.network.cidr === undefined ? undefined : parseIpv4Cidr(inventory.network.cidr);
  return {
    nodes,
    problems,
    ranges: [
      ...withSubnet.map(({ subnet }) => subnet),
      ...(network === undefined ? [] : [cidrOf(network.base, network.length)]),
    ],
  };
}

function wrong(code: string, path: string, message: string, suggestion: string | null): Problem {
  return { code, severity: 'error', path, message, suggestion };
}

function warning(code: string, path: string, message: string, suggestion: string | null): Problem {
  return { code, severity: 'warning', path, message, suggestion };
}

/** The routes that a node should have: to every subnet but its own. */
function expectedRoutes(fleet: DirectFleet, name: string): readonly DirectRoute[] {
  return fleet.nodes.flatMap(({ node, subnet, address }) =>
    node.name === name || subnet === null || address === null ? [] : [{ subnet, via: address }],
  );
}

export type RouteState = 'ok' | 'missing' | 'other-gateway' | 'extra';

/** One route of one node, expected against actual. */
export interface RouteRow {
  readonly node: string;
  readonly subnet: string;
  /** `via 192.168.21.137`, or `dev docker0` for the node's own; null for one that nobody expects. */
  readonly expected: string | null;
  /** As the node has it; null when it has none. */
  readonly actual: string | null;
  readonly state: RouteState;
}

/** What must be asked of a node. The same whatever it answers. */
export function directRouteQuestions(inventory: Inventory, fleet: DirectFleet, name: string): DirectRouteQuestions {
  const { docker, flannel } = inventory;
  return {
    texts: [
      ...Object.values(directRoutePaths),
      ...dockerFiles({}),
      ...dockerEnvironmentFiles,
      docker.daemonJson ?? inventoryDefaults.docker.daemonJson,
      flannel.subnetFile ?? inventoryDefaults.flannel.subnetFile,
    ],
    targets: [...new Set(expectedRoutes(fleet, name).map(({ via }) => via))],
    dockerService: docker.service ?? inventoryDefaults.docker.service,
  };
}

/** @returns undefined when the node's routes are not known */
export function routeRows(
  answers: DirectRouteAnswers,
  fleet: DirectFleet,
  name: string,
): readonly RouteRow[] | undefined {
  if (!answers.routes.known || !answers.links.known) return undefined;
  const routes = answers.routes.value.filter(({ table }) => table === 'main');
  const rows: RouteRow[] = [];
  const own = fleet.nodes.find(({ node }) => node.name === name)?.subnet ?? null;
  if (own !== null) {
    const docker0 = answers.links.value.find((link) => link.name === 'docker0');
    const has = (docker0?.addresses ?? []).flatMap((each) =>
      each.family === 4 ? [`${formatIpv4(each.address)}/${each.length}`] : [],
    );
    rows.push({
      node: name,
      subnet: formatCidr(own),
      expected: 'dev docker0',
      actual: has.includes(bridgeOf(own))
        ? 'dev docker0'
        : docker0 === undefined
          ? null
          : `docker0 is ${has.join(', ')}`,
      state: has.includes(bridgeOf(own)) ? 'ok' : 'missing',
    });
  }
  const expected = expectedRoutes(fleet, name);
  for (const { subnet, via } of expected) {
    // Of several routes to one destination the kernel takes that of the lowest metric.
    const [best] = routes.filter((route) => isTo(route, subnet)).sort((a, b) => a.metric - b.metric);
    const state = best === undefined ? 'missing' : leadsVia(best, via) ? 'ok' : 'other-gateway';
    rows.push({
      node: name,
      subnet: formatCidr(subnet),
      expected: `via ${via}`,
      actual: best === undefined ? null : routeText(best),
      state,
    });
  }
  for (const route of routes) {
    if (!isExtra(route, fleet, expected)) continue;
    const { destination } = route;
    if (destination.family !== 4) continue;
    const subnet = formatCidr(cidrOf(destination.base, destination.length));
    rows.push({ node: name, subnet, expected: null, actual: routeText(route), state: 'extra' });
  }
  return rows;
}

function bridgeOf(subnet: Ipv4Cidr): string {
  return `${formatIpv4(subnet.base + 1)}/${subnet.length}`;
}

function isTo({ destination }: Route, subnet: Ipv4Cidr): boolean {
  return destination.family === 4 && destination.base === subnet.base && destination.length === subnet.length;
}

function leadsVia({ type, nextHops }: Route, via: string): boolean {
  const [hop, ...more] = nextHops;
  return (
    type === 'unicast' && more.length === 0 && hop?.gateway?.family === 4 && formatIpv4(hop.gateway.address) === via
  );
}

function routeText({ type, nextHops }: Route): string {
  const hops = nextHops.map(({ gateway, device, isDown }) =>
    [
      ...(gateway?.family === 4 ? [`via ${formatIpv4(gateway.address)}`] : []),
      ...(device === null ? [] : [`dev ${device}`]),
      ...(isDown ? ['(link down)'] : []),
    ].join(' '),
  );
  return [...(type === 'unicast' ? [] : [type]), ...hops].join(', ');
}

/** Somebody put it there, and it takes packets that are for a node's subnet, or may be for one some day. */
function isExtra(route: Route, fleet: DirectFleet, expected: readonly DirectRoute[]): boolean {
  const { destination, protocol } = route;
  if (destination.family !== 4 || destination.length === 0) return false;
  const range = cidrOf(destination.base, destination.length);
  if (expected.some(({ subnet }) => isTo(route, subnet))) return false;
  // The kernel's own stand for addresses of the node: only within the subnet of another node is one in the way.
  if (protocol === 'kernel') return expected.some(({ subnet }) => cidrContains(subnet, range));
  return fleet.ranges.some((each) => cidrContains(each, range));
}

// ---- the plan ----

export interface DirectWish {
  readonly inventory: Inventory;
  readonly fleet: DirectFleet;
  /** Subnets by public IP that flannel has leased; empty when there is no flannel. */
  readonly leases: ReadonlyMap<string, string>;
}

export interface DirectPlan {
  readonly node: string;
  readonly subnet: Ipv4Cidr | null;
  readonly steps: readonly NodeStep[];
  /** An error among them: nothing is done on this node. */
  readonly problems: readonly Problem[];
}

/**
 * What must be done so that a node's containers are reached by plain routes: a range for its docker0, a route to the range of every
 * other node, and both again after a boot. Pure; an applied plan plans to nothing.
 */
export function planDirectRoutes(name: string, answers: DirectRouteAnswers, wish: DirectWish): DirectPlan {
  const { fleet } = wish;
  const self = fleet.nodes.find(({ node }) => node.name === name);
  const subnet = self?.subnet ?? null;
  const rows = routeRows(answers, fleet, name);
  const problems: Problem[] = [...flannelThere(name, self, answers, wish), ...gatewaysOff(name, answers, fleet)];
  if (rows === undefined) {
    const why = !answers.routes.known ? answers.routes.why : !answers.links.known ? answers.links.why : '';
    problems.push(wrong('routes-unknown', name, `which routes ${name} has could not be found out: ${why}`, null));
  }
  const steps = [
    forwardingStep(answers, subnet, problems),
    bridgeStep(name, subnet, answers, wish, problems),
    routesStep(name, subnet, answers, fleet, rows ?? [], problems),
  ].filter((step) => step !== null);
  return { node: name, subnet, problems, steps: steps.filter(({ changes }) => changes.length > 0) };
}

/** flannel and plain routes would each take away what the other put there. */
function flannelThere(
  name: string,
  self: DirectNode | undefined,
  answers: DirectRouteAnswers,
  wish: DirectWish,
): readonly Problem[] {
  const found: string[] = [];
  const lease = self?.address == null ? undefined : wish.leases.get(self.address);
  if (lease !== undefined) found.push(`it has the lease ${lease}`);
  const unit = answers.units.known ? answers.units.value.get('flanneld.service') : undefined;
  const isOn = unit !== undefined && (unit.activeState === 'active' || unit.unitFileState === 'enabled');
  if (isOn || (answers.flanneld.known && answers.flanneld.value.length > 0)) found.push('flanneld runs there');
  if (answers.dockerUnit.known && answers.dockerUnit.value.some(({ path }) => path === dockerDefaults.dropIn)) {
    found.push('Docker follows flannel');
  }
  if (!answers.units.known || !answers.flanneld.known) found.push('whether flanneld runs there is not known');
  if (found.length === 0) return [];
  return [
    wrong(
      'node-has-flannel',
      name,
      `${name} is a node of flannel (${found.join('; ')}): its routes and docker0 are flannel's`,
      `Take it out of flannel first: netctl node reset ${name}`,
    ),
  ];
}

/** A static route needs its gateway on the link: a router between would not know the subnet. */
function gatewaysOff(name: string, answers: DirectRouteAnswers, fleet: DirectFleet): readonly Problem[] {
  return fleet.nodes.flatMap(({ node, subnet, address }): readonly Problem[] => {
    if (node.name === name || subnet === null || address === null) return [];
    const way = answers.routesTo.known ? answers.routesTo.value.get(address) : undefined;
    const off = (why: string): readonly Problem[] => [
      wrong(
        'gateway-not-on-link',
        formatCidr(subnet),
        `${name} cannot route ${formatCidr(subnet)} via ${address} (${node.name}): ${why}`,
        'Nodes on different segments need a tunnel: flannel with the backend vxlan.',
      ),
    ];
    if (way === undefined) {
      return off(
        answers.routesTo.known
          ? 'how it is reached is not known'
          : `how it is reached is not known: ${answers.routesTo.why}`,
      );
    }
    if (!way.reachable) return off(`it is not reached: ${way.why}`);
    if (way.isLocal) return off('that is an address of the node itself');
    if (way.gateway !== null) {
      const router = way.gateway.family === 4 ? formatIpv4(way.gateway.address) : 'a router';
      return off(`it is reached by ${router} and is not on a link of the node`);
    }
    return [];
  });
}

function forwardingStep(answers: DirectRouteAnswers, subnet: Ipv4Cidr | null, problems: Problem[]): NodeStep {
  const networkd = answers.units.known ? answers.units.value.get('systemd-networkd.service') : undefined;
  const files = [
    ...(subnet === null ? [] : [forwardingFile()]),
    ...(networkd?.activeState === 'active' ? [foreignRoutesFile()] : []),
  ];
  const { changes, unknown } = fileChanges(files, (path) => seenText(answers.texts, path));
  problems.push(...unknown.map(unknownFile));
  const isOn = answers.settings.known && answers.settings.value.get('net/ipv4/ip_forward') === '1';
  const command: readonly HostChange[] =
    subnet !== null && !isOn
      ? [{ kind: 'run', argv: ['sysctl', '-e', '-p', directRoutePaths.sysctl], why: 'makes the setting now' }]
      : [];
  return { title: 'host: forwarding', changes: [...changes, ...command], mind: [] };
}

function unknownFile(path: string): Problem {
  return wrong(
    'node-file-unknown',
    path,
    `what is at ${path} could not be found out, and nothing is written over what was not seen`,
    'Run netctl as a user that may become root there: ssh.sudo in the inventory',
  );
}

function bridgeStep(
  name: string,
  subnet: Ipv4Cidr | null,
  answers: DirectRouteAnswers,
  { inventory, fleet }: DirectWish,
  problems: Problem[],
): NodeStep | null {
  if (subnet === null) return null;
  if (answers.dockerProgram.known && answers.dockerProgram.value.path === null) {
    problems.push(
      wrong(
        'docker-missing',
        name,
        `${name} has a subnet in the inventory, but no Docker`,
        'Install Docker, or leave out subnet: then it gets the routes alone.',
      ),
    );
    return null;
  }
  const { docker } = inventory;
  const subnetFile = inventory.flannel.subnetFile ?? inventoryDefaults.flannel.subnetFile;
  const wish: DockerWish = { style: 'daemon-json', values: { bip: bridgeOf(subnet) }, after: [] };
  const plan = planNodeDocker(answers, docker, { path: subnetFile, text: null }, wish);
  problems.push(
    ...plan.refusals,
    ...plan.problems.filter(({ severity }) => severity !== 'error'),
    ...othersInTheWay(name, subnet, answers, fleet),
    ...docker28(answers),
  );
  // Nothing follows flannel here: of what the planner has for it only the setting itself is wanted.
  const daemonJson = docker.daemonJson ?? inventoryDefaults.docker.daemonJson;
  const isJson = ({ path }: { readonly path: string }): boolean => path === daemonJson;
  const plain: DockerPlan = {
    ...plan,
    writes: plan.writes.filter(isJson),
    undo: plan.undo.filter(isJson),
    reload: false,
    enable: [],
    disable: [],
    restart:
      plan.restart === null
        ? null
        : { ...plan.restart, why: plan.restart.why.map((line) => line.replace("flannel's subnet is", 'it should be')) },
  };
  return dockerStep('Docker: its bridge gets the subnet', plain, docker, name, answers.containers);
}

/** Docker would not start, or containers would not be reached, with the same range on another link. */
function othersInTheWay(
  name: string,
  subnet: Ipv4Cidr,
  answers: DirectRouteAnswers,
  fleet: DirectFleet,
): readonly Problem[] {
  if (!answers.routes.known) return [];
  const other = answers.routes.value.find(({ destination, nextHops, protocol, table }) => {
    if (destination.family !== 4 || destination.length === 0 || table !== 'main' || protocol !== 'kernel') return false;
    const range = cidrOf(destination.base, destination.length);
    return cidrsOverlap(range, subnet) && nextHops.every(({ device }) => device !== 'docker0');
  });
  if (other === undefined || fleet.nodes.length === 0) return [];
  return [
    wrong(
      'subnet-in-use',
      formatCidr(subnet),
      `${formatCidr(subnet)} cannot be docker0's on ${name}: the node is in that range itself, ${routeText(other)}`,
      `Give ${name} another subnet in the inventory.`,
    ),
  ];
}

/** moby v28.0: packets for a container that do not come in by its bridge are dropped, whatever FORWARD says. */
function docker28(answers: DirectRouteAnswers): readonly Problem[] {
  if (!answers.docker.known || answers.docker.value.state !== 'running') return [];
  const { version, firewallBackend } = answers.docker.value.engine;
  if (!isDockerAtLeast(version, 28) && firewallBackend === 'iptables') return [];
  return [
    warning(
      'docker-drops-routed',
      'docker',
      `Docker ${version.text} drops packets that reach a container by a route; only ports that are published stay open`,
      '"allow-direct-routing": true in daemon.json (28.2 and later), and an accept in DOCKER-USER',
    ),
  ];
}

function routesStep(
  name: string,
  subnet: Ipv4Cidr | null,
  answers: DirectRouteAnswers,
  fleet: DirectFleet,
  rows: readonly RouteRow[],
  problems: Problem[],
): NodeStep {
  const hasIptables = answers.iptables.known && answers.iptables.value.standard !== null;
  const accepts = subnet !== null && hasIptables ? [subnet] : [];
  const rules = standardRules(answers);
  if (accepts.length > 0 && !rules.known) {
    problems.push(
      warning('rules-unknown', 'FORWARD', `which rules ${name} has could not be found out: ${rules.why}`, null),
    );
  }
  const routes = expectedRoutes(fleet, name);
  const files = directRouteFiles({ routes, accepts });
  const seen = (path: string) => seenText(answers.texts, path);
  const { changes, unknown } = fileChanges(files, seen);
  problems.push(...unknown.map(unknownFile));

  const before = seen(directRoutePaths.script);
  const earlier = before?.kind === 'file' ? readDirectRouteScript(before.text ?? '') : { routes: [], accepts: [] };
  const run = (why: string, ...argv: readonly [string, ...string[]]): HostChange => ({ kind: 'run', argv, why });
  const away: HostChange[] = [];
  for (const row of rows.filter(({ state }) => state === 'extra')) {
    const own = earlier.routes.find(
      (route) => formatCidr(route.subnet) === row.subnet && row.actual?.startsWith(`via ${route.via} `) === true,
    );
    if (own !== undefined) {
      away.push(
        run('no node has this subnet there any more', 'ip', '-4', 'route', 'delete', row.subnet, 'via', own.via),
      );
    } else {
      problems.push(
        warning(
          'route-extra',
          row.subnet,
          `${name} has a route that nobody expects: ${row.subnet} ${row.actual ?? ''}; it was left`,
          `If nobody needs it: ip route delete ${row.subnet}`,
        ),
      );
    }
  }
  for (const range of earlier.accepts.filter(
    (each) => !accepts.some((other) => formatCidr(other) === formatCidr(each)),
  )) {
    for (const side of ['-s', '-d'] as const) {
      if (!hasAccept(answers, side, range)) continue;
      away.push(
        run(
          'containers of this node are in another range',
          'iptables',
          '-w',
          '10',
          '-D',
          'FORWARD',
          side,
          formatCidr(range),
          '-m',
          'comment',
          '--comment',
          directRouteComment,
          '-j',
          'ACCEPT',
        ),
      );
    }
  }
  const unit = answers.units.known ? answers.units.value.get(directRouteUnit) : undefined;
  const changed = (path: string): boolean => changes.some((change) => 'path' in change && change.path === path);
  const commands: HostChange[] = [];
  if (changed(directRoutePaths.unit) || unit?.needsReload === true) {
    commands.push(run('systemd reads the unit', 'systemctl', 'daemon-reload'));
  }
  if (unit?.unitFileState !== 'enabled') {
    commands.push(run('the routes are there after every boot', 'systemctl', 'enable', directRouteUnit));
  }
  const isWrong =
    rows.some(({ state, expected }) => state !== 'ok' && expected?.startsWith('via ') === true) ||
    accepts.some((range) => (['-s', '-d'] as const).some((side) => !hasAccept(answers, side, range)));
  if (changes.length > 0 || unit?.activeState !== 'active' || isWrong) {
    commands.push({
      kind: 'run',
      argv: ['systemctl', 'reload-or-restart', directRouteUnit],
      timeoutMs: 120_000,
      why: 'routes and rules are put there; what is right already stays',
    });
  }
  const all = [...changes, ...away, ...commands];
  return {
    title: 'routes to the other nodes',
    changes: all,
    mind:
      subnet !== null && all.length > 0
        ? ["Docker goes on masquerading: containers of other nodes see this node's address, not the container's"]
        : [],
  };
}

function standardRules(answers: DirectRouteAnswers): DirectRouteAnswers['iptablesNft'] {
  if (!answers.iptables.known) return answers.iptables;
  return answers.iptables.value.standard === 'legacy' ? answers.iptablesLegacy : answers.iptablesNft;
}

function hasAccept(answers: DirectRouteAnswers, side: '-s' | '-d', range: Ipv4Cidr): boolean {
  const rules = standardRules(answers);
  // Not known: the service has run, and its rules cannot be asked for.
  if (!rules.known) return true;
  if (rules.value.state !== 'read') return false;
  return rulesOfChain(tableOf(rules.value.ruleset, 'filter'), 'FORWARD').some((rule) => {
    const { source, destination, comment, target } = readRule(rule);
    const [has, other] = side === '-s' ? [source, destination] : [destination, source];
    return (
      comment === directRouteComment &&
      target === 'ACCEPT' &&
      other === null &&
      has?.isNegated === false &&
      has.value.family === 4 &&
      has.value.base === range.base &&
      has.value.length === range.length
    );
  });
}
