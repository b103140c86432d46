import type { DockerNetwork } from '../fact/docker-networks';
import { readRule } from '../fact/iptables-rule';
import { type SavedRuleset, tableOf } from '../fact/iptables-save';
import type { ListeningPort } from '../fact/listening-ports';
import type { Route } from '../fact/routes';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { cidrContains, cidrOf, cidrsOverlap, formatCidr, type Ipv4Cidr, parseIpv4Cidr, spaceOf } from '../net/cidr';
import { isAtLeast } from '../net/flannel-version';
import { formatIpv4, parseIpv4 } from '../net/ipv4';
import type { Problem } from '../net/problem';
import {
  addressesOf,
  addressText,
  endpointAddress,
  isContainerLink,
  linkNamed,
  linkWith,
  wayTo,
} from './preflight-interface';
import {
  backendPorts,
  type FleetCheck,
  type NodeCheck,
  type NodeScene,
  notChecked,
  portOption,
  someOf,
  vniOf,
} from './preflight-scene';

export const interfaceOfNode: NodeCheck = function* ({ node, answers, choice, publicIP, backend, input }) {
  if (choice.kind === 'unknown') {
    yield notChecked('the interface', choice.why);
    return;
  }
  if (choice.kind === 'none') {
    yield {
      code: choice.what === 'unclear' ? 'interface-unclear' : 'interface-missing',
      severity: 'error',
      path: 'iface',
      message: choice.why,
      suggestion:
        choice.what === 'unclear'
          ? `Name it for this node in netctl.yaml: nodes: [{ name: ${node.name}, iface: … }]`
          : 'Correct iface in netctl.yaml: the name of an interface of the node, or an IPv4 address on it.',
    };
    return;
  }
  const { iface, address, mtu, isUp, hasCarrier, isNat } = choice;
  if (!isUp) {
    yield {
      code: 'interface-down',
      severity: 'error',
      path: iface,
      message: `${iface} is switched off`,
      suggestion: `ip link set ${iface} up`,
    };
  } else if (!hasCarrier) {
    yield {
      code: 'interface-down',
      severity: 'warning',
      path: iface,
      message: `${iface} is on, and has no carrier: no cable, or nothing at its other end`,
      suggestion: `ip -d link show ${iface}`,
    };
  }
  if (mtu < 576) {
    yield {
      code: 'interface-small-mtu',
      severity: 'error',
      path: iface,
      message: `${iface} has MTU ${mtu}: too small to carry packets of containers`,
      suggestion: `ip link set ${iface} mtu 1500`,
    };
  }
  const wanted = publicIP.known ? publicIP.value.publicIP : address;
  const number = parseIpv4(wanted);
  const space = number === undefined ? 'public' : spaceOf(cidrOf(number, 32));
  if (space === 'loopback' || space === 'link-local' || space === 'multicast' || space === 'reserved') {
    yield {
      code: 'public-ip-not-usable',
      severity: 'error',
      path: 'publicIP',
      message: `${wanted} is a ${space} address: peers cannot send to it`,
      suggestion: `nodes: [{ name: ${node.name}, publicIP: … }] with the address that the other nodes use`,
    };
    return;
  }
  if (isNat) {
    const isHostGw = backend?.type === 'host-gw';
    // From v0.27.4 the tunnel's own end is the public address, which the kernel takes from nobody who does not have it.
    const isTunnelEnd = backend?.type === 'vxlan' && isAtLeast(input.version, 'v0.27.4');
    yield {
      code: 'public-ip-not-on-node',
      severity: isHostGw ? 'error' : isTunnelEnd ? 'warning' : 'info',
      path: 'publicIP',
      message: `${wanted} is on no interface of the node (${iface} has ${address}), so NAT lies before it: ${
        isHostGw
          ? 'flanneld with host-gw refuses to start'
          : isTunnelEnd
            ? `flanneld ${input.version.tag} makes it the source of the tunnel, and its packets are then not sent`
            : 'flanneld is given both the interface and the address'
      }`,
      suggestion: `publicIP: ${address} for this node, when the other nodes reach it there`,
    };
    return;
  }
  const link = answers.links.known ? linkNamed(answers.links.value, iface) : undefined;
  if (publicIP.known && link !== undefined && !addressesOf(link).includes(wanted)) {
    const other = answers.links.known ? linkWith(answers.links.value, wanted) : undefined;
    yield {
      code: 'public-ip-on-other-interface',
      severity: backend?.type === 'host-gw' ? 'error' : 'warning',
      path: 'publicIP',
      message: `${wanted}, the address that peers send to, is on ${other?.name ?? 'another interface'}, and flanneld is to use ${iface} (${address})`,
      suggestion: `iface: ${other?.name ?? wanted} for this node, or publicIP: ${address}`,
    };
  }
};

export const interfacesOfFleet: FleetCheck = function* (scenes) {
  const byMtu = new Map<number, string[]>();
  for (const { node, choice } of scenes) {
    if (choice.kind === 'chosen') byMtu.set(choice.mtu, [...(byMtu.get(choice.mtu) ?? []), node.name]);
  }
  if (byMtu.size < 2) return;
  const sorted = [...byMtu].sort(([a], [b]) => a - b);
  const [least] = sorted;
  yield {
    node: null,
    code: 'interface-mtu-differs',
    severity: 'warning',
    path: 'MTU',
    message: `the interfaces differ in MTU (${sorted.map(([mtu, names]) => `${mtu}: ${someOf(names)}`).join('; ')}): large packets to the smaller ones are lost`,
    suggestion: `Give all the same, or for vxlan and wireguard from v0.21.3: --backend-option MTU=${least?.[0] ?? 1500}`,
  };
};

/** Groups of nodes that share a value which ought to be one's own. */
function sharing(
  scenes: readonly NodeScene[],
  property: (scene: NodeScene) => string | null | undefined,
): readonly { readonly scene: NodeScene; readonly value: string; readonly others: readonly string[] }[] {
  const byValue = new Map<string, NodeScene[]>();
  for (const scene of scenes) {
    const value = property(scene);
    if (value != null) byValue.set(value, [...(byValue.get(value) ?? []), scene]);
  }
  return [...byValue].flatMap(([value, group]) =>
    group.length < 2
      ? []
      : group.map((scene) => ({
          scene,
          value,
          others: group.filter((other) => other !== scene).map(({ node }) => node.name),
        })),
  );
}

export const unique: FleetCheck = function* (scenes, input) {
  for (const { scene, value, others } of sharing(scenes, ({ publicIP }) =>
    publicIP.known ? publicIP.value.publicIP : undefined,
  )) {
    const on = scene.choice.kind === 'chosen' && scene.choice.address === value ? ` (${scene.choice.iface})` : '';
    yield {
      node: scene.node.name,
      code: 'address-not-unique',
      severity: 'error',
      path: 'publicIP',
      message: `${value}${on} would be the public IP of ${someOf(others)} too: flanneld knows a node by it, so they would take one subnet from each other`,
      suggestion: 'Give each node its own publicIP, or iface: the interface that is not behind the same NAT.',
    };
  }
  const machineOf = ({ answers }: NodeScene) => (answers.machine.known ? answers.machine.value : undefined);
  for (const { scene, value, others } of sharing(scenes, (each) => machineOf(each)?.machineId)) {
    yield {
      node: scene.node.name,
      code: 'machine-id-not-unique',
      severity: 'warning',
      path: '/etc/machine-id',
      message: `machine id ${value} is that of ${someOf(others)} too, as after cloning: DHCP may give them one address`,
      suggestion: 'rm /etc/machine-id && systemd-machine-id-setup, then boot the node anew',
    };
  }
  for (const { scene, value, others } of sharing(scenes, (each) => machineOf(each)?.hostname)) {
    yield {
      node: scene.node.name,
      code: 'hostname-not-unique',
      severity: 'warning',
      path: 'hostname',
      message: `host name ${value} is that of ${someOf(others)} too: logs and Docker tell them apart by it`,
      suggestion: `hostnamectl set-hostname ${scene.node.name}`,
    };
  }
  for (const { scene, value, others } of sharing(scenes, ({ subnetEnv }) =>
    subnetEnv.known && subnetEnv.value !== null ? formatCidr(subnetEnv.value) : undefined,
  )) {
    yield {
      node: scene.node.name,
      code: 'subnet-env-not-unique',
      severity: 'error',
      path: scene.layout.subnetFile,
      message: `${scene.layout.subnetFile} says ${value}, and so does that of ${someOf(others)}: two nodes use one subnet`,
      suggestion: `On the node that etcd does not name for it (netctl subnets show ${value}): stop Docker and flanneld, and remove ${scene.layout.subnetFile}`,
    };
  }
  for (const scene of scenes) {
    const { machine } = scene.answers;
    if (!machine.known) yield { node: scene.node.name, ...notChecked('host name and machine id', machine.why) };
    if (!scene.publicIP.known) yield { node: scene.node.name, ...notChecked('the public IP', scene.publicIP.why) };
    if (!scene.subnetEnv.known) {
      yield { node: scene.node.name, ...notChecked(scene.layout.subnetFile, scene.subnetEnv.why) };
      continue;
    }
    const subnet = scene.subnetEnv.value;
    const own = scene.publicIP.known ? scene.publicIP.value.publicIP : null;
    const holder = input.leases.find((lease) => subnet !== null && cidrsOverlap(lease.subnet, subnet));
    if (subnet === null || own === null || holder === undefined || holder.publicIP === own) continue;
    // Up to v0.17.0 flanneld takes the subnet in its file away from whoever has the lease.
    const isTaken = !isAtLeast(input.version, 'v0.18.0');
    yield {
      node: scene.node.name,
      code: 'subnet-env-of-other',
      severity: isTaken ? 'error' : 'warning',
      path: scene.layout.subnetFile,
      message: `${scene.layout.subnetFile} says ${formatCidr(subnet)}, which is leased to ${holder.publicIP}, not to ${own}: flanneld ${input.version.tag} would ${
        isTaken ? 'take it away from there' : 'get another subnet here, and docker0 move to it'
      }`,
      suggestion: isTaken ? `rm ${scene.layout.subnetFile}` : null,
    };
  }
};

/** Docker's own choice for new networks when nobody gave it pools (moby ipamutils). */
const standardPools = [
  '172.17.0.0/16',
  '172.18.0.0/16',
  '172.19.0.0/16',
  '172.20.0.0/14',
  '172.24.0.0/14',
  '172.28.0.0/14',
  '192.168.0.0/16',
];

export const overlap: NodeCheck = function* (scene) {
  const { network, answers } = scene;
  if (network === null) return;
  const text = formatCidr(network);
  const { links, routes, sshClient, networks, docker } = answers;
  const told = new Set<string>();

  if (!sshClient.known) yield notChecked('the way that SSH comes', sshClient.why);
  else if (sshClient.value.viaSsh) {
    const { client, server } = sshClient.value;
    for (const [address, who] of [
      [client, 'from which SSH comes'],
      [server, 'to which SSH comes'],
    ] as const) {
      if (address.family !== 4 || !cidrContains(network, address.address)) continue;
      yield {
        code: 'network-overlaps-ssh',
        severity: 'error',
        path: 'Network',
        message: `${formatIpv4(address.address)}, ${who}, lies in ${text}: flanneld’s routes would cut this connection`,
        suggestion: `Take another network: netctl init-network --help`,
      };
      told.add(formatIpv4(address.address));
    }
  }

  for (const { name, publicIP } of scene.peers) {
    const address = parseIpv4(publicIP);
    if (address === undefined || !cidrContains(network, address)) continue;
    yield {
      code: 'network-overlaps-peer',
      severity: 'error',
      path: 'Network',
      message: `${publicIP}, the public IP of ${name}, lies in ${text}: the way to it would lead into the overlay`,
      suggestion: 'Take a network that holds none of the nodes.',
    };
  }

  const ofDocker = networks.known ? networks.value : [];
  if (!networks.known && !(docker.known && docker.value.state === 'stopped')) {
    yield notChecked('Docker’s networks', networks.why);
  }
  for (const each of ofDocker) yield* dockerOverlap(scene, network, each);
  if (docker.known && docker.value.state === 'running') {
    const { addressPools } = docker.value.engine;
    const pools = (addressPools.length > 0 ? addressPools : standardPools).filter((pool) => {
      const cidr = parseIpv4Cidr(pool);
      return cidr !== undefined && cidrsOverlap(cidr, network);
    });
    if (pools.length > 0) {
      yield {
        code: 'network-overlaps-pool',
        severity: 'warning',
        path: 'default-address-pools',
        message: `Docker gives new networks addresses of ${someOf(pools)}, which overlap ${text}`,
        suggestion:
          '"default-address-pools": [{ "base": "10.200.0.0/16", "size": 24 }] in daemon.json, outside the network',
      };
    }
  }

  const ranges = new Set<string>();
  if (!links.known) yield notChecked('the addresses of the node', links.why);
  else {
    const devices = new Set(ofDocker.flatMap(({ device }) => device ?? []));
    for (const link of links.value) {
      if (link.isLoopback || devices.has(link.name) || /^(?:flannel|veth)/.test(link.name)) continue;
      for (const address of link.addresses) {
        if (address.family !== 4) continue;
        const range = cidrOf(address.address, address.length);
        ranges.add(`${formatCidr(range)} ${link.name}`);
        const own = formatIpv4(address.address);
        if (!cidrsOverlap(range, network) || isOwnRange(scene, range) || told.has(own)) continue;
        const isBridge = isContainerLink(link.name);
        yield {
          code: 'network-overlaps-link',
          severity: isBridge ? 'warning' : 'error',
          path: link.name,
          message: isBridge
            ? `${link.name} has ${own}/${address.length}, which overlaps ${text} and is not this node’s subnet`
            : `${link.name} has ${own}/${address.length}, which overlaps ${text}: machines on that network would no longer be reached`,
          suggestion: isBridge
            ? 'Bootstrap gives docker0 another address; remove another bridge by hand.'
            : 'Take another network, or move the other one.',
        };
      }
    }
  }
  if (!routes.known) yield notChecked('the routes of the node', routes.why);
  else for (const route of routes.value) yield* routeOverlap(scene, network, route, ranges);
};

function isOwnRange({ ownSubnets }: NodeScene, range: Ipv4Cidr): boolean {
  return ownSubnets.some((subnet) => cidrContains(subnet, range));
}

function* dockerOverlap(scene: NodeScene, network: Ipv4Cidr, found: DockerNetwork): Iterable<Problem> {
  for (const { range } of found.subnets) {
    if (range.family !== 4 || !cidrsOverlap(range, network) || isOwnRange(scene, range)) continue;
    // The default bridge is the one that bootstrap moves.
    const isDefault = found.name === 'bridge';
    yield {
      code: 'network-overlaps-docker',
      severity: isDefault ? 'warning' : 'error',
      path: found.name,
      message: `Docker’s network ${found.name} is ${formatCidr(range)}, which overlaps ${formatCidr(network)} and is not this node’s subnet${
        isDefault
          ? ': bootstrap moves it to the subnet that flannel gives'
          : ': other nodes’ containers have these addresses'
      }`,
      suggestion: isDefault ? null : `docker network rm ${found.name}, and create it elsewhere`,
    };
  }
}

/** flanneld's own routes, and netctl's, are no overlap: by flannel's device, or a subnet by way of a node. */
function* routeOverlap(
  scene: NodeScene,
  network: Ipv4Cidr,
  { destination, nextHops, type, table }: Route,
  links: ReadonlySet<string>,
): Iterable<Problem> {
  if (destination.family !== 4 || destination.length === 0) return;
  const range = { base: destination.base, length: destination.length };
  if (!cidrsOverlap(range, network) || isOwnRange(scene, range)) return;
  const isOwn = nextHops.some(
    ({ device, gateway }) =>
      (device !== null && (isContainerLink(device) || links.has(`${formatCidr(range)} ${device}`))) ||
      (gateway !== null && scene.gateways.has(addressText(gateway))),
  );
  if (isOwn) return;
  const hop = nextHops[0];
  const by =
    hop === undefined
      ? type
      : [hop.gateway === null ? '' : `via ${addressText(hop.gateway)}`, hop.device === null ? '' : `dev ${hop.device}`]
          .filter((part) => part !== '')
          .join(' ');
  // A wider route loses only what the network takes out of it; one inside wins over flannel's own.
  const isWider = range.length < network.length;
  const isLeftOver =
    hop?.gateway != null &&
    range.length === scene.input.effective?.subnetLen &&
    ((scene.subnetEnv.known && scene.subnetEnv.value !== null) || scene.ownSubnets.length > 0);
  const gone = `${formatCidr(range)} ${by}`;
  yield {
    code: 'network-overlaps-route',
    severity: isWider || isLeftOver || table !== 'main' ? 'warning' : 'error',
    path: formatCidr(range),
    message: `there is a route to ${gone}${table === 'main' ? '' : ` (table ${table})`}, which overlaps ${formatCidr(network)}: ${
      isWider
        ? 'what lies in the network is no longer reached by it'
        : isLeftOver
          ? 'no lease and no node of the inventory is there, so a node that is gone has left it'
          : 'packets for containers would leave by it'
    }`,
    suggestion: isWider
      ? 'See that nothing beyond that route has addresses of the network; else take another network.'
      : isLeftOver
        ? `ip route del ${gone}`
        : 'Take another network, or remove the route.',
  };
}

export const overlapOfEtcd: FleetCheck = function* (_, input) {
  const network = input.effective?.network == null ? undefined : parseIpv4Cidr(input.effective.network);
  if (network === undefined) return;
  for (const endpoint of input.endpoints) {
    const text = endpointAddress(endpoint);
    const address = text === undefined ? undefined : parseIpv4(text);
    if (address === undefined || !cidrContains(network, address)) continue;
    yield {
      node: null,
      code: 'network-overlaps-etcd',
      severity: 'error',
      path: 'Network',
      message: `${text}, where etcd listens, lies in ${formatCidr(network)}: the way to it would lead into the overlay`,
      suggestion: 'Take a network that does not hold etcd.',
    };
  }
};

export const adjacency: NodeCheck = function* (scene) {
  const { backend, peers, choice, seen } = scene;
  if (backend === null) return;
  const cut: string[] = [];
  const behind: string[] = [];
  const aside: string[] = [];
  const unasked: string[] = [];
  for (const { name, publicIP } of peers) {
    const way = wayTo(seen, publicIP);
    if (!way.known) unasked.push(`${name}: ${way.why}`);
    else if (way.value === null) cut.push(`${name} (${publicIP})`);
    else if (way.value.isLocal) continue;
    else if (way.value.gateway !== null) behind.push(`${name} (${publicIP} via ${way.value.gateway})`);
    else if (choice.kind === 'chosen' && way.value.device !== choice.iface)
      aside.push(`${name} (${publicIP} by ${way.value.device})`);
  }
  if (unasked.length > 0) yield notChecked('the way to peers', someOf(unasked));
  if (cut.length > 0) {
    yield {
      code: 'peer-unreachable',
      severity: backend.type === 'host-gw' ? 'error' : 'warning',
      path: 'publicIP',
      message: `no route leads to ${someOf(cut)}`,
      suggestion: `ip route get ${peers.find(({ name }) => cut[0]?.startsWith(`${name} `))?.publicIP ?? ''}`,
    };
  }
  if (backend.type !== 'host-gw') return;
  if (behind.length > 0) {
    yield {
      code: 'peer-not-adjacent',
      severity: 'error',
      path: 'Backend.Type',
      message: `host-gw needs every node on the same segment, and a router lies before ${someOf(behind)}: the kernel takes no route through a gateway that is not on the link`,
      suggestion:
        'netctl init-network … --backend vxlan --backend-option DirectRouting=true (plain routes on a segment, a tunnel between segments)',
    };
  }
  if (aside.length > 0 && choice.kind === 'chosen') {
    yield {
      code: 'peer-by-other-interface',
      severity: 'error',
      path: choice.iface,
      message: `flanneld routes by ${choice.iface}, and another interface leads to ${someOf(aside)}`,
      suggestion: 'Name the interface by which the nodes reach each other: iface in netctl.yaml',
    };
  }
};

export const ports: NodeCheck = function* (scene) {
  const { answers, input, backend } = scene;
  const { ports: found, links } = answers;
  const { effective } = input;
  const healthz = input.inventory.flannel.healthzPort ?? inventoryDefaults.flannel.healthzPort;
  const wanted = [
    ...(effective === null ? [] : backendPorts(effective).map((port) => ({ protocol: 'udp' as const, port }))),
    ...(healthz === 0 ? [] : [{ protocol: 'tcp' as const, port: healthz }]),
  ];
  if (wanted.length === 0) return;
  const list = wanted.map(({ protocol, port }) => `${port}/${protocol}`).join(', ');
  if (!found.known) {
    yield notChecked(`the ports ${list}`, found.why);
    return;
  }
  const healthzIP = parseIpv4(input.inventory.flannel.healthzIP ?? inventoryDefaults.flannel.healthzIP) ?? 0;
  for (const { protocol, port } of wanted) {
    const isHealthz = protocol === 'tcp';
    const holders = found.value.filter((each) => {
      if (each.protocol !== protocol || each.port !== port) return false;
      return !isHealthz || each.address === null || healthzIP === 0 || each.address.address === healthzIP;
    });
    const others = holders.flatMap(({ programs }) =>
      programs.filter(({ name }) => !/^(?:flanneld|charon)$/.test(name)),
    );
    const nameless = holders.some(({ programs }: ListeningPort) => programs.length === 0);
    // The kernel's own sockets have no program: those of its tunnels.
    const isTunnel =
      !isHealthz &&
      links.known &&
      links.value.some(({ kind, vxlan }) =>
        backend?.type === 'vxlan' ? vxlan?.port === port : kind === backend?.type,
      );
    if (others.length > 0) {
      yield {
        code: 'port-taken',
        severity: 'error',
        path: `${port}/${protocol}`,
        message: `${port}/${protocol} is held by ${someOf([...new Set(others.map(({ name, pid }) => `${name} (pid ${pid})`))])}: flanneld ${
          isHealthz ? 'ends with a panic when its health check cannot listen' : `with ${backend?.type ?? ''} needs it`
        }`,
        suggestion: isHealthz
          ? 'flannel.healthzPort: another port'
          : 'Stop that program, or give the backend another port on all nodes: netctl init-network … --backend-option Port=…',
      };
    } else if (nameless && !isTunnel) {
      yield notChecked(`${port}/${protocol}`, 'it is in use, and the node does not tell by which program');
    }
  }
  if (backend?.type !== 'vxlan' || !links.known) return;
  const vni = vniOf(backend);
  const port = portOption(backend, 'Port', 8472);
  const rival = links.value.find(
    ({ name, vxlan }) => vxlan !== null && vxlan.vni === vni && vxlan.port === port && !name.startsWith('flannel'),
  );
  if (rival === undefined) return;
  yield {
    code: 'vxlan-taken',
    severity: 'error',
    path: rival.name,
    message: `${rival.name} is a VXLAN device with VNI ${vni} on port ${port} already: the kernel makes no second one`,
    suggestion: `netctl init-network … --backend-option VNI=${vni + 1} (all nodes at once)`,
  };
};

export const firewall: NodeCheck = function* (scene) {
  const { answers, input, choice, network } = scene;
  const { firewalls, iptablesNft, iptablesLegacy } = answers;
  const { effective } = input;
  if (effective === null) return;
  const wanted = backendPorts(effective);
  const ports = wanted.map((port) => `${port}/udp`);
  if (!firewalls.known) {
    yield notChecked('firewalld and ufw', firewalls.why);
    return;
  }
  const { firewalld, ufw } = firewalls.value;
  const net = network === null ? null : formatCidr(network);
  const rulesets = [iptablesNft, iptablesLegacy].flatMap((rules) =>
    rules.known && rules.value.state === 'read' ? [rules.value.ruleset] : [],
  );
  const closed = wanted.filter((port) => !rulesets.some((ruleset) => letsIn(ruleset, port)));

  if (firewalld !== null) {
    const iface = choice.kind === 'chosen' ? choice.iface : '';
    const zones = [...firewalld.activeZones];
    const zone = zones.find(([, { interfaces }]) => interfaces.includes(iface))?.[0];
    if (zone !== 'trusted' && ports.length > 0) {
      const option = zone === undefined ? '' : ` --zone=${zone}`;
      yield {
        code: 'firewall-port',
        severity: 'warning',
        path: 'firewalld',
        message: `firewalld runs, and ${iface || 'the interface'} is in ${zone === undefined ? 'its default zone' : `zone ${zone}`}: ${ports.join(', ')} must be open there between the nodes`,
        suggestion: `firewall-cmd --permanent${option} ${ports.map((port) => `--add-port=${port}`).join(' ')} && firewall-cmd --reload`,
      };
    }
    if (net !== null && !zones.some(([name, { sources }]) => name === 'trusted' && sources.includes(net))) {
      yield {
        code: 'firewall-forward',
        severity: 'warning',
        path: 'firewalld',
        message: `firewalld runs, and ${net} is not among its trusted sources: it may not pass on what containers of other nodes send`,
        suggestion: `firewall-cmd --permanent --zone=trusted --add-source=${net} && firewall-cmd --reload`,
      };
    }
  }
  if (ufw !== null && ufw.isEnabled === null)
    yield notChecked('ufw', 'its file does not say whether it is switched on');
  if (ufw?.isEnabled === true) {
    if (closed.length > 0) {
      yield {
        code: 'firewall-port',
        severity: 'warning',
        path: 'ufw',
        message: `ufw is on, and no rule lets ${closed.map((port) => `${port}/udp`).join(', ')} in: the other nodes’ packets are dropped`,
        suggestion: closed.map((port) => `ufw allow proto udp to any port ${port}`).join(' && '),
      };
    }
    // A policy of DROP comes after the accepts that flanneld (or netctl) appends; ufw's reject stands before them.
    if (
      net !== null &&
      ufw.forwardPolicy === 'REJECT' &&
      !rulesets.some((ruleset) => forwardsNetwork(ruleset, network))
    ) {
      yield {
        code: 'firewall-forward',
        severity: 'warning',
        path: 'ufw',
        message: `ufw is on and rejects what the node passes on (DEFAULT_FORWARD_POLICY REJECT), before flannel’s rules are asked: containers of other nodes get no answer`,
        suggestion: `ufw route allow from ${net} && ufw route allow to ${net}`,
      };
    }
    return;
  }
  if (firewalld !== null) return;
  const drops = rulesets.some((ruleset) => policyOf(ruleset, 'INPUT') === 'DROP');
  if (drops && closed.length > 0) {
    yield {
      code: 'firewall-port',
      severity: 'warning',
      path: 'INPUT',
      message: `the policy of INPUT is DROP, and no rule lets ${closed.map((port) => `${port}/udp`).join(', ')} in: the other nodes’ packets are dropped`,
      suggestion: closed.map((port) => `iptables -w 10 -A INPUT -p udp --dport ${port} -j ACCEPT`).join(' && '),
    };
  }
  if (closed.length > 0 && rulesets.length === 0 && !iptablesNft.known) {
    yield notChecked('the rules of INPUT', iptablesNft.why);
  }
};

function policyOf(ruleset: SavedRuleset, chain: string): string | null {
  return tableOf(ruleset, 'filter')?.chains.find(({ name }) => name === chain)?.policy ?? null;
}

/** Is there any accept for this UDP port? Who may come, and in what order rules stand, is not judged. */
function letsIn(ruleset: SavedRuleset, port: number): boolean {
  return (tableOf(ruleset, 'filter')?.rules ?? []).some((rule) => {
    if (/FORWARD|OUTPUT|DOCKER|FLANNEL/i.test(rule.chain)) return false;
    const { target, protocol, otherWords } = readRule(rule);
    if (target !== 'ACCEPT' || protocol?.value === 'tcp') return false;
    const at = otherWords.findIndex((word) => word === '--dport' || word === '--dports');
    if (at < 0 || otherWords[at - 1] === '!') return false;
    return (otherWords[at + 1] ?? '').split(',').some((part) => {
      const [first = Number.NaN, last = first] = part.split(':').map(Number);
      return port >= first && port <= last;
    });
  });
}

function forwardsNetwork(ruleset: SavedRuleset, network: Ipv4Cidr | null): boolean {
  return (tableOf(ruleset, 'filter')?.rules ?? []).some((rule) => {
    if (rule.chain !== 'ufw-user-forward') return false;
    const { target, source } = readRule(rule);
    return (
      target === 'ACCEPT' &&
      network !== null &&
      source?.value.family === 4 &&
      !source.isNegated &&
      cidrContains(source.value, network)
    );
  });
}
