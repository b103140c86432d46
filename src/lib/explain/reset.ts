import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What `netctl node reset` says. */
export const resetTopics: readonly Topic[] = [
  {
    code: 'containers-run',
    title: 'Containers run that a reset would stop or cut off',
    exit: exitCodes.refused,
    meaning:
      "netctl node reset restarts Docker where docker0 is on flannel's subnet, and then the containers of that node stop. Without flannel they reach those of other nodes no longer.",
    causes: ['Containers run on the default bridge of the nodes that the message names.'],
    mend: ['Stop or move them, then run the command again.', 'When they may stop: the same command with --yes.'],
    see: ['netctl node reset'],
  },
  {
    code: 'flannel-not-ours',
    title: 'The flannel on this node was not set up by netctl',
    exit: exitCodes.refused,
    meaning:
      "netctl node reset takes back what netctl node bootstrap put there and nothing else. A flanneld that runs from another place, in a container, or by a unit without the comment of netctl is somebody else's, so nothing is done on that node.",
    causes: [
      'flannel was installed from a package, by hand, or by Kubernetes.',
      'The unit of netctl was replaced by another one.',
    ],
    mend: [
      'Take that set-up away in the way in which it was made, then run the command again.',
      'If netctl shall take it over first: netctl node bootstrap --adopt.',
    ],
  },
  {
    code: 'flannel-unknown',
    title: 'Whose flanneld runs on this node could not be found out',
    exit: exitCodes.refused,
    meaning: 'Without knowing that, nothing is stopped and nothing is taken away.',
    causes: ['systemctl did not answer, or the user may not see the processes of others.'],
    mend: ['Run netctl as a user that may become root there: ssh.sudo in the inventory.'],
  },
  {
    code: 'file-left',
    title: 'A file was left, because it is not what netctl put there',
    meaning:
      'A file goes when it says in its first lines that netctl wrote it, or when it still is what bootstrap would write, byte for byte. This one was written or changed by somebody else since.',
    causes: [
      'It was edited by hand and the comment was taken out.',
      'The certificate on the workstation is another one by now than that on the node.',
    ],
    mend: ['Look at it, and take it away by hand if nobody needs it.'],
  },
  {
    code: 'program-unknown',
    title: 'A flanneld was left, because it is of no release at hand',
    meaning:
      'Programs carry no comment, so they are compared by their SHA-256 with the release archives on this machine: the one of the inventory, the one given with --archive, and those that were fetched before. Nothing is fetched for it.',
    causes: [
      'The archive is no longer on this machine, or another person bootstrapped the node.',
      'The program was built by hand or replaced.',
    ],
    mend: ['Name the archive: netctl node reset NODE --archive FILE.', 'Or take the folder away by hand.'],
  },
  {
    code: 'releases-unknown',
    title: 'The folders of flannel releases could not be looked at',
    meaning: 'What lies in them is not known, so they were left as they are.',
    causes: ['The user may not read them, or one holds far more than a release does.'],
    mend: ['Run netctl as a user that may become root there.', 'Look at the folder that the message names.'],
  },
  {
    code: 'lease-left',
    title: 'A lease was left, because it is not surely the one of this node',
    meaning:
      "A lease in etcd names its node by the public IP alone. When that address is not the node's, or two nodes have it, deleting the lease could take the subnet from another node.",
    causes: ['Several machines show the same address, as behind NAT.', 'Another node has taken the subnet since.'],
    mend: ['netctl subnets show SUBNET says whose it is.', 'A lease that nobody renews goes by itself within a day.'],
    see: ['netctl subnets ls'],
  },
  {
    code: 'leftovers-unknown',
    title: 'What flannel left in the kernel could not be found out',
    meaning: 'Devices, routes or rules may have stayed; nothing is taken away that was not seen.',
    causes: ['A program is missing on the node (ip, iptables, nft), or the user is not root.'],
    mend: [
      'Look by hand: ip route, iptables-save | grep -i flannel, nft list tables.',
      'A reboot takes them all away.',
    ],
  },
  {
    code: 'device-left',
    title: 'A device is called like one of flannel, and is not certainly its own',
    meaning:
      'A device goes when its name, its kind and its address are those that flannel gives, with the address in this network.',
    causes: ['Another flannel network is on the node.', 'The network was changed while the device was there.'],
    mend: ['ip -d addr show dev DEVICE, and if nobody needs it: ip link delete dev DEVICE.'],
  },
  {
    code: 'route-left',
    title: 'A route into the network was left, because flannel did not make it',
    meaning:
      'flannel makes routes to whole subnets by the public IP of their node. This one has another gateway, length or maker.',
    causes: [
      'Somebody added it by hand, or a routing program made it.',
      'A node is no longer in the inventory and has no lease.',
    ],
    mend: ['ip route show shows it; ip route delete takes it away when nobody needs it.'],
  },
  {
    code: 'chain-left',
    title: 'A chain or table of flannel was left, because somebody put something of their own in it',
    meaning:
      'Chains are emptied rule by rule and never flushed. As long as a foreign rule is in one, it stays with what leads to it.',
    causes: ["A rule was added to FLANNEL-FWD, FLANNEL-POSTRTG or one of flannel's nftables tables by hand."],
    mend: ['Move the rule to a chain of your own, then run the command again.'],
  },
  {
    code: 'masquerade-left',
    title: 'What fix-masquerade has set up on the node was left',
    meaning:
      "node reset takes back what node bootstrap did. The rule that leaves the network out of Docker's masquerade, and what keeps it, are of another command and do no harm.",
    causes: ['netctl fix-masquerade ran on this node, and was not taken back.'],
    mend: ['netctl fix-masquerade NODE --revert, before or after the reset.'],
  },
  {
    code: 'docker0-left',
    title: 'docker0 keeps an address that was given by flannel',
    meaning:
      "Docker keeps the range of its last start for as long as nobody names another. netctl names Docker's own choice for one start, which needs a Docker that runs and a free range.",
    causes: ['Docker does not run.', 'All ranges that Docker chooses from are in use on the node.'],
    mend: ['Start Docker, then run the command again.', 'Name a range: "bip" in daemon.json.'],
  },
];
