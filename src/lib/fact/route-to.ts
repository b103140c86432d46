import { type Address, addressOf, deviceName } from './address';
import { answerLines } from './answer-text';
import { type Fact, known, shellCommand, unknown } from './fact';
import { parseJsonAnswer, textIn } from './json-answer';

/** The way that the node's kernel would send a packet now. */
export type RouteTo =
  | {
      readonly reachable: true;
      /** Null when the target is on the link: host-gw needs that of every peer. */
      readonly gateway: Address | null;
      readonly device: string;
      readonly source: Address | null;
      /** The target is an address of the node itself. */
      readonly isLocal: boolean;
    }
  | { readonly reachable: false; readonly why: string };

/**
 * `ip route get` for each target, by the target as it was given.
 * @param targets addresses in their usual form; what is no address is not asked and not answered
 */
export function routesTo(targets: readonly string[]): Fact<ReadonlyMap<string, RouteTo>> {
  const asked = targets.filter((target) => addressOf(target) !== undefined);
  return {
    name: `routes-to ${asked.join(' ')}`,
    command: {
      ...shellCommand(
        'for a; do r=$(ip -j route get "$a" 2>&1) || r=$(ip -o route get "$a" 2>&1) || r="! $r"; printf "%s\\n" "$r" | { read -r l; printf "%s\\n" "$l"; }; done',
        ...asked,
      ),
      maxOutputBytes: 4096 + 1024 * asked.length,
    },
    requires: { root: 'none', programs: [['ip']] },
    parse(output) {
      const lines = answerLines(output.stdout);
      if (lines.length !== asked.length)
        return unknown(`ip route get gave ${lines.length} answers to ${asked.length} questions`);
      return known(new Map(asked.map((target, index) => [target, routeOf(lines[index] ?? '')])));
    },
  };
}

function routeOf(line: string): RouteTo {
  if (line.startsWith('!')) return { reachable: false, why: whyNot(line.slice(1).trim()) };
  const json = line.startsWith('[') ? parseJsonAnswer(line) : undefined;
  const entry = Array.isArray(json) ? json[0] : undefined;
  const words = line.split(/\s+/);
  const after = (word: string): string | undefined => {
    const at = words.indexOf(word);
    return at < 0 ? undefined : words[at + 1];
  };
  const device = deviceName(entry === undefined ? after('dev') : textIn(entry, 'dev'));
  if (device === undefined) return { reachable: false, why: 'ip route get named no device' };
  const source = addressOf(entry === undefined ? after('src') : textIn(entry, 'prefsrc')) ?? null;
  const gateway = addressOf(entry === undefined ? after('via') : textIn(entry, 'gateway')) ?? null;
  const isLocal = entry === undefined ? words[0] === 'local' : textIn(entry, 'type') === 'local';
  return { reachable: true, gateway, device, source, isLocal };
}

function whyNot(text: string): string {
  const reason = /RTNETLINK answers: (.{1,100})/.exec(text)?.[1] ?? text.slice(0, 100);
  // The kernel's answer for a blackhole.
  return reason === 'Invalid argument' ? 'a blackhole route takes it' : reason;
}
