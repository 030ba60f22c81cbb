// C of boards, bench and fuzz targets: its form (clang-format), and that the runtime knows no board.
import { posix } from "node:path";
import { findProgram } from "../support/requirements.ts";
import { type Check, filesBelow, problemsOf, runTool, textOf } from "./part.ts";

/** Versions of clang-format differ in details; the project's C has this one's form. */
const STYLE_VERSION = 14;

export const clangFormat: Check = {
  name: "clang-format: C",
  async run({ root, fix }) {
    const paths = ["boards", "bench", "tests/fuzz"].flatMap((folder) =>
      filesBelow(root, folder, [".c", ".h"]),
    );
    if (paths.length === 0) return { problems: [] };
    const tool = findProgram(`clang-format-${STYLE_VERSION}`) ?? findProgram("clang-format");
    if (tool === undefined)
      return { problems: [], skipped: "clang-format is missing", packages: ["clang-format"] };
    const [, version] = /version (\d+)/.exec((await runTool(tool, ["--version"], root)).output) ?? [];
    const own = version === String(STYLE_VERSION);
    // Another version would undo what this one does.
    const result = await runTool(
      tool,
      [...(fix && own ? ["-i"] : ["--dry-run", "--Werror"]), ...paths],
      root,
    );
    const problems = problemsOf(result);
    if (own || problems.length === 0) return { problems };
    return { problems: [], skipped: `clang-format ${version} sees it otherwise than ${STYLE_VERSION}` };
  },
};

/** An `#include "…"` of one file, with the line it stands on. */
function includesOf(source: string): { line: number; target: string }[] {
  return source.split("\n").flatMap((text, index) => {
    const target = /^\s*#\s*include\s*"([^"]+)"/.exec(text)?.[1];
    return target === undefined ? [] : [{ line: index + 1, target }];
  });
}

/**
 * boards/runtime may include its own files and system headers; a board may include its own files and the runtime's;
 * no board may include another's. An include is looked up beside the file that has it, then by its last part in the
 * whole of boards/, as a compiler with -I of every folder would.
 */
export const cIncludes: Check = {
  name: "C includes: boards/runtime knows no board",
  async run({ root }) {
    const paths = filesBelow(root, "boards", [".c", ".h"]);
    const known = new Set(paths);
    const problems: string[] = [];
    for (const path of paths) {
      const own = path.split("/")[1] ?? "";
      for (const { line, target } of includesOf(textOf(root, path))) {
        const beside = posix.normalize(posix.join(posix.dirname(path), target));
        const candidates = known.has(beside)
          ? [beside]
          : paths.filter((other) => other.endsWith(`/${target}`));
        const owners = new Set(candidates.map((candidate) => candidate.split("/")[1] ?? ""));
        if (owners.size === 0 || owners.has(own) || owners.has("runtime")) continue;
        const rule =
          own === "runtime"
            ? "boards/runtime may not include a board's files"
            : "boards share only boards/runtime";
        problems.push(`${path}:${line}: includes "${target}" of boards/${[...owners].join(", ")}: ${rule}`);
      }
    }
    return { problems };
  },
};
