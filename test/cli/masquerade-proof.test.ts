import { describe, expect, it } from 'vitest';
import { proofOf } from '../../src/lib/cli/masquerade-proof';
import type { ProbeReport } from '../../src/lib/engine/probe-nodes';
import type { ProbedPath, ProbeOutcome } from '../../src/lib/fact/probed-path';

const answered = (source: string | null): ProbeOutcome => ({ kind: 'answered', source, roundTripMicroseconds: 300 });
const failed: ProbeOutcome = { kind: 'failed', failure: { kind: 'timeout' } };
const notKnown: ProbeOutcome = { kind: 'unknown', why: 'node2: it has neither perl nor python3' };

function path(outcomes: readonly ProbeOutcome[], leg: ProbedPath['leg'] = 'container-to-container'): ProbedPath {
  const kinds = ['tcp', 'udp', 'icmp'] as const;
  return {
    from: 'node1',
    to: leg === 'container-to-outside' ? '10.4.7.254' : 'node2',
    leg,
    sender: '172.7.21.254',
    tests: outcomes.map((outcome, at) => ({ protocol: kinds[at] ?? 'tcp', size: 'small', bytes: 128, outcome })),
  };
}

const report = (...paths: readonly ProbedPath[]): ProbeReport => ({ nodes: [], paths });
const masked = report(path([answered('10.4.7.21'), answered('10.4.7.21'), answered(null)]));
const right = report(path([answered('172.7.21.254'), answered('172.7.21.254'), answered(null)]));

describe('the proof of one node', () => {
  it('is given by its own address on the other side', () => {
    expect(proofOf('node1', masked, right)).toEqual({
      node: 'node1',
      verdict: 'proved',
      why: '',
      ways: [{ to: 'node2', sender: '172.7.21.254', before: '10.4.7.21', after: '172.7.21.254' }],
      outside: null,
    });
  });

  it('fails when another address arrives, by whatever protocol', () => {
    const half = report(path([answered('172.7.21.254'), answered('10.4.7.21')]));
    expect(proofOf('node1', masked, half)).toMatchObject({
      verdict: 'failed',
      why: 'node2 sees 10.4.7.21, not 172.7.21.254',
    });
  });

  it('fails when what was answered before is not any more', () => {
    const lost = report(path([answered('172.7.21.254'), failed]));
    expect(proofOf('node1', masked, lost)).toMatchObject({
      verdict: 'failed',
      why: 'node2 does not answer any more (udp small)',
    });
  });

  it('does not fail by what was broken before', () => {
    const broken = report(path([failed, failed]));
    expect(proofOf('node1', broken, broken)).toMatchObject({
      verdict: 'unknown',
      why: 'node2 answered neither before nor after',
    });
  });

  it('is not known where no probe was possible, and says why', () => {
    const none = report(path([notKnown]));
    expect(proofOf('node1', none, none)).toMatchObject({
      verdict: 'unknown',
      why: 'node2: it has neither perl nor python3',
    });
    expect(proofOf('node1', null, report())).toMatchObject({
      verdict: 'unknown',
      why: 'there is no other node to send to',
    });
  });

  it('fails when the outside was reached and is not any more', () => {
    const out = (outcome: ProbeOutcome): ProbedPath => path([outcome], 'container-to-outside');
    const before = report(...masked.paths, out(answered(null)));
    expect(proofOf('node1', before, report(...right.paths, out(failed)))).toMatchObject({
      verdict: 'failed',
      why: '10.4.7.254 is not reached any more',
      outside: { before: true, after: false },
    });
    const silent = report(...masked.paths, out(failed));
    expect(proofOf('node1', silent, report(...right.paths, out(failed))).verdict).toBe('proved');
  });

  it('looks at the ways of that node alone', () => {
    expect(proofOf('node3', masked, right)).toMatchObject({ verdict: 'unknown', ways: [] });
  });
});
