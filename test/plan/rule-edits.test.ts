import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SavedRule } from '../../src/lib/fact/iptables-save';
import { type RuleEdit, ruleEdits } from '../../src/lib/plan/rule-edits';

const rule = (name: string): SavedRule => ({
  chain: 'C',
  text: `-A C ${name}`,
  words: ['-A', 'C', name],
  counters: null,
});
const names = (rules: readonly SavedRule[]): readonly string[] => rules.map(({ words }) => words[2] ?? '');

/** As iptables does: -I at a number, -D of the first that has these words. */
function done(now: readonly SavedRule[], edits: readonly RuleEdit[]): readonly SavedRule[] {
  const chain = [...now];
  for (const edit of edits) {
    if (edit.kind === 'insert') {
      expect(edit.number).toBeLessThanOrEqual(chain.length + 1);
      chain.splice(edit.number - 1, 0, edit.rule);
      expect(names(chain).filter((name) => name === edit.rule.words[2])).toHaveLength(edit.count);
    } else {
      const at = chain.findIndex(({ text }) => text === edit.rule.text);
      expect(at).toBeGreaterThanOrEqual(0);
      chain.splice(at, 1);
    }
  }
  return chain;
}

describe('commands from one chain to another', () => {
  it('put a rule at the place of the one that goes, also where several go and others stand between', () => {
    const now = ['own1', 'vpn', 'own2'].map(rule);
    const wanted = ['docker1', 'vpn', 'docker2'].map(rule);
    expect(ruleEdits(now, wanted)).toMatchObject([
      { kind: 'insert', number: 3, rule: { text: '-A C docker2' } },
      { kind: 'insert', number: 1, rule: { text: '-A C docker1' } },
      { kind: 'delete', rule: { text: '-A C own1' } },
      { kind: 'delete', rule: { text: '-A C own2' } },
    ]);
  });

  it('lead to just that chain, whatever stays, goes and comes, duplicates too', () => {
    // Others stay in their order; of ours, by a small letter, any number comes and goes.
    const others = fc.array(fc.constantFrom('A', 'B', 'C'), { maxLength: 5 });
    const ours = fc.array(fc.tuple(fc.nat(5), fc.constantFrom('a', 'b', 'c')), { maxLength: 5 });
    const mixed = (base: readonly string[], more: readonly (readonly [number, string])[]): readonly SavedRule[] => {
      const all = [...base];
      for (const [at, name] of more) all.splice(Math.min(at, all.length), 0, name);
      return all.map(rule);
    };
    fc.assert(
      fc.property(others, ours, ours, (base, before, after) => {
        // A rule of ours either stays where it is, or is in one of the two only.
        const now = mixed(base, before);
        const wanted = mixed(
          base,
          after.map(([at, name]) => [at, `${name}'`]),
        );
        expect(names(done(now, ruleEdits(now, wanted)))).toEqual(names(wanted));
        expect(ruleEdits(now, now)).toEqual([]);
      }),
    );
  });

  it('leave the last of several equal ones, which is what iptables -D does', () => {
    const now = ['x', 'A', 'x'].map(rule);
    expect(names(done(now, ruleEdits(now, ['A', 'x'].map(rule))))).toEqual(['A', 'x']);
    expect(names(done(['A', 'x'].map(rule), ruleEdits(['A', 'x'].map(rule), now)))).toEqual(['x', 'A', 'x']);
  });
});
