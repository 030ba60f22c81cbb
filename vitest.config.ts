import { defineConfig } from "vitest/config";

// The firmware of this machine is the one with sanitizers in every process of a test (tests/support/sanitizers.ts);
// OCTOMOTE_SANITIZE=0 runs everything on the plain one.
process.env.OCTOMOTE_SANITIZE ??= "1";

// Some suites start QEMU, Chromium or a broker: two workers fill two cores, and limits are there to end
// a hang, not to measure anything.
export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: "tests/support/global-setup.ts",
    setupFiles: "tests/support/sanitizers.ts",
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 300_000,
    teardownTimeout: 30_000,
  },
});
