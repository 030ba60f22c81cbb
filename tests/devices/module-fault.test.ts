import { describe, expect, test } from "vitest";
import { moduleFault } from "../../host/devices/module-fault.ts";
import { AdmissionError } from "../../host/module/admission.ts";
import { ModuleTrap } from "../../host/module/module-host.ts";
import { errorName } from "../../host/protocol/errors.ts";

/** The error of a real trap: a module whose only function has this body. */
function trap(...body: number[]): unknown {
  const code = [0, ...body, 0x0b];
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 4, 1, 0x60, 0, 0],
    ...[3, 2, 1, 0],
    ...[4, 4, 1, 0x70, 0, 1],
    ...[5, 3, 1, 0, 1],
    ...[7, 5, 1, 1, 0x66, 0, 0],
    ...[10, code.length + 2, 1, code.length, ...code],
  ];
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)));
  try {
    (exports.f as () => void)();
  } catch (error) {
    return error;
  }
  return expect.unreachable("it did not trap");
}

const I32_CONST = 0x41;
const DROP = 0x1a;

describe("V8's traps have the codes of firmware", () => {
  test.each<[string, number[]]>([
    ["unreachable", [0]],
    ["memory-access", [I32_CONST, 0x7f, 0x28, 2, 0, DROP]],
    ["divide-by-zero", [I32_CONST, 1, I32_CONST, 0, 0x6d, DROP]],
    ["divide-by-zero", [I32_CONST, 1, I32_CONST, 0, 0x70, DROP]],
    ["integer-overflow", [I32_CONST, 0x80, 0x80, 0x80, 0x80, 0x78, I32_CONST, 0x7f, 0x6d, DROP]],
    ["bad-indirect-call", [I32_CONST, 0, 0x11, 0, 0]],
    ["bad-indirect-call", [I32_CONST, 9, 0x11, 0, 0]],
    ["stack-overflow", [0x10, 0]],
  ])("%s %j", (name, body) => {
    const fault = moduleFault(trap(...body), "step");
    expect([errorName(fault.code), fault.where]).toEqual([name, 5]);
  });
});

test("a module's own error keeps its numbers", () => {
  expect(moduleFault(new ModuleTrap(22, 1, 2, 3), "init")).toEqual({ code: 22, where: 1, got: 2, want: 3 });
});

test("what admission refuses is told in its words", () => {
  const fault = moduleFault(new AdmissionError(`import "env.abort"${"!".repeat(100)}`), "init");
  expect(errorName(fault.code)).toBe("bad-module");
  expect(fault.text).toHaveLength(79);
});

test("anything else is a trap with its text", () => {
  expect(moduleFault("odd", "nowhere")).toEqual({ code: 49, text: "odd" });
});
