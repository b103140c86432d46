import { inventoryDefaults as defaults } from './inventory-defaults';

/** One key of the inventory in words: the JSON Schema, `config init --full` and docs/inventory.md are made of these. */
export interface KeyReference {
  /** `[]` stands for each entry of a list: `nodes[].ssh.user`. */
  readonly path: string;
  /** Sentences; the first one stands in the template. */
  readonly what: string;
  /** What holds when the key is absent, in words or as the value. */
  readonly default?: string;
  /** YAML in one line; a section has none. */
  readonly example?: string;
}

const ssh: readonly KeyReference[] = [
  { path: 'user', what: 'Log in as.', default: 'what ~/.ssh/config says, else your own name', example: 'admin' },
  { path: 'port', what: 'Port of sshd.', default: String(defaults.ssh.port), example: '22' },
  {
    path: 'identityFile',
    what: 'Private key to log in with.',
    default: 'your agent, then the usual files in ~/.ssh',
    example: '~/.ssh/id_ed25519',
  },
  {
    path: 'jump',
    what: 'Jump host, [USER@]HOST[:PORT]; several with commas, the first one first. The word none switches it off for one node.',
    example: 'admin@bastion.example',
  },
  {
    path: 'sudo',
    what: 'How root is reached: none (logged in as root), nopasswd, or password (asked for once, never stored).',
    default: defaults.ssh.sudo,
    example: 'nopasswd',
  },
  {
    path: 'knownHosts',
    what: 'File of known host keys.',
    default: defaults.ssh.knownHosts,
    example: '~/.ssh/known_hosts',
  },
  {
    path: 'hostKey',
    what: 'strict (only known hosts), accept-new (take a first key, refuse a changed one) or off (anybody may be in between).',
    default: defaults.ssh.hostKey,
    example: 'strict',
  },
  {
    path: 'connectTimeoutSeconds',
    what: 'Longest wait for a connection, in seconds.',
    default: String(defaults.ssh.connectTimeoutSeconds),
    example: '10',
  },
];

const under = (parent: string, keys: readonly KeyReference[]): readonly KeyReference[] =>
  keys.map((key) => ({ ...key, path: `${parent}.${key.path}` }));

export const keyReference: readonly KeyReference[] = [
  { path: 'etcd', what: 'How netctl reaches etcd from this machine.' },
  ...under('etcd', [
    {
      path: 'endpoints',
      what: 'Addresses of etcd: a list, or one text with commas. http:// or https://, all alike; without a scheme it is https:// when TLS files are given.',
      default: defaults.etcd.endpoints[0],
      example: '[http://127.0.0.1:2379]',
    },
    {
      path: 'prefix',
      what: "flanneld's --etcd-prefix: config and subnets lie below it.",
      default: defaults.etcd.prefix,
      example: '/coreos.com/network',
    },
    {
      path: 'api',
      what: 'v2 (flannel up to v0.17), v3 (from v0.18), or auto, which looks where the prefix is.',
      default: defaults.etcd.api,
      example: 'auto',
    },
    {
      path: 'ca',
      what: "PEM file of the CA that signed etcd's certificate.",
      default: "the system's own",
      example: 'certs/ca.pem',
    },
    { path: 'cert', what: 'PEM file of our client certificate; it needs key.', example: 'certs/client.pem' },
    { path: 'key', what: 'PEM file of its private key; it needs cert.', example: 'certs/client-key.pem' },
    {
      path: 'user',
      what: 'etcd user. The password is asked for, or comes from passwordFile or NETCTL_PASSWORD.',
      example: 'root',
    },
    {
      path: 'passwordFile',
      what: 'File whose first line is the password; it needs user.',
      example: 'secrets/etcd-password',
    },
    {
      path: 'timeoutSeconds',
      what: 'Longest wait for one answer of etcd, in seconds.',
      default: String(defaults.etcd.timeoutSeconds),
      example: '5',
    },
  ]),
  { path: 'network', what: 'The container network, as netctl init-network writes it.' },
  ...under('network', [
    { path: 'cidr', what: 'Range that all containers take their addresses from.', example: '10.1.0.0/16' },
    {
      path: 'subnetLen',
      what: "Prefix length of each node's subnet.",
      default: '24, or two more than the length of a range smaller than /22',
      example: '24',
    },
    {
      path: 'subnetMin',
      what: 'First subnet that is given out.',
      default: 'the second of the range',
      example: '10.1.1.0',
    },
    {
      path: 'subnetMax',
      what: 'Last subnet that is given out.',
      default: 'the last of the range',
      example: '10.1.255.0',
    },
    {
      path: 'ipv6Cidr',
      what: 'IPv6 range, which makes the network dual-stack (flannel v0.17 or later with etcd).',
      example: 'fc00:1::/48',
    },
    {
      path: 'ipv6SubnetLen',
      what: "Prefix length of each node's IPv6 subnet.",
      default: '64, or two more than the length of a range smaller than /62',
      example: '64',
    },
    {
      path: 'ipv6SubnetMin',
      what: 'First IPv6 subnet that is given out.',
      default: 'the second of the range',
      example: '"fc00:1:0:1::"',
    },
    {
      path: 'ipv6SubnetMax',
      what: 'Last IPv6 subnet that is given out.',
      default: 'the last of the range',
      example: '"fc00:1:0:ffff::"',
    },
    {
      path: 'enableNFTables',
      what: 'Rules by nftables instead of iptables (flannel v0.25 or later).',
      default: 'false',
      example: 'false',
    },
    {
      path: 'backend',
      what: 'How packets get from node to node.',
      default: 'none, because flannel itself would take udp',
    },
    {
      path: 'backend.type',
      what: 'host-gw (nodes on one L2 segment), vxlan (anywhere), wireguard, udp, ipip, ipsec, alloc, extension, or a cloud one.',
      example: 'vxlan',
    },
    {
      path: 'backend.options',
      what: "Options of the backend in flannel's own spelling: VNI, Port, DirectRouting, ListenPort …",
      default: "flannel's own",
      example: '{ DirectRouting: true }',
    },
    {
      path: 'avoid',
      what: 'Ranges that the network must not overlap: LANs, VPNs, service ranges.',
      default: '[]',
      example: '[192.168.0.0/16]',
    },
  ]),
  { path: 'flannel', what: 'How flanneld is installed and run on the nodes.' },
  ...under('flannel', [
    {
      path: 'version',
      what: 'Release that the nodes run; configs are judged by its rules.',
      default: 'the newest that netctl knows',
      example: 'v0.28.9',
    },
    {
      path: 'archive',
      what: 'Release archive on this machine; otherwise version is fetched once and kept.',
      example: 'flannel-v0.28.9-linux-amd64.tar.gz',
    },
    {
      path: 'sha256',
      what: 'SHA-256 that the archive must have.',
      example: '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    },
    {
      path: 'installDir',
      what: 'Where flanneld lies on a node; /usr/bin is fine too.',
      default: defaults.flannel.installDir,
      example: '/opt/flannel',
    },
    {
      path: 'service',
      what: 'What starts flanneld: systemd or supervisord.',
      default: defaults.flannel.service,
      example: 'systemd',
    },
    {
      path: 'iface',
      what: 'Interface or address that carries the traffic between nodes; a node may have its own.',
      default: 'the one that reaches etcd and the peers',
      example: 'eth0',
    },
    {
      path: 'ifaceRegex',
      what: 'The interface as a regular expression on addresses and names.',
      example: '^10\\.4\\.7\\.',
    },
    {
      path: 'ifaceCanReach',
      what: 'The interface by which this address is reached (flannel v0.18 or later).',
      example: '10.4.7.12',
    },
    {
      path: 'ipMasq',
      what: 'flanneld masquerades traffic that leaves the network.',
      default: String(defaults.flannel.ipMasq),
      example: 'true',
    },
    {
      path: 'subnetFile',
      what: 'Where flanneld writes its subnet.',
      default: defaults.flannel.subnetFile,
      example: '/run/flannel/subnet.env',
    },
    {
      path: 'healthzIP',
      what: 'Address of the health check.',
      default: defaults.flannel.healthzIP,
      example: '127.0.0.1',
    },
    {
      path: 'healthzPort',
      what: 'Port of the health check; 0 is off.',
      default: String(defaults.flannel.healthzPort),
      example: '2401',
    },
    { path: 'etcd', what: 'How flanneld on the nodes reaches etcd, where that differs from the section etcd.' },
    ...under('etcd', [
      {
        path: 'endpoints',
        what: 'Addresses of etcd as the nodes see them.',
        default: 'etcd.endpoints',
        example: '[https://10.4.7.12:2379, https://10.4.7.21:2379]',
      },
      {
        path: 'ca',
        what: 'CA file on this machine that is copied to the nodes.',
        default: 'etcd.ca',
        example: 'certs/ca.pem',
      },
      {
        path: 'cert',
        what: 'Client certificate on this machine that is copied to the nodes.',
        default: 'etcd.cert',
        example: 'certs/client.pem',
      },
      {
        path: 'key',
        what: 'Its private key, copied with mode 0600.',
        default: 'etcd.key',
        example: 'certs/client-key.pem',
      },
      {
        path: 'certDir',
        what: 'Where the three lie on a node.',
        default: 'cert below flannel.installDir',
        example: '/opt/flannel/cert',
      },
      {
        path: 'user',
        what: 'etcd user of flanneld.',
        default: 'none: not that of the section etcd, which may do more',
        example: 'flannel',
      },
      {
        path: 'passwordFile',
        what: 'File on this machine with its password. flanneld prints it in its log: certificates are better.',
        example: 'secrets/flannel-password',
      },
    ]),
    {
      path: 'options',
      what: 'Further flags of flanneld without dashes in front. Those that have keys of their own do not belong here.',
      default: '{}',
      example: '{ iptables-resync: 10 }',
    },
  ]),
  { path: 'docker', what: "How docker0 gets the node's subnet." },
  ...under('docker', [
    {
      path: 'style',
      what: 'daemon-json (bip and mtu in daemon.json) or options-file (a drop-in that reads the file of mk-docker-opts.sh).',
      default: defaults.docker.style,
      example: 'daemon-json',
    },
    {
      path: 'daemonJson',
      what: 'The daemon.json of the nodes.',
      default: defaults.docker.daemonJson,
      example: '/etc/docker/daemon.json',
    },
    {
      path: 'optionsFile',
      what: 'The options file of the nodes.',
      default: defaults.docker.optionsFile,
      example: '/run/docker_opts.env',
    },
    { path: 'service', what: "Name of Docker's unit.", default: defaults.docker.service, example: 'docker' },
    {
      path: 'restartTimeoutSeconds',
      what: 'How long Docker may take to come back before the old settings are put back, in seconds.',
      default: String(defaults.docker.restartTimeoutSeconds),
      example: '60',
    },
  ]),
  { path: 'ssh', what: 'How nodes are reached; a node may have its own under ssh.' },
  ...under('ssh', ssh),
  { path: 'nodes', what: 'The machines of the network.' },
  ...under('nodes[]', [
    { path: 'name', what: 'Name of the node; unique.', example: 'node1' },
    {
      path: 'address',
      what: 'Address or host name for SSH; localhost is this machine and needs no SSH; so is 127.0.0.1 without ssh.port.',
      default: 'the name',
      example: '10.4.7.21',
    },
    {
      path: 'publicIP',
      what: "flanneld's --public-ip: what the other nodes send to; unique.",
      default: 'address, when that is an IPv4 address',
      example: '10.4.7.21',
    },
    { path: 'publicIPv6', what: "flanneld's --public-ipv6, for dual-stack.", example: 'fd00:4:7::21' },
    { path: 'iface', what: "flanneld's --iface on this node.", default: 'flannel.iface', example: 'eth0' },
    {
      path: 'subnet',
      what: 'A fixed subnet for this node, inside the network and of its subnet length.',
      default: 'any free one',
      example: '10.1.21.0/24',
    },
    { path: 'ssh', what: 'What differs from the section ssh.' },
    ...under('ssh', ssh),
    {
      path: 'labels',
      what: 'Words to choose nodes by: --limit @rack=2. A list; what looks like key=value is one word.',
      default: '[]',
      example: '[edge, rack=2]',
    },
  ]),
];
