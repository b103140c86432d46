import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What `netctl fix-masquerade` says. */
export const masqueradeTopics: readonly Topic[] = [
  {
    code: 'source-masqueraded',
    title: 'Other nodes see the node instead of the container',
    meaning:
      'Docker masquerades whatever leaves a bridge by another device, also what goes to containers of other nodes. Access rules and logs there know the node’s address only.',
    causes: ['Docker makes that rule for every bridge, unless "ip-masq" is false.'],
    mend: ['netctl fix-masquerade NODE'],
    see: ['netctl fix-masquerade', 'masquerade-not-kept'],
  },
  {
    code: 'masquerade-not-kept',
    title: 'The rules are right until Docker starts the next time',
    meaning:
      'At every start Docker looks for its own rule by its exact words, and puts it in again at the top when it is not there.',
    causes: ['The rule was mended by hand.', 'Docker’s rule was taken out, and nothing keeps it out.'],
    mend: ['netctl fix-masquerade NODE'],
  },
  {
    code: 'masqueraded-by-other',
    title: 'A rule of somebody else changes the source address',
    exit: exitCodes.refused,
    meaning:
      'With Docker’s rule mended packets to other nodes would still get another address, by a rule that is neither Docker’s nor ours. netctl does not touch it.',
    causes: [
      'A rule by hand, of a firewall, or of another tool in nat POSTROUTING.',
      'The network was given wrongly, so that a rule of flanneld for the real one counts.',
    ],
    mend: ['Leave the network out of that rule: ! -d NETWORK', '--network CIDR, when another was meant.'],
  },
  {
    code: 'source-unknown',
    title: 'Which address arrives cannot be told from the rules',
    meaning: 'A rule on the way has a condition that hangs on more than addresses and devices: a set, a port, a time.',
    causes: ['Rules with ipset, statistic, owner and the like in nat POSTROUTING.'],
    mend: ['The probe tells: netctl verify.'],
  },
  {
    code: 'no-nat-outside',
    title: 'Containers leave the network with their own address',
    meaning:
      'Nobody masquerades them towards the outside, where no way leads back to them. That is right only where routers know the network.',
    causes: ['"ip-masq": false, and flanneld without --ip-masq.', 'The nat table was flushed, and Docker runs on.'],
    mend: ['flannel: { ipMasq: true } in netctl.yaml and netctl node bootstrap, or "ip-masq": true in daemon.json.'],
  },
  {
    code: 'nat-would-be-lost',
    title: 'Containers would lose their way out',
    exit: exitCodes.refused,
    meaning:
      'A rule that masquerades, Docker’s or with --revert ours, may go only where another one masquerades what leaves the network. By the rules that are there none would.',
    causes: [
      'The rules of flanneld are for another network, or come after an ACCEPT.',
      '--revert: "ip-masq" was false before netctl, and flanneld runs without --ip-masq now.',
    ],
    mend: ['--method rule', '--revert: "ip-masq": true in daemon.json, or flannel: { ipMasq: true } first.'],
  },
  {
    code: 'flannel-does-not-masquerade',
    title: 'flanneld does not masquerade, so Docker must',
    exit: exitCodes.refused,
    meaning:
      '--method docker tells Docker to leave masquerading to flanneld. flanneld has not started with --ip-masq there, or its rules are missing.',
    causes: ['FLANNEL_IPMASQ=false in subnet.env.', 'flanneld could not make its rules: see its journal.'],
    mend: ['flannel: { ipMasq: true } in netctl.yaml, then netctl node bootstrap', '--method rule'],
  },
  {
    code: 'ip-masq-flag',
    title: 'dockerd is told to masquerade by a flag',
    exit: exitCodes.refused,
    meaning: 'The same setting as a flag and in daemon.json keeps Docker from starting.',
    causes: ['--ip-masq=true in docker.service, a drop-in or a file that it reads.'],
    mend: ['Take the flag out.', '--method rule'],
  },
  {
    code: 'forward-policy-drop',
    title: 'FORWARD drops what comes from other nodes',
    meaning:
      'The policy of FORWARD is DROP and no rule accepts packets for the containers. Docker sets that policy when it switches forwarding on itself; flanneld accepts the network unless it is told not to.',
    causes: ['flanneld runs without --iptables-forward-rules, or not at all.', 'A firewall set the policy.'],
    mend: [
      'netctl fix-masquerade NODE lets the network in by DOCKER-USER, through a chain NETCTL-OVERLAY, and keeps it so. Docker’s networks of one machine stay apart.',
    ],
  },
  {
    code: 'overlay-dropped',
    title: 'A rule drops packets of the network',
    meaning: 'A rule that is not Docker’s drops or rejects them, and an accept in DOCKER-USER may come too late.',
    causes: ['ufw, firewalld, or a rule by hand.', 'There is no chain DOCKER-USER.'],
    mend: ['Accept the network in the firewall that has that rule.'],
  },
  {
    code: 'no-bridge-in-network',
    title: 'No container of the node is in the network',
    meaning: 'None of Docker’s bridges has a range within the network, so there is nothing to mend.',
    causes: ['docker0 has not got flannel’s subnet yet.', 'Another --network is meant.'],
    mend: ['netctl node bootstrap NODE', 'docker network inspect bridge'],
  },
  {
    code: 'no-cluster-network',
    title: 'Which network is meant is not known',
    exit: exitCodes.refused,
    meaning: 'flanneld has written no subnet.env on that node, and the inventory names no network.',
    causes: ['flanneld has never run there.', 'flannel.subnetFile names another file.'],
    mend: ['--network 172.7.0.0/16', 'network: { cidr: 172.7.0.0/16 }'],
  },
  {
    code: 'network-holds-node',
    title: 'The network given holds the machines themselves',
    exit: exitCodes.refused,
    meaning:
      'What goes into the network is not masqueraded. With the machines in it containers would send to them, and through them, with an address to which no way leads back.',
    causes: ['--network is too wide: 10.0.0.0/8 where the machines are in 10.4.7.0/24.'],
    mend: ['netctl network show tells the range of the containers.'],
  },
  {
    code: 'several-networks',
    title: 'flanneld has more than one network there',
    exit: exitCodes.refused,
    meaning: 'FLANNEL_NETWORK lists several, as flannel v0.21.0 to v0.24.4 do with Kubernetes. A rule leaves out one.',
    causes: ['Several cluster CIDRs.'],
    mend: ['--network CIDR'],
  },
  {
    code: 'network-differs',
    title: 'flanneld and the inventory name different networks',
    meaning: 'What flanneld says on the node counts for its rules.',
    causes: ['The inventory was not changed with the network, or the node has an old subnet.env.'],
    mend: ['netctl network show tells what is in etcd.'],
  },
  {
    code: 'masquerade-unknown',
    title: 'Something that the rules hang on could not be found out',
    exit: exitCodes.refused,
    meaning: 'Nothing is planned for a node whose rules, bridges or files are not known.',
    causes: [
      'The user is not root, and ssh.sudo is not set.',
      'A program is missing: iptables-save, ip, docker.',
      'A table of iptables holds rules of nft, so that iptables-save does not show it.',
    ],
    mend: ['The message names what is missing.'],
  },
  {
    code: 'masquerade-no-docker',
    title: 'Docker does not run, so there is nothing to look at',
    exit: exitCodes.refused,
    meaning: 'Its bridges and its rules tell what is to be mended.',
    causes: ['Docker was stopped, or does not start.'],
    mend: ['systemctl start docker'],
    see: ['docker-not-running'],
  },
  {
    code: 'masquerade-needs-systemd',
    title: 'The rules are kept right by systemd',
    exit: exitCodes.refused,
    meaning:
      'A unit of systemd puts them right again after Docker, a reboot or a flush has undone them. Without it they would not last.',
    causes: ['Another init system.'],
    mend: ['Run the two iptables commands that the guide shows at every start of Docker.'],
  },
  {
    code: 'masquerade-file-foreign',
    title: 'A file of that name is not netctl’s',
    meaning: 'Only files that say that netctl wrote them are replaced or taken away.',
    causes: ['Somebody took out the first lines.', 'Another tool uses the same path.'],
    mend: ['Move the file away, then run the command again.'],
  },
  {
    code: 'odd-bridge-name',
    title: 'The name of a bridge cannot stand in a script',
    exit: exitCodes.refused,
    meaning: 'netctl writes names of bridges into a shell script: letters, digits, dot, underscore and dash are taken.',
    causes: ['A docker network was made with com.docker.network.bridge.name and an unusual name.'],
    mend: ['Make the network again with a plain name.'],
  },
  {
    code: 'save-nowhere',
    title: 'Nothing loads saved rules on this node',
    meaning:
      '--save is for machines with iptables-services or netfilter-persistent. The unit keeps the rules without a file.',
    causes: ['Neither package is installed.'],
    mend: ['Leave --save out.'],
  },
  {
    code: 'saved-rules-stale',
    title: 'The file of saved rules brings back a rule that is to be gone',
    meaning:
      'Docker’s own: whenever the file is loaded, packets to other nodes get the node’s address until the next look of netctl-masquerade.service, a few seconds later. After --revert ours: nobody takes them out any more.',
    causes: [
      'iptables-save was written to a file as it was.',
      '--save was given when the rules were mended, and not with --revert.',
    ],
    mend: ['netctl fix-masquerade --save NODE', 'netctl fix-masquerade --revert --save NODE'],
  },
  {
    code: 'revert-alone',
    title: '--revert takes everything back',
    exit: exitCodes.invalid,
    meaning:
      'It is a command of its own and knows no method; whether there is anything to take back its --dry-run tells.',
    causes: ['--check or --method was given as well.'],
    mend: ['netctl fix-masquerade NODE --revert --dry-run'],
  },
];
