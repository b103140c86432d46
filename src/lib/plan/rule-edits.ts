import { ruleKey, type SavedRule } from '../fact/iptables-save';

/** One command on the way from a chain as it is to the chain as it is to be. */
export type RuleEdit =
  | {
      readonly kind: 'insert';
      readonly rule: SavedRule;
      /** For `iptables -I`, counted from 1. */
      readonly number: number;
      /** How many equal ones stand in the chain when this one does. */
      readonly count: number;
    }
  | { readonly kind: 'delete'; readonly rule: SavedRule };

/**
 * What is missing goes in first, from the last to the first, each at its number in the chain as it is then; what is too much goes
 * out afterwards, by its words. So rules of others keep their order, and no rule is missed in between. Pure.
 * @param wanted has the rules that stay in the order of `now`
 */
export function ruleEdits(now: readonly SavedRule[], wanted: readonly SavedRule[]): readonly RuleEdit[] {
  const had = counts(now);
  const has = counts(wanted);
  // Of equal ones the last stay: what is taken out by its words is the first.
  const staying = (rules: readonly SavedRule[]): ReadonlySet<SavedRule> => {
    const left = new Map([...had].map(([key, count]) => [key, Math.min(count, has.get(key) ?? 0)]));
    const found = new Set<SavedRule>();
    for (const rule of rules.toReversed()) {
      const count = left.get(ruleKey(rule)) ?? 0;
      if (count === 0) continue;
      left.set(ruleKey(rule), count - 1);
      found.add(rule);
    }
    return found;
  };
  const stays = staying(now);
  const places = now.flatMap((rule, at) => (stays.has(rule) ? [at] : []));
  const stayed = staying(wanted);
  const inserts: { rule: SavedRule; number: number }[] = [];
  let passed = 0;
  for (const rule of wanted) {
    if (stayed.has(rule)) passed += 1;
    // Behind the one that stays before it: in front of what goes from that place.
    else inserts.push({ rule, number: (passed === 0 ? 0 : (places[passed - 1] ?? 0) + 1) + 1 });
  }
  const standing = new Map(had);
  return [
    ...inserts.reverse().map(({ rule, number }): RuleEdit => {
      const count = (standing.get(ruleKey(rule)) ?? 0) + 1;
      standing.set(ruleKey(rule), count);
      return { kind: 'insert', rule, number, count };
    }),
    ...now.flatMap((rule): readonly RuleEdit[] => (stays.has(rule) ? [] : [{ kind: 'delete', rule }])),
  ];
}

function counts(rules: readonly SavedRule[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const rule of rules) found.set(ruleKey(rule), (found.get(ruleKey(rule)) ?? 0) + 1);
  return found;
}
