import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What `netctl node status`, the last look of bootstrap, and `netctl certs check` find on a node. */
export const nodeTopics: readonly Topic[] = [
  {
    code: 'flanneld-absent',
    title: 'A node has no flanneld',
    meaning:
      'Neither systemd nor supervisord knows a flanneld, and none runs. Containers on this node are on no flannel network.',
    causes: ['The node was not bootstrapped yet.', 'flannel was removed.'],
    mend: ['netctl node bootstrap NODE'],
  },
  {
    code: 'flanneld-not-running',
    title: 'flanneld does not run on a node',
    meaning:
      'Its routes stay, so traffic may go on for a while: but the lease is no longer renewed (it lasts a day), and the node does not follow when other nodes come, go or get another subnet.',
    causes: [
      'It cannot reach etcd, or its certificate has expired: then it tries for ever, and systemd says activating.',
      'It ended because the config is not to its liking, or because its lease was revoked.',
      'Somebody stopped it.',
    ],
    mend: [
      'On the node: systemctl status flanneld, journalctl -u flanneld -n 50.',
      'netctl certs check NODE tells of its certificates.',
      'netctl node bootstrap NODE puts everything right that it knows how to.',
    ],
    see: ['renewal-overdue', 'certificate-expired'],
  },
  {
    code: 'flanneld-without-service',
    title: 'flanneld runs without a service',
    meaning: 'A person or a script started it. When it ends, or the node boots, nobody starts it again.',
    causes: [
      'flanneld was tried out from a shell and left running.',
      'Another service manager than systemd or supervisord.',
    ],
    mend: ['netctl node bootstrap NODE --adopt makes a service of it.'],
  },
  {
    code: 'flanneld-not-enabled',
    title: 'flanneld is not started at boot',
    meaning: 'The unit runs now, but systemd would not start it after a reboot.',
    causes: ['systemctl start without systemctl enable.'],
    mend: ['On the node: systemctl enable flanneld.service'],
  },
  {
    code: 'subnet-file-elsewhere',
    title: 'flanneld writes its subnet file to another place than netctl looks at',
    meaning:
      'Whether subnet.env equals the lease is then not known, and Docker may read one that nobody writes any more.',
    causes: ['--subnet-file was set by hand on the node.', 'netctl.yaml lacks flannel.subnetFile.'],
    mend: ['Write flannel: subnetFile: PATH in netctl.yaml, or take the flag away on the node.'],
  },
  {
    code: 'flanneld-replaced',
    title: 'flanneld still runs with a program that was replaced',
    meaning: 'The file was changed after flanneld started, so the release that runs is not the one on disk.',
    causes: ['An update without a restart.', 'A bootstrap that was cut off between the two.'],
    mend: ['netctl node bootstrap NODE, or restart flanneld. Traffic goes on meanwhile.'],
  },
  {
    code: 'flannel-other-release',
    title: 'A node has another flannel than the inventory names',
    meaning: 'Releases before v0.18.0 read etcd v2 and later ones v3: a fleet must not straddle that step for long.',
    causes: [
      'The node was left out of an update.',
      'flannel.version in netctl.yaml was changed and not carried out yet.',
    ],
    mend: ['netctl node bootstrap NODE', 'Or write the release that is meant: flannel: version: v0.28.9'],
  },
  {
    code: 'lease-under-other-ip',
    title: 'A node holds its lease under another address than the inventory says',
    meaning:
      'Peers send to the public IP of the lease. When it is an address behind NAT, such as 10.0.2.15 of every Vagrant box, nothing arrives, and several nodes fight for one lease.',
    causes: [
      'flanneld took the interface of the default route: --iface or --public-ip is missing.',
      'publicIP or address in netctl.yaml is not the one that is meant.',
    ],
    mend: ['Correct publicIP or iface of the node in netctl.yaml, then: netctl node bootstrap NODE'],
    see: ['duplicate-public-ip'],
  },
  {
    code: 'subnet-env-not-lease',
    title: 'The subnet file tells of another subnet than the lease',
    meaning:
      'Docker takes its addresses from subnet.env, and the other nodes send by the lease: packets to these containers go astray.',
    causes: [
      'The lease was changed in etcd while flanneld did not run.',
      'flanneld did not start since, and the file is of its last run.',
    ],
    mend: ['Restart flanneld, then Docker.', 'netctl node bootstrap NODE does both where it is needed.'],
  },
  {
    code: 'subnet-env-other-network',
    title: 'The subnet file tells of another network than the config',
    meaning: 'flanneld reads the config at its start only: this one still works with the older one.',
    causes: ['The network was changed with netctl init-network or by hand, and flanneld was not restarted.'],
    mend: ['Restart flanneld on all nodes, then Docker where the subnet is another.'],
  },
  {
    code: 'docker-down',
    title: 'Docker does not run on a node',
    meaning: 'There is a client, and no daemon answers it. The node’s network may be right all the same.',
    causes: ['It was stopped.', 'It does not start: daemon.json, an option given twice, or an address that is taken.'],
    mend: ['On the node: systemctl status docker, journalctl -u docker -n 50.'],
  },
  {
    code: 'docker-bridge-missing',
    title: 'Docker runs without its bridge',
    meaning: 'The link was deleted, or Docker was told to make none. Containers of the default network cannot start.',
    causes: ['ip link del docker0 without a restart of Docker.', '"bridge": "none" in daemon.json.'],
    mend: ['On the node: systemctl restart docker'],
  },
  {
    code: 'docker-bridge-address',
    title: 'Docker’s bridge has another address than flannel’s subnet',
    meaning:
      'Containers on this node get addresses that no other node sends here. Usually it is 172.17.0.1: Docker was never told of flannel.',
    causes: [
      'Docker was not restarted after flannel got its subnet.',
      'Docker started before flanneld at boot, without its options.',
      'flannel got another subnet since.',
    ],
    mend: ['netctl node bootstrap NODE', 'netctl docker options --node NODE shows what Docker should be told.'],
  },
  {
    code: 'mtu-smaller-than-overlay',
    title: 'Docker’s MTU is smaller than the overlay carries',
    meaning: 'Everything works; each packet carries less than it could.',
    causes: ['An MTU that was set by hand for another backend or another cable.'],
    mend: ['Give Docker the FLANNEL_MTU of subnet.env; netctl node bootstrap does so.'],
    see: ['mtu-larger-than-overlay'],
  },
  {
    code: 'tunnel-device-missing',
    title: 'The device of the tunnel is not there',
    meaning:
      'flanneld makes it at its start (flannel.1, flannel.ipip, flannel-wg). Without it no packet leaves for other nodes.',
    causes: [
      'Somebody deleted it, or NetworkManager did. Before v0.27.4 flanneld does not notice.',
      'flanneld has not started, or the kernel lacks the module.',
    ],
    mend: ['On the node: systemctl restart flanneld, then ip -d link show.'],
  },
  {
    code: 'peer-route-missing',
    title: 'A node has no route to a peer',
    meaning: 'The peer holds a lease, and this node’s kernel does not know where its subnet is.',
    causes: [
      'flanneld does not run here, or started a moment ago.',
      'Something cleared the routes: a network restart, or another tool. With vxlan flanneld does not put them back.',
      'The peer’s lease has no data that this backend needs.',
    ],
    mend: [
      'On the node: systemctl restart flanneld, and read its log.',
      'netctl subnets check tells of leases that peers cannot use.',
    ],
  },
  {
    code: 'peer-route-wrong',
    title: 'A node’s route to a peer leads elsewhere',
    meaning: 'There is a route to the peer’s subnet, but not through the peer’s public IP or the tunnel.',
    causes: [
      'A static route of the time before flannel.',
      'A route of an earlier backend or of an earlier owner of the subnet.',
      'The link of the route has no carrier.',
    ],
    mend: ['On the node: ip route show SUBNET; delete the one that is wrong and restart flanneld.'],
  },
  {
    code: 'peer-arp-wrong',
    title: 'The ARP entry of a peer on the VXLAN device is missing or wrong',
    meaning:
      'flanneld writes for each peer which MAC its base address has. Without it the kernel does not know whom to send to.',
    causes: [
      'The peer made its device anew and has another MAC; this flanneld has not heard of it.',
      'ip neigh flush, or the device was made anew under flanneld.',
    ],
    mend: ['On the node: systemctl restart flanneld'],
    see: ['peer-fdb-wrong'],
  },
  {
    code: 'peer-fdb-wrong',
    title: 'The forwarding entry of a peer on the VXLAN device is missing or wrong',
    meaning:
      'flanneld writes for each peer behind which public IP its MAC is. Without it the packet has no outer address.',
    causes: ['The peer has another public IP or MAC than this flanneld knows.', 'Something flushed the entries.'],
    mend: ['On the node: systemctl restart flanneld'],
    see: ['peer-arp-wrong'],
  },
  {
    code: 'peer-not-reached',
    title: 'A peer does not answer over the overlay',
    meaning:
      'From Docker’s bridge on this node the bridge address of the peer was pinged, twice, and nothing came back. When routes are right, the way or the peer is at fault.',
    causes: [
      'The peer is off; its lease lasts up to a day longer.',
      'Docker on the peer has another subnet, so nobody has that address.',
      'A firewall between the nodes: vxlan needs UDP 8472.',
      'The chain FORWARD of the peer drops, or it masks pings.',
    ],
    mend: ['netctl node status PEER', 'On the peer: tcpdump -ni any icmp or udp port 8472, while the ping runs.'],
  },
  {
    code: 'certificate-unknown',
    title: 'A certificate on a node could not be read',
    meaning: 'Whether it is good, and how long, is not known. Certificates lie in a folder that root alone may enter.',
    causes: ['The account that netctl uses is not root and has no sudo.'],
    mend: ['Set ssh.user: root, or ssh.sudo: nopasswd or password, in netctl.yaml.'],
  },
  {
    code: 'certificate-missing',
    title: 'A certificate is not on a node where flanneld looks for it',
    meaning: 'netctl would push one there. Without it flanneld does not get into etcd.',
    causes: [
      'The node was not bootstrapped yet.',
      'flannel.etcd.certDir or flannel.installDir in netctl.yaml was changed.',
    ],
    mend: ['netctl node bootstrap NODE'],
  },
  {
    code: 'certificate-not-pushed',
    title: 'A node has another certificate than netctl would push',
    meaning: 'That may be meant: each node may have one of its own. A bootstrap would replace it.',
    causes: ['A certificate was renewed here and not yet carried to the nodes.', 'It was put there by hand.'],
    mend: ['netctl node bootstrap NODE'],
  },
  {
    code: 'node-file-unreadable',
    title: 'A file on a node could not be read',
    exit: exitCodes.unreachable,
    meaning: 'The node was reached, and the file is there or may be there, but the account may not read it.',
    causes: ['The account that netctl uses is not root and has no sudo.'],
    mend: ['Set ssh.user: root, or ssh.sudo: nopasswd or password, in netctl.yaml.'],
    see: ['node-file-unknown'],
  },
];
