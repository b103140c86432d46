import type { NodeSeen } from '../fact/node-facts';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import type { Problem } from '../net/problem';

/** The interface that flanneld will use on a node, and the address that peers send to. */
export interface NodeInterface {
  readonly name: string;
  readonly address: string;
  readonly mtuBytes: number;
  readonly publicIP: string;
  /** Is the public IP an address of the node's own? False: NAT lies before it. */
  readonly hasPublicIP: boolean;
}

/** Links that flannel and Docker make, which lead to containers and not to peers. */
const notOurs = /^(lo|docker\d+|br-|veth|flannel|cni|virbr|tun|tap)/;

/**
 * Given by the inventory; else the one that reaches etcd, because flanneld must reach it; else the one with the public IP. Never the first
 * default route alone, which on machines behind NAT is the same address everywhere.
 */
export function nodeInterface(
  node: InventoryNode,
  inventory: Inventory,
  seen: NodeSeen,
  etcdHosts: readonly string[],
): NodeInterface | Problem {
  const { links, routesTo } = seen.answers;
  if (!links.known) return cannotTell(node, links.why);
  const withAddress = links.value.filter(
    ({ isLoopback, addresses }) => !isLoopback && addresses.some(({ family }) => family === 4),
  );
  const given = node.iface ?? inventory.flannel.iface;
  const ofAddress = (text: string | undefined) => {
    const address = text === undefined ? undefined : parseIpv4(text);
    return address === undefined
      ? undefined
      : withAddress.find(({ addresses }) => addresses.some((each) => each.family === 4 && each.address === address));
  };
  const reaching = etcdHosts.flatMap((host) => {
    const route = routesTo.known ? routesTo.value.get(host) : undefined;
    return route?.reachable === true && !route.isLocal ? [route.device] : [];
  });
  const link =
    given !== undefined
      ? (withAddress.find(({ name }) => name === given) ?? ofAddress(given))
      : (ofAddress(node.publicIP) ?? withAddress.find(({ name }) => reaching.includes(name) && !notOurs.test(name)));
  if (link === undefined) {
    const names = withAddress.map(({ name }) => name).join(', ');
    return {
      code: 'no-interface',
      severity: 'error',
      path: 'iface',
      message:
        given === undefined
          ? `no interface of ${node.name} has the address ${node.publicIP ?? 'of the node'} or leads to etcd; it has ${names}`
          : `${node.name} has no interface ${given} with an IPv4 address; it has ${names}`,
      suggestion: `Name it in the inventory: nodes: - { name: ${node.name}, iface: ${withAddress[0]?.name ?? 'eth0'} }`,
    };
  }
  const own = link.addresses.flatMap((each) => (each.family === 4 ? [formatIpv4(each.address)] : []));
  const address = own.find((text) => text === node.publicIP) ?? own[0] ?? '';
  const publicIP = node.publicIP ?? address;
  return { name: link.name, address, mtuBytes: link.mtu, publicIP, hasPublicIP: own.includes(publicIP) };
}

function cannotTell(node: InventoryNode, why: string): Problem {
  return {
    code: 'interface-unknown',
    severity: 'error',
    path: 'iface',
    message: `which interfaces ${node.name} has could not be found out: ${why}`,
    suggestion: 'The program ip (iproute2) must be there.',
  };
}
