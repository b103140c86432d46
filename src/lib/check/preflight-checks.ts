import type { NodeSeen } from '../fact/node-facts';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import type { FlannelArchive } from '../net/flannel-archive';
import type { FlannelVersion } from '../net/flannel-version';
import type { Lease } from '../net/lease';
import type { EffectiveConfig } from '../net/network-config';
import type { Problem } from '../net/problem';

/** What is looked at before a node is changed, by the names that `--skip-check` takes. */
export const preflightChecks = [
  { name: 'privileges', about: 'netctl may act as root on the node' },
  { name: 'programs', about: 'the programs are there that bootstrap calls' },
  { name: 'architecture', about: 'flannel is built for this machine, and an archive for it is at hand' },
  { name: 'kernel-version', about: 'the kernel is new enough for the backend' },
  { name: 'kernel-modules', about: 'the kernel has what flannel and Docker need, or can load it' },
  { name: 'ip-forward', about: 'the node forwards packets, or will' },
  { name: 'rp-filter', about: 'answers that come another way are not dropped' },
  { name: 'iptables', about: 'there is one set of iptables rules, and the programs to change it' },
  { name: 'docker', about: 'Docker is there, runs, and lets the packets of the network in' },
  { name: 'cascade', about: 'neither flanneld nor Docker takes other services down with it' },
  { name: 'space', about: 'there is room for what is put on the node' },
  { name: 'clock', about: 'the clocks agree, as TLS needs it' },
  {
    name: 'interface',
    about: 'the interface between the nodes is there, is up and has the address that peers send to',
  },
  { name: 'unique', about: 'no two nodes share an address, a name, an identity or a subnet' },
  { name: 'overlap', about: 'the network takes nobody else’s addresses, nor the way that SSH comes' },
  { name: 'adjacency', about: 'the peers are reached in the way that the backend needs' },
  { name: 'ports', about: 'no other program holds the ports of flanneld' },
  { name: 'firewall', about: 'firewalld, ufw or INPUT rules let the backend’s packets in' },
  { name: 'selinux', about: 'SELinux and the labels of new files' },
  { name: 'release', about: 'the release fits the place of the config, the fleet, and has no known flaw' },
  { name: 'etcd', about: 'etcd answers the node itself' },
  { name: 'certificates', about: 'the certificates for etcd are right' },
  { name: 'service', about: 'systemd or supervisord is there to start flanneld' },
  { name: 'manager', about: 'flanneld on the node is not one of Kubernetes' },
  { name: 'hand-made', about: 'no set-up stands there that somebody made without netctl' },
] as const;

export type PreflightCheck = (typeof preflightChecks)[number]['name'];

export interface PreflightProblem extends Problem {
  /** An error blocks this node; null: every node. */
  readonly node: string | null;
  readonly check: PreflightCheck;
}

export interface PreflightNode {
  readonly node: InventoryNode;
  readonly seen: NodeSeen;
}

export interface PreflightInput {
  readonly inventory: Inventory;
  /** Those that were seen: at most the nodes of the inventory. */
  readonly nodes: readonly PreflightNode[];
  readonly version: FlannelVersion;
  /** The network config as this release takes it; null: there is none, or it is refused. */
  readonly effective: EffectiveConfig | null;
  /** Etcd's addresses as flanneld on the nodes gets them. */
  readonly endpoints: readonly string[];
  /** In which of etcd's two stores the config stands; null when that was not looked for. */
  readonly configIn: 'v2' | 'v3' | 'both' | 'none' | null;
  /** Of the network; empty when there are none. */
  readonly leases: readonly Lease[];
  /** Those at hand, one for each kind of machine. Empty: none was read, and none is asked for. */
  readonly archives: readonly FlannelArchive[];
  /** Of `checkCertificates`; passed through. */
  readonly certificates: readonly Problem[];
  /** Set-ups made by hand are taken over: they are then shown, and block nothing. */
  readonly adopt: boolean;
  readonly skip: ReadonlySet<PreflightCheck>;
}
