// TypeScript of host, tests and bench, and the styles and settings beside it: Biome for form and lint, tsc for types.
import { join } from "node:path";
import { type Check, problemsOf, runTool } from "./part.ts";

export const biome: Check = {
  name: "Biome: format and lint",
  async run({ root, bin, fix }) {
    const args = ["check", "--error-on-warnings", "--max-diagnostics=60", ...(fix ? ["--write"] : []), "."];
    return { problems: problemsOf(await runTool(join(bin, "biome"), args, root)) };
  },
};

export const types: Check = {
  name: "tsc: types",
  async run({ root, bin }) {
    return { problems: problemsOf(await runTool(join(bin, "tsc"), ["--noEmit", "-p", root], root)) };
  },
};
