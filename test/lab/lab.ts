import type { EtcdCertificates } from './etcd-certificates';
import type { ExecOptions, Output } from './exec';
import type { HostShape, Shape } from './shape';
import type { SshAccess } from './ssh-access';

/** A line for `sh -c`, or words. */
export type LabCommand = string | readonly [string, ...string[]];

export interface LabHost {
  readonly name: string;
  /** Where SSH reaches it, in its segment's network. */
  readonly address: string;
  readonly shape: HostShape;
  /** Its root file system as this machine sees it. To look while it runs; to write when it is off. */
  readonly root: string;
  /** Runs a command in it as root, past the network: it works with the cable cut and sshd down. */
  run(command: LabCommand, options?: ExecOptions): Promise<Output>;
  /** As `run`, gives its standard output, and throws LabError unless it exits with 0. */
  must(command: LabCommand, options?: ExecOptions): Promise<string>;
  /** The words that run a command in it, for a spawn of the caller's own. Throws LabError when it is off. */
  words(command: LabCommand): Promise<readonly [string, ...string[]]>;
  isOn(): Promise<boolean>;
  /** False between `cut` and `heal`. */
  hasCable(): Promise<boolean>;
  /** `systemctl reboot`, and waits until it is up again. Gives systemd's word on it. */
  reboot(options?: BootOptions): Promise<BootState>;
  /** Off in the middle of whatever it does, without a packet of farewell. What was written stays (as with a fast disk). */
  powerCut(): Promise<void>;
  /** Boots a host that is off. */
  powerOn(options?: BootOptions): Promise<BootState>;
  /** Pulls its cable out: no carrier on either side, until `heal`, over reboots. */
  cut(): Promise<void>;
  heal(): Promise<void>;
  /** It stops where it stands: its kernel still answers pings and takes connections, no process does. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** What its console showed, all boots. */
  console(): Promise<string>;
}

export interface BootOptions {
  /** Waiting for the end of the boot, 90 unless told; then the state is given as it is. */
  readonly timeoutSeconds?: number;
}

export interface BootState {
  /** `running`, `degraded`, `starting` … as `systemctl is-system-running` says. */
  readonly state: string;
  readonly failedUnits: readonly string[];
}

export interface LabEtcd {
  /** `https://10.4.7.12:2379`, …, in the members' order. */
  readonly endpoints: readonly string[];
  /** Null without TLS. */
  readonly certificates: EtcdCertificates | null;
  /** etcdctl (API 3) against all members, with the client's certificate. */
  ctl(...args: readonly string[]): Promise<Output>;
  /** Ends the member there, or all members; `place` is `lan` or a host's name. */
  stop(place?: string): Promise<void>;
  start(place?: string): Promise<void>;
}

export interface Lab {
  readonly id: string;
  readonly folder: string;
  readonly shape: Shape;
  readonly hosts: readonly LabHost[];
  /** Throws LabError when there is none of that name. */
  host(name: string): LabHost;
  readonly ssh: SshAccess;
  /** Null when the lab was started without. */
  readonly etcd: LabEtcd | null;
  /** Where the administrator sits, and netctl runs. */
  readonly workstation: {
    readonly address: string;
    /** The words that run `command` there: for a spawn of the caller's own. */
    words(command: LabCommand): readonly [string, ...string[]];
    run(command: LabCommand, options?: ExecOptions): Promise<Output>;
  };
  /** An HTTP server outside; each page is the client's address as it arrived. */
  readonly internet: {
    readonly address: string;
    readonly url: string;
    /** The addresses of all who came, in order. */
    visitors(): Promise<readonly string[]>;
  };
  /** Removes the lab without a trace. May be called twice. */
  stop(): Promise<void>;
}
