import type { ProbeFailure } from '../fact/probe-line';
import type { ProbedPath, ProbeTest } from '../fact/probed-path';

/** What is wrong on a path on which something did not arrive. */
export type PathFault = 'path-dead' | 'path-mtu' | 'path-protocol';

/** A path with its verdict. */
export interface VerifiedPath extends ProbedPath {
  /** `masqueraded`: everything arrived, with another source address than the container's. */
  readonly state: 'ok' | 'masqueraded' | 'failed' | 'unknown';
  /** Null unless `failed`. */
  readonly fault: PathFault | null;
  /** What was seen of the fault, one clause; null unless `failed`. */
  readonly clue: string | null;
  /** Source addresses that are not the container's own, as the far side saw them. */
  readonly otherSources: readonly string[];
  /** The shortest. */
  readonly roundTripMicroseconds: number | null;
}

/** Judges one path by what became of its packets. */
export function verifyPath(path: ProbedPath): VerifiedPath {
  const answered = path.tests.flatMap(({ outcome }) => (outcome.kind === 'answered' ? outcome : []));
  const failed = path.tests.filter(({ outcome }) => outcome.kind === 'failed');
  // To the node itself and to the outside a container goes by its node's address: that is as it should be.
  const otherSources =
    path.leg === 'container-to-container'
      ? [...new Set(answered.flatMap(({ source }) => (source === null || source === path.sender ? [] : source)))]
      : [];
  const times = answered.flatMap(({ roundTripMicroseconds: each }) => each ?? []);
  const fault = faultOf(path.tests, failed);
  const state =
    fault !== null
      ? 'failed'
      : otherSources.length > 0
        ? 'masqueraded'
        : answered.length < path.tests.length
          ? 'unknown'
          : 'ok';
  return {
    ...path,
    state,
    fault,
    clue: fault === null ? null : clueOf(fault, path.tests),
    otherSources,
    roundTripMicroseconds: times.length === 0 ? null : Math.min(...times),
  };
}

function faultOf(tests: readonly ProbeTest[], failed: readonly ProbeTest[]): PathFault | null {
  if (failed.length === 0) return null;
  if (tests.every(({ outcome }) => outcome.kind !== 'answered')) return 'path-dead';
  // A small packet that arrives where a large one does not is the mark of an MTU.
  const isBySize = failed.every(
    ({ protocol, size }) =>
      size === 'large' &&
      tests.some((other) => other.protocol === protocol && other.size === 'small' && other.outcome.kind !== 'failed'),
  );
  return isBySize ? 'path-mtu' : 'path-protocol';
}

function clueOf(fault: PathFault, tests: readonly ProbeTest[]): string {
  const failed = tests.filter(({ outcome }) => outcome.kind === 'failed');
  const all = [...new Set(failed.flatMap((test) => failureOf(test) ?? []).map(failureText))];
  // Whoever says why knows more than silence.
  const told = all.filter((text) => text !== silence);
  const why = (told.length > 0 ? told : all).join('; ');
  switch (fault) {
    case 'path-dead':
      return why;
    case 'path-mtu': {
      const what = failed.map(({ protocol, bytes }) => `${protocol.toUpperCase()} of ${bytes} bytes`);
      return `${what.join(', ')}: ${why}`;
    }
    case 'path-protocol': {
      const lost = protocolsOf(failed);
      const arrived = protocolsOf(tests).filter((protocol) => !lost.includes(protocol));
      const rest = arrived.length === 0 ? '' : `; all of ${arrived.join(' and ')} arrives`;
      return `${lost.join(' and ')}: ${why}${rest}`;
    }
    default:
      return fault satisfies never;
  }
}

function protocolsOf(tests: readonly ProbeTest[]): readonly string[] {
  return [...new Set(tests.map(({ protocol }) => protocol.toUpperCase()))];
}

function failureOf({ outcome }: ProbeTest): ProbeFailure | null {
  return outcome.kind === 'failed' ? outcome.failure : null;
}

const silence = 'nothing came back';

/** What an ICMP echo is told; it has no port, so only a firewall can call one closed. */
const unreachable: Readonly<Record<number, string>> = {
  0: 'it has no route there',
  1: 'nobody answers at that address',
  3: 'a firewall refuses it',
  4: 'the packet is too large',
  9: 'a firewall forbids it',
  10: 'a firewall forbids it',
  13: 'a firewall forbids it',
};

const kernelWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused (ECONNREFUSED)',
  ECONNRESET: 'the connection was cut (ECONNRESET)',
  ENETUNREACH: 'there is no route (ENETUNREACH)',
  EHOSTUNREACH: 'nobody answers at that address, or a firewall says so (EHOSTUNREACH)',
  EPERM: 'a firewall of the node forbids it (EPERM)',
  EACCES: 'a firewall or a route of the node forbids it (EACCES)',
  EMSGSIZE: 'the packet is too large (EMSGSIZE)',
};

/** One clause about one packet. */
export function failureText(failure: ProbeFailure): string {
  switch (failure.kind) {
    case 'timeout':
      return silence;
    case 'wrong-answer':
      return 'something else answered';
    case 'closed':
      return 'the connection was closed before the answer';
    case 'errno':
      return kernelWords[failure.name] ?? failure.name;
    case 'icmp': {
      const { type, code, mtu, from } = failure;
      if (type === 11) return `${from} says that the packet went in a circle`;
      if (type === 3 && code === 4 && mtu !== null) return `${from} passes on ${mtu} bytes at most`;
      return `${from} says: ${(type === 3 ? unreachable[code] : undefined) ?? `ICMP type ${type}, code ${code}`}`;
    }
    default:
      return failure satisfies never;
  }
}
