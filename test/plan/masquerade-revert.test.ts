import { describe, expect, it } from 'vitest';
import { known } from '../../src/lib/fact/fact';
import { parseIptablesSave } from '../../src/lib/fact/iptables-save';
import type { MasqueradeAnswers } from '../../src/lib/fact/masquerade-facts';
import { walkChain } from '../../src/lib/fact/packet-walk';
import { parseIpv4 } from '../../src/lib/net/ipv4';
import type { HostChange } from '../../src/lib/plan/host-change';
import {
  type MasqueradeIntent,
  masqueradeFiles,
  masqueradeScript,
  readMasqueradeScript,
} from '../../src/lib/plan/masquerade-files';
import type { MasqueradePlan } from '../../src/lib/plan/masquerade-scene';
import { dockerNetwork, dockerRunning, files, link, rules, unit } from '../support/node-seen';
import {
  afterwards,
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

const paths = {
  script: '/usr/local/lib/netctl/masquerade',
  unit: '/etc/systemd/system/netctl-masquerade.service',
  dropIn: '/etc/systemd/system/docker.service.d/zz-netctl-masquerade.conf',
  json: '/etc/docker/daemon.json',
  saved: '/etc/iptables/rules.v4',
};
const intent: MasqueradeIntent = {
  network: { base: 0xac07_0000, length: 16 },
  bridges: [{ device: 'docker0', subnet: { base: 0xac07_1500, length: 24 } }],
  byFlannel: true,
  accepts: false,
  ipMasqBefore: 'unset',
  directRoutingBefore: null,
};
const units = new Map([
  ['netctl-masquerade.service', unit('netctl-masquerade.service')],
  ['docker.service', unit('docker.service')],
]);
const running = known(units);
/** Docker has been restarted since, with "ip-masq": false. */
const restarted = known([{ ...dockerNetwork('bridge', '172.7.21.0/24', 'docker0'), masquerades: false }]);
const json = '{\n  "log-level": "warn",\n  "ip-masq": false\n}\n';

const ourFiles = (change: Partial<MasqueradeIntent> = {}): Readonly<Record<string, string>> =>
  Object.fromEntries(
    masqueradeFiles({ ...intent, ...change }, 'docker').flatMap((each) =>
      each.kind === 'file' ? [[each.path, String(each.content)] as const] : [],
    ),
  );
const words = (change: HostChange): string =>
  'path' in change ? `${change.kind} ${change.path}` : 'argv' in change ? change.argv.join(' ') : '';
const textOf = (found: MasqueradePlan, path: string): string | undefined => {
  const change = changesOf(found).find((each) => 'path' in each && each.path === path);
  return change?.kind === 'write' ? Buffer.from(change.content).toString('utf8') : undefined;
};

describe('a revert that is cut off', () => {
  const masquerading: Partial<MasqueradeAnswers> = {
    subnetEnv: subnetEnv(true),
    iptablesNft: rules(filterRules + nat(...flannelRules)),
    units: running,
  };
  const all = { ...ourFiles(), [paths.json]: json };

  it('has its script to the last: it alone knows what daemon.json was', () => {
    const changes = changesOf(plan(seen(masquerading, all), { revert: true })).map(words);
    expect(changes).toEqual([
      'systemctl disable --now netctl-masquerade.service',
      `remove ${paths.dropIn}`,
      `remove ${paths.unit}`,
      'systemctl daemon-reload',
      `write ${paths.json}`,
      'iptables -w 10 -t nat -I POSTROUTING 1 -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE',
      'rm -f -- /run/netctl/masquerade.bridges /run/netctl/masquerade.lock',
      `remove ${paths.script}`,
    ]);
  });

  it('is finished by the next one, wherever it was cut', () => {
    const whole = plan(seen(masquerading, all), { revert: true });
    const changes = changesOf(whole);
    for (let cut = 0; cut <= changes.length; cut++) {
      let texts: Record<string, string> = { ...all };
      let answers = masquerading;
      for (const change of changes.slice(0, cut)) {
        if (change.kind === 'write') texts[change.path] = Buffer.from(change.content).toString('utf8');
        else if (change.kind === 'remove') {
          const { path } = change;
          texts = Object.fromEntries(Object.entries(texts).filter(([each]) => each !== path));
        } else if (change.kind === 'run' && change.argv.includes('-I')) {
          answers = { ...answers, iptablesNft: rules(filterRules + nat(dockerRule, ...flannelRules)) };
        } else if (change.kind === 'run' && change.argv[1] === 'disable') {
          const stopped = unit('netctl-masquerade.service', { activeState: 'inactive', unitFileState: 'disabled' });
          answers = {
            ...answers,
            units: known(new Map([...units, ['netctl-masquerade.service', stopped]])),
          };
        }
      }
      const rest = plan(seen(answers, texts), { revert: true });
      expect(errors(rest)).toEqual([]);
      const last = rest.steps.length === 0 ? texts[paths.json] : (textOf(rest, paths.json) ?? texts[paths.json]);
      expect({ cut, json: last }).toEqual({ cut, json: '{\n  "log-level": "warn"\n}\n' });
      expect(rest.chains[0]?.after).toEqual([dockerRule, ...flannelRules]);
      if (cut < changes.length) expect(changesOf(rest).map(words)).toContain(`remove ${paths.script}`);
      else expect(changesOf(rest)).toEqual([]);
    }
  });
});

describe('where netctl itself has told Docker not to masquerade', () => {
  const texts = { ...ourFiles(), [paths.json]: json };

  it('a revert puts Docker’s rule in place of ours, also when nobody else masquerades any more', () => {
    const answers = seen(
      { networks: restarted, units: running, iptablesNft: rules(filterRules + nat(ownRule)) },
      texts,
    );
    const found = plan(answers, { revert: true });
    expect(errors(found)).toEqual([]);
    expect(found.chains[0]?.after).toEqual([dockerRule]);
    expect(found.paths.find(({ path }) => path === 'container-to-internet')?.after.kind).toBe('changed');
  });

  const byFlannel = seen(
    {
      networks: restarted,
      units: running,
      subnetEnv: subnetEnv(true),
      iptablesNft: rules(filterRules + nat(...flannelRules)),
    },
    texts,
  );

  it('--method rule asserts our rule, though Docker makes none', () => {
    const found = plan(byFlannel, { method: 'rule' });
    expect(found.chains[0]?.after).toEqual([ownRule, ...flannelRules]);
    const script = readMasqueradeScript(textOf(found, paths.script) ?? '');
    expect(script).toEqual({ ...intent, byFlannel: false });
  });

  it('the default method plans nothing', () => {
    const right = afterwards(plan(byFlannel), byFlannel);
    expect(changesOf(plan(right))).toEqual([]);
  });
});

describe('where somebody else had told Docker not to masquerade', () => {
  const texts = { ...ourFiles({ ipMasqBefore: null }), [paths.json]: json };
  const change = { networks: restarted, units: running };

  it('a revert that would take the last way out away is refused, with what helps', () => {
    const found = plan(seen({ ...change, iptablesNft: rules(filterRules + nat(ownRule)) }, texts), { revert: true });
    expect(errors(found)).toEqual(['nat-would-be-lost']);
    expect(changesOf(found)).toEqual([]);
    expect(found.problems.at(-1)?.suggestion).toContain('"ip-masq": true');
  });

  it('it is done where flanneld masquerades', () => {
    const found = plan(seen({ ...change, iptablesNft: rules(filterRules + nat(...flannelRules)) }, texts), {
      revert: true,
    });
    expect(errors(found)).toEqual([]);
    expect(found.chains[0]?.after).toEqual(flannelRules);
    expect(changesOf(found).map(words)).not.toContain(`write ${paths.json}`);
  });
});

describe('"allow-direct-routing" that netctl wrote', () => {
  const rawDrop = '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 172.7.21.2/32 ! -i docker0 -j DROP\nCOMMIT\n';
  const dropping = (texts: Readonly<Record<string, string>>) =>
    seen({ docker: dockerRunning('28.2.0'), iptablesNft: rules(rawDrop + filterRules + nat(dockerRule)) }, texts);

  it.each([
    ['was not there', '{"log-level":"warn"}\n', '{"log-level":"warn"}\n'],
    ['was false', '{"allow-direct-routing": false}\n', '{"allow-direct-routing": false}\n'],
    ['had no file', undefined, undefined],
  ])('goes with the revert when it %s, and counts from Docker’s next start', (_, text, back) => {
    const before = dropping(text === undefined ? {} : { [paths.json]: text });
    const fixed = plan(before);
    expect(textOf(fixed, paths.json)).toContain('"allow-direct-routing":');
    const found = plan(afterwards(fixed, before), { revert: true });
    const change = changesOf(found).find((each) => 'path' in each && each.path === paths.json);
    expect(change?.kind).toBe(back === undefined ? 'remove' : 'write');
    expect(textOf(found, paths.json)).toBe(back);
    expect(found.steps.flatMap(({ mind }) => mind).join()).toContain('counts from its next start');
  });

  it('goes together with "ip-masq", in whichever order they came into a file of our own', () => {
    const both = { ...intent, directRoutingBefore: 'unset' as const };
    for (const keys of [
      ['"ip-masq": false', '"allow-direct-routing": true'],
      ['"allow-direct-routing": true', '"ip-masq": false'],
    ]) {
      const texts = { ...ourFiles(both), [paths.json]: `{\n  ${keys.join(',\n  ')}\n}\n` };
      const found = plan(seen({ units: running, iptablesNft: rules(filterRules + nat(ownRule)) }, texts), {
        revert: true,
      });
      expect(changesOf(found).map(words)).toContain(`remove ${paths.json}`);
    }
  });

  it('stays when somebody else wrote it', () => {
    const texts = { ...ourFiles(), [paths.json]: '{"allow-direct-routing": true}\n' };
    const found = plan(seen({ units: running, iptablesNft: rules(filterRules + nat(ownRule)) }, texts), {
      revert: true,
    });
    expect(
      changesOf(found)
        .map(words)
        .filter((line) => line.includes('daemon.json')),
    ).toEqual([]);
  });

  it('is remembered in the script, over a second run', () => {
    const before = dropping({});
    const right = afterwards(plan(before), before);
    const script = files({}).known && right.texts.known ? right.texts.value.get(paths.script) : undefined;
    const bytes = script?.known === true && script.value.present ? script.value.bytes : null;
    expect(readMasqueradeScript(Buffer.from(bytes ?? []).toString('utf8'))?.directRoutingBefore).toBe('unset');
    expect(changesOf(plan(right))).toEqual([]);
    expect(masqueradeScript(intent)).toContain("direct_routing_before=''");
  });
});

describe('a saved file with rules of ours', () => {
  const forwarding = filterRules.replace('-A FORWARD -j FLANNEL-FWD\n', '');
  const before = seen({ iptablesNft: rules(forwarding + nat(dockerRule)) }, { [paths.saved]: nat(dockerRule) });
  const right = afterwards(plan(before, { save: true }), before);

  it('is told at a revert, since they would come back at the next boot', () => {
    const found = plan(right, { revert: true });
    expect(codes(found)).toContain('saved-rules-stale');
    expect(found.problems.at(-1)).toMatchObject({
      severity: 'warning',
      path: paths.saved,
      suggestion: 'netctl fix-masquerade --revert --save',
    });
  });

  it('is written without them by --revert --save, also after a revert without it', () => {
    const saved = textOf(plan(right, { revert: true, save: true }), paths.saved);
    expect(saved).not.toMatch(/netctl:masquerade|NETCTL/);
    const { texts } = right;
    const kept = texts.known ? texts.value.get(paths.saved) : undefined;
    const again = seen({ iptablesNft: rules(forwarding + nat(dockerRule)) });
    const later = {
      ...again,
      texts:
        again.texts.known && kept !== undefined ? known(new Map([...again.texts.value, [paths.saved, kept]])) : texts,
    };
    expect(changesOf(plan(later, { revert: true, save: true })).map(words)).toEqual([`write ${paths.saved}`]);
    expect(codes(plan(later, { revert: true, save: true }))).toEqual([]);
    expect(codes(plan(later, { revert: true }))).toEqual(['saved-rules-stale']);
  });
});

describe('what puts a node back whose proof failed', () => {
  const undoWords = (found: MasqueradePlan) => found.undo.map(({ changes }) => changes.map(words));

  it('has Docker’s restart in a step of its own, one node at a time, with the file that it is for', () => {
    const rawDrop = '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 172.7.21.2/32 ! -i docker0 -j DROP\nCOMMIT\n';
    const found = plan(
      seen(
        { docker: dockerRunning('28.2.0'), iptablesNft: rules(rawDrop + filterRules + nat(dockerRule)) },
        { [paths.json]: '{"log-level":"warn"}\n' },
      ),
    );
    expect(found.undo.map(({ oneAtATime }) => oneAtATime)).toEqual([undefined, 'docker-restart']);
    expect(undoWords(found)[0]?.join()).not.toMatch(/daemon\.json|restart docker/);
    expect(undoWords(found)[1]?.slice(0, 3)).toEqual([
      `write ${paths.json}`,
      'systemctl reset-failed docker.service',
      'systemctl restart docker.service',
    ]);
  });

  it.each([
    ['takes a file of saved rules away that was not there', undefined],
    [
      'writes the admin’s own saved rules again',
      '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n',
    ],
  ])('%s', (_, text) => {
    const folder = known({
      present: true as const,
      ...{ kind: 'folder' as const, mode: 0o755, uid: 0, gid: 0, sizeBytes: 0, modifiedAtSeconds: 0, target: null },
      bytes: null,
    });
    const before = seen({}, text === undefined ? {} : { [paths.saved]: text });
    const texts = before.texts.known
      ? known(new Map([...before.texts.value, ['/etc/iptables', folder]]))
      : before.texts;
    const found = plan({ ...before, texts }, { save: true });
    const back = found.undo
      .flatMap(({ changes }) => changes)
      .find((each) => 'path' in each && each.path === paths.saved);
    const put = back?.kind === 'write' ? Buffer.from(back.content).toString('utf8') : undefined;
    expect([back?.kind, put]).toEqual([text === undefined ? 'remove' : 'write', text]);
  });

  it('starts Docker again without our file where there was none, when the restart fails', () => {
    const rawDrop = '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 172.7.21.2/32 ! -i docker0 -j DROP\nCOMMIT\n';
    const found = plan(
      seen({ docker: dockerRunning('28.2.0'), iptablesNft: rules(rawDrop + filterRules + nat(dockerRule)) }),
    );
    const restart = found.steps.find(({ oneAtATime }) => oneAtATime !== undefined);
    expect(restart?.undo?.map((each) => words('of' in each ? each.change : each))).toEqual([
      `remove ${paths.json}`,
      'systemctl reset-failed docker.service',
      'systemctl restart docker.service',
    ]);
  });
});

describe('a table that iptables cannot show', () => {
  it.each(['nat', 'filter'])('%s is not taken for an empty one', (table) => {
    const note = `# Table \`${table}' is incompatible, use 'nft' tool.\n`;
    const shown = table === 'nat' ? filterRules : nat(dockerRule);
    const found = plan(seen({ iptablesNft: rules(note + shown) }));
    expect(errors(found)).toEqual(['masquerade-unknown']);
    expect(changesOf(found)).toEqual([]);
  });

  it('but holds more than it shows, is read', () => {
    const note = "# Table `nat' contains incompatible base-chains, use 'nft' tool to list them.\n";
    expect(errors(plan(seen({ iptablesNft: rules(note + filterRules + nat(dockerRule)) })))).toEqual([]);
  });
});

describe('Docker’s networks of one machine', () => {
  it('stay apart when the network is let in', () => {
    const web = 'br-0123456789ab';
    const filter = filterRules
      .replace('-A FORWARD -j FLANNEL-FWD\n', '-A FORWARD -j DOCKER-ISOLATION-STAGE-1\n')
      .replace(':DOCKER-USER', ':DOCKER-ISOLATION-STAGE-1 - [0:0]\n:DOCKER-USER')
      .replace('COMMIT', `-A DOCKER-ISOLATION-STAGE-1 -i ${web} -o docker0 -j DROP\nCOMMIT`);
    const found = plan(
      seen({
        networks: known([
          dockerNetwork('bridge', '172.7.21.0/25', 'docker0'),
          { ...dockerNetwork('secret', '172.7.21.128/25', web), isInternal: true },
        ]),
        links: known([
          link('eth0', ['10.4.7.21/24']),
          link('docker0', ['172.7.21.1/25'], { kind: 'bridge' }),
          link(web, ['172.7.21.129/25'], { kind: 'bridge' }),
          link('flannel.1', ['172.7.21.0/32'], { kind: 'vxlan' }),
        ]),
        iptablesNft: rules(filter + nat('-A POSTROUTING -s 172.7.21.0/25 ! -o docker0 -j MASQUERADE')),
      }),
    );
    expect(found.chains.find(({ chain }) => chain === 'NETCTL-OVERLAY')?.after).toEqual([
      '-A NETCTL-OVERLAY -i docker0 -j RETURN',
      `-A NETCTL-OVERLAY -i ${web} -j RETURN`,
      '-A NETCTL-OVERLAY -j ACCEPT',
    ]);
    const after = parseIptablesSave(
      found.chains.reduce(
        (text, { table, chain, after: lines }) =>
          table === 'nat'
            ? text
            : text
                .replace('-A DOCKER-USER -j RETURN\n', chain === 'DOCKER-USER' ? '' : '$&')
                .replace(':FORWARD', chain === 'DOCKER-USER' ? '$&' : `:${chain} - [0:0]\n$&`)
                .replace('COMMIT', `${lines.join('\n')}\nCOMMIT`),
        filter,
      ),
    );
    const end = (source: string, inDevice: string) =>
      walkChain(after, 'filter', 'FORWARD', {
        source: parseIpv4(source) ?? 0,
        destination: parseIpv4('172.7.21.2') ?? 0,
        inDevice,
        outDevice: 'docker0',
      }).map(({ verdict }) => verdict);
    expect(end('172.7.21.130', web)).toEqual(['DROP']);
    expect(end('172.7.22.2', 'eth0')).toEqual(['ACCEPT']);
    expect(end('172.7.22.2', 'flannel.1')).toEqual(['ACCEPT']);
  });
});
