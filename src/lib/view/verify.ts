import type { VerifiedPath } from '../check/verified-path';
import type { ProbeLeg } from '../fact/probed-path';
import type { Problem } from '../net/problem';
import type { Cell, ListView } from './list';
import type { Tone } from './style';

/** A node of a `verify` in the words of the public document. */
export interface VerifiedNodeItem {
  readonly name: string;
  readonly state: 'probed' | 'unknown' | 'unreachable';
  /** What a container there would have; null unless `probed`. */
  readonly address: string | null;
  readonly bridge: string | null;
  readonly mtu: number | null;
  /** Null when `probed`. */
  readonly why: string | null;
}

export interface VerifiedTestItem {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly size: 'small' | 'large';
  readonly bytes: number;
  readonly state: 'answered' | 'failed' | 'unknown';
  /** As it arrived on the far side. */
  readonly source: string | null;
  readonly roundTripMicroseconds: number | null;
  readonly why: string | null;
}

export interface VerifiedPathItem {
  readonly from: string;
  readonly to: string;
  readonly leg: ProbeLeg;
  readonly state: VerifiedPath['state'];
  readonly fault: VerifiedPath['fault'];
  /** Which address the packets had when they were sent; null where the kernel chose it. */
  readonly sender: string | null;
  readonly sources: readonly string[];
  readonly roundTripMicroseconds: number | null;
  readonly tests: readonly VerifiedTestItem[];
}

export interface VerifyDocument {
  readonly answerTimeoutSeconds: number;
  readonly nodes: readonly VerifiedNodeItem[];
  readonly counts: Readonly<Record<VerifiedPath['state'], number>>;
  readonly problems: readonly Problem[];
  readonly items: readonly VerifiedPathItem[];
}

export function verifiedPathItem(
  path: VerifiedPath,
  why: (test: VerifiedPath['tests'][number]) => string | null,
): VerifiedPathItem {
  const { from, to, leg, state, fault, sender, roundTripMicroseconds } = path;
  const tests = path.tests.map((test): VerifiedTestItem => {
    const { protocol, size, bytes, outcome } = test;
    return {
      protocol,
      size,
      bytes,
      state: outcome.kind,
      source: outcome.kind === 'answered' ? outcome.source : null,
      roundTripMicroseconds: outcome.kind === 'answered' ? outcome.roundTripMicroseconds : null,
      why: why(test),
    };
  });
  const sources = [...new Set(tests.flatMap(({ source }) => source ?? []))];
  return { from, to, leg, state, fault, sender, sources, roundTripMicroseconds, tests };
}

/** Why something is not known, each reason once. */
export function unknownLines({ nodes, items }: VerifyDocument): readonly string[] {
  const lines = nodes.flatMap(({ name, state, why }) => {
    if (why === null) return [];
    return [state === 'unreachable' ? why : `${name} could not be probed: ${why}`];
  });
  const said = new Set(nodes.flatMap(({ name, why }) => (why === null ? [] : [why, `${name}: ${why}`])));
  const others = items.flatMap(({ tests }) =>
    tests.flatMap(({ state, why }) => (state === 'unknown' ? (why ?? []) : [])),
  );
  return [...lines, ...[...new Set(others)].filter((why) => !said.has(why)).map((why) => `not known: ${why}`)];
}

const tones: Readonly<Record<VerifiedPath['state'], Tone>> = {
  ok: 'good',
  masqueraded: 'warn',
  failed: 'bad',
  unknown: 'dim',
};

/** `ok`, `small` when only the small one arrived. */
function arrived({ tests }: VerifiedPathItem, protocol: VerifiedTestItem['protocol']): Cell | string {
  const of = tests.filter((test) => test.protocol === protocol);
  if (of.length === 0) return '-';
  const answered = of.filter(({ state }) => state === 'answered');
  if (answered.length === of.length) return 'ok';
  if (of.every(({ state }) => state === 'unknown')) return { text: '?', tone: 'dim' };
  const text = answered.length === 0 ? 'none' : `only ${answered.map(({ size }) => size).join(',')}`;
  return { text, tone: 'bad' };
}

function formatMicroseconds(microseconds: number): string {
  return `${(microseconds / 1000).toFixed(2)} ms`;
}

export const verifyListView: ListView<VerifiedPathItem> = {
  kind: 'VerifyList',
  name: ({ from, to }) => `${from}/${to}`,
  empty: 'No pairs.',
  columns: [
    { header: 'FROM', cell: ({ from }) => from },
    { header: 'TO', cell: ({ to }) => to },
    { header: 'LEG', cell: ({ leg }) => leg, wideOnly: true },
    { header: 'STATE', cell: ({ state }) => ({ text: state, tone: tones[state] }) },
    { header: 'SENT AS', cell: ({ sender }) => sender },
    { header: 'ARRIVED AS', cell: ({ sources }) => sources.join(',') },
    {
      header: 'RTT',
      cell: ({ roundTripMicroseconds: each }) => (each === null ? null : formatMicroseconds(each)),
      csv: ({ roundTripMicroseconds }) => roundTripMicroseconds,
      align: 'right',
    },
    { header: 'TCP', cell: (row) => arrived(row, 'tcp') },
    { header: 'UDP', cell: (row) => arrived(row, 'udp') },
    { header: 'ICMP', cell: (row) => arrived(row, 'icmp') },
  ],
};
