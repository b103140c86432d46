import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProbeLine } from '../../src/lib/fact/probe-line';

describe('a line of a node that is probed', () => {
  it('is read where it is one of the lines that the program writes', () => {
    expect(parseProbeLine('netctl-probe perl')).toEqual({ kind: 'language', language: 'perl' });
    expect(parseProbeLine('unready ip link add: RTNETLINK answers: Operation not permitted')).toEqual({
      kind: 'unready',
      why: 'ip link add: RTNETLINK answers: Operation not permitted',
    });
    expect(parseProbeLine('ready 172.7.21.254 40011 51234 39001 40002')).toEqual({
      kind: 'ready',
      address: '172.7.21.254',
      tcpPort: 40011,
      udpPort: 51234,
      node: { tcpPort: 39001, udpPort: 40002 },
    });
    expect(parseProbeLine('ready 172.7.21.254 40011 51234 0 0')).toMatchObject({ node: null });
    expect(parseProbeLine('r 12 ok 122 10.4.7.21 40122 20000')).toEqual({
      kind: 'answered',
      job: 12,
      roundTripMicroseconds: 122,
      source: '10.4.7.21',
      bytes: 20000,
    });
    expect(parseProbeLine('r 3 ok - - - 1500')).toMatchObject({
      roundTripMicroseconds: null,
      source: null,
      bytes: 1500,
    });
    expect(parseProbeLine('end')).toEqual({ kind: 'end' });
  });

  it.each([
    ['r 3 no timeout', { kind: 'timeout' }],
    ['r 3 no ETIMEDOUT', { kind: 'timeout' }],
    ['r 3 no closed', { kind: 'closed' }],
    ['r 3 no wrong-answer', { kind: 'wrong-answer' }],
    ['r 3 no ECONNREFUSED', { kind: 'errno', name: 'ECONNREFUSED' }],
    ['r 3 no icmp 3 4 1400 172.7.21.1', { kind: 'icmp', type: 3, code: 4, mtu: 1400, from: '172.7.21.1' }],
    ['r 3 no icmp 3 1 0 10.4.7.22', { kind: 'icmp', type: 3, code: 1, mtu: null, from: '10.4.7.22' }],
  ] as const)('tells why nothing came back: %s', (line, failure) => {
    expect(parseProbeLine(line)).toEqual({ kind: 'failed', job: 3, failure });
  });

  it('tells what could not be tried apart from what failed', () => {
    expect(parseProbeLine('r 3 no no-raw-socket')).toMatchObject({ kind: 'not-tried', job: 3 });
  });

  it.each([
    '',
    'Welcome to node1!',
    'netctl-probe ruby',
    'ready 172.7.21.254 40011 51234 39001',
    'ready 172.7.21.254 0 51234 0 0',
    'ready 172.7.21.254 40011 70000 0 0',
    'ready 172.7.21.999 40011 51234 0 0',
    'r 3 ok 122 10.4.7.21 40122',
    'r 3 ok 122 somewhere 40122 20000',
    'r -1 no timeout',
    'r 3 no timeout after all',
    'r 3 no E\x1b[31m',
    'r 3 no icmp 3 4 1400 nobody',
    'r 3 no icmp 300 4 1400 10.4.7.22',
    'end of it',
    `unready ${'x'.repeat(600)}`,
  ])('is nothing else: %j', (line) => {
    expect(parseProbeLine(line)).toBeUndefined();
  });

  it('is never more than its words, whatever a node writes', () => {
    const word = fc.oneof(
      fc.constantFrom('ready', 'r', 'ok', 'no', 'icmp', '-', '172.7.21.254', '__proto__', 'unready', 'end', ''),
      fc.nat().map(String),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (words) => {
        const line = parseProbeLine(words.join(' '));
        if (line?.kind === 'answered') {
          expect(Number.isInteger(line.job)).toBe(true);
          expect(line.source === null || /^\d+\.\d+\.\d+\.\d+$/.test(line.source)).toBe(true);
        }
        if (line?.kind === 'ready') expect(line.tcpPort).toBeGreaterThan(0);
      }),
    );
  });
});
