import { InvalidInput } from '../errors';
import {
  cidrContains,
  cidrOf,
  cidrsOverlap,
  formatCidr,
  type Ipv4Cidr,
  lastAddress,
  parseIpv4Cidr,
  sizeOfLength,
} from '../net/cidr';
import { type FlannelVersion, isAtLeast, newestFlannel, parseFlannelVersion } from '../net/flannel-version';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import { formatIpv6, formatIpv6Cidr, parseIpv6, parseIpv6Cidr } from '../net/ipv6';
import { readEndpoint } from './etcd-endpoint';
import type { Inventory, InventoryNode } from './inventory';
import type { InventoryProblem } from './inventory-problem';
import { formatKeyPath, type KeyPath } from './key-path';
import type { Place } from './yaml-tree';

/**
 * What is wrong with values that are each of the right form: duplicates, subnets that do not fit, halves of pairs.
 * Whether flanneld takes the network is not asked here (`check/network-config`): that depends on its release.
 */
export function checkInventory(inventory: Inventory, places: ReadonlyMap<string, Place>): readonly InventoryProblem[] {
  const problems: InventoryProblem[] = [];
  const report: Report = (path, code, message, suggestion) => {
    const { line, column } = placeOf(path, places);
    problems.push({ code, severity: 'error', path: formatKeyPath(path), line, column, message, suggestion });
  };
  checkEtcd(inventory.etcd, ['etcd'], report);
  checkEtcd(inventory.flannel.etcd, ['flannel', 'etcd'], report);
  checkEndpointsOutsideNetwork(inventory, report);
  checkIpv6(inventory, report);
  checkFlannelOptions(inventory, report);
  checkNodes(inventory, places, report);
  checkSubnets(inventory, versionOf(inventory, report), places, report);
  return problems;
}

function versionOf(inventory: Inventory, report: Report): FlannelVersion {
  const { version } = inventory.flannel;
  if (version === undefined) return newestFlannel;
  try {
    return parseFlannelVersion(version);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    report(['flannel', 'version'], 'inventory-wrong-value', error.message, newestFlannel.tag);
    return newestFlannel;
  }
}

type Report = (path: KeyPath, code: string, message: string, suggestion: string | null) => void;

interface EtcdKeys {
  readonly endpoints?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  readonly user?: string;
  readonly passwordFile?: string;
}

function checkEtcd(section: EtcdKeys, path: KeyPath, report: Report): void {
  const { cert, key, user, passwordFile } = section;
  if (cert !== undefined && key === undefined) {
    report(
      [...path, 'cert'],
      'inventory-tls',
      'stands without key: a client certificate is of no use without its private key',
      'key: with the path of the private key',
    );
  }
  if (key !== undefined && cert === undefined) {
    report(
      [...path, 'key'],
      'inventory-tls',
      'stands without cert: a private key is of no use without its certificate',
      'cert: with the path of the certificate',
    );
  }
  if (passwordFile !== undefined && user === undefined) {
    report(
      [...path, 'passwordFile'],
      'inventory-tls',
      'stands without user: etcd asks for both',
      'user: with the name in etcd',
    );
  }
  checkEndpoints(section.endpoints ?? [], [...path, 'endpoints'], report);
}

function checkEndpoints(endpoints: readonly string[], path: KeyPath, report: Report): void {
  const seen = new Map<string, number>();
  const schemes = new Set<string>();
  for (const [index, text] of endpoints.entries()) {
    const endpoint = readEndpoint(text);
    if ('reason' in endpoint) continue;
    if (endpoint.scheme !== undefined) schemes.add(endpoint.scheme);
    const before = seen.get(endpoint.authority);
    if (before !== undefined) {
      report(
        [...path, index],
        'inventory-duplicate',
        `${endpoint.authority} is entry ${before + 1} already`,
        'each endpoint once',
      );
    } else seen.set(endpoint.authority, index);
  }
  if (schemes.size > 1) {
    report(
      path,
      'inventory-wrong-value',
      'http:// and https:// are mixed; all members of an etcd serve alike',
      'https:// before each of them',
    );
  }
}

/** flanneld routes the whole network into its own device: an etcd inside it is out of reach from then on. */
function checkEndpointsOutsideNetwork(inventory: Inventory, report: Report): void {
  const range = inventory.network.cidr === undefined ? undefined : parseIpv4Cidr(inventory.network.cidr);
  if (range === undefined) return;
  for (const [index, text] of (inventory.etcd.endpoints ?? []).entries()) {
    const endpoint = readEndpoint(text);
    if ('reason' in endpoint) continue;
    const address = parseIpv4(endpoint.authority.replace(/:[0-9]+$/, ''));
    if (address === undefined || !cidrContains(range, address)) continue;
    report(
      ['etcd', 'endpoints', index],
      'inventory-subnet',
      `${formatIpv4(address)} lies inside the container network ${formatCidr(range)}; flanneld's route would cut etcd off`,
      'a network.cidr that holds no machine',
    );
  }
}

function checkIpv6(inventory: Inventory, report: Report): void {
  const { network, nodes } = inventory;
  const addresses: readonly (readonly [KeyPath, string | undefined])[] = [
    [['network', 'ipv6SubnetMin'], network.ipv6SubnetMin],
    [['network', 'ipv6SubnetMax'], network.ipv6SubnetMax],
    ...nodes.map((node, index) => [['nodes', index, 'publicIPv6'], node.publicIPv6] as const),
  ];
  for (const [path, text] of addresses) {
    if (text === undefined || parseIpv6(text) !== undefined) continue;
    report(path, 'inventory-wrong-value', `${JSON.stringify(text)} is not an IPv6 address`, 'fc00::10');
  }
  const ranges: readonly (readonly [KeyPath, string | undefined])[] = [
    [['network', 'ipv6Cidr'], network.ipv6Cidr],
    ...network.avoid.map(
      (text, index) => [['network', 'avoid', index], text.includes(':') ? text : undefined] as const,
    ),
  ];
  for (const [path, text] of ranges) {
    if (text === undefined) continue;
    const cidr = parseIpv6Cidr(text);
    if (cidr === undefined) {
      report(path, 'inventory-wrong-value', `${JSON.stringify(text)} is not an IPv6 range`, 'fc00::/48');
    } else if (cidr.hostBits) {
      report(path, 'inventory-wrong-value', `${text} has bits set behind its prefix length`, formatIpv6Cidr(cidr));
    }
  }
}

/** Flags that have a key of their own: given twice, one of them would be silently lost. */
const keyOfFlag: Readonly<Record<string, string>> = {
  'etcd-endpoints': 'flannel.etcd.endpoints',
  'etcd-prefix': 'etcd.prefix',
  'etcd-cafile': 'flannel.etcd.ca',
  'etcd-certfile': 'flannel.etcd.cert',
  'etcd-keyfile': 'flannel.etcd.key',
  'etcd-username': 'flannel.etcd.user',
  iface: 'flannel.iface',
  'iface-regex': 'flannel.ifaceRegex',
  'iface-can-reach': 'flannel.ifaceCanReach',
  'ip-masq': 'flannel.ipMasq',
  'subnet-file': 'flannel.subnetFile',
  'healthz-ip': 'flannel.healthzIP',
  'healthz-port': 'flannel.healthzPort',
  'public-ip': 'publicIP of each node',
  'public-ipv6': 'publicIPv6 of each node',
};

function checkFlannelOptions(inventory: Inventory, report: Report): void {
  for (const flag of Object.keys(inventory.flannel.options)) {
    const path = ['flannel', 'options', flag];
    if (flag === 'etcd-password') {
      report(
        path,
        'inventory-secret',
        'a secret does not belong into an inventory, which is meant to be shared',
        'flannel.etcd.passwordFile: with the path of a file that only you can read',
      );
    } else if (flag === 'kube-subnet-mgr') {
      report(path, 'inventory-wrong-value', 'makes flanneld ignore etcd, which is all that netctl administers', null);
    } else if (Object.hasOwn(keyOfFlag, flag)) {
      report(path, 'inventory-wrong-value', 'has a key of its own', keyOfFlag[flag] ?? null);
    }
  }
}

function checkNodes(inventory: Inventory, places: ReadonlyMap<string, Place>, report: Report): void {
  const { nodes } = inventory;
  const lineOf = (path: KeyPath): number => placeOf(path, places).line;
  const names = new Map<string, number>();
  const addresses = new Map<string, number>();
  const publicIPs = new Map<string, number>();
  const publicIPv6s = new Map<string, number>();
  const network = inventory.network.cidr === undefined ? undefined : parseIpv4Cidr(inventory.network.cidr);
  for (const [index, node] of nodes.entries()) {
    const name = node.name.toLowerCase();
    const sameName = names.get(name);
    if (sameName !== undefined) {
      report(
        ['nodes', index, 'name'],
        'inventory-duplicate',
        `${node.name} is the name of the node in line ${lineOf(['nodes', sameName])} too`,
        'another name',
      );
    } else names.set(name, index);

    // Behind a port forwarder, or a jump host of its own, one address may lead to several machines.
    const reached = JSON.stringify([node.address.toLowerCase(), node.ssh.port ?? 22, node.ssh.jump ?? '']);
    const sameAddress = addresses.get(reached);
    if (sameAddress !== undefined && sameName === undefined) {
      report(
        ['nodes', index, 'address'],
        'inventory-duplicate',
        `${node.address} is the address of ${nameOf(nodes, sameAddress)} in line ${lineOf(['nodes', sameAddress])} too`,
        'the address of this node, or its own ssh.port',
      );
    } else if (sameAddress === undefined) addresses.set(reached, index);

    if (node.publicIP !== undefined) {
      const samePublic = publicIPs.get(node.publicIP);
      if (samePublic !== undefined && sameAddress === undefined && sameName === undefined) {
        report(
          ['nodes', index, 'publicIP'],
          'inventory-duplicate',
          `${node.publicIP} is the public IP of ${nameOf(nodes, samePublic)} too; flannel would take both for one node and give them one subnet`,
          'publicIP: with the address that the other nodes reach this one by',
        );
      } else if (samePublic === undefined) publicIPs.set(node.publicIP, index);
      checkPublicIP(node, index, network, report);
    }
    if (node.publicIPv6 !== undefined) {
      const number = parseIpv6(node.publicIPv6);
      const text = number === undefined ? node.publicIPv6 : formatIpv6(number);
      const same = publicIPv6s.get(text);
      if (same !== undefined) {
        report(
          ['nodes', index, 'publicIPv6'],
          'inventory-duplicate',
          `${text} is the public IPv6 of ${nameOf(nodes, same)} too`,
          'the IPv6 address of this node',
        );
      } else publicIPv6s.set(text, index);
    }
  }
}

function checkPublicIP(node: InventoryNode, index: number, network: Ipv4Cidr | undefined, report: Report): void {
  const text = node.publicIP ?? '';
  const address = parseIpv4(text);
  if (address === undefined) return;
  const path = ['nodes', index, 'publicIP'];
  const top = address >>> 24;
  if (top === 127 || top === 0 || top >= 224 || address >>> 16 === 0xa9fe) {
    report(
      path,
      'inventory-wrong-value',
      `${text} is not an address that other nodes could send to`,
      'the address that they reach this node by',
    );
  } else if (network !== undefined && cidrContains(network, address)) {
    // The route to the network would swallow the way to the node (and the SSH session with it).
    report(
      path,
      'inventory-subnet',
      `${text} lies inside the container network ${formatCidr(network)}; flanneld's route would cut the node off`,
      'a network.cidr that holds no node',
    );
  }
}

function nameOf(nodes: readonly InventoryNode[], index: number): string {
  return nodes[index]?.name ?? `node ${index + 1}`;
}

function checkSubnets(
  inventory: Inventory,
  version: FlannelVersion,
  places: ReadonlyMap<string, Place>,
  report: Report,
): void {
  const { network } = inventory;
  const range = network.cidr === undefined ? undefined : parseIpv4Cidr(network.cidr);
  if (range?.hostBits === true) {
    report(
      ['network', 'cidr'],
      'inventory-wrong-value',
      `${network.cidr} has bits set behind its prefix length`,
      formatCidr(range),
    );
  }
  for (const [index, text] of network.avoid.entries()) {
    const cidr = parseIpv4Cidr(text);
    if (cidr?.hostBits === true) {
      report(
        ['network', 'avoid', index],
        'inventory-wrong-value',
        `${text} has bits set behind its prefix length`,
        formatCidr(cidr),
      );
    }
  }
  const length = range === undefined ? network.subnetLen : (network.subnetLen ?? defaultSubnetLen(range, version));
  const taken: { readonly index: number; readonly cidr: Ipv4Cidr }[] = [];
  for (const [index, node] of inventory.nodes.entries()) {
    if (node.subnet === undefined) continue;
    const path = ['nodes', index, 'subnet'];
    const cidr = parseIpv4Cidr(node.subnet);
    if (cidr === undefined) continue;
    if (cidr.hostBits) {
      const gateway = length === cidr.length ? '' : ' (and what length it has)';
      report(
        path,
        'inventory-subnet',
        `${node.subnet} is an address in a subnet; what is wanted is the subnet${gateway}`,
        formatCidr(cidr),
      );
    } else if (length !== undefined && cidr.length !== length) {
      report(
        path,
        'inventory-subnet',
        `${node.subnet} is a /${cidr.length}, but the subnets of this network are /${length}; flanneld would give it back`,
        formatCidr(cidrOf(cidr.base, length)),
      );
    } else if (range !== undefined && !cidrContains(range, cidr)) {
      report(
        path,
        'inventory-subnet',
        `${node.subnet} lies outside the network ${formatCidr(range)}`,
        exampleSubnet(range, length, index),
      );
    } else if (range !== undefined && length !== undefined) {
      checkBounds(inventory, range, cidr, path, report);
    }
    taken.push({ index, cidr });
  }
  // Ranges are aligned, so in order of their first address an overlap is with the widest end seen so far.
  taken.sort((a, b) => a.cidr.base - b.cidr.base || a.cidr.length - b.cidr.length);
  let widest: (typeof taken)[number] | undefined;
  for (const next of taken) {
    if (widest !== undefined && cidrsOverlap(widest.cidr, next.cidr)) {
      const [first, second] = widest.index < next.index ? [widest, next] : [next, widest];
      const { line } = placeOf(['nodes', first.index, 'subnet'], places);
      report(
        ['nodes', second.index, 'subnet'],
        'inventory-subnet',
        `${formatCidr(second.cidr)} overlaps ${formatCidr(first.cidr)} of ${nameOf(inventory.nodes, first.index)} in line ${line}`,
        'a subnet of its own',
      );
    }
    if (widest === undefined || lastAddress(next.cidr) > lastAddress(widest.cidr)) widest = next;
  }
}

/** Outside SubnetMin..SubnetMax flanneld would give the subnet back; without SubnetMin the first one is skipped. */
function checkBounds(inventory: Inventory, range: Ipv4Cidr, subnet: Ipv4Cidr, path: KeyPath, report: Report): void {
  const { subnetMin, subnetMax } = inventory.network;
  const size = sizeOfLength(subnet.length);
  const min = (subnetMin === undefined ? undefined : parseIpv4(subnetMin)) || range.base + size;
  const max = (subnetMax === undefined ? undefined : parseIpv4(subnetMax)) || lastAddress(range) + 1 - size;
  if (subnet.base >= min && subnet.base <= max) return;
  const why =
    subnetMin === undefined && subnet.base < min
      ? ', because flannel leaves out the first subnet unless network.subnetMin names it'
      : '';
  report(
    path,
    'inventory-subnet',
    `${formatCidr(subnet)} is not between ${formatIpv4(min)} and ${formatIpv4(max)}${why}`,
    max >= min ? `a subnet from ${formatIpv4(min)}/${subnet.length} to ${formatIpv4(max)}/${subnet.length}` : null,
  );
}

/** flannel's own choice; before v0.10.0 (flannel-spec 1.5, era A) small networks were cut once instead of twice. */
function defaultSubnetLen(range: Ipv4Cidr, version: FlannelVersion): number {
  if (!isAtLeast(version, 'v0.10.0')) return range.length < 24 ? 24 : range.length + 1;
  return range.length <= 22 ? 24 : range.length + 2;
}

function exampleSubnet(range: Ipv4Cidr, length: number | undefined, index: number): string {
  if (length === undefined || length < range.length || length > 30) return `one inside ${formatCidr(range)}`;
  const count = 2 ** (length - range.length);
  return formatCidr({ base: range.base + sizeOfLength(length) * Math.min(index + 1, count - 1), length });
}

/** Of the value, or of the nearest thing around it that the file has. */
function placeOf(path: KeyPath, places: ReadonlyMap<string, Place>): Place {
  for (let length = path.length; length >= 0; length--) {
    const place = places.get(formatKeyPath(path.slice(0, length)));
    if (place !== undefined) return place;
  }
  return { line: 1, column: 1 };
}
