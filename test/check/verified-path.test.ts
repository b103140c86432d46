import { describe, expect, it } from 'vitest';
import { pathProblems } from '../../src/lib/check/path-problems';
import { verifyPath } from '../../src/lib/check/verified-path';
import type { ProbeFailure } from '../../src/lib/fact/probe-line';
import type { ProbedPath, ProbeOutcome, ProbeTest } from '../../src/lib/fact/probed-path';

const sender = '172.7.21.254';
const kinds = ['tcp small', 'tcp large', 'udp small', 'udp large', 'icmp small', 'icmp large'] as const;
type Kind = (typeof kinds)[number];
const silence: ProbeFailure = { kind: 'timeout' };

function path(
  lost: Partial<Readonly<Record<Kind, ProbeFailure | 'unknown'>>>,
  more: Partial<ProbedPath> & { readonly source?: string } = {},
): ProbedPath {
  const { source = more.sender ?? sender, ...rest } = more;
  const tests = kinds.map((kind): ProbeTest => {
    const large = kind.endsWith('large');
    const protocol = kind.startsWith('tcp') ? 'tcp' : kind.startsWith('udp') ? 'udp' : 'icmp';
    const failure = lost[kind];
    const outcome: ProbeOutcome =
      failure === undefined
        ? { kind: 'answered', source: protocol === 'icmp' ? null : source, roundTripMicroseconds: large ? 90 : 60 }
        : failure === 'unknown'
          ? { kind: 'unknown', why: 'no raw socket' }
          : { kind: 'failed', failure };
    return { protocol, size: large ? 'large' : 'small', bytes: large ? 1500 : 84, outcome };
  });
  return { from: 'node1', to: 'node2', leg: 'container-to-container', sender, tests, ...rest };
}

const all = (failure: ProbeFailure) => Object.fromEntries(kinds.map((kind) => [kind, failure]));
const scene = { devices: new Map(), vxlanPorts: new Map(), answerTimeoutMs: 5000 };

describe('the verdict on a path', () => {
  it('is ok when everything arrived with the address with which it was sent', () => {
    expect(verifyPath(path({}))).toMatchObject({
      state: 'ok',
      fault: null,
      otherSources: [],
      roundTripMicroseconds: 60,
    });
  });

  it('is masqueraded when another address arrived, between containers alone', () => {
    expect(verifyPath(path({}, { source: '10.4.7.21' }))).toMatchObject({
      state: 'masqueraded',
      otherSources: ['10.4.7.21'],
    });
    expect(verifyPath(path({}, { source: '10.4.7.21', leg: 'container-to-node' })).state).toBe('ok');
  });

  it.each([
    ['path-mtu', { 'icmp large': { kind: 'icmp', type: 3, code: 4, mtu: 1450, from: '172.7.21.1' } }],
    ['path-mtu', { 'tcp large': silence, 'udp large': silence, 'icmp large': silence }],
    ['path-protocol', { 'udp small': silence, 'udp large': silence }],
    ['path-protocol', { 'tcp small': silence }],
    ['path-protocol', { 'icmp small': silence, 'icmp large': silence }],
    ['path-dead', all(silence)],
  ] as const)('is failed by %s when this is lost: %j', (fault, lost) => {
    expect(verifyPath(path(lost))).toMatchObject({ state: 'failed', fault });
  });

  it('is not known as long as something is, unless something else failed', () => {
    expect(verifyPath(path({ 'icmp small': 'unknown', 'icmp large': 'unknown' })).state).toBe('unknown');
    expect(verifyPath(path({ 'icmp small': 'unknown', 'udp small': silence })).state).toBe('failed');
  });

  it('says what is known, and silence only when nobody said anything', () => {
    const refused: ProbeFailure = { kind: 'icmp', type: 3, code: 13, mtu: null, from: '10.4.7.22' };
    expect(verifyPath(path({ ...all(silence), 'icmp small': refused })).clue).toBe(
      '10.4.7.22 says: a firewall forbids it',
    );
    expect(verifyPath(path(all(silence))).clue).toBe('nothing came back');
    expect(verifyPath(path({ 'udp small': silence, 'udp large': silence })).clue).toBe(
      'UDP: nothing came back; all of TCP and ICMP arrives',
    );
  });
});

describe('the problems of a fleet', () => {
  const names = Array.from({ length: 48 }, (_, index) => `node${index + 1}`);
  const fleet = (lost: (from: string, to: string) => Parameters<typeof path>[0], more: Partial<ProbedPath> = {}) =>
    names.flatMap((from) =>
      names.flatMap((to) => (from === to ? [] : [verifyPath(path(lost(from, to), { from, to, ...more }))])),
    );

  it('are none when all is well', () => {
    expect(
      pathProblems(
        fleet(() => ({})),
        scene,
      ),
    ).toEqual([]);
  });

  it('are two lines for a node that nobody reaches, not ninety-four', () => {
    const problems = pathProblems(
      fleet((from, to) => (from === 'node7' || to === 'node7' ? all(silence) : {})),
      { ...scene, vxlanPorts: new Map([['node7', 8472]]) },
    );
    expect(problems.map(({ path: where }) => where)).toEqual([
      'node7 to node1, node2, node3, node4, node5 and 42 more',
      'node1, node2, node3, node4, node5 and 42 more to node7',
    ]);
    expect(problems[0]).toMatchObject({ code: 'path-dead', severity: 'error', suggestion: 'netctl node status --all' });
    expect(problems[0]?.message).toContain('nothing came back within 5 s; vxlan goes by UDP port 8472');
  });

  it('are one line for all pairs', () => {
    const problems = pathProblems(
      fleet(() => all(silence)),
      scene,
    );
    expect(problems.map(({ path: where }) => where)).toEqual(['all 2256 pairs']);
  });

  it('name the device whose address arrives, and the command that mends it', () => {
    const masqueraded = ['node1', 'node2'].flatMap((from, index) => {
      const to = index === 0 ? 'node2' : 'node1';
      return verifyPath(path({}, { from, to, source: `172.7.2${index + 1}.0` }));
    });
    const devices = new Map([1, 2].map((index) => [`node${index}`, new Map([[`172.7.2${index}.0`, 'flannel.1']])]));
    const problems = pathProblems(masqueraded, { ...scene, devices });
    expect(problems).toHaveLength(2);
    expect(problems[0]).toMatchObject({
      code: 'path-masqueraded',
      severity: 'warning',
      suggestion: 'netctl fix-masquerade node1',
    });
    expect(problems[0]?.message).toContain('the address of its node (flannel.1)');
    expect(problems[0]?.message).toContain('node2 saw 172.7.21.254 as 172.7.21.0');
  });

  it('are told apart by what was seen, the gravest first', () => {
    const problems = pathProblems(
      fleet((from, to) =>
        from !== 'node1' ? {} : to === 'node2' ? { 'icmp large': silence } : to === 'node3' ? all(silence) : {},
      ),
      scene,
    );
    expect(problems.map(({ code, path: where }) => `${code} ${where}`)).toEqual([
      'path-dead node1 to node3',
      'path-mtu node1 to node2',
    ]);
  });
});
