import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  describeFault,
  ENTRY_POINTS,
  ERRORS,
  errorCode,
  errorName,
  errorsMarkdown,
  LAYERS,
} from "../../host/protocol/errors.ts";
import { INTRINSIC_FAMILIES, INTRINSICS } from "../../host/protocol/intrinsics.ts";

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

test("docs/errors.md is printed from the table", async () => {
  await expect(errorsMarkdown()).toMatchFileSnapshot("../../docs/errors.md");
});

test("codes ascend, and no name appears twice", () => {
  const codes = ERRORS.map((entry) => entry.code);
  expect(codes).toEqual([...new Set(codes)].sort((a, b) => a - b));
  expect(new Set(ERRORS.map((entry) => entry.name)).size).toBe(ERRORS.length);
});

test("boards/runtime/errors.h has every code that firmware raises, under the same name", () => {
  const header = new Map<number, string>();
  for (const [, name, code] of read("boards/runtime/errors.h").matchAll(/^ {2}OM_([A-Z0-9_]+) = (\d+),/gm)) {
    if (code !== "0") header.set(Number(code), (name as string).toLowerCase().replaceAll("_", "-"));
  }
  // states of a model are looked at by the firmware before its module sees them
  const table = ERRORS.filter(
    ({ code, name }) => code < 20 || (code >= 40 && code < 80) || name === "state-mismatch",
  );
  expect(Object.fromEntries(header)).toEqual(Object.fromEntries(table.map(({ code, name }) => [code, name])));
});

test("assembly/device/errors.ts has every code that modules raise", () => {
  const codes = [...read("assembly/device/errors.ts").matchAll(/^export const [A-Z0-9_]+ = (\d+);/gm)];
  expect(codes.map(([, code]) => Number(code))).toEqual(
    ERRORS.map(({ code }) => code).filter((code) => code < 40),
  );
});

test("layers have the kinds of assembly/octo/layer.ts", () => {
  const kinds = [...read("assembly/octo/layer.ts").matchAll(/^export const ([A-Z0-9_]+): u8 = (\d+);/gm)];
  const names = kinds.map(([, name]) => (name as string).toLowerCase().replaceAll("_", ""));
  expect(names).toEqual(LAYERS.slice(1).map((name) => name.toLowerCase()));
  expect(kinds.map(([, , kind]) => Number(kind))).toEqual(kinds.map((_, i) => i + 1));
});

test("no two intrinsics share a number or a name", () => {
  const names = INTRINSIC_FAMILIES.flatMap((family) => family.names);
  expect(INTRINSICS.size).toBe(names.length);
  expect(new Set(names).size).toBe(names.length);
});

test("intrinsics and entry points have the numbers of docs/abi.md", () => {
  const abi = read("docs/abi.md");
  const table = [...abi.matchAll(/^\| (\d+) \| `(\w+)\(/gm)].map(([, number, name]) => [
    Number(number),
    name,
  ]);
  expect(table).toEqual([...INTRINSICS]);
  const exports = abi.slice(abi.indexOf("## Exports"), abi.indexOf("## Configuration"));
  const names = [...exports.matchAll(/^\| `(\w+)` \| `/gm)].map(([, name]) => name);
  expect(names).toEqual(ENTRY_POINTS.slice(1));
});

describe("a fault in words", () => {
  test.each([
    [
      { code: 8, where: 1, got: 70000, want: 65536 },
      /^conv2d: .*\(end: 70000; limit: 65536\)\. Check the pointer/,
    ],
    [{ code: 20, where: -256, got: 2, want: 3 }, /^the model's input: /],
    [{ code: 28, where: 3, got: 1, want: 2 }, /^word 3 of the header: /],
    [
      { code: 20, where: (3 << 8) | 1, got: 5, want: 4 },
      /^layer 3 \(conv2d\): the layer does not fit its input \(needs: 5; room for: 4\)\. /,
    ],
    [{ code: 43, where: 5 }, /^step: the module stopped itself/],
    [{ code: 40, where: 2, text: "env.abort" }, /^import 2: .*\(env\.abort\)\. Import only/],
    [{ code: 999 }, /error 999.*update Octomote/],
  ])("%j", (fault, sentence) => {
    expect(describeFault(fault)).toMatch(sentence);
  });

  test("names and codes belong together", () => {
    for (const { code, name } of ERRORS) expect([errorName(code), errorCode(name)]).toEqual([name, code]);
    expect(errorName(0)).toBe("ok");
    expect(errorName(999)).toBe("error-999");
    expect(errorCode("nonsense")).toBeUndefined();
  });
});
