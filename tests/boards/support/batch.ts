// Many calls of intrinsics on an emulated Cortex-M4 at once (batch.c), which a link would carry one by one.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildFirmware } from "../../../host/build/firmware.ts";
import { emulatorArgs, readEmulatedBoard } from "../../../host/devices/boot-image.ts";
import type { Call } from "./calls.ts";

const BOARD = "mps2-an386";
const LIMIT_MS = 120_000;

/** What a call left: the numbers of its error, or its result (0 without one) and a hash of the memory. */
export type Left = { trap: number[] } | { result: number; hash: number };

/** As the boot firmware's main expects them in external RAM. */
function encode(calls: readonly Call[]): Uint8Array {
  const parts = calls.map(({ name, args, memory }) => {
    const part = new Uint8Array(40 + 4 * args.length + Math.ceil(memory.length / 4) * 4);
    part.set(new TextEncoder().encode(name));
    const view = new DataView(part.buffer);
    [args.length, memory.length, ...args].forEach((word, i) => {
      view.setInt32(32 + 4 * i, word, true);
    });
    part.set(memory, 40 + 4 * args.length);
    return part;
  });
  return Buffer.concat([new Uint8Array(Uint32Array.of(calls.length).buffer), ...parts]);
}

/** Makes the calls in their order. @throws Error with the firmware's words if it does not come to their end */
export async function runBatch(calls: readonly Call[]): Promise<Left[]> {
  const firmware = await buildFirmware(BOARD, { main: join(import.meta.dirname, "batch.c") });
  const folder = await mkdtemp(join(tmpdir(), "octomote-batch-"));
  try {
    const boot = join(folder, "calls.bin");
    await writeFile(boot, encode(calls));
    const board = await readEmulatedBoard(BOARD);
    const text = await run(board.emulator.program, [
      ...emulatorArgs(board, { serial: "null", firmware: firmware.path, boot }),
      ...["-semihosting-config", "enable=on,target=native"],
    ]);
    const lines = text.trim().split("\n");
    if (lines.length !== calls.length) throw new Error(`${lines.length} of ${calls.length} calls:\n${text}`);
    return lines.map((line) => {
      const [what, ...rest] = line.trim().split(" ");
      const numbers = rest.map((digits) => Number.parseInt(digits, 16) | 0);
      return what === "trap" ? { trap: numbers } : { result: numbers[0] ?? 0, hash: numbers[1] ?? 0 };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function run(program: string, args: string[]): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("latin1").on("data", (more: string) => {
        text += more;
      });
    }
    const watchdog = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
    child.on("error", fail);
    child.on("close", (code) => {
      clearTimeout(watchdog);
      if (code === 0) done(text);
      else fail(new Error(`the firmware ended with ${code}: ${text}`));
    });
  });
}
