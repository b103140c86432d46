import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Problem } from '../../src/lib/net/problem';
import { renderProblems } from '../../src/lib/view/problem';
import { expectHarmless, hostileText } from './hostile';
import { expectGolden, pipe, screens, terminal } from './screens';

const problems: readonly Problem[] = [
  {
    code: 'no-backend',
    severity: 'warning',
    path: 'Backend',
    message: 'there is no Backend, so flanneld takes udp, which is slow and meant for debugging',
    suggestion: 'add "Backend": {"Type": "vxlan"}',
  },
  { code: 'public-space', severity: 'info', path: '', message: '8.0.0.0/16 is public address space', suggestion: null },
  {
    code: 'subnetmin-boundary',
    severity: 'error',
    path: 'SubnetMin',
    message: '10.1.0.7 is not the first address of a /24; it must lie on a boundary \x1b[31m測試',
    suggestion: 'netctl init-network 10.1.0.0/16 --subnet-min 10.1.1.0 --subnet-max 10.1.255.0 --backend vxlan',
  },
];

for (const [name, screen] of screens) {
  it(`problems look as they always did on ${name}`, async () => {
    expectGolden(`problems-${name}`, await renderProblems(problems, screen));
  });
}

it('no problems are no text', async () => {
  expect(await renderProblems([], pipe)).toBe('');
});

it('problems are harmless, whatever is in them', async () => {
  await fc.assert(
    fc.asyncProperty(hostileText, fc.constantFrom(pipe, terminal(40, 1), terminal(25)), async (text, screen) => {
      const problem: Problem = { code: text, severity: 'error', path: text, message: text, suggestion: text };
      expectHarmless(await renderProblems([problem], screen), screen);
    }),
    { numRuns: 400 },
  );
});
