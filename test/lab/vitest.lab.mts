import { defineConfig } from 'vitest/config';

// bin/test reads the counts for its closing line from here.
const report = process.env['NETCTL_TEST_REPORT'];

// Journeys share two processors and one kernel: one file after the other, each with its own labs.
export default defineConfig({
  test: {
    pool: 'threads',
    fileParallelism: false,
    include: ['test/lab/**/*.journey.ts', 'test/host/*.journey.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    disableConsoleIntercept: true,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
