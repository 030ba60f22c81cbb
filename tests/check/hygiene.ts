// What no formatter sees: files that grew too long, addresses and paths that belong to one machine, skipped tests.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Check, filesBelow, runTool, textOf } from "./part.ts";

const LONGEST = 400;

/** Files that may be longer than 400 lines, each with its reason. */
const LONG_FILES: Record<string, string> = {
  "assembly/apps/camera/net.ts": "the weights of a network, written by npm run train:camera",
};

const SOURCE_ENDINGS = [
  ".ts",
  ".mts",
  ".js",
  ".mjs",
  ".cjs",
  ".c",
  ".h",
  ".s",
  ".S",
  ".ld",
  ".sh",
  ".css",
  ".html",
];

export const fileLength: Check = {
  name: `files of at most ${LONGEST} lines`,
  async run({ root }) {
    const problems: string[] = [];
    for (const path of filesBelow(root, "", SOURCE_ENDINGS)) {
      const lines = textOf(root, path).split("\n").length - 1;
      if (lines > LONGEST && LONG_FILES[path] === undefined) {
        problems.push(
          `${path}: ${lines} lines; split it, or give the reason in LONG_FILES of tests/check/hygiene.ts`,
        );
      }
    }
    for (const path of Object.keys(LONG_FILES)) {
      if (!existsSync(join(root, path))) problems.push(`${path}: in LONG_FILES, but does not exist`);
    }
    return { problems };
  },
};

/** Texts that tie a file to one machine or one mirror. Built from parts, so that this file does not match itself. */
const FOREIGN: { pattern: RegExp; what: string }[] = [
  { pattern: /\bregistry\.[\w-]+\.(?:org|com|net|io|dev|cn)\b/, what: "a registry's host" },
  {
    pattern: new RegExp(`\\b(?:${["deb\\.debian", "files\\.pythonhosted"].join("|")})\\.org\\b`),
    what: "a mirror's host",
  },
  {
    pattern: new RegExp(`(?<![\\w.:-])/(?:${["work", "root"].join("|")})/[\\w.]`),
    what: "a path of one machine",
  },
  {
    pattern: new RegExp(`(?<![\\w.:-])/(?:${["home", "Users"].join("|")})/[\\w.]`),
    what: "a path of one machine",
  },
];

const TEXT =
  /\.(?:ts|mts|js|mjs|cjs|c|h|s|S|ld|sh|css|html|json|md|txt|yml|yaml|toml)$|(?:^|\/)(?:\.[a-z-]+|run|LICENSE)$/;

/** Files that git tracks or would track (untracked and not ignored); outside a repository, all source files. */
async function trackedFiles(root: string): Promise<string[]> {
  const listed = await runTool("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], root);
  if (listed.code !== 0) return filesBelow(root, "", [""]);
  return listed.output.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
}

export const foreignNames: Check = {
  name: "no registry host, no machine path",
  async run({ root }) {
    const problems: string[] = [];
    for (const path of (await trackedFiles(root)).filter((path) => TEXT.test(path))) {
      textOf(root, path)
        .split("\n")
        .forEach((line, index) => {
          for (const { pattern, what } of FOREIGN) {
            const hit = pattern.exec(line)?.[0];
            if (hit !== undefined) problems.push(`${path}:${index + 1}: ${what}: ${hit}`);
          }
        });
    }
    return { problems };
  },
};

export const lockFile: Check = {
  name: "package-lock.json without addresses",
  async run({ root }) {
    if (!existsSync(join(root, "package-lock.json"))) return { problems: ["package-lock.json is missing"] };
    const lock = JSON.parse(textOf(root, "package-lock.json")) as {
      packages: Record<string, { resolved?: string; link?: boolean }>;
    };
    const addressed = Object.entries(lock.packages).filter(([, entry]) => entry.resolved && !entry.link);
    return {
      problems: addressed.map(
        ([path]) => `${path}: has a "resolved" address; run npm install with this project's .npmrc`,
      ),
    };
  },
};
