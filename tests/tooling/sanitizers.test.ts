// What sanitizers report fails the test that runs, also when nobody looks at the process that reported.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { buildFirmware, findCompiler } from "../../host/build/firmware.ts";
import { sanitizerFlags } from "../../host/build/toolchain.ts";
import { requires } from "../support/requirements.ts";
import { failOnReports } from "../support/sanitizers.ts";
import { temporaryTree } from "../support/tree.ts";

requires("gcc").describe("a report of a sanitizer", () => {
  it.each([
    ["heap-use-after-free", "char *p = malloc(argc + 3); free(p); return p[argc];"],
    ["detected memory leaks", "char *volatile p = malloc(argc); p = 0; return 0;"],
    ["shift exponent", "return 1 << (argc + 40);"],
  ])("%s fails the test", async (report, body) => {
    const folder = temporaryTree({
      "fault.c": `#include <stdlib.h>\nint main(int argc, char **argv) { (void)argv; ${body} }\n`,
    });
    const program = join(folder, "fault");
    const compiler = findCompiler() as string;
    const { link } = await sanitizerFlags(compiler);
    const args = [...link, join(folder, "fault.c"), "-o", program];
    expect(spawnSync(compiler, args, { stdio: "ignore" }).status).toBe(0);
    spawnSync(program, { stdio: "ignore" });
    expect(failOnReports).toThrow(report);
    expect(failOnReports).not.toThrow();
  });

  it("is what the firmware of this machine can give in every test", async () => {
    expect(process.env.OCTOMOTE_SANITIZE).toBe("1");
    const { path } = await buildFirmware("posix");
    expect(path).toContain("posix-sanitize");
    const { stdout } = spawnSync("nm", [path], { encoding: "utf8" });
    expect(stdout).toMatch(/ __asan_report_load1/);
    expect(stdout).toMatch(/ __ubsan_handle_/);
  });
});
