import type { Answers, Known } from '../fact/fact';
import { unknown } from '../fact/fact';
import type { NodeFacts } from '../fact/node-facts';
import { cidrOf, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import type { EffectiveConfig } from '../net/network-config';
import type { Problem } from '../net/problem';
import { parseSubnetEnv } from '../net/subnet-env';
import { type FlannelLayout, flannelFilesWish, flannelLayout, type NodeFamily } from '../plan/flannel-files';
import type { PreflightInput, PreflightNode } from './preflight-checks';
import {
  chooseInterface,
  type InterfaceChoice,
  interfaceOptions,
  type PublicIP,
  publicIPFor,
} from './preflight-interface';

/** One node with all that the checks ask again and again. */
export interface NodeScene extends PreflightNode {
  readonly input: PreflightInput;
  readonly answers: Answers<NodeFacts>;
  readonly choice: InterfaceChoice;
  readonly publicIP: Known<PublicIP>;
  readonly layout: FlannelLayout;
  readonly family: NodeFamily;
  readonly backend: EffectiveConfig['backend'] | null;
  /** `Network`; null when there is no config, or IPv4 is off. */
  readonly network: Ipv4Cidr | null;
  /** The other nodes of the inventory that say where they are. */
  readonly peers: readonly Peer[];
  /** Public IPs of the nodes and of the leases: what routes of flannel lead to. */
  readonly gateways: ReadonlySet<string>;
  /** The subnet in the node's subnet.env, null when it has none. */
  readonly subnetEnv: Known<Ipv4Cidr | null>;
  /** Subnets that are the node's by its subnet.env or by its lease. */
  readonly ownSubnets: readonly Ipv4Cidr[];
}

export interface Peer {
  readonly name: string;
  readonly publicIP: string;
}

export type NodeCheck = (scene: NodeScene) => Iterable<Problem>;

/** What is noticed only when nodes are laid side by side. `node` null: it concerns all. */
export type FleetCheck = (
  scenes: readonly NodeScene[],
  input: PreflightInput,
) => Iterable<Problem & { readonly node: string | null }>;

export function scenesOf(input: PreflightInput): readonly NodeScene[] {
  const optionsOf = interfaceOptions(input);
  const network = networkOf(input.effective);
  const gateways = new Set([
    ...input.inventory.nodes.flatMap(({ publicIP }) => publicIP ?? []),
    ...input.leases.flatMap(({ publicIP }) => publicIP ?? []),
  ]);
  return input.nodes.map(({ node, seen }): NodeScene => {
    const options = optionsOf(node);
    const publicIP = publicIPFor(node, seen, options);
    const family = familyOf(seen.answers);
    const layout = flannelLayout(
      flannelFilesWish(input.inventory, node, { family, version: input.version, endpoints: input.endpoints }),
    );
    const subnetEnv = subnetOf(fileText(seen.answers, layout.subnetFile));
    const leased = input.leases.flatMap((lease) =>
      publicIP.known && lease.publicIP === publicIP.value.publicIP ? [lease.subnet] : [],
    );
    return {
      input,
      node,
      seen,
      answers: seen.answers,
      choice: chooseInterface(node, seen, options),
      publicIP,
      layout,
      family,
      backend: input.effective?.backend ?? null,
      network,
      peers: input.inventory.nodes.flatMap(({ name, publicIP: address }) =>
        name === node.name || address === undefined ? [] : [{ name, publicIP: address }],
      ),
      gateways,
      subnetEnv,
      ownSubnets: [...leased, ...(subnetEnv.known && subnetEnv.value !== null ? [subnetEnv.value] : [])],
    };
  });
}

function familyOf({ operatingSystem }: Answers<NodeFacts>): NodeFamily {
  return operatingSystem.known && operatingSystem.value.environmentFolder === '/etc/sysconfig' ? 'rhel' : 'debian';
}

function networkOf(effective: EffectiveConfig | null): Ipv4Cidr | null {
  const cidr = effective?.network == null ? undefined : parseIpv4Cidr(effective.network);
  return cidr === undefined ? null : { base: cidr.base, length: cidr.length };
}

/** A file's text; null when there is no such file. */
export function fileText({ texts }: Answers<NodeFacts>, path: string): Known<string | null> {
  if (!texts.known) return texts;
  const file = texts.value.get(path);
  if (file === undefined) return unknown(`${path} was not asked for`);
  if (!file.known) return unknown(`${path}: ${file.why}`);
  if (!file.value.present) return { known: true, value: null };
  if (file.value.bytes === null) return unknown(`${path} is no file`);
  return { known: true, value: new TextDecoder().decode(file.value.bytes) };
}

function subnetOf(text: Known<string | null>): Known<Ipv4Cidr | null> {
  if (!text.known) return text;
  const subnet = text.value === null ? null : parseSubnetEnv(text.value).env.subnet;
  return { known: true, value: subnet === null ? null : cidrOf(subnet.address, subnet.length) };
}

/** A fact that could not be had is said, and never taken for a good one. */
export function notChecked(what: string, why: string): Problem {
  return {
    code: 'preflight-unknown',
    severity: 'warning',
    path: what,
    message: `${what} could not be checked: ${why}`,
    suggestion: null,
  };
}

/** `a, b, c, d, e and 3 more` */
export function someOf(items: readonly string[]): string {
  const shown = items.slice(0, 5);
  return items.length > shown.length ? `${shown.join(', ')} and ${items.length - shown.length} more` : shown.join(', ');
}

/** How a package is installed here, for a suggestion. */
export function installCommand({ answers }: Pick<NodeScene, 'answers'>, debian: string, rhel: string): string {
  const isRhel = answers.operatingSystem.known && answers.operatingSystem.value.family === 'rhel';
  return isRhel ? `dnf install ${rhel}` : `apt install ${debian}`;
}

/** A backend's sub-key as a port. */
export function portOption(backend: EffectiveConfig['backend'], name: string, standard: number): number {
  const value = backend.options[name];
  return typeof value === 'number' && value > 0 ? value : standard;
}

/** The VXLAN identifier; its device is `flannel.VNI`. */
export function vniOf(backend: EffectiveConfig['backend']): number {
  const vni = backend.options['VNI'];
  return typeof vni === 'number' ? vni : 1;
}

/** UDP ports on which the backend receives. */
export function backendPorts(effective: EffectiveConfig): readonly number[] {
  const { backend, enableIPv6 } = effective;
  switch (backend.type) {
    case 'vxlan':
      return [portOption(backend, 'Port', 8472)];
    case 'udp':
      return [portOption(backend, 'Port', 8285)];
    case 'wireguard':
      return [
        portOption(backend, 'ListenPort', 51_820),
        ...(enableIPv6 && backend.options['Mode'] === 'separate' ? [portOption(backend, 'ListenPortV6', 51_821)] : []),
      ];
    case 'ipsec':
      return [500, 4500];
    default:
      return [];
  }
}
