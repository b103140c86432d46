import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { known, unknown } from '../../src/lib/fact/fact';
import type { MasqueradeAnswers } from '../../src/lib/fact/masquerade-facts';
import { parseInventory } from '../../src/lib/inventory/parse-inventory';
import { parseIpv4Cidr } from '../../src/lib/net/cidr';
import { isWrittenByNetctl } from '../../src/lib/net/written-by-netctl';
import { type MasqueradeIntent, masqueradeScript, readMasqueradeScript } from '../../src/lib/plan/masquerade-files';
import type { MasqueradeWish } from '../../src/lib/plan/masquerade-scene';
import { captured } from '../fact/captured';
import { dockerNetwork, dockerRunning, link, route, rules } from '../support/node-seen';
import {
  afterwards,
  arrives,
  changesOf,
  codes,
  dockerRule,
  errors,
  filterRules,
  flannelRules,
  nat,
  ownRule,
  plan,
  seen,
  subnetEnv,
} from './masquerade-seen';

describe('a node whose containers are seen as the node', () => {
  it('gets the narrower rule in place of Docker’s, and keeps it', () => {
    const found = plan();
    expect(found.method).toBe('rule');
    expect(found.reason).toContain('FLANNEL_IPMASQ=false');
    expect(arrives(found)).toEqual([
      ['10.4.7.21', '172.7.21.2'],
      ['10.4.7.21', '10.4.7.21'],
      ['172.7.22.2', '172.7.22.2'],
      ['10.4.7.21', '10.4.7.21'],
    ]);
    expect(found.chains).toEqual([
      { program: 'iptables-nft', table: 'nat', chain: 'POSTROUTING', before: [dockerRule], after: [ownRule] },
    ]);
    expect(
      changesOf(found).map((change) =>
        'path' in change ? change.path : 'argv' in change ? change.argv.join(' ') : '',
      ),
    ).toEqual([
      '/usr/local/lib/netctl/masquerade',
      '/etc/systemd/system/netctl-masquerade.service',
      '/etc/systemd/system/docker.service.d/zz-netctl-masquerade.conf',
      'systemctl daemon-reload',
      'sh /usr/local/lib/netctl/masquerade assert',
      'systemctl enable netctl-masquerade.service',
      'systemctl restart netctl-masquerade.service',
    ]);
    expect(codes(found)).toEqual(['source-masqueraded']);
  });

  it('is right afterwards: an applied plan plans to nothing', () => {
    const first = plan();
    const again = plan(afterwards(first, seen()));
    expect(changesOf(again)).toEqual([]);
    expect(again.problems).toEqual([]);
    expect(again.paths.map(({ before }) => before.address)).toEqual([
      '172.7.21.2',
      '10.4.7.21',
      '172.7.22.2',
      '10.4.7.21',
    ]);
  });

  it('is planned for twice with the same result', () => {
    expect(plan()).toEqual(plan());
  });

  it('is put right again after Docker has put its rule in, without new files', () => {
    const right = afterwards(plan(), seen());
    const found = plan({ ...right, iptablesNft: rules(filterRules + nat(dockerRule, dockerRule, ownRule)) });
    expect(changesOf(found).map(({ kind }) => kind)).toEqual(['run', 'run']);
    expect(found.chains[0]?.after).toEqual([ownRule]);
  });

  it('gets a new script when flanneld has another subnet', () => {
    const right = afterwards(plan(), seen());
    const found = plan({
      ...right,
      networks: known([dockerNetwork('bridge', '172.7.30.0/24', 'docker0')]),
      iptablesNft: rules(filterRules + nat('-A POSTROUTING -s 172.7.30.0/24 ! -o docker0 -j MASQUERADE', ownRule)),
    });
    const [script] = changesOf(found);
    expect(script?.kind === 'write' ? Buffer.from(script.content).toString('utf8') : '').toContain(
      'docker0=172.7.30.0/24',
    );
    expect(found.chains[0]?.after.join('\n')).not.toContain('172.7.21.0');
  });

  it('has several bridges in the network mended, and one outside of it left', () => {
    const more = [
      dockerNetwork('bridge', '172.7.21.0/25', 'docker0'),
      dockerNetwork('web', '172.7.21.128/25', 'br-0123456789ab'),
      dockerNetwork('other', '172.18.0.0/16', 'br-aaaaaaaaaaaa'),
    ];
    const rulesNow = nat(
      '-A POSTROUTING -s 172.18.0.0/16 ! -o br-aaaaaaaaaaaa -j MASQUERADE',
      '-A POSTROUTING -s 172.7.21.128/25 ! -o br-0123456789ab -j MASQUERADE',
      '-A POSTROUTING -s 172.7.21.0/25 ! -o docker0 -j MASQUERADE',
    );
    const found = plan(seen({ networks: known(more), iptablesNft: rules(filterRules + rulesNow) }));
    expect(found.chains[0]?.after).toEqual([
      '-A POSTROUTING -s 172.18.0.0/16 ! -o br-aaaaaaaaaaaa -j MASQUERADE',
      '-A POSTROUTING -s 172.7.21.128/25 ! -d 172.7.0.0/16 ! -o br-0123456789ab -m comment --comment "netctl:masquerade" -j MASQUERADE',
      '-A POSTROUTING -s 172.7.21.0/25 ! -d 172.7.0.0/16 ! -o docker0 -m comment --comment "netctl:masquerade" -j MASQUERADE',
    ]);
    expect(found.paths).toHaveLength(8);
  });

  it('has Docker’s rule of the other front end mended there as well', () => {
    const found = plan(seen({ iptablesLegacy: rules(nat(dockerRule)) }));
    expect(found.chains.map(({ program, after }) => [program, after])).toEqual([
      ['iptables-nft', [ownRule]],
      ['iptables-legacy', [ownRule]],
    ]);
    expect(arrives(found)[0]).toEqual(['10.4.7.21', '172.7.21.2']);
  });

  it('is put back as it was by the undo: the unit stops first, Docker’s rule goes in before ours goes out', () => {
    const undo = plan().undo.flatMap(({ changes }) => changes);
    const words = undo.map((change) =>
      change.kind === 'run' ? change.argv.slice(0, 3).join(' ').slice(0, 40) : `${change.kind}`,
    );
    expect(words[0]).toBe('systemctl stop netctl-masquerade.service');
    expect(words.filter((word) => word === 'remove')).toHaveLength(3);
    const scripts = undo.flatMap((change) =>
      change.kind === 'run' && change.argv[0] === 'sh' ? [change.argv.join(' ')] : [],
    );
    expect(scripts).toHaveLength(2);
    expect(scripts[0]).toContain(dockerRule.replace('-A POSTROUTING ', ''));
    expect(scripts[1]).toContain('netctl:masquerade');
  });
});

describe('a node that was mended by hand', () => {
  it('is right and not kept so: the seed’s rule stays, ours comes beside it', () => {
    const hand = '-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -j MASQUERADE';
    const found = plan(seen({ iptablesNft: rules(filterRules + nat(hand)) }));
    expect(codes(found)).toEqual(['masquerade-not-kept']);
    expect(found.chains[0]?.after).toEqual([ownRule, hand]);
    expect(arrives(found)[0]).toEqual(['172.7.21.2', '172.7.21.2']);
  });
});

describe('where flanneld masquerades', () => {
  const masquerading = (texts: Readonly<Record<string, string>> = {}, change: Partial<MasqueradeAnswers> = {}) =>
    seen(
      { subnetEnv: subnetEnv(true), iptablesNft: rules(filterRules + nat(dockerRule, ...flannelRules)), ...change },
      texts,
    );

  it('Docker is told not to, without a restart, and its rule goes', () => {
    const found = plan(
      masquerading({ '/etc/docker/daemon.json': '{\n  "log-level": "warn",\n  "bip": "172.7.21.1/24"\n}\n' }),
    );
    expect(found.method).toBe('docker');
    expect(found.chains[0]?.after).toEqual(flannelRules);
    const json = changesOf(found).find(
      (change) => change.kind === 'write' && change.path === '/etc/docker/daemon.json',
    );
    expect(json?.kind === 'write' ? Buffer.from(json.content).toString('utf8') : '').toBe(
      '{\n  "log-level": "warn",\n  "bip": "172.7.21.1/24",\n  "ip-masq": false\n}\n',
    );
    expect(found.steps.flatMap(({ mind }) => mind).join(' ')).toContain('is not restarted');
    expect(arrives(found)[0]).toEqual(['10.4.7.21', '172.7.21.2']);
    expect(arrives(found)[1]).toEqual(['10.4.7.21', '10.4.7.21']);
    expect(errors(found)).toEqual([]);
  });

  it('nothing is done where Docker was started without it', () => {
    const answers = masquerading(
      { '/etc/docker/daemon.json': '{"bip": "172.7.21.1/24", "ip-masq": false}\n' },
      {
        iptablesNft: rules(filterRules + nat(...flannelRules)),
        networks: known([{ ...dockerNetwork('bridge', '172.7.21.0/24', 'docker0'), masquerades: false }]),
      },
    );
    expect(changesOf(plan(answers))).toEqual([]);
    expect(plan(answers).problems).toEqual([]);
  });

  it('an applied plan plans to nothing, and the revert takes the key back', () => {
    const before = masquerading();
    const right = afterwards(plan(before), before);
    expect(changesOf(plan(right))).toEqual([]);
    const back = plan(right, { revert: true });
    const json = changesOf(back).find((change) => 'path' in change && change.path === '/etc/docker/daemon.json');
    // It was made by us alone.
    expect(json?.kind).toBe('remove');
    expect(back.chains[0]?.after).toEqual([dockerRule, ...flannelRules]);
  });

  it('a Docker that will masquerade from its next start on counts as one that does', () => {
    const found = plan(
      seen({
        networks: known([{ ...dockerNetwork('bridge', '172.7.21.0/24', 'docker0'), masquerades: false }]),
        iptablesNft: rules(filterRules + nat()),
      }),
    );
    expect(codes(found)).toContain('masquerade-not-kept');
    expect(found.chains[0]?.after).toEqual([ownRule]);
  });

  it('the narrower rule is taken when flanneld’s rules are not there', () => {
    const found = plan(seen({ subnetEnv: subnetEnv(true) }));
    expect(found.method).toBe('rule');
    expect(found.reason).toContain('rules of flanneld are not there');
  });

  it('a flag of dockerd is not written over', () => {
    const dockerUnit = known([
      { path: '/lib/systemd/system/docker.service', text: '[Service]\nExecStart=/usr/sbin/dockerd --ip-masq=true\n' },
    ]);
    const found = plan(masquerading({}, { dockerUnit }));
    expect(found.method).toBe('rule');
    expect(found.reason).toContain('--ip-masq');
    expect(errors(plan(masquerading({}, { dockerUnit }), { method: 'docker' }))).toEqual(['ip-masq-flag']);
  });
});

describe('what is refused', () => {
  it.each<[string, Partial<MasqueradeAnswers>, Partial<MasqueradeWish>]>([
    ['flannel-does-not-masquerade', {}, { method: 'docker' }],
    ['several-networks', { subnetEnv: subnetEnv(false, '172.7.0.0/16,10.1.0.0/16') }, {}],
    ['masquerade-unknown', { iptablesNft: unknown('permission denied') }, {}],
    ['masquerade-unknown', { networks: unknown('docker: permission denied') }, {}],
    ['masquerade-unknown', { iptables: unknown('no iptables') }, {}],
    ['network-holds-node', {}, { network: { base: 0, length: 0 } }],
    ['network-holds-node', { subnetEnv: subnetEnv(false, '10.0.0.0/8') }, {}],
    ['masquerade-needs-systemd', { systemdVersion: known(null) }, {}],
    ['masquerade-no-docker', { docker: known({ state: 'stopped', why: 'Cannot connect to the Docker daemon' }) }, {}],
    ['docker-nftables', { docker: dockerRunning('29.0.0', { firewallBackend: 'nftables' }) }, {}],
    ['odd-bridge-name', { networks: known([dockerNetwork('x', '172.7.21.0/24', "a'$(id)")]) }, {}],
    [
      'masqueraded-by-other',
      {
        iptablesNft: rules(
          filterRules + nat('-A POSTROUTING -s 172.7.0.0/16 -o eth0 -j SNAT --to-source 10.4.7.99', dockerRule),
        ),
      },
      {},
    ],
  ])('%s', (code, change, wanted) => {
    const found = plan(seen(change), wanted);
    expect(errors(found)).toContain(code);
    expect(changesOf(found)).toEqual([]);
  });

  it('a file of the same name that netctl did not write is left', () => {
    const found = plan(seen({}, { '/usr/local/lib/netctl/masquerade': '#!/bin/sh\necho mine\n' }));
    expect(errors(found)).toEqual(['masquerade-file-foreign']);
    expect(changesOf(found)).toEqual([]);
  });

  it('no network at all', () => {
    const bare = parseInventory(JSON.stringify({ nodes: [{ name: 'n', address: '10.4.7.21' }] }), '/work/netctl.yaml');
    const found = plan(seen({ subnetEnv: known({ present: false }) }), { inventory: bare });
    expect(errors(found)).toEqual(['no-cluster-network']);
    expect(found.network).toBeNull();
  });

  it('tells a difference between flanneld and the inventory, and goes by flanneld', () => {
    const found = plan(seen({ subnetEnv: subnetEnv(false, '172.6.0.0/15') }));
    expect(codes(found)).toContain('network-differs');
    expect(found.network).toBe('172.6.0.0/15');
  });
});

describe('packets that are dropped', () => {
  const noFlannel = filterRules.replace('-A FORWARD -j FLANNEL-FWD\n', '');

  it('by the policy of FORWARD are let in by DOCKER-USER, and that is kept', () => {
    const answers = seen({ iptablesNft: rules(noFlannel + nat(dockerRule)) });
    const found = plan(answers);
    expect(codes(found)).toContain('forward-policy-drop');
    const incoming = found.paths.find(({ path }) => path === 'remote-to-container');
    expect([incoming?.before.kind, incoming?.after.kind]).toEqual(['dropped', 'kept']);
    expect(found.chains.find(({ chain }) => chain === 'DOCKER-USER')?.after).toEqual([
      '-A DOCKER-USER -s 172.7.0.0/16 ! -i docker0 -o docker0 -m comment --comment "netctl:masquerade" -j NETCTL-OVERLAY',
      '-A DOCKER-USER -j RETURN',
    ]);
    expect(found.chains.find(({ chain }) => chain === 'NETCTL-OVERLAY')?.after).toEqual([
      '-A NETCTL-OVERLAY -i docker0 -j RETURN',
      '-A NETCTL-OVERLAY -j ACCEPT',
    ]);
    expect(changesOf(plan(afterwards(found, answers)))).toEqual([]);
    const [script] = changesOf(found);
    expect(
      script?.kind === 'write' ? readMasqueradeScript(Buffer.from(script.content).toString('utf8'))?.accepts : null,
    ).toBe(true);
  });

  it('by a firewall of somebody else before DOCKER-USER are told, and nothing is promised', () => {
    const ufw = noFlannel.replace(
      '-A FORWARD -j DOCKER-USER\n',
      '-A FORWARD -s 172.7.0.0/16 -j REJECT\n-A FORWARD -j DOCKER-USER\n',
    );
    const found = plan(seen({ iptablesNft: rules(ufw + nat(dockerRule)) }));
    expect(codes(found)).toContain('overlay-dropped');
    expect(found.paths.find(({ path }) => path === 'remote-to-container')?.after.kind).toBe('dropped');
  });

  it('by Docker 28 are let in by DOCKER-USER', () => {
    const network = known([dockerNetwork('bridge', '172.17.0.0/24', 'docker0')]);
    const found = plan(
      seen({
        networks: network,
        links: known([link('eth0', ['10.4.7.21/24']), link('docker0', ['172.17.0.1/24'], { kind: 'bridge' })]),
        routes: known([
          route('default', { via: '10.4.7.254', dev: 'eth0' }),
          route('172.17.1.0/24', { via: '10.4.7.22', dev: 'eth0' }),
        ]),
        docker: dockerRunning('28.0.4'),
        iptablesNft: rules(
          captured('iptables-save-docker-28.txt').replace(
            '-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1',
            '-A DOCKER-FORWARD -o docker0 -j DOCKER',
          ) + nat('-A POSTROUTING -s 172.17.0.0/24 ! -o docker0 -j MASQUERADE'),
        ),
      }),
      { network: { base: parseIpv4Cidr('172.17.0.0/16')?.base ?? 0, length: 16 } },
    );
    expect(codes(found)).toContain('docker-drops-overlay');
    const incoming = found.paths.find(({ path }) => path === 'remote-to-container');
    expect([incoming?.before.kind, incoming?.after.kind]).toEqual(['dropped', 'kept']);
  });

  const rawDrop = '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 172.7.21.2/32 ! -i docker0 -j DROP\nCOMMIT\n';

  it('by the raw table of Docker 28.2 need a setting and a restart, which is shown', () => {
    const found = plan(
      seen({ docker: dockerRunning('28.2.0'), iptablesNft: rules(rawDrop + filterRules + nat(dockerRule)) }),
    );
    expect(codes(found)).toContain('docker-drops-overlay');
    const json = changesOf(found).find((change) => change.kind === 'write' && change.path.endsWith('daemon.json'));
    expect(json?.kind === 'write' ? Buffer.from(json.content).toString('utf8') : '').toContain(
      '"allow-direct-routing": true',
    );
    expect(found.steps.at(-1)?.oneAtATime).toBe('docker-restart');
    expect(found.steps.at(-1)?.mind[0]).toContain('is restarted');
  });

  it('by the raw table of Docker 28.0 can only be told', () => {
    const found = plan(
      seen({ docker: dockerRunning('28.0.4'), iptablesNft: rules(rawDrop + filterRules + nat(dockerRule)) }),
    );
    expect(found.problems.find(({ code }) => code === 'docker-drops-overlay')?.suggestion).toContain(
      'DOCKER_INSECURE_NO_IPTABLES_RAW=1',
    );
    expect(found.steps.every(({ oneAtATime }) => oneAtATime === undefined)).toBe(true);
  });
});

describe('a revert', () => {
  it('puts Docker’s rule in before ours goes out, and takes our files away', () => {
    const right = afterwards(plan(), seen());
    const found = plan(right, { revert: true });
    const words = changesOf(found).map((change) =>
      'path' in change ? `remove ${change.path}` : 'argv' in change ? change.argv.join(' ') : '',
    );
    expect(words).toEqual([
      'systemctl disable --now netctl-masquerade.service',
      'remove /etc/systemd/system/docker.service.d/zz-netctl-masquerade.conf',
      'remove /etc/systemd/system/netctl-masquerade.service',
      'systemctl daemon-reload',
      'iptables -w 10 -t nat -I POSTROUTING 1 -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE',
      'iptables -w 10 -t nat -D POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -m comment --comment netctl:masquerade -j MASQUERADE',
      'rm -f -- /run/netctl/masquerade.bridges /run/netctl/masquerade.lock',
      'remove /usr/local/lib/netctl/masquerade',
    ]);
    expect(found.chains[0]?.after).toEqual([dockerRule]);
  });

  it('of a node that was never mended is nothing', () => {
    expect(changesOf(plan(seen(), { revert: true }))).toEqual([]);
  });
});

describe('the script', () => {
  const intent: MasqueradeIntent = {
    network: { base: 0xac07_0000, length: 16 },
    bridges: [{ device: 'docker0', subnet: { base: 0xac07_1500, length: 24 } }],
    byFlannel: true,
    accepts: true,
    ipMasqBefore: 'unset',
    directRoutingBefore: 'false',
  };

  it('says what it intends, and that netctl wrote it', () => {
    const text = masqueradeScript(intent);
    expect(isWrittenByNetctl(text)).toBe(true);
    expect(readMasqueradeScript(text)).toEqual(intent);
    const plain = {
      ...intent,
      bridges: [],
      byFlannel: false,
      accepts: false,
      ipMasqBefore: null,
      directRoutingBefore: null,
    };
    expect(readMasqueradeScript(masqueradeScript(plain))).toEqual(plain);
    expect(readMasqueradeScript('#!/bin/sh\nnetwork=$(reboot)\n')).toBeUndefined();
  });

  it('is a program that sh takes', () => {
    execFileSync('sh', ['-n'], { input: masqueradeScript(intent) });
  });
});

describe('saved rules', () => {
  it('with Docker’s own rule in them are told', () => {
    const found = plan(seen({}, { '/etc/iptables/rules.v4': nat(dockerRule) }));
    expect(codes(found)).toContain('saved-rules-stale');
  });

  it('are written with --save, ours in them and Docker’s not', () => {
    const found = plan(seen({}, { '/etc/iptables/rules.v4': nat(dockerRule) }), { save: true });
    const write = changesOf(found).find(
      (change) => change.kind === 'write' && change.path === '/etc/iptables/rules.v4',
    );
    const text = write?.kind === 'write' ? Buffer.from(write.content).toString('utf8') : '';
    expect(text).toContain(ownRule);
    expect(text).not.toContain('-j DOCKER');
    expect(text).not.toContain(dockerRule);
  });

  it('have no place without a program that loads them', () => {
    expect(codes(plan(seen(), { save: true }))).toContain('save-nowhere');
  });
});
