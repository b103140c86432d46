import { parseIpv4 } from '../net/ipv4';

/** Why a packet of the probe did not get its answer. */
export type ProbeFailure =
  | { readonly kind: 'timeout' }
  /** Something answered that is not the responder of this run, or it saw another number of bytes. */
  | { readonly kind: 'wrong-answer' }
  /** The connection ended before the answer. */
  | { readonly kind: 'closed' }
  /** The kernel's word for it: `ECONNREFUSED`, `EHOSTUNREACH`. */
  | { readonly kind: 'errno'; readonly name: string }
  /** A machine on the way said so (RFC 792); `mtu` in bytes where it said that a packet is too large, else null. */
  | {
      readonly kind: 'icmp';
      readonly type: number;
      readonly code: number;
      readonly mtu: number | null;
      readonly from: string;
    };

/** One line of what a node says while it is probed. */
export type ProbeLine =
  /** The interpreter that there is, and that waits for its program. */
  | { readonly kind: 'language'; readonly language: 'perl' | 'python' }
  | { readonly kind: 'unready'; readonly why: string }
  | {
      readonly kind: 'ready';
      readonly address: string;
      readonly tcpPort: number;
      readonly udpPort: number;
      /** In the node's own network, on its public IP; null when that is no address of the node. */
      readonly node: { readonly tcpPort: number; readonly udpPort: number } | null;
    }
  | {
      readonly kind: 'answered';
      readonly job: number;
      /** By the kernel's measure of a TCP connection; null for all else. */
      readonly roundTripMicroseconds: number | null;
      /** As the far side saw it; null for ICMP, which it answers without us. */
      readonly source: string | null;
      /** As the far side counted them. */
      readonly bytes: number;
    }
  | { readonly kind: 'failed'; readonly job: number; readonly failure: ProbeFailure }
  /** This node could not even try. */
  | { readonly kind: 'not-tried'; readonly job: number; readonly why: string }
  | { readonly kind: 'end' };

/** The longest line that a node has a reason to write. */
export const longestProbeLine = 512;

/** Strictly: whatever is not exactly one of these lines is `undefined`. */
export function parseProbeLine(line: string): ProbeLine | undefined {
  if (line.length > longestProbeLine) return undefined;
  const [word = '', ...words] = line.split(' ');
  switch (word) {
    case 'netctl-probe':
      return words.length === 1 && (words[0] === 'perl' || words[0] === 'python')
        ? { kind: 'language', language: words[0] }
        : undefined;
    case 'unready':
      return { kind: 'unready', why: words.join(' ').trim().slice(0, 300) || 'it gave no reason' };
    case 'ready':
      return readyLine(words);
    case 'r':
      return resultLine(words);
    case 'end':
      return words.length === 0 ? { kind: 'end' } : undefined;
    default:
      return undefined;
  }
}

function readyLine(words: readonly string[]): ProbeLine | undefined {
  const [address, ...rest] = words;
  const [tcpPort, udpPort, nodeTcp, nodeUdp] = rest.map((each) => numberOf(each, 65_535));
  if (address === undefined || parseIpv4(address) === undefined || words.length !== 5) return undefined;
  if (tcpPort === undefined || udpPort === undefined || nodeTcp === undefined || nodeUdp === undefined)
    return undefined;
  if (tcpPort === 0 || udpPort === 0) return undefined;
  const node = nodeTcp === 0 || nodeUdp === 0 ? null : { tcpPort: nodeTcp, udpPort: nodeUdp };
  return { kind: 'ready', address, tcpPort, udpPort, node };
}

function resultLine([id, word, ...words]: readonly string[]): ProbeLine | undefined {
  const job = numberOf(id, 99_999_999);
  if (job === undefined) return undefined;
  if (word === 'ok') {
    const [rtt, source, , bytes] = words;
    const roundTripMicroseconds = rtt === '-' ? null : numberOf(rtt, 4_294_967_295);
    const seen = numberOf(bytes, 65_535);
    if (words.length !== 4 || roundTripMicroseconds === undefined || seen === undefined) return undefined;
    if (source === undefined || (source !== '-' && parseIpv4(source) === undefined)) return undefined;
    return { kind: 'answered', job, roundTripMicroseconds, source: source === '-' ? null : source, bytes: seen };
  }
  if (word !== 'no') return undefined;
  const [reason = ''] = words;
  if (reason === 'no-raw-socket' && words.length === 1) {
    return { kind: 'not-tried', job, why: 'it may open no raw socket, which ICMP needs' };
  }
  const failure = failureOf(reason, words.slice(1));
  return failure === undefined ? undefined : { kind: 'failed', job, failure };
}

function failureOf(reason: string, words: readonly string[]): ProbeFailure | undefined {
  if (reason === 'icmp') {
    const [type, code, mtu] = words.map((each) => numberOf(each, 65_535));
    const from = words[3];
    if (words.length !== 4 || from === undefined || parseIpv4(from) === undefined) return undefined;
    if (type === undefined || code === undefined || mtu === undefined || type > 255 || code > 255) return undefined;
    return { kind: 'icmp', type, code, mtu: mtu === 0 ? null : mtu, from };
  }
  if (words.length > 0) return undefined;
  if (reason === 'timeout' || reason === 'wrong-answer' || reason === 'closed') return { kind: reason };
  if (reason === 'ETIMEDOUT') return { kind: 'timeout' };
  return /^E[A-Z0-9]{1,20}$/.test(reason) ? { kind: 'errno', name: reason } : undefined;
}

function numberOf(text: string | undefined, greatest: number): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= greatest ? value : undefined;
}
