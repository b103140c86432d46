import type { Topic } from './topic';

/** What is noticed of a node before anything on it is changed. */
export const preflightTopics: readonly Topic[] = [
  {
    code: 'preflight-unknown',
    title: 'Something could not be checked',
    meaning:
      'A question to the node had no answer that could be used. netctl never takes that for a good answer: the check is told as a warning, with the reason behind the colon.',
    causes: ['The account is not root and not helped by sudo.', 'A program is missing, or did not answer in time.'],
    mend: [
      'Mend what stands behind the colon, and run the command again.',
      'When you know that it is in order, leave the check out: --skip-check NAME',
    ],
    see: ['preflight-not-root', 'program-missing'],
  },
  {
    code: 'preflight-not-root',
    title: 'The account on the node may not do what is needed',
    meaning:
      'Files in /etc, services, kernel modules and routes belong to root. The account is another, and sudo is not used.',
    causes: ['ssh.user names an ordinary account, and ssh.sudo is none.', 'sudo is not installed.'],
    mend: [
      'Say in netctl.yaml how the account becomes root: ssh: { sudo: nopasswd } or { sudo: password }',
      'Or log in as root: ssh: { user: root }',
    ],
  },
  {
    code: 'preflight-no-config',
    title: 'There is no network config to check the nodes against',
    meaning:
      'flanneld reads the network from etcd at its start, and waits for ever when there is none that it accepts. Overlaps, ports and the needs of the backend follow from it, so they could not be checked either.',
    causes: ['The config was never written, or under another prefix.', 'It is one that this release refuses.'],
    mend: [
      'Look: netctl network show',
      'Write it: netctl init-network --help',
      'Find the fault: netctl network validate --live',
    ],
    see: ['release-other-api'],
  },
  {
    code: 'program-missing',
    title: 'A program is missing on the node',
    meaning: 'netctl works with what Linux brings; a few programs beyond the shell must be there.',
    causes: ['A minimal installation.'],
    mend: ['Install the package that the message names.'],
  },
  {
    code: 'architecture-unsupported',
    title: 'flannel has no release for this kind of machine',
    meaning:
      'Releases are built for amd64, arm64, arm, ppc64le, s390x, mips64le (from v0.16.2) and riscv64 (from v0.24.0).',
    causes: ['The node has another processor, or a 32-bit x86 system.', 'The chosen release is older than the port.'],
    mend: ['Take a later release, or leave the node out.'],
  },
  {
    code: 'architecture-no-archive',
    title: 'The archive at hand is for another kind of machine',
    meaning: 'A program for another processor does not start: “exec format error”.',
    causes: ['flannel.archive or --archive names one archive, and the nodes are of two kinds.'],
    mend: ['Give flannel.version instead: the right archive for each machine is then fetched.'],
    see: ['archive-wrong-machine'],
  },
  {
    code: 'udp-needs-amd64',
    title: 'The udp backend is built for amd64 only',
    meaning: 'From v0.10.0 flannel’s other builds answer “UDP backend is not supported on this architecture” and end.',
    causes: ['The config has Backend.Type udp, or none at all, which means udp.', 'A node is not amd64.'],
    mend: ['Take vxlan, or host-gw where all nodes are on one segment.'],
    see: ['implicit-udp'],
  },
  {
    code: 'kernel-too-old',
    title: 'The kernel is older than the backend needs',
    meaning: 'vxlan needs Linux 3.7 (3.12 for IPv6); wireguard needs 5.6, or a module from elsewhere.',
    causes: ['An old distribution, such as CentOS 7 with its kernel 3.10 for wireguard.'],
    mend: ['Install a newer kernel, or the module, or take another backend.'],
  },
  {
    code: 'kernel-module-missing',
    title: 'The kernel has not got a module that is needed',
    meaning:
      'Neither is it loaded or built in, nor would modprobe find it. Without vxlan flanneld says “operation not supported”; without br_netfilter it ends from v0.26.0 on.',
    causes: [
      'The distribution keeps it in a package of its own (linux-modules-extra, kernel-modules-extra).',
      'A kernel of a hosting company or a board, built without it.',
    ],
    mend: [
      'Install the package, boot into that kernel, and run the command again.',
      'Or take a backend that does without.',
    ],
    see: ['kernel-modules-gone', 'kernel-module-unclear'],
  },
  {
    code: 'kernel-modules-gone',
    title: 'The modules of the running kernel are not on the disk',
    meaning: 'Nothing can be loaded into this kernel any more, because its folder below /lib/modules is gone.',
    causes: ['The kernel was upgraded and the machine not booted since.'],
    mend: ['systemctl reboot'],
    see: ['kernel-module-missing'],
  },
  {
    code: 'kernel-module-unclear',
    title: 'Nothing tells whether a kernel module is there',
    meaning: 'The module is not loaded, and neither modprobe nor the kernel’s own config says whether it could be.',
    causes: ['The node is a container: modules belong to the machine below it.'],
    mend: [
      'Load it there: modprobe vxlan',
      'Then run the command again, or leave the check out: --skip-check kernel-modules',
    ],
    see: ['kernel-module-missing'],
  },
  {
    code: 'ip-forward-off',
    title: 'The node does not forward packets yet',
    meaning:
      'net.ipv4.ip_forward is 0. Bootstrap sets it, now and for every boot, before Docker does: when Docker has to, it also sets the policy of FORWARD to DROP.',
    causes: ['A fresh machine.'],
    mend: ['Nothing: bootstrap does it.'],
  },
  {
    code: 'ip-forward-off-on-interface',
    title: 'Forwarding is on for the node and off for the interface',
    meaning:
      'The kernel asks the interface’s own setting. To set ip_forward to the 1 that it already has does not reach it.',
    causes: ['A sysctl file that names the interface.'],
    mend: ['sysctl -w net/ipv4/conf/INTERFACE/forwarding=1, and remove the line from /etc/sysctl.d'],
  },
  {
    code: 'ipv6-off',
    title: 'IPv6 is switched off on the node',
    meaning: 'The network config has EnableIPv6, and flanneld could not give its device an address.',
    causes: ['disable_ipv6 in sysctl.d, or ipv6.disable=1 for the kernel.'],
    mend: ['Switch IPv6 on, or take it out of the network config.'],
  },
  {
    code: 'rp-filter-strict',
    title: 'The reverse path filter is strict where packets may come another way',
    meaning:
      'With rp_filter 1 the kernel drops what comes by another interface than the one that leads back. With two interfaces, or with DirectRouting, that happens to good packets.',
    causes: ['The default of some distributions.'],
    mend: ['Loose is enough: sysctl -w net.ipv4.conf.all.rp_filter=2, and on the interface.'],
  },
  {
    code: 'iptables-missing',
    title: 'iptables is not there',
    meaning:
      'flanneld and Docker make their rules by calling it; flanneld from v0.27.0 does so even in nftables mode, to clean up.',
    causes: ['A minimal installation.'],
    mend: ['Install the package iptables.'],
    see: ['ip6tables-missing'],
  },
  {
    code: 'ip6tables-missing',
    title: 'ip6tables is not there',
    meaning:
      'It is needed for IPv6, and by flanneld from v0.27.0 in nftables mode, which ends with exit code 1 otherwise.',
    causes: ['An installation without IPv6.'],
    mend: ['Install the package iptables.'],
    see: ['iptables-missing'],
  },
  {
    code: 'nft-missing',
    title: 'nft is not there, and flannel is to use nftables',
    meaning: 'The network config has EnableNFTables: flanneld makes its rules with nft on every node.',
    causes: ['A minimal installation.'],
    mend: ['Install the package nftables, or take EnableNFTables out of the network config.'],
  },
  {
    code: 'iptables-both',
    title: 'Both kinds of iptables hold rules',
    meaning:
      'iptables-nft and iptables-legacy are two sets of rules in one kernel, and each packet passes both. A rule “is there” in one and has no effect, because the other drops the packet.',
    causes: [
      'Programs in containers or linked statically bring their own iptables.',
      'The alternative was changed while rules of the other kind were in place.',
    ],
    mend: [
      'Let all use one: update-alternatives --config iptables',
      'Boot the node anew afterwards: nobody removes the old rules.',
    ],
    see: ['iptables-other-front-end'],
  },
  {
    code: 'iptables-other-front-end',
    title: 'Docker’s rules are of the other kind than flannel’s will be',
    meaning:
      'flanneld calls a plain iptables; Docker’s chains are in the other kind. Which of the two comes first cannot be told.',
    causes: ['The alternative was changed after Docker had started.'],
    mend: ['Choose one kind, then restart Docker, or boot the node anew.'],
    see: ['iptables-both'],
  },
  {
    code: 'docker-missing',
    title: 'Docker is not installed',
    meaning: 'netctl gives docker0 the subnet of flannel; it does not install Docker.',
    causes: ['A fresh machine.', 'Docker lies where root’s PATH does not lead.'],
    mend: ['Install it: apt install docker.io', 'For a node that shall have no Docker: --skip-check docker'],
  },
  {
    code: 'docker-no-unit',
    title: 'systemd has no unit to start Docker with',
    meaning:
      'Docker is there, and the unit by the name in docker.service is not, or is masked. netctl adds a drop-in to that unit.',
    causes: ['The unit has another name.', 'Docker was unpacked by hand, or is started by something else.'],
    mend: ['Name the unit: docker: { service: NAME }', 'systemctl unmask docker'],
  },
  {
    code: 'docker-old',
    title: 'Docker is older than netctl knows',
    meaning: 'Docker before 17.03 makes its rules and reads its settings in other ways in places.',
    causes: ['An old distribution.'],
    mend: ['Upgrade Docker, or look at the plan with care: --dry-run'],
  },
  {
    code: 'docker-not-running',
    title: 'Docker does not run',
    meaning: 'Bootstrap starts it when its settings are in place. What kept it from running may do so again.',
    causes: ['It was never started.', 'Its daemon.json or its flags are wrong.'],
    mend: ['journalctl -u docker -n 50'],
  },
  {
    code: 'docker-nftables',
    title: 'Docker makes its rules with nftables',
    meaning:
      'Docker 29 can do without iptables. Then accepts in DOCKER-USER have no effect, Docker does not set ip_forward, and an accept of flannel does not undo a drop of Docker’s own tables.',
    causes: ['"firewall-backend": "nftables" in daemon.json.'],
    mend: ['Take iptables, unless nftables is meant: "firewall-backend": "iptables"'],
    see: ['docker-drops-overlay'],
  },
  {
    code: 'docker-in-swarm',
    title: 'The node is in a Docker swarm',
    meaning:
      'A restart of Docker moves the services of the node elsewhere. The swarm’s own overlay is independent of flannel.',
    causes: ['docker swarm init or join.'],
    mend: ['Drain the node first: docker node update --availability drain NODE'],
  },
  {
    code: 'docker-drops-overlay',
    title: 'Docker 28 and later drop what other nodes send to containers',
    meaning:
      'Docker 28 lets nothing into docker0 that enters by another way than its own bridge: packets that come by flannel’s device, or by host-gw’s routes, are dropped in the chain DOCKER, and from 28.2 in raw PREROUTING too. flannel’s own accepts come after that.',
    causes: ['Docker was installed or upgraded to 28 or later.'],
    mend: [
      'From 28.2: "allow-direct-routing": true in daemon.json, and an accept for the network in DOCKER-USER, made anew whenever Docker starts.',
      '28.0 and 28.1: the environment DOCKER_INSECURE_NO_IPTABLES_RAW=1 for dockerd, and the same accept.',
    ],
    see: ['docker-nftables'],
  },
  {
    code: 'docker-stops-others',
    title: 'Other services stop whenever Docker is restarted',
    meaning: 'Units that require Docker go down with it, and systemd does not start all of them again.',
    causes: ['Requires=, BindsTo= or PartOf= with docker.service in those units.'],
    mend: ['Plan the restart with them: systemctl list-dependencies --reverse docker'],
    see: ['docker-requires-flannel'],
  },
  {
    code: 'docker-by-hand',
    title: 'Docker was given flannel’s options without netctl',
    meaning:
      'bip, mtu or ip-masq stand in daemon.json or among dockerd’s flags, and netctl has not put them there. It does not write over somebody’s own set-up unseen.',
    causes: ['The steps of an article were done by hand.', 'Another tool keeps daemon.json.'],
    mend: [
      'Look what would change: netctl node bootstrap NODE --adopt --dry-run',
      'Take it over: netctl node bootstrap NODE --adopt',
    ],
    see: ['flanneld-by-hand', 'docker-flags-by-hand'],
  },
  {
    code: 'space-low',
    title: 'There is too little room on the node',
    meaning: 'What is put there would not fit, or the file system can take no more files.',
    causes: ['Logs or images have filled the disk.'],
    mend: ['Make room: du -xh --max-depth=1 /, docker system df'],
  },
  {
    code: 'space-read-only',
    title: 'A file system on the node is read-only',
    meaning: 'Files cannot be put where they belong.',
    causes: [
      'It is meant to be: an image-based system. Then choose another folder.',
      'The kernel made it so after an error: look at dmesg.',
    ],
    mend: ['Choose another folder (flannel.installDir), or mend the file system.'],
  },
  {
    code: 'space-noexec',
    title: 'Programs may not be run from the folder',
    meaning: 'The file system is mounted with noexec: flanneld would not start (“permission denied”).',
    causes: ['A hardened installation.'],
    mend: ['Choose another folder: flannel.installDir: /usr/bin'],
  },
  {
    code: 'clock-skew',
    title: 'The clock of a node differs from the others',
    meaning:
      'flannel’s leases do not suffer: etcd counts their time. But TLS does: by a wrong clock certificates are not yet valid, or have expired. From five minutes on it blocks a node that speaks TLS.',
    causes: ['No time service runs.', 'A virtual machine was suspended.'],
    mend: ['timedatectl set-ntp true'],
    see: ['clock-of-workstation'],
  },
  {
    code: 'clock-of-workstation',
    title: 'The clock of this machine differs from those of the nodes',
    meaning:
      'Most nodes agree with each other and not with the machine that netctl runs on, which judges the certificates.',
    causes: ['No time service runs here.'],
    mend: ['Set the clock of this machine.'],
    see: ['clock-skew'],
  },
  {
    code: 'interface-missing',
    title: 'The interface that was given is not on the node',
    meaning: 'flanneld would end: “Failed to find any valid interface to use”.',
    causes: [
      'Interfaces have other names on this machine (ens3, enp0s3).',
      'The address is that of another node.',
      'It has no IPv4 address.',
    ],
    mend: [
      'ip -br addr, on the node',
      'Correct iface of the node, or take it out: netctl then finds the one that reaches the peers.',
    ],
    see: ['interface-unclear'],
  },
  {
    code: 'interface-unclear',
    title: 'Nothing tells which interface leads to the other nodes',
    meaning:
      'No interface is given, and neither a public IP nor the routes to peers and etcd tell one. The address by which Vagrant’s boxes go out, 10.0.2.15, is the same on all and never taken.',
    causes: ['Nodes are named by host names only.', 'All nodes are behind NAT with the same address.'],
    mend: ['Give each node its publicIP, or its iface.'],
    see: ['address-not-unique'],
  },
  {
    code: 'interface-down',
    title: 'The interface is down',
    meaning: 'It is switched off, or it has no carrier: nothing can be sent by it.',
    causes: ['No cable, or a switch port that is off.', 'The administrator switched it off.'],
    mend: ['ip link set INTERFACE up', 'Another interface: iface in netctl.yaml'],
  },
  {
    code: 'interface-small-mtu',
    title: 'The interface’s MTU is too small',
    meaning:
      'Less than 576 bytes leave no room for packets of containers behind the backend’s header; flanneld ends at 0.',
    causes: ['A wrong setting.'],
    mend: ['ip link set INTERFACE mtu 1500'],
  },
  {
    code: 'interface-mtu-differs',
    title: 'The nodes’ interfaces differ in MTU',
    meaning:
      'Each flanneld derives the MTU of its containers from its own interface. Large packets from a node with more to one with less are lost: small requests work, large ones hang.',
    causes: ['Jumbo frames on some of the machines.', 'Clouds or VPNs of two kinds.'],
    mend: [
      'Give all the same MTU.',
      'Or set it once for all: --backend-option MTU=1500 (vxlan and wireguard from v0.21.3)',
    ],
    see: ['mtu-larger-than-overlay'],
  },
  {
    code: 'public-ip-not-usable',
    title: 'The public IP is one that no other machine can send to',
    meaning: 'A loopback, link-local, multicast or reserved address means something else on every machine.',
    causes: ['The interface has no other address yet (DHCP failed).', 'A slip in netctl.yaml.'],
    mend: ['publicIP of the node: the address that the other nodes use.'],
  },
  {
    code: 'public-ip-not-on-node',
    title: 'The public IP is on none of the node’s interfaces',
    meaning:
      'Peers send to an address that something else translates. host-gw refuses that; vxlan from v0.27.4 makes it the source address of its tunnel, which the kernel takes from nobody who does not have it; the other backends work when the translation lets the backend’s port through.',
    causes: [
      'A cloud’s floating address.',
      'netctl.yaml has no publicIP, and the address by which SSH reaches the node was taken.',
    ],
    mend: ['Give the inner address when the nodes reach each other by it: publicIP of the node'],
  },
  {
    code: 'public-ip-on-other-interface',
    title: 'The public IP is on another interface than the chosen one',
    meaning: 'Packets of peers arrive at one interface, and flanneld uses another. host-gw refuses to start like that.',
    causes: ['iface and publicIP of the node do not fit each other.'],
    mend: ['Give only one of the two.'],
  },
  {
    code: 'address-not-unique',
    title: 'Two nodes would have the same public IP',
    meaning:
      'A lease belongs to a public IP and to nothing else. Two nodes with one are one node for flannel: they share a subnet, and peers reach one of them only.',
    causes: ['Vagrant gives each box 10.0.2.15 on its first interface.', 'Two names in netctl.yaml for one machine.'],
    mend: ['Give each its own publicIP, or the iface of the LAN.'],
    see: ['duplicate-public-ip'],
  },
  {
    code: 'machine-id-not-unique',
    title: 'Two nodes have one machine id',
    meaning:
      'They were made from one image. systemd-networkd asks for an address by the machine id, so DHCP may give them the same.',
    causes: ['A clone of a machine that had been booted.'],
    mend: ['rm /etc/machine-id && systemd-machine-id-setup, then reboot', 'Leave /etc/machine-id empty in images.'],
    see: ['subnet-env-not-unique'],
  },
  {
    code: 'hostname-not-unique',
    title: 'Two nodes have one host name',
    meaning: 'flannel does not look at it; logs, Docker and people do.',
    causes: ['A clone.', 'Nobody set it.'],
    mend: ['hostnamectl set-hostname NAME'],
  },
  {
    code: 'subnet-env-not-unique',
    title: 'Two nodes use one subnet',
    meaning:
      'Their subnet.env name the same one. Packets for its containers reach one of the two nodes, whichever wrote its lease last.',
    causes: [
      'An image with subnet.env in it.',
      'A node was away for more than a day, lost its lease, and came back with flannel before v0.18.0.',
    ],
    mend: [
      'See whose it is in etcd: netctl subnets ls',
      'On the other: stop Docker and flanneld, remove subnet.env, start both.',
    ],
    see: ['subnet-env-of-other'],
  },
  {
    code: 'subnet-env-of-other',
    title: 'The subnet of the node is leased to another',
    meaning:
      'subnet.env names a subnet that etcd gives to another public IP. From v0.18.0 flanneld then takes a new one; up to v0.17.0 it takes the subnet away from the other.',
    causes: ['The node was away for more than a day.', 'Its public IP has changed.', 'A clone.'],
    mend: [
      'netctl subnets ls',
      'When the public IP of the node has changed: wait until the old lease has run out, or delete it.',
    ],
    see: ['subnet-env-not-unique'],
  },
  {
    code: 'network-overlaps-ssh',
    title: 'The network would cut the SSH connection',
    meaning:
      'The address from which netctl comes, or at which it arrives, lies in the network: with flanneld’s routes in place the answers go into the overlay.',
    causes: ['The network was chosen without a look at the administrators’ LAN or VPN.'],
    mend: [
      'Choose another network: netctl init-network',
      'Put such ranges into network.avoid: then they are refused at once.',
    ],
    see: ['network-overlaps-link'],
  },
  {
    code: 'network-overlaps-peer',
    title: 'A node lies in the network of the containers',
    meaning: 'The way to that node would lead into the overlay, which is made of such nodes.',
    causes: ['The network holds the LAN.'],
    mend: ['Choose a network that holds no node.'],
    see: ['network-overlaps-link'],
  },
  {
    code: 'network-overlaps-etcd',
    title: 'etcd lies in the network of the containers',
    meaning: 'When routes of flannel lead to etcd’s address, flanneld loses etcd.',
    causes: [
      'The network holds the LAN of etcd.',
      'etcd runs in a container on the overlay: then the overlay needs what needs the overlay.',
    ],
    mend: ['Choose another network, or another place for etcd.'],
  },
  {
    code: 'network-overlaps-link',
    title: 'A LAN of the node overlaps the network',
    meaning:
      'Machines on that LAN that have addresses in the network are no longer reached: flannel’s routes win. When it is the LAN of SSH, the node is lost.',
    causes: ['The network was chosen without a look at this LAN.', 'A bridge of another set-up is still there.'],
    mend: ['Choose another network, and put the LAN into network.avoid.'],
    see: ['network-overlaps-route'],
  },
  {
    code: 'network-overlaps-route',
    title: 'A route of the node overlaps the network',
    meaning:
      'A route inside the network takes packets for containers elsewhere. A wider one loses what lies in the network: often that is meant, as for a 10.0.0.0/8 of a company in which the network has its place.',
    causes: ['A VPN.', 'Static routes, or those of an older network.'],
    mend: ['Look where it comes from: ip route show', 'Remove it, or choose another network.'],
    see: ['network-overlaps-link'],
  },
  {
    code: 'network-overlaps-docker',
    title: 'A network of Docker overlaps flannel’s',
    meaning:
      'Its containers have addresses that flannel gives to other nodes. The default bridge is moved by bootstrap; others are not.',
    causes: ['docker network create or compose chose the range.', 'The default bridge was moved by hand.'],
    mend: ['docker network rm NAME, and create it with another --subnet'],
    see: ['network-overlaps-pool'],
  },
  {
    code: 'network-overlaps-pool',
    title: 'Docker may give new networks addresses of flannel’s',
    meaning:
      'Docker takes ranges for new networks out of its pools: without a setting 172.17.0.0/16 to 172.31.0.0/16 and 192.168.0.0/16.',
    causes: ['The network lies in them.'],
    mend: ['"default-address-pools": [{ "base": "10.200.0.0/16", "size": 24 }] in daemon.json, outside the network'],
    see: ['network-overlaps-docker'],
  },
  {
    code: 'peer-unreachable',
    title: 'No route leads to a peer',
    meaning: 'The node’s kernel does not know where to send packets for that node.',
    causes: ['No default route.', 'The address in netctl.yaml is wrong.'],
    mend: ['ip route get ADDRESS, on the node'],
  },
  {
    code: 'peer-not-adjacent',
    title: 'host-gw, and a router between two nodes',
    meaning:
      'host-gw makes the other node the gateway of a route, which works only when nothing lies between: “network is unreachable”, or packets that the router throws away.',
    causes: ['The nodes are on several segments.', 'A cloud, where each machine sees only its gateway.'],
    mend: [
      'vxlan with DirectRouting: plain routes on a segment, a tunnel between them. That is another backend for all nodes at once.',
    ],
    see: ['needs-adjacency'],
  },
  {
    code: 'peer-by-other-interface',
    title: 'A peer is reached by another interface than flanneld will use',
    meaning: 'With host-gw routes are bound to the chosen interface, on which that peer is not found.',
    causes: ['iface names the wrong one of several interfaces.', 'Peers are on two networks.'],
    mend: ['Take the interface that reaches all nodes, or leave iface out.'],
  },
  {
    code: 'port-taken',
    title: 'Another program holds a port that flanneld needs',
    meaning: 'flanneld’s health check ends it with a panic when its port is taken; a backend cannot make its tunnel.',
    causes: ['Another overlay network on the node.', 'A service that listens on the health check’s port.'],
    mend: ['ss -lntup, on the node', 'flannel.healthzPort, or the backend’s Port: another number.'],
    see: ['vxlan-taken'],
  },
  {
    code: 'vxlan-taken',
    title: 'Another VXLAN device has this VNI and port',
    meaning: 'The kernel makes no second device with the same VNI and UDP port: flanneld says “file exists”.',
    causes: ['Another overlay network on the node, such as Weave, Calico or a second flannel.'],
    mend: ['Another VNI or Port in the network config, for all nodes at once.'],
    see: ['port-taken'],
  },
  {
    code: 'firewall-port',
    title: 'A firewall does not let the backend’s packets in',
    meaning:
      'The nodes send to each other on a UDP port of their own. When it is closed everything looks well, and containers of two nodes do not reach each other.',
    causes: ['firewalld, ufw or a policy of DROP, without a rule for the port.'],
    mend: ['The command in the message, on every node.', 'In a cloud also its security group.'],
    see: ['firewall-forward'],
  },
  {
    code: 'firewall-forward',
    title: 'A firewall does not pass on packets of the network',
    meaning:
      'Packets between containers are routed by the node, and a firewall may drop these even when its ports are open.',
    causes: ['firewalld does not know the network.', 'ufw rejects routed packets.'],
    mend: ['The command in the message, on every node.'],
    see: ['firewall-port'],
  },
  {
    code: 'selinux-enforcing',
    title: 'SELinux is enforcing',
    meaning:
      'systemd starts a program only when its label allows it. Files in /usr/bin get the right one; those in /opt may not.',
    causes: ['The RHEL family’s default.'],
    mend: [
      'The command in the message, when flanneld does not start (203/EXEC).',
      'flannel.installDir: /usr/local/bin',
    ],
  },
  {
    code: 'release-other-api',
    title: 'The config stands where this release does not look',
    meaning:
      'flannel up to v0.17.0 reads etcd v2, from v0.18.0 etcd v3. The two stores of one etcd know nothing of each other.',
    causes: ['flannel was upgraded over v0.18.0.', 'The config was written with the other ETCDCTL_API.'],
    mend: [
      'Write it into the other store: netctl init-network',
      'Or stay with a release that reads the one it stands in.',
    ],
    see: ['release-crosses-api', 'both-apis'],
  },
  {
    code: 'release-flaw',
    title: 'This release has a known flaw',
    meaning: 'It works, and hurts in a way that is known: it stops seeing its peers, or panics.',
    causes: [
      'v0.18.0 to v0.21.2 panic when the watch of etcd ends.',
      'v0.21.3 to v0.26.3 spin when etcd was away.',
      'v0.26.4 to v0.28.5 do not get over a compaction of etcd.',
    ],
    mend: ['Take the newest release: flannel.version'],
  },
  {
    code: 'release-mix',
    title: 'The nodes run releases that do not see each other',
    meaning:
      'Some read etcd v2 and some v3: they are two networks with one address range, and may give one subnet twice.',
    causes: ['An upgrade over v0.18.0 that was not brought to its end.'],
    mend: ['Bring all to one release: netctl node bootstrap --all'],
    see: ['release-crosses-api'],
  },
  {
    code: 'release-crosses-api',
    title: 'The upgrade leads from one store of etcd to the other',
    meaning:
      'Between v0.17 and v0.18 flannel changed from etcd v2 to v3, and takes nothing along: leases are made anew. A node asks for the subnet in its subnet.env again, and gets it if nobody was faster.',
    causes: ['An upgrade or a downgrade over v0.18.0.'],
    mend: [
      'Write the config into the other store first.',
      'Do all nodes in one go; nodes of the two do not see each other.',
    ],
    see: ['release-other-api', 'release-mix'],
  },
  {
    code: 'release-downgrade',
    title: 'An older release is to replace a newer one',
    meaning: 'The node has a later flannel than the one that is to be put there.',
    causes: ['flannel.version or flannel.archive in netctl.yaml was not brought up to date.'],
    mend: ['Correct flannel.version, unless the older one is meant.'],
  },
  {
    code: 'etcd-not-reached',
    title: 'An etcd endpoint does not answer the node',
    meaning:
      'It is asked from the node itself, with the certificates that flanneld has there. When one of several fails flanneld takes another; when all do, it waits for ever.',
    causes: [
      'etcd listens on the loopback only, or a firewall is between.',
      'The endpoints in netctl.yaml are those that this machine sees, and not the nodes.',
      'The CA or the client certificate does not fit.',
    ],
    mend: [
      'Name etcd as the nodes see it: flannel: { etcd: { endpoints: […] } }',
      'Try it on the node: curl -v --cacert … --cert … --key … ENDPOINT/version',
    ],
    see: ['etcd-certificate-untried'],
  },
  {
    code: 'etcd-certificate-untried',
    title: 'etcd answers the node, and more could not be tried',
    meaning: 'The port is open. Whether etcd takes the client certificate shows when it is on the node.',
    causes: ['The first bootstrap of the node: certificates are copied later.', 'Neither curl nor openssl is there.'],
    mend: ['Nothing: after bootstrap it is looked at again.'],
    see: ['etcd-not-reached'],
  },
  {
    code: 'etcd-not-healthy',
    title: 'etcd answers the node and says that it is not healthy',
    meaning: 'It has no leader, or an alarm: reads may work, and leases cannot be taken or renewed.',
    causes: ['Too few members are up.', 'Its space is used up (alarm NOSPACE).'],
    mend: ['etcdctl endpoint status --cluster -w table; etcdctl alarm list'],
    see: ['etcd-no-quorum', 'etcd-no-space'],
  },
  {
    code: 'etcd-other-api',
    title: 'This etcd does not serve the API that flannel reads',
    meaning:
      'flannel up to v0.17.0 needs the v2 API, which etcd 3.4 and 3.5 serve only with --enable-v2 and later ones not at all. From v0.18.0 it needs v3, which etcd 2 does not have.',
    causes: ['The releases of flannel and etcd do not fit each other.'],
    mend: ['Upgrade the older of the two, or start etcd with --enable-v2.'],
    see: ['release-other-api'],
  },
  {
    code: 'systemd-missing',
    title: 'systemd is not on the node',
    meaning: 'netctl starts Docker, and flanneld unless supervisord does, as services of systemd.',
    causes: ['A distribution with another init, or a container without one.'],
    mend: ['Set this node up by hand, or give it systemd.'],
  },
  {
    code: 'unit-masked',
    title: 'The unit of flanneld is masked',
    meaning: 'Somebody forbade systemd to start it, by a link to /dev/null.',
    causes: ['systemctl mask flanneld'],
    mend: ['systemctl unmask flanneld, when you know why it was masked.'],
  },
  {
    code: 'supervisor-missing',
    title: 'supervisord is not installed',
    meaning: 'netctl.yaml wants it to start flanneld.',
    causes: ['A fresh machine.'],
    mend: ['apt install supervisor', 'Or let systemd do it: flannel: { service: systemd }'],
    see: ['supervisor-not-running'],
  },
  {
    code: 'supervisor-not-running',
    title: 'supervisord does not run',
    meaning: 'It is installed, and would not start flanneld, now or after a reboot.',
    causes: ['Its unit is not enabled.', 'One of its program files is wrong: then it does not start at all.'],
    mend: ['systemctl enable --now supervisor', 'journalctl -u supervisor'],
    see: ['supervisor-missing'],
  },
  {
    code: 'flanneld-of-kubernetes',
    title: 'flanneld on the node belongs to Kubernetes',
    meaning:
      'With --kube-subnet-mgr flanneld takes its subnet from Kubernetes and never looks into etcd. netctl refuses such a node, whatever is allowed otherwise.',
    causes: ['The node is in a Kubernetes cluster whose network is flannel.'],
    mend: [
      'Leave the node to Kubernetes.',
      'Or remove flannel from the cluster first: kubectl -n kube-flannel delete daemonset kube-flannel-ds',
    ],
    see: ['flannel-kube-mode'],
  },
  {
    code: 'flanneld-by-hand',
    title: 'flanneld was set up without netctl',
    meaning:
      'A unit, a program of supervisord or a running process starts flanneld, and netctl has not made it. It is shown with its flags, and not written over unseen.',
    causes: ['The steps of an article were done by hand.', 'A package of the distribution, or another tool.'],
    mend: [
      'Compare its flags with netctl.yaml, the prefix and the interface above all.',
      'Look what would change: netctl node bootstrap NODE --adopt --dry-run',
      'Take it over: netctl node bootstrap NODE --adopt',
    ],
    see: ['docker-by-hand', 'file-by-hand'],
  },
  {
    code: 'flanneld-drop-in',
    title: 'A drop-in of somebody else changes netctl’s unit',
    meaning: 'systemd reads it after the unit that netctl wrote. It stays, and its words win.',
    causes: ['systemctl edit flanneld'],
    mend: ['See what both say together: systemctl cat flanneld'],
  },
  {
    code: 'flanneld-started-twice',
    title: 'flanneld would be started by two services',
    meaning:
      'netctl has set up flanneld with one of systemd and supervisord, and netctl.yaml names the other now. Two flannelds for one network take the lease from each other.',
    causes: ['flannel.service was changed.'],
    mend: ['Take the old one back first: netctl node reset NODE'],
  },
  {
    code: 'file-by-hand',
    title: 'A file stands where netctl puts its own',
    meaning: 'It lacks the comment that each file of netctl begins with, so somebody else has written it.',
    causes: ['A set-up by hand, or by another tool.'],
    mend: ['See the difference: netctl node bootstrap NODE --adopt --dry-run'],
    see: ['flanneld-by-hand'],
  },
];
