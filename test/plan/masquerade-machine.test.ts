import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { known } from '../../src/lib/fact/fact';
import type { MasqueradeAnswers } from '../../src/lib/fact/masquerade-facts';
import type { HostChange } from '../../src/lib/plan/host-change';
import type { MasqueradePlan, MasqueradeWish } from '../../src/lib/plan/masquerade-scene';
import { dockerNetwork, dockerRunning, link, rules } from '../support/node-seen';
import { changesOf, plan, seen } from './masquerade-seen';
import { type PrivateMachine, privateMachine, whyNoMachine } from './private-machine';

const path = '/usr/local/lib/netctl/masquerade';
const web = 'br-0123456789ab';
const one = '-s 172.7.21.0/25 ! -o docker0 -j MASQUERADE';
const two = `-s 172.7.21.128/25 ! -o ${web} -j MASQUERADE`;
const vpn = '-s 172.7.21.0/24 -d 203.0.113.0/24 -m comment --comment "vpn: keep" -j ACCEPT';
const own = (rule: string): string =>
  rule.replace(' ! -o', ' ! -d 172.7.0.0/16 ! -o').replace(' -j', ' -m comment --comment "netctl:masquerade" -j');

const devices = `ip link add docker0 type bridge; ip addr add 172.7.21.1/25 dev docker0
ip link add ${web} type bridge; ip addr add 172.7.21.129/25 dev ${web}
ip link add cni0 type bridge; ip addr add 172.7.22.1/24 dev cni0
iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN`;

/** Two docker networks in the cluster network, and a bridge that is not Docker's. */
const situation = {
  networks: known([dockerNetwork('bridge', '172.7.21.0/25', 'docker0'), dockerNetwork('web', '172.7.21.128/25', web)]),
  links: known([
    link('eth0', ['10.4.7.21/24']),
    link('docker0', ['172.7.21.1/25'], { kind: 'bridge' }),
    link(web, ['172.7.21.129/25'], { kind: 'bridge' }),
    link('cni0', ['172.7.22.1/24'], { kind: 'bridge' }),
  ]),
};

describe.skipIf(whyNoMachine !== undefined)('on a machine', () => {
  let machine: PrivateMachine;
  afterEach(() => machine.end());

  const set = (...postrouting: readonly string[]): void => {
    machine.must(`iptables -t nat -F POSTROUTING
iptables-restore --noflush <<'END'
*nat
${postrouting.map((rule) => `-A POSTROUTING ${rule}`).join('\n')}
COMMIT
END`);
  };
  const chain = (table = 'nat', name = 'POSTROUTING'): readonly string[] =>
    machine
      .must(`iptables -t ${table} -S ${name}`)
      .split('\n')
      .flatMap((line) => (line.startsWith('-A ') ? [line.slice(`-A ${name} `.length)] : []));
  const look = (texts: Readonly<Record<string, string>> = {}, change: Partial<MasqueradeAnswers> = {}) =>
    seen({ ...situation, iptablesNft: rules(machine.must('iptables-save')), ...change }, texts);
  const scriptOf = (found: MasqueradePlan): string => {
    const script = changesOf(found).find((each) => 'path' in each && each.path === path);
    return script?.kind === 'write' ? Buffer.from(script.content).toString('utf8') : '';
  };
  const assert = (script: string) => {
    machine.must(`cat >/run/script <<'END-OF-SCRIPT'\n${script}END-OF-SCRIPT`);
    return machine.run(['dash', '/run/script', 'assert']);
  };
  /** What is done with iptables, as it stands in the plan. */
  const doAll = (changes: readonly HostChange[]): void => {
    for (const change of changes) {
      if (change.kind !== 'run' || change.argv[0] === 'systemctl' || change.argv[0] === 'rm') continue;
      if (change.argv[1] === path) continue;
      const { code, output } = machine.run(change.argv);
      expect({ argv: change.argv, code, output }).toEqual({ argv: change.argv, code: 0, output: '' });
    }
  };
  const undoOf = (found: MasqueradePlan) => found.undo.flatMap(({ changes }) => changes);
  const shown = (found: MasqueradePlan, name = 'POSTROUTING') =>
    found.chains.find((each) => each.chain === name)?.after.map((line) => line.slice(`-A ${name} `.length));
  const wish = (change: Partial<MasqueradeWish> = {}) => change;

  it('somebody’s rule between Docker’s two stays between them: mended, put back, and reverted', async () => {
    machine = await privateMachine(devices);
    set(two, vpn, one);
    const before = look();
    const found = plan(before);
    const script = scriptOf(found);
    expect(assert(script).code).toBe(0);
    expect(chain()).toEqual([own(two), vpn, own(one)]);
    expect(chain()).toEqual(shown(found));
    doAll(undoOf(found));
    expect(chain()).toEqual([two, vpn, one]);

    expect(assert(script).code).toBe(0);
    const back = plan(look({ [path]: script }), wish({ revert: true }));
    expect(shown(back)).toEqual([two, vpn, one]);
    doAll(changesOf(back));
    expect(chain()).toEqual([two, vpn, one]);
  });

  it('what is shown is what is done, and taken back, whatever stands there', async () => {
    machine = await privateMachine(devices);
    const any = fc.array(
      fc.constantFrom(one, two, one, two, own(one), own(two), vpn, '-s 10.9.9.0/24 -j MASQUERADE', '-o lo -j ACCEPT'),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(any, (chosen) => {
        set(...chosen);
        const found = plan(look());
        const script = scriptOf(found);
        expect(assert(script).code).toBe(0);
        expect(chain()).toEqual(shown(found));
        const files = { [path]: script };
        const again = plan(look(files));
        expect(shown(again)).toEqual(chain());
        const back = plan(look(files), { revert: true });
        if (changesOf(found).some((each) => each.kind === 'run' && each.argv[1] === path)) {
          doAll(undoOf(found));
          expect(chain()).toEqual(chosen);
          expect(assert(script).code).toBe(0);
        }
        doAll(changesOf(back));
        expect(chain()).toEqual(shown(back));
      }),
      { numRuns: 12 },
    );
  });

  it('Docker’s rule that stands there twice gives its place away once, and rules behind it keep theirs', async () => {
    machine = await privateMachine(devices);
    set(one, one, two, vpn, own(one));
    const found = plan(look());
    expect(assert(scriptOf(found)).code).toBe(0);
    expect(chain()).toEqual([own(two), vpn, own(one)]);
    expect(shown(found)).toEqual(chain());
  });

  describe('whose FORWARD drops what comes from other nodes', () => {
    const jump = (device: string): string =>
      `-s 172.7.0.0/16 ! -i ${device} -o ${device} -m comment --comment "netctl:masquerade" -j NETCTL-OVERLAY`;

    it('lets it in, keeps Docker’s networks and other bridges apart, and is as before when that is taken back', async () => {
      machine = await privateMachine(`${devices}
iptables -P FORWARD DROP; iptables -A FORWARD -j DOCKER-USER`);
      set(two, one);
      const rulesBefore = machine.must('iptables-save | grep -v "^[#:]"');
      const found = plan(look());
      const script = scriptOf(found);
      expect(assert(script).code).toBe(0);
      expect(chain('filter', 'DOCKER-USER')).toEqual(shown(found, 'DOCKER-USER'));
      expect(chain('filter', 'DOCKER-USER')).toEqual([jump(web), jump('docker0'), '-j RETURN']);
      expect(chain('filter', 'NETCTL-OVERLAY')).toEqual(shown(found, 'NETCTL-OVERLAY'));
      expect(chain('filter', 'NETCTL-OVERLAY')).toEqual([
        '-i docker0 -j RETURN',
        `-i ${web} -j RETURN`,
        '-i cni0 -j RETURN',
        '-j ACCEPT',
      ]);
      expect(assert(script).output).toBe('');
      // A further bridge comes, somebody flushes, and an accept of an earlier netctl is left.
      machine.must(`ip link add br-new type bridge; ip addr add 172.7.30.1/24 dev br-new
iptables -F DOCKER-USER; iptables -A DOCKER-USER -j RETURN
iptables -I DOCKER-USER -s 172.7.0.0/16 ! -i docker0 -o docker0 -m comment --comment netctl:masquerade -j ACCEPT`);
      expect(assert(script).code).toBe(0);
      expect(chain('filter', 'DOCKER-USER')).toEqual([jump(web), jump('docker0'), '-j RETURN']);
      expect(chain('filter', 'NETCTL-OVERLAY')).toContain('-i br-new -j RETURN');
      expect(chain('filter', 'NETCTL-OVERLAY').at(-1)).toBe('-j ACCEPT');
      expect(chain('filter', 'NETCTL-OVERLAY')).toHaveLength(5);
      doAll(undoOf(found));
      expect(machine.must('iptables-save | grep -v "^[#:]"')).toBe(rulesBefore);

      expect(assert(script).code).toBe(0);
      const back = plan(look({ [path]: script }), { revert: true });
      doAll(changesOf(back));
      expect(machine.must('iptables-save | grep -v "^[#:]"')).toBe(rulesBefore);
      expect(machine.must('iptables-save')).not.toContain('NETCTL');
    });

    it('has no chain of ours any more once nothing is dropped', async () => {
      machine = await privateMachine(devices);
      set(one);
      machine.must('iptables -P FORWARD DROP; iptables -A FORWARD -j DOCKER-USER');
      const script = scriptOf(plan(look()));
      expect(assert(script).code).toBe(0);
      expect(assert(script.replace('accept=yes', 'accept=no')).code).toBe(0);
      expect(machine.must('iptables-save')).not.toContain('NETCTL');
    });
  });

  it('that cannot show its nat table has the rest mended all the same, and the failure told', async () => {
    machine = await privateMachine(`${devices}
iptables -P FORWARD DROP; iptables -A FORWARD -j DOCKER-USER`);
    set(one);
    const script = scriptOf(plan(look()));
    machine.must(`cat >/usr/local/sbin/iptables <<'END'
#!/bin/sh
case "$*" in *"-t nat -S POSTROUTING"*) echo "table \\\`nat' is incompatible, use 'nft' tool." >&2; exit 1 ;; esac
exec /usr/sbin/iptables "$@"
END
chmod +x /usr/local/sbin/iptables`);
    const { code, output } = assert(script);
    expect(code).toBe(1);
    expect(output).not.toContain('parameter not set');
    expect(chain('filter', 'NETCTL-OVERLAY').at(-1)).toBe('-j ACCEPT');
  });

  it.each([
    ['1.4.21', 'takes no number', '[ "$1" = -w ] && case $2 in [0-9]*) echo "Bad argument $2" >&2; exit 2 ;; esac'],
    ['1.4.19', 'is not known', '[ "$1" = -w ] && { echo "unknown option -w" >&2; exit 2; }'],
  ])('whose iptables is %s, where -w %s, is mended, put back and reverted', async (version, _, stub) => {
    machine = await privateMachine(devices);
    set(two, vpn, one);
    machine.must(`cat >/usr/local/sbin/iptables <<'END'
#!/bin/sh
${stub}
exec /usr/sbin/iptables "$@"
END
chmod +x /usr/local/sbin/iptables`);
    const { iptables } = seen();
    if (!iptables.known) throw new Error('seen without iptables');
    const old = { iptables: known({ ...iptables.value, version, waitsForLock: version !== '1.4.19' }) };
    const found = plan(look({}, old));
    const script = scriptOf(found);
    expect(assert(script).code).toBe(0);
    doAll(undoOf(found));
    expect(chain()).toEqual([two, vpn, one]);
    expect(assert(script).code).toBe(0);
    doAll(changesOf(plan(look({ [path]: script }, old), { revert: true })));
    expect(chain()).toEqual([two, vpn, one]);
  });

  it('whose iptables cannot answer is not told to be rid of a rule', async () => {
    machine = await privateMachine(devices);
    set(one);
    const found = plan(look());
    expect(assert(scriptOf(found)).code).toBe(0);
    machine.must(
      `printf '#!/bin/sh\\necho busy >&2; exit 4\\n' >/usr/local/sbin/iptables; chmod +x /usr/local/sbin/iptables`,
    );
    const takes = undoOf(found).flatMap((each) =>
      each.kind === 'run' && each.why === 'ours is gone again' ? [each] : [],
    );
    expect(takes).toHaveLength(2);
    expect(takes.map(({ argv }) => machine.run(argv))).toEqual(takes.map(() => ({ code: 1, output: 'busy\n' })));
  });

  it('sees that flanneld’s table of nftables goes, and gives its containers their way out at once', async () => {
    machine = await privateMachine(devices);
    set();
    machine.must(`cat >/usr/local/sbin/nft <<'END'
#!/bin/sh
cat /run/flannel-nft 2>&1
END
chmod +x /usr/local/sbin/nft
echo 'ip saddr 172.7.0.0/16 ip daddr != 224.0.0.0/4 counter packets 1 bytes 60 masquerade fully-random' >/run/flannel-nft`);
    const env = seen().subnetEnv;
    if (!env.known || !env.value.present || env.value.reading.env === null) throw new Error('seen without subnet.env');
    const script = scriptOf(plan(look({}, { docker: dockerRunning('26.1.4') }))).replace('flannel=no', 'flannel=yes');
    machine.must(
      `cat >/run/script <<'END-OF-SCRIPT'\n${script}END-OF-SCRIPT\ndash /run/script watch >/run/log 2>&1 & echo $! >/run/pid`,
    );
    try {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(chain()).toEqual([]);
      machine.must('rm /run/flannel-nft');
      await expect.poll(() => chain(), { timeout: 15_000 }).toContain(own(one));
    } finally {
      machine.run(['sh', '-c', 'kill $(cat /run/pid)']);
    }
  });
});
