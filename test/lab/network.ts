import { type HostShape, internetAddress, type Shape } from './shape';

/** The name of a network namespace of a lab: of `lan`, of the workstation `ws`, or of a host. */
export function namespaceOf(id: string, place: string): string {
  return `nl-${id}-${place}`;
}

/** The lab's cable as it is called on this machine. */
export function machineDevice(id: string): string {
  return `nl-${id}`;
}

/** Where a host's cable goes in, in the LAN's namespace. */
export function portOf(host: string, segment: number): string {
  return `${host}-${segment}`;
}

/** A shell script that lays the LAN: bridges, gateway, "internet", the workstation's cable. */
export function lanScript(shape: Shape): string {
  const { id, mtuBytes: mtu, segments } = shape;
  const lan = namespaceOf(id, 'lan');
  const lines = [
    `ip netns add ${lan}`,
    `ip -n ${lan} link set lo up`,
    `ip -n ${lan} addr add ${internetAddress}/32 dev lo`,
  ];
  lines.push(
    inNamespace(lan, [
      'echo 1 >/proc/sys/net/ipv4/ip_forward',
      // The LAN's cables are not the gateway's business: no iptables on bridged frames, whatever this kernel defaults to.
      'for f in /proc/sys/net/bridge/bridge-nf-call-*; do if [ -e "$f" ]; then echo 0 >"$f"; fi; done',
    ]),
  );
  segments.forEach(({ gateway, prefix }, index) => {
    const bridge = `br${index + 1}`;
    // Fixed, because a bridge else takes the lowest address of its ports, and changes it when the power of a host is cut.
    const address = `02:6c:61:62:00:${(index + 1).toString(16).padStart(2, '0')}`;
    lines.push(`ip -n ${lan} link add ${bridge} address ${address} mtu ${mtu} type bridge stp_state 0 forward_delay 0`);
    lines.push(`ip -n ${lan} addr add ${gateway}/${prefix} dev ${bridge}`, `ip -n ${lan} link set ${bridge} up`);
  });
  const [home] = segments;
  for (const member of shape.etcd?.members ?? []) {
    if (member.place === 'lan' && home !== undefined)
      lines.push(`ip -n ${lan} addr add ${member.address}/${home.prefix} dev br1`);
  }
  lines.push(...workstationLines(shape));
  shape.hosts.forEach((host, index) => {
    if (host.nat) lines.push(...natLines(shape, host, index));
  });
  return `${lines.join('\n')}\n`;
}

function workstationLines({ id, mtuBytes: mtu, segments, workstation, jump }: Shape): readonly string[] {
  const lan = namespaceOf(id, 'lan');
  const own = namespaceOf(id, 'ws');
  const device = workstation === 'machine' ? machineDevice(id) : 'eth0';
  const ip = workstation === 'machine' ? 'ip' : `ip -n ${own}`;
  const [home, ...others] = segments;
  if (home === undefined) return [];
  const lines = workstation === 'machine' ? [] : [`ip netns add ${own}`, `ip -n ${own} link set lo up`];
  const seal = [
    // Whatever the machine's ip_forward says: what comes in by this cable goes nowhere else.
    `echo 0 >/proc/sys/net/ipv4/conf/${device}/forwarding`,
    `if [ -e /proc/sys/net/ipv6/conf/${device} ]; then echo 1 >/proc/sys/net/ipv6/conf/${device}/disable_ipv6; fi`,
  ];
  lines.push(
    `${ip} link add ${device} mtu ${mtu} type veth peer name ws netns ${lan}`,
    workstation === 'machine' ? seal.join('\n') : inNamespace(own, seal),
    `ip -n ${lan} link set ws mtu ${mtu} master br1 up`,
    `${ip} addr add ${home.workstation}/${home.prefix} dev ${device}`,
    `${ip} link set ${device} up`,
  );
  for (const other of others) {
    lines.push(`${ip} route add ${other.network} via ${home.gateway} dev ${device}`);
    // The gateway refuses, and not a route of the workstation: without one, packets would take the machine's way out.
    if (jump) lines.push(`ip -n ${lan} rule add from ${home.workstation} to ${other.network} prohibit`);
  }
  return lines;
}

function natLines({ id, segments, base }: Shape, host: HostShape, index: number): readonly string[] {
  const lan = namespaceOf(id, 'lan');
  const nat = namespaceOf(id, `${host.name}-nat`);
  const link = `nat-${host.name}`;
  const near = `198.51.100.${64 + 2 * index}`;
  const far = `198.51.100.${65 + 2 * index}`;
  return [
    `ip netns add ${nat}`,
    `ip -n ${nat} link set lo up`,
    `ip -n ${nat} link add out type veth peer name ${link} netns ${lan}`,
    `ip -n ${lan} addr add ${near}/31 dev ${link}`,
    `ip -n ${lan} link set ${link} up`,
    `ip -n ${nat} addr add ${far}/31 dev out`,
    `ip -n ${nat} link set out up`,
    `ip -n ${nat} route add default via ${near}`,
    // A NAT like Vagrant's leads out, and not to the other machines.
    ...segments.map(({ network }) => `ip -n ${lan} rule add iif ${link} to ${network} prohibit`),
    inNamespace(nat, [
      'echo 1 >/proc/sys/net/ipv4/ip_forward',
      `chroot '${base.root}' nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; add rule ip nat post oifname "out" masquerade'`,
    ]),
  ];
}

/** A shell script that plugs a host in, run before each boot: a namespace as new as a machine's kernel is. */
export function plugScript(shape: Shape, host: HostShape): string {
  const { id, mtuBytes: mtu, segments } = shape;
  const lan = namespaceOf(id, 'lan');
  const own = namespaceOf(id, host.name);
  const lines = [
    `ip netns add ${own}`,
    `ip -n ${own} link set lo up`,
    inNamespace(own, ['echo 0 >/proc/sys/net/ipv4/ip_forward']),
  ];
  if (host.nat) {
    const nat = namespaceOf(id, `${host.name}-nat`);
    lines.push(
      `ip -n ${nat} link add host type veth peer name eth0 netns ${own}`,
      `ip -n ${nat} addr add 10.0.2.2/24 dev host`,
      `ip -n ${nat} link set host up`,
      `ip -n ${own} addr add 10.0.2.15/24 dev eth0`,
      `ip -n ${own} link set eth0 up`,
      `ip -n ${own} route add default via 10.0.2.2`,
    );
  }
  for (const nic of host.nics) {
    const port = portOf(host.name, nic.segment);
    lines.push(
      `ip -n ${own} link add ${nic.device} address ${nic.mac} mtu ${mtu} type veth peer name ${port} netns ${lan}`,
      `ip -n ${lan} link set ${port} mtu ${mtu} master br${nic.segment}`,
      // A cable that was cut stays cut over a boot.
      `if [ ! -e cut ]; then ip -n ${lan} link set ${port} up; fi`,
      `ip -n ${own} addr add ${nic.address}/${nic.prefix} brd + dev ${nic.device}`,
      `ip -n ${own} link set ${nic.device} up`,
    );
  }
  const [first] = host.nics;
  const home = segments[host.segment - 1];
  if (first !== undefined && home !== undefined) {
    const reached = new Set(host.nics.map((nic) => nic.segment));
    const others = segments.filter((_, index) => !reached.has(index + 1)).map((segment) => segment.network);
    // `onlink`: the route stands even while the cable is cut.
    const targets = host.nat ? others : ['default'];
    lines.push(...targets.map((to) => `ip -n ${own} route add ${to} via ${home.gateway} dev ${first.device} onlink`));
  }
  return `${lines.join('\n')}\n`;
}

/** A shell script that takes a host off the LAN at once, and its kernel's state with it; it never fails. */
export function unplugScript({ id }: Shape, host: HostShape): string {
  const lan = namespaceOf(id, 'lan');
  const lines = host.nics.map((nic) => `ip -n ${lan} link del ${portOf(host.name, nic.segment)} 2>/dev/null || :`);
  if (host.nat) lines.push(`ip -n ${namespaceOf(id, `${host.name}-nat`)} link del host 2>/dev/null || :`);
  lines.push(`ip netns del ${namespaceOf(id, host.name)} 2>/dev/null || :`);
  return `${lines.join('\n')}\n`;
}

function inNamespace(namespace: string, lines: readonly string[]): string {
  return `nsenter --net=/run/netns/${namespace} sh -eu <<'INSIDE'\n${lines.join('\n')}\nINSIDE`;
}
