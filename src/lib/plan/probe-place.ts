import { type Known, known, unknown } from '../fact/fact';
import type { Link } from '../fact/links';
import type { ProbeSeen } from '../fact/probe-facts';
import { cidrContains, cidrOf, type Ipv4Cidr, lastAddress } from '../net/cidr';
import { formatIpv4 } from '../net/ipv4';

/** Where on a node a container would stand, and the probe in its place. */
export interface ProbePlace {
  /** Docker's bridge on the node's subnet. */
  readonly bridge: string;
  /** What a new container gets, in bytes. */
  readonly mtu: number;
  /** Of the bridge's range. */
  readonly length: number;
  /** The bridge's own address. */
  readonly gateway: string;
  /** Free as far as Docker knows, the highest first: Docker gives out the lowest. */
  readonly candidates: readonly string[];
}

const mostCandidates = 16;
/** What dockerd gives a network for which nobody named another. */
const dockerMtu = 1500;

/**
 * The bridge with the subnet that flanneld wrote, else Docker's default one.
 * @returns unknown when there is no such bridge, or it has no room
 */
export function probePlace(seen: ProbeSeen): Known<ProbePlace> {
  if (!seen.links.known) return unknown(`its interfaces are not known: ${seen.links.why}`);
  const links = seen.links.value;
  const networks = seen.networks.known ? seen.networks.value : [];
  const devices = new Set(networks.flatMap(({ driver, device }) => (driver === 'bridge' ? (device ?? []) : [])));
  const bridges = links
    .filter(({ name, kind }) => kind === 'bridge' || devices.has(name) || name === 'docker0')
    .flatMap((link) => rangesOf(link).map((at) => ({ link, ...at })));

  const file = seen.subnetEnv.known && seen.subnetEnv.value.present ? seen.subnetEnv.value.reading.env : null;
  const written = file?.subnet ?? null;
  const found =
    bridges.find(({ address }) => written !== null && cidrContains(cidrOf(written.address, written.length), address)) ??
    bridges.find(({ link }) => link.name === 'docker0') ??
    bridges.find(({ link }) => devices.has(link.name));
  if (found === undefined) return unknown('it has no bridge of Docker with an IPv4 address');
  const { link, address, range } = found;
  // The name goes into a protocol of words.
  if (!/^[\w.-]{1,15}$/.test(link.name))
    return unknown(`its bridge has a name that netctl does not take: ${link.name}`);
  if (!link.isUp) return unknown(`its bridge ${link.name} is down`);

  const network = networks.find(({ device }) => device === link.name);
  const mtu = network === undefined ? link.mtu : (network.mtu ?? dockerMtu);
  if (mtu < 576) return unknown(`its bridge ${link.name} has an MTU of ${mtu}`);
  const taken = new Set([
    ...links.flatMap(({ addresses }) => addresses.flatMap((each) => (each.family === 4 ? each.address : []))),
    ...networks.flatMap(({ subnets }) =>
      subnets.flatMap(({ gateway }) => (gateway?.family === 4 ? gateway.address : [])),
    ),
    ...(seen.containers.known ? seen.containers.value : []).flatMap((container) =>
      [...container.networks.values()].flatMap((each) => (each?.family === 4 ? each.address : [])),
    ),
  ]);
  const candidates: string[] = [];
  for (let each = lastAddress(range) - 1; each > range.base && candidates.length < mostCandidates; each--) {
    if (!taken.has(each)) candidates.push(formatIpv4(each));
  }
  if (candidates.length === 0) return unknown(`no address is free on ${link.name}`);
  return known({ bridge: link.name, mtu, length: range.length, gateway: formatIpv4(address), candidates });
}

function rangesOf({ addresses }: Link): readonly { readonly address: number; readonly range: Ipv4Cidr }[] {
  return addresses.flatMap((each) =>
    each.family === 4 ? { address: each.address, range: cidrOf(each.address, each.length) } : [],
  );
}
