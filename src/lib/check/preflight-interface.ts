import type { Address } from '../fact/address';
import { type Known, known, unknown } from '../fact/fact';
import type { Link } from '../fact/links';
import type { NodeSeen } from '../fact/node-facts';
import type { Route } from '../fact/routes';
import type { FlannelSection, InventoryNode } from '../inventory/inventory';
import { cidrContains, cidrOf } from '../net/cidr';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import { formatIpv6 } from '../net/ipv6';
import type { PreflightInput, PreflightNode } from './preflight-checks';

/** The interface of a node that carries the traffic between nodes. */
export interface ChosenInterface {
  readonly iface: string;
  /** IPv4; what flanneld takes for the interface's address. */
  readonly address: string;
  readonly mtu: number;
  readonly isUp: boolean;
  readonly hasCarrier: boolean;
  /** The address that peers send to is none of the node's own: NAT lies before it. */
  readonly isNat: boolean;
  /** For `--iface`: as given, else the name, or the address where the interface has several. */
  readonly flag: string;
  readonly how: 'given' | 'public-ip' | 'peers' | 'etcd' | 'default-route' | 'only-one';
}

/** `none` is certain: flanneld would find no interface, or nothing tells which is meant. */
export type InterfaceChoice =
  | ({ readonly kind: 'chosen' } & ChosenInterface)
  | {
      readonly kind: 'none';
      readonly what: 'missing' | 'no-ipv4' | 'unclear';
      /** The beginning of a sentence for a person. */
      readonly why: string;
    }
  | { readonly kind: 'unknown'; readonly why: string };

export interface InterfaceOptions {
  readonly flannel: Pick<FlannelSection, 'iface' | 'ifaceRegex' | 'ifaceCanReach'>;
  /** Public IPs of the other nodes. */
  readonly peers: readonly string[];
  /** Etcd's addresses as the nodes use them. */
  readonly endpoints: readonly string[];
  /** Addresses that several nodes have, Vagrant's 10.0.2.15: never chosen unless they are given. */
  readonly shared: ReadonlySet<string>;
}

/** What `interfaceFor` has to be told, out of the whole. */
export function interfaceOptions(
  input: Pick<PreflightInput, 'inventory' | 'nodes' | 'endpoints'>,
): (node: InventoryNode) => InterfaceOptions {
  const shared = sharedAddresses(input.nodes);
  return (node) => ({
    flannel: input.inventory.flannel,
    peers: input.inventory.nodes.flatMap((other) =>
      other.name === node.name || other.publicIP === undefined ? [] : [other.publicIP],
    ),
    endpoints: input.endpoints,
    shared,
  });
}

/** Addresses that more than one node has on a link of its own (Docker's and flannel's do not count). */
function sharedAddresses(nodes: readonly PreflightNode[]): ReadonlySet<string> {
  const seenOn = new Map<string, number>();
  for (const { seen } of nodes) {
    const { links } = seen.answers;
    if (!links.known) continue;
    for (const address of new Set(links.value.filter(isOwnLink).flatMap(addressesOf))) {
      seenOn.set(address, (seenOn.get(address) ?? 0) + 1);
    }
  }
  return new Set([...seenOn].filter(([, count]) => count > 1).map(([address]) => address));
}

/** The interface as flanneld will be told: given, or the one by which the peers and etcd are reached. */
export function interfaceFor(node: InventoryNode, seen: NodeSeen, options: InterfaceOptions): Known<ChosenInterface> {
  const choice = chooseInterface(node, seen, options);
  if (choice.kind !== 'chosen') return unknown(choice.why);
  const { kind: _, ...chosen } = choice;
  return known(chosen);
}

export interface PublicIP {
  readonly publicIP: string;
  /** It is an address of the node's own; flanneld takes one that is not only together with `--iface`. */
  readonly isOwn: boolean;
}

/** What peers send to: as the inventory has it, else the address of the interface. */
export function publicIPFor(node: InventoryNode, seen: NodeSeen, options: InterfaceOptions): Known<PublicIP> {
  const chosen = interfaceFor(node, seen, options);
  if (node.publicIP !== undefined) {
    const { links } = seen.answers;
    if (!links.known) return links;
    return known({ publicIP: node.publicIP, isOwn: linkWith(links.value, node.publicIP) !== undefined });
  }
  return chosen.known ? known({ publicIP: chosen.value.address, isOwn: true }) : chosen;
}

export function chooseInterface(node: InventoryNode, seen: NodeSeen, options: InterfaceOptions): InterfaceChoice {
  const { links } = seen.answers;
  if (!links.known) return { kind: 'unknown', why: links.why };
  const { flannel } = options;
  const choose = (link: Link, address: string | undefined, how: ChosenInterface['how'], flag?: string) =>
    chosen(node, links.value, link, address, how, flag);
  if (node.iface !== undefined) return given(links.value, node.iface, choose);
  // flanneld tries them in this order, and takes the first that fits.
  let refused: InterfaceChoice | undefined;
  if (flannel.iface !== undefined) {
    const choice = given(links.value, flannel.iface, choose);
    if (choice.kind === 'chosen') return choice;
    refused = choice;
  }
  if (flannel.ifaceRegex !== undefined) {
    const choice = byExpression(links.value, flannel.ifaceRegex, choose);
    if (choice.kind === 'chosen') return choice;
    refused ??= choice;
  }
  if (flannel.ifaceCanReach !== undefined) {
    const way = wayTo(seen, flannel.ifaceCanReach);
    const link = way.known && way.value !== null ? linkNamed(links.value, way.value.device) : undefined;
    if (link !== undefined && way.known) return choose(link, way.value?.source ?? undefined, 'given');
    if (refused === undefined && !way.known) return { kind: 'unknown', why: way.why };
    refused ??= {
      kind: 'none',
      what: 'missing',
      why: `no interface reaches ${flannel.ifaceCanReach} (flannel.ifaceCanReach)`,
    };
  }
  return refused ?? found(node, seen, links.value, options, choose);
}

type Choose = (
  link: Link,
  address: string | undefined,
  how: ChosenInterface['how'],
  flag?: string,
) => Extract<InterfaceChoice, { kind: 'chosen' | 'none' }>;

function chosen(
  node: InventoryNode,
  links: readonly Link[],
  link: Link,
  wanted: string | undefined,
  how: ChosenInterface['how'],
  flag: string | undefined,
): ReturnType<Choose> {
  const addresses = addressesOf(link);
  const [first] = addresses;
  if (first === undefined) {
    return { kind: 'none', what: 'no-ipv4', why: `${link.name} has no IPv4 address` };
  }
  const address = wanted !== undefined && addresses.includes(wanted) ? wanted : first;
  return {
    kind: 'chosen',
    iface: link.name,
    address,
    mtu: link.mtu,
    isUp: link.isUp,
    hasCarrier: link.hasCarrier,
    isNat: node.publicIP !== undefined && linkWith(links, node.publicIP) === undefined,
    flag: flag ?? (addresses.length > 1 ? address : link.name),
    how,
  };
}

function given(links: readonly Link[], text: string, choose: Choose): ReturnType<Choose> {
  const isAddress = parseIpv4(text) !== undefined;
  const link = isAddress ? linkWith(links, text) : linkNamed(links, text);
  if (link !== undefined) return choose(link, isAddress ? text : undefined, 'given', text);
  const there = links.filter(isOwnLink).map((each) => `${each.name} ${addressesOf(each).join(' ')}`.trim());
  return {
    kind: 'none',
    what: 'missing',
    why: `${isAddress ? 'no interface has the address' : 'there is no interface'} ${text}; there are: ${there.join(', ') || 'none'}`,
  };
}

function byExpression(links: readonly Link[], text: string, choose: Choose): InterfaceChoice {
  let expression: RegExp;
  try {
    expression = new RegExp(text, 'u');
  } catch {
    // Go's expressions are not ours in everything: `(?i)` and `\z` cannot be tried here.
    return { kind: 'unknown', why: `flannel.ifaceRegex ${text} is an expression of Go that netctl cannot try` };
  }
  for (const link of links) {
    const address = addressesOf(link).find((each) => expression.test(each));
    if (address !== undefined) return choose(link, address, 'given');
  }
  const named = links.find(({ name }) => expression.test(name));
  if (named !== undefined) return choose(named, undefined, 'given');
  return { kind: 'none', what: 'missing', why: `flannel.ifaceRegex ${text} fits no address and no interface` };
}

/** Nothing is given: the node's own public IP, then the way to the peers, to etcd, and out. */
function found(
  node: InventoryNode,
  seen: NodeSeen,
  links: readonly Link[],
  options: InterfaceOptions,
  choose: Choose,
): InterfaceChoice {
  const own = node.publicIP === undefined ? undefined : linkWith(links, node.publicIP);
  if (own?.isLoopback === false && node.publicIP !== undefined) return choose(own, node.publicIP, 'public-ip');

  const isUsable = (link: Link): boolean =>
    isOwnLink(link) && addressesOf(link).some((address) => !options.shared.has(address));
  const by = (targets: readonly string[], how: 'peers' | 'etcd'): ReturnType<Choose> | undefined => {
    const votes = new Map<string, { count: number; source: string | undefined }>();
    for (const target of targets) {
      const local = linkWith(links, target);
      const way = local === undefined ? wayTo(seen, target) : undefined;
      const link = local ?? (way?.known === true ? linkNamed(links, way.value?.device ?? '') : undefined);
      if (link === undefined || !isUsable(link)) continue;
      const source = local === undefined && way?.known === true ? (way.value?.source ?? undefined) : target;
      if (source !== undefined && options.shared.has(source)) continue;
      const vote = votes.get(link.name) ?? { count: 0, source };
      vote.count += 1;
      votes.set(link.name, vote);
    }
    const [winner] = [...votes].sort(([, a], [, b]) => b.count - a.count);
    const link = winner === undefined ? undefined : linkNamed(links, winner[0]);
    return link === undefined ? undefined : choose(link, winner?.[1].source, how);
  };
  const reached =
    by(options.peers, 'peers') ??
    by(
      options.endpoints.flatMap((endpoint) => endpointAddress(endpoint) ?? []),
      'etcd',
    );
  if (reached !== undefined) return reached;

  const { routes } = seen.answers;
  if (!routes.known) return { kind: 'unknown', why: routes.why };
  const out = routes.value.find(
    ({ destination, type, table }) =>
      destination.family === 4 && destination.length === 0 && type === 'unicast' && table === 'main',
  );
  const exit = linkNamed(links, out?.nextHops[0]?.device ?? '');
  if (exit !== undefined && isUsable(exit)) {
    return choose(exit, out?.source == null ? undefined : addressText(out.source), 'default-route');
  }
  const usable = links.filter(isUsable);
  const [only] = usable;
  if (only !== undefined && usable.length === 1) return choose(only, undefined, 'only-one');
  const why =
    exit !== undefined && isOwnLink(exit)
      ? `${exit.name} leads out, but its address ${addressesOf(exit).join(', ')} is that of other nodes too (NAT)`
      : 'neither the peers nor etcd are reached by an interface of the node’s own, and there is no default route';
  return { kind: 'none', what: 'unclear', why };
}

/** The way to an IPv4 address: as the kernel told, else by the longest prefix of its main table. Null: there is none. */
export function wayTo(
  seen: NodeSeen,
  target: string,
): Known<{
  readonly device: string;
  readonly gateway: string | null;
  readonly source: string | null;
  readonly isLocal: boolean;
} | null> {
  const { routesTo, routes } = seen.answers;
  const told = routesTo.known ? routesTo.value.get(target) : undefined;
  if (told !== undefined) {
    if (!told.reachable) return known(null);
    const { device, gateway, source, isLocal } = told;
    return known({
      device,
      gateway: gateway === null ? null : addressText(gateway),
      source: source === null ? null : addressText(source),
      isLocal,
    });
  }
  const address = parseIpv4(target);
  if (address === undefined) return unknown(`${target} is a name, and the node was not asked for the way to it`);
  if (!routes.known) return routes;
  const [best] = routes.value
    .filter(({ destination, table }) => table === 'main' && destination.family === 4 && holds(destination, address))
    .sort((a, b) => b.destination.length - a.destination.length || a.metric - b.metric);
  const hop = best?.nextHops[0];
  if (best === undefined || best.type !== 'unicast' || hop?.device == null) return known(null);
  return known({
    device: hop.device,
    gateway: hop.gateway === null ? null : addressText(hop.gateway),
    source: best.source === null ? null : addressText(best.source),
    isLocal: false,
  });
}

function holds(range: Route['destination'], address: number): boolean {
  return range.family === 4 && cidrContains(range, address);
}

/** The IPv4 address in an endpoint, `https://10.4.7.12:2379`; undefined for a name. */
export function endpointAddress(endpoint: string): string | undefined {
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname : endpoint.replace(/:\d{1,5}$/, '');
  return parseIpv4(host) === undefined ? undefined : host;
}

export function addressText(address: Address): string {
  return address.family === 4 ? formatIpv4(address.address) : formatIpv6(address.address);
}

export function linkNamed(links: readonly Link[], name: string): Link | undefined {
  return links.find((link) => link.name === name);
}

export function linkWith(links: readonly Link[], address: string): Link | undefined {
  const number = parseIpv4(address);
  return links.find((link) => link.addresses.some((each) => each.family === 4 && each.address === number));
}

/** IPv4 addresses as flanneld prefers them: global before link-local, in their order. */
export function addressesOf(link: Link): readonly string[] {
  const addresses = link.addresses.flatMap((each) => (each.family === 4 ? [each.address] : []));
  const isLinkLocal = (address: number): boolean => cidrOf(address, 16).base === 0xa9fe_0000;
  return [
    ...addresses.filter((address) => !isLinkLocal(address)),
    ...addresses.filter((address) => isLinkLocal(address)),
  ].map(formatIpv4);
}

/** Not the loopback, and not made by Docker, flannel or another network of containers. */
export function isOwnLink(link: Link): boolean {
  // By the name and not by the kind: of a machine that is a container itself eth0 is a veth.
  return !link.isLoopback && !isContainerLink(link.name);
}

export function isContainerLink(name: string): boolean {
  return /^(?:docker|br-|veth|flannel|cni|cali|virbr)/.test(name);
}
