import type { LabHost } from './lab';

/** What a person would compare on a host before and after: files, units, addresses, routes, rules. */
export interface NodeSnapshot {
  /** Kind, mode, owner, path, target and, for small ones below /etc and /usr/local, the sum. */
  readonly files: readonly string[];
  readonly units: readonly string[];
  readonly links: readonly string[];
  readonly routes: readonly string[];
  /** Of all tables of both front ends, without counters and dates. */
  readonly rules: readonly string[];
}

/** What changes by itself: the state of Docker and containerd, logs, temporary files. */
const passedOver = [
  '/proc',
  '/sys',
  '/dev',
  '/tmp',
  '/root',
  '/var/log',
  '/var/tmp',
  '/var/lib/docker',
  '/var/lib/containerd',
  '/var/lib/systemd',
  '/run/docker',
  '/run/containerd',
  '/run/log',
  '/run/systemd',
  '/run/udev',
  '/run/user',
  '/run/lock',
];

const filesScript = `find / \\( ${passedOver.map((path) => `-path ${path}`).join(' -o ')} \\) -prune -o -printf '%y %m %u %p %l\\n' | grep -v -E '\\.pid |/run/(docker|netns|sshd|xtables|motd)|\\.sock ' | sort
find /etc /usr/local -xdev -type f -exec sha256sum {} + | sort -k 2`;

export async function nodeSnapshot(host: LabHost): Promise<NodeSnapshot> {
  const lines = async (command: string): Promise<readonly string[]> =>
    (await host.must(command)).split('\n').filter((line) => line !== '');
  return {
    files: await lines(filesScript),
    units: await lines('systemctl list-unit-files --no-legend --no-pager | sort'),
    links: await lines("ip -br addr | awk '{ print $1, $3 }' | sed 's/@[^ ]*//' | sort"),
    routes: await lines("ip -4 route show table all | sed 's/ linkdown//' | sort"),
    rules: await lines(
      "{ iptables-save; iptables-legacy-save; nft list tables; } 2>/dev/null | grep -v '^#' | sed 's/ \\[[0-9:]*\\]//'",
    ),
  };
}
