import { type FlannelVersion, isAtLeast } from '../net/flannel-version';
import type { Lease } from '../net/lease';
import { type EffectiveConfig, sameEffect } from '../net/network-config';
import { type NodeRef, nodesByPublicIP, publicIPOf } from '../net/node-ref';
import { type Capacity, capacityOf } from './capacity';
import { leaseFitOf, type Misfit, publishedType } from './lease-fit';

/** What becomes of a lease when its owner's flanneld starts with the new config. */
export interface LeaseFate {
  readonly key: string;
  readonly subnet: string;
  readonly publicIP: string | null;
  /** Name in the inventory, when one has this public IP. */
  readonly node: string | null;
  /** `kept` exactly when flanneld's own test of compatibility accepts it; else the gravest of `misfits`. */
  readonly fate: 'kept' | Misfit;
  readonly misfits: readonly Misfit[];
  /** The owner will publish another backend: nodes before and after their restart do not see each other. */
  readonly otherBackend: boolean;
}

/** What becomes of a node of the inventory. */
export interface NodeFate {
  readonly node: string;
  readonly publicIP: string | null;
  readonly subnet: string | null;
  readonly fate: LeaseFate['fate'] | 'no-lease';
  readonly otherBackend: boolean;
}

export interface NetworkChange {
  /**
   * none: flanneld does the same under both. restart: takes effect node by node, containers keep their addresses.
   * outage: traffic between nodes stops, or containers of some nodes lose their addresses.
   */
  readonly impact: 'none' | 'restart' | 'outage';
  /** Nodes may be restarted one after the other. False: all must be stopped first (field notes H18). */
  readonly rolling: boolean;
  /** What is different, for people, one line each; secrets are named, not shown. */
  readonly differences: readonly string[];
  /** In the order of the subnets. */
  readonly fates: readonly LeaseFate[];
  /** In the order of the inventory. */
  readonly nodes: readonly NodeFate[];
  readonly counts: {
    readonly leases: number;
    readonly kept: number;
    readonly lost: number;
    readonly otherBackend: number;
  };
  /** What running flannelds do when the config is written. */
  readonly running: string;
  /** What flanneld of this release does at its next start. */
  readonly atRestart: readonly string[];
  /** How to bring the network over, in order; empty when nothing is to do. */
  readonly steps: readonly string[];
  readonly warnings: readonly string[];
  /** Use of the new network by the leases that are there now; null without IPv4. */
  readonly capacity: Capacity | null;
}

export interface NetworkChangeInput {
  /** Null: there is no config, or none that flanneld accepts. */
  readonly current: EffectiveConfig | null;
  readonly wish: EffectiveConfig;
  readonly leases: readonly Lease[];
  readonly nodes?: readonly NodeRef[];
  readonly version: FlannelVersion;
}

/** Tells what a new network config does to each lease and node, and how to carry it out. Pure. */
export function planNetworkChange(input: NetworkChangeInput): NetworkChange {
  const { current, wish, leases, nodes = [], version } = input;
  const fates = leaseFates(current, wish, leases, nodes, version);
  const counts = {
    leases: fates.length,
    kept: fates.filter((fate) => fate.fate === 'kept').length,
    lost: fates.filter((fate) => fate.fate !== 'kept').length,
    otherBackend: fates.filter((fate) => fate.otherBackend).length,
  };
  const differences = current === null ? [] : differencesOf(current, wish, version);
  const unchanged = current !== null && sameEffect(current, wish);
  const idle = unchanged || (current === null && counts.leases === 0);
  const together =
    differences.some((difference) => difference.together) || (current === null && counts.otherBackend > 0);
  const families = counts.leases > 0 && fates.some((fate) => fate.misfits.includes('dual-stack-mismatch'));
  const outage = !idle && (together || families || counts.lost > 0);
  const impact = idle ? 'none' : outage ? 'outage' : 'restart';
  const rolling = !(together || families);
  const capacity = capacityOf(wish, leases);
  return {
    impact,
    rolling,
    differences: differences.map((difference) => difference.text),
    fates,
    nodes: nodeFates(nodes, fates),
    counts,
    running: whileRunning(current, impact, wish, version),
    atRestart: idle ? [] : atRestart(counts, version),
    steps: idle ? [] : stepsFor({ rolling, families, counts, version, current }),
    warnings: warningsFor(input, counts, capacity),
    capacity,
  };
}

function leaseFates(
  current: EffectiveConfig | null,
  wish: EffectiveConfig,
  leases: readonly Lease[],
  nodes: readonly NodeRef[],
  version: FlannelVersion,
): readonly LeaseFate[] {
  const fit = leaseFitOf(wish, version);
  const owners = nodesByPublicIP(nodes);
  const otherBackend = backendTest(current, wish);
  return leases.map((lease) => {
    const misfits = fit.misfits(lease);
    return {
      key: lease.key,
      subnet: lease.subnetText,
      publicIP: lease.publicIP,
      node: (lease.publicIP === null ? undefined : owners.get(lease.publicIP)?.name) ?? null,
      fate: misfits[0] ?? 'kept',
      misfits,
      otherBackend: otherBackend(lease),
    };
  });
}

function backendTest(current: EffectiveConfig | null, wish: EffectiveConfig): (lease: Lease) => boolean {
  const type = publishedType(wish.backend.type);
  const changes = current !== null && current.backend.type !== wish.backend.type;
  // Several backends publish no type. Of a lease without one the present config says what its owner runs.
  if (type === null) return (lease) => lease.backendType !== null || changes;
  const silentBefore = changes && publishedType(current.backend.type) === null;
  return (lease) => {
    if (lease.backendType !== null) return lease.backendType !== type;
    // With an address alone it was made beforehand for a node that has not come yet.
    return silentBefore || lease.backendData !== null;
  };
}

function nodeFates(nodes: readonly NodeRef[], fates: readonly LeaseFate[]): readonly NodeFate[] {
  const byIP = new Map<string, LeaseFate>();
  for (const fate of fates) {
    if (fate.publicIP !== null && !byIP.has(fate.publicIP)) byIP.set(fate.publicIP, fate);
  }
  return nodes.map((node) => {
    const publicIP = publicIPOf(node) ?? null;
    const fate = publicIP === null ? undefined : byIP.get(publicIP);
    return {
      node: node.name,
      publicIP,
      subnet: fate?.subnet ?? null,
      fate: fate?.fate ?? 'no-lease',
      otherBackend: fate?.otherBackend ?? false,
    };
  });
}

interface Difference {
  readonly text: string;
  /** All nodes must change at once: before and after do not understand each other. */
  readonly together: boolean;
}

const ranges = ['subnetLen', 'subnetMin', 'subnetMax'] as const;
const ipv6Ranges = ['ipv6SubnetLen', 'ipv6SubnetMin', 'ipv6SubnetMax'] as const;

const names: Readonly<Record<(typeof ranges)[number] | (typeof ipv6Ranges)[number], string>> = {
  subnetLen: 'SubnetLen',
  subnetMin: 'SubnetMin',
  subnetMax: 'SubnetMax',
  ipv6SubnetLen: 'IPv6SubnetLen',
  ipv6SubnetMin: 'IPv6SubnetMin',
  ipv6SubnetMax: 'IPv6SubnetMax',
};

function differencesOf(
  current: EffectiveConfig,
  wish: EffectiveConfig,
  version: FlannelVersion,
): readonly Difference[] {
  const found: Difference[] = [];
  const differs = (name: string, from: unknown, to: unknown, together: boolean): void => {
    if (from !== to) found.push({ text: `${name}: ${shown(from)} -> ${shown(to)}`, together });
  };
  differs('Network', current.network, wish.network, true);
  for (const key of ranges) differs(names[key], current[key], wish[key], false);
  differs('EnableIPv4', current.enableIPv4, wish.enableIPv4, true);
  differs('EnableIPv6', current.enableIPv6, wish.enableIPv6, true);
  differs('IPv6Network', current.ipv6Network, wish.ipv6Network, true);
  for (const key of ipv6Ranges) differs(names[key], current[key], wish[key], false);
  differs('EnableNFTables', current.enableNFTables, wish.enableNFTables, false);
  differs('Backend.Type', current.backend.type, wish.backend.type, true);
  if (current.backend.type === wish.backend.type) found.push(...optionDifferences(current, wish, version));
  return found;
}

/** Sub-keys that both ends of a tunnel must agree on. */
const shared: Readonly<Record<string, readonly string[]>> = {
  vxlan: ['VNI', 'Port', 'GBP'],
  udp: ['Port'],
  wireguard: ['PSK', 'Mode', 'ListenPort', 'ListenPortV6'],
  ipsec: ['PSK', 'UDPEncap', 'ESPProposal'],
};

const secret = /^(PSK|AccessKey(ID|Secret))$/i;

function optionDifferences(
  current: EffectiveConfig,
  wish: EffectiveConfig,
  version: FlannelVersion,
): readonly Difference[] {
  const { type } = wish.backend;
  const before = current.backend.options;
  const after = wish.backend.options;
  const found: Difference[] = [];
  for (const name of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    const from = Object.hasOwn(before, name) ? before[name] : undefined;
    const to = Object.hasOwn(after, name) ? after[name] : undefined;
    if (JSON.stringify(from) === JSON.stringify(to)) continue;
    const published = type === 'wireguard' && name.startsWith('ListenPort') && isAtLeast(version, 'v0.26.6');
    const together = (Object.hasOwn(shared, type) ? (shared[type] ?? []) : []).includes(name) && !published;
    const values = secret.test(name) ? 'changed' : `${shown(from)} -> ${shown(to)}`;
    found.push({ text: `Backend.${name}: ${values}`, together });
  }
  return found;
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function whileRunning(
  current: EffectiveConfig | null,
  impact: NetworkChange['impact'],
  wish: EffectiveConfig,
  version: FlannelVersion,
): string {
  if (current === null) {
    return 'A flanneld that waits for the config takes it up within a second. One that runs reads it at its next start.';
  }
  if (impact === 'none') return 'Nothing: flanneld does the same under both.';
  const plain = 'Nothing until it is restarted: flanneld reads the config at its start only';
  if (wish.backend.type === 'wireguard' && isAtLeast(version, 'v0.21.0')) {
    return `${plain}, but with wireguard also whenever a peer comes: do not leave nodes between the old and the new config.`;
  }
  if (wish.backend.type === 'vxlan' && isAtLeast(version, 'v0.27.4')) {
    return `${plain}, but with vxlan also when its device was deleted and is made anew.`;
  }
  return `${plain}.`;
}

function atRestart(counts: NetworkChange['counts'], version: FlannelVersion): readonly string[] {
  const lines: string[] = [];
  if (counts.kept > 0)
    lines.push(
      counts.kept === 1
        ? '1 lease fits the new config: its owner keeps its subnet.'
        : `${leases(counts.kept)} fit the new config: their owners keep their subnets.`,
    );
  if (counts.lost > 0) {
    lines.push(
      `${leases(counts.lost)} ${counts.lost === 1 ? 'does' : 'do'} not fit: each owner deletes its own when it restarts and takes a free subnet at random; ` +
        'its containers get new addresses.',
    );
    if (!isAtLeast(version, 'v0.18.0')) {
      lines.push(
        `flanneld ${version.tag} with such a lease and its subnet.env ends its first restart with exit code 1 ` +
          '("100: Key not found"); the next start succeeds. Removing subnet.env first avoids it.',
      );
    }
  }
  if (counts.otherBackend > 0) {
    lines.push(
      'Nodes with different backends ignore each other: there is no traffic between those restarted and those not yet.',
    );
  }
  return lines;
}

function leases(count: number): string {
  return count === 1 ? '1 lease' : `${count} leases`;
}

interface StepFacts {
  readonly rolling: boolean;
  readonly families: boolean;
  readonly counts: NetworkChange['counts'];
  readonly version: FlannelVersion;
  readonly current: EffectiveConfig | null;
}

function stepsFor(facts: StepFacts): readonly string[] {
  const { rolling, families, counts, version, current } = facts;
  const check = 'Look at the result: netctl subnets check';
  if (rolling) {
    const steps = ['Write the config (this command).'];
    if (counts.lost > 0) {
      steps.push(
        'Node by node, those whose subnet is lost: stop Docker and flanneld, remove subnet.env, start flanneld.',
      );
      steps.push(
        "There, make Docker's options anew from subnet.env and start Docker; its containers get new addresses.",
      );
      if (counts.kept > 0) steps.push('Restart flanneld on the other nodes, one after the other.');
    } else {
      steps.push('Restart flanneld node by node; go on when netctl subnets ls shows its lease renewed.');
      steps.push("Where FLANNEL_MTU in subnet.env has changed, make Docker's options anew and restart Docker.");
    }
    return [...steps, check];
  }
  const steps = ['Plan an outage: every node must change at once, a rolling restart splits the network.'];
  steps.push('On all nodes stop Docker, then flanneld.');
  if (families)
    steps.push('Delete all leases while every flanneld is stopped: leases of both kinds side by side crash flanneld.');
  else if (counts.lost > 0 && !isAtLeast(version, 'v0.18.0')) {
    steps.push('Remove subnet.env on all nodes, or the first start of flanneld fails once.');
  }
  steps.push('Write the config (this command, with --force).');
  steps.push(`On each node remove what the old network leaves: ${leftovers(current, counts.lost > 0 || families)}.`);
  steps.push("Start flanneld on all nodes, make Docker's options anew from subnet.env, start Docker.");
  return [...steps, check];
}

function leftovers(current: EffectiveConfig | null, subnetsLost: boolean): string {
  const things: string[] = [];
  switch (current?.backend.type) {
    case undefined:
      break;
    case 'vxlan': {
      const { VNI: vni } = current.backend.options;
      const suffix = typeof vni === 'number' ? vni : 1;
      things.push(`the device flannel.${suffix}${current.enableIPv6 ? ` and flannel-v6.${suffix}` : ''}`);
      break;
    }
    case 'ipip':
      things.push('the device flannel.ipip');
      break;
    case 'wireguard':
      things.push('the device flannel-wg');
      break;
    case 'ipsec':
      things.push('the XFRM policies of flannel');
      break;
    default:
  }
  const networks = [current?.network, current?.ipv6Network].filter((network) => network != null);
  if (networks.length > 0) things.push(`routes into ${networks.join(' and ')}`);
  if (subnetsLost) things.push('subnet.env');
  return things.join(', ');
}

function warningsFor(
  input: NetworkChangeInput,
  counts: NetworkChange['counts'],
  capacity: Capacity | null,
): readonly string[] {
  const { wish, leases: held, nodes = [], current } = input;
  const warnings: string[] = [];
  const wanted = Math.max(counts.leases, nodes.length);
  if (capacity !== null && wanted > capacity.total) {
    warnings.push(
      `The new network has ${capacity.total} subnets for ${wanted} nodes: some will end with "out of subnets".`,
    );
  } else if (capacity !== null && counts.lost > capacity.free) {
    warnings.push(
      `${counts.lost} nodes need a new subnet and only ${capacity.free} are free while the old leases stand: ` +
        'stop all flannelds and delete the leases that do not fit before the first start.',
    );
  }
  if (current !== null && current.network !== wish.network && counts.lost === 0 && counts.leases > 0) {
    warnings.push('All leases fit, yet routes and firewall rules of running nodes still name the old Network.');
  }
  const permanent = held.filter((lease) => lease.permanent).length;
  if (permanent > 0 && counts.lost > 0)
    warnings.push(`${permanent} permanent leases never expire: delete those that do not fit by hand.`);
  return warnings;
}
