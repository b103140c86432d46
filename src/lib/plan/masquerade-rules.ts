import type { IptablesFrontEnd } from '../fact/iptables';
import { readRule } from '../fact/iptables-rule';
import {
  ruleKey,
  ruleSpecification,
  rulesOfChain,
  type SavedRule,
  type SavedRuleset,
  type SavedTable,
  tableOf,
} from '../fact/iptables-save';
import type { NftTable } from '../fact/nft-tables';
import { cidrContains, formatCidr, type Ipv4Cidr, parseIpv4Cidr } from '../net/cidr';
import {
  type ContainerBridge,
  dockerMasquerade,
  masqueradeComment,
  mendedMasquerade,
  overlayChain,
  overlayJump,
  overlayRules,
} from '../net/masquerade-rule';
import type { MasqueradeIntent } from './masquerade-files';

/** The rules of one front end of iptables. The standard one is what a plain `iptables` is, and what Docker calls. */
export interface FrontRules {
  readonly frontEnd: IptablesFrontEnd;
  readonly isStandard: boolean;
  readonly ruleset: SavedRuleset;
}

const postrouting = 'POSTROUTING';
export const userChain = 'DOCKER-USER';

/** `docker0 172.7.21.0/24` */
export function pairText({ device, subnet }: ContainerBridge): string {
  return `${device} ${formatCidr(subnet)}`;
}

/** The bridge that Docker's own rule is about; undefined for every other rule, also one that says more or less. */
export function dockerRuleOf(rule: SavedRule): ContainerBridge | undefined {
  const [, chain, , range = '', , , device = ''] = rule.words;
  const bridge = chain === postrouting ? bridgeOf(device, range) : undefined;
  return bridge !== undefined && isSame(ruleSpecification(rule), dockerMasquerade(bridge)) ? bridge : undefined;
}

/** The bridge and the network that a mended rule of ours is about. */
export function ownRuleOf(
  rule: SavedRule,
): { readonly bridge: ContainerBridge; readonly network: Ipv4Cidr } | undefined {
  const [, chain, , range = '', , , to = '', , , device = ''] = rule.words;
  const bridge = chain === postrouting ? bridgeOf(device, range) : undefined;
  const network = parseIpv4Cidr(to);
  if (bridge === undefined || network === undefined) return undefined;
  return isSame(ruleSpecification(rule), mendedMasquerade(bridge, network)) ? { bridge, network } : undefined;
}

/** Does the rule carry our comment? */
export function isOwnRule(rule: SavedRule): boolean {
  return rule.words.includes(masqueradeComment) && readRule(rule).comment === masqueradeComment;
}

function bridgeOf(device: string, range: string): ContainerBridge | undefined {
  const subnet = parseIpv4Cidr(range);
  return subnet === undefined || subnet.hostBits
    ? undefined
    : { device, subnet: { base: subnet.base, length: subnet.length } };
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((word, at) => word === other[at]);
}

/** The rules of one chain of a front end, in their order. */
export function chainRules({ ruleset }: FrontRules, table: string, chain: string): readonly SavedRule[] {
  return rulesOfChain(tableOf(ruleset, table), chain);
}

export function natRules(front: FrontRules): readonly SavedRule[] {
  return chainRules(front, 'nat', postrouting);
}

/** The rules of DOCKER-USER. */
export function userRules(front: FrontRules): readonly SavedRule[] {
  return chainRules(front, 'filter', userChain);
}

/** Docker's rules for ranges within the network, duplicates too. */
export function dockerRulesIn(front: FrontRules, network: Ipv4Cidr): readonly ContainerBridge[] {
  return natRules(front).flatMap((rule) => {
    const bridge = dockerRuleOf(rule);
    return bridge !== undefined && cidrContains(network, bridge.subnet) ? [bridge] : [];
  });
}

/** Is flanneld's own rule for the way out really there? It is in none of these before flanneld has started with --ip-masq. */
export function flannelMasquerades(
  fronts: readonly FrontRules[],
  nftTables: readonly NftTable[],
  network: Ipv4Cidr,
): boolean {
  const isIts = (rule: SavedRule): boolean => {
    const { source, destination, target } = readRule(rule);
    return (
      target === 'MASQUERADE' &&
      source?.isNegated === false &&
      source.value.family === 4 &&
      source.value.base === network.base &&
      source.value.length === network.length &&
      destination?.isNegated === true &&
      destination.value.family === 4 &&
      destination.value.length === 4
    );
  };
  const inFront = ({ ruleset }: FrontRules): boolean => {
    const nat = tableOf(ruleset, 'nat');
    const last = rulesOfChain(nat, postrouting);
    return (
      last.some(isIts) ||
      (last.some((rule) => readRule(rule).target === 'FLANNEL-POSTRTG') &&
        rulesOfChain(nat, 'FLANNEL-POSTRTG').some(isIts))
    );
  };
  const inNft = ({ family, name, chains }: NftTable): boolean =>
    family === 'ip' &&
    name === 'flannel-ipv4' &&
    chains?.some(({ rules }) =>
      rules.some(({ text }) => text.startsWith(`ip saddr ${formatCidr(network)} `) && text.includes(' masquerade')),
    ) === true;
  return fronts.some(inFront) || nftTables.some(inNft);
}

/** A rule of ours as iptables-save would show it: the colon in our comment gets quotes. */
function saved(chain: string, words: readonly string[]): SavedRule {
  const text = ['-A', chain, ...words].map((word) => (word === masqueradeComment ? `"${word}"` : word)).join(' ');
  return { chain, text, words: ['-A', chain, ...words], counters: null };
}

/**
 * The rules as our script leaves them. Pure; done to its own result it changes nothing.
 * @param localBridges devices of this machine with an address in the network, besides those of the intent
 */
export function mendedRules(
  front: FrontRules,
  intent: MasqueradeIntent,
  localBridges: readonly string[] = [],
): FrontRules {
  const { network, byFlannel } = intent;
  const ours = new Set<string>();
  // In the front end that Docker does not use a rule only takes the place of an old one of Docker's, and then stays.
  const wanted = new Map(intent.bridges.map((bridge) => [pairText(bridge), bridge] as const));
  for (const bridge of dockerRulesIn(front, network)) wanted.set(pairText(bridge), bridge);
  for (const rule of natRules(front)) {
    const own = ownRuleOf(rule);
    if (own !== undefined && formatCidr(own.network) === formatCidr(network)) ours.add(pairText(own.bridge));
  }
  // Of equal ones the last stays: what takes one out by its words takes the first.
  const lasts = new Map(natRules(front).map((rule, at) => [ruleKey(rule), at] as const));
  const nat: SavedRule[] = [];
  for (const [at, rule] of natRules(front).entries()) {
    const docker = dockerRuleOf(rule);
    const own = ownRuleOf(rule);
    if (docker !== undefined && cidrContains(network, docker.subnet)) {
      if (byFlannel || ours.has(pairText(docker))) continue;
      ours.add(pairText(docker));
      nat.push(saved(postrouting, mendedMasquerade(docker, network)));
    } else if (own !== undefined) {
      const pair = pairText(own.bridge);
      const isRight = !byFlannel && wanted.has(pair) && formatCidr(own.network) === formatCidr(network);
      if (isRight && lasts.get(ruleKey(rule)) === at) nat.push(rule);
    } else nat.push(rule);
  }
  if (!byFlannel && front.isStandard) {
    for (const [pair, bridge] of wanted) {
      if (!ours.has(pair)) nat.unshift(saved(postrouting, mendedMasquerade(bridge, network)));
    }
  }
  const withNat = withChain(front.ruleset, 'nat', postrouting, nat);
  const user = userRules(front);
  if (!front.isStandard || !hasChain(front.ruleset, 'filter', userChain)) return { ...front, ruleset: withNat };
  const jumps = intent.accepts ? intent.bridges.map((bridge) => saved(userChain, overlayJump(bridge, network))) : [];
  const wantedJumps = new Set(jumps.map(ruleKey));
  const letIn = user.filter((rule) => !isOwnRule(rule) || wantedJumps.has(ruleKey(rule)));
  const there = new Set(user.map(ruleKey));
  for (const jump of jumps) if (!there.has(ruleKey(jump))) letIn.unshift(jump);
  const ruleset = withChain(withNat, 'filter', userChain, letIn);
  if (jumps.length === 0) return { ...front, ruleset: withoutChain(ruleset, 'filter', overlayChain) };
  const locals = [...new Set([...intent.bridges.map(({ device }) => device), ...localBridges])];
  const wantedOverlay = overlayRules(locals).map((words) => saved(overlayChain, words));
  const overlay = overlayOf(front);
  return {
    ...front,
    ruleset: withChain(
      ruleset,
      'filter',
      overlayChain,
      isSameOverlay(overlay, wantedOverlay) ? overlay : wantedOverlay,
    ),
  };
}

/** The rules of our own chain. */
export function overlayOf(front: FrontRules): readonly SavedRule[] {
  return chainRules(front, 'filter', overlayChain);
}

/** In which order bridges are left out means nothing, as long as that comes before the accept. */
function isSameOverlay(one: readonly SavedRule[], other: readonly SavedRule[]): boolean {
  const sorted = (rules: readonly SavedRule[]): string => rules.slice(0, -1).map(ruleKey).sort().join('\n\n');
  const [last, otherLast] = [one.at(-1), other.at(-1)];
  return (
    last !== undefined &&
    otherLast !== undefined &&
    isSame(last.words, otherLast.words) &&
    sorted(one) === sorted(other)
  );
}

/** The rules as Docker would have them: ours are gone, Docker's stand in their place where it masquerades that bridge. */
export function dockersRules(front: FrontRules, masqueraded: readonly ContainerBridge[]): FrontRules {
  const dockers = new Set(
    natRules(front)
      .flatMap((rule) => dockerRuleOf(rule) ?? [])
      .map(pairText),
  );
  const wanted = new Map(masqueraded.map((bridge) => [pairText(bridge), bridge]));
  const nat: SavedRule[] = [];
  for (const rule of natRules(front)) {
    const own = ownRuleOf(rule);
    if (own === undefined) {
      // With our comment, and other words than we write: it goes as well.
      if (!isOwnRule(rule)) nat.push(rule);
      continue;
    }
    const pair = pairText(own.bridge);
    if (dockers.has(pair) || !wanted.has(pair)) continue;
    dockers.add(pair);
    nat.push(saved(postrouting, dockerMasquerade(own.bridge)));
  }
  if (front.isStandard) {
    for (const [pair, bridge] of wanted) {
      if (!dockers.has(pair)) nat.unshift(saved(postrouting, dockerMasquerade(bridge)));
    }
  }
  const user = userRules(front).filter((rule) => !isOwnRule(rule));
  const withNat = withChain(front.ruleset, 'nat', postrouting, nat);
  const ruleset = hasChain(withNat, 'filter', userChain) ? withChain(withNat, 'filter', userChain, user) : withNat;
  return { ...front, ruleset: withoutChain(ruleset, 'filter', overlayChain) };
}

/** The rules without our accepts, so that it can be told whether they are needed. */
export function withoutAccepts(front: FrontRules): FrontRules {
  if (!hasChain(front.ruleset, 'filter', userChain)) return front;
  const user = userRules(front).filter((rule) => !isOwnRule(rule));
  return { ...front, ruleset: withChain(front.ruleset, 'filter', userChain, user) };
}

/** Docker's drops of packets that do not come in by the container's own bridge (28.0 and later), gone. */
export function withoutRawDrops(front: FrontRules, bridges: readonly ContainerBridge[]): FrontRules {
  const raw = tableOf(front.ruleset, 'raw');
  if (raw === undefined) return front;
  const kept = rulesOfChain(raw, 'PREROUTING').filter((rule) => !isRawDrop(rule, bridges));
  return { ...front, ruleset: withChain(front.ruleset, 'raw', 'PREROUTING', kept) };
}

/** moby v28: `-d ADDRESS ! -i BRIDGE … -j DROP` in raw PREROUTING, for each published port, from v28.2 on for each container. */
export function isRawDrop(rule: SavedRule, bridges: readonly ContainerBridge[]): boolean {
  const { destination, inDevice, target } = readRule(rule);
  if (rule.chain !== 'PREROUTING' || target !== 'DROP' || inDevice?.isNegated !== true) return false;
  if (destination === null || destination.isNegated || destination.value.family !== 4) return false;
  const { base } = destination.value;
  return bridges.some(({ device, subnet }) => device === inDevice.value && cidrContains(subnet, base));
}

export function hasChain(ruleset: SavedRuleset, table: string, chain: string): boolean {
  return tableOf(ruleset, table)?.chains.some(({ name }) => name === chain) === true;
}

function withoutChain(ruleset: SavedRuleset, name: string, chain: string): SavedRuleset {
  const without = (table: SavedTable): SavedTable => ({
    ...table,
    chains: table.chains.filter((each) => each.name !== chain),
    rules: table.rules.filter((rule) => rule.chain !== chain),
  });
  if (!hasChain(ruleset, name, chain)) return ruleset;
  return { ...ruleset, tables: ruleset.tables.map((table) => (table.name === name ? without(table) : table)) };
}

function withChain(ruleset: SavedRuleset, name: string, chain: string, rules: readonly SavedRule[]): SavedRuleset {
  const found: SavedTable = tableOf(ruleset, name) ?? { name, chains: [], rules: [] };
  const isThere = found.chains.some((each) => each.name === chain);
  const policy = chain === overlayChain ? null : 'ACCEPT';
  const table = isThere ? found : { ...found, chains: [...found.chains, { name: chain, policy, counters: null }] };
  const others = table.rules.filter((rule) => rule.chain !== chain);
  // Only the order within a chain means anything; iptables-save prints the chains one after the other.
  const first = table.rules.findIndex((rule) => rule.chain === chain);
  const before = first < 0 ? others.length : table.rules.slice(0, first).filter((rule) => rule.chain !== chain).length;
  const next = { ...table, rules: [...others.slice(0, before), ...rules, ...others.slice(before)] };
  const tables = ruleset.tables.some((each) => each.name === name)
    ? ruleset.tables.map((each) => (each.name === name ? next : each))
    : [...ruleset.tables, next];
  return { ...ruleset, tables };
}
