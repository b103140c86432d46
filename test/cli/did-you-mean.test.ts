import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { didYouMean } from '../../src/lib/cli/did-you-mean';

const commands = ['init-network', 'network show', 'network validate', 'subnets ls', 'subnets show', 'explain'];

describe('did you mean', () => {
  it('finds what a slip of the finger meant', () => {
    expect(didYouMean('explian', commands)).toEqual(['explain']);
    expect(didYouMean('subnet ls', commands)[0]).toBe('subnets ls');
    expect(didYouMean('network sohw', commands)[0]).toBe('network show');
    expect(didYouMean('INIT-NETWORK', commands)).toEqual(['init-network']);
    expect(didYouMean('init', commands)).toEqual(['init-network']);
    expect(didYouMean('sohw', ['show', 'ls'])).toEqual(['show']);
  });

  it('is silent when nothing is near', () => {
    expect(didYouMean('', commands)).toEqual([]);
    expect(didYouMean('kubectl', commands)).toEqual([]);
    expect(didYouMean('x'.repeat(1_000_000), commands)).toEqual([]);
  });

  it('offers at most three words, all of them known, whatever was typed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.string()), (typed, known) => {
        const guesses = didYouMean(typed, known);
        expect(guesses.length).toBeLessThanOrEqual(3);
        for (const guess of guesses) expect(known).toContain(guess);
      }),
    );
  });
});
