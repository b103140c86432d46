import type { Known } from '../fact/fact';
import type { IptablesRules } from '../fact/iptables';
import type { SavedTable } from '../fact/iptables-save';
import type { LossSeen } from '../fact/loss-facts';
import { formatIpv4 } from '../net/ipv4';
import type { Problem } from '../net/problem';

/** One node while packets were lost: its rules before and after, and its ways to the endpoints that were not reached. */
export interface LossScene {
  readonly node: string;
  readonly before: LossSeen;
  readonly after: LossSeen;
  /** Peers to which something was lost, or from which. */
  readonly peers: readonly { readonly name: string; readonly address: string; readonly publicIP: string | null }[];
}

/** So many rules of one kind are shown; who drops with more has a firewall that is looked at by itself. */
const mostRules = 8;

/**
 * Why packets may have been lost on these nodes: rules that dropped something meanwhile, ways that lead elsewhere, no forwarding.
 * That a counter rose is no proof that it was our packet, so rules are worth knowing and no more.
 */
export function lossProblems(scenes: readonly LossScene[]): readonly Problem[] {
  const drops = new Map<string, { readonly nodes: string[]; packets: number }>();
  const problems: Problem[] = [];
  for (const scene of scenes) {
    problems.push(...wayProblems(scene));
    for (const { rule, packets } of droppedMeanwhile(scene)) {
      const drop = drops.get(rule) ?? { nodes: [], packets: 0 };
      drops.set(rule, drop);
      drop.nodes.push(scene.node);
      drop.packets += packets;
    }
  }
  const shown = [...drops].sort(([, a], [, b]) => b.packets - a.packets).slice(0, mostRules);
  return [
    ...problems,
    ...shown.map(
      ([rule, { nodes, packets }]): Problem => ({
        code: 'packets-dropped',
        severity: 'info',
        path: named(nodes),
        message: `${named(nodes)}: while netctl sent, this dropped ${packets} packets: ${rule}`,
        suggestion: null,
      }),
    ),
  ];
}

function wayProblems({ node, after, peers }: LossScene): readonly Problem[] {
  const problems: Problem[] = [];
  const warn = (code: string, message: string, suggestion: string) =>
    problems.push({ code, severity: 'warning', path: node, message, suggestion });
  if (after.settings.known && after.settings.value.get('net/ipv4/ip_forward') === '0') {
    warn(
      'no-forwarding',
      `${node}: it passes no packets on (net.ipv4.ip_forward is 0)`,
      'sysctl -w net.ipv4.ip_forward=1, there',
    );
  }
  if (!after.routesTo.known) return problems;
  const lost: string[] = [];
  const strange: string[] = [];
  for (const { name, address, publicIP } of peers) {
    const way = after.routesTo.value.get(address);
    if (way === undefined) continue;
    if (!way.reachable) lost.push(`${address} (${name}): ${way.why}`);
    else if (isStrange(way, publicIP)) {
      const gateway = way.gateway?.family === 4 ? ` via ${formatIpv4(way.gateway.address)}` : '';
      strange.push(`${address} (${name}): ${way.device}${gateway}`);
    }
  }
  if (lost.length > 0) {
    warn('no-way-to-subnet', `${node}: it has no route to ${named(lost)}`, `netctl node status ${node}`);
  }
  if (strange.length > 0) {
    warn(
      'way-leads-elsewhere',
      `${node}: its route to the subnet of a peer leads neither into a tunnel nor to that peer: ${named(strange)}`,
      `netctl node status ${node}`,
    );
  }
  return problems;
}

type Way = Extract<LossSeen['routesTo'], { known: true }>['value'] extends ReadonlyMap<string, infer T> ? T : never;

/** flannel's tunnels by their names; without one the gateway is the peer itself. */
function isStrange(way: Extract<Way, { reachable: true }>, publicIP: string | null): boolean {
  if (/^(flannel|tun|ipsec|wg)/.test(way.device) || publicIP === null) return false;
  return way.gateway === null || way.gateway.family !== 4 || formatIpv4(way.gateway.address) !== publicIP;
}

interface Dropped {
  /** With its table; of a chain its policy. */
  readonly rule: string;
  readonly packets: number;
}

function droppedMeanwhile({ before, after }: LossScene): readonly Dropped[] {
  return (['iptablesNft', 'iptablesLegacy'] as const).flatMap((key) => {
    const then = dropping(before[key]);
    return [...dropping(after[key])].flatMap(([rule, packets]): readonly Dropped[] => {
      // A rule that was not there before counts from nothing.
      const rise = packets - (then.get(rule) ?? 0);
      return rise > 0 ? [{ rule, packets: rise }] : [];
    });
  });
}

/** Packets by rule; the same rule twice counts together. */
function dropping(rules: Known<IptablesRules>): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  if (!rules.known || rules.value.state !== 'read') return found;
  for (const table of rules.value.ruleset.tables) {
    for (const [rule, packets] of droppingIn(table)) found.set(rule, (found.get(rule) ?? 0) + packets);
  }
  return found;
}

function droppingIn({ name, chains, rules }: SavedTable): readonly (readonly [string, number])[] {
  const policies = chains.flatMap(({ name: chain, policy, counters }) =>
    policy === 'DROP' && counters !== null
      ? [[`the policy DROP of ${chain} (${name})`, counters.packets] as const]
      : [],
  );
  const own = rules.flatMap(({ words, text, counters }) => {
    const at = words.indexOf('-j');
    const isDrop = at > 0 && (words[at + 1] === 'DROP' || words[at + 1] === 'REJECT');
    return isDrop && counters !== null ? [[`${text.slice(0, 200)} (${name})`, counters.packets] as const] : [];
  });
  return [...policies, ...own];
}

function named(all: readonly string[]): string {
  if (all.length <= 4) return all.join(', ');
  return `${all.slice(0, 3).join(', ')} and ${all.length - 3} more`;
}
