// Direction of imports: the rules are in .dependency-cruiser.cjs.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Check, problemsOf, runTool } from "./part.ts";

const FOLDERS = ["assembly", "host", "bench", "tests"];

export const imports: Check = {
  name: "dependency-cruiser: direction of imports",
  async run({ root, bin }) {
    const folders = FOLDERS.filter((folder) => existsSync(join(root, folder)));
    const args = ["--config", ".dependency-cruiser.cjs", "--output-type", "err-long", ...folders];
    return { problems: problemsOf(await runTool(join(bin, "depcruise"), args, root)) };
  },
};
