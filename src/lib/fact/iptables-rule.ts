import type { Range } from './address';
import { deviceName, rangeOf } from './address';
import type { SavedRule } from './iptables-save';

/** A condition and whether it is turned round by `!`. */
export interface Condition<T> {
  readonly value: T;
  readonly isNegated: boolean;
}

/** What a rule says, as far as addresses, interfaces and its verdict go. */
export interface RuleReading {
  readonly source: Condition<Range> | null;
  readonly destination: Condition<Range> | null;
  readonly inDevice: Condition<string> | null;
  readonly outDevice: Condition<string> | null;
  readonly protocol: Condition<string> | null;
  readonly comment: string | null;
  /** `MASQUERADE`, `ACCEPT`, another chain; null for a rule that only counts. */
  readonly target: string | null;
  /** `-g`: the packet does not come back to this chain. */
  readonly isGoto: boolean;
  /** Words behind the target: `--to-source 10.0.0.1`, `--random-fully`. */
  readonly targetOptions: readonly string[];
  /** Every other condition, as words; empty means that the fields above say all. */
  readonly otherWords: readonly string[];
}

/** Reads a rule of `iptables-save` (`family` 4) or `ip6tables-save` (6). What is not understood lands in `otherWords`. */
export function readRule(rule: SavedRule, family: 4 | 6 = 4): RuleReading {
  let source: RuleReading['source'] = null;
  let destination: RuleReading['destination'] = null;
  let inDevice: RuleReading['inDevice'] = null;
  let outDevice: RuleReading['outDevice'] = null;
  let protocol: RuleReading['protocol'] = null;
  let comment: string | null = null;
  const otherWords: string[] = [];
  const words = rule.words.slice(2);
  for (let at = 0; at < words.length; at++) {
    const isNegated = words[at] === '!';
    const option = isNegated ? words[at + 1] : words[at];
    const valueAt = isNegated ? at + 2 : at + 1;
    const value = words[valueAt];
    if (!isNegated && (option === '-j' || option === '-g')) {
      return {
        source,
        destination,
        inDevice,
        outDevice,
        protocol,
        comment,
        otherWords,
        target: value ?? null,
        isGoto: option === '-g',
        targetOptions: words.slice(valueAt + 1),
      };
    }
    const range = option === '-s' || option === '-d' ? rangeOf(value, family) : undefined;
    if (option === '-m' && value === 'comment' && words[valueAt + 1] === '--comment') {
      comment = words[valueAt + 2] ?? null;
      at = valueAt + 2;
    } else if (option === '-s' && range !== undefined) {
      source = { value: range, isNegated };
      at = valueAt;
    } else if (option === '-d' && range !== undefined) {
      destination = { value: range, isNegated };
      at = valueAt;
    } else if (option === '-i' && deviceName(value) !== undefined && value !== undefined) {
      inDevice = { value, isNegated };
      at = valueAt;
    } else if (option === '-o' && deviceName(value) !== undefined && value !== undefined) {
      outDevice = { value, isNegated };
      at = valueAt;
    } else if (option === '-p' && value !== undefined) {
      protocol = { value, isNegated };
      at = valueAt;
    } else otherWords.push(words[at] ?? '');
  }
  return {
    source,
    destination,
    inDevice,
    outDevice,
    protocol,
    comment,
    otherWords,
    target: null,
    isGoto: false,
    targetOptions: [],
  };
}

/** Does a device's name fit what stands behind -i or -o? `eth+` fits every name that begins with eth. */
export function deviceFits(pattern: string, device: string): boolean {
  return pattern.endsWith('+') ? device.startsWith(pattern.slice(0, -1)) : device === pattern;
}
