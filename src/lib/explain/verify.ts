import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What `netctl verify` says. */
export const verifyTopics: readonly Topic[] = [
  {
    code: 'path-dead',
    title: 'Nothing gets from a container on one node to one on another and back',
    meaning:
      'Of TCP, UDP and ICMP, small and large, nothing was answered. The message says what came back instead: silence means that packets are dropped somewhere on the way there or back.',
    causes: [
      'A firewall drops what the overlay sends between the nodes: UDP port 8472 for vxlan, 8285 for udp.',
      'The way is missing on one of the two nodes: flanneld does not run there, or its route or neighbour entry is gone.',
      'A FORWARD policy of DROP, or a rule of Docker 28 and later that drops what does not enter by its own bridge.',
      'With host-gw: the nodes are not on one network segment, or the cloud drops packets with addresses that it does not know.',
    ],
    mend: [
      'netctl node status FROM TO looks at flanneld, the lease, the routes and the neighbours of both.',
      'On the receiving node: tcpdump -ni any host ADDRESS while netctl verify runs.',
    ],
    see: ['netctl node status', 'netctl fix-masquerade --check'],
  },
  {
    code: 'path-mtu',
    title: 'Small packets arrive, large ones do not',
    meaning:
      'An ICMP packet exactly as large as the MTU that containers get, which nobody may cut in pieces, was lost or refused, or TCP and UDP that need several packets were. People see it as connections that open and then hang.',
    causes: [
      "Docker's mtu is larger than that of the overlay: vxlan needs 50 bytes of each packet.",
      'A link between the nodes has a smaller MTU than the interfaces of the nodes say.',
      'A firewall drops fragments, or the ICMP messages by which a sender learns of a smaller MTU.',
    ],
    mend: [
      'netctl node status NODE compares the MTU of Docker with that of flannel.',
      '"mtu" in daemon.json must be FLANNEL_MTU of /run/flannel/subnet.env: netctl docker options --node NODE --style json. Containers keep theirs until they are made anew.',
    ],
    see: ['netctl node status', 'netctl docker options'],
  },
  {
    code: 'path-protocol',
    title: 'Some packets arrive and some do not, whatever their size',
    meaning:
      'A small packet of one protocol is lost where another protocol gets through, so the way is there and something on it chooses.',
    causes: [
      'A firewall lets ICMP through and not TCP or UDP.',
      'ICMP arrives and TCP and UDP do not: on some kernels the checksums of tunnelled packets are left to the network card, which gets them wrong.',
      'Packets are lost by chance: run it again.',
    ],
    mend: [
      'On both nodes: iptables-save -c, and look for rules with counters that rise while netctl verify runs.',
      'On the sending node: ethtool -K flannel.1 tx-checksum-ip-generic off, then netctl verify again.',
    ],
  },
  {
    code: 'path-masqueraded',
    title: "A container's own address does not arrive on another node",
    meaning:
      'The receiver saw another source address than the container has. Logs, firewalls and limits by address on the other side then see the node instead of the container.',
    causes: [
      "Docker's own rule: -A POSTROUTING -s SUBNET ! -o docker0 -j MASQUERADE. It also takes what goes to other nodes.",
      'The rule was mended by hand, and a restart of Docker has put its own above it.',
    ],
    mend: ['netctl fix-masquerade NODE'],
    see: ['netctl fix-masquerade'],
  },
  {
    code: 'packets-dropped',
    title: 'A rule of iptables dropped packets while netctl sent',
    meaning:
      'Where packets are lost, netctl compares the counters of all rules and policies that drop or reject, before and after. This one rose. It may have been the packet of somebody else.',
    causes: ['The rule, or the policy of the chain, stands in the way of containers.'],
    mend: [
      'If it is Docker 28 or later, or a policy of FORWARD: netctl fix-masquerade --check tells of it.',
      'Else let the overlay through before that rule: the tunnel between the nodes, the network of containers in FORWARD.',
    ],
    see: ['netctl fix-masquerade'],
  },
  {
    code: 'no-forwarding',
    title: 'A node passes no packets on',
    meaning: 'net.ipv4.ip_forward is 0 there, so packets of containers end at the node.',
    causes: ['Somebody or a sysctl file switched it off after Docker had started, which switches it on.'],
    mend: [
      'sysctl -w net.ipv4.ip_forward=1, and look for who sets it: sysctl --system, grep -r ip_forward /etc/sysctl*.',
    ],
  },
  {
    code: 'no-way-to-subnet',
    title: 'A node has no route to the containers of a peer',
    meaning: 'Its kernel would not know where to send such a packet: `ip route get` says so.',
    causes: [
      'flanneld does not run there, or has not heard of the lease of the peer.',
      'The route was deleted by hand.',
    ],
    mend: ['netctl node status NODE', 'Without flannel: netctl routes sync'],
    see: ['netctl node status', 'netctl routes sync'],
  },
  {
    code: 'way-leads-elsewhere',
    title: "A node's route to the containers of a peer leads elsewhere",
    meaning:
      'The packet would leave neither by a tunnel of flannel nor to the address of the peer: most often by the default route, to a machine that knows nothing of containers.',
    causes: [
      'The route is missing, and the default route takes its place.',
      'The peer has changed its address, or the public IP in the inventory is another than the one that flanneld uses.',
    ],
    mend: ['netctl node status NODE', 'Without flannel: netctl routes sync'],
    see: ['netctl node status', 'netctl routes sync'],
  },
  {
    code: 'one-node',
    title: 'One node alone makes no pair',
    exit: exitCodes.invalid,
    meaning: 'netctl verify lets nodes send to each other. With a single one there is nobody to send to.',
    causes: ['One name was given, or --limit leaves one node over.', 'The inventory has one node.'],
    mend: ['Name two nodes or more, or none for all.', 'To prove the way out of one node: --outside ADDRESS:PORT.'],
  },
  {
    code: 'outside-not-address',
    title: '--outside takes an IPv4 address',
    exit: exitCodes.invalid,
    meaning: 'It is sent to from every node as it stands, so it is an address and no name; a port may follow.',
    causes: ['A name was given, an IPv6 address, or a port that is none.'],
    mend: ['--outside 198.51.100.1', '--outside 198.51.100.1:443'],
  },
];
