import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderDiff } from '../../src/lib/view/diff';
import { expectHarmless, hostileText } from './hostile';
import { expectGolden, pipe, terminal } from './screens';

const before = JSON.stringify({ Network: '10.1.0.0/16', SubnetLen: 24, Backend: { Type: 'udp' } }, null, 2);
const after = JSON.stringify(
  { Network: '10.1.0.0/16', SubnetLen: 25, SubnetMin: '10.1.1.0', Backend: { Type: 'vxlan' } },
  null,
  2,
);
const label = '/coreos.com/network/config';

describe('a diff', () => {
  it('looks as it always did', async () => {
    expectGolden('diff-pipe', await renderDiff(before, after, pipe, { label }));
    expectGolden('diff-colour', await renderDiff(before, after, terminal(80, 1), { label }));
    expectGolden('diff-new', await renderDiff('', after, pipe, { label }));
  });

  it('of equal texts is nothing', async () => {
    expect(await renderDiff(after, after, pipe, { label })).toBe('');
  });

  it('turns the one text into the other when patch applies it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netctl-diff-'));
    try {
      const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd', '{', '}'), { maxLength: 40 });
      await fc.assert(
        fc.asyncProperty(lines, lines, async (left, right) => {
          const [from, to] = [left, right].map((each) => each.map((line) => `${line}\n`).join('')) as [string, string];
          const diff = await renderDiff(from, to, pipe, { label: 'x' });
          if (diff === '') {
            expect(from).toBe(to);
            return;
          }
          writeFileSync(join(folder, 'x'), from);
          // git apply checks every line and every number of a hunk; it knows files by a/ and b/ alone.
          writeFileSync(
            join(folder, 'd'),
            diff.replace('--- x (before)', '--- a/x').replace('+++ x (after)', '+++ b/x'),
          );
          execFileSync('git', ['apply', '--unidiff-zero', '--allow-empty', 'd'], { cwd: folder, stdio: 'pipe' });
          expect(execFileSync('cat', ['x'], { cwd: folder, encoding: 'utf8' })).toBe(to);
        }),
        { numRuns: 60 },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('of huge texts stays small', async () => {
    const many = (word: string): string =>
      Array.from({ length: 50_000 }, (_none, index) => `${word}${index}`).join('\n');
    const text = await renderDiff(many('a'), many('b'), pipe, { label });
    expect(text.split('\n').length).toBeLessThan(2_010);
    expect(text).toMatch(/\(\d\d,\d\d\d more lines\)\n$/);
    const line = await renderDiff('x'.repeat(1_048_576), 'y', pipe, { label });
    expect(line).toContain('(1,048,576 bytes)');
  });

  it('is harmless, whatever the texts are', async () => {
    await fc.assert(
      fc.asyncProperty(
        hostileText,
        hostileText,
        fc.constantFrom(pipe, terminal(40, 1)),
        async (left, right, screen) => {
          expectHarmless(await renderDiff(left, right, screen, { label: left }), screen);
        },
      ),
      { numRuns: 400 },
    );
  });
});
