import { expect, it } from 'vitest';
import { cleanEnv, root, runToEnd } from './support/built';

it('what in docs/ is made from the program is what npm run docs would write', async () => {
  const argv = [process.execPath, '--import', 'tsx', 'scripts/write-docs.ts', '--check'] as const;
  const { status, stderr } = await runToEnd([...argv], { env: cleanEnv(root), cwd: root });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
