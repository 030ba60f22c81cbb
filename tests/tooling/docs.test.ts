// What the documents name exists: files they link to, npm scripts, verbs, dependencies.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const PAGES = [
  "README.md",
  ...readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const manifest = JSON.parse(readFileSync("package.json", "utf8"));

/** What `pattern` captures in a page, each once. */
function found(page: string, pattern: RegExp): string[] {
  return [...new Set([...readFileSync(page, "utf8").matchAll(pattern)].map((match) => match[1] ?? ""))];
}

describe.each(PAGES)("%s", (page) => {
  it("links to files that exist", () => {
    const targets = found(page, /\]\((?!https?:)([^)#\s]+)/g);
    expect(targets.filter((target) => !existsSync(join(dirname(page), target)))).toEqual([]);
  });

  it("names npm scripts that exist", () => {
    const scripts = found(page, /npm run ([a-z:-]+)/g);
    expect(scripts.filter((script) => manifest.scripts[script] === undefined)).toEqual([]);
  });

  it("names files of the project that exist", () => {
    const paths = found(page, /`((?:assembly|boards|host|tests|bench|docs)\/[\w./-]*\w)`/g);
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });
});

it("names verbs that the command line has", () => {
  const help = spawnSync(process.execPath, ["host/cli/octomote.mjs", "--help"], { encoding: "utf8" });
  expect(help.status).toBe(0);
  const verbs = new Set(PAGES.flatMap((page) => found(page, /^\s*(?:\$ )?(?:npx )?octomote ([a-z]+)/gm)));
  for (const verb of verbs) expect(help.stdout).toMatch(new RegExp(`^\\s+${verb}\\b`, "m"));
});

it("docs/dependencies.md tells why each package is there, and of no other", () => {
  const page = readFileSync("docs/dependencies.md", "utf8");
  const rows = [...page.matchAll(/^\| (`.*?`) \|/gm)].flatMap((row) => [
    ...(row[1] ?? "").matchAll(/`([^`]+)`/g),
  ]);
  const named = rows.map((match) => match[1]).sort();
  const kinds = ["dependencies", "optionalDependencies", "devDependencies"];
  const wanted = kinds.flatMap((kind) => Object.keys(manifest[kind])).sort();
  expect(named).toEqual(wanted);
});
