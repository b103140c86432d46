/**
 * The content of a `netctl.yaml` that was found valid. Keys that the file does not have are absent here too: defaults are
 * the business of whoever uses a value, and stand in `key-reference.ts`. Paths are absolute.
 */
export interface Inventory {
  /** Absolute path of the file. */
  readonly file: string;
  readonly etcd: EtcdSection;
  readonly network: NetworkSection;
  readonly flannel: FlannelSection;
  readonly docker: DockerSection;
  /** How every node is reached, unless the node says otherwise. */
  readonly ssh: SshSection;
  readonly nodes: readonly InventoryNode[];
  /** Line of each key, by its path: `etcd.endpoints`, `nodes[2].ssh.user`. */
  readonly lines: ReadonlyMap<string, number>;
}

/** How netctl itself reaches etcd, from the workstation. */
export interface EtcdSection {
  /** As written, comma lists split; `normalizeEndpoints` makes addresses of them. */
  readonly endpoints?: readonly string[];
  readonly prefix?: string;
  readonly api?: 'auto' | 'v2' | 'v3';
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly timeoutSeconds?: number;
}

export type BackendOptionValue = string | number | boolean;

/** What `netctl init-network` writes when it is not told otherwise. */
export interface NetworkSection {
  readonly cidr?: string;
  readonly subnetLen?: number;
  readonly subnetMin?: string;
  readonly subnetMax?: string;
  readonly ipv6Cidr?: string;
  readonly ipv6SubnetLen?: number;
  readonly ipv6SubnetMin?: string;
  readonly ipv6SubnetMax?: string;
  readonly enableNFTables?: boolean;
  readonly backend?: {
    readonly type: string;
    /** flannel's own names: `VNI`, `Port`, `DirectRouting`. */
    readonly options: Readonly<Record<string, BackendOptionValue>>;
  };
  /** Ranges that the network must not overlap. */
  readonly avoid: readonly string[];
}

/** How flanneld is installed and run on the nodes. */
export interface FlannelSection {
  readonly version?: string;
  readonly archive?: string;
  /** Lower-case hex. */
  readonly sha256?: string;
  readonly installDir?: string;
  readonly service?: 'systemd' | 'supervisord';
  readonly iface?: string;
  readonly ifaceRegex?: string;
  readonly ifaceCanReach?: string;
  readonly ipMasq?: boolean;
  readonly subnetFile?: string;
  readonly healthzIP?: string;
  readonly healthzPort?: number;
  /** How flanneld reaches etcd; each absent key is that of the section `etcd`. */
  readonly etcd: {
    readonly endpoints?: readonly string[];
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly certDir?: string;
    readonly user?: string;
    readonly passwordFile?: string;
  };
  /** Further flags of flanneld, without dashes in front. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

export interface DockerSection {
  readonly style?: 'daemon-json' | 'options-file';
  readonly daemonJson?: string;
  readonly optionsFile?: string;
  readonly service?: string;
  readonly restartTimeoutSeconds?: number;
}

export interface SshSection {
  readonly user?: string;
  readonly port?: number;
  readonly identityFile?: string;
  /** `[user@]host[:port]`, several with commas, the first one first. */
  readonly jump?: string;
  readonly sudo?: 'none' | 'nopasswd' | 'password';
  readonly knownHosts?: string;
  readonly hostKey?: 'strict' | 'accept-new' | 'off';
  readonly connectTimeoutSeconds?: number;
}

export interface InventoryNode {
  readonly name: string;
  /** Where SSH reaches it; the name when the file gives no address. */
  readonly address: string;
  /** The address that peers send to: as given, else `address` when that is an IPv4 address other machines could reach. */
  readonly publicIP?: string;
  readonly publicIPv6?: string;
  readonly iface?: string;
  /** The subnet that this node shall have, `172.7.21.0/24`. */
  readonly subnet?: string;
  /** The node's own keys over those of the section `ssh`. */
  readonly ssh: SshSection;
  readonly labels: readonly string[];
}
