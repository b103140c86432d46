import { answerText } from './answer-text';
import { type Fact, known, nothingElse } from './fact';

/** The kernel's counters as `nstat -az` names them: `UdpInCsumErrors`, `TcpExtIPReversePathFilter`. */
export const packetCounters: Fact<ReadonlyMap<string, number>> = {
  name: 'packet-counters',
  command: { argv: ['cat', '/proc/net/snmp', '/proc/net/netstat'] },
  requires: nothingElse,
  parse(output) {
    const counters = new Map<string, number>();
    const lines = answerText(output.stdout).split('\n');
    for (let at = 0; at + 1 < lines.length; at += 2) {
      const [group = '', ...names] = (lines[at] ?? '').split(' ');
      const [, ...values] = (lines[at + 1] ?? '').split(' ');
      for (const [index, name] of names.entries()) {
        const value = Number(values[index]);
        if (/^\w{1,64}$/.test(name) && Number.isFinite(value)) counters.set(`${group.slice(0, -1)}${name}`, value);
      }
    }
    return known(counters);
  },
};
