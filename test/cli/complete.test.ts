import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { complete } from '../../src/lib/cli/complete';
import { program } from '../support/program';

function words(...typed: readonly string[]): readonly string[] | string {
  const completion = complete(program, typed);
  return completion.kind === 'words'
    ? completion.candidates.map(({ value }) => value)
    : `${completion.prefix}<${completion.of}>`;
}

describe('completion', () => {
  it('offers commands and topics, but nothing hidden', () => {
    expect(words('')).toEqual(['init-network', 'network', 'subnets', 'help']);
    expect(words('sub')).toEqual(['subnets']);
    expect(words('subnets', '')).toEqual(['leases', 'ls', 'show']);
    expect(words('subnets', 'leases', '')).toEqual(['move']);
    expect(words('sec')).toEqual([]);
  });

  it('describes a topic by its own words', () => {
    const completion = complete(program, ['sub']);
    expect(completion).toEqual({ kind: 'words', candidates: [{ value: 'subnets', description: 'Subnets of nodes' }] });
  });

  it('offers the commands of a topic that is a command too', () => {
    expect(words('network', '')).toEqual(['history', 'show']);
    expect(words('network', 'show', '--j')).toEqual(['--json']);
  });

  it('offers flags once, repeatable ones always, and none that exclude each other', () => {
    expect(words('network', 'show', '--')).toEqual(['--output', '--json']);
    expect(words('network', 'show', '--json', '--')).toEqual(['--output']);
    expect(words('network', 'show', '-o', 'json', '--')).toEqual([]);
    expect(words('init-network', '--backend-option', 'a=1', '--back')).toEqual(['--backend-option']);
    expect(words('subnets', 'ls', '--no')).toEqual(['--no-color']);
  });

  it('offers values of a flag in all three ways to write it', () => {
    expect(words('network', 'show', '-o', 'j')).toEqual(['json']);
    expect(words('network', 'show', '--output=j')).toEqual(['--output=json']);
    expect(words('network', 'show', '--output', '=', 'j')).toEqual(['json']);
    expect(words('network', 'show', '--output', '=')).toEqual(['table', 'json']);
    expect(words('init-network', '--file', '')).toBe('<file>');
    expect(words('init-network', '--file=x')).toBe('--file=<file>');
  });

  it('offers values of an argument by its place', () => {
    expect(words('subnets', 'show', '')).toBe('<node>');
    expect(words('subnets', 'show', 'n1', 'x')).toBe('<rest>');
    expect(words('subnets', 'show', 'n1', 'x', 'y', '')).toBe('<rest>');
    expect(words('subnets', 'leases', 'move', '')).toEqual(['a', 'b']);
    expect(words('init-network', '--force', '10.0.0.0/8', '')).toEqual(['--file', '--backend-option']);
  });

  it('takes everything after -- for an argument', () => {
    expect(words('subnets', 'leases', 'move', '--', '')).toEqual(['a', 'b']);
    expect(words('subnets', 'leases', 'move', '--', '-')).toEqual([]);
  });

  it('completes commands after help, and no flags', () => {
    expect(words('help', 'sub')).toEqual(['subnets']);
    expect(words('help', 'network', 'show', '-')).toEqual([]);
    expect(words('hel')).toEqual(['help']);
  });

  it('is silent after an unknown command', () => {
    expect(words('nope', '')).toEqual([]);
    expect(words('subnets', 'nope', '')).toEqual([]);
  });

  it('never throws, and every word that it offers begins with what was typed', () => {
    const token = fc.oneof(
      fc.constantFrom(
        '',
        '-',
        '--',
        '=',
        'network',
        'show',
        'subnets',
        'ls',
        '-o',
        '--output',
        '--output=',
        'help',
        '__proto__',
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 6 }), (typed) => {
        const completion = complete(program, typed);
        if (completion.kind === 'values') return;
        const current = typed.at(-1) ?? '';
        for (const { value } of completion.candidates) expect(current === '=' || value.startsWith(current)).toBe(true);
      }),
    );
  });
});
