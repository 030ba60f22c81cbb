#!/usr/bin/env node
// The command `octomote`: makes Node read TypeScript, then runs main.ts.

import { register } from "tsx/esm/api";

register();
const { main } = await import("./main.ts");
process.exitCode = await main(process.argv.slice(2));
