import { known, unknown } from '../../src/lib/fact/fact';
import type { MasqueradeAnswers } from '../../src/lib/fact/masquerade-facts';
import { parseInventory } from '../../src/lib/inventory/parse-inventory';
import { parseSubnetEnv } from '../../src/lib/net/subnet-env';
import { planMasquerade } from '../../src/lib/plan/masquerade';
import { type MasqueradePlan, type MasqueradeWish, masqueradeQuestions } from '../../src/lib/plan/masquerade-scene';
import { dockerNetwork, files, link, nodeSeen, process, route, rules, unit } from '../support/node-seen';

const inventory = parseInventory(
  JSON.stringify({ network: { cidr: '172.7.0.0/16' }, nodes: [{ name: 'hdss7-21', address: '10.4.7.21' }] }),
  '/work/netctl.yaml',
);
const [node] = inventory.nodes;
if (node === undefined) throw new Error('no node');
const wish: MasqueradeWish = { inventory, network: null, method: 'auto', revert: false, save: false };

export const filterRules = `*filter
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:FLANNEL-FWD - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -j FLANNEL-FWD
-A DOCKER-USER -j RETURN
-A FLANNEL-FWD -s 172.7.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 172.7.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
COMMIT
`;
export const dockerRule = '-A POSTROUTING -s 172.7.21.0/24 ! -o docker0 -j MASQUERADE';
export const ownRule =
  '-A POSTROUTING -s 172.7.21.0/24 ! -d 172.7.0.0/16 ! -o docker0 -m comment --comment "netctl:masquerade" -j MASQUERADE';
export const flannelRules = [
  '-A POSTROUTING -s 172.7.0.0/16 -d 172.7.0.0/16 -m comment --comment "flanneld masq" -j RETURN',
  '-A POSTROUTING -s 172.7.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
];

export function nat(...postrouting: readonly string[]): string {
  return `*nat\n:POSTROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n${postrouting.map((line) => `${line}\n`).join('')}COMMIT\n`;
}

export function subnetEnv(ipMasq: boolean, networkText = '172.7.0.0/16'): MasqueradeAnswers['subnetEnv'] {
  const text = `FLANNEL_NETWORK=${networkText}\nFLANNEL_SUBNET=172.7.21.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=${ipMasq}\n`;
  return known({ present: true, reading: parseSubnetEnv(text), modifiedAtSeconds: 0 });
}

const absent = (name: string) =>
  unit(name, { isFound: false, loadState: 'not-found', activeState: 'inactive', unitFileState: '' });

/** hdss7-21 of the third seed: host-gw, Docker masquerades, nothing of ours. */
export function seen(
  change: Partial<MasqueradeAnswers> = {},
  texts: Readonly<Record<string, string>> = {},
): MasqueradeAnswers {
  const { answers } = nodeSeen('10.4.7.21');
  if (node === undefined) throw new Error('no node');
  const asked = masqueradeQuestions(inventory, node).texts;
  const all = files(texts);
  const given = all.known ? all.value : new Map();
  return {
    docker: answers.docker,
    networks: known([dockerNetwork('bridge', '172.7.21.0/24', 'docker0')]),
    containers: known([]),
    dockerProgram: answers.dockerProgram,
    links: known([link('eth0', ['10.4.7.21/24']), link('docker0', ['172.7.21.1/24'], { kind: 'bridge' })]),
    routes: known([
      route('default', { via: '10.4.7.254', dev: 'eth0' }),
      route('172.7.21.0/24', { dev: 'docker0', source: '172.7.21.1', protocol: 'kernel' }),
      route('172.7.22.0/24', { via: '10.4.7.22', dev: 'eth0' }),
    ]),
    iptables: answers.iptables,
    iptablesNft: rules(filterRules + nat(dockerRule)),
    iptablesLegacy: known({ state: 'not-in-use' }),
    nftTables: unknown('nft: not found'),
    systemdVersion: known(252),
    units: known(
      new Map([
        ['netctl-masquerade.service', absent('netctl-masquerade.service')],
        ['docker.service', unit('docker.service')],
      ]),
    ),
    dockerUnit: answers.dockerUnit,
    dockerd: known([process(100, ['/usr/sbin/dockerd', '-H', 'fd://'])]),
    subnetEnv: subnetEnv(false),
    texts: known(new Map([...asked.map((path) => [path, known({ present: false as const })] as const), ...given])),
    ...change,
  };
}

export function plan(answers = seen(), change: Partial<MasqueradeWish> = {}): MasqueradePlan {
  if (node === undefined) throw new Error('no node');
  return planMasquerade(node, answers, { ...wish, ...change });
}

export const changesOf = (found: MasqueradePlan) => found.steps.flatMap(({ changes }) => changes);
export const errors = (found: MasqueradePlan) =>
  found.problems.filter(({ severity }) => severity === 'error').map(({ code }) => code);
export const codes = (found: MasqueradePlan) => found.problems.map(({ code }) => code);
export const arrives = (found: MasqueradePlan) =>
  found.paths.map(({ before, after }) => [before.address, after.address]);

/** The node as the plan leaves it, as far as rules, files and units go. */
export function afterwards(found: MasqueradePlan, before: MasqueradeAnswers): MasqueradeAnswers {
  const texts: Record<string, string> = {};
  for (const change of changesOf(found)) {
    if (change.kind === 'write') texts[change.path] = Buffer.from(change.content).toString('utf8');
  }
  const written = files(texts);
  const modes = new Map(
    changesOf(found).flatMap((change) => (change.kind === 'write' ? [[change.path, change.mode] as const] : [])),
  );
  const now = new Map(before.texts.known ? before.texts.value : []);
  for (const [path, file] of written.known ? written.value : []) {
    const mode = modes.get(path);
    if (file.known && file.value.present && mode !== undefined) now.set(path, known({ ...file.value, mode }));
  }
  const chain = found.chains.find(({ table }) => table === 'nat');
  const user = found.chains.find(({ chain: name }) => name === 'DOCKER-USER');
  const overlay = found.chains.find(({ chain: name }) => name === 'NETCTL-OVERLAY');
  const all =
    before.iptablesNft.known && before.iptablesNft.value.state === 'read' ? before.iptablesNft.value.ruleset : null;
  const hasFlannel =
    all?.tables.some(({ rules: each }) => each.some(({ text }) => text === '-A FORWARD -j FLANNEL-FWD')) ?? true;
  let filter = hasFlannel ? filterRules : filterRules.replace('-A FORWARD -j FLANNEL-FWD\n', '');
  if (user !== undefined) filter = filter.replace('-A DOCKER-USER -j RETURN', user.after.join('\n'));
  if (overlay !== undefined && overlay.after.length > 0) {
    filter = filter
      .replace(':DOCKER-USER', ':NETCTL-OVERLAY - [0:0]\n:DOCKER-USER')
      .replace('COMMIT', `${overlay.after.join('\n')}\nCOMMIT`);
  }
  const dropIn = [...now.keys()].filter((path) => path.endsWith('zz-netctl-masquerade.conf'));
  return {
    ...before,
    iptablesNft: rules(filter + nat(...(chain?.after ?? []))),
    texts: known(now),
    units: known(
      new Map([
        ['netctl-masquerade.service', unit('netctl-masquerade.service')],
        ['docker.service', unit('docker.service')],
      ]),
    ),
    dockerUnit: before.dockerUnit.known
      ? known([...before.dockerUnit.value, ...dropIn.map((path) => ({ path, text: texts[path] ?? '' }))])
      : before.dockerUnit,
  };
}
