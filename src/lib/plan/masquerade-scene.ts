import { tableOf } from '../fact/iptables-save';
import type { MasqueradeAnswers, MasqueradeQuestions } from '../fact/masquerade-facts';
import type { Inventory, InventoryNode } from '../inventory/inventory';
import { inventoryDefaults } from '../inventory/inventory-defaults';
import { cidrContains, cidrOf, formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import { dockerdCommand, flagPlace, runningDockerd } from '../net/dockerd-flags';
import { parseFlannelVersion } from '../net/flannel-version';
import { formatIpv4 } from '../net/ipv4';
import { readDaemonJson } from '../net/json-edit';
import { type ContainerBridge, isPlainDevice } from '../net/masquerade-rule';
import type { Problem } from '../net/problem';
import { dockerEnvironmentFiles, dockerSettingsOf } from './docker-step';
import { flannelFilesWish, flannelLayout } from './flannel-files';
import { type NodeStep, seenText } from './host-change';
import { type MasqueradeIntent, masqueradeDropIn, masqueradePaths, readMasqueradeScript } from './masquerade-files';
import type { Carried, PathName } from './masquerade-paths';
import { type FrontRules, flannelMasquerades } from './masquerade-rules';
import { savedRulesFiles } from './masquerade-save';

export type MasqueradeMethod = 'rule' | 'docker';

export interface MasqueradeWish {
  readonly inventory: Inventory;
  /** Of `--network`; else what flanneld says on the node, else the inventory. */
  readonly network: Ipv4Cidr | null;
  readonly method: MasqueradeMethod | 'auto';
  readonly revert: boolean;
  /** Keep the distribution's file of rules as well. */
  readonly save: boolean;
}

export interface PathChange {
  readonly path: PathName;
  readonly bridge: string;
  readonly from: string;
  readonly to: string;
  readonly before: Carried;
  readonly after: Carried;
}

/** The rules of one chain that are ours to change, as they stand and as they will be. */
export interface ChainChange {
  /** `iptables-nft` or `iptables-legacy`. */
  readonly program: string;
  readonly table: string;
  readonly chain: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export interface MasqueradePlan {
  readonly node: string;
  readonly network: string | null;
  /** Null when nothing can be chosen, and for a revert. */
  readonly method: MasqueradeMethod | null;
  /** Why this method. */
  readonly reason: string;
  readonly bridges: readonly ContainerBridge[];
  readonly paths: readonly PathChange[];
  readonly chains: readonly ChainChange[];
  readonly steps: readonly NodeStep[];
  readonly problems: readonly Problem[];
  /** Containers that stop. */
  readonly stops: readonly string[];
  /** Puts the node back as it was, in this order, where the proof fails: with Docker's restart, if there is one, in a step of its own. */
  readonly undo: readonly NodeStep[];
}

/** What has to be asked of a node. */
export function masqueradeQuestions(inventory: Inventory, node: InventoryNode): MasqueradeQuestions {
  const { script, unit } = masqueradePaths;
  const { docker } = inventory;
  const dockerService = docker.service ?? inventoryDefaults.docker.service;
  // What is asked here of the layout is the same in all releases.
  const version = parseFlannelVersion(inventory.flannel.version ?? 'v0.17.0');
  const layout = flannelLayout(flannelFilesWish(inventory, node, { family: 'debian', version, endpoints: [] }));
  return {
    dockerService,
    subnetFile: layout.subnetFile,
    texts: [
      script,
      unit,
      masqueradeDropIn(dockerService),
      docker.daemonJson ?? inventoryDefaults.docker.daemonJson,
      ...dockerEnvironmentFiles,
      ...savedRulesFiles,
    ],
  };
}

/** What a node is, read once: everything below works on it. */
export interface Scene {
  readonly node: string;
  readonly answers: MasqueradeAnswers;
  readonly wish: MasqueradeWish;
  readonly network: Ipv4Cidr;
  readonly dockerService: string;
  readonly fronts: readonly FrontRules[];
  /** All of Docker's bridges in the network, and those that it masquerades as it runs now. */
  readonly bridges: readonly ContainerBridge[];
  readonly masqueraded: readonly ContainerBridge[];
  /** Devices of all bridges here with an address in the network, also of those that are not Docker's. */
  readonly localBridges: readonly string[];
  readonly byFlannel: boolean;
  readonly earlier: MasqueradeIntent | undefined;
  readonly problems: Problem[];
}

/** What could be read; null when nothing can be planned, and then `problems` say why. */
export function masqueradeScene(
  node: string,
  answers: MasqueradeAnswers,
  wish: MasqueradeWish,
  problems: Problem[],
): { readonly network: Ipv4Cidr | null; readonly scene: Scene | null } {
  const network = networkOf(node, answers, wish, problems);
  const fronts = frontsOf(answers, problems);
  const isBlind = whatIsNotKnown(answers, problems);
  if (network === null || fronts === null || isBlind) return { network, scene: null };
  holdsNode(node, network, answers, problems);
  const script = seenText(answers.texts, masqueradePaths.script);
  const earlier = script?.kind === 'file' ? readMasqueradeScript(script.text ?? '') : undefined;
  const bridges = bridgesIn(network, answers, wish.inventory, earlier, problems);
  const scene: Scene = {
    node,
    answers,
    wish,
    network,
    dockerService: wish.inventory.docker.service ?? inventoryDefaults.docker.service,
    fronts,
    bridges: bridges.map(({ bridge }) => bridge),
    masqueraded: bridges.flatMap(({ bridge, isMasqueraded }) => (isMasqueraded ? [bridge] : [])),
    localBridges: localBridgesIn(network, answers),
    byFlannel: flannelMasquerades(fronts, answers.nftTables.known ? answers.nftTables.value : [], network),
    earlier,
    problems,
  };
  return { network, scene: problems.some(({ severity }) => severity === 'error') ? null : scene };
}

export function problem(
  severity: Problem['severity'],
  code: string,
  path: string,
  message: string,
  suggestion: string | null,
): Problem {
  return { code, severity, path, message, suggestion };
}

function networkOf(
  node: string,
  { subnetEnv }: MasqueradeAnswers,
  { network, inventory }: MasqueradeWish,
  problems: Problem[],
): Ipv4Cidr | null {
  const env = subnetEnv.known && subnetEnv.value.present ? subnetEnv.value.reading.env : null;
  const told = inventory.network.cidr === undefined ? undefined : parseIpv4Cidr(inventory.network.cidr);
  const wished = told === undefined ? null : { base: told.base, length: told.length };
  const [ours, ...others] = env?.networks ?? [];
  if (network !== null) return network;
  if (ours !== undefined && others.length > 0) {
    const all = [ours, ...others].map(formatCidr).join(', ');
    problems.push(
      problem('error', 'several-networks', node, `flanneld on ${node} has several networks: ${all}`, '--network CIDR'),
    );
    return null;
  }
  if (ours !== undefined) {
    if (wished !== null && formatCidr(wished) !== formatCidr(ours)) {
      problems.push(
        problem(
          'warning',
          'network-differs',
          'network.cidr',
          `flanneld on ${node} has the network ${formatCidr(ours)}, which counts here; the inventory says ${formatCidr(wished)}`,
          `network.cidr: ${formatCidr(ours)}`,
        ),
      );
    }
    return ours;
  }
  if (wished === null) {
    problems.push(
      problem(
        'error',
        'no-cluster-network',
        node,
        `which network? flanneld has written none on ${node}, and the inventory names none`,
        '--network 172.7.0.0/16',
      ),
    );
  }
  return wished;
}

/** With the machines in the range that the rule leaves out, containers would reach them with an address that leads nowhere. */
function holdsNode(node: string, network: Ipv4Cidr, { links, routes }: MasqueradeAnswers, problems: Problem[]): void {
  const wayOut = (routes.known ? routes.value : []).find(
    ({ destination, table }) => destination.family === 4 && destination.length === 0 && table === 'main',
  );
  const device = wayOut?.nextHops[0]?.device;
  const own = (links.known ? links.value : []).find(({ name }) => name === device)?.addresses ?? [];
  const gateway = wayOut?.nextHops[0]?.gateway;
  const inside = [...own, ...(gateway == null ? [] : [gateway])].find(
    (each) => each.family === 4 && cidrContains(network, each.address),
  );
  if (inside?.family !== 4) return;
  problems.push(
    problem(
      'error',
      'network-holds-node',
      formatCidr(network),
      `${formatCidr(network)} holds ${formatIpv4(inside.address)}, which ${node} or its gateway has: it cannot be the network of containers`,
      '--network with the range of the containers alone',
    ),
  );
}

function frontsOf(answers: MasqueradeAnswers, problems: Problem[]): readonly FrontRules[] | null {
  const { iptables, iptablesNft, iptablesLegacy } = answers;
  if (!iptables.known || iptables.value.standard === null) {
    const why = iptables.known ? 'iptables is not there' : iptables.why;
    problems.push(
      problem(
        'error',
        'masquerade-unknown',
        'iptables',
        `the rules could not be found out: ${why}`,
        'apt-get install iptables',
      ),
    );
    return null;
  }
  const { standard } = iptables.value;
  const found: FrontRules[] = [];
  for (const [frontEnd, rules] of [
    ['nft', iptablesNft],
    ['legacy', iptablesLegacy],
  ] as const) {
    const isStandard = frontEnd === standard;
    if (rules.known) {
      const ruleset =
        rules.value.state === 'read' ? rules.value.ruleset : { tables: [], incompatibleTables: [], strangeLines: [] };
      if (rules.value.state === 'read' || isStandard) found.push({ frontEnd, isStandard, ruleset });
      // One that holds more besides what is shown is a matter of nftables, as other tables of nftables are.
      const hidden = ruleset.incompatibleTables.filter((name) => tableOf(ruleset, name) === undefined);
      for (const table of ['nat', 'filter'].filter((name) => hidden.includes(name))) {
        problems.push(
          problem(
            'error',
            'masquerade-unknown',
            `iptables-${frontEnd}`,
            `iptables-${frontEnd} cannot show its table ${table}: somebody has put rules there that only nft understands`,
            `nft list table ip ${table}`,
          ),
        );
      }
      continue;
    }
    problems.push(
      problem(
        'error',
        'masquerade-unknown',
        `iptables-${frontEnd}`,
        `the rules of iptables-${frontEnd} could not be found out: ${rules.why}`,
        null,
      ),
    );
  }
  return problems.some(({ code }) => code === 'masquerade-unknown') ? null : found;
}

function whatIsNotKnown(answers: MasqueradeAnswers, problems: Problem[]): boolean {
  const before = problems.length;
  const say = (what: string, why: string, suggestion: string | null): void => {
    problems.push(problem('error', 'masquerade-unknown', what, `${what}: ${why}`, suggestion));
  };
  const { systemdVersion, docker, dockerd, dockerUnit, networks, links, routes, units, texts } = answers;
  if (systemdVersion.known && systemdVersion.value === null) {
    problems.push(
      problem(
        'error',
        'masquerade-needs-systemd',
        'systemd',
        'systemd does not run here: what keeps the rules right after a restart of Docker is a unit of systemd',
        null,
      ),
    );
  }
  if (docker.known && docker.value.state === 'stopped') {
    problems.push(
      problem(
        'error',
        'masquerade-no-docker',
        'docker',
        `Docker does not run, so its bridges and rules are not there: ${docker.value.why}`,
        'systemctl start docker',
      ),
    );
    return true;
  }
  for (const [what, fact] of Object.entries({ docker, dockerd, dockerUnit, networks, links, routes, units, texts })) {
    if (!fact.known) say(what, fact.why, null);
  }
  if (docker.known && docker.value.state === 'running' && docker.value.engine.firewallBackend === 'nftables') {
    problems.push(
      problem(
        'error',
        'docker-nftables',
        'docker',
        `Docker ${docker.value.engine.version.text} writes its rules as tables of nftables, which are its own: a change there is lost at its next start, and an accept in DOCKER-USER or in another table does not undo its drop`,
        '"firewall-backend": "iptables" in daemon.json, or "ip-masq": false with flannel.ipMasq: true in netctl.yaml',
      ),
    );
  }
  return problems.length > before;
}

/** The value of `ip-masq` that Docker takes when it starts the next time, and who says so. */
export function dockersMasq(
  answers: MasqueradeAnswers,
  { docker }: Inventory,
): { readonly value: boolean; readonly flag: string | null } {
  const facts = dockerSettingsOf(answers, docker);
  const written = dockerdCommand(facts.unit);
  const command = written.isDockerd || facts.cmdline === null ? written : runningDockerd(facts.cmdline);
  const flag = command.flags.findLast(({ setting }) => setting === 'ip-masq');
  if (flag !== undefined) return { value: flag.value !== 'false', flag: flagPlace(flag) };
  const file = readDaemonJson(facts.daemonJson.text);
  return { value: file.kind !== 'object' || file.values.get('ip-masq') !== false, flag: null };
}

/** Would Docker masquerade its default bridge from its next start on, had we not told it to leave that to flanneld? */
function masqueradesWithoutUs(
  answers: MasqueradeAnswers,
  inventory: Inventory,
  earlier: MasqueradeIntent | undefined,
): boolean {
  const { value, flag } = dockersMasq(answers, inventory);
  const before = earlier?.ipMasqBefore;
  return value || (flag === null && (before === 'unset' || before === 'true'));
}

function localBridgesIn(network: Ipv4Cidr, { links }: MasqueradeAnswers): readonly string[] {
  return (links.known ? links.value : []).flatMap(({ name, kind, addresses }) =>
    kind === 'bridge' &&
    addresses.some((each) => each.family === 4 && cidrContains(network, cidrOf(each.address, each.length)))
      ? [name]
      : [],
  );
}

/** Docker's bridges with a range in the network. */
function bridgesIn(
  network: Ipv4Cidr,
  answers: MasqueradeAnswers,
  inventory: Inventory,
  earlier: MasqueradeIntent | undefined,
  problems: Problem[],
): readonly { readonly bridge: ContainerBridge; readonly isMasqueraded: boolean }[] {
  const networks = answers.networks.known ? answers.networks.value : [];
  const found = networks.flatMap(({ name, device, subnets, isInternal, masquerades }) =>
    subnets.flatMap(({ range }) => {
      if (device === null || isInternal || range.family !== 4) return [];
      const subnet = { base: range.base, length: range.length };
      if (!cidrContains(network, subnet)) return [];
      if (!isPlainDevice(device)) {
        problems.push(
          problem(
            'error',
            'odd-bridge-name',
            name,
            `the bridge of ${name} is called ${JSON.stringify(device)}; letters, digits, . _ and - can stand in a script as they are`,
            'docker network create -o com.docker.network.bridge.name=…',
          ),
        );
        return [];
      }
      // The setting is that of the default bridge alone, and Docker may not have started with it yet.
      const isMasqueraded =
        masquerades !== false || (name === 'bridge' && masqueradesWithoutUs(answers, inventory, earlier));
      return [{ bridge: { device, subnet }, isMasqueraded }];
    }),
  );
  if (found.length === 0) {
    problems.push(
      problem(
        'warning',
        'no-bridge-in-network',
        formatCidr(network),
        `no bridge of Docker has a range within ${formatCidr(network)}, so no container is in the network`,
        'netctl node bootstrap gives docker0 its range',
      ),
    );
  }
  return found;
}
