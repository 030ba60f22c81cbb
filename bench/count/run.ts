/** Runs a module in the bench firmware of mps2-an386 (boards/mps2-an386/main_bench.c) under the counting plugin. */
import { readFile } from "node:fs/promises";
import { buildFirmware } from "../../host/build/firmware.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { encodeSamples } from "../../host/data/sample-file.ts";
import { encodeBootImage } from "../../host/devices/boot-image.ts";
import { BOARD, countBoot } from "./boot.ts";
import { CountError, type Region } from "./plugin.ts";

/** Drawn images, so that counts do not depend on what data a machine has. */
const SAMPLES = { train: 64, test: 1 };
const SEED = 1;

/** Where the bytes of a device go that runs this module. */
export interface GuestMemory {
  /** Linear memory up to the module's last byte. */
  linear: number;
  metacode: number;
  /** The module's own stack in wasm3. */
  stack: number;
  /** wasm3's tables and descriptors. */
  other: number;
  /** The firmware's .data and .bss. */
  static: number;
  /** C stack that was set aside, and how much of it was ever used. */
  cStack: number;
  cStackUsed: number;
  /** All of the above that a device needs: the C stack as set aside. */
  ram: number;
  /** The firmware's code and constants, without the module. */
  flash: number;
  module: number;
}

export interface BenchRun {
  regions: Region[];
  memory: GuestMemory;
}

export interface BenchOptions {
  /** What the sensor plays: a sample file's bytes; default: drawn glyphs. */
  samples?: Uint8Array;
  /** Seconds after which a guest counts as hanging. */
  timeout?: number;
}

const drawnSamples = async (): Promise<Uint8Array> =>
  encodeSamples(await loadDataset("generated", { limit: SAMPLES, seed: SEED }), { test: 0 });

/**
 * Calls `bench(0)` … `bench(benchCount() − 1)` of a module, each one a region; a module without these exports takes one
 * warm-up step and one that is counted.
 */
export async function runBench(modulePath: string, options: BenchOptions = {}): Promise<BenchRun> {
  const firmware = await buildFirmware(BOARD, { bench: true });
  const module = await readFile(modulePath);
  const image = encodeBootImage({
    id: "bench",
    module,
    samples: options.samples ?? (await drawnSamples()),
    autostart: { seed: SEED },
  });
  const { regions, console } = await countBoot(firmware.path, image, options.timeout);
  return { regions, memory: readMemory(console, await flashOf()) };
}

/** Flash of the firmware that is shipped, not of the variant that counts. */
async function flashOf(): Promise<number> {
  const { bytes } = await buildFirmware(BOARD);
  if (bytes === undefined) throw new CountError(`the size of the ${BOARD} firmware is unknown`);
  return bytes.flash;
}

/** Reads the firmware's lines of a name and a number. */
function readMemory(text: string, flash: number): GuestMemory {
  const facts = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^memory\.(\w+) (-?\d+)$/gm)) facts.set(name!, Number(value));
  const of = (name: string): number => {
    const value = facts.get(name);
    if (value === undefined)
      throw new CountError(`the bench firmware did not tell memory.${name}: ${text.trim()}`);
    return value;
  };
  const parts = {
    linear: of("linear"),
    metacode: of("metacode"),
    stack: of("moduleStack"),
    other: of("engine"),
    static: of("static"),
    cStack: of("cStackReserved"),
  };
  const ram = Object.values(parts).reduce((sum, bytes) => sum + bytes, 0);
  return { ...parts, cStackUsed: of("cStackUsed"), ram, flash, module: of("module") };
}
