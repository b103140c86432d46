import { exitCodes } from '../errors';
import type { Topic } from './topic';

export const bootstrapTopics: readonly Topic[] = [
  {
    code: 'no-nodes',
    exit: exitCodes.invalid,
    title: 'Which nodes are meant is not clear',
    meaning: 'A command for nodes takes their names, --all, or --limit, and finds them in the inventory.',
    causes: ['There is no netctl.yaml, or it has no nodes.', 'No name was given, or names and --all together.'],
    mend: ['netctl config init --node NAME=ADDRESS', 'Name the nodes, or say --all.'],
  },
  {
    code: 'unknown-node',
    exit: exitCodes.invalid,
    title: 'The inventory has no node of that name',
    meaning: 'Nodes are known by the names that netctl.yaml gives them, not by their addresses.',
    causes: ['A slip of the finger.', 'Another inventory was read: netctl config show says which.'],
    mend: ['Take the name from netctl.yaml, or add the node there.'],
  },
  {
    code: 'no-nodes-left',
    exit: exitCodes.invalid,
    title: '--limit leaves no node over',
    meaning: 'A pattern is matched against names, @label against labels; of several all must match.',
    causes: ['A label that no node has.', 'Names and a pattern that exclude each other.'],
    mend: ['Look at the nodes and their labels in netctl.yaml.'],
  },
  {
    code: 'several-architectures',
    exit: exitCodes.refused,
    title: 'The nodes are of more than one architecture',
    meaning: 'A release archive of flannel holds a program for one architecture, and netctl fetches one archive a run.',
    causes: ['amd64 and arm64 machines in one network.', 'An architecture that flannel is not built for.'],
    mend: [
      'Bootstrap the nodes of one architecture at a time, by name or with --limit @label.',
      'Or name the archive with --archive.',
    ],
  },
  {
    code: 'node-holds-another-subnet',
    title: 'The node holds another subnet than the inventory gives it',
    meaning:
      'flanneld keeps the lease that has its public IP. Containers of the node live in that subnet, so it is not taken away by the way.',
    causes: ['The node ran before it was given a fixed subnet.', 'Two nodes were exchanged in the inventory.'],
    mend: [
      'Write the subnet that it holds into the inventory.',
      'Or stop flanneld there, delete the lease and subnet.env, and bootstrap again; its containers get new addresses.',
    ],
    see: ['subnet-held-by-another'],
  },
  {
    code: 'subnet-held-by-another',
    title: 'The subnet that the inventory gives a node is held by another',
    meaning: 'A subnet belongs to the public IP in its lease. Two nodes in one subnet cut each other off.',
    causes: [
      'A node that is gone and whose lease has not run out.',
      'Two nodes with the same subnet in two inventories.',
    ],
    mend: [
      'netctl subnets show SUBNET says who holds it.',
      'Give the node another subnet, or wait for the lease to run out.',
    ],
  },
  {
    code: 'subnet-does-not-fit',
    title: 'flanneld would not take the subnet that the inventory gives',
    meaning:
      'A subnet must have the length SubnetLen and lie from SubnetMin to SubnetMax; flanneld deletes a lease that does not.',
    causes: ['The network was changed after the inventory was written.'],
    mend: ['netctl network show tells the range.', 'Correct the subnet of the node, or the network.'],
  },
  {
    code: 'subnet-in-dual-stack',
    title: 'With IPv6 on a node cannot be given a subnet beforehand',
    meaning: 'flanneld then keeps both ranges in one key of its own making, which cannot be made for it.',
    causes: ['A node with `subnet` in a network with IPv6Network.'],
    mend: ['Leave out `subnet`; flanneld takes a free pair.'],
  },
  {
    code: 'out-of-subnets',
    title: 'There is no free subnet for a node',
    meaning: 'Every subnet from SubnetMin to SubnetMax is leased. flanneld would end with the same words.',
    causes: ['Leases of nodes that are gone live on for up to 24 hours.', 'The network is too small.'],
    mend: ['netctl subnets check names leases without an owner.', 'netctl network plan says which network suits.'],
  },
  {
    code: 'node-file-unknown',
    title: 'What is at a path on the node could not be found out',
    meaning: 'netctl writes nothing over what it has not seen.',
    causes: ['We may not read it: not root, and no sudo.', 'It is no regular file, or larger than 64 KiB.'],
    mend: ['Set ssh.sudo in the inventory, or log in as root.'],
  },
  {
    code: 'no-interface',
    title: 'No interface of the node can be the one for flannel',
    meaning:
      'flanneld sends to other nodes through one interface. It is the one that the inventory names, else the one with the public IP, else the one that leads to etcd.',
    causes: ['The public IP lies on a NAT device before the node.', 'The interface has another name here.'],
    mend: ['Name it: nodes: - { name: NODE, iface: eth1 }'],
  },
  {
    code: 'node-change-failed',
    exit: exitCodes.failed,
    title: 'A command on a node failed',
    meaning: 'What was done before it stays done; what comes after it was not begun on this node. Other nodes go on.',
    causes: ['The last lines that it printed say why.'],
    mend: [
      'Mend the cause and run the same command again: it goes on from what is there.',
      'A container that docker start could not start again keeps nothing from being done: start it by hand.',
    ],
  },
  {
    code: 'units-unknown',
    exit: exitCodes.refused,
    title: 'systemd did not say what runs on a node',
    meaning:
      'What is not known is not taken for "no": a flanneld that runs would be restarted as one that does not. Nothing is done on the node.',
    causes: [
      'systemd is busy or hangs, so that systemctl show took longer than 10 seconds.',
      'The machine has no systemd: flannel.service in netctl.yaml can be supervisord.',
    ],
    mend: ['systemctl show flanneld.service on the node: when it answers, run the same command again.'],
    see: ['docker-unknown'],
  },
  {
    code: 'too-many-failures',
    exit: exitCodes.failed,
    title: 'As many nodes failed as --max-failures allows',
    meaning:
      'Docker is restarted on one node at a time. While this node waited for its turn others failed, so its Docker was not touched. What came before, such as flanneld, is done.',
    causes: [
      'A setting that Docker does not take, on every node alike.',
      'The journal of Docker on the nodes that failed says why.',
    ],
    mend: ['Mend the cause and run the same command again: it goes on from what is there.'],
  },
  {
    code: 'node-change-undone',
    exit: exitCodes.failed,
    title: 'A change failed and what was there before was put back',
    meaning:
      'Docker did not come back in time with its new settings, so its old files were put back and it was started again.',
    causes: ['The journal of Docker on the node says why.'],
    mend: ['journalctl -u docker -n 50, mend it, and run the command again.'],
  },
  {
    code: 'node-change-stopped',
    exit: exitCodes.failed,
    title: 'A node was left before all was done',
    meaning: 'The run was interrupted. No file is half-written; some changes are made and some are not.',
    causes: ['Ctrl-C.'],
    mend: ['Run the same command again.'],
  },
  {
    code: 'node-wait-timeout',
    exit: exitCodes.failed,
    title: 'Something on a node did not come true in time',
    meaning: 'After a service was started netctl waits for what it should bring: subnet.env, an address on docker0.',
    causes: ['flanneld does not reach etcd from the node.', 'flanneld took another subnet.', 'Docker does not start.'],
    mend: ['journalctl -u flanneld -n 50 and journalctl -u docker -n 50 on the node.', 'Then run the command again.'],
  },
];
