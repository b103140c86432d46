import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What `netctl routes` says: routing between nodes without flannel. */
export const routesTopics: readonly Topic[] = [
  {
    code: 'no-subnets',
    title: 'No node of the inventory has a subnet',
    exit: exitCodes.invalid,
    meaning:
      'Without flannel nobody gives nodes their subnets: each node of the inventory that runs containers names its own, and the others get a route to it.',
    causes: ['The inventory was written for flannel, which gives subnets itself.'],
    mend: ['nodes: - { name: node1, address: 192.168.21.136, subnet: 172.17.1.0/24 }'],
    see: ['netctl routes sync'],
  },
  {
    code: 'no-gateway',
    title: 'A node has a subnet and no address to route it by',
    exit: exitCodes.invalid,
    meaning: 'A route needs the IPv4 address of the node that has the subnet; a name is not enough.',
    causes: ['The address of the node is a name, or one that other machines cannot reach.'],
    mend: ['Give the node a publicIP in the inventory.'],
  },
  {
    code: 'subnet-holds-gateway',
    title: 'A subnet for containers holds the address of a node',
    exit: exitCodes.invalid,
    meaning: 'With docker0 in that range, or a route to it, the node could not be reached any more.',
    causes: ['The range of the machines was given to containers.'],
    mend: ['Choose a subnet that no machine lies in.'],
  },
  {
    code: 'node-has-flannel',
    title: 'A node of flannel cannot be routed by hand as well',
    exit: exitCodes.refused,
    meaning:
      'flanneld takes away routes that it did not make, and docker0 follows its lease. Two who care for the same routes undo each other.',
    causes: [
      'flanneld runs or is enabled there.',
      'The node holds a lease in etcd.',
      'The files of node bootstrap are still there.',
    ],
    mend: ['Take the node out of flannel first: netctl node reset NODE.'],
    see: ['netctl node reset'],
  },
  {
    code: 'gateway-not-on-link',
    title: 'Another node is not on the same segment',
    exit: exitCodes.refused,
    meaning:
      'A static route hands packets to the next machine on the link. A router between two nodes knows nothing of the subnets of containers and would drop the packets or send them elsewhere.',
    causes: ['The nodes are on different segments.', 'The address in the inventory is that of a NAT.'],
    mend: [
      'Use flannel with the backend vxlan, which tunnels: netctl init-network.',
      'Give each node the publicIP of the common segment.',
    ],
  },
  {
    code: 'routes-unknown',
    title: 'The routes of a node could not be found out',
    exit: exitCodes.refused,
    meaning: 'Nothing is planned for a node whose routes are not known.',
    causes: ['The program ip (iproute2) is missing or did not answer.'],
    mend: ['On the node: ip route show table all.'],
  },
  {
    code: 'rules-unknown',
    title: 'The rules of FORWARD could not be found out',
    meaning:
      'Whether packets for containers pass is not known. The service adds its two rules at every start, so they are probably there.',
    causes: ['iptables-save is missing, or the user is not root.'],
    mend: ['On the node: iptables -S FORWARD.'],
  },
  {
    code: 'route-extra',
    title: 'A route within the subnets of the nodes that nobody expects',
    meaning:
      'It takes packets that are for containers, or will once a node has that subnet. netctl takes away only routes that it made itself.',
    causes: ['Somebody added it by hand.', 'A node left the inventory, and its route was made by hand.'],
    mend: ['ip route delete SUBNET, when nobody needs it.'],
    see: ['netctl routes ls'],
  },
  {
    code: 'subnet-in-use',
    title: 'The node itself is in the range that its docker0 should have',
    exit: exitCodes.refused,
    meaning:
      'Another link of the node has addresses in it. Docker would not start, or containers would not be reached.',
    causes: ['A network of Docker, a bridge or a cable has that range.'],
    mend: ['Give the node another subnet in the inventory.'],
  },
  {
    code: 'docker-drops-routed',
    title: 'Docker 28 and later drops packets that reach containers by a route',
    meaning:
      'From 28.0 on Docker drops what does not come in by the bridge of a container, before FORWARD is asked. With the nftables backend of Docker 29 an accept in FORWARD does not count either.',
    causes: ['Docker closes direct access to containers by default.'],
    mend: [
      '28.2 and later: "allow-direct-routing": true in daemon.json, and an accept in DOCKER-USER.',
      'Or publish the ports that are needed.',
    ],
  },
];
