import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readShellAssignments } from '../../src/lib/net/shell-assignments';

function values(text: string): Record<string, string> | string {
  const reading = readShellAssignments(text);
  if (!reading.ok) return `line ${reading.line}: ${reading.what}`;
  return Object.fromEntries(reading.assignments.map(({ name, value }) => [name, value]));
}

describe('a file of assignments', () => {
  it('is read with quotes, comments and several on a line', () => {
    expect(values('A=1 # note\nB="two words" C=\'$x\'; export D=a#b\n\n# E=5\nF=\n')).toEqual({
      A: '1',
      B: 'two words',
      C: '$x',
      D: 'a#b',
      F: '',
    });
  });

  it('keeps a carriage return, as a shell does', () => {
    expect(values('A=1\r\n')).toEqual({ A: '1\r' });
  });

  it('ends where a shell would be needed, and says what stands there', () => {
    expect(values('A=1\nB=$(id)\n')).toBe('line 2: an expansion ($)');
    expect(values('A=`id`')).toBe('line 1: a command substitution (`)');
    expect(values('A=1; rm -rf /')).toBe('line 1: "rm", which is no assignment');
    expect(values('A="x')).toBe('line 1: a quote that does not end');
    expect(values('A=1 && B=2')).toBe('line 1: a "&"');
    expect(values('A=~/x')).toBe('line 1: a tilde');
    expect(values('\ufeffA=1')).toBe('line 1: "\ufeffA=1", which is no assignment');
  });

  it('is not fooled by names that objects have', () => {
    const reading = readShellAssignments('__proto__=x\nconstructor=y\n');
    expect(reading.assignments.map(({ name, value }) => [name, value])).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });
});

describe('compared with dash', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'netctl-assign-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('every file that is taken means the same', () => {
    const piece = fc.constantFrom(
      'a',
      'B',
      '1',
      ' ',
      "'",
      '"',
      '\\',
      '\n',
      '#',
      ';',
      '=',
      '/',
      '.',
      'é',
      '*',
      '\t',
      '$',
    );
    const line = fc.tuple(fc.constantFrom('A=', 'B=', 'export C=', 'C=', ' A=', ''), fc.array(piece, { maxLength: 8 }));
    const file = fc
      .array(line, { minLength: 1, maxLength: 4 })
      .map((lines) => lines.map(([a, b]) => a + b.join('')).join('\n'));
    const taken = new Set<string>();
    fc.assert(
      fc.property(file, (text) => {
        if (readShellAssignments(text).ok) taken.add(text);
      }),
      { numRuns: 3000 },
    );
    expect(taken.size).toBeGreaterThan(200);
    const texts = [...taken].slice(0, 400);
    for (const [index, text] of texts.entries()) writeFileSync(join(folder, `${index}`), text);
    const script = `cd ${folder}; i=0; while [ $i -lt ${texts.length} ]; do (. ./$i; printf '%s\\1%s\\1%s\\2' "$A" "$B" "$C"); i=$((i + 1)); done`;
    const printed = execFileSync('dash', ['-c', script], { env: { PATH: process.env['PATH'] ?? '' } }).toString();
    const bySh = printed.split('\x02').slice(0, -1);
    const byUs = texts.map((text) => {
      const reading = readShellAssignments(text);
      const map = new Map(reading.assignments.map(({ name, value }) => [name, value]));
      return [map.get('A') ?? '', map.get('B') ?? '', map.get('C') ?? ''].join('\x01');
    });
    expect(byUs.map((each, index) => [texts[index], each])).toEqual(bySh.map((each, index) => [texts[index], each]));
  });
});
