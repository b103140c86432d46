import { defineConfig } from 'vitest/config';
import { reporters } from './test/support/reporters.mjs';

// One thread pool without isolation: the suite starts in half a second instead of three and a half.
// Tests therefore keep no state in modules and name their own temporary folders and ports.
export default defineConfig({
  test: {
    pool: 'threads',
    // Most tests wait for a process of theirs, so more of them run at once than there are cores.
    maxWorkers: 4,
    isolate: false,
    include: ['test/**/*.test.ts'],
    // They tell a hang from a machine that has much else to do.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    disableConsoleIntercept: true,
    reporters: reporters(),
  },
});
