// The rules of .dependency-cruiser.cjs, each broken in a tree of its own beside imports that are allowed.
import { copyFileSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { imports } from "../check/imports.ts";
import { temporaryTree } from "../support/tree.ts";

const FORBIDDEN: [from: string, to: string, rule: string][] = [
  ["host/protocol", "host/link", "host-protocol"],
  ["host/link", "host/bridge", "host-link"],
  ["host/dashboard", "host/bridge", "host-dashboard"],
  ["host/dashboard", "host/link", "host-dashboard"],
  ["host/module", "host/devices", "host-module"],
  ["host/data", "host/link", "host-data"],
  ["host/build", "host/devices", "host-build"],
  ["host/bridge", "host/devices", "host-bridge"],
  ["host/devices", "host/bridge", "host-devices"],
  ["host/ota", "host/bridge", "host-ota"],
  ["host/cloud", "host/link", "host-cloud"],
  ["host/bridge", "host/cli", "nobody-imports-cli"],
  ["bench", "host/cli", "nobody-imports-cli"],
  ["assembly/int8", "host/protocol", "assembly-alone"],
  ["assembly/int8", "boards/posix", "assembly-alone"],
  ["host/module", "assembly/int8", "assembly-is-compiled"],
  ["host/cli", "tests/support", "product-without-tests"],
  ["host/cli", "bench", "product-without-tests"],
  ["bench", "tests/link", "bench-without-tests"],
];

const ALLOWED: [from: string, to: string][] = [
  ["host/link", "host/protocol"],
  ["host/dashboard", "host/protocol"],
  ["host/bridge", "host/link"],
  ["host/devices", "host/build"],
  ["host/cli", "host/bridge"],
  ["tests/bridge", "host/cli"],
  ["bench", "host/devices"],
  ["assembly/octo", "assembly/int8"],
];

const SETTINGS = {
  "package.json": JSON.stringify({ name: "fixture", version: "1.0.0", type: "module" }),
  "tsconfig.json": readFileSync("tsconfig.json", "utf8"),
};

/** What the project's own rules say about a tree of `files`, sorted lines of `rule: from → to`. */
async function violations(files: Record<string, string>): Promise<string[]> {
  const root = temporaryTree({ ...SETTINGS, ...files });
  copyFileSync(".dependency-cruiser.cjs", join(root, ".dependency-cruiser.cjs"));
  const { problems } = await imports.run({ root, bin: resolve("node_modules/.bin"), fix: false });
  const lines = [...problems.join("\n").matchAll(/^\s*error (\S+: .*)$/gm)]
    .map((match) => match[1] ?? "")
    .sort();
  if (problems.length > 0 && lines.length === 0) throw new Error(problems.join("\n"));
  return lines;
}

/** Files in which the n-th of `pairs` imports from its first folder into its second. */
function treeOf(pairs: [from: string, to: string, rule?: string][], keyword: string): Record<string, string> {
  return Object.fromEntries(
    pairs.flatMap(([from, to], n) => {
      const target = `${"../".repeat(from.split("/").length)}${to}/to${n}.ts`;
      return [
        [`${from}/from${n}.ts`, `${keyword} { X } from "${target}";\nexport const y: typeof X = 1;\n`],
        [`${to}/to${n}.ts`, "export const X = 1;\n"],
      ];
    }),
  );
}

describe("direction of imports", () => {
  it.each(["import", "import type"])(
    "refuses each forbidden `%s`, and says which rule it breaks",
    async (keyword) => {
      const expected = FORBIDDEN.map(
        ([from, to, rule], n) => `${rule}: ${from}/from${n}.ts → ${to}/to${n}.ts`,
      );
      expect(await violations(treeOf(FORBIDDEN, keyword))).toEqual(expect.arrayContaining(expected));
    },
  );

  it("allows what the layers are for", async () => {
    expect(await violations(treeOf(ALLOWED, "import"))).toEqual([]);
  });

  it("refuses Node's modules where a page runs the same file", async () => {
    const source = 'import { readFileSync } from "node:fs";\nexport const y = readFileSync;\n';
    expect(await violations({ "host/protocol/a.ts": source, "host/link/a.ts": source })).toEqual([
      "browser-safe: host/protocol/a.ts → fs",
    ]);
  });

  it("refuses a cycle of values, and allows one of types", async () => {
    const uses = (name: string) => `import { ${name} } from "./${name}.ts";\n`;
    const types = (name: string) => `import type { ${name} } from "./${name}.ts";\n`;
    const found = await violations({
      "host/link/a.ts": `${uses("b")}export const a = (): number => b();\n`,
      "host/link/b.ts": `${uses("a")}export const b = (): number => a();\n`,
      "host/link/c.ts": `${uses("d")}export const c = (): number => d();\n`,
      "host/link/d.ts": `${types("c")}export const d = (): number => (null as unknown as typeof c)();\n`,
    });
    expect(found).toEqual(["no-cycles: host/link/a.ts → "]);
  });

  it("refuses a cycle of folders in AssemblyScript, and allows one in a folder", async () => {
    const file = (name: string, from: string) =>
      `import { X } from "${from}";\nexport class ${name} { x: X }\n`;
    const found = await violations({
      "tests/a.ts": "",
      "assembly/octo/a.ts": file("A", "./b"),
      "assembly/octo/b.ts": file("B", "./a"),
      "assembly/sgq/c.ts": file("C", "../pass/d"),
      "assembly/pass/d.ts": file("D", "../sgq/c"),
    });
    expect(found).toEqual(["no-cycles-of-folders: assembly/pass/d.ts → "]);
  });

  it("refuses a package that an install of the product would not bring", async () => {
    const packages = {
      "package.json": JSON.stringify({
        name: "fixture",
        version: "1.0.0",
        type: "module",
        dependencies: { brought: "1.0.0" },
        devDependencies: { "left-behind": "1.0.0" },
      }),
      "node_modules/brought/package.json": '{ "name": "brought", "version": "1.0.0", "main": "index.js" }',
      "node_modules/brought/index.js": "export default 1;\n",
      "node_modules/left-behind/package.json":
        '{ "name": "left-behind", "version": "1.0.0", "main": "index.js" }',
      "node_modules/left-behind/index.js": "export default 1;\n",
    };
    const source = 'import a from "brought";\nimport b from "left-behind";\nexport { a, b };\n';
    expect(await violations({ ...packages, "host/link/a.ts": source, "tests/a.ts": source })).toEqual([
      "no-dev-dependency-in-product: host/link/a.ts → node_modules/left-behind/index.js",
    ]);
  });

  it("refuses what cannot be found", async () => {
    const found = await violations({
      "host/link/a.ts":
        'import { b } from "./nowhere.ts";\nimport c from "no-such-package";\nexport { b, c };\n',
    });
    expect(found).toEqual(
      expect.arrayContaining([
        "resolvable: host/link/a.ts → ./nowhere.ts",
        "resolvable: host/link/a.ts → no-such-package",
      ]),
    );
  });
});
