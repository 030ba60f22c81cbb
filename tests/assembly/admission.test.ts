// Admission: what may not run is refused before it does, and the message names the offender.
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { type BuiltModule, buildModules } from "../../host/build/modules.ts";
import { AdmissionError, admit } from "../../host/module/admission.ts";
import { ModuleHost } from "../../host/module/module-host.ts";
import { assemble, disassemble } from "./support.ts";

let wasm: Uint8Array<ArrayBuffer>;
let text: string;

beforeAll(async () => {
  const built = await buildModules({ targets: ["device"] });
  wasm = new Uint8Array(await readFile((built.find((one) => one.app === "trainer") as BuiltModule).path));
  text = disassemble(wasm);
});

/** The trainer with one thing changed; the change must have happened. */
function changed(from: string | RegExp, to: string): Uint8Array<ArrayBuffer> {
  const odd = text.replace(from, to);
  expect(odd).not.toBe(text);
  return assemble(odd);
}

async function refusal(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const error = await admit(bytes).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AdmissionError);
  return (error as Error).message;
}

describe("admission", () => {
  it("takes what the build makes, and what was taken apart and put together again", async () => {
    expect((await admit(wasm)).imports.sort()).toEqual(["octo_int8_1", "octomote_1"]);
    expect((await admit(assemble(text))).imports.sort()).toEqual(["octo_int8_1", "octomote_1"]);
  });

  it("refuses a module that is cut short, at any length", async () => {
    for (let length = 0; length < wasm.length; length += 97) {
      expect(await refusal(wasm.slice(0, length)), `${length} bytes`).toContain(
        "not a valid WebAssembly module",
      );
    }
  });

  it("refuses a body that the specification forbids: wasm3 0.5.0 would run it", async () => {
    const odd = wasm.slice();
    // the last instruction before the last function's end becomes one that does not exist
    const data = [...odd.keys()].filter((i) => odd[i] === 0x0b);
    for (const i of data.slice(0, 40)) odd[i] = 0xff;
    expect(await refusal(odd)).toContain("not a valid WebAssembly module");
  });

  it("refuses an import from elsewhere, by name", async () => {
    const foreign = changed(/\(import "octomote_1" "fail"/, '(import "env" "system"');
    expect(await refusal(foreign)).toContain('"env.system"');
    const unknown = changed(/\(import "octo_int8_1" "conv2d"/, '(import "octo_int8_1" "conv3d"');
    expect(await refusal(unknown)).toContain('"octo_int8_1.conv3d"');
    const table = changed(
      /\(import "octomote_1" "fail"/,
      '(import "octomote_1" "log" (table $t 1 funcref))\n (import "octomote_1" "fail"',
    );
    expect(await refusal(table)).toContain("(table)");
  });

  it("refuses a module that lacks an entry point", async () => {
    for (const name of ["abi", "config", "initialize", "init", "step", "selfTest", "restore", "memory"]) {
      const without = changed(new RegExp(`\\(export "${name}"`), `(export "${name}_"`);
      expect(await refusal(without), name).toContain(`export "${name}"`);
    }
  });

  it("refuses memory that may grow", async () => {
    for (const memory of ["(memory $0 1)", "(memory $0 1 2)"]) {
      const growing = changed(/\(memory \$\S+ 1 1\)/, memory);
      expect(await refusal(growing), memory).toContain("maximum must equal its minimum");
    }
  });

  it("a device module without the twins is refused with the way out", async () => {
    await expect(ModuleHost.load(wasm)).rejects.toThrow("intrinsics.wasm");
  });
});
