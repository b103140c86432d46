import type { Range } from '../fact/address';
import { isDockerAtLeast } from '../fact/docker';
import type { Known } from '../fact/fact';
import type { FileContent, FileFact } from '../fact/files';
import { type Condition, type RuleReading, readRule } from '../fact/iptables-rule';
import { parseIptablesSave, rulesOfChain, type SavedRule, type SavedRuleset, tableOf } from '../fact/iptables-save';
import type { MasqueradeAnswers } from '../fact/masquerade-facts';
import type { Inventory } from '../inventory/inventory';
import { cidrContains, type Ipv4Cidr } from '../net/cidr';
import { isAtLeast, parseFlannelVersion } from '../net/flannel-version';
import { masqueradeComment } from '../net/masquerade-rule';
import type { Problem } from '../net/problem';
import { type NodeStep, type SeenPath, seenText, sha256Of } from './host-change';
import { dockerRuleOf, isOwnRule } from './masquerade-rules';

/** Where distributions keep rules over a boot: iptables-services of Red Hat's, netfilter-persistent of Debian's. */
const places = [
  { file: '/etc/sysconfig/iptables', sign: '/etc/sysconfig/iptables-config' },
  { file: '/etc/iptables/rules.v4', sign: '/etc/iptables' },
] as const;

/** The files, and what tells that the distribution has them. */
export const savedRulesFiles: readonly string[] = places.flatMap(({ file, sign }) => [file, sign]);

type Texts = Known<ReadonlyMap<string, FileFact<FileContent>>>;

/** What tells rules that Docker and flanneld make from those of people. */
export interface Daemons {
  /** Bridges of Docker's networks, whatever they are called. */
  readonly devices: ReadonlySet<string>;
  /** The ranges of Docker's networks. */
  readonly ranges: readonly Ipv4Cidr[];
  /** That of flannel. */
  readonly network: Ipv4Cidr;
  /** Docker 28 and later keep others from ports that are published on 127.0.0.1. */
  readonly guardsLoopback: boolean;
  /** flanneld up to v0.16.1 puts no comment on its rules. */
  readonly flannelIsSilent: boolean;
}

export function daemonsOf(answers: MasqueradeAnswers, { flannel }: Inventory, network: Ipv4Cidr): Daemons {
  const networks = answers.networks.known ? answers.networks.value : [];
  const engine = answers.docker.known && answers.docker.value.state === 'running' ? answers.docker.value.engine : null;
  return {
    devices: new Set(networks.flatMap(({ device }) => device ?? [])),
    ranges: networks.flatMap(({ subnets }) =>
      subnets.flatMap(({ range }) => (range.family === 4 ? [{ base: range.base, length: range.length }] : [])),
    ),
    network,
    guardsLoopback: engine !== null && isDockerAtLeast(engine.version, 28),
    flannelIsSilent: flannel.version !== undefined && !isAtLeast(parseFlannelVersion(flannel.version), 'v0.16.2'),
  };
}

/** Chains that a daemon makes anew at its start, and whose rules are of no use, or do harm, after a boot. DOCKER-USER is people's. */
function isDynamicChain(name: string): boolean {
  return /^(DOCKER|FLANNEL|KUBE|CNI|cali)-?/.test(name) && name !== 'DOCKER-USER';
}

/** Docker's and flannel's rules, those of containers, and jumps into their chains. Ours stay: they are the intent. */
function isDynamic(table: string, rule: SavedRule, daemons: Daemons): boolean {
  const reading = readRule(rule);
  const { target, comment, inDevice, outDevice } = reading;
  if (comment === masqueradeComment && rule.chain === 'POSTROUTING') return false;
  if (isDynamicChain(rule.chain)) return true;
  if (target !== null && (isDynamicChain(target) || target === 'DOCKER-USER')) return true;
  if (comment !== null && /^flanneld? (masq|forward)$/.test(comment)) return true;
  if (isHairpin(reading, daemons) || isLoopbackGuard(table, reading, daemons)) return true;
  if (daemons.flannelIsSilent && isFlannels(table, rule.chain, reading, daemons.network)) return true;
  const isDockers = (name: string): boolean =>
    /^(docker0|docker_gwbridge|br-[0-9a-f]{12})$/.test(name) || daemons.devices.has(name);
  // Only in chains that Docker writes to: what somebody allows or forbids docker0 in a chain of his own is his.
  const isDockersChain = rule.chain === 'FORWARD' || rule.chain === 'POSTROUTING' || rule.chain === 'PREROUTING';
  return isDockersChain && [inDevice, outDevice].some((device) => device != null && isDockers(device.value));
}

/** moby, portmapper: for each published port `-s ADDRESS -d ADDRESS -p … --dport … -j MASQUERADE`, for a container that calls itself. */
function isHairpin({ target, source, destination, otherWords }: RuleReading, { ranges, network }: Daemons): boolean {
  if (target !== 'MASQUERADE' || !otherWords.includes('--dport')) return false;
  if (source === null || destination === null || source.isNegated || destination.isNegated) return false;
  const [one, other] = [source.value, destination.value];
  if (one.family !== 4 || other.family !== 4 || one.length !== 32 || other.length !== 32) return false;
  const { base } = one;
  return base === other.base && [network, ...ranges].some((range) => cidrContains(range, base));
}

/** moby v28: in raw PREROUTING `-d 127.0.0.1 ! -i lo -p … --dport … -j DROP` for each port that is published there. */
function isLoopbackGuard(table: string, reading: RuleReading, { guardsLoopback }: Daemons): boolean {
  const { target, destination, inDevice, otherWords } = reading;
  if (!guardsLoopback || table !== 'raw' || target !== 'DROP' || !otherWords.includes('--dport')) return false;
  if (inDevice?.isNegated !== true || inDevice.value !== 'lo') return false;
  return destination?.isNegated === false && destination.value.family === 4 && destination.value.base >>> 24 === 127;
}

const multicast = { base: 0xe000_0000, length: 4 };

/** The exact rules of flanneld up to v0.16.1, in nat with --ip-masq and in FORWARD. */
function isFlannels(table: string, chain: string, reading: RuleReading, network: Ipv4Cidr): boolean {
  const { target, source, destination, inDevice, outDevice, protocol, comment, otherWords } = reading;
  if (inDevice !== null || outDevice !== null || protocol !== null || comment !== null || otherWords.length > 0)
    return false;
  const is = (condition: Condition<Range> | null, isNegated: boolean, range: Ipv4Cidr | null): boolean =>
    condition?.isNegated === isNegated &&
    condition.value.family === 4 &&
    (range === null
      ? cidrContains(network, { base: condition.value.base, length: condition.value.length })
      : condition.value.base === range.base && condition.value.length === range.length);
  if (table === 'filter' && chain === 'FORWARD') {
    if (target !== 'ACCEPT') return false;
    return (is(source, false, network) && destination === null) || (source === null && is(destination, false, network));
  }
  if (table !== 'nat' || chain !== 'POSTROUTING') return false;
  if (target === 'RETURN') {
    return is(source, false, network)
      ? is(destination, false, network)
      : is(source, true, network) && is(destination, false, null);
  }
  if (target !== 'MASQUERADE') return false;
  return is(source, false, network)
    ? is(destination, true, multicast)
    : is(source, true, network) && is(destination, false, network);
}

/** The rules without what daemons put there themselves, in the words of iptables-restore. No date: the same rules give the same bytes. */
export function savedRulesText(ruleset: SavedRuleset, daemons: Daemons): string {
  const { network } = daemons;
  // Nobody else leaves multicast out: where that rule has no comment, an old flanneld has made the others as well.
  const isSilent = rulesOfChain(tableOf(ruleset, 'nat'), 'POSTROUTING').some((rule) => {
    const reading = readRule(rule);
    return (
      reading.target === 'MASQUERADE' &&
      reading.destination?.isNegated === true &&
      isFlannels('nat', rule.chain, reading, network)
    );
  });
  const told = { ...daemons, flannelIsSilent: daemons.flannelIsSilent || isSilent };
  const lines = [
    '# Written by netctl fix-masquerade --save: rules of Docker and flannel are left out, they make them themselves.',
  ];
  for (const { name, chains, rules } of ruleset.tables) {
    const kept = chains.filter((chain) => !isDynamicChain(chain.name));
    lines.push(
      `*${name}`,
      ...kept.map((chain) => `:${chain.name} ${chain.policy ?? '-'} [0:0]`),
      ...rules.filter((rule) => !isDynamic(name, rule, told)).map(({ text }) => text.trimEnd()),
      'COMMIT',
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Writes the file that the distribution loads at boot; a problem instead where there is none to write. */
export function savedRulesStep(
  ruleset: SavedRuleset,
  texts: Texts,
  network: Ipv4Cidr,
  daemons: Daemons,
): { readonly step: NodeStep | null; readonly problems: readonly Problem[] } {
  const place = placeOf(texts);
  if (place === null) {
    return {
      step: null,
      problems: [
        {
          code: 'save-nowhere',
          severity: 'warning',
          path: '--save',
          message:
            'there is no /etc/sysconfig/iptables (iptables-services) and no /etc/iptables (netfilter-persistent), so nothing loads saved rules',
          suggestion: 'Leave --save out: netctl-masquerade.service keeps the rules without a file.',
        },
      ],
    };
  }
  const { file, before } = place;
  const content = Buffer.from(savedRulesText(ruleset, daemons));
  const isRight = before.kind === 'file' && before.sha256 === sha256Of(content);
  const stale = before.kind === 'file' ? staleIn(before.text ?? '', network) : [];
  return {
    problems: [],
    step: isRight
      ? null
      : {
          title: 'rules that are loaded at boot',
          changes: [
            {
              kind: 'write',
              path: file,
              mode: before.kind === 'file' ? before.mode : 0o600,
              content,
              before,
              isSecret: false,
              why: `the rules as they are then, without those of Docker and flannel${stale.length > 0 ? ', whose old ones stand there now' : ''}`,
            },
          ],
          mind: [],
        },
  };
}

/** Docker's rule in a saved file comes back when that is loaded. */
export function staleSavedRules(texts: Texts, network: Ipv4Cidr): readonly Problem[] {
  return places.flatMap(({ file }): readonly Problem[] => {
    const seen = seenText(texts, file);
    const [rule] = seen?.kind === 'file' ? staleIn(seen.text ?? '', network) : [];
    if (rule === undefined) return [];
    return [
      {
        code: 'saved-rules-stale',
        severity: 'warning',
        path: file,
        message: `${file} holds Docker's own rule, which loading it brings back: ${rule.text}`,
        suggestion: 'netctl fix-masquerade --save',
      },
    ];
  });
}

/** Rules of ours in a saved file come back at every boot, also when the node was taken back to what Docker would have. */
export function ownSavedRules(texts: Texts): readonly Problem[] {
  return places.flatMap(({ file }): readonly Problem[] => {
    const seen = seenText(texts, file);
    const text = seen?.kind === 'file' ? (seen.text ?? '') : '';
    const [rule] = parseIptablesSave(text).tables.flatMap(({ rules }) => rules.filter(isOwnRule));
    if (rule === undefined) return [];
    return [
      {
        code: 'saved-rules-stale',
        severity: 'warning',
        path: file,
        message: `${file} holds rules of ours, which loading it brings back: ${rule.text}`,
        suggestion: 'netctl fix-masquerade --revert --save',
      },
    ];
  });
}

function staleIn(text: string, network: Ipv4Cidr): readonly SavedRule[] {
  return parseIptablesSave(text).tables.flatMap(({ name, rules }) =>
    name !== 'nat'
      ? []
      : rules.filter((rule) => {
          const bridge = dockerRuleOf(rule);
          return bridge !== undefined && cidrContains(network, bridge.subnet);
        }),
  );
}

function placeOf(texts: Texts): { readonly file: string; readonly before: SeenPath } | null {
  for (const { file, sign } of places) {
    const before = seenText(texts, file);
    const hint = seenText(texts, sign);
    if (before?.kind === 'file') return { file, before };
    if (before?.kind === 'absent' && hint !== undefined && hint.kind !== 'absent') return { file, before };
  }
  return null;
}
