import { defineConfig } from 'vitest/config';
import { reporters } from '../support/reporters.mjs';

// Journeys share two processors and one kernel: one file after the other, each with its own labs.
export default defineConfig({
  test: {
    pool: 'threads',
    fileParallelism: false,
    include: ['test/lab/**/*.journey.ts', 'test/host/*.journey.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    disableConsoleIntercept: true,
    reporters: reporters(),
  },
});
