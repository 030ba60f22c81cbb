// AssemblyScript: the same form as the TypeScript, by the same Biome. Decorators on functions and constants, which
// AssemblyScript has and TypeScript has not, are turned into comments for it and back again.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Check, filesBelow, problemsOf, runTool, textOf } from "./part.ts";

const DECORATOR = String.raw`@[A-Za-z]\w*(?:\([^()\n]*\))?`;
const DECORATOR_LINE = new RegExp(String.raw`^([ \t]*)(${DECORATOR}(?:[ \t]+${DECORATOR})*)[ \t]*$`, "gm");
const DECORATOR_BEFORE = new RegExp(
  String.raw`^([ \t]*)(${DECORATOR}(?:[ \t]+${DECORATOR})*)(?=[ \t]+[A-Za-z])`,
  "gm",
);

/** Hides decorators in comments that Biome leaves as they are. */
export function hideDecorators(source: string): string {
  return source.replace(DECORATOR_LINE, "$1//#$2").replace(DECORATOR_BEFORE, "$1/*#$2#*/");
}

/** Undoes `hideDecorators`. */
export function showDecorators(source: string): string {
  return source.replace(/^([ \t]*)\/\/#(@.*)$/gm, "$1$2").replace(/\/\*#(@.*?)#\*\//g, "$1");
}

/** Where AssemblyScript lies: assembly/, and the folders named apps of bench and tests. */
const FOLDERS = ["assembly", "bench", "tests"];
const AS_PATH = /^assembly\/|^(?:bench|tests)\/(?:.+\/)?apps\//;

/** Lint rules whose meaning is the same in AssemblyScript; the others know JavaScript's types and runtime. */
const RULES = {
  preset: "none",
  correctness: { noUnusedImports: "error", noUnusedVariables: "error", noConstantCondition: "error" },
  suspicious: { noDebugger: "error", noVar: "error", noDuplicateCase: "error" },
};

export const assembly: Check = {
  name: "Biome: AssemblyScript",
  async run({ root, bin, fix }) {
    const paths = FOLDERS.flatMap((folder) => filesBelow(root, folder, [".ts"])).filter((path) =>
      AS_PATH.test(path),
    );
    if (paths.length === 0) return { problems: [] };
    const copy = mkdtempSync(join(tmpdir(), "octomote-assembly-"));
    try {
      const settings = JSON.parse(textOf(root, "biome.json"));
      writeFileSync(
        join(copy, "biome.json"),
        JSON.stringify({
          formatter: settings.formatter,
          assist: { actions: { source: { organizeImports: "off" } } },
          linter: { rules: RULES },
        }),
      );
      for (const path of paths) {
        mkdirSync(dirname(join(copy, path)), { recursive: true });
        writeFileSync(join(copy, path), hideDecorators(textOf(root, path)));
      }
      const args = [
        "check",
        "--error-on-warnings",
        "--max-diagnostics=60",
        ...(fix ? ["--write"] : []),
        "assembly",
      ];
      const result = await runTool(join(bin, "biome"), args, copy);
      if (fix) {
        for (const path of paths) {
          const formed = showDecorators(readFileSync(join(copy, path), "utf8"));
          if (formed !== textOf(root, path)) writeFileSync(join(root, path), formed);
        }
      }
      return { problems: problemsOf(result).map(showDecorators) };
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  },
};
