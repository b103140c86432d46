import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What commands refuse or find besides the words that they were given. */
export const commandTopics: readonly Topic[] = [
  {
    code: 'bad-range',
    exit: exitCodes.invalid,
    title: 'A text is not an IPv4 range',
    meaning: '--within, --avoid and the like take an IPv4 range, written as a CIDR.',
    causes: ['A range with a dash, an IPv6 range, or a slip of the finger.'],
    mend: ['Write it as 10.0.0.0/8.'],
  },
  {
    code: 'bad-share',
    exit: exitCodes.invalid,
    title: '--growth is not a share of the nodes',
    meaning: '--growth says how many nodes may join, as a part of those that there are.',
    causes: ['A number of nodes instead of a share, or a comma instead of a point.'],
    mend: ['Write it as 50% or as 0.5.'],
  },
  {
    code: 'both-apis',
    exit: exitCodes.invalid,
    title: "There is data in both of etcd's stores",
    meaning:
      'etcd keeps what was written through its v2 API apart from what was written through v3. flannel up to v0.17.0 reads v2, from v0.18.0 on v3; here both hold something under the prefix, and netctl does not guess which network is meant.',
    causes: ['flannel was upgraded across v0.18.0 and the old data was left.', 'A fleet has releases of both eras.'],
    mend: ['Say which one is meant: --etcd-api v3 or --etcd-api v2, or etcd.api in the inventory.'],
  },
  {
    code: 'config-source',
    exit: exitCodes.invalid,
    title: 'Which config is meant is not clear',
    meaning: 'The command looks at one network config: a file, standard input, or the one in etcd.',
    causes: ['Neither a file nor --live was given, or both were.'],
    mend: ['Name a file, - for standard input, or --live for the config in etcd.'],
  },
  {
    code: 'file-and-flags',
    exit: exitCodes.invalid,
    title: '--file and other flags say what the network is',
    meaning:
      'A network is described by a file or by flags, never by a mixture: it would not be clear which of them holds.',
    causes: ['--file was given together with NETWORK or a flag such as --subnet-len.'],
    mend: ['Change the file, or leave it out.'],
  },
  {
    code: 'input-too-large',
    exit: exitCodes.invalid,
    title: 'The input is larger than 1 MiB',
    meaning: 'A network config has some hundred bytes, and etcd takes no value much larger than 1 MiB.',
    causes: ['The wrong file was named or piped in.'],
    mend: ['Name the file that holds the network config.'],
  },
  {
    code: 'input-unreadable',
    exit: exitCodes.invalid,
    title: 'A file cannot be read',
    meaning: 'The operating system did not give us the file; the message has its reason.',
    causes: ['It is not there, is a folder, or you may not read it.'],
    mend: ['ls -l FILE shows whether it is there and who may read it.', 'Name - to read standard input.'],
  },
  {
    code: 'network-in-use',
    exit: exitCodes.refused,
    title: 'The network is in use and the change would touch it',
    meaning:
      'There is another config in etcd, or there are leases. Writing this one changes what nodes do at their next restart or renewal; what it does to each is shown above the message.',
    causes: ['The wrong prefix or etcd.', 'A change of range, subnet length or backend of a running network.'],
    mend: [
      'Read what the change does to each node.',
      'Add --force to write it all the same; the config that is replaced is kept: netctl network history.',
    ],
    see: ['3'],
  },
  {
    code: 'no-config',
    exit: exitCodes.invalid,
    title: 'There is no network config in etcd',
    meaning: 'The key <prefix>/config is not there. flanneld waits for it and gives its node no subnet until then.',
    causes: ['The network was never written.', 'flanneld uses another prefix, or the other API of etcd.'],
    mend: [
      'Write one: netctl init-network 10.1.0.0/16 --backend vxlan.',
      'Name the prefix of flanneld: --prefix KEY; its --etcd-prefix says which.',
    ],
    see: ['both-apis'],
  },
  {
    code: 'no-network-given',
    exit: exitCodes.invalid,
    title: 'Which network is wanted was not said',
    meaning: 'There is no NETWORK, no --file, and no inventory that has a network and a backend.',
    causes: ['The inventory was not found: netctl config show says where it was looked for.'],
    mend: [
      'netctl init-network 10.1.0.0/16 --backend vxlan',
      'Not sure about the size: netctl network plan --nodes N --containers M.',
    ],
  },
  {
    code: 'not-confirmed',
    exit: exitCodes.refused,
    title: 'The change was not confirmed',
    meaning: 'The command asks before it changes something. Nobody said yes, so nothing was written.',
    causes: ['The answer was no.', 'There is no terminal to ask on, as in a script.'],
    mend: ['Read what the change does, then add --yes.', 'Use --dry-run to look only.'],
    see: ['3'],
  },
  {
    code: 'not-converged',
    exit: exitCodes.failed,
    title: 'What was written is not there any more',
    meaning: 'All changes were acknowledged, but a second look did not find them.',
    causes: ['Somebody else, or another program, changed the same keys at once.'],
    mend: ['Run the command once more and look at what it shows.'],
    see: ['5', '6'],
  },
  {
    code: 'secret-on-argv',
    exit: exitCodes.invalid,
    title: 'A secret stands on the command line',
    meaning: 'Everybody on the machine can read the arguments of a process, and shells keep them in their history.',
    causes: ['A backend option that is a key, such as the PSK of ipsec or wireguard, was given with --backend-option.'],
    mend: [
      'Put the config into a file that only you can read: netctl init-network --file FILE, or pipe it in with --file -.',
      'Take another secret: this one may stand in the history of your shell.',
    ],
  },
  {
    code: 'bad-renew-margin',
    exit: exitCodes.invalid,
    title: '--renew-margin is not what flanneld takes',
    meaning: "flanneld's --subnet-lease-renew-margin is whole minutes from 1 to 1439; with any other value it exits.",
    causes: ['Seconds or hours instead of minutes.', 'A unit behind the number.'],
    mend: ['Write the minutes that flanneld was started with; without the flag it is 60.'],
  },
  {
    code: 'config-unusable',
    exit: exitCodes.refused,
    title: 'flanneld does not take the config that is there',
    meaning: 'Without a config that flanneld accepts there is no address space to draw.',
    causes: [
      'Somebody wrote the config with etcdctl, and nothing checked it.',
      'The config is for another flannel release.',
    ],
    mend: ['netctl network validate --live says what is wrong.', 'netctl network rollback brings back the one before.'],
  },
  {
    code: 'map-too-large',
    exit: exitCodes.invalid,
    title: 'There are too many subnets for a picture',
    meaning: 'The map draws IPv4 networks of up to 4,194,304 subnets.',
    causes: ['A large network with a long SubnetLen.'],
    mend: ['Draw a part: netctl subnets map --within CIDR.'],
  },
  {
    code: 'map-ipv4-only',
    exit: exitCodes.refused,
    title: 'The map draws IPv4',
    meaning: 'The network has no IPv4 subnets, and those of IPv6 are too many for a picture.',
    causes: ['EnableIPv4 is false in the config.'],
    mend: ['netctl subnets ls -o wide lists the leases.'],
  },
  {
    code: 'map-outside',
    exit: exitCodes.invalid,
    title: 'The part to be drawn is no part of the network',
    meaning: '--within and the network have no address in common.',
    causes: ['Another network than the one that was meant: look at --prefix and the endpoints.'],
    mend: ['netctl network show says which network it is.'],
  },
  {
    code: 'revision-twice',
    exit: exitCodes.invalid,
    title: 'Two kept configs have that revision',
    meaning:
      'Configs that were replaced are kept with the revision that they had. A restore brings those of another etcd, whose revisions have nothing to do with those of this one.',
    causes: ['netctl restore, and changes of the network after it.'],
    mend: [
      'netctl network history -o json shows their texts; write the one that is meant: netctl init-network --file FILE. A key of IPsec is hidden there and must be filled in.',
    ],
  },
  {
    code: 'no-such-revision',
    exit: exitCodes.invalid,
    title: 'There is no replaced config of that revision',
    meaning:
      'netctl keeps each config that it replaces under the revision at which it had been written. There is none of this one.',
    causes: [
      'The revision of the current config, which nothing replaced.',
      'A config that somebody wrote over with etcdctl.',
    ],
    mend: ['netctl network history lists what there is.'],
  },
  {
    code: 'watch-format',
    exit: exitCodes.invalid,
    title: '--watch cannot print this format',
    meaning:
      'A watch has no end, so it prints tables, or one JSON document a line; csv, yaml and name are for lists that end.',
    causes: ['-o csv, yaml or name together with --watch.'],
    mend: ['netctl subnets ls --watch -o json'],
  },
];
