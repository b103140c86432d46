import { exitCodes } from '../errors';
import type { Topic } from './topic';

const invalid = exitCodes.invalid;

/** Problems of `subnets check`, and errors about prefixes, queries and capacity. */
export const leaseTopics: readonly Topic[] = [
  {
    code: 'unparsable-key',
    title: 'A key among the leases that flanneld cannot read',
    meaning:
      'flanneld reads every key that begins with PREFIX/subnets as a lease. One that does not end in a subnet such as 10.5.1.0-24 is a hazard for the whole fleet: since v0.21.3 each flanneld that sees it written or deleted drops its routes to all other nodes; up to v0.13 it goes blind until it restarts.',
    causes: ['A backup, a lock or a note was put below the leases or beside them.', 'A key was typed by hand.'],
    mend: [
      'Do not delete it in passing: its deletion is the same event once more. Choose a quiet hour, delete it, then restart flanneld on all nodes.',
      'Keep such keys outside PREFIX/. netctl keeps its own in PREFIX-netctl/.',
    ],
    see: ['foreign-lease', 'foreign-key', 'unparsable-value'],
  },
  {
    code: 'unparsable-value',
    title: 'A lease whose value flanneld cannot read',
    meaning:
      'The value is not the JSON of a lease. flanneld takes the subnet for free and gives it to another node, where it does not do worse (see unparsable-key). When the node that has it restarts on etcd v3 it may end with "subnet already exists", because the key is still there.',
    causes: ['The value was written by hand.', 'A script wrote something else to the key.'],
    mend: [
      'netctl subnets mend SUBNET puts the right value back, and with flannel v0.21.3 or later writes all leases again, so that the routes come back.',
      'Do not delete the key while its node lives: flanneld there ends with it. When the node is gone, a key that is a subnet is safe to delete.',
    ],
    see: ['value-is-key', 'unparsable-key'],
  },
  {
    code: 'value-is-key',
    title: 'A lease whose value is the text of its key',
    meaning:
      "The command that flannel's documentation gives for reservations, etcdctl put KEY $(etcdctl get KEY), stores the key as the value: etcdctl get prints both. What follows is that of unparsable-value.",
    causes: ['Somebody made a reservation as documented.'],
    mend: [
      'netctl subnets mend SUBNET puts back what the key held before.',
      'To reserve a subnet: netctl subnets reserve SUBNET --node NAME.',
      'Use etcdctl get --print-value-only in scripts, and know that etcd v3 has no reservations (reservation-will-not-hold).',
    ],
    see: ['unparsable-value', 'reservation-will-not-hold'],
  },
  {
    code: 'ipv6-public-ip',
    title: 'An IPv6 address in the IPv4 field of a lease',
    meaning:
      'PublicIP holds an IPv4 address; IPv6 has PublicIPv6. Up to v0.28.8 an IPv6 address there crashes every flanneld that sees the lease (exit code 2), and again at each start until the value is gone.',
    causes: ['The lease was written by hand or by a tool.'],
    mend: ['netctl subnets mend SUBNET, or delete the key when the node is gone. Then start flanneld on all nodes.'],
    see: ['unparsable-value'],
  },
  {
    code: 'foreign-lease',
    title: 'A key outside PREFIX/subnets/ that flanneld takes for a lease',
    meaning:
      'On etcd v3 flanneld lists PREFIX/subnets without a slash at the end. PREFIX/subnets-old/10.5.1.0-24 and PREFIX/subnets/old/10.5.1.0-24 are leases to it: their ranges are given to nobody, and nodes of the same backend send packets there.',
    causes: ['A backup of the leases was put beside them.'],
    mend: [
      'Copy what you need to a place outside PREFIX/ and delete the keys.',
      'flanneld knows leases by their subnet: when a node has the same subnet by its proper key, all nodes drop their route to it with the deletion. Restart flanneld on that node afterwards.',
    ],
    see: ['unparsable-key', 'foreign-key'],
  },
  {
    code: 'foreign-key',
    title: "A key below the prefix that is not flannel's",
    meaning: 'flanneld reads PREFIX/config and the leases. Any other key below the prefix does nothing.',
    causes: ['A misspelt key such as PREFIX/configs.', 'A note or a backup of the config.'],
    mend: [
      'Look at it; when it was meant as the config, set the config with netctl init-network. Delete what nobody needs.',
    ],
    see: ['foreign-lease'],
  },
  {
    code: 'unaligned-subnet',
    title: 'A lease whose address is not the beginning of a subnet',
    meaning:
      'flanneld keeps the address as it stands in the key, and the kernel refuses the route to it (invalid argument).',
    causes: ['The key was written by hand.', 'A SubnetMin off the boundary with flannel v0.9 or older.'],
    mend: [
      'Correct SubnetMin if it is off (netctl network validate --live), delete the key, restart flanneld on its node.',
    ],
  },
  {
    code: 'odd-key',
    title: 'A lease under a key that flanneld would write otherwise',
    meaning:
      'flanneld reads the subnet out of the key and renews the key that it would have made of it. This one is never renewed and stays beside the other.',
    causes: ['The key was written by hand, for example with a length of 024 or text in front of the address.'],
    mend: ['Delete it. When it stands for a node that has not started yet, write it anew in the form 10.5.1.0-24.'],
    see: ['lease-overlap', 'duplicate-public-ip'],
  },
  {
    code: 'lease-overlap',
    title: 'Two leases with a common range',
    meaning:
      'etcd keeps keys apart, not ranges: the same range under another length, or with and without IPv6, is another key. Nodes send packets for the common addresses to one of the two.',
    causes: [
      'SubnetLen was changed while leases of the old length were there.',
      'A lease was written by hand.',
      'A copy of a lease beside the leases.',
    ],
    mend: [
      'Find out which node uses the range (subnet.env and docker0 there), let the other take a new subnet, delete its lease.',
    ],
    see: ['lease-wrong-length', 'foreign-lease'],
  },
  {
    code: 'duplicate-public-ip',
    title: 'Several leases with one public IP',
    meaning:
      'The public IP is the identity of a node: at its start flanneld takes the first lease that has it. Two nodes with one address fight over one subnet; one node with two leases wastes one.',
    causes: [
      'Machines that all have 10.0.2.15 on their first interface (Vagrant).',
      'A NAT address given to several nodes by --public-ip.',
      'A node that took a new subnet while its old lease runs on.',
    ],
    mend: ['Give each node its own address with --iface or --public-ip.', 'Delete the lease that no subnet.env names.'],
    see: ['bad-public-ip'],
  },
  {
    code: 'duplicate-vtep-mac',
    title: 'Several leases with one VTEP MAC address',
    meaning: 'VXLAN finds the node of a subnet by this address. Packets for all of them go to one node.',
    causes: ['Machines cloned with their flannel device or machine-id.', 'udev gave the device a persistent address.'],
    mend: [
      'On all but one of the nodes delete the device flannel.VNI and restart flanneld.',
      'Keep udev away from it: MACAddressPolicy=none in a .link file.',
    ],
  },
  {
    code: 'bad-public-ip',
    title: 'A public IP that other nodes cannot send to',
    meaning: 'Tunnels and routes of all other nodes point to this address, which leads nowhere or to themselves.',
    causes: [
      'flanneld took the first interface with a default route, and that was the wrong one.',
      'An address inside the container network itself.',
      'A lease without PublicIP.',
    ],
    mend: [
      'Start flanneld on that node with --iface=ADDRESS or --iface-can-reach=PEER; the bogus lease then runs out or is deleted.',
    ],
    see: ['duplicate-public-ip'],
  },
  {
    code: 'ipv6-only-lease',
    title: 'A lease without an IPv4 range',
    meaning:
      'With EnableIPv4 false all nodes have the public IP 0.0.0.0 in etcd, find one lease by it and share its subnet. Nodes with IPv4 find every subnet taken by it.',
    causes: ['The network was configured for IPv6 alone, which flannel supports in Kubernetes only.'],
    mend: ['Configure both families, stop all flannelds, delete the lease, start them.'],
  },
  {
    code: 'lease-outside-network',
    title: 'A lease outside the Network of the config',
    meaning:
      'Its node still runs with an older config. At its next restart it deletes the lease and takes a subnet of the new network.',
    causes: ['The network was changed and the node has not restarted since.', 'Another cluster uses the same prefix.'],
    mend: ['Restart flanneld there in an outage of its containers, then Docker with its new options.'],
    see: ['lease-out-of-range', 'unknown-owner'],
  },
  {
    code: 'lease-out-of-range',
    title: 'A lease outside SubnetMin to SubnetMax',
    meaning:
      'The node keeps it while it runs and renews it. At its next restart it deletes it and takes another subnet.',
    causes: ['SubnetMin or SubnetMax was changed.', 'The lease was made by hand.'],
    mend: ['Widen SubnetMin..SubnetMax again, or restart the node in an outage of its containers.'],
  },
  {
    code: 'lease-wrong-length',
    title: 'A lease whose length is not the SubnetLen of the config',
    meaning: 'The node keeps it while it runs. At its next restart it deletes it and takes a subnet of the new length.',
    causes: ['SubnetLen was changed.', 'The lease was made by hand.'],
    mend: ['Restart flanneld on its node in an outage of its containers, then Docker with its new options.'],
    see: ['lease-overlap'],
  },
  {
    code: 'pre-assigned',
    title: 'A lease that names no backend',
    meaning:
      'Either it was made beforehand: when the node with this public IP starts, it takes this subnet. Or its node runs a backend that publishes nothing, such as udp, though the config names another.',
    causes: [
      'An administrator chose the subnet of a node.',
      'A node has not restarted since the backend was changed from udp.',
    ],
    mend: ['Start or restart flanneld on that node.'],
    see: ['other-backend', 'reservation-will-not-hold'],
  },
  {
    code: 'other-backend',
    title: 'A lease of another backend than that of the config',
    meaning: 'Nodes ignore leases of other backends: between the two there is no traffic.',
    causes: ['The backend was changed and the node has not restarted since.', 'The node reads another config.'],
    mend: ['Restart flanneld on it. A change of the backend needs all nodes at once.'],
  },
  {
    code: 'other-vni',
    title: 'A lease with another VNI than that of the config',
    meaning: 'The VXLAN network id separates networks: nodes with different ones do not reach each other.',
    causes: ['VNI was changed and the node has not restarted since.'],
    mend: ['Restart flanneld on it, and delete the device with the old number.'],
  },
  {
    code: 'ipv4-lease-in-dual-stack',
    title: 'A lease without IPv6 in a dual-stack network',
    meaning:
      'A flanneld with a dual-stack config that must find a free subnet crashes over any lease without one (exit code 2), again and again.',
    causes: ['IPv6 was added to a network with leases.'],
    mend: ['Stop flanneld everywhere, delete all leases, start it. There is no rolling way.'],
    see: ['dual-stack-lease-in-ipv4'],
  },
  {
    code: 'dual-stack-lease-in-ipv4',
    title: 'A lease with IPv6 in an IPv4 network',
    meaning: 'Running IPv4 nodes with vxlan, host-gw or wireguard crash when they see it.',
    causes: ['IPv6 was taken out of the config, or added while some nodes were not restarted.'],
    mend: ['Stop flanneld everywhere, delete all leases, start it.'],
    see: ['ipv4-lease-in-dual-stack'],
  },
  {
    code: 'bad-backend-data',
    title: 'BackendData that other nodes cannot use',
    meaning:
      'Without the VTEP MAC (vxlan) or the public key (wireguard) other nodes cannot reach this one and skip it.',
    causes: ['The value was edited by hand and lost fields.', 'A VNI above 65535 while releases up to v0.23.0 run.'],
    mend: ['Restart flanneld on its node; it publishes its data anew.'],
    see: ['vni-over-16-bit'],
  },
  {
    code: 'vni-over-16-bit',
    title: 'A VNI that older releases cannot read',
    meaning: 'flanneld v0.14.0 to v0.23.0 reads VNI as a number of 16 bits. It logs an error and skips the node.',
    causes: ['A VNI above 65535 in the config, and a node with v0.24.0 or later.'],
    mend: ['Keep the VNI at 65535 or below until all nodes run v0.24.0 or later.'],
  },
  {
    code: 'ttl-too-long',
    title: 'A lease that lives longer than flanneld asks for',
    meaning: 'flanneld asks for 24 hours. A longer life means that something else wrote the key.',
    causes: ['A script that keeps leases alive.', 'A lease written by hand.'],
    mend: ["Find out who writes it. The node's next renewal makes it 24 hours again."],
  },
  {
    code: 'renewal-overdue',
    title: 'A lease that should have been renewed by now',
    meaning:
      'flanneld renews 60 minutes before the end (--subnet-lease-renew-margin) and tries again each minute. When the lease ends, all other nodes remove their routes to the node, and its flanneld, if it lives, stops with exit code 0.',
    causes: [
      'flanneld or its node is down.',
      'It does not reach etcd, or its certificate has expired.',
      'A node that was taken out of service.',
    ],
    mend: [
      'On that node: systemctl status flanneld, and its log.',
      'Units need Restart=always: systemd takes the exit code 0 for a success.',
      'Of a node that is gone let it run out.',
    ],
  },
  {
    code: 'reservation',
    title: 'A reservation: a lease without a TTL on etcd v2',
    meaning: 'flanneld up to v0.17.0 leaves a key without a TTL as it is, so the node keeps its subnet for good.',
    causes: ['An administrator reserved it.'],
    mend: ['Before a move to v0.18.0 or later know that it does not hold there (reservation-will-not-hold).'],
  },
  {
    code: 'reservation-will-not-hold',
    title: 'A lease without a TTL on etcd v3',
    meaning:
      'flanneld since v0.18.0 does not recognise reservations: a running owner turns the key into a lease of 24 hours within a second, a starting one at once. Until then the key holds the range for it.',
    causes: [
      "The key was made as flannel's documentation on reservations says.",
      'etcdctl put without --lease.',
      'The node is down.',
    ],
    mend: [
      'Use it as a pre-assignment: the node takes this subnet when it starts.',
      'netctl subnets reserve SUBNET --node NAME keeps it for the node outside of the leases, and makes the lease again when it is lost.',
    ],
    see: ['pre-assigned', 'node-other-subnet'],
  },
  {
    code: 'shared-etcd-lease',
    title: 'Several subnets on one etcd lease',
    meaning:
      'flanneld asks for an etcd lease for each subnet. Those that share one end together, and a revoke deletes all of them.',
    causes: ['A tool wrote several keys with one lease.'],
    mend: ["Do not revoke it. Each node's next renewal gives its subnet an etcd lease of its own."],
  },
  {
    code: 'orphan-etcd-leases',
    title: 'etcd leases without keys',
    meaning:
      'flanneld asks for a new etcd lease at each start and renewal and leaves the old one to run out, without a key, for up to 24 hours. Another network in the same etcd leaves its own here too.',
    causes: ['Normal after restarts. Very many of them mean that a flanneld restarts in a loop.'],
    mend: ['Nothing to do, unless their number grows: then look for the node that restarts.'],
  },
  {
    code: 'range-wraps',
    title: 'A network at the end of the address space',
    meaning:
      'When the network ends at 255.255.255.255 and fewer than 100 subnets are free, flanneld counts on at 0.0.0.0 and hands out ranges outside the network.',
    causes: ['Such a network.'],
    mend: ['Choose a network in private address space.'],
  },
  {
    code: 'capacity-low',
    title: 'At least 80 % of the subnets are in use',
    meaning: 'Leases of nodes that are gone live for up to 24 hours. A wave of replaced nodes can use up the rest.',
    causes: ['The network has grown.', 'Nodes are replaced often.'],
    mend: [
      'Widen SubnetMin..SubnetMax if the network has room: netctl network show.',
      'Plan a larger one: netctl network plan --nodes N --containers M.',
    ],
    see: ['capacity-exhausted'],
  },
  {
    code: 'capacity-exhausted',
    title: 'No subnet is free',
    meaning: 'flanneld of a new node ends with "out of subnets". Nodes that have a lease keep it.',
    causes: [
      'All subnets have leases, some perhaps of nodes that are gone.',
      'SubnetMin lies above SubnetMax.',
      'Leases of another length block several subnets each.',
    ],
    mend: [
      'Delete leases of nodes that are surely gone.',
      'Widen SubnetMin..SubnetMax; flanneld reads it at its next start.',
    ],
    see: ['capacity-low', 'renewal-overdue', 'unknown-owner'],
  },
  {
    code: 'unknown-owner',
    title: 'A lease that no node of the inventory owns',
    meaning: 'No node in netctl.yaml has its public IP.',
    causes: [
      'The node is gone and its lease runs on.',
      'The node is missing in the inventory, or its publicIP there is wrong.',
      'Another cluster uses the same prefix.',
    ],
    mend: ['Complete the inventory, or wait for the end of the lease.', 'Give each cluster a prefix of its own.'],
  },
  {
    code: 'node-without-lease',
    title: 'A node of the inventory without a lease',
    meaning: 'No lease has the public IP of this node: containers on it are on no network.',
    causes: [
      'flanneld does not run there, or waits for the config.',
      'It uses another prefix, or the other etcd API (v2 up to v0.17.0, v3 since).',
      'It has another public IP than the inventory says.',
    ],
    mend: [
      'On that node: systemctl status flanneld, and its log.',
      'Compare publicIP in netctl.yaml with its --iface and --public-ip.',
    ],
  },
  {
    code: 'node-other-subnet',
    title: 'A node with another subnet than the inventory wants',
    meaning: 'The inventory names a subnet for the node, and its lease is another one.',
    causes: ['The node lost its lease and took a free subnet.', 'The inventory is out of date.'],
    mend: [
      'Correct the inventory, or move the node: stop flanneld, delete its lease and subnet.env, make the wanted lease, start flanneld, then Docker.',
    ],
  },
  {
    code: 'bad-prefix',
    title: 'An etcd prefix that cannot hold a network',
    exit: invalid,
    meaning:
      'netctl keeps its own keys in PREFIX-netctl/. A part of a prefix must therefore not end in -netctl, nor begin with "subnets", since flanneld of a network above it would take its keys for leases. flanneld compiles the prefix as a regular expression and crashes when it is none.',
    causes: ['A prefix such as /net/subnets, /net-netctl or /net(.'],
    mend: ['Choose another, such as /coreos.com/network.'],
  },
  {
    code: 'bad-capacity-wish',
    title: 'A number that a capacity plan cannot use',
    exit: invalid,
    meaning: 'Nodes and containers are whole numbers from 1, growth and churn numbers from 0.',
    causes: ['A misspelt number.'],
    mend: ['netctl network plan --nodes 200 --containers 100'],
  },
  {
    code: 'not-private-space',
    title: 'A range outside private address space',
    exit: invalid,
    meaning: 'Addresses of containers must not belong to anybody else: hosts with them become unreachable.',
    causes: ['--within names a public or reserved range.'],
    mend: ['Choose a part of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10.'],
  },
  {
    code: 'capacity-impossible',
    title: 'No network is large enough',
    exit: invalid,
    meaning: 'The subnets that were asked for do not fit into what is free of the address space.',
    causes: ['Many nodes with many containers each.', 'Too much is to be avoided.'],
    mend: ['Take what the message names as the nearest possible, or split the fleet into two networks.'],
  },
  {
    code: 'bad-subnet-query',
    title: 'A text that names no subnet, address or node',
    exit: invalid,
    meaning:
      'A subnet is found by itself (10.5.1.0/24), by any address in it, by the public IP or the name of its node.',
    causes: ['A misspelt name of a node.', 'The inventory that knows the name was not found.'],
    mend: ['netctl subnets ls shows what there is.'],
  },
  {
    code: 'bad-filter',
    title: 'A filter that cannot be read',
    exit: invalid,
    meaning: 'A filter is FIELD=VALUE, FIELD!=VALUE, FIELD or !FIELD; a comma means and.',
    causes: ['A misspelt field.', 'A shell that took * or < for itself: put the filter in quotes.'],
    mend: ["netctl subnets ls --filter 'backend=vxlan,expires<1h'"],
  },
  {
    code: 'bad-sort',
    title: 'A column that cannot be sorted by',
    exit: invalid,
    meaning: 'Columns to sort by are subnet, public-ip, node, backend and expires; - in front turns the order around.',
    causes: ['A misspelt column.'],
    mend: ['netctl subnets ls --sort -expires'],
  },
];
