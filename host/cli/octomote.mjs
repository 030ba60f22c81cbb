#!/usr/bin/env node
// The command `octomote`: makes Node read TypeScript, then runs main.ts.

import { register } from "tsx/esm/api";

// Whoever reads our output may stop after the first lines (`octomote --help | head`). Verbs that run on leave by
// themselves (support/lifetime.ts).
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
});

register();
const { main } = await import("./main.ts");
process.exitCode = await main(process.argv.slice(2));
