import { describe, expect, it } from 'vitest';
import { known } from '../../src/lib/fact/fact';
import { parseIptablesSave } from '../../src/lib/fact/iptables-save';
import { parseInventory } from '../../src/lib/inventory/parse-inventory';
import { type Daemons, savedRulesText } from '../../src/lib/plan/masquerade-save';
import { dockerNetwork, dockerRunning, rules } from '../support/node-seen';
import { changesOf, plan, seen } from './masquerade-seen';

const daemons: Daemons = {
  devices: new Set(['docker0', 'web0']),
  ranges: [{ base: 0xac1e_0000, length: 16 }],
  network: { base: 0xac07_0000, length: 16 },
  guardsLoopback: true,
  flannelIsSilent: false,
};

/** The rules of a table that are kept, of these. */
function kept(table: string, lines: readonly string[], change: Partial<Daemons> = {}): readonly string[] {
  const chains = [...new Set(lines.map((line) => line.split(' ')[1] ?? ''))];
  const text = `*${table}\n${chains.map((name) => `:${name} ACCEPT [0:0]\n`).join('')}${lines.join('\n')}\nCOMMIT\n`;
  return savedRulesText(parseIptablesSave(text), { ...daemons, ...change })
    .split('\n')
    .filter((line) => line.startsWith('-A '));
}

describe('saved rules are without what Docker makes anew', () => {
  it('for published ports, where a container calls itself', () => {
    const hairpin = (address: string): string =>
      `-A POSTROUTING -s ${address}/32 -d ${address}/32 -p tcp -m tcp --dport 80 -j MASQUERADE`;
    const mine = [
      hairpin('10.9.9.2'),
      '-A POSTROUTING -s 172.7.21.2/32 -d 172.7.21.3/32 -p tcp -m tcp --dport 80 -j MASQUERADE',
    ];
    expect(kept('nat', [hairpin('172.7.21.2'), hairpin('172.30.0.5'), ...mine])).toEqual(mine);
  });

  it('for bridges with names that people chose, and for the one of swarms', () => {
    expect(
      kept('nat', [
        '-A POSTROUTING -s 172.30.0.0/16 ! -o web0 -j MASQUERADE',
        '-A POSTROUTING -s 172.18.0.0/16 ! -o docker_gwbridge -j MASQUERADE',
        '-A POSTROUTING -s 10.9.9.0/24 ! -o lxcbr0 -j MASQUERADE',
      ]),
    ).toEqual(['-A POSTROUTING -s 10.9.9.0/24 ! -o lxcbr0 -j MASQUERADE']);
    expect(
      kept('filter', [
        '-A FORWARD -i docker_gwbridge ! -o docker_gwbridge -j ACCEPT',
        '-A FORWARD -o web0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        '-A INPUT -i web0 -j DROP',
      ]),
    ).toEqual(['-A INPUT -i web0 -j DROP']);
    expect(kept('raw', ['-A PREROUTING -d 172.30.0.2/32 ! -i web0 -j DROP'])).toEqual([]);
  });

  it('to keep others from ports on 127.0.0.1, from Docker 28 on', () => {
    const guard = '-A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 8080 -j DROP';
    expect(kept('raw', [guard])).toEqual([]);
    expect(kept('raw', [guard], { guardsLoopback: false })).toEqual([guard]);
    const mine = '-A PREROUTING -d 127.0.0.0/8 ! -i lo -j DROP';
    expect(kept('raw', [mine])).toEqual([mine]);
  });
});

describe('saved rules are without those of a flanneld that puts no comment on them', () => {
  const masquerades = [
    '-A POSTROUTING -s 172.7.0.0/16 -d 172.7.0.0/16 -j RETURN',
    '-A POSTROUTING -s 172.7.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully',
    '-A POSTROUTING ! -s 172.7.0.0/16 -d 172.7.21.0/24 -j RETURN',
    '-A POSTROUTING ! -s 172.7.0.0/16 -d 172.7.0.0/16 -j MASQUERADE --random-fully',
  ];
  const accepts = ['-A FORWARD -s 172.7.0.0/16 -j ACCEPT', '-A FORWARD -d 172.7.0.0/16 -j ACCEPT'];

  it('as it gives itself away', () => {
    expect(kept('nat', masquerades)).toEqual([]);
    const others = [
      '-A POSTROUTING -s 172.7.0.0/16 -d 10.0.0.0/8 -j RETURN',
      '-A POSTROUTING -s 172.7.0.0/16 -d 172.7.0.0/16 -m comment --comment mine -j RETURN',
      '-A POSTROUTING -s 172.7.0.0/16 ! -d 172.7.0.0/16 -j MASQUERADE',
    ];
    expect(kept('nat', [...masquerades, ...others])).toEqual(others);
  });

  it('as its release tells, but not those of somebody who has a newer one', () => {
    expect(kept('filter', accepts, { flannelIsSilent: true })).toEqual([]);
    expect(kept('filter', accepts)).toEqual(accepts);
    expect(kept('nat', masquerades.slice(0, 1))).toEqual(masquerades.slice(0, 1));
  });
});

describe('the plan with --save', () => {
  it('knows Docker’s networks, Docker’s release and flannel’s', () => {
    const inventory = parseInventory(
      JSON.stringify({
        network: { cidr: '172.7.0.0/16' },
        flannel: { version: 'v0.11.0' },
        nodes: [{ name: 'hdss7-21', address: '10.4.7.21' }],
      }),
      '/work/netctl.yaml',
    );
    const lines = `*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 8080 -j DROP
COMMIT
*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -s 172.7.0.0/16 -j ACCEPT
-A FORWARD -i lxcbr0 -j ACCEPT
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.30.0.0/16 ! -o web0 -j MASQUERADE
-A POSTROUTING -s 172.30.0.2/32 -d 172.30.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A POSTROUTING -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE
COMMIT
`;
    const found = plan(
      seen(
        {
          docker: dockerRunning('28.0.4'),
          networks: known([
            dockerNetwork('bridge', '172.7.21.0/24', 'docker0'),
            dockerNetwork('web', '172.30.0.0/16', 'web0'),
          ]),
          iptablesNft: rules(lines),
        },
        { '/etc/iptables/rules.v4': '*nat\nCOMMIT\n' },
      ),
      { save: true, inventory },
    );
    const write = changesOf(found).find((change) => 'path' in change && change.path === '/etc/iptables/rules.v4');
    const text = write?.kind === 'write' ? Buffer.from(write.content).toString('utf8') : '';
    expect(text.split('\n').filter((line) => line.startsWith('-A '))).toEqual([
      '-A FORWARD -i lxcbr0 -j ACCEPT',
      '-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -m comment --comment "netctl:masquerade" -j MASQUERADE',
    ]);
  });
});
