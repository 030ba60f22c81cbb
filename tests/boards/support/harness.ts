// Builds harness.c with sanitizers around parts of boards/runtime, and asks it questions.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { compileProgram } from "../../../host/build/compile-c.ts";
import { findCompiler, findWasm3, sanitizerFlags } from "../../../host/build/toolchain.ts";

const ROOT = join(import.meta.dirname, "../../..");
const PARTS = ["cbor.c", "cobs.c", "crc32c.c", "pool.c", "sha256.c", "wasm_scan.c"];

/** Path of the harness, built if need be. */
export async function buildHarness(): Promise<string> {
  const runtime = join(ROOT, "boards/runtime");
  const compiler = findCompiler() as string;
  const checked = await sanitizerFlags(compiler);
  const flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-fwrapv", ...checked.compile, `-I${runtime}`];
  const output = join(ROOT, "dist/tests/boards/harness");
  await compileProgram({
    compiler,
    jobs: [join(import.meta.dirname, "harness.c"), ...PARTS.map((name) => join(runtime, name))].map(
      (source) => ({
        source,
        flags: [...flags, "-isystem", findWasm3(ROOT).folder],
      }),
    ),
    linkFlags: checked.link,
    objects: join(ROOT, "dist/tests/boards/objects"),
    output,
    root: ROOT,
  });
  return output;
}

/** Answers to commands, one for each. @throws Error with the sanitizer's report if the harness does not survive them */
export function ask(harness: string, commands: string[]): Promise<string[]> {
  return new Promise((done, fail) => {
    const child = spawn(harness, { stdio: ["pipe", "pipe", "pipe"] });
    let out = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.stdin.on("error", () => {});
    child.on("error", fail);
    child.on("close", (code) => {
      const lines = out.split("\n").slice(0, -1);
      if (code === 0 && lines.length === commands.length) done(lines);
      else
        fail(
          new Error(
            `harness ended with ${code} after ${lines.length} of ${commands.length} answers:\n${errors}`,
          ),
        );
    });
    child.stdin.end(commands.map((line) => `${line}\n`).join(""));
  });
}
