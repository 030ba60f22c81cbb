// A firmware of the tests' own on an emulated Cortex-M4, which reads what it is to do from external RAM and tells over
// semihosting what came of it, a line for each.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildFirmware } from "../../../host/build/firmware.ts";
import { emulatorArgs, readEmulatedBoard } from "../../../host/devices/boot-image.ts";

const BOARD = "mps2-an386";
const LIMIT_MS = 120_000;

/** A word, then numbers of 32 bits. */
export interface GuestLine {
  what: string;
  numbers: number[];
}

/**
 * Runs a main of this folder with `external` at the start of external RAM.
 * @throws Error with the firmware's words if it does not tell `count` lines
 */
export async function runGuest(main: string, external: Uint8Array, count: number): Promise<GuestLine[]> {
  const firmware = await buildFirmware(BOARD, { main: join(import.meta.dirname, main) });
  const folder = await mkdtemp(join(tmpdir(), "octomote-guest-"));
  try {
    const boot = join(folder, "external.bin");
    await writeFile(boot, external);
    const board = await readEmulatedBoard(BOARD);
    const text = await run(board.emulator.program, [
      ...emulatorArgs(board, { serial: "null", firmware: firmware.path, boot }),
      ...["-semihosting-config", "enable=on,target=native"],
    ]);
    const lines = text.trim().split("\n");
    if (lines.length !== count) throw new Error(`${lines.length} of ${count} lines:\n${text}`);
    return lines.map((line) => {
      const [what = "", ...rest] = line.trim().split(" ");
      return { what, numbers: rest.map((digits) => Number.parseInt(digits, 16) | 0) };
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
