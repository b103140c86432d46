import type { ProbeFailure } from './probe-line';

/** Which way packets go. `container` is the probe's endpoint on the node's bridge, `node` the machine itself, by its public IP. */
export type ProbeLeg = 'container-to-container' | 'container-to-node' | 'node-to-container' | 'container-to-outside';

export type ProbeOutcome =
  | {
      readonly kind: 'answered';
      /** Which source address arrived on the far side; null for ICMP and for what lies outside. */
      readonly source: string | null;
      /** By the kernel's measure of a TCP connection; null for all else. */
      readonly roundTripMicroseconds: number | null;
    }
  | { readonly kind: 'failed'; readonly failure: ProbeFailure }
  | { readonly kind: 'unknown'; readonly why: string };

export interface ProbeTest {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  /** `large`: TCP and UDP need several packets, ICMP is exactly as large as the MTU and must not be cut in pieces. */
  readonly size: 'small' | 'large';
  /** Of the payload; for ICMP of the whole packet. */
  readonly bytes: number;
  readonly outcome: ProbeOutcome;
}

/** One way between two nodes and what was sent on it. */
export interface ProbedPath {
  readonly from: string;
  /** The node's name; for the leg outside the address. */
  readonly to: string;
  readonly leg: ProbeLeg;
  /** What a source address is compared with: the endpoint's; null where the kernel chooses it. */
  readonly sender: string | null;
  readonly tests: readonly ProbeTest[];
}
