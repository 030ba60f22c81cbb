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
  const board = await readEmulatedBoard(BOARD);
  return linesOf(external, count, board.emulator.program, (boot) => [
    ...emulatorArgs(board, { serial: "null", firmware: firmware.path, boot }),
    ...["-semihosting-config", "enable=on,target=native"],
  ]);
}

/**
 * What a program tells of a file with this content.
 * @throws Error with the program's words if it does not tell `count` lines
 */
export async function linesOf(
  content: Uint8Array,
  count: number,
  program: string,
  args: (path: string) => string[],
): Promise<GuestLine[]> {
  const folder = await mkdtemp(join(tmpdir(), "octomote-guest-"));
  try {
    const path = join(folder, "external.bin");
    await writeFile(path, content);
    const text = await run(program, args(path));
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
    // a sanitizer's report comes with the words of what it ended
    const env = { ...process.env, UBSAN_OPTIONS: "", ASAN_OPTIONS: "" };
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
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
      else fail(new Error(`it ended with ${code}: ${text}`));
    });
  });
}
