import { defineConfig } from 'vitest/config';

// One thread pool without isolation: the suite starts in half a second instead of three and a half.
// Tests therefore keep no state in modules and name their own temporary folders and ports.
// bin/test reads the counts for its closing line from here.
const report = process.env['NETCTL_TEST_REPORT'];

export default defineConfig({
  test: {
    pool: 'threads',
    // Most tests wait for a process of theirs, so more of them run at once than there are cores.
    maxWorkers: 4,
    isolate: false,
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    disableConsoleIntercept: true,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
