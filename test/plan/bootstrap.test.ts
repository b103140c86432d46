import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { known, unknown } from '../../src/lib/fact/fact';
import type { NodeSeen } from '../../src/lib/fact/node-facts';
import { parseInventory } from '../../src/lib/inventory/parse-inventory';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { type Lease, readLease } from '../../src/lib/net/lease';
import { judgeConfig } from '../../src/lib/net/network-config';
import { type BootstrapWish, bootstrapQuestions, type NodePlan, planBootstrap } from '../../src/lib/plan/bootstrap';
import type { HostChange, NodeStep } from '../../src/lib/plan/host-change';
import { dockerNetwork, link, nodeSeen, process, unit, type Value } from '../support/node-seen';

const text = `
etcd: { endpoints: [https://10.4.7.12:2379] }
network: { cidr: 172.7.0.0/16, backend: { type: host-gw } }
flannel: { version: v0.28.9 }
nodes:
  - { name: hdss7-21, address: 10.4.7.21, subnet: 172.7.21.0/24 }
`;
const version = parseFlannelVersion('v0.28.9');
const { effective } = judgeConfig('{"Network":"172.7.0.0/16","Backend":{"Type":"host-gw"}}', version);
const sha = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const pem = Buffer.from('-----BEGIN CERTIFICATE-----\n');
const programs = { flanneld: 'the program', 'mk-docker-opts.sh': '#!/bin/sh\n' };

function wishOf(service: 'systemd' | 'supervisord', change: Partial<BootstrapWish> = {}): BootstrapWish {
  if (effective === null) throw new Error('flannel takes no such config');
  return {
    inventory: parseInventory(text.replace('v0.28.9 }', `v0.28.9, service: ${service} }`), '/netctl.yaml'),
    version,
    effective,
    prefix: '/coreos.com/network',
    endpoints: ['https://10.4.7.12:2379'],
    certificates: { ca: pem, cert: pem, key: Buffer.from('-----BEGIN PRIVATE KEY-----\n') },
    adopt: false,
    follow: false,
    archive: {
      name: 'flannel-v0.28.9-linux-amd64.tar.gz',
      bytes: 1000,
      sha256: sha('archive'),
      tag: 'v0.28.9',
      machine: null,
      members: (['flanneld', 'mk-docker-opts.sh'] as const).map((name) => ({
        name,
        bytes: programs[name].length,
        sha256: sha(programs[name]),
        mode: 0o755,
      })),
      problems: [],
    },
    ...change,
  };
}

/** A node as files, and what runs of them: enough to carry a plan out on. */
interface World {
  clock: number;
  readonly paths: Map<
    string,
    { kind: 'file' | 'folder' | 'link'; mode: number; text: string; target: string | null; at: number }
  >;
  readonly loaded: Set<string>;
  forwards: boolean;
  /** Files that systemd or supervisord have read, by their times. */
  readAt: number;
  isEnabled: boolean;
  flanneldSince: number | null;
  supervisorKnows: boolean;
  bip: string | null;
  masquerades: boolean;
}

function bare(): World {
  return {
    clock: 1000,
    paths: new Map(),
    loaded: new Set(),
    forwards: true,
    readAt: 0,
    isEnabled: false,
    flanneldSince: null,
    supervisorKnows: false,
    bip: null,
    masquerades: true,
  };
}

function seenOf(world: World, wish: BootstrapWish) {
  const node = wish.inventory.nodes[0];
  if (node === undefined) throw new Error('no node');
  const { texts, sums } = bootstrapQuestions(node, wish, []);
  const state = (path: string) => {
    const found = world.paths.get(path);
    if (found === undefined) return { present: false as const };
    const { kind, mode, target, at, text: content } = found;
    const more = { kind, mode, uid: 0, gid: 0, sizeBytes: content.length, modifiedAtSeconds: at, target };
    return {
      present: true as const,
      ...more,
      bytes: kind === 'folder' ? null : Buffer.from(content),
      sha256: sha(content),
    };
  };
  const isSystemd = wish.inventory.flannel.service === 'systemd';
  const isOld = (path: string) => (world.paths.get(path)?.at ?? 0) > world.readAt;
  const runs = world.flanneldSince !== null;
  const fileOf = (path: string) => world.paths.get(path)?.text;
  const dropIn = '/etc/systemd/system/docker.service.d/zz-netctl-flannel.conf';
  const base = {
    path: '/lib/systemd/system/docker.service',
    text: '[Service]\nExecStart=/usr/sbin/dockerd -H fd://\n',
  };
  const drop = fileOf(dropIn);
  const bridge = world.bip ?? '172.17.0.1/16';
  const subnet = world.bip === null ? '172.17.0.0/16' : world.bip.replace('.1/', '.0/');
  const modules = ['vxlan', 'br_netfilter'].map((name): [string, 'loaded' | 'loadable'] => [
    name,
    world.loaded.has(name) ? 'loaded' : 'loadable',
  ]);
  const settings: [string, string][] = [['net/ipv4/ip_forward', world.forwards ? '1' : '0']];
  return nodeSeen('10.4.7.21', {
    texts: known(new Map(texts.map((path) => [path, known(state(path))]))),
    sums: known(new Map(sums.map((path) => [path, known(state(path))]))),
    modules: known({ hasModulesFolder: true, states: new Map(modules) }),
    settings: known(new Map(settings)),
    units: known(
      new Map<string, Value<'units'> extends ReadonlyMap<string, infer U> ? U : never>([
        [
          'flanneld.service',
          unit('flanneld.service', {
            isFound: world.paths.has('/etc/systemd/system/flanneld.service'),
            activeState: isSystemd && runs ? 'active' : 'inactive',
            unitFileState: world.isEnabled ? 'enabled' : 'disabled',
            needsReload: isOld('/etc/systemd/system/flanneld.service'),
          }),
        ],
        ['docker.service', unit('docker.service', { needsReload: isOld(dropIn) })],
      ]),
    ),
    supervisor: known({
      isInstalled: true,
      isRunning: true,
      configPath: null,
      programFiles: [],
      programs: world.supervisorKnows
        ? [{ name: 'flanneld', state: runs ? 'STARTING' : 'STOPPED', pid: 7, note: '' }]
        : [],
    }),
    flanneld: known(
      runs
        ? [
            process(7, ['/opt/flannel/flanneld'], {
              program: '/usr/bin/python3',
              startedAtSeconds: world.flanneldSince,
            }),
          ]
        : [],
    ),
    dockerUnit: known([base, ...(drop === undefined ? [] : [{ path: dropIn, text: drop }])]),
    dockerd: known([process(8, ['/usr/sbin/dockerd', '-H', 'fd://'])]),
    links: known([
      link('lo', ['127.0.0.1/8'], { isLoopback: true }),
      link('eth0', ['10.4.7.21/24']),
      link('docker0', [bridge]),
    ]),
    networks: known([
      {
        ...dockerNetwork('bridge', subnet, 'docker0'),
        mtu: world.bip === null ? null : 1500,
        masquerades: world.masquerades,
      },
    ]),
  });
}

function planOf(
  world: World,
  wish: BootstrapWish,
  leases: readonly Lease[] = [],
  change: Partial<NodeSeen['answers']> = {},
) {
  const node = wish.inventory.nodes[0];
  if (node === undefined) throw new Error('no node');
  const iface = { name: 'eth0', flag: 'eth0', mtuBytes: 1500, hasPublicIP: true };
  const found = seenOf(world, wish);
  const seen = { ...found, answers: { ...found.answers, ...change } };
  const [plan] = planBootstrap([{ node, seen, iface, publicIP: '10.4.7.21' }], wish, leases);
  if (plan === undefined) throw new Error('no plan');
  return plan;
}

function lease(subnet: string, publicIP: string): Lease {
  const key = `/coreos.com/network/subnets/${subnet.replace('/', '-')}`;
  const value = Buffer.from(JSON.stringify({ PublicIP: publicIP, BackendType: 'host-gw' }));
  const read = readLease(
    { key, value, revision: '7', createdRevision: '7', permanent: false },
    '/coreos.com/network',
    version,
  );
  if (!('subnetText' in read)) throw new Error('not a lease');
  return read;
}

const held = [lease('172.7.21.0/24', '10.4.7.21')];

function make(world: World, change: HostChange): void {
  world.clock += 10;
  const put = (
    path: string,
    kind: 'file' | 'folder' | 'link',
    mode: number,
    content: string,
    target: string | null = null,
  ) => world.paths.set(path, { kind, mode, text: content, target, at: world.clock });
  switch (change.kind) {
    case 'write':
      put(change.path, 'file', change.mode, Buffer.from(change.content).toString('utf8'));
      return;
    case 'push':
      put(
        change.path,
        'file',
        change.mode,
        change.member === 'flanneld' ? programs.flanneld : programs['mk-docker-opts.sh'],
      );
      return;
    case 'remove':
      world.paths.delete(change.path);
      return;
    case 'folder':
      put(change.path, 'folder', change.mode, '');
      return;
    case 'link':
      put(change.path, 'link', 0o777, '', change.target);
      return;
    case 'run':
      runOn(world, change.argv.join(' '), put);
      return;
    case 'wait':
      return;
    default:
      change satisfies never;
  }
}

function runOn(
  world: World,
  line: string,
  put: (path: string, kind: 'file', mode: number, text: string) => unknown,
): void {
  const startFlanneld = () => {
    world.flanneldSince = world.clock;
    put(
      '/run/flannel/subnet.env',
      'file',
      0o644,
      'FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=172.7.21.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=false\n',
    );
  };
  if (line.startsWith('modprobe ')) world.loaded.add(line.slice(9));
  else if (line.startsWith('sysctl ')) world.forwards = true;
  else if (line === 'systemctl daemon-reload') world.readAt = world.clock;
  else if (line === 'systemctl enable flanneld.service') world.isEnabled = true;
  else if (line === 'systemctl restart flanneld.service' || line === 'supervisorctl restart flanneld') startFlanneld();
  else if (line === 'supervisorctl update flanneld') {
    world.supervisorKnows = true;
    startFlanneld();
  } else if (line === 'systemctl restart docker.service') {
    const json = JSON.parse(world.paths.get('/etc/docker/daemon.json')?.text ?? '{}') as {
      bip?: string;
      'ip-masq'?: boolean;
    };
    world.bip = json.bip ?? null;
    world.masquerades = json['ip-masq'] ?? true;
  } else if (line !== 'systemctl reset-failed docker.service' && !line.startsWith('udevadm'))
    throw new Error(`what is ${line}?`);
}

const changesOf = (steps: readonly NodeStep[]): readonly HostChange[] => steps.flatMap(({ changes }) => changes);
const shown = (change: HostChange): string =>
  'path' in change ? `${change.kind} ${change.path}` : change.kind === 'run' ? change.argv.join(' ') : change.kind;

describe.each(['systemd', 'supervisord'] as const)('planBootstrap with %s', (service) => {
  const wish = wishOf(service);

  it('plans everything for a bare node, the subnet first in etcd, Docker last', () => {
    const plan = planOf(bare(), wish);
    expect(plan.problems).toEqual([]);
    expect(plan.subnet.change?.key).toBe('/coreos.com/network/subnets/172.7.21.0-24');
    expect(plan.steps.map(({ title }) => title.split(/[: ]/)[0])).toEqual(['host', 'flannel', 'Docker']);
    const order = changesOf(plan.steps).map(shown);
    const place = (part: string) => order.findIndex((line) => line.includes(part));
    expect(place('push /opt/flannel-v0.28.9/flanneld')).toBeLessThan(place('link /opt/flannel'));
    expect(place('client-key.pem')).toBeLessThan(place('link /opt/flannel'));
    expect(place('daemon.json')).toBeLessThan(place('restart docker'));
    expect(plan.docker.values).toMatchObject({ bip: '172.7.21.1/24', mtu: 1500 });
  });

  it('plans the same from the same facts', () => {
    expect(planOf(bare(), wish)).toEqual(planOf(bare(), wish));
  });

  it('plans nothing once its plan was carried out', () => {
    const world = bare();
    for (const change of changesOf(planOf(world, wish).steps)) make(world, change);
    expect(changesOf(planOf(world, wish, held).steps).map(shown)).toEqual([]);
  });

  it('is finished by the next run, after whichever change it was cut off', () => {
    const whole = bare();
    const all = changesOf(planOf(whole, wish).steps);
    for (const change of all) make(whole, change);
    const end = (world: World) => ({
      files: [...world.paths]
        .map(([path, { kind, mode, text: content, target }]) => [path, kind, mode, content, target])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
      unread: [...world.paths].filter(([path, { at }]) => path.startsWith('/etc/systemd/') && at > world.readAt),
      rest: [world.loaded, world.forwards, world.isEnabled, world.supervisorKnows, world.bip, world.masquerades],
    });
    for (let count = 0; count <= all.length; count++) {
      const world = { ...bare(), forwards: false };
      for (const change of all.slice(0, count)) make(world, change);
      for (const change of changesOf(planOf(world, wish, held).steps)) make(world, change);
      const after = `cut off after ${count}: ${all.slice(0, count).map(shown).at(-1) ?? 'nothing'}`;
      expect(end(world), after).toEqual(end(whole));
      expect(changesOf(planOf(world, wish, held).steps).map(shown), after).toEqual([]);
    }
  });

  it.each([
    ['another backend', { backend: 'vxlan', network: '172.7.0.0/16' }, held],
    ['another network', { backend: 'host-gw', network: '172.6.0.0/15' }, held],
  ])('restarts a flanneld that was started with %s, and says why', (_, { backend, network }, leases) => {
    const world = bare();
    for (const change of changesOf(planOf(world, wish).steps)) make(world, change);
    const config = JSON.stringify({ Network: network, SubnetLen: 24, Backend: { Type: backend } });
    const other = judgeConfig(config, version).effective;
    if (other === null) throw new Error('flannel takes no such config');
    const restart = changesOf(planOf(world, { ...wish, effective: other }, leases).steps).find((change) =>
      shown(change).endsWith(service === 'systemd' ? 'restart flanneld.service' : 'restart flanneld'),
    );
    expect(restart?.why).toContain('older');
  });

  it.each([
    ['a program of another release', '/opt/flannel-v0.28.9/flanneld', ['push /opt/flannel-v0.28.9/flanneld']],
    ['another certificate', '/opt/flannel-v0.28.9/cert/client.pem', ['write /opt/flannel-v0.28.9/cert/client.pem']],
  ])('mends %s, restarts flanneld for it, and leaves Docker alone', (_, path, first) => {
    const world = bare();
    for (const change of changesOf(planOf(world, wish).steps)) make(world, change);
    const file = world.paths.get(path);
    if (file === undefined) throw new Error(path);
    world.paths.set(path, { ...file, text: 'other' });
    const lines = changesOf(planOf(world, wish, held).steps).map(shown);
    expect(lines.slice(0, 1)).toEqual(first);
    expect(lines.some((line) => /restart flanneld/.test(line))).toBe(true);
    expect(lines.some((line) => /docker/.test(line))).toBe(false);
  });

  it('does not restart flanneld for the script that it does not run', () => {
    const world = bare();
    for (const change of changesOf(planOf(world, wish).steps)) make(world, change);
    world.paths.delete('/opt/flannel-v0.28.9/mk-docker-opts.sh');
    expect(changesOf(planOf(world, wish, held).steps).map(shown)).toEqual([
      'push /opt/flannel-v0.28.9/mk-docker-opts.sh',
    ]);
  });

  it('restarts flanneld that runs with settings older than its files', () => {
    const world = bare();
    for (const change of changesOf(planOf(world, wish).steps)) make(world, change);
    world.flanneldSince = 1;
    expect(changesOf(planOf(world, wish, held).steps).map(shown)).toContain(
      service === 'systemd' ? 'systemctl restart flanneld.service' : 'supervisorctl restart flanneld',
    );
  });

  it('plans no write over what it could not see', () => {
    const world = bare();
    const node = wish.inventory.nodes[0];
    if (node === undefined) throw new Error('no node');
    const seen = seenOf(world, wish);
    const blind = { ...seen, answers: { ...seen.answers, texts: known(new Map()) } };
    const iface = { name: 'eth0', flag: 'eth0', mtuBytes: 1500, hasPublicIP: true };
    const [plan] = planBootstrap([{ node, seen: blind, iface, publicIP: '10.4.7.21' }], wish, held);
    expect(plan?.problems.filter(({ code }) => code === 'node-file-unknown').length).toBeGreaterThan(3);
  });

  it('refuses a node whose systemd does not say what runs: flanneld may', () => {
    const plan = planOf(bare(), wish, held, { units: unknown('systemctl: it took longer than 10 s') });
    // With supervisord it is not systemd that is asked.
    expect(plan.problems.some(({ code }) => code === 'units-unknown')).toBe(service === 'systemd');
  });

  describe('with a Docker of which something is not known', () => {
    const late = unknown('docker: it took longer than 10 s');
    const errors = (plan: NodePlan) => plan.problems.filter(({ severity }) => severity === 'error');

    it.each<[string, Partial<NodeSeen['answers']>, string]>([
      ['whether it runs', { dockerd: late }, 'whether it runs'],
      ['its networks', { networks: late }, 'its networks'],
      ['its containers', { containers: late }, 'which containers run'],
      ['what it says of itself', { docker: late }, 'what it says of itself'],
      ['the links', { links: late }, 'the links of the node'],
      ['its unit', { dockerUnit: late }, 'how systemd starts it'],
      [
        'all, because it does not answer, and yet runs',
        { docker: known({ state: 'stopped', why: 'Cannot connect to the Docker daemon' }), networks: late },
        'process 8 runs, and does not answer: Cannot connect',
      ],
      ['where it runs: one answers that is none of the node', { dockerd: known([]) }, 'no dockerd is seen'],
    ])('refuses the node and restarts nothing: %s', (_, change, what) => {
      const world = bare();
      for (const done of [false, true]) {
        if (done) for (const each of changesOf(planOf(world, wish).steps)) make(world, each);
        const plan = planOf(world, wish, held, change);
        expect(errors(plan)).toEqual([
          expect.objectContaining({ code: 'docker-unknown', message: expect.stringContaining(what) as string }),
        ]);
        expect(changesOf(plan.steps).map(shown).join('\n')).not.toMatch(/docker\.service|daemon\.json/);
      }
    });

    it('plans for one that is known not to run, whatever cannot be asked of it then', () => {
      const stopped = { docker: known({ state: 'stopped', why: 'Cannot connect' } as const), dockerd: known([]) };
      const plan = planOf(bare(), wish, [], { ...stopped, networks: late, containers: late });
      expect(errors(plan)).toEqual([]);
      expect(plan.docker.restart).toMatchObject({ kind: 'start', why: ['Docker does not run'] });
    });

    it('is what it was for a machine that has none', () => {
      const none = unknown('docker is not installed');
      const program = { version: null, path: null, validates: false, hasClient: false };
      const without = { docker: none, networks: none, containers: none, dockerd: known([]), dockerUnit: known([]) };
      const plan = planOf(bare(), wish, [], { ...without, dockerProgram: known(program) });
      // The preflight refuses it, or was told not to.
      expect(errors(plan)).toEqual([]);
    });

    it('writes no ExecStart= without a program', () => {
      const inventory = { ...wish.inventory, docker: { ...wish.inventory.docker, style: 'options-file' as const } };
      const plan = planOf(bare(), { ...wish, inventory }, [], { dockerUnit: known([]) });
      expect(errors(plan).map(({ code }) => code)).toEqual(['not-dockerd']);
      expect(changesOf(plan.steps).map(shown).join('\n')).not.toMatch(/zz-netctl-flannel/);
    });
  });

  it('cannot give a node the subnet of another: that is an error, by which nothing is done', () => {
    const taken = [lease('172.7.21.0/24', '10.4.7.99')];
    const plan = planOf(bare(), wish, taken);
    expect(plan.subnet.change).toBeNull();
    expect(plan.problems).toContainEqual(
      expect.objectContaining({ code: 'subnet-held-by-another', severity: 'error' }),
    );
  });
});
