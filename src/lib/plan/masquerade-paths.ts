import type { SavedRuleset } from '../fact/iptables-save';
import type { Link } from '../fact/links';
import type { NftTable } from '../fact/nft-tables';
import { type Packet, type WalkEnd, walkChain } from '../fact/packet-walk';
import type { Route } from '../fact/routes';
import { cidrContains, cidrOf, type Ipv4Cidr, lastAddress, parseIpv4Cidr } from '../net/cidr';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import type { ContainerBridge } from '../net/masquerade-rule';

export const pathNames = [
  'container-to-container',
  'container-to-internet',
  'remote-to-container',
  'host-to-container',
] as const;

export type PathName = (typeof pathNames)[number];

/** Which source address a packet arrives with, as far as the rules of this node go. */
export interface Carried {
  /** `kept`: the sender's own; `unknown` is a value of its own. */
  readonly kind: 'kept' | 'changed' | 'dropped' | 'unknown';
  /** The address that arrives; null when none does, or it is not known. */
  readonly address: string | null;
  /** The rule that decides, or why it is not known; null where none does. */
  readonly by: string | null;
}

export interface PathView {
  readonly path: PathName;
  readonly from: string;
  readonly to: string;
  readonly carried: Carried;
}

/** Where packets of a node go, whatever its rules are. */
export interface PathScene {
  readonly network: Ipv4Cidr;
  readonly bridge: ContainerBridge;
  readonly links: readonly Link[];
  readonly routes: readonly Route[];
}

/** The rules of a node; both front ends of iptables may be at work at once, and a packet passes both. */
export interface NodeRules {
  readonly iptables: readonly SavedRuleset[];
  readonly nftTables: readonly NftTable[];
}

interface Flow {
  readonly path: PathName;
  readonly packet: Packet;
  /** Does it pass PREROUTING and FORWARD? */
  readonly isForwarded: boolean;
  /** Null: it is somewhere outside. */
  readonly destination: string | null;
}

/** The four ways that count, each with the source address that arrives. Pure. */
export function pathsOf(scene: PathScene, rules: NodeRules): readonly PathView[] {
  return flowsOf(scene).map(({ path, packet, isForwarded, destination }) => ({
    path,
    from: formatIpv4(packet.source),
    to: destination ?? 'internet',
    carried: carriedBy(packet, isForwarded, scene, rules),
  }));
}

function flowsOf(scene: PathScene): readonly Flow[] {
  const { network, bridge } = scene;
  const own = bridge.subnet.base + 2;
  const peer = peerOf(scene);
  const host = peer.source ?? addressOfDevice(scene.links, peer.device) ?? 0;
  const outside = outsideOf(network);
  const wayOut = defaultDevice(scene.routes);
  const inside = { source: own, inDevice: bridge.device };
  return [
    {
      path: 'container-to-container',
      packet: { ...inside, destination: peer.address, outDevice: peer.device },
      isForwarded: true,
      destination: formatIpv4(peer.address),
    },
    {
      path: 'container-to-internet',
      packet: { ...inside, destination: outside, outDevice: wayOut },
      isForwarded: true,
      destination: null,
    },
    {
      path: 'remote-to-container',
      // Not the first container's address: a port that it has published would be an exception.
      packet: {
        source: peer.address,
        destination: lastAddress(bridge.subnet) - 1,
        inDevice: peer.device ?? '',
        outDevice: bridge.device,
      },
      isForwarded: true,
      destination: formatIpv4(lastAddress(bridge.subnet) - 1),
    },
    {
      path: 'host-to-container',
      packet: { source: host, destination: peer.address, inDevice: null, outDevice: peer.device },
      isForwarded: false,
      destination: formatIpv4(peer.address),
    },
  ];
}

interface PeerWay {
  readonly address: number;
  readonly device: string | null;
  readonly source: number | null;
}

/** A container of another node and the device towards it: by a route into the network that is not a bridge of our own. */
function peerOf({ network, bridge, links, routes }: PathScene): PeerWay {
  const bridges = new Set(links.flatMap(({ name, kind }) => (kind === 'bridge' ? [name] : [])));
  for (const { destination, nextHops, source, table, type } of routes) {
    if (destination.family !== 4 || destination.length < network.length || table !== 'main' || type !== 'unicast')
      continue;
    const range = cidrOf(destination.base, destination.length);
    const device = nextHops[0]?.device ?? null;
    if (!cidrContains(network, range) || device === null || bridges.has(device) || device === bridge.device) continue;
    const address = range.length >= 31 ? range.base : range.base + 2;
    if (cidrContains(bridge.subnet, address)) {
      // One device for the whole network (wireguard, udp): the neighbour's range is as good as any.
      if (!cidrContains(range, bridge.subnet)) continue;
      return {
        address: neighbourOf(network, bridge.subnet),
        device,
        source: source?.family === 4 ? source.address : null,
      };
    }
    return { address, device, source: source?.family === 4 ? source.address : null };
  }
  return { address: neighbourOf(network, bridge.subnet), device: defaultDevice(routes), source: null };
}

/** An address that a container in the range beside this one could have. */
function neighbourOf(network: Ipv4Cidr, subnet: Ipv4Cidr): number {
  const size = 2 ** (32 - subnet.length);
  const next = subnet.base + size;
  return (next + 2 <= lastAddress(network) ? next : subnet.base - size) + 2;
}

function outsideOf(network: Ipv4Cidr): number {
  const [first = 0, ...more] = ['192.0.2.1', '198.51.100.1'].map((text) => parseIpv4(text) ?? 0);
  return cidrContains(network, first) ? (more[0] ?? first) : first;
}

function defaultDevice(routes: readonly Route[]): string | null {
  const found = routes.find(
    ({ destination, table, type }) =>
      destination.family === 4 && destination.length === 0 && table === 'main' && type === 'unicast',
  );
  return found?.nextHops[0]?.device ?? null;
}

function addressOfDevice(links: readonly Link[], device: string | null): number | null {
  const addresses = links.find(({ name }) => name === device)?.addresses ?? [];
  for (const address of addresses) if (address.family === 4 && address.scope !== 'host') return address.address;
  return null;
}

function carriedBy(packet: Packet, isForwarded: boolean, { links }: PathScene, rules: NodeRules): Carried {
  if (isForwarded) {
    const dropped = dropOf(packet, rules);
    if (dropped !== null) return { kind: 'dropped', address: null, by: dropped };
  }
  const lists = [
    ...rules.iptables.map((ruleset) =>
      walkChain(ruleset, 'nat', 'POSTROUTING', packet).map((end) => carriedAt(end, packet, links)),
    ),
    ...rules.nftTables.map((table) => nftCarried(table, packet, links)),
  ].filter((list) => list.length > 0);
  const changes = lists.flat().filter(({ kind }) => kind !== 'kept');
  const [change] = changes;
  if (change === undefined) return { kind: 'kept', address: formatIpv4(packet.source), by: null };
  const isOne = changes.every(({ kind, address }) => kind === 'changed' && address === change.address);
  // One front end is enough: what it has changed the other leaves.
  const isCertain = lists.some((list) => list.every(({ kind }) => kind !== 'kept'));
  return isOne && isCertain ? change : { kind: 'unknown', address: null, by: change.by };
}

function carriedAt(end: WalkEnd, packet: Packet, links: readonly Link[]): Carried {
  const by = end.rule?.text ?? null;
  switch (end.verdict) {
    case 'ACCEPT':
      return { kind: 'kept', address: formatIpv4(packet.source), by };
    case 'MASQUERADE':
      return masqueraded(packet, links, by);
    case 'SNAT': {
      const to = /^(\d{1,3}(?:\.\d{1,3}){3})(?::\d+(?:-\d+)?)?$/.exec(
        end.options[end.options.indexOf('--to-source') + 1] ?? '',
      )?.[1];
      return to === undefined ? { kind: 'unknown', address: null, by } : { kind: 'changed', address: to, by };
    }
    default:
      return { kind: 'unknown', address: null, by };
  }
}

function masqueraded(packet: Packet, links: readonly Link[], by: string | null): Carried {
  const address = addressOfDevice(links, packet.outDevice);
  if (address === null) return { kind: 'changed', address: null, by };
  // The host's own packet may have that address already.
  if (address === packet.source) return { kind: 'kept', address: formatIpv4(address), by };
  return { kind: 'changed', address: formatIpv4(address), by };
}

/** What drops a plain packet between PREROUTING and FORWARD; null when it passes. Exceptions for a port are passed by. */
function dropOf(packet: Packet, rules: NodeRules): string | null {
  for (const ruleset of rules.iptables) {
    for (const [table, chain] of [
      ['raw', 'PREROUTING'],
      ['mangle', 'FORWARD'],
      ['filter', 'FORWARD'],
    ] as const) {
      const seen = table === 'raw' ? { ...packet, outDevice: null } : packet;
      const [end] = walkChain(ruleset, table, chain, seen, { unsure: 'pass' });
      if (end?.verdict === 'DROP' || end?.verdict === 'REJECT') return end.rule?.text ?? `-P ${chain} ${end.verdict}`;
    }
  }
  return null;
}

/** flanneld's own table (EnableNFTables, v0.25.0 and later); nothing for other tables. */
function nftCarried(table: NftTable, packet: Packet, links: readonly Link[]): readonly Carried[] {
  if (table.family !== 'ip' || table.name !== 'flannel-ipv4') return [];
  const kept: Carried = { kind: 'kept', address: formatIpv4(packet.source), by: null };
  for (const { text } of table.chains?.find(({ name }) => name === 'postrtg')?.rules ?? []) {
    const matches = nftMatches(text, packet);
    if (matches === undefined) return [{ kind: 'unknown', address: null, by: text }];
    if (!matches) continue;
    if (/ return$/.test(text)) return [kept];
    if (/ masquerade\b/.test(text)) return [masqueraded(packet, links, text)];
  }
  return [kept];
}

function nftMatches(text: string, packet: Packet): boolean | undefined {
  const rest = text
    .replace(/\bcounter( packets \d+ bytes \d+)?/, '')
    .replace(/ (return|masquerade( fully-random)?)$/, '')
    .trim();
  // Nobody has marked it.
  if (/^meta mark /.test(rest)) return false;
  let holdsAll = true;
  const left = rest.replaceAll(
    /\bip (saddr|daddr) (!= )?(\S+)/g,
    (_all, side: string, not: string | undefined, range: string) => {
      const cidr = parseIpv4Cidr(range.includes('/') ? range : `${range}/32`);
      if (cidr === undefined) return _all;
      const address = side === 'saddr' ? packet.source : packet.destination;
      if (cidrContains(cidr, address) === (not !== undefined)) holdsAll = false;
      return '';
    },
  );
  return left.trim() === '' ? holdsAll : undefined;
}
