// The checks of our own, each on a tree that breaks its rule.
import { copyFileSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { assembly, hideDecorators, showDecorators } from "../check/assembly.ts";
import { cIncludes, clangFormat } from "../check/c.ts";
import { fileLength, foreignNames, lockFile } from "../check/hygiene.ts";
import type { Check } from "../check/part.ts";
import { requires } from "../support/requirements.ts";
import { temporaryTree } from "../support/tree.ts";

const BIN = resolve("node_modules/.bin");

async function problems(check: Check, root: string, fix = false): Promise<string> {
  return (await check.run({ root, bin: BIN, fix })).problems.join("\n");
}

describe("AssemblyScript", () => {
  const decorated = [
    "// @ts-ignore: decorator",
    "@inline",
    "export function add(a: i32, b: i32): i32 {",
    "  return a + b;",
    "}",
    "",
    '@external("octomote_1", "clock")',
    "export declare function clock(): i64;",
    "",
    "@lazy @inline const ONE: i32 = 1;",
    "",
    "@unmanaged",
    "export class Pair {",
    "  a: i32 = ONE;",
    "",
    "  @inline get twice(): i32 {",
    "    return 2 * this.a;",
    "  }",
    "}",
    "",
  ].join("\n");

  it("hides decorators in comments and shows them again", () => {
    const hidden = hideDecorators(decorated);
    expect(hidden.match(/^\s*@/gm)).toBeNull();
    expect(showDecorators(hidden)).toBe(decorated);
  });

  it("leaves documentation tags and at-signs in text alone", () => {
    const source =
      '/**\n * @param a a number\n */\nexport const AT: string = "@inline";\n// @ts-ignore: decorator\n';
    expect(hideDecorators(source)).toBe(source);
  });

  const treeWith = (source: string): string => {
    const root = temporaryTree({ "assembly/int8/a.ts": source });
    copyFileSync("biome.json", join(root, "biome.json"));
    return root;
  };

  it("accepts decorated functions, constants, classes and methods", async () => {
    expect(await problems(assembly, treeWith(decorated))).toBe("");
  });

  it("refuses bad form, and repairs it with every decorator in place", async () => {
    const root = treeWith(decorated.replaceAll("  return", "      return"));
    expect(await problems(assembly, root)).toContain("assembly/int8/a.ts");
    expect(await problems(assembly, root, true)).toBe("");
    expect(readFileSync(join(root, "assembly/int8/a.ts"), "utf8")).toBe(decorated);
  });

  it("refuses an import that nobody uses", async () => {
    const root = treeWith('import { x } from "./b";\n\nexport const y: i32 = 1;\n');
    expect(await problems(assembly, root)).toContain("noUnusedImports");
  });

  it("refuses what is not AssemblyScript at all", async () => {
    expect(await problems(assembly, treeWith("export function (: i32\n"))).toContain("parse");
  });
});

describe("C", () => {
  it("refuses a board's file in the runtime", async () => {
    const root = temporaryTree({
      "boards/runtime/link.c": '#include <stdint.h>\n#include "link.h"\n#include "../posix/uart.h"\n',
      "boards/runtime/link.h": "",
      "boards/posix/uart.h": "",
    });
    expect(await problems(cIncludes, root)).toMatch(
      /^boards\/runtime\/link.c:3: includes "..\/posix\/uart.h"/,
    );
  });

  it("refuses it by bare name too, as an include path would find it", async () => {
    const root = temporaryTree({
      "boards/runtime/link.c": '#include "uart.h"\n',
      "boards/posix/uart.h": "",
    });
    expect(await problems(cIncludes, root)).toContain("boards/runtime may not include a board's files");
  });

  it("refuses one board's file in another", async () => {
    const root = temporaryTree({ "boards/mps2/main.c": '#include "uart.h"\n', "boards/posix/uart.h": "" });
    expect(await problems(cIncludes, root)).toContain("boards share only boards/runtime");
  });

  it("allows the runtime in a board, and an engine's header from elsewhere", async () => {
    const root = temporaryTree({
      "boards/posix/main.c": '#include "hal.h"\n#include "../runtime/hal.h"\n#include "wasm3.h"\n',
      "boards/runtime/hal.h": "",
    });
    expect(await problems(cIncludes, root)).toBe("");
  });

  requires("clang-format").describe("form", () => {
    it("is refused and repaired", async () => {
      const root = temporaryTree({ "boards/posix/main.c": "int main( void ){return 0;}\n" });
      copyFileSync(".clang-format", join(root, ".clang-format"));
      expect(await problems(clangFormat, root)).toContain("boards/posix/main.c:1");
      expect(await problems(clangFormat, root, true)).toBe("");
      expect(await problems(clangFormat, root)).toBe("");
      expect(readFileSync(join(root, "boards/posix/main.c"), "utf8")).toBe("int main(void) { return 0; }\n");
    });
  });
});

describe("files", () => {
  it("refuses the 401st line", async () => {
    const root = temporaryTree({ "host/a.ts": "\n".repeat(400), "host/b.ts": "\n".repeat(401) });
    expect(await problems(fileLength, root)).toMatch(/^host\/b.ts: 401 lines/);
  });

  it.each([
    ["a registry", `https://registry.${"example"}.org/x`],
    ["a user's folder", `see /${"home"}/somebody/octomote`],
    ["a checkout's folder", `cd /${"work"}/main`],
  ])("refuses the address of %s", async (_, text) => {
    const root = temporaryTree({ "docs/a.md": `first line\n${text}\n` });
    expect(await problems(foreignNames, root)).toMatch(/^docs\/a.md:2: /);
  });

  it("allows paths of Debian and addresses of documents", async () => {
    const root = temporaryTree({
      "a.md": "/usr/share/datasets, https://example.org/home/page, ./work/x, a/root/b\n",
    });
    expect(await problems(foreignNames, root)).toBe("");
  });

  it("refuses a lock file that names where packages come from", async () => {
    const lock = { packages: { "": {}, "node_modules/a": { resolved: "https://mirror.example/a.tgz" } } };
    const root = temporaryTree({ "package-lock.json": JSON.stringify(lock) });
    expect(await problems(lockFile, root)).toContain("node_modules/a");
    const clean = temporaryTree({
      "package-lock.json": JSON.stringify({ packages: { "node_modules/a": {} } }),
    });
    expect(await problems(lockFile, clean)).toBe("");
  });
});
