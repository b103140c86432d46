import type { KnownHostsFiles } from './known-hosts-file';

/**
 * What to do with a host key that no file knows.
 * `strict`: refuse it. `accept-new`: record it and go on. `off`: go on without recording it.
 * A key that changed or was revoked is refused whatever the policy: to forget the old one is a person's decision.
 */
export type HostKeyPolicy = 'strict' | 'accept-new' | 'off';

/** A private key, or the public part of one that the agent holds. */
export interface IdentityFile {
  readonly file: string;
  /** Somebody named it: it is worth a word when it is not there. */
  readonly isNamed: boolean;
}

/** Everything needed to get into a host by SSH: nothing is left to look up but its address. */
export interface SshTarget {
  /** The node's name: messages begin with it. */
  readonly name: string;
  readonly hostName: string;
  readonly port: number;
  readonly user: string;
  /** Tried in order, after the agent's keys as OpenSSH does. */
  readonly identityFiles: readonly IdentityFile[];
  /** netctl's own setting names these: they go first, so that an agent full of keys does not use up the tries. */
  readonly preferredIdentityFiles: readonly string[];
  /** Only keys of identity files, though the agent may hold them. */
  readonly identitiesOnly: boolean;
  /** Path of the agent's socket. */
  readonly agentSocket?: string;
  readonly allowsPublicKey: boolean;
  readonly allowsPassword: boolean;
  readonly allowsKeyboardInteractive: boolean;
  readonly passwordPrompts: number;
  readonly knownHosts: KnownHostsFiles;
  /** The name that known_hosts files have for it, instead of host name and port. */
  readonly hostKeyAlias?: string;
  readonly hostKey: HostKeyPolicy;
  readonly hashKnownHosts: boolean;
  /** Of each step: the TCP connection, the handshake, each answer to a login. A person may take longer. */
  readonly connectTimeoutMs: number;
  readonly addressFamily?: 4 | 6;
  /** In the order in which they are passed through; empty when it is reached directly. */
  readonly jumps: readonly SshTarget[];
}

/** `user@host:port` for messages; without the port when it is 22. */
export function describeTarget(target: Pick<SshTarget, 'user' | 'hostName' | 'port'>): string {
  const host = target.hostName.includes(':') ? `[${target.hostName}]` : target.hostName;
  return `${target.user}@${host}${target.port === 22 ? '' : `:${target.port}`}`;
}
