import { describe, expect, it } from 'vitest';
import { parseIptablesSave } from '../../src/lib/fact/iptables-save';
import { type Packet, walkChain } from '../../src/lib/fact/packet-walk';
import { parseIpv4 } from '../../src/lib/net/ipv4';
import { captured } from './captured';

function packet(source: string, destination: string, outDevice: string | null, inDevice: string | null = null): Packet {
  return { source: parseIpv4(source) ?? -1, destination: parseIpv4(destination) ?? -1, inDevice, outDevice };
}

function nat(...rules: readonly string[]) {
  const chains = [...new Set(rules.flatMap((rule) => /^-A (\S+)/.exec(rule)?.[1] ?? []))].filter(
    (chain) => chain !== 'POSTROUTING',
  );
  return parseIptablesSave(
    ['*nat', ':POSTROUTING ACCEPT [0:0]', ...chains.map((chain) => `:${chain} - [0:0]`), ...rules, 'COMMIT', ''].join(
      '\n',
    ),
  );
}

const toPeer = packet('172.7.21.2', '172.7.22.2', 'eth0', 'docker0');
const verdicts = (rules: readonly string[], one: Packet = toPeer): readonly string[] =>
  walkChain(nat(...rules), 'nat', 'POSTROUTING', one).map(({ verdict }) => verdict);

describe('the way of a packet through a chain', () => {
  it('ends at the first rule that fits, and at the policy when none does', () => {
    const docker = '-A POSTROUTING -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE';
    expect(verdicts([docker])).toEqual(['MASQUERADE']);
    expect(verdicts([docker], packet('172.7.21.2', '172.7.21.3', 'docker0', 'docker0'))).toEqual(['ACCEPT']);
    expect(verdicts([docker], packet('10.4.7.21', '172.7.22.2', 'eth0'))).toEqual(['ACCEPT']);
  });

  it('goes on behind the rule that leaves the network out', () => {
    const mended =
      '-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -m comment --comment "netctl:masquerade" -j MASQUERADE';
    expect(verdicts([mended])).toEqual(['ACCEPT']);
    expect(verdicts([mended], packet('172.7.21.2', '192.0.2.1', 'eth0', 'docker0'))).toEqual(['MASQUERADE']);
  });

  it('comes back from a chain at its end and by RETURN, and not from -g', () => {
    expect(
      verdicts([
        '-A POSTROUTING -j A',
        '-A POSTROUTING -j SNAT --to-source 10.0.0.1',
        '-A A -j RETURN',
        '-A A -j DROP',
      ]),
    ).toEqual(['SNAT']);
    expect(
      verdicts(['-A POSTROUTING -g A', '-A POSTROUTING -j SNAT --to-source 10.0.0.1', '-A A -s 10.0.0.0/8 -j DROP']),
    ).toEqual(['ACCEPT']);
    expect(verdicts(['-A POSTROUTING -j A', '-A POSTROUTING -j DROP', '-A A -j B', '-A B -j MASQUERADE'])).toEqual([
      'MASQUERADE',
    ]);
  });

  it('takes both ways at a condition that hangs on more than addresses', () => {
    const rule = '-A POSTROUTING -p tcp -m tcp --dport 80 -j MASQUERADE';
    expect(verdicts([rule])).toEqual(['MASQUERADE', 'ACCEPT']);
    expect(
      walkChain(nat(rule), 'nat', 'POSTROUTING', toPeer, { unsure: 'pass' }).map(({ verdict }) => verdict),
    ).toEqual(['ACCEPT']);
    expect(verdicts(['-A POSTROUTING -m set --match-set x src -j A', '-A A -j MASQUERADE'])).toEqual([
      'MASQUERADE',
      'ACCEPT',
    ]);
  });

  it('is not unsure where another condition of the rule does not hold', () => {
    expect(verdicts(['-A POSTROUTING -s 10.0.0.0/8 -m set --match-set x dst -j MASQUERADE'])).toEqual(['ACCEPT']);
  });

  it('knows that nobody has marked it, and that it is the first of its connection', () => {
    expect(
      verdicts(['-A POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN', '-A POSTROUTING -j MASQUERADE']),
    ).toEqual(['ACCEPT']);
    expect(verdicts(['-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE'])).toEqual(['ACCEPT']);
    expect(verdicts(['-A POSTROUTING -m conntrack --ctstate RELATED,ESTABLISHED -j DROP'])).toEqual(['ACCEPT']);
    expect(verdicts(['-A POSTROUTING -m conntrack --ctstate NEW -j DROP'])).toEqual(['DROP']);
    expect(verdicts(['-A POSTROUTING -m conntrack ! --ctstate NEW -j DROP'])).toEqual(['ACCEPT']);
  });

  it('does not know a target of another program', () => {
    expect(verdicts(['-A POSTROUTING -j NOBODYKNOWS --x 1'])).toEqual(['?']);
    expect(verdicts(['-A POSTROUTING -j LOG --log-prefix "a b"', '-A POSTROUTING -j MASQUERADE'])).toEqual([
      'MASQUERADE',
    ]);
  });

  it('ends in chains that jump to each other, which no kernel takes but a text may say', () => {
    expect(verdicts(['-A POSTROUTING -j A', '-A A -j B', '-A B -j A'])).toContain('?');
  });

  it('goes through what flanneld v0.21 and Docker made on a real node', () => {
    const ruleset = parseIptablesSave(captured('iptables-nft-save.txt'));
    const walk = (one: Packet) => walkChain(ruleset, 'nat', 'POSTROUTING', one).map(({ verdict }) => verdict);
    expect(walk(packet('10.1.34.2', '10.1.35.2', 'flannel.1', 'docker0'))).toEqual(['ACCEPT']);
    expect(walk(packet('10.1.34.2', '192.0.2.1', 'eth0', 'docker0'))).toEqual(['MASQUERADE']);
    expect(walk(packet('10.4.11.21', '10.1.35.2', 'flannel.1'))).toEqual(['MASQUERADE']);
    expect(walk(packet('172.17.0.2', '192.0.2.1', 'eth0', 'docker0'))).toEqual(['MASQUERADE']);
  });

  it('is marked for nobody in the chains of kube-proxy', () => {
    const ruleset = parseIptablesSave(captured('iptables-save-kube-proxy.txt'));
    const ends = walkChain(ruleset, 'nat', 'POSTROUTING', toPeer);
    expect(ends.map(({ verdict }) => verdict)).not.toContain('?');
  });

  it('is dropped by Docker 28 on its way from another node', () => {
    const ruleset = parseIptablesSave(captured('iptables-save-docker-28.txt'));
    const [end] = walkChain(ruleset, 'filter', 'FORWARD', packet('172.7.22.2', '172.17.0.2', 'docker0', 'eth0'), {
      unsure: 'pass',
    });
    expect(end?.verdict).toBe('DROP');
  });
});
