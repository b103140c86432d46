import type { Address, Range } from '../fact/address';
import type { Known } from '../fact/fact';
import type { IptablesFrontEnd, IptablesPrograms, IptablesRules } from '../fact/iptables';
import { readRule } from '../fact/iptables-rule';
import { ruleSpecification, rulesOfChain, type SavedRule, type SavedRuleset, tableOf } from '../fact/iptables-save';
import type { Link } from '../fact/links';
import type { NftTable } from '../fact/nft-tables';
import type { NextHop, Route } from '../fact/routes';
import { type FlannelVersion, isAtLeast } from '../net/flannel-version';
import { formatIpv4 } from '../net/ipv4';
import { formatIpv6 } from '../net/ipv6';
import type { Problem } from '../net/problem';
import type { HostChange } from './host-change';

/** Where flanneld that has stopped may have left something. */
export interface LeftoverAnswers {
  readonly links: Known<readonly Link[]>;
  readonly routes: Known<readonly Route[]>;
  readonly routes6: Known<readonly Route[]>;
  readonly iptables: Known<IptablesPrograms>;
  readonly iptablesNft: Known<IptablesRules>;
  readonly iptablesLegacy: Known<IptablesRules>;
  readonly ip6tablesNft: Known<IptablesRules>;
  readonly ip6tablesLegacy: Known<IptablesRules>;
  readonly nftTables: Known<readonly NftTable[]>;
}

/** By what a thing is known to be flannel's. */
export interface FlannelTraces {
  /** Of the network config and of subnet.env, IPv4 and IPv6. */
  readonly networks: readonly Range[];
  /** This node's, as its lease and its subnet.env name them. */
  readonly subnets: readonly Range[];
  /** Addresses that routes to other nodes may lead to, as text: public IPs of leases and of the inventory. */
  readonly gateways: ReadonlySet<string>;
  readonly version: FlannelVersion;
}

export interface Leftovers {
  readonly changes: readonly HostChange[];
  readonly problems: readonly Problem[];
}

/**
 * What flanneld leaves behind when it ends, taken away one by one (flannel-spec 4.6; flannel v0.8.0 to v0.28.9): its device, with which
 * its routes, ARP and FDB entries go; routes to other nodes; iptables rules, each by its exact words; nftables tables of its own.
 * No chain is flushed. What only looks like flannel's stays, and a problem says so.
 */
export function flannelLeftovers(answers: LeftoverAnswers, traces: FlannelTraces): Leftovers {
  const parts = [devices(answers, traces), routesLeft(answers, traces), rulesLeft(answers, traces), nftLeft(answers)];
  return {
    changes: parts.flatMap(({ changes }) => changes),
    problems: parts.flatMap(({ problems }) => problems),
  };
}

const nothing: Leftovers = { changes: [], problems: [] };

function run(why: string, ...argv: readonly [string, ...string[]]): HostChange {
  return { kind: 'run', argv, why };
}

/** Some releases take part of it away themselves when they end: wireguard's devices, and v0.25.0 to v0.26.7 their rules. */
function runIf(
  onlyIf: readonly [string, ...string[]],
  why: string,
  ...argv: readonly [string, ...string[]]
): HostChange {
  return { kind: 'run', argv, why, onlyIf };
}

function left(code: string, path: string, message: string, suggestion: string | null): Problem {
  return { code, severity: 'warning', path, message, suggestion };
}

function unknownLeftovers(what: string, why: string): Problem {
  return left('leftovers-unknown', what, `what flannel left behind could not be found out: ${why}`, null);
}

// ---- devices ----

/** Names and kinds of what flannel's backends make. flannel0 (udp) goes with its process. */
const deviceKinds: readonly (readonly [name: RegExp, kind: string])[] = [
  [/^flannel(-v6)?\.\d{1,8}$/, 'vxlan'],
  [/^flannel\.ipip$/, 'ipip'],
  [/^flannel-wg(-v6)?$/, 'wireguard'],
];

function devices({ links }: LeftoverAnswers, traces: FlannelTraces): Leftovers {
  if (!links.known) return { changes: [], problems: [unknownLeftovers('ip link', links.why)] };
  const changes: HostChange[] = [];
  const problems: Problem[] = [];
  for (const link of links.value) {
    const kind = deviceKinds.find(([name]) => name.test(link.name))?.[1];
    if (kind === undefined) continue;
    const own = link.addresses.filter((address) => !isLinkLocal(address));
    const isOurs = own.length > 0 && own.every((address) => traces.networks.some((network) => holds(network, address)));
    if (link.kind === kind && isOurs) {
      changes.push(
        runIf(
          ['ip', 'link', 'show', 'dev', link.name],
          'the device that flannel made; its routes and neighbours go with it',
          'ip',
          'link',
          'delete',
          'dev',
          link.name,
        ),
      );
    } else {
      const addresses = own.map(textOf).join(', ');
      problems.push(
        left(
          'device-left',
          link.name,
          `${link.name} is called like a device of flannel, but ${
            link.kind !== kind
              ? `it is ${link.kind ?? 'no such link'}`
              : addresses === ''
                ? 'it has no address that would tell'
                : `its address ${addresses} is not in this network`
          }; it was left`,
          `If nobody needs it: ip link delete dev ${link.name}`,
        ),
      );
    }
  }
  return { changes, problems };
}

function isLinkLocal(address: Address): boolean {
  return address.family === 6 && address.address >> 118n === 0x3fan;
}

function textOf(address: Address): string {
  return address.family === 4 ? formatIpv4(address.address) : formatIpv6(address.address);
}

function rangeText(range: Range): string {
  return `${range.family === 4 ? formatIpv4(range.base) : formatIpv6(range.base)}/${range.length}`;
}

function holds(outer: Range, address: Address): boolean {
  const bits = outer.family === 4 ? 32 : 128;
  const inner: Range =
    address.family === 4
      ? { family: 4, base: address.address, length: 32 }
      : { family: 6, base: address.address, length: 128 };
  return outer.length <= bits && within(outer, inner);
}

function within(outer: Range, inner: Range): boolean {
  if (outer.family === 4 && inner.family === 4) {
    const size = 2 ** (32 - outer.length);
    return inner.length >= outer.length && Math.floor(inner.base / size) === Math.floor(outer.base / size);
  }
  if (outer.family === 6 && inner.family === 6) {
    const shift = BigInt(128 - outer.length);
    return inner.length >= outer.length && inner.base >> shift === outer.base >> shift;
  }
  return false;
}

function isSame(a: Range, b: Range): boolean {
  return a.length === b.length && within(a, b);
}

// ---- routes ----

function routesLeft(answers: LeftoverAnswers, traces: FlannelTraces): Leftovers {
  const changes: HostChange[] = [];
  const problems: Problem[] = [];
  for (const [family, routes] of [
    [4, answers.routes],
    [6, answers.routes6],
  ] as const) {
    if (!traces.networks.some((network) => network.family === family)) continue;
    if (!routes.known) {
      problems.push(unknownLeftovers('ip route', routes.why));
      continue;
    }
    for (const route of routes.value) {
      const found = routeLeft(route, traces, answers.links);
      if (found === undefined) continue;
      if ('code' in found) problems.push(found);
      else changes.push(found);
    }
  }
  return { changes, problems };
}

function routeLeft(
  route: Route,
  traces: FlannelTraces,
  links: Known<readonly Link[]>,
): HostChange | Problem | undefined {
  const { destination, type, nextHops, protocol, metric, table } = route;
  const isInside = traces.networks.some((network) => within(network, destination) && !isSame(network, destination));
  // The kernel's own routes go with their addresses.
  if (!isInside || table !== 'main' || protocol === 'kernel') return undefined;
  const words = (...more: readonly string[]): HostChange =>
    run(
      'flannel left this route',
      'ip',
      destination.family === 4 ? '-4' : '-6',
      'route',
      'delete',
      ...more,
      ...(metric === 0 ? [] : ['metric', String(metric)]),
    );
  const text = rangeText(destination);
  const [hop, ...others] = nextHops;
  const isPlain = protocol === null || protocol === 'boot';
  if (type === 'blackhole') {
    // --ip-blackhole-route, v0.27.1
    const isOwn = traces.subnets.some((subnet) => isSame(subnet, destination));
    return isOwn && isPlain ? words('blackhole', text) : routeProblem(route);
  }
  if (type !== 'unicast' || hop === undefined || others.length > 0) return routeProblem(route);
  if (isDeviceOfFlannel(hop, links)) return undefined;
  const sameLength = traces.subnets.length === 0 || traces.subnets.some(({ length }) => length === destination.length);
  if (isPlain && sameLength && hop.gateway !== null && traces.gateways.has(textOf(hop.gateway))) {
    return words(text, 'via', textOf(hop.gateway), ...(hop.device === null ? [] : ['dev', hop.device]));
  }
  // On a bridge or another link of the node: somebody's own network, which happens to lie within.
  return hop.gateway === null ? undefined : routeProblem(route);
}

/** Then the route goes with the device. */
function isDeviceOfFlannel(hop: NextHop, links: Known<readonly Link[]>): boolean {
  const { device } = hop;
  if (device === null || !/^flannel/.test(device)) return false;
  return links.known && links.value.some(({ name }) => name === device);
}

function routeProblem({ destination, type, nextHops }: Route): Problem {
  const text = rangeText(destination);
  const hops = nextHops.map(({ gateway, device }) =>
    [...(gateway === null ? [] : ['via', textOf(gateway)]), ...(device === null ? [] : ['dev', device])].join(' '),
  );
  return left(
    'route-left',
    text,
    `the route ${[...(type === 'unicast' ? [] : [type]), text, ...hops].join(' ')} lies within the network, but flannel did not make it; it was left`,
    'If nobody needs it: ip route delete',
  );
}

// ---- iptables ----

const chainsOfFlannel = [
  { table: 'nat', chain: 'FLANNEL-POSTRTG', from: 'POSTROUTING' },
  { table: 'filter', chain: 'FLANNEL-FWD', from: 'FORWARD' },
] as const;

/** v0.16.2 and later; v0.16.2 and v0.16.3 say `flannel masq` once. */
const comments = /^flanneld? (masq|forward)$/;

function rulesLeft(answers: LeftoverAnswers, traces: FlannelTraces): Leftovers {
  const { iptables } = answers;
  // Without the program flanneld made no rules either.
  if (iptables.known && iptables.value.standard === null) return nothing;
  if (!iptables.known) return { changes: [], problems: [unknownLeftovers('iptables', iptables.why)] };
  const changes: HostChange[] = [];
  const problems: Problem[] = [];
  const kinds: readonly (readonly [IptablesFrontEnd, 4 | 6, Known<IptablesRules>])[] = [
    ['nft', 4, answers.iptablesNft],
    ['legacy', 4, answers.iptablesLegacy],
    ['nft', 6, answers.ip6tablesNft],
    ['legacy', 6, answers.ip6tablesLegacy],
  ];
  for (const [frontEnd, family, rules] of kinds) {
    const isThere =
      frontEnd === iptables.value.standard || (frontEnd === 'nft' ? iptables.value.hasNft : iptables.value.hasLegacy);
    if (!rules.known) {
      const isUsed =
        family === 4 || (iptables.value.hasIp6tables && traces.networks.some((network) => network.family === 6));
      if (isThere && isUsed) problems.push(unknownLeftovers(`${frontEnd} tables`, rules.why));
      continue;
    }
    if (rules.value.state !== 'read') continue;
    const program = `${family === 6 ? 'ip6' : 'ip'}tables${frontEnd === iptables.value.standard ? '' : `-${frontEnd}`}`;
    const wait = iptables.value.waitsForLock ? ['-w', '10'] : [];
    const found = rulesIn(rules.value.ruleset, family, traces, (why, present, words) =>
      runIf([program, ...wait, ...present], why, program, ...wait, ...words),
    );
    changes.push(...found.changes);
    problems.push(...found.problems);
  }
  return { changes, problems };
}

function rulesIn(
  ruleset: SavedRuleset,
  family: 4 | 6,
  traces: FlannelTraces,
  command: (why: string, present: readonly string[], words: readonly string[]) => HostChange,
): Leftovers {
  const changes: HostChange[] = [];
  const problems: Problem[] = [];
  const remove = (table: string, rule: SavedRule, why: string): void => {
    const words = [rule.chain, ...ruleSpecification(rule)];
    changes.push(command(why, ['-t', table, '-C', ...words], ['-t', table, '-D', ...words]));
  };
  for (const { table: name, chain, from } of chainsOfFlannel) {
    const table = tableOf(ruleset, name);
    const own = rulesOfChain(table, chain);
    const foreign = own.filter((rule) => !comments.test(readRule(rule, family).comment ?? ''));
    const isThere = table?.chains.some((each) => each.name === chain) === true;
    const jumps = rulesOfChain(table, from).filter((rule) => readRule(rule, family).target === chain);
    const elsewhere = (table?.rules ?? []).filter(
      (rule) => rule.chain !== from && rule.chain !== chain && readRule(rule, family).target === chain,
    );
    if (foreign.length > 0 || elsewhere.length > 0) {
      problems.push(
        left(
          'chain-left',
          chain,
          `${chain} (${name}) ${foreign.length > 0 ? `holds a rule that is not flannel's: ${foreign[0]?.text ?? ''}` : `is used by a rule that is not flannel's: ${elsewhere[0]?.text ?? ''}`}; the chain was left, with what leads to it`,
          'Move that rule to a chain of your own, then run this again.',
        ),
      );
    } else if (isThere) {
      for (const rule of jumps) remove(name, rule, `leads to ${chain}`);
      for (const rule of own) remove(name, rule, "flannel's rule");
      changes.push(command('the chain is empty then', ['-t', name, '-n', '-L', chain], ['-t', name, '-X', chain]));
    }
    // Before v0.20.0 the rules stood in the kernel's own chains.
    for (const rule of rulesOfChain(table, from)) {
      if (isOldRule(rule, family, name, traces)) remove(name, rule, "flannel's rule");
    }
  }
  return { changes, problems };
}

/** A rule of a release before v0.20.0: by its comment and its network, or to the word by its network where it has no comment yet. */
function isOldRule(rule: SavedRule, family: 4 | 6, table: 'nat' | 'filter', traces: FlannelTraces): boolean {
  const reading = readRule(rule, family);
  const { source, destination, comment, target } = reading;
  if (target === 'FLANNEL-POSTRTG' || target === 'FLANNEL-FWD') return false;
  const isNetwork = (range: Range | undefined): boolean =>
    range !== undefined && traces.networks.some((network) => isSame(network, range));
  const isSubnet = (range: Range | undefined): boolean =>
    range !== undefined && traces.subnets.some((subnet) => isSame(subnet, range));
  const names = [source?.value, destination?.value].some((range) => isNetwork(range) || isSubnet(range));
  if (!names) return false;
  if (comment !== null) return comments.test(comment);
  if (isAtLeast(traces.version, 'v0.16.2')) return false;
  if (reading.inDevice !== null || reading.outDevice !== null || reading.protocol !== null) return false;
  if (reading.otherWords.length > 0 || reading.isGoto) return false;
  const options = reading.targetOptions.join(' ');
  if (options !== '' && options !== '--random-fully') return false;
  if (table === 'filter') {
    return (
      target === 'ACCEPT' &&
      [source, destination].filter((each) => each !== null).length === 1 &&
      [source, destination].every((each) => each === null || (!each.isNegated && isNetwork(each.value)))
    );
  }
  const fromNetwork = isNetwork(source?.value);
  const toNetwork = isNetwork(destination?.value);
  const multicast: Range = { family: 4, base: 0xe0000000, length: 4 };
  if (target === 'RETURN') {
    return (
      fromNetwork &&
      destination?.isNegated === false &&
      (source?.isNegated === true ? isSubnet(destination.value) : toNetwork)
    );
  }
  if (target !== 'MASQUERADE') return false;
  return source?.isNegated === true
    ? fromNetwork && toNetwork && destination?.isNegated === false
    : fromNetwork && destination?.isNegated === true && isSame(destination.value, multicast);
}

// ---- nftables ----

const nftChains = new Set(['postrtg', 'forward']);

/** v0.25.0 and later with EnableNFTables: two tables of flannel's own, and no other rule. */
function nftLeft({ nftTables, iptables }: LeftoverAnswers): Leftovers {
  if (!nftTables.known) {
    // Without nft flanneld made no table.
    const isThere = !iptables.known || iptables.value.hasNftProgram;
    return isThere ? { changes: [], problems: [unknownLeftovers('nft', nftTables.why)] } : nothing;
  }
  const changes: HostChange[] = [];
  const problems: Problem[] = [];
  for (const { family, name, chains } of nftTables.value) {
    if (!((family === 'ip' && name === 'flannel-ipv4') || (family === 'ip6' && name === 'flannel-ipv6'))) continue;
    const foreign = chains?.find((chain) => !nftChains.has(chain.name));
    if (chains === null || foreign !== undefined) {
      problems.push(
        left(
          'chain-left',
          `${family} ${name}`,
          `the nftables table ${family} ${name} holds a chain that is not flannel's: ${foreign?.name ?? 'its rules are not known'}; it was left`,
          `If nobody needs it: nft delete table ${family} ${name}`,
        ),
      );
    } else {
      const present = ['nft', 'list', 'table', family, name] as const;
      changes.push(runIf(present, "flannel's own table", 'nft', 'delete', 'table', family, name));
    }
  }
  return { changes, problems };
}
