import { exitCodes } from '../errors';
import type { Topic } from './topic';

/** What netctl says about Docker's side: subnet.env, daemon.json, dockerd's flags. */
export const dockerTopics: readonly Topic[] = [
  {
    code: 'needs-a-shell',
    title: 'Only a shell could tell what mk-docker-opts.sh would do',
    exit: exitCodes.invalid,
    meaning:
      'netctl docker options gives the output of mk-docker-opts.sh without running anything. Where the script hands a value to eval or to the shell, netctl refuses rather than guesses.',
    causes: [
      'The subnet file holds commands, expansions or blanks in a value; flanneld never writes such.',
      'The file was edited on Windows: its lines end with a carriage return.',
      'The name given with -k is no name of a variable, or one that the script uses itself.',
    ],
    mend: ['Correct the value that the message shows.', 'Or run the script itself on the node.'],
  },
  {
    code: 'env-style-only',
    title: 'A flag that only --style env has',
    exit: exitCodes.invalid,
    meaning:
      'Individual and combined variables, their name and the look at routes belong to the output of mk-docker-opts.sh.',
    causes: ['-i, -c, -k or --routes beside --style json or --style flags.'],
    mend: ['Leave the flag out, or take --style env.'],
    see: ['netctl docker options'],
  },
  {
    code: 'subnet-env-not-plain',
    title: 'subnet.env holds more than assignments',
    exit: exitCodes.invalid,
    meaning:
      'flanneld writes plain NAME=value lines. What else stands there would be run by every script that sources the file.',
    causes: ['The file was edited by hand, or another program writes it.'],
    mend: ['Restart flanneld: it writes the file anew.'],
  },
  {
    code: 'subnet-env-bad-value',
    title: 'A value in subnet.env is not what it should be',
    exit: exitCodes.invalid,
    meaning:
      'Docker would not start with it. flanneld v0.21.0 to v0.28.5 itself crashes at its next start when a range in it is no range.',
    causes: ['The file was edited by hand, or copied from another node with DOS line ends.'],
    mend: ['Move the file away and restart flanneld: it writes it anew.'],
  },
  {
    code: 'subnet-env-no-subnet',
    title: 'subnet.env names no subnet',
    exit: exitCodes.invalid,
    meaning: 'Without FLANNEL_SUBNET Docker keeps its own range, and containers of this node are not on the network.',
    causes: ['The file is empty, or is not the one that flanneld writes.'],
    mend: ["Look at flanneld's --subnet-file.", 'Look whether the node has a lease: netctl subnets ls.'],
  },
  {
    code: 'subnet-env-no-mtu',
    title: 'subnet.env names no MTU',
    meaning: 'Docker then takes 1500, which is too much for every backend with a tunnel.',
    causes: ['The file was written by hand.'],
    mend: ['Restart flanneld: it writes the file anew.'],
    see: ['mtu-larger-than-overlay'],
  },
  {
    code: 'subnet-env-outside',
    title: 'The subnet is not within the network',
    meaning: 'flanneld wrote the file for another network than its subnet belongs to.',
    causes: ['The file was edited by hand, or the network was changed and flanneld was not restarted.'],
    mend: ['Restart flanneld.'],
  },
  {
    code: 'no-subnet-env',
    title: 'flanneld has written no subnet.env',
    meaning:
      'Docker learns its subnet from this file. It lies in /run, so it is gone after a reboot until flanneld has a lease again.',
    causes: [
      'flanneld does not run, waits for etcd, or found no free subnet.',
      'flanneld writes another file: --subnet-file.',
      'flanneld could not write it; it says so in its log and goes on.',
    ],
    mend: ['Look at its log: journalctl -u flanneld.', 'Name the file that it writes.'],
  },
  {
    code: 'no-ipv4-subnet',
    title: 'The node has an IPv6 subnet only',
    meaning: 'docker0 takes its address (bip) from an IPv4 subnet. mk-docker-opts.sh ignores IPv6 too.',
    causes: ['EnableIPv4 is false in the network config.'],
    mend: ['Turn IPv4 on in the network config.'],
    see: ['ipv6-only'],
  },
  {
    code: 'mtu-larger-than-overlay',
    title: 'Docker’s MTU is larger than the overlay carries',
    meaning:
      'Small packets pass, large ones are dropped: pings and logins work, downloads and TLS hang. vxlan takes 50 bytes of the outer MTU.',
    causes: [
      '--mtu=1500 was written by hand, as in a popular tutorial, beside a FLANNEL_MTU of 1450.',
      'Docker was never told an MTU and takes 1500.',
    ],
    mend: [
      'Give Docker the FLANNEL_MTU of subnet.env and restart it; netctl node bootstrap does so.',
      'Make existing containers anew: they keep the MTU that they were made with.',
    ],
  },
  {
    code: 'both-masquerade',
    title: 'flannel and Docker both masquerade',
    meaning:
      'Docker’s rule comes first and rewrites packets between containers of two nodes: the receiver sees the node, not the container.',
    causes: ['flanneld runs with --ip-masq, and Docker without --ip-masq=false.'],
    mend: ['Set "ip-masq": false for Docker; netctl node bootstrap does so.'],
  },
  {
    code: 'docker-requires-flannel',
    title: 'Docker stops with flannel',
    meaning:
      'With Requires=, BindsTo= or PartOf= systemd stops or restarts Docker, and so every container, whenever flanneld stops or fails.',
    causes: ['A unit or drop-in from a tutorial.'],
    mend: ['Write Wants= and After= instead; Docker then starts after flannel and lives on without it.'],
  },
  {
    code: 'docker-flags-unknown',
    title: 'The command line of dockerd is not known',
    meaning:
      'Neither docker.service nor a running dockerd was found, so conflicts between flags and daemon.json cannot be seen.',
    causes: ['Docker is not installed, or has a unit of another name.'],
    mend: ['Install Docker, or name its unit.'],
  },
  {
    code: 'docker-unknown',
    title: 'What Docker is like on a node could not be found out',
    meaning:
      'What is not known is not taken for "no": a Docker that is only too busy to answer would be restarted as one that does not run, and its containers with it. Nothing is done on the node; after the work on a node it counts as not confirmed. A Docker that certainly does not run is no such case: it is started.',
    causes: [
      'Docker is busy or hangs: docker info, docker ps or docker network inspect took longer than 10 seconds.',
      'There is no docker client on the node, or netctl is not root there.',
      'A file of docker.service, daemon.json or a file of environment variables cannot be read.',
    ],
    mend: [
      'docker info; docker ps; docker network inspect bridge as root on the node: when these answer, run the same command again.',
      'A Docker that hangs for good: systemctl status docker, and mend or stop it first.',
    ],
    see: ['docker-not-running', 'node-file-unknown'],
  },
  {
    code: 'docker-file-odd',
    title: 'A file of Docker’s settings is a folder, or a symbolic link that leads to no file',
    meaning:
      'netctl reads daemon.json and the files that docker.service takes variables from as Docker does, and writes them through a symbolic link, which stays. Where there is no file at its end, nothing can be read or written, and nothing is done on the node.',
    causes: ['What the link leads to was moved, or is on a disk that is not mounted.'],
    mend: ['Put the file there, or take the link away.'],
  },
  {
    code: 'docker-flags-by-hand',
    title: 'Flannel’s options stand in Docker’s command line',
    meaning:
      'bip, mtu or ip-masq are flags in ExecStart. The same in daemon.json would keep Docker from starting, and a fixed value is wrong as soon as flannel gets another subnet.',
    causes: ['docker.service was edited by hand, as a popular tutorial shows.'],
    mend: [
      'Take the flags out of the unit.',
      'Or let netctl replace ExecStart in a drop-in; the file itself stays as it is.',
    ],
  },
  {
    code: 'docker-flags-in-variable',
    title: 'Flannel’s options stand in an environment file by hand',
    meaning:
      'bip, mtu or ip-masq come out of a variable such as DOCKER_OPTS. The same in a second place keeps Docker from starting.',
    causes: ['/etc/default/docker or /etc/sysconfig/docker was edited by hand.'],
    mend: ['Take these options out of the file that the message names; its other words may stay.'],
  },
  {
    code: 'options-file-in-use',
    title: 'Docker reads its options from mk-docker-opts.sh already',
    meaning:
      'The unit reads a generated file. The same settings in daemon.json or in a second file would keep Docker from starting.',
    causes: ['mk-docker-opts.sh was set up by hand, or flannel was installed by a package that does so.'],
    mend: [
      'Keep it: take the style options-file with that file.',
      'Or take its EnvironmentFile= line out of the unit.',
    ],
  },
  {
    code: 'flag-and-file',
    title: 'A setting stands both as a flag and in daemon.json',
    meaning:
      'dockerd does not start then: "the following directives are specified both as a flag and in the configuration file". A Docker that runs shows nothing of it until its next start.',
    causes: ['"hosts" in daemon.json beside -H fd:// in the unit.', 'bip, mtu or ip-masq in both places.'],
    mend: ['Take one of the two out.'],
  },
  {
    code: 'bip-and-bridge',
    title: 'Docker has a bridge of its own, or none',
    meaning: 'dockerd takes no bip beside bridge; it would not start.',
    causes: ['--bridge, -b or "bridge" is set.'],
    mend: [
      'Take it out.',
      'Or leave docker0 alone and make a network in the subnet: docker network create --subnet SUBNET --gateway ADDRESS NAME.',
    ],
  },
  {
    code: 'fixed-cidr-outside',
    title: 'fixed-cidr is not within flannel’s subnet',
    meaning:
      'It narrows the range that containers get addresses from and must lie within the range of bip; dockerd would not start.',
    causes: ['fixed-cidr was set for another range.'],
    mend: ['Take fixed-cidr out.'],
  },
  {
    code: 'other-daemon-json',
    title: 'dockerd reads another configuration file',
    meaning: 'A change in /etc/docker/daemon.json would have no effect.',
    causes: ['--config-file stands in the unit.'],
    mend: ['Name that file.'],
  },
  {
    code: 'environment-file-missing',
    title: 'Docker’s unit needs a file that is not there',
    meaning:
      'systemd does not start a unit whose EnvironmentFile= is missing, unless the path begins with a minus sign.',
    causes: ['The file lies in /run and nobody has written it since the boot.'],
    mend: ['Put a minus sign in front of the path in the unit.'],
  },
  {
    code: 'not-dockerd',
    title: 'Docker’s unit starts something else than dockerd, or nothing',
    meaning:
      'Flags cannot be added to a shell or a wrapper, nor to a unit without ExecStart=: a line of flags alone would keep Docker from starting.',
    causes: ['docker.service was replaced by hand.', 'Docker’s unit has another name.'],
    mend: ['Take the style daemon-json: it needs no flags.', 'Name the unit: docker: { service: NAME }'],
  },
  {
    code: 'drop-in-overruled',
    title: 'A later drop-in takes back what netctl’s says',
    meaning: 'systemd reads drop-ins by file name; an empty ExecStart= or ExecStartPre= forgets those before.',
    causes: ['A drop-in whose name sorts behind zz-netctl-flannel.conf.'],
    mend: ['Rename it, or take the empty setting out.'],
  },
  {
    code: 'key-changed-since',
    title: 'A key of daemon.json was changed since netctl wrote it',
    meaning: 'netctl takes back only what still holds its own value.',
    causes: ['Somebody set bip, mtu or ip-masq by hand, or flannel has had another subnet since.'],
    mend: ['Take it out by hand if nobody needs it.'],
  },
  {
    code: 'daemon-json-invalid',
    title: 'daemon.json is not JSON',
    meaning: 'dockerd takes strict JSON and does not start with anything else. The message says what it stumbles over.',
    causes: ['A comment, a comma too many, single quotes, or a file that ends too early.'],
    mend: ['Correct the line that the message names.'],
  },
  {
    code: 'daemon-json-not-object',
    title: 'daemon.json is no object',
    meaning: 'dockerd wants { … }.',
    causes: ['Another file was put in its place.'],
    mend: ['Write {} or take the file away.'],
  },
  {
    code: 'daemon-json-bom',
    title: 'daemon.json begins with a byte order mark',
    meaning: 'Older releases of dockerd do not start with it.',
    causes: ['The file was written on Windows.'],
    mend: ['Take the first three bytes away with the command in the message.'],
  },
  {
    code: 'daemon-json-not-utf8',
    title: 'daemon.json is not UTF-8',
    meaning: 'Newer releases of dockerd refuse it, and writing it again would change what it says.',
    causes: ['The file was written in another encoding.'],
    mend: ['Convert it: iconv -f LATIN1 -t UTF-8.'],
  },
  {
    code: 'daemon-json-duplicate',
    title: 'A key stands twice in daemon.json',
    meaning: 'dockerd takes the last one. netctl does not guess which is meant.',
    causes: ['Two edits of the same file.'],
    mend: ['Keep one.'],
  },
  {
    code: 'daemon-json-key-case',
    title: 'A key of daemon.json is in the wrong case',
    meaning: 'dockerd does not know it and does not start.',
    causes: ['The key was written by hand.'],
    mend: ['Write it in lower case.'],
  },
];
