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
];
