import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIptablesSave, ruleText, ruleWords, type SavedRule } from '../../src/lib/fact/iptables-save';
import { parseIpv4Cidr } from '../../src/lib/net/cidr';
import {
  type ContainerBridge,
  dockerMasquerade,
  mendedMasquerade,
  overlayJump,
} from '../../src/lib/net/masquerade-rule';
import type { MasqueradeIntent } from '../../src/lib/plan/masquerade-files';
import {
  dockerRuleOf,
  dockerRulesIn,
  dockersRules,
  type FrontRules,
  flannelMasquerades,
  isOwnRule,
  isRawDrop,
  mendedRules,
  natRules,
  ownRuleOf,
  pairText,
} from '../../src/lib/plan/masquerade-rules';
import { type Daemons, savedRulesText } from '../../src/lib/plan/masquerade-save';
import { captured } from '../fact/captured';

const network = range('172.7.0.0/16');
const docker0: ContainerBridge = { device: 'docker0', subnet: range('172.7.21.0/24') };
const second: ContainerBridge = { device: 'br-0123456789ab', subnet: range('172.7.121.0/24') };
const intent: MasqueradeIntent = {
  network,
  bridges: [docker0],
  byFlannel: false,
  accepts: false,
  ipMasqBefore: null,
  directRoutingBefore: null,
};

function range(text: string) {
  const cidr = parseIpv4Cidr(text);
  if (cidr === undefined) throw new Error(text);
  return { base: cidr.base, length: cidr.length };
}

const daemons: Daemons = { devices: new Set(), ranges: [], network, guardsLoopback: false, flannelIsSilent: false };

const line = (chain: string, words: readonly string[]): string => ruleText(['-A', chain, ...words]);
const dockers = (bridge: ContainerBridge): string => line('POSTROUTING', dockerMasquerade(bridge));
const own = (bridge: ContainerBridge): string => line('POSTROUTING', mendedMasquerade(bridge, network));

function front(postrouting: readonly string[], isStandard = true, user: readonly string[] = []): FrontRules {
  const text = [
    '*nat',
    ':POSTROUTING ACCEPT [0:0]',
    ':DOCKER - [0:0]',
    '-A DOCKER -i docker0 -j RETURN',
    ...postrouting,
    'COMMIT',
    '*filter',
    ':FORWARD DROP [0:0]',
    ':DOCKER-USER - [0:0]',
    '-A FORWARD -j DOCKER-USER',
    ...user,
    '-A DOCKER-USER -j RETURN',
    'COMMIT',
    '',
  ].join('\n');
  return { frontEnd: 'nft', isStandard, ruleset: parseIptablesSave(text) };
}

const texts = (one: FrontRules): readonly string[] => natRules(one).map(({ words }) => ruleText(words));

describe('rules of masquerade', () => {
  it('are told from those that say more or less', () => {
    const pair = (text: string): string | undefined => {
      const [rule] = natRules(front([text]));
      const bridge = rule === undefined ? undefined : dockerRuleOf(rule);
      return bridge === undefined ? undefined : pairText(bridge);
    };
    expect(pair(dockers(docker0))).toBe('docker0 172.7.21.0/24');
    expect(pair('-A POSTROUTING -s 172.7.21.0/24 -j MASQUERADE')).toBeUndefined();
    expect(pair('-A POSTROUTING -s 172.7.21.0/24 -o docker0 -j MASQUERADE')).toBeUndefined();
    expect(pair('-A POSTROUTING ! -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE')).toBeUndefined();
    expect(pair('-A POSTROUTING -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE --random')).toBeUndefined();
    expect(pair('-A POSTROUTING -s 172.7.21.0/24 ! -o docker0 -m comment --comment x -j MASQUERADE')).toBeUndefined();
    expect(pair('-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -j MASQUERADE')).toBeUndefined();
    expect(pair(own(docker0))).toBeUndefined();
  });

  it('are recognised in the words that iptables-save prints', () => {
    const [rule] = natRules(
      front([
        '-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -m comment --comment "netctl:masquerade" -j MASQUERADE',
      ]),
    );
    expect(rule !== undefined && isOwnRule(rule)).toBe(true);
    expect(rule === undefined ? undefined : ownRuleOf(rule)?.bridge).toEqual(docker0);
  });
});

describe('mended rules', () => {
  it('take the place of Docker’s, and others stay where they are', () => {
    const before = front([
      '-A POSTROUTING -s 10.9.9.0/24 -j MASQUERADE',
      dockers(docker0),
      '-A POSTROUTING -j FLANNEL-POSTRTG',
    ]);
    expect(texts(mendedRules(before, intent))).toEqual([
      '-A POSTROUTING -s 10.9.9.0/24 -j MASQUERADE',
      own(docker0),
      '-A POSTROUTING -j FLANNEL-POSTRTG',
    ]);
  });

  it('are one for each bridge, however often Docker’s stands there', () => {
    const before = front([dockers(docker0), dockers(second), dockers(docker0), own(docker0), own(docker0)]);
    expect(texts(mendedRules(before, intent))).toEqual([own(second), own(docker0)]);
  });

  it('come back at the top after a flush', () => {
    expect(texts(mendedRules(front([]), intent))).toEqual([own(docker0)]);
  });

  it('are put into the other front end only in place of Docker’s', () => {
    expect(texts(mendedRules(front([], false), intent))).toEqual([]);
    expect(texts(mendedRules(front([dockers(docker0)], false), intent))).toEqual([own(docker0)]);
  });

  it('leave Docker’s rule for a range outside of the network', () => {
    const outside = { device: 'br-aaaaaaaaaaaa', subnet: range('172.18.0.0/16') };
    expect(texts(mendedRules(front([dockers(outside)]), intent))).toEqual([own(docker0), dockers(outside)]);
  });

  it('go, and Docker’s too, where flanneld masquerades', () => {
    const before = front([own(docker0), dockers(docker0), '-A POSTROUTING -j FLANNEL-POSTRTG']);
    expect(texts(mendedRules(before, { ...intent, byFlannel: true }))).toEqual(['-A POSTROUTING -j FLANNEL-POSTRTG']);
  });

  it('of an earlier network are replaced', () => {
    const earlier = line('POSTROUTING', mendedMasquerade(docker0, range('10.1.0.0/16')));
    expect(texts(mendedRules(front([earlier]), intent))).toEqual([own(docker0)]);
  });

  it('let the network in through DOCKER-USER when that is intended, and only once', () => {
    const accepting = { ...intent, accepts: true };
    const accept = line('DOCKER-USER', overlayJump(docker0, network));
    const user = (one: FrontRules): readonly string[] =>
      one.ruleset.tables.flatMap(({ rules }) =>
        rules.filter(({ chain }) => chain === 'DOCKER-USER').map(({ words }) => ruleText(words)),
      );
    const once = mendedRules(front([]), accepting);
    expect(user(once)).toEqual([accept, '-A DOCKER-USER -j RETURN']);
    expect(user(mendedRules(once, accepting))).toEqual(user(once));
    expect(user(mendedRules(once, intent))).toEqual(['-A DOCKER-USER -j RETURN']);
  });

  const others = fc.constantFrom(
    '-A POSTROUTING -s 10.9.9.0/24 -j MASQUERADE',
    '-A POSTROUTING -j KUBE-POSTROUTING -m comment --comment "kubernetes postrouting rules"',
    '-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -j MASQUERADE',
    '-A POSTROUTING -s 172.18.0.0/16 ! -o br-aaaaaaaaaaaa -j MASQUERADE',
    '-A POSTROUTING -s 172.7.21.2/32 -d 172.7.21.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE',
    '-A POSTROUTING -m comment --comment "it\\"s \\\\ mine" -j ACCEPT',
  );
  const any = fc.array(
    fc.oneof(others, fc.constantFrom(dockers(docker0), dockers(second), own(docker0), own(second))),
    { maxLength: 12 },
  );

  it('are settled: done again, nothing changes; others stay to the byte and in their order; Docker’s are gone', () => {
    fc.assert(
      fc.property(any, fc.boolean(), fc.boolean(), (rules, isStandard, byFlannel) => {
        const before = front(rules, isStandard);
        const after = mendedRules(before, { ...intent, bridges: [docker0, second], byFlannel });
        const foreign = (one: FrontRules): readonly string[] =>
          natRules(one)
            .filter(
              (rule: SavedRule) =>
                !isOwnRule(rule) &&
                dockerRuleOf(rule)?.subnet.base !== docker0.subnet.base &&
                dockerRuleOf(rule)?.subnet.base !== second.subnet.base,
            )
            .map(({ text }) => text);
        expect(foreign(after)).toEqual(foreign(before));
        expect(dockerRulesIn(after, network)).toEqual([]);
        expect(texts(mendedRules(after, { ...intent, bridges: [docker0, second], byFlannel }))).toEqual(texts(after));
        if (!byFlannel) {
          for (const bridge of dockerRulesIn(before, network)) expect(texts(after)).toContain(own(bridge));
        }
      }),
    );
  });

  it('give way to Docker’s own again, one for each bridge that it masquerades', () => {
    fc.assert(
      fc.property(any, (rules) => {
        const after = dockersRules(front(rules), [docker0]);
        expect(natRules(after).filter(isOwnRule)).toEqual([]);
        expect(dockerRulesIn(after, network).map(pairText)).toContain('docker0 172.7.21.0/24');
      }),
    );
    expect(texts(dockersRules(mendedRules(front([dockers(docker0)]), intent), [docker0]))).toEqual([dockers(docker0)]);
  });
});

describe('flanneld’s own masquerade', () => {
  const chain = (place: string) => [
    `-A ${place} -s 172.7.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
  ];
  const has = (rules: readonly string[]): boolean => flannelMasquerades([front(rules)], [], network);

  it('is there in POSTROUTING itself up to v0.19, and in a chain of its own that is jumped to from v0.20', () => {
    expect(has(chain('POSTROUTING'))).toBe(true);
    expect(
      has(['-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG', ...chain('FLANNEL-POSTRTG')]),
    ).toBe(true);
    expect(has(chain('FLANNEL-POSTRTG'))).toBe(false);
    expect(has(['-A POSTROUTING -s 10.1.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE'])).toBe(false);
    expect(has([])).toBe(false);
  });

  it('may be a table of nftables', () => {
    const chains = [
      {
        name: 'postrtg',
        hook: null,
        rules: [
          { text: 'ip saddr 172.7.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random', handle: 1, comment: null },
        ],
      },
    ];
    expect(flannelMasquerades([front([])], [{ family: 'ip', name: 'flannel-ipv4', chains }], network)).toBe(true);
    expect(flannelMasquerades([front([])], [{ family: 'ip6', name: 'flannel-ipv6', chains }], network)).toBe(false);
  });
});

describe('texts of real machines', () => {
  const names = [
    'iptables-nft-save',
    'iptables-legacy-save',
    'iptables-save-1.4.7',
    'iptables-save-docker-28',
    'iptables-save-kube-proxy',
    'iptables-save-plain',
  ];

  it.each(names)('%s comes through its words unharmed', (name) => {
    const rules = parseIptablesSave(captured(`${name}.txt`)).tables.flatMap((table) => table.rules);
    expect(rules.length).toBeGreaterThan(0);
    for (const { words } of rules) expect(ruleWords(ruleText(words))).toEqual(words);
  });

  it.each(names)('%s is kept to the byte where rules are not Docker’s', (name) => {
    const ruleset = parseIptablesSave(captured(`${name}.txt`));
    const before: FrontRules = { frontEnd: 'nft', isStandard: true, ruleset };
    const after = mendedRules(before, { ...intent, bridges: [] });
    const all = (one: FrontRules): readonly string[] =>
      one.ruleset.tables.flatMap(({ rules }) => rules.map(({ text }) => text));
    expect([...all(after)].sort()).toEqual([...all(before)].sort());
  });

  it.each(names)('%s can be saved without what daemons make, and loaded again', (name) => {
    const saved = savedRulesText(parseIptablesSave(captured(`${name}.txt`)), daemons);
    const again = parseIptablesSave(saved);
    expect(again.strangeLines).toEqual([]);
    expect(saved).not.toMatch(/DOCKER(?!-USER)|FLANNEL|-[io] docker0|flanneld/);
    expect(savedRulesText(again, daemons)).toBe(saved);
  });

  it('keep the words of people in a saved file', () => {
    const saved = savedRulesText(parseIptablesSave(captured('iptables-nft-save.txt')), daemons);
    expect(saved).toContain('--log-prefix "web: "');
    expect(saved).toContain('-A f2b-sshd -s 203.0.113.7/32 -j REJECT --reject-with icmp-port-unreachable');
    expect(saved).toContain(
      String.raw`-A FORWARD -m comment --comment "a \"quoted\" \\ word, it\'s $HOME ` + '`x`" -j ACCEPT',
    );
  });

  it('of Docker 28 drop what does not come in by the container’s bridge', () => {
    const rules = parseIptablesSave(captured('iptables-save-docker-28.txt')).tables.flatMap((table) => table.rules);
    const bridge = { device: 'br-3cdb1cb92a36', subnet: range('172.18.0.0/16') };
    expect(rules.filter((rule) => isRawDrop(rule, [bridge])).map(({ text }) => text)).toEqual([
      '-A PREROUTING -d 172.18.0.2/32 ! -i br-3cdb1cb92a36 -p tcp -m tcp --dport 1000 -j DROP',
    ]);
  });
});
