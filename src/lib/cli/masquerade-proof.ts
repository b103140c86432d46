import type { ProbeReport } from '../engine/probe-nodes';
import type { ProbedPath } from '../fact/probed-path';

/** What arrived on the other node: the source address, `no answer`, or null when that is not known. */
export interface ProvedWay {
  readonly to: string;
  /** The address that a container there would have; null when none could be set up. */
  readonly sender: string | null;
  readonly before: string | null;
  readonly after: string | null;
}

export interface NodeProof {
  readonly node: string;
  readonly verdict: 'proved' | 'failed' | 'unknown';
  /** One clause; empty when it is proved. */
  readonly why: string;
  readonly ways: readonly ProvedWay[];
  /** An address beyond the network, and whether it answered; null when none was asked. */
  readonly outside: {
    readonly address: string;
    readonly before: boolean | null;
    readonly after: boolean | null;
  } | null;
}

/** Judges one node by what arrived before and after the change. Pure. */
export function proofOf(node: string, before: ProbeReport | null, after: ProbeReport): NodeProof {
  const failures: string[] = [];
  const unknowns: string[] = [];
  const ways = pathsFrom(node, after, 'container-to-container').map((path): ProvedWay => {
    const earlier = before === null ? undefined : sameWay(path, before);
    const way = {
      to: path.to,
      sender: path.sender,
      before: earlier === undefined ? null : arrived(earlier),
      after: arrived(path),
    };
    const strange = sourcesOf(path).find((source) => source !== path.sender);
    const lost = earlier === undefined ? [] : lostTests(earlier, path);
    if (strange !== undefined) failures.push(`${path.to} sees ${strange}, not ${path.sender ?? 'the sender'}`);
    else if (lost.length > 0) failures.push(`${path.to} does not answer any more (${lost.join(', ')})`);
    else if (sourcesOf(path).length === 0) unknowns.push(whyUnknown(path));
    return way;
  });
  const [out] = pathsFrom(node, after, 'container-to-outside');
  const earlierOut = out === undefined || before === null ? undefined : sameWay(out, before);
  const outside =
    out === undefined
      ? null
      : { address: out.to, before: earlierOut === undefined ? null : hasAnswered(earlierOut), after: hasAnswered(out) };
  if (outside?.before === true && outside.after === false) failures.push(`${outside.address} is not reached any more`);
  if (failures.length > 0) return { node, verdict: 'failed', why: failures.join('; '), ways, outside };
  const isProved = ways.some(({ sender, after: source }) => sender !== null && source === sender);
  if (isProved) return { node, verdict: 'proved', why: '', ways, outside };
  return { node, verdict: 'unknown', why: unknowns[0] ?? 'there is no other node to send to', ways, outside };
}

function pathsFrom(node: string, report: ProbeReport, leg: ProbedPath['leg']): readonly ProbedPath[] {
  return report.paths.filter((path) => path.from === node && path.leg === leg);
}

function sameWay(path: ProbedPath, report: ProbeReport): ProbedPath | undefined {
  return report.paths.find(({ from, to, leg }) => from === path.from && to === path.to && leg === path.leg);
}

function sourcesOf({ tests }: ProbedPath): readonly string[] {
  return tests.flatMap(({ outcome }) =>
    outcome.kind === 'answered' && outcome.source !== null ? [outcome.source] : [],
  );
}

function arrived(path: ProbedPath): string | null {
  const [source] = sourcesOf(path);
  if (source !== undefined) return source;
  return path.tests.some(({ outcome }) => outcome.kind === 'failed') ? 'no answer' : null;
}

function hasAnswered({ tests }: ProbedPath): boolean | null {
  if (tests.some(({ outcome }) => outcome.kind === 'answered')) return true;
  return tests.some(({ outcome }) => outcome.kind === 'failed') ? false : null;
}

/** What was answered before, and is not now. */
function lostTests(before: ProbedPath, after: ProbedPath): readonly string[] {
  return after.tests.flatMap(({ protocol, size, outcome }) => {
    const earlier = before.tests.find((test) => test.protocol === protocol && test.size === size);
    return outcome.kind === 'failed' && earlier?.outcome.kind === 'answered' ? [`${protocol} ${size}`] : [];
  });
}

function whyUnknown({ to, tests }: ProbedPath): string {
  for (const { outcome } of tests) if (outcome.kind === 'unknown') return outcome.why;
  return `${to} answered neither before nor after`;
}
