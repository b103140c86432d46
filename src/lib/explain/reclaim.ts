import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** `netctl subnets reclaim`, `netctl subnets undo` and the reports. */
export const reclaimTopics: readonly Topic[] = [
  {
    code: 'proven-gone',
    title: 'The node of this lease is proven gone',
    meaning:
      'Only such leases are offered by netctl subnets reclaim. A deleted lease makes every other node drop its route at once and ends the flanneld that has it, so silence alone is never enough.',
    causes: [
      'SSH reached the machine that has the public IP of the lease, and there no flanneld runs or would start, subnet.env does not name the subnet, and no device has an address of it; and the lease was not written within half an hour, as for a node that is being set up.',
      'SSH reached that machine, and its flanneld runs and holds another subnet, which etcd confirms.',
      "Less time is left than flanneld's renew margin, so it was not renewed when a living flanneld would have; and from a place that hears other nodes nothing of it answers.",
      'No node of the inventory has its public IP, because a person took it out, nor may one that could not be asked and has no lease; and neither the machine nor its addresses in the overlay answer nodes that hear others; and it was not written within half an hour.',
    ],
    mend: [
      'Read the evidence: netctl subnets reclaim --dead --dry-run.',
      'Take the lease away: netctl subnets reclaim SUBNET. It is kept: netctl subnets undo.',
    ],
    see: ['not-proven', 'netctl subnets reclaim'],
  },
  {
    code: 'not-proven',
    title: 'Nothing proves that the node of this lease is gone',
    meaning:
      'It may be dead. It may as well run behind a firewall, or be on the far side of a network that is broken just now. Such a lease is never taken away by netctl subnets reclaim.',
    causes: [
      'SSH does not reach its node, and the time of the lease is as that of a living node.',
      'Its machine was reached, and flanneld does not run but would start again.',
      'Its machine was reached without flanneld, and the lease was written within half an hour: netctl node bootstrap makes the lease of a new node before flanneld is there, and a machine may be booting.',
      'The inventory has no node with its public IP, but nodes that could not be asked: what it says of their addresses may be another than the one of flanneld, or a former one.',
      'No other node could be asked whether it still answers, or the nodes that were asked hear nobody else either.',
    ],
    mend: [
      'Wait: a lease that nobody renews goes by itself within a day, and is proven gone when less than the renew margin (an hour) is left.',
      'If the machine can be reached: netctl node reset NODE takes flannel and the lease away; netctl subnets release NODE only the lease, also one that was written just now.',
      'If the machine is gone for good: take it out of netctl.yaml, then look again. Nodes that do not answer and have no lease have to be reached, or be taken out too.',
    ],
    see: ['proven-gone'],
  },
  {
    code: 'no-leases-named',
    title: 'It was not said which leases are meant, or twice',
    exit: exitCodes.invalid,
    meaning: 'netctl subnets reclaim takes subnets and nodes, or --dead for all that are proven gone, or reports.',
    causes: ['Neither leases nor --dead nor --from-report were given, or leases and --dead together.'],
    mend: ['netctl subnets reclaim --dead --dry-run shows which look dead.'],
  },
  {
    code: 'etcd-not-calm',
    title: 'etcd is not in a state in which its leases tell the truth',
    exit: exitCodes.refused,
    meaning:
      'When etcd elects a leader it sets the time of every lease back, after a long outage many leases end together, and an etcd that is full takes no renewals. What looks dead then need not be.',
    causes: [
      'Half of the endpoints or more do not answer, or there is no leader.',
      'An alarm is raised, such as NOSPACE or CORRUPT.',
      'The leader changed between the look and the deletion.',
    ],
    mend: [
      'Mend etcd first: etcdctl endpoint status, etcdctl alarm list.',
      'Wait some minutes after that, until the nodes have renewed what they could not.',
    ],
  },
  {
    code: 'mass-death',
    title: 'Suspiciously many nodes look dead at once',
    exit: exitCodes.refused,
    meaning:
      'At least three leases and more than a quarter of all that were looked at neither live nor are kept. When so many nodes seem to have died together, it is more likely that the look was from a bad place.',
    causes: [
      'The network between this machine, etcd and the nodes is broken.',
      'The inventory names only a part of the nodes of this network, or those of another one.',
      'Many short-lived machines were really taken away.',
    ],
    mend: [
      'See whether the nodes can be reached: netctl node status --all.',
      'When they are dead: name them one by one, or use two reports made half an hour apart.',
    ],
    see: ['proven-gone', 'netctl subnets check'],
  },
  {
    code: 'kube-subnet-manager',
    title: 'This flanneld does not keep its leases in etcd',
    exit: exitCodes.refused,
    meaning:
      'With --kube-subnet-mgr flanneld takes its subnet from Kubernetes and never looks at the leases in etcd, so netctl has no business with them.',
    causes: [
      'The inventory names a node of a Kubernetes cluster, or etcd and the prefix are those of another network.',
    ],
    mend: ['Take the node out of netctl.yaml.', 'See where netctl looks: netctl config show.'],
  },
  {
    code: 'bad-report',
    title: 'A file is no report of leases',
    exit: exitCodes.invalid,
    meaning:
      'A report is the JSON document of netctl subnets check with what was found out about the nodes. What matters in it is checked to the letter.',
    causes: [
      'The check was made without --report or --evidence, so nobody looked at the nodes.',
      'The file was cut off, or written by something else.',
    ],
    mend: ['Make one: netctl subnets check --report FILE.'],
  },
  {
    code: 'too-few-reports',
    title: 'One report is not enough',
    exit: exitCodes.invalid,
    meaning: 'A report says how it was at one moment. Two of them, made some time apart, say that it stayed so.',
    causes: ['--from-report was given once.'],
    mend: ['Make another one, half an hour later or more, and give both.'],
    see: ['reports-too-close'],
  },
  {
    code: 'other-cluster',
    title: 'A report is about another etcd cluster or another network',
    exit: exitCodes.refused,
    meaning:
      'The id of the etcd cluster, the API and the prefix of a report must be those of the network that is worked on. No flag overrides that.',
    causes: [
      'The endpoints or the prefix are others than when the report was made.',
      'etcd was set up anew, or restored from a backup, which gives it another id.',
    ],
    mend: ['Make the reports again, here: netctl subnets check --report FILE.'],
  },
  {
    code: 'reports-too-close',
    title: 'The reports were made too shortly one after the other',
    exit: exitCodes.refused,
    meaning:
      'What is silent for a minute may be in the middle of a restart. The time between reports is taken from their own clocks, and from what etcd counted meanwhile on leases that were not written.',
    causes: ['Less than --min-gap minutes (30) lie between the first report and the last.', 'A clock was set.'],
    mend: ['Make the second report later.', 'If a shorter time is enough: --min-gap MINUTES.'],
  },
  {
    code: 'nothing-to-undo',
    title: 'netctl has not taken this lease away',
    exit: exitCodes.invalid,
    meaning:
      'Of each lease that netctl takes away it keeps a record beside the network, the last 1,000 of them; there is none of this subnet.',
    causes: [
      'It was put back already.',
      'It went in another way, or from another network.',
      'The subnet was mistyped.',
    ],
    mend: ['See what there is: netctl subnets undo.'],
  },
];
