import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Sessions run in-process and use one thread each; more workers than cores only add noise.
    maxWorkers: 2,
    reporters: process.env.CI ? ['default'] : ['default'],
  },
});
