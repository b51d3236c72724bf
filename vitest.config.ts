import { defineConfig } from 'vitest/config';
import { softwareGpu } from './test/support/chromium.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Sessions run in-process and use one thread each; more workers than cores only add noise.
    maxWorkers: 2,
    globalSetup: ['./test/support/chromium.ts'],
    env: softwareGpu,
    // The processes of a pool inherit this and so run the sources.
    execArgv: ['--import', import.meta.resolve('tsx')],
    reporters: ['default', ['json', { outputFile: 'node_modules/.cache/vitest.json' }]],
  },
});
