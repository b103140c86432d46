import { quoteExecWord } from '../net/flannel-unit';
import { type FlannelVersion, isAtLeast } from '../net/flannel-version';
import { writtenByNetctl } from '../net/written-by-netctl';
import type { NodeCommand, NodeFile } from './node-file';

/** What the host itself needs so that flannel's network works, and keeps working. */
export interface HostFilesWish {
  readonly version: FlannelVersion;
  /** `vxlan`, `host-gw`, … as in the network config. */
  readonly backend: string;
  /** vxlan and ipip with DirectRouting put routes on the node's own interface, as host-gw does. */
  readonly hasDirectRouting: boolean;
  /** `Network` of the config; null when IPv4 is off. */
  readonly network: string | null;
  /** `IPv6Network`; null when IPv6 is off. */
  readonly ipv6Network: string | null;
  readonly enableNFTables: boolean;
  /** flanneld's `--iptables-forward-rules`. */
  readonly hasForwardRules: boolean;
  /** The node's interface that carries the traffic between nodes; absent when it is not known. */
  readonly iface?: string;
  /** Interfaces whose reverse path filter is strict (1) where packets come back another way; mended to loose (2). */
  readonly strictRpFilter: readonly string[];
  readonly present: {
    /** Of systemd (`systemctl --version`); null when there is none. */
    readonly systemdVersion: number | null;
    readonly networkManager: boolean;
    readonly networkd: boolean;
    /** The text of /etc/dhcpcd.conf; null when dhcpcd is not there. */
    readonly dhcpcdConf: string | null;
    /** Is docker's firewall made of iptables rules? Then flannel's nftables chain cannot open what they close. */
    readonly iptables: boolean;
  };
}

export interface HostFiles {
  readonly files: readonly NodeFile[];
  /** In this order, after the files. */
  readonly commands: readonly NodeCommand[];
}

export const hostFilePaths = {
  modules: '/etc/modules-load.d/flannel.conf',
  // Before 99-sysctl.conf, which is /etc/sysctl.conf: what an administrator wrote there by hand still wins.
  sysctl: '/etc/sysctl.d/99-flannel.conf',
  link: '/etc/systemd/network/50-flannel.link',
  network: '/etc/systemd/network/50-flannel.network',
  networkd: '/etc/systemd/networkd.conf.d/50-flannel.conf',
  networkManager: '/etc/NetworkManager/conf.d/50-flannel.conf',
  dhcpcd: '/etc/dhcpcd.conf',
  forward: '/etc/systemd/system/netctl-forward.service',
} as const;

/** Texts, and the commands that make them take effect. Nothing here changes a policy, flushes a chain or restarts a network service. */
export function hostFiles(wish: HostFilesWish): HostFiles {
  const parts = [
    modules(wish),
    sysctls(wish),
    ...(wish.present.systemdVersion === null ? [] : [macAddress(wish)]),
    ...(wish.present.networkManager ? [networkManager()] : []),
    ...(wish.present.networkd ? [networkd(wish)] : []),
    ...(wish.present.dhcpcdConf === null ? [] : [dhcpcd(wish.present.dhcpcdConf)]),
    ...(needsForwardAccepts(wish) ? [forwardAccepts(wish)] : []),
  ];
  return { files: parts.flatMap(({ files }) => files), commands: parts.flatMap(({ commands }) => commands) };
}

const none: HostFiles = { files: [], commands: [] };

function textFile(path: string, lines: readonly string[], why: string): NodeFile {
  const content = `${writtenByNetctl()}${lines.join('\n')}\n`;
  return { kind: 'file', path, mode: 0o644, content, isSecret: false, why };
}

/** Modules that the kernel does not load by itself in time. */
function modulesOf(wish: HostFilesWish): readonly string[] {
  const byBackend: Readonly<Record<string, string>> = {
    vxlan: 'vxlan',
    ipip: 'ipip',
    wireguard: 'wireguard',
    udp: 'tun',
  };
  const module = byBackend[wish.backend.toLowerCase()];
  return ['br_netfilter', ...(module === undefined ? [] : [module])];
}

function modules(wish: HostFilesWish): HostFiles {
  const names = modulesOf(wish);
  return {
    files: [
      textFile(
        hostFilePaths.modules,
        names,
        'flanneld ends without br_netfilter (v0.26 and later), and the settings of bridges exist only with it',
      ),
    ],
    // One at a time: with several names modprobe takes all but the first for parameters.
    commands: names.map((name) => ({
      argv: ['modprobe', name],
      why: `loads ${name} now, before its settings are made`,
      after: [hostFilePaths.modules],
    })),
  };
}

function sysctls(wish: HostFilesWish): HostFiles {
  const lines = [
    '# Before Docker first starts: when it has to set this itself, it sets the policy of FORWARD to DROP as well.',
    'net.ipv4.ip_forward = 1',
    'net.bridge.bridge-nf-call-iptables = 1',
  ];
  if (wish.ipv6Network !== null) {
    lines.push('net.bridge.bridge-nf-call-ip6tables = 1');
    if (wish.iface !== undefined) {
      lines.push(
        '# First: a host that begins to forward throws away the default route that a router advertised, unless told so.',
        `-net.ipv6.conf.${sysctlName(wish.iface)}.accept_ra = 2`,
      );
    }
    lines.push('net.ipv6.conf.all.forwarding = 1');
  }
  // A minus in front: no error while the interface is not there.
  const loose = [...new Set(wish.strictRpFilter)].sort().map((name) => `net.ipv4.conf.${sysctlName(name)}.rp_filter`);
  if (loose.length > 0) {
    lines.push(
      '# Loose: an answer may come by another interface than the one that leads back. New interfaces take the default.',
      'net.ipv4.conf.default.rp_filter = 2',
      ...loose.map((key) => `-${key} = 2`),
    );
  }
  const [firstLoose, ...moreLoose] = loose.map((key) => `${key}=2`);
  return {
    files: [textFile(hostFilePaths.sysctl, lines, 'packets between containers of two nodes are forwarded by the host')],
    commands: [
      {
        // -e, because procps before 3.3.16 takes the minus for a part of the name.
        argv: ['sysctl', '-e', '-p', hostFilePaths.sysctl],
        why: 'makes the settings now',
        after: [hostFilePaths.sysctl, hostFilePaths.modules],
      },
      ...(firstLoose === undefined
        ? []
        : [
            {
              argv: ['sysctl', '-w', firstLoose, ...moreLoose] as const,
              why: 'lets answers in that come another way, now',
              after: [hostFilePaths.sysctl],
            },
          ]),
    ],
  };
}

/** In a key whose first separator is a dot, dots and slashes change places: `eth0.100` is written `eth0/100`. */
function sysctlName(iface: string): string {
  return iface.replace(/[./]/g, (sign) => (sign === '.' ? '/' : '.'));
}

function macAddress(wish: HostFilesWish): HostFiles {
  if (wish.backend.toLowerCase() !== 'vxlan') return none;
  return {
    files: [
      textFile(
        hostFilePaths.link,
        ['[Match]', 'OriginalName=flannel*', '', '[Link]', 'MACAddressPolicy=none'],
        'udev would give flannel.1 another MAC address than the one that flanneld has told its peers',
      ),
    ],
    commands: [
      {
        argv: ['udevadm', 'control', '--reload'],
        why: 'udev reads the file for the next device; one that is there keeps its address',
        after: [hostFilePaths.link],
      },
    ],
  };
}

const unmanagedLinks = ['flannel*', 'docker0', 'veth*'];

function networkManager(): HostFiles {
  return {
    files: [
      textFile(
        hostFilePaths.networkManager,
        // += adds to what other files say; = would take it away.
        ['[keyfile]', `unmanaged-devices+=${unmanagedLinks.map((name) => `interface-name:${name}`).join(';')}`],
        "NetworkManager takes addresses and routes off links that are not its own, flannel's among them",
      ),
    ],
    commands: [
      {
        argv: ['systemctl', 'reload', 'NetworkManager.service'],
        why: 'NetworkManager reads the file; connections stay as they are',
        after: [hostFilePaths.networkManager],
      },
    ],
  };
}

function networkd(wish: HostFilesWish): HostFiles {
  const backend = wish.backend.toLowerCase();
  const routesOnOwnInterface = backend === 'host-gw' || wish.hasDirectRouting;
  return {
    files: [
      textFile(
        hostFilePaths.network,
        ['[Match]', 'Name=flannel* docker0', '', '[Link]', 'Unmanaged=yes'],
        "networkd takes addresses and routes off flannel's links when another file matches them",
      ),
      ...(routesOnOwnInterface
        ? [
            textFile(
              hostFilePaths.networkd,
              ['[Network]', 'ManageForeignRoutes=no'],
              'networkd removes the routes to the other nodes from its interface whenever it starts',
            ),
          ]
        : []),
    ],
    // Before v244 networkd reads files only when it starts, and to start it anew is not ours.
    commands:
      (wish.present.systemdVersion ?? 0) < 244
        ? []
        : [
            {
              argv: ['networkctl', 'reload'],
              why: 'networkd reads the files of links; the one for itself counts from its next start, which is when it matters',
              after: [hostFilePaths.network],
            },
          ],
  };
}

const blockBegin = '# netctl: begin';
const blockEnd = '# netctl: end';

/** dhcpcd has one file only. The block stands first, because all that follows an `interface` line belongs to that interface. */
function dhcpcd(before: string): HostFiles {
  const rest = withoutNetctlBlock(before);
  const block = [
    blockBegin,
    '# Links of flannel and Docker are not for dhcpcd. netctl keeps what stands up to its end mark; the rest is yours.',
    `denyinterfaces ${unmanagedLinks.join(' ')}`,
    blockEnd,
    '',
  ].join('\n');
  return {
    files: [
      {
        kind: 'file',
        path: hostFilePaths.dhcpcd,
        mode: 0o644,
        content: block + rest,
        isSecret: false,
        why: "dhcpcd gives addresses to flannel's links; it reads the file when it starts next",
      },
    ],
    commands: [],
  };
}

/** The file as it was before netctl: what `node reset` leaves. */
export function withoutNetctlBlock(text: string): string {
  const from = text.indexOf(`${blockBegin}\n`);
  const to = from < 0 ? -1 : text.indexOf(`${blockEnd}\n`, from);
  return to < 0 ? text : text.slice(0, from) + text.slice(to + blockEnd.length + 1);
}

/**
 * Does flanneld leave it to others to let the network's packets through FORWARD? It adds no rules before v0.9.1 or when told
 * so; in nftables mode its accepts stand in a table of their own, where they do not overrule a drop of Docker's iptables rules.
 */
export function needsForwardAccepts(wish: HostFilesWish): boolean {
  if (wish.present.systemdVersion === null || !wish.present.iptables) return false;
  if (!isAtLeast(wish.version, 'v0.9.1') || wish.enableNFTables) return true;
  return !wish.hasForwardRules && isAtLeast(wish.version, 'v0.11.0');
}

function forwardAccepts(wish: HostFilesWish): HostFiles {
  const rules = [
    ...(wish.network === null
      ? []
      : [
          ['iptables', '-s', wish.network],
          ['iptables', '-d', wish.network],
        ]),
    ...(wish.ipv6Network === null
      ? []
      : [
          ['ip6tables', '-s', wish.ipv6Network],
          ['ip6tables', '-d', wish.ipv6Network],
        ]),
  ];
  if (rules.length === 0) return none;
  const command = ([program = '', side = '', network = '']: readonly string[], action: '-A' | '-C' | '-D'): string =>
    `${program} -w 10 ${action} FORWARD ${side} ${network} -m comment --comment netctl:forward -j ACCEPT`;
  const shell = (text: string): string => `/bin/sh -c ${quoteExecWord(text)}`;
  const add = rules.map((rule) => shell(`${command(rule, '-C')} 2>/dev/null || ${command(rule, '-A')}`));
  const remove = rules.map((rule) => shell(`while ${command(rule, '-D')} 2>/dev/null; do :; done`));
  return {
    files: [
      textFile(
        hostFilePaths.forward,
        [
          '[Unit]',
          "Description=Lets the packets of flannel's network through FORWARD",
          'After=network.target docker.service firewalld.service ufw.service',
          '# firewalld takes foreign rules away when it is reloaded.',
          'ReloadPropagatedFrom=firewalld.service',
          '',
          '[Service]',
          'Type=oneshot',
          'RemainAfterExit=yes',
          ...add.map((line) => `ExecStart=${line}`),
          ...add.map((line) => `ExecReload=${line}`),
          ...remove.map((line) => `ExecStop=${line}`),
          '',
          '[Install]',
          'WantedBy=multi-user.target',
        ],
        'flanneld does not let the packets between containers through FORWARD here',
      ),
    ],
    commands: [
      { argv: ['systemctl', 'daemon-reload'], why: 'systemd reads the unit', after: [hostFilePaths.forward] },
      {
        argv: ['systemctl', 'enable', 'netctl-forward.service'],
        why: 'adds the rules at every boot',
        after: [hostFilePaths.forward],
      },
      {
        argv: ['systemctl', 'reload-or-restart', 'netctl-forward.service'],
        why: 'adds the rules now, also when the unit ran before',
        after: [hostFilePaths.forward],
      },
    ],
  };
}
