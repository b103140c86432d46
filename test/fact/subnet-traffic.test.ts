import { describe, expect, it } from 'vitest';
import { subnetTraffic } from '../../src/lib/fact/subnet-traffic';
import { parseIpv4Cidr } from '../../src/lib/net/cidr';
import { printed } from './captured';

/** Is 172.17.0.0/24 moving? Lines are as Linux 6.18 writes them, with nf_conntrack_acct=0 unless they count packets. */
function isMoving(before: readonly string[], after: readonly string[]): boolean | undefined {
  const range = parseIpv4Cidr('172.17.0.0/24');
  if (range === undefined) throw new Error('no range');
  const answer = subnetTraffic([range]).parse(printed([...before, '--', ...after, '.', ''].join('\n')));
  return answer.known ? answer.value.get('172.17.0.0/24') : undefined;
}

const tcp = (timeout: number, more: { from?: number; to?: number; unreplied?: boolean } = {}) =>
  `ipv4     2 tcp      6 ${timeout} ESTABLISHED src=10.4.7.21 dst=172.17.0.2 sport=41262 dport=80 ${
    more.to === undefined ? '' : `packets=${more.to} bytes=393 `
  }${more.unreplied === true ? '[UNREPLIED] ' : ''}src=172.17.0.2 dst=10.4.7.21 sport=80 dport=41262 ${
    more.from === undefined ? '' : `packets=${more.from} bytes=555 `
  }[ASSURED] mark=0 zone=0 use=2`;

describe('do packets come from a subnet', () => {
  it('no, when nothing is known of it', () => {
    expect(isMoving([], [])).toBe(false);
  });

  it('no, when a connection only waits for its end', () => {
    expect(isMoving([tcp(431_999)], [tcp(431_996)])).toBe(false);
  });

  it('yes, when a connection was heard of anew', () => {
    expect(isMoving([tcp(431_990)], [tcp(431_999)])).toBe(true);
    expect(isMoving([], [tcp(431_999)])).toBe(true);
  });

  it('only its own packets count where the kernel counts them: one also talks to the dead', () => {
    expect(isMoving([tcp(431_990, { to: 5, from: 6 })], [tcp(431_999, { to: 9, from: 6 })])).toBe(false);
    expect(isMoving([tcp(431_990, { to: 5, from: 6 })], [tcp(431_999, { to: 9, from: 7 })])).toBe(true);
  });

  it('what was never answered is no sign of life', () => {
    expect(isMoving([], [tcp(110, { unreplied: true })])).toBe(false);
    const ping =
      'ipv4     2 icmp     1 29 src=10.4.7.21 dst=172.17.0.1 type=8 code=0 id=1 [UNREPLIED] src=172.17.0.1 dst=10.4.7.21 type=0 code=0 id=1 mark=0 zone=0 use=2';
    expect(isMoving([], [ping])).toBe(false);
  });

  it('who sends from there is alive, answered or not', () => {
    const out = (timeout: number) =>
      `ipv4     2 unknown  2 ${timeout} src=172.17.0.1 dst=224.0.0.22 [UNREPLIED] src=224.0.0.22 dst=172.17.0.1 mark=0 zone=0 use=2`;
    expect(isMoving([], [out(599)])).toBe(true);
    expect(isMoving([out(599)], [out(596)])).toBe(false);
    expect(isMoving([out(590)], [out(599)])).toBe(true);
  });

  it('is not known when the table came cut off, or there is none', () => {
    const [range] = [parseIpv4Cidr('172.17.0.0/24')].flatMap((each) => each ?? []);
    const fact = subnetTraffic(range === undefined ? [] : [range]);
    expect(fact.parse(printed(`${tcp(1)}\n--\n`)).known).toBe(false);
    expect(fact.parse(printed('', 3, 'the kernel shows no table of connections'))).toEqual({
      known: false,
      why: 'conntrack: the kernel shows no table of connections',
    });
  });

  it('the range reaches the shell as numbers only', () => {
    const range = parseIpv4Cidr('172.17.0.0/24');
    const { argv } = subnetTraffic(range === undefined ? [] : [range]).command;
    expect(argv.at(-1)).toBe('2886795264-2886795519');
  });
});
