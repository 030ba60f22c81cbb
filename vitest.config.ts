import { defineConfig } from "vitest/config";

// Some suites start QEMU, Chromium or a broker: two workers fill two cores, and limits are there to end
// a hang, not to measure anything.
export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: "tests/support/global-setup.ts",
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 300_000,
    teardownTimeout: 30_000,
  },
});
