import { type Address, addressOf, countOf, deviceName, type Range, rangeOf } from './address';
import { answerText, whyFailed } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';
import { countIn, fieldOf, type Json, listOf, parseJsonAnswer, textIn, textsIn } from './json-answer';

export interface NextHop {
  /** Null when the destination is on the link itself. */
  readonly gateway: Address | null;
  readonly device: string | null;
  readonly isOnlink: boolean;
  /** The link has no carrier: the kernel passes the route by. */
  readonly isDown: boolean;
}

export interface Route {
  /** `default` is the range of length 0. */
  readonly destination: Range;
  /** `unicast`, `blackhole`, `unreachable`, `prohibit`, `throw`. */
  readonly type: string;
  /** Several for a route of many paths, none for a blackhole. */
  readonly nextHops: readonly NextHop[];
  /** `kernel`, `dhcp`, `static`, …; null for what `ip route add` and flanneld make (boot). */
  readonly protocol: string | null;
  readonly source: Address | null;
  readonly metric: number;
  /** `main` unless it stands in another table. */
  readonly table: string;
}

/** Routes of all tables but the kernel's own ones to local, broadcast and multicast addresses. */
export function routes(family: 4 | 6): Fact<readonly Route[]> {
  return {
    name: `routes-ipv${family}`,
    command: {
      ...shellCommand('ip -j "$1" route show table all 2>/dev/null || ip "$1" route show table all', `-${family}`),
      maxOutputBytes: 4 * 1024 * 1024,
    },
    requires: { root: 'none', programs: [['ip']] },
    parse(output) {
      const text = answerText(output.stdout);
      if (output.code !== 0) return whyFailed('ip route', output);
      if (!text.startsWith('[')) return known(routesOfText(text, family));
      const list = parseJsonAnswer(text);
      if (!Array.isArray(list)) return unknown('ip -j route gave no JSON list');
      return known(list.flatMap((entry) => routeOfJson(entry, family) ?? []));
    },
  };
}

const ownTypes = new Set(['local', 'broadcast', 'multicast', 'anycast']);

function routeOfJson(entry: Json, family: 4 | 6): Route | undefined {
  const destination = rangeOf(textIn(entry, 'dst'), family);
  const type = textIn(entry, 'type') ?? 'unicast';
  if (destination === undefined || ownTypes.has(type) || !/^[a-z]{1,16}$/.test(type)) return undefined;
  const hops = listOf(fieldOf(entry, 'nexthops')).map(hopOfJson);
  const own = hopOfJson(entry);
  return {
    destination,
    type,
    nextHops: hops.length > 0 ? hops : own.device === null && own.gateway === null ? [] : [own],
    protocol: wordOf(textIn(entry, 'protocol')),
    source: addressOf(textIn(entry, 'prefsrc')) ?? null,
    metric: countIn(entry, 'metric') ?? 0,
    table: wordOf(textIn(entry, 'table')) ?? 'main',
  };
}

function hopOfJson(entry: Json): NextHop {
  const flags = textsIn(entry, 'flags');
  return {
    gateway: addressOf(textIn(entry, 'gateway') ?? textIn(fieldOf(entry, 'via'), 'host')) ?? null,
    device: deviceName(textIn(entry, 'dev')) ?? null,
    isOnlink: flags.includes('onlink'),
    isDown: flags.includes('linkdown') || flags.includes('dead'),
  };
}

function routesOfText(text: string, family: 4 | 6): readonly Route[] {
  const found: Route[] = [];
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    if (words[0] === 'nexthop') {
      const last = found.at(-1);
      if (last !== undefined) found[found.length - 1] = { ...last, nextHops: [...last.nextHops, hopOfText(words)] };
      continue;
    }
    const hasType = /^(unicast|local|broadcast|multicast|anycast|blackhole|unreachable|prohibit|throw|nat)$/.test(
      words[0] ?? '',
    );
    const type = hasType ? (words[0] ?? '') : 'unicast';
    const destination = rangeOf(words[hasType ? 1 : 0], family);
    if (destination === undefined || ownTypes.has(type)) continue;
    const hop = hopOfText(words);
    found.push({
      destination,
      type,
      nextHops: hop.device === null && hop.gateway === null ? [] : [hop],
      protocol: wordOf(after(words, 'proto')),
      source: addressOf(after(words, 'src')) ?? null,
      metric: countOf(after(words, 'metric')) ?? 0,
      table: wordOf(after(words, 'table')) ?? 'main',
    });
  }
  return found;
}

function hopOfText(words: readonly string[]): NextHop {
  const via = after(words, 'via');
  return {
    gateway: addressOf(via === 'inet6' || via === 'inet' ? words[words.indexOf('via') + 2] : via) ?? null,
    device: deviceName(after(words, 'dev')) ?? null,
    isOnlink: words.includes('onlink'),
    isDown: words.includes('linkdown') || words.includes('dead'),
  };
}

function after(words: readonly string[], word: string): string | undefined {
  const at = words.indexOf(word);
  return at < 0 ? undefined : words[at + 1];
}

function wordOf(text: string | undefined): string | null {
  return text !== undefined && /^[\w.-]{1,32}$/.test(text) ? text : null;
}
