import { beforeEach, describe, expect, it } from 'vitest';
import { known, unknown } from '../../src/lib/fact/fact';
import type { ResetAnswers } from '../../src/lib/fact/reset-facts';
import { parseInventory } from '../../src/lib/inventory/parse-inventory';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import type { Lease } from '../../src/lib/net/lease';
import { readLeases } from '../../src/lib/net/lease';
import { judgeConfig } from '../../src/lib/net/network-config';
import { planNodeDocker } from '../../src/lib/plan/docker-step';
import { flannelFiles, flannelFilesWish } from '../../src/lib/plan/flannel-files';
import { sha256Of } from '../../src/lib/plan/host-change';
import { hostFiles } from '../../src/lib/plan/host-files';
import { planReset, type ResetPlan, type ResetWish, resetQuestions } from '../../src/lib/plan/reset';
import { expiring, releaseLease } from '../../src/lib/plan/reset-lease';
import { knownValue } from '../fact/captured';
import { dockerRunning, link, route } from '../support/node-seen';
import { process, SimulatedNode } from '../support/simulated-node';

const version = parseFlannelVersion('v0.28.9');
const inventory = parseInventory(
  JSON.stringify({
    etcd: { endpoints: ['http://10.4.7.12:2379'] },
    flannel: { version: 'v0.28.9' },
    nodes: [
      { name: 'node1', address: '10.4.7.21' },
      { name: 'node2', address: '10.4.7.22' },
    ],
  }),
  '/work/netctl.yaml',
);
const [node1] = inventory.nodes;
if (node1 === undefined) throw new Error('there is a node');
const key = Buffer.from('-----BEGIN PRIVATE KEY-----\n');
const flanneld = Buffer.from('the program of v0.28.9');
const older = Buffer.from('the program of v0.28.5');
const prefix = '/coreos.com/network';

function leasesOf(entries: Readonly<Record<string, string>>): readonly Lease[] {
  const stored = Object.entries(entries).map(([subnet, publicIP]) => ({
    key: `${prefix}/subnets/${subnet}`,
    value: Buffer.from(JSON.stringify({ PublicIP: publicIP, BackendType: 'host-gw' })),
    revision: '7',
    createdRevision: '7',
    permanent: false,
  }));
  return readLeases({ api: 'v3', entries: stored }, prefix, version).leases;
}

const wish: ResetWish = {
  inventory,
  version,
  effective: judgeConfig('{"Network":"172.7.0.0/16","Backend":{"Type":"host-gw"}}', version).effective,
  leases: leasesOf({ '172.7.21.0-24': '10.4.7.21', '172.7.22.0-24': '10.4.7.22' }),
  keepLease: false,
  endpoints: ['http://10.4.7.12:2379'],
  certificates: { key },
  programs: new Set([sha256Of(flanneld), sha256Of(older)]),
};

const subnetEnv =
  'FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.21.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n';

function plan(node: SimulatedNode, change: Partial<ResetWish> = {}): ResetPlan {
  const all = { ...wish, ...change };
  if (node1 === undefined) throw new Error('there is a node');
  return planReset({ node: node1, answers: node.answers(resetQuestions(node1, all)) }, all);
}

/** As bootstrap leaves a node, by its own planners, and as flanneld leaves it when it ran. */
function bootstrapped(): SimulatedNode {
  const node = new SimulatedNode('10.4.7.21');
  if (node1 === undefined) throw new Error('there is a node');
  const flannel = flannelFiles(
    flannelFilesWish(inventory, node1, {
      family: 'debian',
      version,
      endpoints: wish.endpoints,
      certificates: wish.certificates,
    }),
  );
  const host = hostFiles({
    version,
    backend: 'host-gw',
    hasDirectRouting: false,
    network: '172.7.0.0/16',
    ipv6Network: null,
    enableNFTables: false,
    hasForwardRules: false,
    strictRpFilter: [],
    present: { systemdVersion: 252, networkManager: false, networkd: true, dhcpcdConf: 'hostname\n', iptables: true },
  });
  for (const file of [...flannel.files, ...host.files]) {
    if (file.kind === 'file') node.put(file.path, file.content, file.mode);
    else if (file.kind === 'link') node.link(file.path, file.target);
  }
  node.put('/opt/flannel-v0.28.9/flanneld', flanneld, 0o755);
  node.put('/opt/flannel-v0.28.5/flanneld', older, 0o755);
  node.put('/run/flannel/subnet.env', subnetEnv);
  node.units.set('flanneld.service', { active: true, enabled: true });
  node.units.set('netctl-forward.service', { active: true, enabled: true });
  node.flanneld = [process(500, '/opt/flannel-v0.28.9/flanneld', ['/opt/flannel/flanneld'])];
  node.routes.push(route('172.7.22.0/24', { via: '10.4.7.22', dev: 'eth0' }));
  node.rules.filter.push(
    ':FLANNEL-FWD',
    '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
    '-A FLANNEL-FWD -s 172.7.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
    '-A FLANNEL-FWD -d 172.7.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
  );
  const docker = planNodeDocker(
    node.answers(resetQuestions(node1, wish)),
    inventory.docker,
    { path: '/run/flannel/subnet.env', text: subnetEnv },
    { style: 'daemon-json', after: ['flanneld.service'], follow: true },
  );
  for (const { path, mode, after } of docker.writes) if (after !== null) node.put(path, after, mode);
  node.units.set('netctl-docker-follow.path', { active: true, enabled: true });
  node.docker0 = '172.7.21.1/24';
  node.mtu = 1450;
  return node;
}

const words = (found: ResetPlan): readonly string[] =>
  found.steps.flatMap(({ changes }) =>
    changes.map((change) => ('argv' in change ? change.argv.join(' ') : `${change.kind} ${change.path}`)),
  );

describe('resetting a node', () => {
  let node: SimulatedNode;
  beforeEach(() => {
    node = bootstrapped();
  });

  it('takes back all that bootstrap put there, and leaves the node as one that never had it', () => {
    const before = new SimulatedNode('10.4.7.21');
    before.put('/etc/dhcpcd.conf', 'hostname\n');
    const found = plan(node);
    expect(found.problems).toEqual([]);
    node.apply(found.steps);
    expect(node.snapshot()).toEqual(before.snapshot());
  });

  it('has nothing to do after that', () => {
    const found = plan(node);
    node.apply(found.steps);
    const rest = plan(node, { leases: wish.leases.filter(({ publicIP }) => publicIP !== '10.4.7.21') });
    expect(rest).toMatchObject({ steps: [], problems: [], containers: [], lease: { changes: [] } });
  });

  it('has nothing to do on a node that never was one', () => {
    const bare = new SimulatedNode('10.4.7.21');
    expect(plan(bare, { leases: [] })).toMatchObject({ steps: [], problems: [], lease: { changes: [] } });
  });

  it('plans the same twice', () => {
    expect(plan(node)).toEqual(plan(node));
  });

  it('is finished by a second run wherever the first was cut off', () => {
    const before = new SimulatedNode('10.4.7.21');
    before.put('/etc/dhcpcd.conf', 'hostname\n');
    const changes = plan(node).steps.flatMap((step) => step.changes);
    expect(changes.length).toBeGreaterThan(20);
    for (let done = 0; done < changes.length; done++) {
      const cut = bootstrapped();
      cut.apply([{ title: 'first', changes: changes.slice(0, done), mind: [] }]);
      const rest = plan(cut);
      expect(rest.problems, `after ${done} changes`).toEqual([]);
      cut.apply(rest.steps);
      expect(cut.snapshot(), `after ${done} changes`).toEqual(before.snapshot());
    }
  });

  it('stops flanneld before it takes anything from it, and gives the lease back by its revision', () => {
    const found = plan(node);
    expect(words(found)[0]).toBe('systemctl disable --now flanneld.service');
    expect(found.lease.changes).toEqual([
      {
        kind: 'delete',
        key: `${prefix}/subnets/172.7.21.0-24`,
        expected: '7',
        why: expect.stringContaining('node1 gives back 172.7.21.0/24'),
      },
    ]);
    expect(plan(node, { keepLease: true }).lease.changes).toEqual([]);
  });

  it('never flushes, and removes rules by their exact words', () => {
    const found = words(plan(node));
    expect(found.filter((line) => /(^| )(-F|--flush|flush|-P)( |$)/.test(line))).toEqual([]);
    expect(found).toContain(
      'iptables -w 10 -t filter -D FLANNEL-FWD -s 172.7.0.0/16 -m comment --comment flanneld forward -j ACCEPT',
    );
  });

  it('names the containers that stop, and Docker is restarted by one node at a time', () => {
    node.containers = ['web', 'db'];
    const found = plan(node);
    expect(found.containers).toEqual(['web', 'db']);
    const step = found.steps.find(({ title }) => title.startsWith('Docker'));
    expect(step?.oneAtATime).toBe('docker-restart');
    expect(step?.mind.join('\n')).toContain('2 containers stop: web, db');
    expect(step?.mind.join('\n')).toContain('these stay stopped');
  });

  it('gives docker0 the range that Docker would choose, past those that are taken, for one start only', () => {
    node.routes.push(route('172.17.0.0/16', { via: '10.4.7.254', dev: 'eth0' }));
    node.apply(plan(node).steps);
    expect(node.docker0).toBe('172.18.0.1/16');
    expect(node.text('/etc/docker/daemon.json')).toBeNull();
  });

  it('keeps every other key of daemon.json, and one of ours that somebody has changed', () => {
    node.put(
      '/etc/docker/daemon.json',
      '{\n  "log-driver": "journald",\n  "bip": "172.7.21.1/24",\n  "mtu": 1400,\n  "ip-masq": true\n}\n',
    );
    const found = plan(node);
    expect(found.problems.map(({ code }) => code)).toEqual(['key-changed-since']);
    node.apply(found.steps);
    expect(node.text('/etc/docker/daemon.json')).toBe('{\n  "log-driver": "journald",\n  "mtu": 1400\n}\n');
  });

  it('takes the other style back as well: drop-in, options of this and of the last start', () => {
    const before = new SimulatedNode('10.4.7.21');
    before.put('/etc/dhcpcd.conf', 'hostname\n');
    for (const path of ['/etc/docker/daemon.json', '/etc/systemd/system/docker.service.d/zz-netctl-flannel.conf']) {
      node.things.delete(path);
    }
    const inOptions = { ...inventory, docker: { style: 'options-file' } } as const;
    const docker = planNodeDocker(
      node.answers(resetQuestions(node1, wish)),
      inOptions.docker,
      { path: '/run/flannel/subnet.env', text: subnetEnv },
      { style: 'options-file', after: ['flanneld.service'], follow: true },
    );
    for (const { path, mode, after } of docker.writes) if (after !== null) node.put(path, after, mode);
    for (const path of ['/run/docker_opts.env', '/var/lib/netctl/docker_opts.env']) {
      node.put(path, 'FLANNEL_DOCKER_OPTS=" --bip=172.7.21.1/24 --ip-masq=true --mtu=1450"\n');
    }
    node.apply(plan(node, { inventory: inOptions }).steps);
    expect(node.snapshot()).toEqual(before.snapshot());
  });

  it('knows the keys of daemon.json after a boot at which flanneld failed and left no subnet.env', () => {
    node.things.delete('/run/flannel/subnet.env');
    node.put('/etc/docker/daemon.json', '{\n  "bip": "172.7.21.1/24",\n  "mtu": 1500,\n  "ip-masq": true\n}\n');
    node.apply(plan(node).steps);
    expect(node.text('/etc/docker/daemon.json')).toBeNull();
    expect(node.docker0).toBe('172.17.0.1/16');
  });

  it('leaves and names what was changed by hand', () => {
    node.put('/etc/sysctl.d/99-flannel.conf', 'net.ipv4.ip_forward = 1\n');
    node.put('/opt/flannel-v0.28.9/cert/client-key.pem', 'another key', 0o600);
    node.put('/opt/flannel-v0.28.5/flanneld', 'built by hand', 0o755);
    const found = plan(node);
    expect(found.problems.map(({ code, path }) => `${code} ${path}`).sort()).toEqual([
      'file-left /etc/sysctl.d/99-flannel.conf',
      'file-left /opt/flannel-v0.28.9/cert/client-key.pem',
      'program-unknown /opt/flannel-v0.28.5/flanneld',
    ]);
    node.apply(found.steps);
    expect([...node.things.keys()].filter((path) => path.startsWith('/opt')).sort()).toEqual([
      '/opt/flannel-v0.28.5/flanneld',
      '/opt/flannel-v0.28.9/cert/client-key.pem',
    ]);
    expect(plan(node, { leases: [] }).steps).toEqual([]);
  });

  it("leaves routes, rules and devices that only look like flannel's", () => {
    node.routes.push(route('172.7.99.0/24', { via: '10.4.7.254', dev: 'eth0' }));
    node.routes.push(route('172.7.22.128/25', { via: '10.4.7.22', dev: 'eth0' }));
    node.rules.filter.push('-A FLANNEL-FWD -s 10.9.9.0/24 -j DROP');
    node.devices.push(link('flannel.7', ['10.244.1.0/32'], { kind: 'vxlan' }));
    const found = plan(node);
    expect(found.problems.map(({ code, path }) => [code, path])).toEqual([
      ['device-left', 'flannel.7'],
      ['route-left', '172.7.99.0/24'],
      ['route-left', '172.7.22.128/25'],
      ['chain-left', 'FLANNEL-FWD'],
    ]);
    const rules = [...node.rules.filter];
    node.apply(found.steps);
    expect(node.rules.filter).toEqual(rules);
    expect(node.devices).toHaveLength(1);
  });

  it('takes the device of vxlan away with its routes, and the rules of a release before v0.20', () => {
    node.devices.push(link('flannel.1', ['172.7.21.0/32'], { kind: 'vxlan' }));
    node.routes.push(route('172.7.23.0/24', { via: '172.7.23.0', dev: 'flannel.1' }));
    node.rules.nat.push(
      '-A POSTROUTING -s 172.7.0.0/16 -d 172.7.0.0/16 -j RETURN',
      '-A POSTROUTING -s 172.7.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully',
      '-A POSTROUTING ! -s 172.7.0.0/16 -d 172.7.21.0/24 -j RETURN',
      '-A POSTROUTING ! -s 172.7.0.0/16 -d 172.7.0.0/16 -j MASQUERADE',
      '-A POSTROUTING -s 172.7.0.0/16 -o eth7 -j MASQUERADE',
    );
    const found = plan(node, { version: parseFlannelVersion('v0.11.0') });
    node.apply(found.steps.filter(({ title }) => title.startsWith('flannel stops')));
    expect(node.devices).toEqual([]);
    expect(node.routes.map(({ nextHops }) => nextHops[0]?.device)).not.toContain('flannel.1');
    expect(node.rules.nat).toEqual([
      '-A POSTROUTING -s 10.9.9.0/24 -j MASQUERADE',
      '-A POSTROUTING -s 172.7.0.0/16 -o eth7 -j MASQUERADE',
    ]);
  });

  it("takes the same rules for somebody's own from v0.16.2 on, when flannel puts a comment to its own", () => {
    const rule = '-A POSTROUTING -s 172.7.0.0/16 -d 172.7.0.0/16 -j RETURN';
    node.rules.nat.push(rule);
    node.apply(plan(node).steps);
    expect(node.rules.nat).toContain(rule);
  });

  it('takes the nftables table of flannel away, unless somebody has put a chain in it', () => {
    node.nftTables = [{ family: 'ip', name: 'flannel-ipv4', chains: [{ name: 'forward', hook: null, rules: [] }] }];
    expect(words(plan(node))).toContain('nft delete table ip flannel-ipv4');
    node.nftTables = [{ family: 'ip', name: 'flannel-ipv4', chains: [{ name: 'mine', hook: null, rules: [] }] }];
    expect(words(plan(node))).not.toContain('nft delete table ip flannel-ipv4');
  });

  it.each<[string, Partial<Pick<SimulatedNode, 'flanneld'>>, string | null]>([
    ['a unit without our comment', {}, '[Service]\nExecStart=/usr/bin/flanneld\n'],
    ['a flanneld from another place', { flanneld: [process(7, '/usr/bin/flanneld', ['/usr/bin/flanneld'])] }, null],
    [
      'a flanneld in a container',
      { flanneld: [{ ...process(7, '/opt/bin/flanneld', ['/opt/bin/flanneld']), isInHostsNamespace: false }] },
      null,
    ],
  ])("does nothing where flannel is somebody else's: %s", (_, change, unitText) => {
    Object.assign(node, change);
    if (unitText !== null) node.put('/etc/systemd/system/flanneld.service', unitText);
    const found = plan(node);
    const errors = found.problems.filter(({ severity }) => severity === 'error');
    expect(errors.map(({ code }) => code)).toEqual(['flannel-not-ours']);
  });

  it('leaves what fix-masquerade has set up to its own way back, and says so', () => {
    const unit = '/etc/systemd/system/netctl-masquerade.service';
    node.put(unit, '# Written by netctl\n');
    const found = plan(node);
    expect(found.problems.map(({ code, suggestion }) => [code, suggestion])).toContainEqual([
      'masquerade-left',
      'netctl fix-masquerade node1 --revert',
    ]);
    expect(JSON.stringify(found.steps)).not.toContain(unit);
  });

  it('does nothing where files could not be seen', () => {
    const answers = node.answers(resetQuestions(node1, wish));
    const hidden = planReset(
      { node: node1, answers: { ...answers, texts: { known: false, why: 'permission denied' } } },
      wish,
    );
    expect(hidden.problems.some(({ code, severity }) => code === 'node-file-unknown' && severity === 'error')).toBe(
      true,
    );
  });

  describe('with a Docker of which something is not known', () => {
    const late = unknown('docker: it took longer than 10 s');

    it.each<[string, Partial<ResetAnswers>]>([
      ['whether it runs', { dockerd: late }],
      ['its networks', { networks: late }],
      ['its containers', { containers: late }],
      ['whether live-restore is on', { docker: late }],
      ['docker0', { links: late }],
      ['its unit', { dockerUnit: late }],
    ])('does nothing: %s', (_, change) => {
      node.containers = ['web'];
      const found = planReset(
        { node: node1, answers: { ...node.answers(resetQuestions(node1, wish)), ...change } },
        wish,
      );
      expect(found.problems).toContainEqual(
        expect.objectContaining({
          code: 'docker-unknown',
          severity: 'error',
          message: expect.stringContaining('10 s'),
        }),
      );
      expect(words(found).join('\n')).not.toMatch(/docker\.service|daemon\.json|docker stop|netctl-docker-follow/);
    });
  });

  it('has the containers come back that it stops by hand because of live-restore', () => {
    node.containers = ['db', 'web', 'job'];
    const answers = node.answers(resetQuestions(node1, wish));
    const policies = ['unless-stopped', 'always', 'no'];
    const containers = knownValue(answers.containers).map((each, index) => ({
      ...each,
      restartPolicy: policies[index] ?? '',
      restartsWithDocker: index < 2,
    }));
    const live = { docker: dockerRunning('20.10.24', { isLiveRestore: true }), containers: known(containers) };
    const found = planReset({ node: node1, answers: { ...answers, ...live } }, wish);
    const step = found.steps.find(({ title }) => title.startsWith('Docker'));
    const lines = (step?.changes ?? []).map((change) => ('argv' in change ? change.argv.join(' ') : change.kind));
    expect(lines.filter((line) => /^docker|restart docker|docker info/.test(line))).toEqual([
      'docker stop -- db web job',
      'systemctl restart docker.service',
      expect.stringContaining('docker info'),
      'docker start -- db',
    ]);
    const [last] = (step?.undo ?? []).slice(-1);
    expect(last).toMatchObject({ change: { argv: ['docker', 'start', '--', 'web', 'db'] }, evenWhenStopped: true });
    expect(step?.mind).toContain('these stay stopped, their restart policy does not bring them back: job');
  });

  it('takes away what a bootstrap that was cut off has left beside daemon.json', () => {
    const path = '/etc/docker/daemon.json.netctl-candidate';
    node.put(path, '{ half of', 0o600);
    const before = node.text('/etc/docker/daemon.json');
    node.apply(plan(node).steps);
    expect([node.text(path), before === null]).toEqual([null, false]);
    expect(plan(node).steps).toEqual([]);
  });

  it('takes its keys out of the file behind a link, and leaves both', () => {
    const path = '/etc/docker/daemon.json';
    const bytes = Buffer.from(node.text(path) ?? '');
    const answers = node.answers(resetQuestions(node1, wish));
    const at = knownValue(answers.texts);
    const state = { uid: 0, gid: 0, sizeBytes: 20, modifiedAtSeconds: 0, target: '/srv/daemon.json', bytes };
    const link = known({
      present: true as const,
      kind: 'link' as const,
      mode: 0o777,
      through: { kind: 'file' as const, mode: 0o600 },
      ...state,
    });
    const linked = { ...answers, texts: known(new Map([...at, [path, link]])) };
    const found = planReset({ node: node1, answers: linked }, wish);
    expect(found.problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    const touched = found.steps.flatMap(({ changes }) =>
      changes.filter((each) => 'path' in each && each.path.startsWith(path)),
    );
    expect(touched.map(({ kind }) => kind)).toEqual(['write', 'write']);
    const [last] = touched.slice(-1);
    expect(last).toMatchObject({ mode: 0o600 });
    expect(last?.kind === 'write' ? JSON.parse(Buffer.from(last.content).toString('utf8')) : null).toEqual({});
  });

  it('never shows a password', () => {
    node.put(
      '/etc/default/flanneld',
      `${node.text('/etc/default/flanneld') ?? ''}FLANNELD_ETCD_PASSWORD=hunter2\n`,
      0o600,
    );
    const shown = JSON.stringify(plan(node).steps, (name, value: unknown) => (name === 'content' ? undefined : value));
    expect(shown).not.toContain('hunter2');
    expect(shown).toContain('/etc/default/flanneld');
  });
});

describe('giving back a lease', () => {
  const leases = leasesOf({ '172.7.21.0-24': '10.4.7.21', '172.7.22.0-24': '10.4.7.22' });
  const subnet = { base: 0xac071500, length: 24 };
  const owner = { node: 'node1', publicIP: '10.4.7.21', addresses: ['10.4.7.21'], subnet };

  it('takes the one with the public IP of the node', () => {
    expect(releaseLease(owner, leases, new Set()).changes.map(({ key }) => key)).toEqual([
      `${prefix}/subnets/172.7.21.0-24`,
    ]);
  });

  it('leaves all when another node has the same public IP', () => {
    const found = releaseLease(owner, leases, new Set(['10.4.7.21']));
    expect(found.changes).toEqual([]);
    expect(found.problems.map(({ code }) => code)).toEqual(['lease-left']);
  });

  it('leaves the subnet of the node when somebody else holds it by now', () => {
    const found = releaseLease(owner, leasesOf({ '172.7.21.0-24': '10.4.7.99' }), new Set());
    expect(found.changes).toEqual([]);
    expect(found.problems.map(({ code }) => code)).toEqual(['lease-left']);
  });

  it('goes by address and subnet together where the inventory tells no public IP', () => {
    const behindNat = { ...owner, publicIP: null, addresses: ['10.0.2.15', '10.4.7.21'] };
    expect(releaseLease(behindNat, leases, new Set()).changes).toHaveLength(1);
    expect(releaseLease({ ...behindNat, subnet: null }, leases, new Set()).changes).toEqual([]);
  });
});

describe('giving back a lease in etcd v2', () => {
  it('lets it expire, guarded: flanneld takes the event of a guarded DELETE for a lease without a value', () => {
    const value = Buffer.from('{"PublicIP":"10.4.7.21"}');
    const change = { kind: 'delete', key: `${prefix}/subnets/172.7.21.0-24`, expected: '7', why: 'gone' } as const;
    expect(expiring(change, value)).toEqual({ ...change, kind: 'put', value, ttlSeconds: 1 });
  });
});
