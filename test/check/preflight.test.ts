import { describe, expect, it } from 'vitest';
import { preflight } from '../../src/lib/check/preflight';
import {
  type PreflightCheck,
  type PreflightInput,
  type PreflightProblem,
  preflightChecks,
} from '../../src/lib/check/preflight-checks';
import { interfaceFor, interfaceOptions, publicIPFor } from '../../src/lib/check/preflight-interface';
import { preflightTopics } from '../../src/lib/explain/preflight';
import { type Known, known, unknown } from '../../src/lib/fact/fact';
import type { NodeSeen } from '../../src/lib/fact/node-facts';
import type { Inventory, InventoryNode } from '../../src/lib/inventory/inventory';
import type { FlannelArchive } from '../../src/lib/net/flannel-archive';
import { flannelUnit } from '../../src/lib/net/flannel-unit';
import { parseFlannelVersion } from '../../src/lib/net/flannel-version';
import { readLeases, type StoredKey } from '../../src/lib/net/lease';
import { judgeConfig } from '../../src/lib/net/network-config';
import { writtenByNetctl } from '../../src/lib/net/written-by-netctl';
import { dockerDefaults } from '../../src/lib/plan/docker';
import {
  dockerNetwork,
  dockerRules,
  dockerRunning,
  etcdAnswers,
  etcdEndpoints,
  files,
  link,
  nodeSeen,
  process,
  roomyFolder,
  route,
  rules,
  surveyedAtMs,
  unit,
  type Value,
} from '../support/node-seen';

type Answers = NodeSeen['answers'];
type Change = { readonly [K in keyof Answers]?: Answers[K] };

const first = 'hdss7-21';
const second = 'hdss7-22';

interface Wish {
  readonly version?: string;
  readonly config?: object;
  /** What differs on the first and on the second node. */
  readonly on?: Change;
  readonly also?: Change;
  readonly inventory?: Partial<Inventory>;
  readonly nodes?: readonly InventoryNode[];
  readonly input?: Partial<PreflightInput>;
}

const vxlan = { Network: '172.7.0.0/16', Backend: { Type: 'vxlan' } };
const hostGw = { Network: '172.7.0.0/16', Backend: { Type: 'host-gw' } };

function node(name: string, address: string, change: Partial<InventoryNode> = {}): InventoryNode {
  return { name, address, publicIP: address, ssh: {}, labels: [], ...change };
}

const seeds = [node(first, '10.4.7.21'), node(second, '10.4.7.22')];

function inputOf(wish: Wish = {}): PreflightInput {
  const version = parseFlannelVersion(wish.version ?? 'v0.28.9');
  const { effective } = judgeConfig(JSON.stringify(wish.config ?? vxlan), version);
  const nodes = wish.nodes ?? seeds;
  const inventory: Inventory = {
    file: '/work/netctl.yaml',
    etcd: { endpoints: etcdEndpoints },
    network: { avoid: [] },
    flannel: { etcd: {}, options: {} },
    docker: {},
    ssh: {},
    nodes,
    lines: new Map(),
    ...wish.inventory,
  };
  return {
    inventory,
    nodes: nodes.map((each, index) => ({
      node: each,
      seen: nodeSeen(`10.4.7.${21 + index}`, index === 0 ? wish.on : index === 1 ? wish.also : {}),
    })),
    version,
    effective,
    endpoints: etcdEndpoints,
    configIn: 'v3',
    leases: [],
    archives: [],
    certificates: [],
    adopt: false,
    skip: new Set(),
    ...wish.input,
  };
}

const found = (wish: Wish): readonly PreflightProblem[] => preflight(inputOf(wish));

function lineOf({ severity, code, node: on }: PreflightProblem): string {
  return `${severity} ${code}${on === null ? '' : ` ${on}`}`;
}

const flannelSection = (change: Partial<Inventory['flannel']>): Partial<Inventory> => ({
  flannel: { etcd: {}, options: {}, ...change },
});

const machine = (change: Partial<Value<'machine'>>): Change => {
  const { machine: healthy } = nodeSeen('10.4.7.21').answers;
  if (!healthy.known) throw new Error('the healthy node is known');
  return { machine: known({ ...healthy.value, ...change }) };
};

const modules = (
  states: Readonly<Record<string, 'loaded' | 'absent' | 'unclear'>>,
  hasModulesFolder = true,
): Change => {
  const { modules: healthy } = nodeSeen('10.4.7.21').answers;
  if (!healthy.known) throw new Error('the healthy node is known');
  return {
    modules: known({ hasModulesFolder, states: new Map([...healthy.value.states, ...Object.entries(states)]) }),
  };
};

const settings = (changes: Readonly<Record<string, string>>): Change => {
  const { settings: healthy } = nodeSeen('10.4.7.21').answers;
  if (!healthy.known) throw new Error('the healthy node is known');
  return { settings: known(new Map([...healthy.value, ...Object.entries(changes)])) };
};

const lo = link('lo', ['127.0.0.1/8'], { isLoopback: true });
const eth0 = link('eth0', ['10.4.7.21/24']);
const docker0 = link('docker0', ['172.17.0.1/16'], { kind: 'bridge' });
const links = (...more: readonly ReturnType<typeof link>[]): Change => ({ links: known([lo, eth0, docker0, ...more]) });

const routes = (...more: readonly ReturnType<typeof route>[]): Change => ({
  routes: known([route('default', { via: '10.4.7.254', dev: 'eth0' }), route('10.4.7.0/24', { dev: 'eth0' }), ...more]),
});

const unitsWith = (change: Readonly<Record<string, Parameters<typeof unit>[1]>>): Change => ({
  units: known(new Map(['flanneld.service', 'docker.service'].map((name) => [name, unit(name, change[name] ?? {})]))),
});

const programsWithout = (...names: readonly string[]): Change => {
  const { programs } = nodeSeen('10.4.7.21').answers;
  if (!programs.known) throw new Error('the healthy node is known');
  return { programs: known(new Map([...programs.value].filter(([name]) => !names.includes(name)))) };
};

const spaces = (folder: string, change: Parameters<typeof roomyFolder>[1]): Change => ({
  spaces: known(
    new Map(
      ['/opt', '/etc', '/var/lib/docker'].map((each) => [each, roomyFolder(each, each === folder ? change : {})]),
    ),
  ),
});

const way = (target: string, gateway: string | null): Change => ({
  routesTo: known(
    new Map([
      [
        target,
        {
          reachable: true as const,
          gateway: gateway === null ? null : { family: 4 as const, address: 0x0a04_07fe },
          device: 'eth0',
          source: null,
          isLocal: false,
        },
      ],
    ]),
  ),
});

const iptables = (change: Partial<Value<'iptables'>>): Change => {
  const { iptables: healthy } = nodeSeen('10.4.7.21').answers;
  if (!healthy.known) throw new Error('the healthy node is known');
  return { iptables: known({ ...healthy.value, ...change }) };
};

function lease(subnet: string, publicIP: string) {
  const [base = '', length = ''] = subnet.split('/');
  const entry: StoredKey = {
    key: `/coreos.com/network/subnets/${base}-${length}`,
    value: new TextEncoder().encode(JSON.stringify({ PublicIP: publicIP, PublicIPv6: null, BackendType: 'vxlan' })),
    revision: '1',
    createdRevision: '1',
    permanent: false,
  };
  return readLeases({ api: 'v3', entries: [entry] }, '/coreos.com/network', parseFlannelVersion('v0.28.9')).leases;
}

const subnetEnv = (subnet: string): Change => ({
  texts: files({
    '/run/flannel/subnet.env': `FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=${subnet}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n`,
  }),
});

function archive(of: FlannelArchive['machine']): FlannelArchive {
  return {
    name: `flannel-v0.28.9-linux-${of ?? 'all'}.tar.gz`,
    bytes: 20e6,
    sha256: 'a'.repeat(64),
    tag: 'v0.28.9',
    machine: of,
    members: [{ name: 'flanneld', bytes: 60e6, sha256: 'b'.repeat(64) }],
    problems: [],
  };
}

const handUnit = `[Unit]
After=network.target
[Service]
ExecStart=/usr/bin/flanneld --etcd-endpoints=https://root:secret@10.4.7.12:2379 --etcd-password=hunter2 --etcd-prefix=/other
Restart=on-failure
`;

const ourUnit = flannelUnit({
  executable: '/opt/flannel/flanneld',
  words: ['--etcd-prefix=/coreos.com/network'],
  environmentFile: null,
  dockerUnit: 'docker',
});

const environmentOfNetctl = `${writtenByNetctl()}FLANNELD_ETCD_PREFIX=/coreos.com/network\n`;

const flannelDevice = (address: string) =>
  link('flannel.1', [address], {
    kind: 'vxlan',
    vxlan: { vni: 1, local: null, device: 'eth0', port: 8472, isLearning: false },
  });

const process21 = process(77, ['/usr/bin/flanneld', '--kube-subnet-mgr', '--ip-masq']);
const supervised = (text: string): Change => ({
  supervisor: known({
    isInstalled: true,
    isRunning: true,
    configPath: '/etc/supervisor/supervisord.conf',
    programFiles: ['/etc/supervisor/conf.d/flannel.conf'],
    programs: [{ name: 'flanneld-7-21', state: 'RUNNING', pid: 70, note: '' }],
  }),
  texts: files({
    '/etc/supervisor/conf.d/flannel.conf': text,
    '/opt/flannel/flanneld.sh': '#!/bin/sh\n./flanneld \\\n  --public-ip=10.4.7.21\n',
  }),
});

interface Case {
  readonly when: string;
  readonly wish: Wish;
  /** Every problem that there is, in their order: nothing else may come. */
  readonly gives: readonly string[];
}

/** One table a check. A case that gives nothing is one that looks dangerous and is not. */
const cases: Readonly<Record<PreflightCheck, readonly Case[]>> = {
  privileges: [
    {
      when: 'an account without sudo',
      wish: { on: { privileges: known({ uid: 1000, user: 'admin', isRoot: false, sudo: 'absent' }) } },
      gives: [`error preflight-not-root ${first}`],
    },
  ],
  programs: [
    { when: 'no sha256sum', wish: { on: programsWithout('sha256sum') }, gives: [`error program-missing ${first}`] },
    { when: 'no ping', wish: { on: programsWithout('ping') }, gives: [`warning program-missing ${first}`] },
  ],
  architecture: [
    {
      when: 'a machine that flannel is not built for',
      wish: { on: machine({ hardware: 'i686' }) },
      gives: [`error architecture-unsupported ${first}`],
    },
    {
      when: 'riscv64 before its first release',
      wish: { version: 'v0.22.3', on: machine({ hardware: 'riscv64' }) },
      gives: [`error architecture-unsupported ${first}`, 'warning release-flaw'],
    },
    {
      when: 'an archive for another machine',
      wish: { on: machine({ hardware: 'aarch64' }), input: { archives: [archive('x86_64')] } },
      gives: [`error architecture-no-archive ${first}`],
    },
    {
      when: 'an archive for each',
      wish: { on: machine({ hardware: 'aarch64' }), input: { archives: [archive('x86_64'), archive('aarch64')] } },
      gives: [],
    },
    {
      when: 'a script in the archive, which runs on all',
      wish: { on: machine({ hardware: 'aarch64' }), input: { archives: [archive(null)] } },
      gives: [],
    },
    {
      when: 'udp on arm64',
      wish: { config: { Network: '172.7.0.0/16', Backend: { Type: 'udp' } }, on: machine({ hardware: 'aarch64' }) },
      gives: [`error udp-needs-amd64 ${first}`],
    },
  ],
  'kernel-version': [
    {
      when: 'wireguard on 4.19 without its module',
      wish: {
        config: { Network: '172.7.0.0/16', Backend: { Type: 'wireguard' } },
        on: { ...machine({ kernel: '4.19.0-26-amd64' }), ...modules({ wireguard: 'absent' }) },
      },
      gives: [`error kernel-too-old ${first}`, `error kernel-module-missing ${first}`],
    },
    {
      when: 'wireguard on 4.19 with a module of its own',
      wish: {
        config: { Network: '172.7.0.0/16', Backend: { Type: 'wireguard' } },
        on: machine({ kernel: '4.19.0-26-amd64' }),
      },
      gives: [],
    },
    { when: 'host-gw on any kernel', wish: { config: hostGw, on: machine({ kernel: '3.2.0-4-amd64' }) }, gives: [] },
  ],
  'kernel-modules': [
    { when: 'no vxlan', wish: { on: modules({ vxlan: 'absent' }) }, gives: [`error kernel-module-missing ${first}`] },
    {
      when: 'no vxlan where host-gw does without',
      wish: { config: hostGw, on: modules({ vxlan: 'absent' }) },
      gives: [],
    },
    {
      when: 'no br_netfilter for v0.26.0',
      wish: { version: 'v0.26.4', on: modules({ br_netfilter: 'absent' }) },
      gives: [`error kernel-module-missing ${first}`, 'warning release-flaw'],
    },
    {
      when: 'no br_netfilter before v0.26.0',
      wish: { version: 'v0.17.0', on: modules({ br_netfilter: 'absent' }), input: { configIn: 'both' } },
      gives: [`warning kernel-module-missing ${first}`],
    },
    {
      when: 'no br_netfilter in nftables mode from v0.28.0',
      wish: { config: { ...vxlan, EnableNFTables: true }, on: modules({ br_netfilter: 'absent' }) },
      gives: [],
    },
    {
      when: 'br_netfilter unclear, and the setting that flanneld looks at is there',
      wish: {
        on: {
          ...modules({ br_netfilter: 'unclear' }, false),
          ...settings({ 'net/bridge/bridge-nf-call-iptables': '1' }),
        },
      },
      gives: [],
    },
    {
      when: 'a kernel that was upgraded and not booted',
      wish: { on: modules({ vxlan: 'unclear' }, false) },
      gives: [`error kernel-modules-gone ${first}`],
    },
    {
      when: 'a container',
      wish: { on: { ...modules({ vxlan: 'unclear' }, false), ...machine({ container: 'lxc' }) } },
      gives: [`warning kernel-module-unclear ${first}`],
    },
  ],
  'ip-forward': [
    {
      when: 'it is off',
      wish: { on: settings({ 'net/ipv4/ip_forward': '0' }) },
      gives: [`info ip-forward-off ${first}`],
    },
    {
      when: 'it is off on the interface alone',
      wish: { on: settings({ 'net/ipv4/conf/eth0/forwarding': '0' }) },
      gives: [`warning ip-forward-off-on-interface ${first}`],
    },
    {
      when: 'IPv6 is switched off and wanted',
      wish: {
        config: { ...vxlan, EnableIPv6: true, IPv6Network: 'fd00::/48' },
        on: settings({ 'net/ipv6/conf/all/disable_ipv6': '1' }),
      },
      gives: [`error ipv6-off ${first}`],
    },
  ],
  'rp-filter': [
    { when: 'strict, with one interface', wish: { on: settings({ 'net/ipv4/conf/all/rp_filter': '1' }) }, gives: [] },
    {
      when: 'strict, with two',
      wish: { on: { ...settings({ 'net/ipv4/conf/all/rp_filter': '1' }), ...links(link('eth1', ['192.0.2.5/24'])) } },
      gives: [`warning rp-filter-strict ${first}`],
    },
    {
      when: 'strict, with DirectRouting',
      wish: {
        config: { ...vxlan, Backend: { Type: 'vxlan', DirectRouting: true } },
        on: settings({ 'net/ipv4/conf/all/rp_filter': '1' }),
      },
      gives: [`warning rp-filter-strict ${first}`],
    },
    {
      when: 'loose overrules strict',
      wish: {
        on: {
          ...settings({ 'net/ipv4/conf/all/rp_filter': '1', 'net/ipv4/conf/eth0/rp_filter': '2' }),
          ...links(link('eth1', ['192.0.2.5/24'])),
        },
      },
      gives: [],
    },
  ],
  iptables: [
    { when: 'there is none', wish: { on: iptables({ standard: null }) }, gives: [`error iptables-missing ${first}`] },
    {
      when: 'no ip6tables in nftables mode',
      wish: { config: { ...vxlan, EnableNFTables: true }, on: iptables({ hasIp6tables: false }) },
      gives: [`error ip6tables-missing ${first}`],
    },
    {
      when: 'no nft in nftables mode',
      wish: { config: { ...vxlan, EnableNFTables: true }, on: iptables({ hasNftProgram: false }) },
      gives: [`error nft-missing ${first}`],
    },
    { when: 'no nft in iptables mode', wish: { on: iptables({ hasNftProgram: false }) }, gives: [] },
    {
      when: 'both hold rules',
      wish: {
        on: {
          iptablesLegacy: rules(
            '*filter\n:FORWARD ACCEPT [0:0]\n:FLANNEL-FWD - [0:0]\n-A FORWARD -j FLANNEL-FWD\nCOMMIT\n',
          ),
        },
      },
      gives: [`warning iptables-both ${first}`],
    },
    {
      when: 'the other one has empty tables',
      wish: { on: { iptablesLegacy: rules('*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n') } },
      gives: [],
    },
    {
      when: 'Docker uses the other one',
      wish: { on: iptables({ standard: 'legacy' }) },
      gives: [`warning iptables-other-front-end ${first}`],
    },
  ],
  docker: [
    {
      when: 'not there',
      wish: { on: { dockerProgram: known({ version: null, path: null, validates: false, hasClient: false }) } },
      gives: [`error docker-missing ${first}`],
    },
    {
      when: 'its unit has another name',
      wish: { on: unitsWith({ 'docker.service': { isFound: false, loadState: 'not-found' } }) },
      gives: [`error docker-no-unit ${first}`],
    },
    {
      when: 'its unit is masked',
      wish: { on: unitsWith({ 'docker.service': { loadState: 'masked' } }) },
      gives: [`error docker-no-unit ${first}`],
    },
    {
      when: 'it does not run',
      wish: {
        on: {
          docker: known({ state: 'stopped', why: 'Cannot connect to the Docker daemon' }),
          networks: unknown('docker: Cannot connect'),
        },
      },
      gives: [`warning docker-not-running ${first}`],
    },
    {
      when: 'it is of the days before 17.03',
      wish: { on: { docker: dockerRunning('1.12.6') } },
      gives: [`warning docker-old ${first}`],
    },
    {
      when: 'it makes its rules with nftables',
      wish: { on: { docker: dockerRunning('29.1.0', { firewallBackend: 'nftables' }) } },
      gives: [`warning docker-nftables ${first}`],
    },
    {
      when: 'it is in a swarm',
      wish: { on: { docker: dockerRunning('24.0.7', { isInSwarm: true }) } },
      gives: [`warning docker-in-swarm ${first}`],
    },
    {
      when: 'it drops what the overlay brings',
      wish: { on: { docker: dockerRunning('28.0.1') } },
      gives: [`warning docker-drops-overlay ${first}`],
    },
    {
      when: '28.1 with an accept in DOCKER-USER',
      wish: {
        on: {
          docker: dockerRunning('28.1.1'),
          iptablesNft: rules(
            dockerRules.replace('-A DOCKER-USER -j RETURN', '-A DOCKER-USER -s 172.7.0.0/16 -j ACCEPT'),
          ),
        },
      },
      gives: [],
    },
    {
      when: '28.1 with the way in of fix-masquerade',
      wish: {
        on: {
          docker: dockerRunning('28.1.1'),
          iptablesNft: rules(
            dockerRules.replace(
              '-A DOCKER-USER -j RETURN',
              '-A DOCKER-USER -s 172.7.0.0/16 ! -i docker0 -o docker0 -m comment --comment "netctl:masquerade" -j NETCTL-OVERLAY',
            ),
          ),
        },
      },
      gives: [],
    },
    {
      when: '28.2 with an accept in DOCKER-USER, and its raw rules',
      wish: {
        on: {
          docker: dockerRunning('28.2.0'),
          iptablesNft: rules(dockerRules.replace('-A DOCKER-USER -j RETURN', '-A DOCKER-USER -i flannel.1 -j ACCEPT')),
        },
      },
      gives: [`warning docker-drops-overlay ${first}`],
    },
    {
      when: '28.2 with both mended',
      wish: {
        on: {
          docker: dockerRunning('28.2.0'),
          iptablesNft: rules(dockerRules.replace('-A DOCKER-USER -j RETURN', '-A DOCKER-USER -i flannel.1 -j ACCEPT')),
          texts: files({ '/etc/docker/daemon.json': '{"allow-direct-routing": true}' }),
        },
      },
      gives: [],
    },
  ],
  cascade: [
    {
      when: 'Docker requires flanneld',
      wish: { on: unitsWith({ 'docker.service': { requires: ['flanneld.service', 'sysinit.target'] } }) },
      gives: [`warning docker-requires-flannel ${first}`],
    },
    {
      when: 'flanneld says so itself',
      wish: { on: unitsWith({ 'flanneld.service': { requiredBy: ['docker.service'] } }) },
      gives: [`warning docker-requires-flannel ${first}`],
    },
    {
      when: 'Docker wants flanneld',
      wish: { on: unitsWith({ 'docker.service': { wants: ['flanneld.service'] } }) },
      gives: [],
    },
    {
      when: 'a service hangs on Docker',
      wish: { on: unitsWith({ 'docker.service': { boundBy: ['registry.service'], requiredBy: ['docker.socket'] } }) },
      gives: [`info docker-stops-others ${first}`],
    },
  ],
  space: [
    {
      when: '/opt is nearly full',
      wish: { on: spaces('/opt', { availableBytes: 20e6 }) },
      gives: [`error space-low ${first}`],
    },
    {
      when: 'no file can be made in /etc',
      wish: { on: spaces('/etc', { availableInodes: 3 }) },
      gives: [`error space-low ${first}`],
    },
    {
      when: 'Docker has little room',
      wish: { on: spaces('/var/lib/docker', { availableBytes: 100e6 }) },
      gives: [`warning space-low ${first}`],
    },
    {
      when: '/etc is read-only',
      wish: { on: spaces('/etc', { isReadOnly: true }) },
      gives: [`error space-read-only ${first}`],
    },
    {
      when: '/opt runs no programs',
      wish: { on: spaces('/opt', { isNoexec: true }) },
      gives: [`error space-noexec ${first}`],
    },
    {
      when: 'a folder of Docker that runs no programs',
      wish: { on: spaces('/var/lib/docker', { isNoexec: true }) },
      gives: [],
    },
    {
      when: 'little room, and the program is there already',
      wish: {
        on: {
          ...spaces('/opt', { availableBytes: 20e6 }),
          sums: known(
            new Map([
              [
                '/opt/flannel-v0.28.9/flanneld',
                known({
                  present: true,
                  kind: 'file',
                  mode: 0o755,
                  uid: 0,
                  gid: 0,
                  sizeBytes: 60e6,
                  modifiedAtSeconds: 0,
                  target: null,
                  sha256: 'b'.repeat(64),
                }),
              ],
            ]),
          ),
        },
        input: { archives: [archive('x86_64')] },
      },
      gives: [],
    },
  ],
  clock: [
    {
      when: '29 s ahead',
      wish: { on: { clock: known({ epochMs: surveyedAtMs + 30_000, resolutionMs: 1 }) } },
      gives: [],
    },
    {
      when: '60 s ahead',
      wish: { on: { clock: known({ epochMs: surveyedAtMs + 61_000, resolutionMs: 1 }) } },
      gives: [`warning clock-skew ${first}`],
    },
    {
      when: '10 min behind',
      wish: { on: { clock: known({ epochMs: surveyedAtMs - 600_000, resolutionMs: 1 }) } },
      gives: [`error clock-skew ${first}`],
    },
    {
      when: '10 min behind, without TLS',
      wish: {
        on: {
          clock: known({ epochMs: surveyedAtMs - 600_000, resolutionMs: 1 }),
          etcd: known([
            {
              endpoint: 'http://10.4.7.12:2379',
              with: 'certificates',
              tool: 'curl',
              outcome: { kind: 'answered', version: '3.4.23', isHealthy: true, servesV2: false },
            },
          ]),
        },
        also: {
          etcd: known([
            {
              endpoint: 'http://10.4.7.12:2379',
              with: 'certificates',
              tool: 'curl',
              outcome: { kind: 'answered', version: '3.4.23', isHealthy: true, servesV2: false },
            },
          ]),
        },
        input: { endpoints: ['http://10.4.7.12:2379'] },
      },
      gives: [`warning clock-skew ${first}`],
    },
    {
      when: 'this machine alone is wrong',
      wish: {
        on: { clock: known({ epochMs: surveyedAtMs + 600_500, resolutionMs: 1 }) },
        also: { clock: known({ epochMs: surveyedAtMs + 600_700, resolutionMs: 1 }) },
      },
      gives: ['warning clock-of-workstation'],
    },
  ],
  interface: [
    {
      when: 'another name was given',
      wish: { nodes: [node(first, '10.4.7.21', { iface: 'ens3' }), node(second, '10.4.7.22')] },
      gives: [`error interface-missing ${first}`],
    },
    {
      when: 'it is off',
      wish: { on: { links: known([lo, link('eth0', ['10.4.7.21/24'], { isUp: false }), docker0]) } },
      gives: [`error interface-down ${first}`],
    },
    {
      when: 'it has no carrier',
      wish: { on: { links: known([lo, link('eth0', ['10.4.7.21/24'], { hasCarrier: false }), docker0]) } },
      gives: [`warning interface-down ${first}`],
    },
    {
      when: 'its MTU is small',
      wish: { on: { links: known([lo, link('eth0', ['10.4.7.21/24'], { mtu: 500 }), docker0]) } },
      gives: [`error interface-small-mtu ${first}`, 'warning interface-mtu-differs'],
    },
    {
      when: 'jumbo frames on one node',
      wish: { on: { links: known([lo, link('eth0', ['10.4.7.21/24'], { mtu: 9000 }), docker0]) } },
      gives: ['warning interface-mtu-differs'],
    },
    {
      when: 'NAT before vxlan of v0.28.9',
      wish: { nodes: [node(first, '10.4.7.21', { publicIP: '198.51.100.7' }), node(second, '10.4.7.22')] },
      gives: [`warning public-ip-not-on-node ${first}`],
    },
    {
      when: 'NAT before vxlan of v0.22.3',
      wish: {
        version: 'v0.22.3',
        nodes: [node(first, '10.4.7.21', { publicIP: '198.51.100.7' }), node(second, '10.4.7.22')],
      },
      gives: ['warning release-flaw', `info public-ip-not-on-node ${first}`],
    },
    {
      when: 'NAT before host-gw',
      wish: { config: hostGw, nodes: [node(first, '10.4.7.21', { publicIP: '198.51.100.7' })] },
      gives: [`error public-ip-not-on-node ${first}`],
    },
    {
      when: 'a loopback as public IP',
      wish: { nodes: [node(first, '10.4.7.21', { publicIP: '127.0.0.1' }), node(second, '10.4.7.22')] },
      gives: [`error public-ip-not-usable ${first}`],
    },
    {
      when: 'iface and public IP do not fit',
      wish: {
        nodes: [node(first, '10.4.7.21', { iface: 'eth1' }), node(second, '10.4.7.22')],
        on: links(link('eth1', ['192.0.2.5/24'])),
      },
      gives: [`warning public-ip-on-other-interface ${first}`],
    },
  ],
  unique: [
    {
      when: 'Vagrant: 10.0.2.15 on both, and nothing else tells',
      wish: {
        nodes: [first, second].map((name) => ({ name, address: name, ssh: {}, labels: [], iface: 'eth0' })),
        on: { links: known([lo, link('eth0', ['10.0.2.15/24'])]) },
        also: { links: known([lo, link('eth0', ['10.0.2.15/24'])]) },
      },
      gives: [`error address-not-unique ${first}`, `error address-not-unique ${second}`],
    },
    {
      when: 'a clone',
      wish: { also: machine({}) },
      gives: [
        `warning machine-id-not-unique ${first}`,
        `warning hostname-not-unique ${first}`,
        `warning machine-id-not-unique ${second}`,
        `warning hostname-not-unique ${second}`,
      ],
    },
    {
      when: 'one subnet.env on two nodes',
      wish: { on: subnetEnv('172.7.21.1/24'), also: subnetEnv('172.7.21.1/24') },
      gives: [`error subnet-env-not-unique ${first}`, `error subnet-env-not-unique ${second}`],
    },
    {
      when: 'each its own subnet.env',
      wish: { on: subnetEnv('172.7.21.1/24'), also: subnetEnv('172.7.22.1/24') },
      gives: [],
    },
    {
      when: 'the subnet is another’s by now',
      wish: { on: subnetEnv('172.7.21.1/24'), input: { leases: lease('172.7.21.0/24', '10.4.7.99') } },
      gives: [`warning subnet-env-of-other ${first}`],
    },
    {
      when: 'the same before v0.18.0, which takes it',
      wish: {
        version: 'v0.17.0',
        on: subnetEnv('172.7.21.1/24'),
        input: { leases: lease('172.7.21.0/24', '10.4.7.99'), configIn: 'both' },
      },
      gives: [`error subnet-env-of-other ${first}`],
    },
    {
      when: 'the lease is its own',
      wish: { on: subnetEnv('172.7.21.1/24'), input: { leases: lease('172.7.21.0/24', '10.4.7.21') } },
      gives: [],
    },
  ],
  overlap: [
    {
      when: 'SSH comes from the network',
      wish: {
        on: {
          sshClient: known({
            viaSsh: true,
            client: { family: 4, address: 0xac07_0105 },
            server: { family: 4, address: 0x0a04_0715 },
          }),
        },
      },
      gives: [`error network-overlaps-ssh ${first}`],
    },
    { when: 'the way is not by SSH', wish: { on: { sshClient: known({ viaSsh: false }) } }, gives: [] },
    {
      when: 'a LAN within the network',
      wish: { on: links(link('eth1', ['172.7.9.2/24'])) },
      gives: [`error network-overlaps-link ${first}`],
    },
    {
      when: 'a LAN around the network',
      wish: { on: links(link('eth1', ['172.0.0.2/8'])) },
      gives: [`error network-overlaps-link ${first}`],
    },
    {
      when: 'a bridge of others within it',
      wish: { on: links(link('cni0', ['172.7.9.1/24'], { kind: 'bridge' })) },
      gives: [`warning network-overlaps-link ${first}`],
    },
    {
      when: 'flannel’s own device',
      wish: {
        on: links(
          link('flannel.1', ['172.7.21.0/32'], {
            kind: 'vxlan',
            vxlan: { vni: 1, local: null, device: 'eth0', port: 8472, isLearning: false },
          }),
        ),
      },
      gives: [],
    },
    {
      when: 'docker0 on the node’s own subnet',
      wish: {
        on: {
          ...subnetEnv('172.7.21.1/24'),
          links: known([lo, eth0, link('docker0', ['172.7.21.1/24'], { kind: 'bridge' })]),
          networks: known([dockerNetwork('bridge', '172.7.21.0/24', 'docker0')]),
          ...routes(route('172.7.21.0/24', { dev: 'docker0' })),
        },
      },
      gives: [],
    },
    {
      when: 'docker0 on another subnet of the network',
      wish: {
        on: { ...subnetEnv('172.7.21.1/24'), networks: known([dockerNetwork('bridge', '172.7.30.0/24', 'docker0')]) },
      },
      gives: [`warning network-overlaps-docker ${first}`],
    },
    {
      when: 'a network of compose',
      wish: { on: { networks: known([dockerNetwork('app_default', '172.7.0.0/20', 'br-1')]) } },
      gives: [`error network-overlaps-docker ${first}`],
    },
    {
      when: 'a network on the node’s own subnet',
      wish: {
        on: { ...subnetEnv('172.7.21.1/24'), networks: known([dockerNetwork('flannel', '172.7.21.0/24', 'br-1')]) },
      },
      gives: [],
    },
    {
      when: 'Docker’s pools',
      wish: { on: { docker: dockerRunning('20.10.24', { addressPools: ['172.7.128.0/17'] }) } },
      gives: [`warning network-overlaps-pool ${first}`],
    },
    {
      when: 'Docker’s pools without a setting',
      wish: { config: { Network: '172.20.0.0/16', Backend: { Type: 'vxlan' } } },
      gives: [`warning network-overlaps-pool ${first}`, `warning network-overlaps-pool ${second}`],
    },
    {
      when: 'a static route within the network',
      wish: { on: routes(route('172.7.40.0/24', { via: '10.4.7.1', dev: 'eth0' })) },
      gives: [`error network-overlaps-route ${first}`],
    },
    {
      when: 'a route of flannel to a node that is gone',
      wish: {
        config: hostGw,
        on: { ...subnetEnv('172.7.21.1/24'), ...routes(route('172.7.40.0/24', { via: '10.4.7.99', dev: 'eth0' })) },
      },
      gives: [`warning network-overlaps-route ${first}`],
    },
    {
      when: 'a route to a node that has a lease and is not in the inventory',
      wish: {
        config: hostGw,
        on: routes(route('172.7.40.0/24', { via: '10.4.7.99', dev: 'eth0' })),
        input: { leases: lease('172.7.40.0/24', '10.4.7.99') },
      },
      gives: [],
    },
    {
      when: 'a route around the network',
      wish: { on: routes(route('172.0.0.0/8', { via: '10.4.7.1', dev: 'eth0' })) },
      gives: [`warning network-overlaps-route ${first}`],
    },
    {
      when: 'a route of host-gw to a peer',
      wish: { config: hostGw, on: routes(route('172.7.22.0/24', { via: '10.4.7.22', dev: 'eth0' })) },
      gives: [],
    },
    {
      when: 'a route of vxlan to a peer',
      wish: { on: routes(route('172.7.22.0/24', { via: '172.7.22.0', dev: 'flannel.1' })) },
      gives: [],
    },
    {
      when: 'the blackhole of the own subnet',
      wish: { on: { ...subnetEnv('172.7.21.1/24'), ...routes(route('172.7.21.0/24', { type: 'blackhole' })) } },
      gives: [],
    },
    {
      when: 'etcd and a peer within the network',
      wish: {
        config: { Network: '10.4.0.0/16', Backend: { Type: 'vxlan' } },
        input: { skip: new Set<PreflightCheck>(['interface']) },
      },
      gives: expect.arrayContaining([
        'error network-overlaps-etcd',
        `error network-overlaps-peer ${first}`,
        `error network-overlaps-ssh ${first}`,
      ]),
    },
  ],
  adjacency: [
    {
      when: 'host-gw through a router',
      wish: { config: hostGw, on: way('10.4.7.22', '10.4.7.254') },
      gives: [`error peer-not-adjacent ${first}`],
    },
    { when: 'vxlan through a router', wish: { on: way('10.4.7.22', '10.4.7.254') }, gives: [] },
    {
      when: 'no route at all',
      wish: {
        on: { routesTo: known(new Map([['10.4.7.22', { reachable: false as const, why: 'Network is unreachable' }]])) },
      },
      gives: [`warning peer-unreachable ${first}`],
    },
    {
      when: 'no route at all with host-gw',
      wish: {
        config: hostGw,
        on: { routesTo: known(new Map([['10.4.7.22', { reachable: false as const, why: 'Network is unreachable' }]])) },
      },
      gives: [`error peer-unreachable ${first}`],
    },
    {
      when: 'host-gw by another interface',
      wish: {
        config: hostGw,
        on: {
          routesTo: known(
            new Map([
              ['10.4.7.22', { reachable: true as const, gateway: null, device: 'eth1', source: null, isLocal: false }],
            ]),
          ),
        },
      },
      gives: [`error peer-by-other-interface ${first}`],
    },
  ],
  ports: [
    {
      when: 'another program on 8472',
      wish: {
        on: { ports: known([{ protocol: 'udp', port: 8472, address: null, programs: [{ name: 'weave', pid: 7 }] }]) },
      },
      gives: [`error port-taken ${first}`],
    },
    {
      when: 'flannel’s own device on 8472',
      wish: {
        on: {
          ports: known([{ protocol: 'udp', port: 8472, address: null, programs: [] }]),
          ...links(
            link('flannel.1', ['172.7.21.0/32'], {
              kind: 'vxlan',
              vxlan: { vni: 1, local: null, device: 'eth0', port: 8472, isLearning: false },
            }),
          ),
        },
      },
      gives: [],
    },
    {
      when: 'something nameless on 8472',
      wish: { on: { ports: known([{ protocol: 'udp', port: 8472, address: null, programs: [] }]) } },
      gives: [`warning preflight-unknown ${first}`],
    },
    {
      when: 'another program on the health check’s port',
      wish: {
        inventory: flannelSection({ healthzPort: 2401 }),
        on: { ports: known([{ protocol: 'tcp', port: 2401, address: null, programs: [{ name: 'nginx', pid: 7 }] }]) },
      },
      gives: [`error port-taken ${first}`],
    },
    {
      when: 'flanneld itself on the health check’s port',
      wish: {
        inventory: flannelSection({ healthzPort: 2401 }),
        on: {
          ports: known([{ protocol: 'tcp', port: 2401, address: null, programs: [{ name: 'flanneld', pid: 7 }] }]),
        },
      },
      gives: [],
    },
    {
      when: 'the same port on another address',
      wish: {
        inventory: flannelSection({ healthzPort: 2401, healthzIP: '127.0.0.1' }),
        on: {
          ports: known([
            {
              protocol: 'tcp',
              port: 2401,
              address: { family: 4, address: 0x0a04_0715 },
              programs: [{ name: 'nginx', pid: 7 }],
            },
          ]),
        },
      },
      gives: [],
    },
    {
      when: 'a VXLAN device of others',
      wish: {
        on: links(
          link('vxlan.calico', ['198.18.0.1/32'], {
            kind: 'vxlan',
            vxlan: { vni: 1, local: null, device: 'eth0', port: 8472, isLearning: false },
          }),
        ),
      },
      gives: [`error vxlan-taken ${first}`],
    },
    {
      when: 'a VXLAN device of others with another VNI',
      wish: {
        on: links(
          link('vxlan.calico', ['198.18.0.1/32'], {
            kind: 'vxlan',
            vxlan: { vni: 4096, local: null, device: 'eth0', port: 8472, isLearning: false },
          }),
        ),
      },
      gives: [],
    },
  ],
  firewall: [
    {
      when: 'firewalld',
      wish: {
        on: {
          firewalls: known({
            firewalld: { activeZones: new Map([['public', { interfaces: ['eth0'], sources: [] }]]) },
            ufw: null,
          }),
        },
      },
      gives: [`warning firewall-port ${first}`, `warning firewall-forward ${first}`],
    },
    {
      when: 'firewalld that trusts both',
      wish: {
        on: {
          firewalls: known({
            firewalld: { activeZones: new Map([['trusted', { interfaces: ['eth0'], sources: ['172.7.0.0/16'] }]]) },
            ufw: null,
          }),
        },
      },
      gives: [],
    },
    {
      when: 'ufw',
      wish: { on: { firewalls: known({ firewalld: null, ufw: { isEnabled: true, forwardPolicy: 'DROP' } }) } },
      gives: [`warning firewall-port ${first}`],
    },
    {
      when: 'ufw that rejects',
      wish: {
        config: hostGw,
        on: { firewalls: known({ firewalld: null, ufw: { isEnabled: true, forwardPolicy: 'REJECT' } }) },
      },
      gives: [`warning firewall-forward ${first}`],
    },
    {
      when: 'ufw with the port open',
      wish: {
        on: {
          firewalls: known({ firewalld: null, ufw: { isEnabled: true, forwardPolicy: 'DROP' } }),
          iptablesNft: rules(
            '*filter\n:ufw-user-input - [0:0]\n-A ufw-user-input -p udp -m udp --dport 8472 -j ACCEPT\nCOMMIT\n',
          ),
        },
      },
      gives: [],
    },
    {
      when: 'ufw that is off',
      wish: { on: { firewalls: known({ firewalld: null, ufw: { isEnabled: false, forwardPolicy: 'DROP' } }) } },
      gives: [],
    },
    {
      when: 'INPUT that drops',
      wish: {
        on: { iptablesNft: rules('*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n') },
      },
      gives: [`warning firewall-port ${first}`],
    },
    {
      when: 'INPUT that drops but a range of ports',
      wish: {
        on: {
          iptablesNft: rules(
            '*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp -m multiport --dports 53,8000:9000 -j ACCEPT\nCOMMIT\n',
          ),
        },
      },
      gives: [],
    },
    {
      when: 'INPUT that drops with host-gw, which has no port',
      wish: { config: hostGw, on: { iptablesNft: rules('*filter\n:INPUT DROP [0:0]\nCOMMIT\n') } },
      gives: [],
    },
  ],
  selinux: [
    {
      when: 'enforcing',
      wish: { on: { selinux: known('enforcing') } as Change },
      gives: [`info selinux-enforcing ${first}`],
    },
    { when: 'permissive', wish: { on: { selinux: known('permissive') } as Change }, gives: [] },
  ],
  release: [
    {
      when: 'the config stands in the other store',
      wish: { input: { configIn: 'v2' } },
      gives: ['error release-other-api'],
    },
    {
      when: 'there is no config',
      wish: { input: { effective: null, configIn: 'none' } },
      gives: ['error preflight-no-config'],
    },
    { when: 'the config stands in both', wish: { input: { configIn: 'both' } }, gives: [] },
    ...(
      [
        ['v0.17.0', []],
        ['v0.18.1', ['warning release-flaw']],
        ['v0.21.2', ['warning release-flaw']],
        ['v0.26.3', ['warning release-flaw']],
        ['v0.28.5', ['warning release-flaw']],
        ['v0.28.6', []],
      ] as const
    ).map(([version, gives]) => ({ when: version, wish: { version, input: { configIn: 'both' as const } }, gives })),
    {
      when: 'an upgrade over v0.18.0',
      wish: {
        on: {
          flannelPrograms: known([
            { path: '/opt/flannel/flanneld', version: parseFlannelVersion('v0.11.0'), why: null },
          ]),
        },
      },
      gives: [`warning release-crosses-api ${first}`],
    },
    {
      when: 'a fleet that is split over v0.18.0',
      wish: {
        on: {
          flannelPrograms: known([
            { path: '/opt/flannel/flanneld', version: parseFlannelVersion('v0.11.0'), why: null },
          ]),
        },
        also: {
          flannelPrograms: known([
            { path: '/opt/flannel/flanneld', version: parseFlannelVersion('v0.22.3'), why: null },
          ]),
        },
      },
      gives: ['warning release-mix', `warning release-crosses-api ${first}`],
    },
    {
      when: 'a downgrade',
      wish: {
        version: 'v0.28.8',
        on: {
          flannelPrograms: known([
            { path: '/opt/flannel/flanneld', version: parseFlannelVersion('v0.28.9'), why: null },
          ]),
        },
      },
      gives: [`warning release-downgrade ${first}`],
    },
    {
      when: 'a program that does not tell',
      wish: {
        on: {
          flannelPrograms: known([
            { path: '/opt/flannel/flanneld', version: null, why: 'others than root may write it' },
          ]),
        },
      },
      gives: [`warning preflight-unknown ${first}`],
    },
  ],
  etcd: [
    {
      when: 'one of three refuses',
      wish: { on: { etcd: etcdAnswers({ 'https://10.4.7.22:2379': { kind: 'refused', why: 'connection refused' } }) } },
      gives: [`warning etcd-not-reached ${first}`],
    },
    {
      when: 'all time out',
      wish: {
        on: {
          etcd: etcdAnswers(
            Object.fromEntries(
              etcdEndpoints.map((endpoint) => [endpoint, { kind: 'timeout' as const, why: 'no answer within 3 s' }]),
            ),
          ),
        },
      },
      gives: [`error etcd-not-reached ${first}`, `error etcd-not-reached ${first}`, `error etcd-not-reached ${first}`],
    },
    {
      when: 'the certificate is refused',
      wish: {
        on: {
          etcd: etcdAnswers({ 'https://10.4.7.12:2379': { kind: 'client-certificate', why: 'alert bad certificate' } }),
        },
      },
      gives: [`warning etcd-not-reached ${first}`],
    },
    {
      when: 'the certificate is not there yet',
      wish: {
        on: {
          etcd: etcdAnswers(
            { 'https://10.4.7.12:2379': { kind: 'client-certificate', why: 'alert certificate required' } },
            'no-certificates',
          ),
        },
      },
      gives: [`info etcd-certificate-untried ${first}`],
    },
    {
      when: 'only the port could be tried',
      wish: { on: { etcd: etcdAnswers({ 'https://10.4.7.12:2379': { kind: 'connected' } }) } },
      gives: [`info etcd-certificate-untried ${first}`],
    },
    {
      when: 'a sick member',
      wish: {
        on: {
          etcd: etcdAnswers({
            'https://10.4.7.12:2379': { kind: 'answered', version: '3.4.23', isHealthy: false, servesV2: null },
          }),
        },
      },
      gives: [`warning etcd-not-healthy ${first}`],
    },
    {
      when: 'no etcd at all',
      wish: {
        on: {
          etcd: etcdAnswers({
            'https://10.4.7.12:2379': { kind: 'answered', version: null, isHealthy: null, servesV2: null },
          }),
        },
      },
      gives: [`warning etcd-not-reached ${first}`],
    },
    {
      when: 'no v2 for flannel v0.11.0',
      wish: {
        version: 'v0.11.0',
        input: { configIn: 'v2' },
        on: {
          etcd: etcdAnswers({
            'https://10.4.7.12:2379': { kind: 'answered', version: '3.4.23', isHealthy: true, servesV2: false },
          }),
        },
      },
      gives: [`error etcd-other-api ${first}`],
    },
    {
      when: 'etcd 2',
      wish: {
        on: {
          etcd: etcdAnswers({
            'https://10.4.7.12:2379': { kind: 'answered', version: '2.3.8', isHealthy: true, servesV2: true },
          }),
        },
      },
      gives: [`error etcd-other-api ${first}`],
    },
    {
      when: 'an endpoint that was not asked for',
      wish: { input: { endpoints: [...etcdEndpoints, 'https://10.4.7.99:2379'] } },
      gives: [`warning preflight-unknown ${first}`, `warning preflight-unknown ${second}`],
    },
  ],
  certificates: [
    {
      when: 'one has expired',
      wish: {
        input: {
          certificates: [
            {
              code: 'certificate-expired',
              severity: 'error',
              path: 'cert',
              message: 'client.pem has expired',
              suggestion: null,
            },
          ],
        },
      },
      gives: ['error certificate-expired'],
    },
  ],
  service: [
    { when: 'no systemd', wish: { on: programsWithout('systemctl') }, gives: [`error systemd-missing ${first}`] },
    {
      when: 'the unit is masked',
      wish: {
        on: {
          ...unitsWith({ 'flanneld.service': { loadState: 'masked', activeState: 'inactive' } }),
          flannelUnit: known([{ path: '/etc/systemd/system/flanneld.service', text: '' }]),
        },
      },
      gives: [`error unit-masked ${first}`],
    },
    {
      when: 'no supervisord',
      wish: {
        inventory: flannelSection({ service: 'supervisord' }),
        on: {
          supervisor: known({ isInstalled: false, isRunning: false, configPath: null, programFiles: [], programs: [] }),
        },
      },
      gives: [`error supervisor-missing ${first}`],
    },
    {
      when: 'no supervisord, and systemd is wanted',
      wish: {
        on: {
          supervisor: known({ isInstalled: false, isRunning: false, configPath: null, programFiles: [], programs: [] }),
        },
      },
      gives: [],
    },
    {
      when: 'a supervisord that does not run',
      wish: {
        inventory: flannelSection({ service: 'supervisord' }),
        on: {
          supervisor: known({ isInstalled: true, isRunning: false, configPath: null, programFiles: [], programs: [] }),
        },
      },
      gives: [`error supervisor-not-running ${first}`],
    },
  ],
  manager: [
    {
      when: 'a flanneld of Kubernetes runs in a container',
      wish: { on: { flanneld: known([{ ...process21, isInHostsNamespace: false }]) }, input: { adopt: true } },
      gives: [`error flanneld-of-kubernetes ${first}`, `info flanneld-by-hand ${first}`],
    },
    {
      when: 'a unit with its flag',
      wish: {
        on: {
          flannelUnit: known([
            {
              path: '/etc/systemd/system/flanneld.service',
              text: '[Service]\nEnvironment=FLANNELD_KUBE_SUBNET_MGR=true\nExecStart=/usr/bin/flanneld\n',
            },
          ]),
        },
        input: { adopt: true },
      },
      gives: [`error flanneld-of-kubernetes ${first}`, `info flanneld-by-hand ${first}`],
    },
    {
      when: 'the flag is off',
      wish: {
        on: {
          flannelUnit: known([{ path: '/etc/systemd/system/flanneld.service', text: ourUnit }]),
          flanneld: known([process(77, ['/opt/flannel/flanneld', '--kube-subnet-mgr=false'])]),
          ...unitsWith({}),
        },
      },
      gives: [],
    },
  ],
  'hand-made': [
    {
      when: 'a unit of somebody',
      wish: { on: { flannelUnit: known([{ path: '/usr/lib/systemd/system/flanneld.service', text: handUnit }]) } },
      gives: [`error flanneld-by-hand ${first}`],
    },
    {
      when: 'a unit of somebody that may be adopted',
      wish: {
        on: { flannelUnit: known([{ path: '/usr/lib/systemd/system/flanneld.service', text: handUnit }]) },
        input: { adopt: true },
      },
      gives: [`info flanneld-by-hand ${first}`],
    },
    {
      when: 'our unit',
      wish: {
        on: {
          flannelUnit: known([{ path: '/etc/systemd/system/flanneld.service', text: ourUnit }]),
          flanneld: known([process(77, ['/opt/flannel/flanneld'])]),
          ...unitsWith({}),
        },
      },
      gives: [],
    },
    {
      when: 'a drop-in over our unit',
      wish: {
        on: {
          flannelUnit: known([
            { path: '/etc/systemd/system/flanneld.service', text: ourUnit },
            { path: '/etc/systemd/system/flanneld.service.d/override.conf', text: '[Service]\nRestart=no\n' },
          ]),
        },
      },
      gives: [`warning flanneld-drop-in ${first}`],
    },
    {
      when: 'our unit, and supervisord is wanted now',
      wish: {
        inventory: flannelSection({ service: 'supervisord' }),
        on: { flannelUnit: known([{ path: '/etc/systemd/system/flanneld.service', text: ourUnit }]) },
      },
      gives: [`error flanneld-started-twice ${first}`],
    },
    {
      when: 'the third seed’s program of supervisord',
      wish: {
        inventory: flannelSection({ service: 'supervisord', installDir: '/opt/other' }),
        on: supervised('[program:flanneld-7-21]\ncommand=/opt/flannel/flanneld.sh\nautorestart=true\n'),
      },
      gives: [`error flanneld-by-hand ${first}`],
    },
    {
      when: 'a flanneld that somebody started',
      wish: { on: { flanneld: known([process(77, ['/usr/bin/flanneld', '--ip-masq'])]) } },
      gives: [`error flanneld-by-hand ${first}`],
    },
    {
      when: 'an environment file of somebody',
      wish: { on: { texts: files({ '/etc/default/flanneld': 'FLANNEL_ETCD=http://10.4.7.12:2379\n' }) } },
      gives: [`error file-by-hand ${first}`],
    },
    {
      when: 'bip by hand in daemon.json',
      wish: { on: { texts: files({ '/etc/docker/daemon.json': '{"bip": "172.7.21.1/24", "data-root": "/data"}' }) } },
      gives: [`error docker-by-hand ${first}`],
    },
    {
      when: 'a daemon.json that has nothing of ours',
      wish: { on: { texts: files({ '/etc/docker/daemon.json': '{"data-root": "/data"}' }) } },
      gives: [],
    },
    {
      when: 'bip of ours in daemon.json',
      wish: {
        on: {
          texts: files({ '/etc/docker/daemon.json': '{"bip": "172.7.21.1/24"}' }),
          dockerUnit: known([
            { path: '/lib/systemd/system/docker.service', text: '[Service]\nExecStart=/usr/sbin/dockerd -H fd://\n' },
            { path: dockerDefaults.dropIn, text: '# Written by netctl; "netctl node reset" takes it away.\n' },
          ]),
        },
      },
      gives: [],
    },
    {
      when: 'bip by hand among the flags',
      wish: {
        on: {
          dockerUnit: known([
            {
              path: '/lib/systemd/system/docker.service',
              text: '[Service]\nExecStart=/usr/sbin/dockerd --bip=172.7.21.1/24\n',
            },
          ]),
        },
      },
      gives: [`error docker-by-hand ${first}`],
    },
  ],
};

describe('preflight', () => {
  it('finds nothing on two healthy nodes, with any of the usual backends', () => {
    expect(found({}).map(lineOf)).toEqual([]);
    expect(found({ config: hostGw }).map(lineOf)).toEqual([]);
  });

  it.each([
    ['vxlan', vxlan],
    ['host-gw', hostGw],
  ])('finds nothing on nodes that bootstrap has been on, with %s', (type, config) => {
    const done = (address: string, subnet: string, peer: string, peerSubnet: string): Change => ({
      texts: files({
        '/run/flannel/subnet.env': `FLANNEL_NETWORK=172.7.0.0/16\nFLANNEL_SUBNET=${subnet}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`,
        '/etc/docker/daemon.json': `{"bip": "${subnet}.1/24", "mtu": 1450, "ip-masq": false}`,
        '/etc/default/flanneld': environmentOfNetctl,
      }),
      flannelUnit: known([{ path: '/etc/systemd/system/flanneld.service', text: ourUnit }]),
      flanneld: known([process(77, ['/opt/flannel/flanneld', '--etcd-prefix=/coreos.com/network'])]),
      flannelPrograms: known([{ path: '/opt/flannel/flanneld', version: parseFlannelVersion('v0.28.9'), why: null }]),
      ...unitsWith({ 'docker.service': { wants: ['flanneld.service'], after: ['flanneld.service'] } }),
      dockerUnit: known([
        { path: '/lib/systemd/system/docker.service', text: '[Service]\nExecStart=/usr/sbin/dockerd -H fd://\n' },
        { path: dockerDefaults.dropIn, text: '# Written by netctl; "netctl node reset" takes it away.\n' },
      ]),
      networks: known([dockerNetwork('bridge', `${subnet}.0/24`, 'docker0')]),
      links: known([
        lo,
        link('eth0', [`${address}/24`]),
        link('docker0', [`${subnet}.1/24`], { kind: 'bridge' }),
        link('veth12345', []),
        ...(type === 'vxlan' ? [flannelDevice(`${subnet}.0/32`)] : []),
      ]),
      ...routes(
        route(`${subnet}.0/24`, { dev: 'docker0', protocol: 'kernel' }),
        type === 'vxlan'
          ? route(`${peerSubnet}.0/24`, { via: `${peerSubnet}.0`, dev: 'flannel.1' })
          : route(`${peerSubnet}.0/24`, { via: peer, dev: 'eth0' }),
      ),
      ports: known([
        ...(type === 'vxlan' ? [{ protocol: 'udp' as const, port: 8472, address: null, programs: [] }] : []),
        { protocol: 'tcp', port: 2401, address: null, programs: [{ name: 'flanneld', pid: 77 }] },
      ]),
    });
    const problems = found({
      config,
      inventory: flannelSection({ healthzPort: 2401 }),
      on: done('10.4.7.21', '172.7.21', '10.4.7.22', '172.7.22'),
      also: done('10.4.7.22', '172.7.22', '10.4.7.21', '172.7.21'),
      input: { leases: [...lease('172.7.21.0/24', '10.4.7.21'), ...lease('172.7.22.0/24', '10.4.7.22')] },
    });
    expect(problems.map(lineOf)).toEqual([]);
  });

  describe.each(preflightChecks)('$name', ({ name }) => {
    it.each(cases[name])('$when', ({ wish, gives }) => {
      expect(found(wish).map(lineOf)).toEqual(gives);
    });

    it('says nothing when it is skipped', () => {
      const firing = cases[name].filter(({ wish }) => found(wish).some(({ check }) => check === name));
      expect(firing.length).toBeGreaterThan(0);
      for (const { wish } of firing) {
        const rest = found({ ...wish, input: { ...wish.input, skip: new Set([name]) } });
        expect(rest.filter(({ check }) => check === name)).toEqual([]);
      }
    });
  });

  /** What each check asks the nodes; where nothing is known it must say so. */
  const asks: Readonly<Record<PreflightCheck, readonly (keyof Answers)[]>> = {
    privileges: ['privileges'],
    programs: ['programs'],
    architecture: ['machine'],
    'kernel-version': ['machine'],
    'kernel-modules': ['modules'],
    'ip-forward': ['settings'],
    'rp-filter': ['settings'],
    iptables: ['iptables', 'iptablesNft', 'iptablesLegacy'],
    docker: ['dockerProgram', 'docker', 'units'],
    cascade: ['units'],
    space: ['spaces'],
    clock: ['clock'],
    interface: ['links'],
    unique: ['machine', 'links', 'texts'],
    overlap: ['links', 'routes', 'sshClient', 'networks'],
    adjacency: ['routesTo'],
    ports: ['ports'],
    firewall: ['firewalls'],
    selinux: ['selinux'],
    release: ['flannelPrograms'],
    etcd: ['etcd'],
    certificates: [],
    service: ['programs', 'units'],
    manager: ['flanneld'],
    'hand-made': ['flannelUnit', 'supervisor', 'flanneld', 'dockerUnit', 'texts'],
  };

  it.each(preflightChecks.flatMap(({ name }) => asks[name].map((fact) => ({ name, fact }))))(
    'does not take an unknown $fact for a good one ($name)',
    ({ name, fact }) => {
      const why = unknown('it would not say');
      // Without routesTo the routes answer; only together they leave the way open.
      const on: Change = fact === 'routesTo' ? { routesTo: why, routes: why } : { [fact]: why };
      const told = found({ on }).filter(
        ({ check, code, node: of }) => check === name && code === 'preflight-unknown' && of === first,
      );
      expect(told.length).toBeGreaterThan(0);
      for (const { severity, message } of told) {
        expect(severity).toBe('warning');
        expect(message).toContain('it would not say');
      }
    },
  );

  it('survives a node of which nothing is known', () => {
    const nothing = Object.fromEntries(
      Object.keys(nodeSeen('10.4.7.21').answers).map((fact) => [fact, unknown('the shell ended')]),
    );
    const problems = found({ on: nothing as Change });
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(new Set(problems.map(({ check }) => check)).size).toBeGreaterThan(18);
  });

  it('puts the gravest first, and what concerns all before what concerns one', () => {
    const problems = found({
      on: { ...settings({ 'net/ipv4/ip_forward': '0' }), ...modules({ vxlan: 'absent' }) },
      also: programsWithout('ping', 'sha256sum'),
      input: { configIn: 'v2' },
    });
    expect(problems.map(lineOf)).toEqual([
      'error release-other-api',
      `error kernel-module-missing ${first}`,
      `error program-missing ${second}`,
      `warning program-missing ${second}`,
      `info ip-forward-off ${first}`,
    ]);
  });

  it('shows no password of a set-up made by hand', () => {
    const [problem] = found({
      on: { flannelUnit: known([{ path: '/etc/systemd/system/flanneld.service', text: handUnit }]) },
    });
    expect(problem?.message).toContain('--etcd-prefix=/other');
    expect(problem?.message).toContain('Restart=on-failure');
    expect(problem?.message).not.toContain('secret@');
    expect(problem?.message).not.toContain('hunter2');
  });

  it('finds the flags behind an interpreter', () => {
    const words = ['/usr/bin/python3', '/opt/flannel/flanneld', '--kube-subnet-mgr'];
    const [problem] = found({ on: { flanneld: known([process(77, words)]) } });
    expect(problem?.code).toBe('flanneld-of-kubernetes');
  });

  it('reads the words of the third seed’s start script', () => {
    const [problem] = found({
      inventory: flannelSection({ service: 'supervisord', installDir: '/opt/other' }),
      on: supervised('[program:flanneld-7-21]\ncommand=/opt/flannel/flanneld.sh\nautorestart=true\n'),
    });
    expect(problem?.message).toContain('--public-ip=10.4.7.21');
    expect(problem?.message).toContain('program flanneld-7-21 in /etc/supervisor/conf.d/flannel.conf');
  });

  it('names peers without end only up to five', () => {
    const many = Array.from({ length: 48 }, (_, index) => node(`n${index}`, `10.4.8.${index + 1}`));
    const [, problem] = found({
      config: hostGw,
      nodes: [...seeds, ...many].slice(0, 2),
      inventory: { nodes: [...seeds, ...many] },
    });
    expect(problem?.code).toBe('peer-not-adjacent');
    expect(problem?.message).toContain('and 43 more');
  });

  it('says in every message a thing, and ends none with a full stop', () => {
    const all = preflightChecks.flatMap(({ name }) => cases[name].flatMap(({ wish }) => found(wish)));
    for (const { message } of all) expect(message).not.toMatch(/[.\s]$/);
    const known = new Set(preflightTopics.map(({ code }) => code));
    const foreign = new Set(all.map(({ code }) => code).filter((code) => !known.has(code)));
    // Certificates are passed through; the tie of Docker to flanneld has its topic beside Docker's plan.
    expect([...foreign].sort()).toEqual(['certificate-expired', 'docker-requires-flannel']);
    const unseen = [...known].filter((code) => !all.some((problem) => problem.code === code));
    expect(unseen).toEqual(['interface-unclear']);
  });
});

describe('the interface between the nodes', () => {
  const choose = (
    wish: Wish,
    index = 0,
  ): Known<{ iface: string; address: string; flag: string; how: string; isNat: boolean }> => {
    const input = inputOf(wish);
    const each = input.nodes[index];
    if (each === undefined) throw new Error('no such node');
    return interfaceFor(each.node, each.seen, interfaceOptions(input)(each.node));
  };
  const named = [first, second].map((name) => ({ name, address: name, ssh: {}, labels: [] }));
  const vagrant = (address: string): Change => ({
    links: known([lo, link('eth0', ['10.0.2.15/24']), link('eth1', [`${address}/24`])]),
    routes: known([
      route('default', { via: '10.0.2.2', dev: 'eth0' }),
      route('192.0.2.0/24', { dev: 'eth1', source: address }),
    ]),
    routesTo: known(new Map()),
  });

  it('is the one with the public IP', () => {
    expect(choose({})).toMatchObject({
      value: { iface: 'eth0', address: '10.4.7.21', how: 'public-ip', isNat: false },
    });
  });

  it('is the one that is given, by its name or an address', () => {
    const on = links(link('eth1', ['192.0.2.5/24']));
    const by = (iface: string) =>
      choose({ on, nodes: [node(first, '10.4.7.21', { iface }), node(second, '10.4.7.22')] });
    expect(by('eth1')).toMatchObject({ value: { iface: 'eth1', address: '192.0.2.5', flag: 'eth1', how: 'given' } });
    expect(by('192.0.2.5')).toMatchObject({ value: { iface: 'eth1', address: '192.0.2.5', flag: '192.0.2.5' } });
    expect(by('eth7')).toMatchObject({
      known: false,
      why: 'there is no interface eth7; there are: eth0 10.4.7.21, eth1 192.0.2.5',
    });
  });

  it('is the first of what the section gives: name, expression, what is reached', () => {
    const on = {
      ...links(link('eth1', ['192.0.2.5/24'])),
      ...routes(route('192.0.2.0/24', { dev: 'eth1', source: '192.0.2.5' })),
    };
    const by = (flannel: Partial<Inventory['flannel']>) => choose({ on, inventory: flannelSection(flannel) });
    expect(by({ iface: 'eth1' })).toMatchObject({ value: { iface: 'eth1' } });
    expect(by({ iface: 'eth9', ifaceRegex: '^192\\.0\\.2\\.' })).toMatchObject({
      value: { iface: 'eth1', how: 'given' },
    });
    expect(by({ ifaceRegex: 'eth1$' })).toMatchObject({ value: { iface: 'eth1' } });
    expect(by({ ifaceCanReach: '192.0.2.77' })).toMatchObject({ value: { iface: 'eth1', address: '192.0.2.5' } });
    expect(by({ ifaceRegex: '(?i)ETH1' })).toMatchObject({ known: false });
    expect(by({ ifaceRegex: 'nothing' })).toMatchObject({
      known: false,
      why: 'flannel.ifaceRegex nothing fits no address and no interface',
    });
  });

  it('is the one that reaches the peers, else etcd, else the way out', () => {
    const seen = (on: Change, endpoints = etcdEndpoints) =>
      choose({
        nodes: [{ name: first, address: first, ssh: {}, labels: [] }, node(second, '192.0.2.6')],
        on,
        input: { endpoints },
      });
    const two = { ...links(link('eth1', ['192.0.2.5/24'])), routesTo: known(new Map()) };
    expect(seen({ ...two, ...routes(route('192.0.2.0/24', { dev: 'eth1', source: '192.0.2.5' })) })).toMatchObject({
      value: { iface: 'eth1', how: 'peers' },
    });
    expect(seen({ ...two, routes: known([route('10.4.7.0/24', { dev: 'eth0' })]) })).toMatchObject({
      value: { iface: 'eth0', how: 'etcd' },
    });
    expect(seen({ ...two, routes: known([route('default', { via: '10.4.7.254', dev: 'eth0' })]) }, [])).toMatchObject({
      value: { iface: 'eth0', how: 'peers' },
    });
  });

  it('may be a veth, as eth0 of a container is', () => {
    const eth = link('eth0', ['10.4.7.21/24'], { kind: 'veth' });
    expect(choose({ nodes: named, on: { links: known([lo, eth, docker0]) } })).toMatchObject({
      value: { iface: 'eth0', how: 'etcd' },
    });
  });

  it('is never the one whose address all boxes of Vagrant have', () => {
    const boxes: Wish = { nodes: named, on: vagrant('192.0.2.5'), also: vagrant('192.0.2.6') };
    expect(choose(boxes, 0)).toMatchObject({ value: { iface: 'eth1', address: '192.0.2.5', how: 'only-one' } });
    expect(choose(boxes, 1)).toMatchObject({ value: { iface: 'eth1', address: '192.0.2.6' } });
  });

  it('is unclear when all that there is is behind the same NAT', () => {
    const only: Change = { ...vagrant('192.0.2.5'), links: known([lo, link('eth0', ['10.0.2.15/24'])]) };
    const wish: Wish = { nodes: named, on: only, also: only };
    expect(choose(wish)).toMatchObject({
      known: false,
      why: expect.stringContaining('10.0.2.15 is that of other nodes too'),
    });
    expect(found(wish).map(lineOf)).toContain(`error interface-unclear ${first}`);
  });

  it('is named by its address where it has several', () => {
    const on: Change = { links: known([lo, link('eth0', ['10.4.7.200/24', '10.4.7.21/24'])]) };
    expect(choose({ on })).toMatchObject({ value: { iface: 'eth0', address: '10.4.7.21', flag: '10.4.7.21' } });
  });

  it('gives the public IP where the inventory has none, and says whether it is the node’s own', () => {
    const of = (wish: Wish) => {
      const input = inputOf(wish);
      const each = input.nodes[0];
      if (each === undefined) throw new Error('no such node');
      return publicIPFor(each.node, each.seen, interfaceOptions(input)(each.node));
    };
    expect(of({})).toEqual(known({ publicIP: '10.4.7.21', isOwn: true }));
    expect(of({ nodes: [node(first, '10.4.7.21', { publicIP: '198.51.100.7' })] })).toEqual(
      known({ publicIP: '198.51.100.7', isOwn: false }),
    );
    expect(of({ nodes: named, on: vagrant('192.0.2.5'), also: vagrant('192.0.2.6') })).toEqual(
      known({ publicIP: '192.0.2.5', isOwn: true }),
    );
    expect(of({ on: { links: unknown('ip is not there') } })).toEqual(unknown('ip is not there'));
  });
});
