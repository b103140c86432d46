import { answerLines } from './answer-text';
import { type Fact, known, nothingElse, shellCommand } from './fact';

/**
 * Kernel settings by their path below /proc/sys, such as `net/ipv4/ip_forward`: a name with dots would be ambiguous for eth0.100.
 * What is not there is not in the map: `net/bridge/…` exists only while br_netfilter is loaded.
 */
export type KernelSettings = ReadonlyMap<string, string>;

/** What flannel, Docker and the paths of packets depend on. `*` stands for every interface. */
const paths = [
  'net/ipv4/ip_forward',
  'net/ipv4/conf/*/rp_filter',
  'net/ipv4/conf/*/forwarding',
  'net/ipv4/conf/*/route_localnet',
  'net/ipv6/conf/all/forwarding',
  'net/ipv6/conf/all/disable_ipv6',
  'net/bridge/bridge-nf-call-iptables',
  'net/bridge/bridge-nf-call-ip6tables',
  'net/ipv4/neigh/default/gc_thresh1',
  'net/ipv4/neigh/default/gc_thresh2',
  'net/ipv4/neigh/default/gc_thresh3',
  'net/netfilter/nf_conntrack_max',
  'net/netfilter/nf_conntrack_count',
];

export const kernelSettings: Fact<KernelSettings> = {
  name: 'kernel-settings',
  command: {
    // A shell's `read` takes byte by byte, and these files give only the first to one who asks like that.
    ...shellCommand(`cd /proc/sys && { grep -s -H '' ${paths.join(' ')}; :; }`),
    maxOutputBytes: 1024 * 1024,
  },
  requires: nothingElse,
  parse(output) {
    const settings = new Map<string, string>();
    for (const line of answerLines(output.stdout)) {
      const match = /^([!-9;-~]{1,100}):(-?\d{1,20}(?:\s+-?\d{1,20})*)$/.exec(line);
      if (match?.[1] !== undefined && match[2] !== undefined) settings.set(match[1], match[2]);
    }
    return known(settings);
  },
};

/** The kernel takes the stricter of `all` and the interface's own; null when neither could be read. */
export function reversePathFilter(settings: KernelSettings, device: string): 0 | 1 | 2 | null {
  const values = ['all', device]
    .map((name) => settings.get(`net/ipv4/conf/${name}/rp_filter`))
    .filter((value) => value !== undefined)
    .map(Number);
  if (values.length === 0) return null;
  const greatest = Math.max(...values);
  return greatest === 1 || greatest === 2 ? greatest : 0;
}
