import { expect } from 'vitest';
import type { Lab, LabHost } from './lab';
import { type LabNetctl, labAccess, netctlOn } from './netctl';

/** The third seed's two nodes as they are when flannel runs: docker0 on the subnet, routes, subnet.env. flanneld itself is not needed here. */
const nodes = [
  { name: 'node1', address: '10.4.7.21', subnet: '172.7.21.0/24', third: 21 },
  { name: 'node2', address: '10.4.7.22', subnet: '172.7.22.0/24', third: 22 },
] as const;

/** What is gone after a boot: routes, accepts and subnet.env, which flanneld would make again. */
export async function bringUp(lab: Lab, ipMasq = false): Promise<void> {
  await Promise.all(
    nodes.map(async ({ name, third }) => {
      const ways = nodes.filter((other) => other.name !== name);
      await lab.host(name).must(
        [
          'mkdir -p /run/flannel',
          `printf 'FLANNEL_NETWORK=172.7.0.0/16\\nFLANNEL_SUBNET=172.7.${third}.1/24\\nFLANNEL_MTU=1500\\nFLANNEL_IPMASQ=${ipMasq}\\n' >/run/flannel/subnet.env`,
          ...ways.map(({ subnet, address }) => `ip route replace ${subnet} via ${address}`),
          // As flanneld does: Docker's policy of FORWARD is DROP.
          'for side in -s -d; do iptables -C FORWARD $side 172.7.0.0/16 -j ACCEPT 2>/dev/null || iptables -A FORWARD $side 172.7.0.0/16 -j ACCEPT; done',
        ].join(' && '),
      );
    }),
  );
}

export async function makeNodes(lab: Lab, ipMasq = false): Promise<LabNetctl> {
  await bringUp(lab, ipMasq);
  await Promise.all(
    nodes.map(({ name, third }) =>
      lab.host(name).must(`echo '{"bip": "172.7.${third}.1/24"}' >/etc/docker/daemon.json && systemctl restart docker`),
    ),
  );
  await lab.host('node2').must('docker run -d --restart always --name web lab.image httpd -f -vv -p 80 -h /www');
  const { ssh } = labAccess(lab);
  return netctlOn(lab, {
    ssh,
    network: { cidr: '172.7.0.0/16' },
    nodes: nodes.map(({ name, address, subnet }) => ({ name, address, subnet })),
  });
}

/** Which address the web server on node2 sees; the page of its own that busybox httpd makes. */
export async function seenBy(lab: Lab, address = '172.7.22.2'): Promise<string> {
  const { stdout } = await lab
    .host('node1')
    .run(`docker run --rm lab.image wget -qO- http://${address}/cgi-bin/address`);
  // Which of its subnet Docker gives the container does not matter.
  return stdout.trim().replace(/^(172\.7\.21\.)\d+$/, '$1x');
}

/** Which address a server outside sees. */
export async function seenOutside(lab: Lab): Promise<string> {
  const { stdout } = await lab.host('node1').run(`docker run --rm lab.image wget -qO- ${lab.internet.url}`);
  return stdout.trim();
}

/**
 * Waits until the narrower rule is there and Docker's is not. Before that nothing is sent: a connection that begins without NAT has none
 * to its end.
 */
export async function untilMended(host: LabHost, program = 'iptables'): Promise<void> {
  await expect
    .poll(
      async () =>
        (await host.run(`${program} -t nat -S POSTROUTING`)).stdout
          .split('\n')
          .filter((line) => line.includes('-s 172.7.21.0/24'))
          .map((line) => line.includes('netctl:masquerade')),
      { timeout: 20_000, interval: 200 },
    )
    .toEqual([true]);
}

/** All rules without counters and dates, in their order. */
export async function rulesOf(host: LabHost, program = 'iptables-save'): Promise<readonly string[]> {
  return (await host.must(program))
    .split('\n')
    .filter((line) => !line.startsWith('#') && line !== '')
    .map((line) => line.replace(/ \[[0-9:]*\]$/, ''));
}

/** What others keep on a machine: fail2ban, kube-proxy, a person with quotes. */
export const rulesOfOthers = `iptables -N f2b-sshd
iptables -A f2b-sshd -s 203.0.113.7/32 -j REJECT
iptables -A f2b-sshd -j RETURN
iptables -I INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
iptables -t nat -N KUBE-POSTROUTING
iptables -t nat -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
iptables -t nat -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE
iptables -t nat -I POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
iptables -t nat -A POSTROUTING -s 10.9.9.0/24 -m comment --comment 'a "quoted" \\ word, $HOME' -j MASQUERADE
iptables -t nat -A POSTROUTING -s 172.18.0.0/16 ! -o br-aaaaaaaaaaaa -j MASQUERADE`;
