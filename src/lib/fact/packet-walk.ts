import type { Range } from './address';
import { deviceFits, type RuleReading, readRule } from './iptables-rule';
import { rulesOfChain, type SavedRule, type SavedRuleset, type SavedTable, tableOf } from './iptables-save';

/** The first packet of a connection, as a rule sees it. Nobody has marked it. IPv4 addresses as unsigned 32-bit integers. */
export interface Packet {
  readonly source: number;
  readonly destination: number;
  /** Null: it was made on the node itself. */
  readonly inDevice: string | null;
  /** Null: not known. */
  readonly outDevice: string | null;
}

/** What a chain can do with it. `rule` is null where the end of the chain decides, by its policy. */
export interface WalkEnd {
  /** `ACCEPT`, `DROP`, `MASQUERADE`, …, and `?` for a target that is not known here. */
  readonly verdict: string;
  readonly rule: SavedRule | null;
  /** Words behind the verdict: `--to-source 10.0.0.1`. */
  readonly options: readonly string[];
}

export interface WalkOptions {
  /** What becomes of a rule with a condition that cannot be judged (a port, a set, a time): both ways are gone, or it is passed by. */
  readonly unsure: 'both' | 'pass';
}

/** Targets after which the packet goes on in the same chain. */
const goesOn = new Set([
  ...['LOG', 'NFLOG', 'ULOG', 'MARK', 'CONNMARK', 'SECMARK', 'CONNSECMARK', 'CLASSIFY', 'TOS', 'DSCP', 'TTL', 'ECN'],
  ...[
    'TCPMSS',
    'TCPOPTSTRIP',
    'CHECKSUM',
    'SET',
    'TRACE',
    'AUDIT',
    'NOTRACK',
    'CT',
    'RATEEST',
    'TEE',
    'IDLETIMER',
    'LED',
  ],
]);
const ends = new Set([
  'ACCEPT',
  'DROP',
  'REJECT',
  'QUEUE',
  'NFQUEUE',
  'MASQUERADE',
  'SNAT',
  'NETMAP',
  'DNAT',
  'REDIRECT',
  'SAME',
]);

/** Deeper than iptables lets chains be nested; a ruleset that was tampered with must not hang us. */
const deepest = 64;

/**
 * Every end that the packet can come to in one chain of a table, the first being that of a packet of which nothing special is known.
 * Pure. An empty table or none at all: the policy of its chain is ACCEPT.
 */
export function walkChain(
  ruleset: SavedRuleset,
  table: string,
  chain: string,
  packet: Packet,
  options: WalkOptions = { unsure: 'both' },
): readonly WalkEnd[] {
  const found = tableOf(ruleset, table);
  const { ends: reached, canReturn } = walk(found, chain, packet, options, 0);
  if (!canReturn) return reached;
  const verdict = found?.chains.find(({ name }) => name === chain)?.policy ?? 'ACCEPT';
  return [...reached, { verdict, rule: null, options: [] }];
}

interface Reached {
  readonly ends: readonly WalkEnd[];
  /** Can the packet come out of the chain at its end, or by RETURN? */
  readonly canReturn: boolean;
}

function walk(
  table: SavedTable | undefined,
  chain: string,
  packet: Packet,
  options: WalkOptions,
  depth: number,
): Reached {
  const reached: WalkEnd[] = [];
  if (depth > deepest) return { ends: [{ verdict: '?', rule: null, options: [] }], canReturn: false };
  let canReturn = false;
  for (const rule of rulesOfChain(table, chain)) {
    const reading = readRule(rule);
    const matches = matchOf(reading, packet);
    if (matches === 'no' || (matches === 'unsure' && options.unsure === 'pass')) continue;
    const isSure = matches === 'yes';
    const { target, isGoto, targetOptions } = reading;
    if (target === null || goesOn.has(target)) continue;
    if (target === 'RETURN') {
      canReturn = true;
      if (isSure) return { ends: reached, canReturn };
    } else if (table?.chains.some(({ name, policy }) => name === target && policy === null) === true) {
      const inner = walk(table, target, packet, options, depth + 1);
      reached.push(...inner.ends);
      if (isGoto && inner.canReturn) canReturn = true;
      if (isSure && (isGoto || !inner.canReturn)) return { ends: reached, canReturn };
    } else {
      reached.push({ verdict: ends.has(target) ? target : '?', rule, options: targetOptions });
      if (isSure) return { ends: reached, canReturn };
    }
  }
  return { ends: reached, canReturn: true };
}

type Match = 'yes' | 'no' | 'unsure';

function matchOf(reading: RuleReading, packet: Packet): Match {
  const { source, destination, inDevice, outDevice, protocol, otherWords } = reading;
  const found: Match[] = [
    source === null ? 'yes' : sure(holds(source.value, packet.source) !== source.isNegated),
    destination === null ? 'yes' : sure(holds(destination.value, packet.destination) !== destination.isNegated),
    inDevice === null
      ? 'yes'
      : sure((packet.inDevice !== null && deviceFits(inDevice.value, packet.inDevice)) !== inDevice.isNegated),
    outDevice === null
      ? 'yes'
      : packet.outDevice === null
        ? 'unsure'
        : sure(deviceFits(outDevice.value, packet.outDevice) !== outDevice.isNegated),
    protocol === null || protocol.value === 'all' || protocol.value === '0' ? 'yes' : 'unsure',
    ...conditions(otherWords),
  ];
  // All must hold: one that does not decides, whatever the others are.
  if (found.includes('no')) return 'no';
  return found.includes('unsure') ? 'unsure' : 'yes';
}

function sure(holdsNow: boolean): Match {
  return holdsNow ? 'yes' : 'no';
}

function holds(range: Range, address: number): boolean {
  if (range.family !== 4) return false;
  return address >= range.base && address < range.base + 2 ** (32 - range.length);
}

/** Conditions of modules: what is certain of the first packet of a connection that nobody marked is judged, the rest is not. */
function* conditions(words: readonly string[]): Generator<Match> {
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '-m') {
      at += 1;
      continue;
    }
    const isNegated = word === '!';
    const option = isNegated ? (words[++at] ?? '') : word;
    const values: string[] = [];
    for (let next = words[at + 1]; next !== undefined && next !== '!' && !next.startsWith('-'); next = words[at + 1]) {
      values.push(next);
      at += 1;
    }
    const [value = ''] = values;
    const holdsNow = conditionHolds(option, value);
    yield holdsNow === undefined ? 'unsure' : sure(holdsNow !== isNegated);
  }
}

function conditionHolds(option: string, value: string): boolean | undefined {
  switch (option) {
    case '--mark': {
      const match = /^(0x[0-9a-f]{1,8}|\d{1,10})(?:\/(0x[0-9a-f]{1,8}|\d{1,10}))?$/i.exec(value);
      // Whatever the mask, nothing is left of a mark of 0.
      return match === null ? undefined : Number(match[1]) === 0;
    }
    case '--ctstate':
    case '--state':
      return value.split(',').includes('NEW');
    case '--dst-type':
      // To a container, or to somebody outside: never to the node.
      return value.split(',').includes('UNICAST')
        ? true
        : /^(LOCAL|BROADCAST|MULTICAST|,)+$/.test(value)
          ? false
          : undefined;
    default:
      return undefined;
  }
}
