import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What `netctl subnets reserve`, `unreserve`, `mend`, `rehome` and `release` say. */
export const reservationTopics: readonly Topic[] = [
  {
    code: 'reserve-what',
    title: 'Which subnet is to be reserved was not said, or said twice',
    exit: exitCodes.invalid,
    meaning: 'reserve takes one subnet and its node; with --enforce it looks at all reservations and takes neither.',
    causes: ['The subnet was forgotten.', '--enforce was given together with a subnet or a node.'],
    mend: ['netctl subnets reserve 10.5.1.0/24 --node NAME', 'netctl subnets reserve --enforce'],
  },
  {
    code: 'reserve-for-whom',
    title: 'For which node a subnet is to be reserved was not said, or said twice',
    exit: exitCodes.invalid,
    meaning:
      'A reservation belongs to a public IP, because by it flanneld finds its lease. --node takes it from the inventory.',
    causes: ['Neither --node nor --public-ip was given, or both were.'],
    mend: [
      'netctl subnets reserve 10.5.1.0/24 --node NAME',
      'netctl subnets reserve 10.5.1.0/24 --public-ip 192.168.0.7',
    ],
  },
  {
    code: 'bad-note',
    title: 'The note of a reservation is no line of text',
    exit: exitCodes.invalid,
    meaning: 'A note stands beside the subnet in netctl subnets reservations: one line, 200 characters at most.',
    causes: ['It is empty, too long, or holds a line break or another control character.'],
    mend: ['netctl subnets reserve 10.5.1.0/24 --node NAME --note "DNS points there"'],
  },
  {
    code: 'no-public-ip',
    title: 'The inventory does not tell the public IP of a node',
    exit: exitCodes.invalid,
    meaning: 'flanneld finds its lease by its public IP, so nothing can be kept or changed for a node without it.',
    causes: ['The address of the node is a host name, and publicIP is not given.'],
    mend: ['Add publicIP to the node in netctl.yaml.'],
  },
  {
    code: 'reservation-clash',
    title: 'Two reservations cannot both be kept',
    exit: exitCodes.refused,
    meaning: 'A range is kept for one node, and a node has one subnet.',
    causes: [
      'The subnet, or a part of it, is reserved for another node.',
      'The node has another subnet reserved already.',
    ],
    mend: [
      'netctl subnets reservations lists them.',
      'netctl subnets unreserve SUBNET takes one away; its lease stays.',
    ],
  },
  {
    code: 'reservation-contradicts-inventory',
    title: 'A reservation and the inventory want different things',
    exit: exitCodes.refused,
    meaning:
      'A node that has `subnet` in netctl.yaml is to have that one and no other. netctl follows neither as long as they differ.',
    causes: ['The inventory was changed after the subnet was reserved, or the other way round.'],
    mend: ['Correct `subnet` of the node in netctl.yaml.', 'Or: netctl subnets unreserve SUBNET.'],
  },
  {
    code: 'reservation-misfit',
    title: 'flanneld would not take the reserved subnet',
    exit: exitCodes.invalid,
    meaning:
      'A subnet must lie from SubnetMin to SubnetMax and have the length SubnetLen; flanneld deletes a lease that does not. With IPv6 on, a lease cannot be made beforehand.',
    causes: ['A mistyped subnet.', 'The network was changed after the subnet was reserved.'],
    mend: [
      'netctl network show tells the range and the length.',
      'netctl subnets unreserve SUBNET, then reserve one that fits.',
    ],
  },
  {
    code: 'reservation-no-config',
    title: 'Whether flanneld would take the reserved subnet is not known',
    exit: exitCodes.invalid,
    meaning: 'The range of subnets stands in the network config. There is none, or flanneld does not accept it.',
    causes: ['The network was not written yet, or it lies under another prefix.'],
    mend: ['netctl network show', 'netctl network validate --live'],
  },
  {
    code: 'reservation-taken',
    title: 'Somebody else has the reserved subnet',
    exit: exitCodes.refused,
    meaning:
      'There is a lease in this range with another public IP. netctl does not take a subnet from whoever has it: every other node would drop its route at once.',
    causes: [
      'The node was given another address: the lease still has the old one.',
      'The lease of the owner ran out while it was away, and another node was given the subnet.',
    ],
    mend: [
      'netctl subnets show SUBNET says who has it.',
      'When it is the same node with its former address: netctl subnets rehome SUBNET --to PUBLIC_IP.',
      'When that node is gone: netctl subnets reclaim SUBNET.',
    ],
  },
  {
    code: 'reservation-elsewhere',
    title: 'The owner of a reservation has another subnet',
    meaning:
      'flanneld keeps the lease that has its public IP, and a second one with the same public IP would leave it to chance which it takes. So nothing is made beforehand, and until it moves only netctl keeps the reserved subnet free.',
    causes: ['The node ran before its subnet was reserved.', 'Its lease ran out, and it was given another subnet.'],
    mend: [
      'To stay: netctl subnets unreserve SUBNET, and reserve the one that it has.',
      'To move, with new addresses for its containers: netctl subnets release NODE, netctl subnets reserve --enforce, remove subnet.env there, start flanneld, restart Docker.',
    ],
  },
  {
    code: 'reservation-unreadable',
    title: 'The lease of a reserved subnet cannot be read by flanneld',
    exit: exitCodes.refused,
    meaning: 'There is a key for the subnet, and its value is not one that flanneld reads.',
    causes: [
      'etcdctl put KEY $(etcdctl get KEY), as flannel documents reservations, stores the text of the key as the value.',
    ],
    mend: ['netctl subnets mend SUBNET'],
    see: ['value-is-key'],
  },
  {
    code: 'reservation-damaged',
    title: 'A record among the reservations cannot be read',
    exit: exitCodes.refused,
    meaning:
      'netctl keeps reservations in keys of its own beside the network. This one was written or changed by somebody else, or by a newer netctl.',
    causes: ['A key there was edited by hand.', 'Another version of netctl wrote it.'],
    mend: [
      'netctl subnets unreserve SUBNET takes it away; then reserve the subnet again.',
      'A newer netctl may read it.',
    ],
  },
  {
    code: 'reservation-not-held',
    title: 'There is no lease for a reserved subnet',
    meaning:
      'A reservation is what netctl knows. flanneld knows leases only: without one any node may be given this subnet.',
    causes: ['The node was away for more than a day, and its lease ran out.', 'Somebody deleted the lease.'],
    mend: ['netctl subnets reserve --enforce makes it again.', 'Run it twice a day, and it never runs out.'],
  },
  {
    code: 'reservation-expires',
    title: 'The lease of a reserved subnet has a time to live on etcd v2',
    meaning:
      'flanneld up to v0.17.0 leaves a key without a time to live as it is. This one has one, and ends a day after its node.',
    causes: ['The lease was made anew after the subnet was reserved.'],
    mend: ['netctl subnets reserve --enforce'],
  },
  {
    code: 'mend-what',
    title: 'For which subnet --public-ip is meant was not said',
    exit: exitCodes.invalid,
    meaning: 'With --public-ip you say whose a subnet is, so one subnet has to be named beside it.',
    causes: ['No subnet was named, or several.'],
    mend: ['netctl subnets mend 10.5.1.0/24 --public-ip 192.168.0.7'],
  },
  {
    code: 'mend-unknown',
    title: 'What a lease was that cannot be read is not known',
    meaning:
      'The right value is looked for in the past of the key in etcd, in what netctl keeps, in the inventory, and on nodes whose subnet.env names the subnet. To delete the key is no way out while its node lives: flanneld there ends with its lease, and another node may be given the subnet.',
    causes: [
      'etcd has forgotten its past (compaction), and the owner is not in the inventory, cannot be reached, or has another subnet by now.',
    ],
    mend: ['Say whose it is: netctl subnets mend SUBNET --public-ip IP. Its flanneld writes the rest at once.'],
    see: ['value-is-key', 'unparsable-value'],
  },
  {
    code: 'mend-key',
    title: 'A key among the leases is none of a lease, so no value makes it right',
    meaning:
      'flanneld finds the subnet in the key. Deleting such a key is a change that flanneld cannot read either: since v0.21.3 every node then drops its routes to all others, until leases are written again.',
    causes: ['A copy or a note was put below the subnets by hand.'],
    mend: [
      'When a loss of routes for a moment does no harm: delete it with etcdctl, then netctl subnets mend --announce writes all leases again, and the routes come back.',
    ],
    see: ['unparsable-key'],
  },
  {
    code: 'mend-overlap',
    title: 'Another node has the range of a lease that cannot be read',
    meaning:
      'flanneld takes the range of a lease that it cannot read for free. Made right it would be a second lease of the same range.',
    causes: ['The value was damaged some time ago, and a node was given the range since.'],
    mend: [
      'netctl subnets check tells who has it.',
      'Let the former owner take another subnet, and delete the key with etcdctl; then netctl subnets mend --announce.',
    ],
  },
  {
    code: 'public-ip-in-use',
    title: 'Another lease has this public IP',
    exit: exitCodes.refused,
    meaning:
      'flanneld finds its lease by its public IP. Of two leases with the same it takes the first that it finds, and its containers may stand in the other.',
    causes: [
      'After its address had changed the node was started, and took another subnet.',
      'Another node has this address.',
    ],
    mend: [
      'netctl subnets show IP says which.',
      'When it is a left-over of the same node: netctl subnets rehome SUBNET --to IP --drop OTHER_SUBNET.',
    ],
  },
  {
    code: 'rehome-no-lease',
    title: 'There is no such lease to give another address',
    exit: exitCodes.refused,
    meaning: 'rehome changes the public IP in a lease that is there.',
    causes: ['The lease ran out while the node was away.', 'A mistyped subnet.', 'Its value cannot be read.'],
    mend: [
      'netctl subnets ls lists them.',
      'When it has run out: netctl subnets reserve SUBNET --node NAME makes a lease that the node takes when it starts.',
    ],
  },
  {
    code: 'rehome-other-node',
    title: 'The subnet is that of another node',
    exit: exitCodes.refused,
    meaning:
      'rehome gives a node its own subnet under its new address. Given the lease of another one that lives, the two would work with one subnet, and the routes of all nodes would lead to the wrong one.',
    causes: [
      'The subnet or the address was mistyped.',
      'In netctl.yaml the address in the lease is that of one node, and the new one that of another.',
      'subnet.env on the node names another subnet: its flanneld took it when it started with the new address, and --drop does not name it.',
    ],
    mend: [
      'netctl subnets ls and netctl node status tell which subnet each node has.',
      'A left-over with a lease: --drop SUBNET. One whose lease has ended: remove subnet.env on the node, then run it again.',
      'When another node was given the former address of this one: leave that other node out of netctl.yaml for this command.',
    ],
    see: ['public-ip-in-use', 'rehome-no-lease'],
  },
  {
    code: 'rehome-dual-stack',
    title: 'A lease with an IPv6 subnet is not given another address',
    exit: exitCodes.refused,
    meaning: 'Such a lease has two public addresses, and netctl changes one of IPv4 only.',
    causes: ['The network has IPv6 on.'],
    mend: ['Let flanneld take another subnet, then restart Docker there.'],
  },
  {
    code: 'rehome-not-its-address',
    title: 'The machine does not have the new public IP on an interface',
    meaning: 'flanneld takes its public IP from an interface unless it is told another one with --public-ip.',
    causes: ['The machine is behind NAT.', 'A mistyped address, or the address has not changed yet.'],
    mend: [
      'ip -4 addr on that machine.',
      'Behind NAT: publicIP of the node in netctl.yaml, then netctl node bootstrap.',
    ],
  },
  {
    code: 'rehome-start-it',
    title: 'flanneld has to be started with its new address',
    exit: exitCodes.problems,
    meaning:
      'With its old address in --iface or --public-ip flanneld would end, or take another subnet. netctl starts it again only when it ran and was not told its address; of one that does not run, the settings are not known.',
    causes: [
      'The address stands in its unit, its environment file or its command line, as after netctl node bootstrap.',
      'flanneld did not run when the lease was changed.',
    ],
    mend: [
      'Write the new address into netctl.yaml, then: netctl node bootstrap NODE.',
      'Or change it there by hand and start flanneld.',
    ],
  },
  {
    code: 'rehome-not-taken',
    title: 'flanneld was started and has not taken its lease',
    exit: exitCodes.failed,
    meaning:
      'After the lease was changed, flanneld should find it by its new public IP and write the same subnet into subnet.env.',
    causes: ['It works with another address: --iface, --public-ip.', 'It does not reach etcd.'],
    mend: ['On the node: journalctl -u flanneld -n 50.', 'netctl node status NODE'],
  },
  {
    code: 'owner-unknown',
    title: 'The machine of a lease is not in the inventory',
    exit: exitCodes.refused,
    meaning:
      'flanneld must not run while its lease is changed, because it writes its own address back when it renews. netctl looks over SSH whether it runs.',
    causes: ['The node is missing in netctl.yaml, or has another address there.'],
    mend: ['Put the node into netctl.yaml.', 'Or stop flanneld there yourself, and give --etcd-only.'],
  },
  {
    code: 'owner-unreachable',
    title: 'The machine of a lease could not be asked',
    exit: exitCodes.refused,
    meaning:
      'A machine that does not answer may be alive. Its lease is neither changed nor taken away without knowing that flanneld does not run there.',
    causes: ['It is off, or its SSH is.', 'Its address has changed, and netctl.yaml has the old one.'],
    mend: [
      'Correct the address in netctl.yaml.',
      'When you know that flanneld does not run there: --etcd-only.',
      'Of a machine that is gone for good: netctl subnets reclaim NODE looks for proof.',
    ],
  },
  {
    code: 'flanneld-not-stoppable',
    title: 'flanneld runs there, and netctl does not stop it',
    exit: exitCodes.refused,
    meaning: 'netctl stops flanneld by the service that started it, when nothing else stops with it.',
    causes: [
      'It was started by hand, or runs in a container.',
      'Another unit requires it: systemd would stop that one too, Docker with all containers perhaps.',
    ],
    mend: ['Stop it on the machine in the way in which it was started, then run the command again.'],
  },
  {
    code: 'release-still-reserved',
    title: 'A subnet that was given back stays reserved',
    meaning:
      'The reservation is a wish of its own. netctl subnets reserve --enforce would make a lease for the node again.',
    causes: ['The subnet was reserved for this node, and --unreserve was not given.'],
    mend: ['netctl subnets unreserve SUBNET, when the node is not to come back.'],
  },
  {
    code: 'release-comes-back',
    title: 'flanneld starts again with the machine',
    meaning:
      'Its subnet was given back, and flanneld was stopped. When it starts again it takes a subnet: the same one, while that is free.',
    causes: ['Its unit is enabled, or supervisord has its program.'],
    mend: ['netctl node reset NODE takes flannel away from the machine.', 'Or disable the service there.'],
  },
];
