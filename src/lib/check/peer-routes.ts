import type { Known } from '../fact/fact';
import { known, unknown } from '../fact/fact';
import type { NextHop, Route } from '../fact/routes';
import type { StateSeen } from '../fact/state-facts';
import { formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import type { EffectiveConfig } from '../net/network-config';
import { vniOf } from './preflight-scene';

/** Another node of the network: what flanneld learns of it from its lease. */
export interface Peer {
  /** Its name in the inventory; null for one that is not there. */
  readonly name: string | null;
  readonly publicIP: string;
  readonly subnet: Ipv4Cidr;
  readonly vtepMac: string | null;
}

/** What keeps packets from a peer. */
export interface RouteFault {
  readonly kind: 'missing' | 'wrong' | 'not-adjacent' | 'arp' | 'fdb' | 'device';
  /** Such as `172.7.22.0/24 goes via 10.4.7.99 dev eth0, not via 10.4.7.22`. */
  readonly text: string;
}

export interface PeerRoute {
  /** Does the node's kernel send the peer's subnet to the peer? */
  readonly isRouted: Known<boolean>;
  readonly faults: readonly RouteFault[];
}

/** A next hop that would be right. */
interface Expected {
  /** Null: on the link itself. */
  readonly gateway: number | null;
  /** Null when any will do. */
  readonly device: string | RegExp | null;
}

/** Backends that leave a way to each peer in the node's own tables; what the others do cannot be seen there. */
const routed: ReadonlySet<string> = new Set(['host-gw', 'vxlan', 'ipip', 'udp', 'wireguard']);

/** Is a route in the node's tables to be expected with this backend? Null when it is, else why not. */
export function whyNoRoutes({ backend }: EffectiveConfig): string | null {
  if (routed.has(backend.type)) return null;
  return backend.type === 'alloc'
    ? 'the backend alloc moves no packets'
    : `the backend ${backend.type} keeps no routes on the nodes`;
}

/** The device of the tunnel, where there is one for all peers: `flannel.1`. */
export function tunnelDevice({ backend }: EffectiveConfig): string | null {
  switch (backend.type) {
    case 'vxlan':
      return `flannel.${vniOf(backend)}`;
    case 'ipip':
      return 'flannel.ipip';
    case 'wireguard':
      return 'flannel-wg';
    default:
      return null;
  }
}

/** Must it be asked how the kernel reaches the peers' public IPs? */
export function needsWays({ backend }: EffectiveConfig): boolean {
  return backend.type === 'host-gw' || backend.options['DirectRouting'] === true;
}

/**
 * Compares the node's routes, ARP and FDB with what flanneld makes of a peer's lease (flannel v0.8.0 to v0.28.9, `backend/`).
 */
export function peerRoute(peer: Peer, seen: StateSeen, effective: EffectiveConfig): PeerRoute {
  const why = whyNoRoutes(effective);
  if (why !== null) return { isRouted: unknown(why), faults: [] };
  const { routes, routesTo, links } = seen;
  if (!routes.known) return { isRouted: routes, faults: [] };

  const { type } = effective.backend;
  const way = routesTo.known ? routesTo.value.get(peer.publicIP) : undefined;
  const isAdjacent = way === undefined ? null : way.reachable && way.gateway === null && !way.isLocal;
  const publicIP = parseIpv4(peer.publicIP) ?? null;
  const tunnel = tunnelDevice(effective);
  const direct: Expected = { gateway: publicIP, device: way?.reachable === true && isAdjacent ? way.device : null };

  if (type === 'host-gw' && way?.reachable === true && way.gateway !== null) {
    const through = way.gateway.family === 4 ? formatIpv4(way.gateway.address) : 'a router';
    return fault('not-adjacent', `${peer.publicIP} is reached through ${through}`);
  }

  const network = effective.network === null ? undefined : parseIpv4Cidr(effective.network);
  const wholeNetwork = type === 'udp' || type === 'wireguard';
  const target = wholeNetwork ? network : peer.subnet;
  if (target === undefined) return { isRouted: unknown('the config names no IPv4 network'), faults: [] };

  const isDirect = effective.backend.options['DirectRouting'] === true;
  const throughTunnel = expectedInTunnel(type, tunnel, peer, publicIP);
  const expected: readonly Expected[] =
    throughTunnel === null
      ? [direct]
      : isDirect && isAdjacent !== false
        ? directFirst(isAdjacent, direct, throughTunnel)
        : [throughTunnel];

  const needsTunnel = throughTunnel !== null && !expected.includes(direct);
  if (needsTunnel && tunnel !== null && links.known && !links.value.some(({ name }) => name === tunnel)) {
    return fault('device', `${tunnel} is not there`);
  }

  const found = mainRoutes(routes.value, target)[0];
  if (found === undefined) return fault('missing', `there is no route to ${formatCidr(target)}`);
  const hop = found.nextHops.find((each) => expected.some((one) => fits(each, one)));
  if (hop === undefined) {
    return fault('wrong', `${formatCidr(target)} ${routeText(found)}, not ${expected.map(expectedText).join(' or ')}`);
  }
  if (hop.isDown)
    return fault('wrong', `${formatCidr(target)} goes through ${hop.device ?? 'a link'}, which has no carrier`);
  // Only a route through the VXLAN device needs its ARP and FDB entries.
  if (type !== 'vxlan' || hop.device !== tunnel || tunnel === null) return { isRouted: known(true), faults: [] };
  return tunnelEntries(peer, seen, tunnel);
}

function expectedInTunnel(type: string, tunnel: string | null, peer: Peer, publicIP: number | null): Expected | null {
  switch (type) {
    case 'vxlan':
      return { gateway: peer.subnet.base, device: tunnel };
    case 'ipip':
      return { gateway: publicIP, device: tunnel };
    case 'wireguard':
      return { gateway: null, device: tunnel };
    case 'udp':
      return { gateway: null, device: /^flannel\d+$/ };
    default:
      return null;
  }
}

/** When adjacency is not known, both ways are right. */
function directFirst(isAdjacent: boolean | null, direct: Expected, tunnel: Expected): readonly Expected[] {
  return isAdjacent === true ? [direct] : [direct, tunnel];
}

function fault(kind: RouteFault['kind'], text: string): PeerRoute {
  return { isRouted: known(false), faults: [{ kind, text }] };
}

/** The routes of the main table to exactly this range, the one that the kernel takes first. */
function mainRoutes(routes: readonly Route[], target: Ipv4Cidr): readonly Route[] {
  return routes
    .filter(
      ({ table, destination }) =>
        table === 'main' &&
        destination.family === 4 &&
        destination.base === target.base &&
        destination.length === target.length,
    )
    .sort((a, b) => a.metric - b.metric);
}

function fits(hop: NextHop, { gateway, device }: Expected): boolean {
  const isGateway =
    gateway === null ? hop.gateway === null : hop.gateway?.family === 4 && hop.gateway.address === gateway;
  const isDevice =
    device === null || (typeof device === 'string' ? hop.device === device : device.test(hop.device ?? ''));
  return isGateway && isDevice;
}

function routeText({ type, nextHops }: Route): string {
  if (nextHops.length === 0) return `is a route of the kind ${type}`;
  return `goes ${nextHops.map((hop) => hopText(hop.gateway?.family === 4 ? hop.gateway.address : null, hop.device)).join(' and ')}`;
}

function expectedText({ gateway, device }: Expected): string {
  return hopText(gateway, device instanceof RegExp ? 'flannel0' : device);
}

function hopText(gateway: number | null, device: string | null): string {
  return [gateway === null ? [] : `via ${formatIpv4(gateway)}`, device === null ? [] : `dev ${device}`]
    .flat()
    .join(' ');
}

/** VXLAN: the peer's base address is at its MAC (ARP), and its MAC is behind its public IP (FDB). flanneld makes both by hand. */
function tunnelEntries(peer: Peer, { neighbours, forwardingEntries }: StateSeen, device: string): PeerRoute {
  const { vtepMac: mac, publicIP } = peer;
  if (mac === null) return { isRouted: unknown('its lease names no MAC'), faults: [] };
  const base = formatIpv4(peer.subnet.base);
  const faults: RouteFault[] = [];
  if (neighbours.known) {
    const entry = neighbours.value.find(
      (each) => each.device === device && each.address.family === 4 && each.address.address === peer.subnet.base,
    );
    if (entry === undefined || entry.mac !== mac) {
      const has = entry === undefined ? 'has no ARP entry' : `is at ${entry.mac ?? 'no MAC'} (${entry.state})`;
      faults.push({ kind: 'arp', text: `${base} on ${device} ${has}, it should be at ${mac}` });
    }
  }
  if (forwardingEntries.known) {
    const entries = forwardingEntries.value.filter((each) => each.device === device && each.mac === mac);
    const address = parseIpv4(publicIP);
    const isRight = entries.some(({ destination }) => destination?.family === 4 && destination.address === address);
    if (!isRight) {
      const other = entries.flatMap(({ destination }) =>
        destination?.family === 4 ? [formatIpv4(destination.address)] : [],
      );
      const has = other.length === 0 ? 'has no FDB entry' : `is behind ${other.join(' and ')}`;
      faults.push({ kind: 'fdb', text: `${mac} on ${device} ${has}, it should be behind ${publicIP}` });
    }
  }
  if (faults.length > 0) return { isRouted: known(false), faults };
  if (!neighbours.known) return { isRouted: neighbours, faults };
  if (!forwardingEntries.known) return { isRouted: forwardingEntries, faults };
  return { isRouted: known(true), faults };
}
