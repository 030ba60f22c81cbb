// What an emulated board finds at the start of its external RAM (docs/protocol.md): boot block, module, samples.

import { readFile } from "node:fs/promises";

const MAGIC = 0x42424d4f;
const VERSION = 1;
const BLOCK_BYTES = 64;
const ID_BYTES = 32;
const ALIGNMENT = 16;

export interface BootImage {
  id: string;
  module: Uint8Array;
  samples: Uint8Array;
  /** Start by itself, with this seed; otherwise the device waits for `start`. */
  autostart?: { seed: number };
}

/** @throws RangeError if the id does not fit. */
export function encodeBootImage({ id, module, samples, autostart }: BootImage): Uint8Array {
  const name = new TextEncoder().encode(id);
  if (name.length >= ID_BYTES) throw new RangeError(`device id ${id}: at most ${ID_BYTES - 1} bytes fit`);
  const align = (offset: number) => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
  const moduleAt = BLOCK_BYTES;
  const samplesAt = align(moduleAt + module.length);
  const image = new Uint8Array(align(samplesAt + samples.length));
  const view = new DataView(image.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  image.set(name, 8);
  const words = [
    moduleAt,
    module.length,
    samplesAt,
    samples.length,
    autostart === undefined ? 0 : 1,
    autostart?.seed ?? 0,
  ];
  words.forEach((word, i) => {
    view.setUint32(8 + ID_BYTES + 4 * i, word, true);
  });
  image.set(module, moduleAt);
  image.set(samples, samplesAt);
  return image;
}

/** What an emulator needs of boards/<board>/board.json. */
export interface EmulatedBoard {
  emulator: { program: string; args: string[] };
  memory: { external: { bytes: number } };
}

export async function readEmulatedBoard(board: string): Promise<EmulatedBoard> {
  return JSON.parse(await readFile(new URL(`../../boards/${board}/board.json`, import.meta.url), "utf8"));
}

/** The emulator's arguments, with the placeholders of board.json filled in. */
export function emulatorArgs(board: EmulatedBoard, values: Readonly<Record<string, string>>): string[] {
  return board.emulator.args.map((arg) =>
    arg.replace(/\{(\w+)\}/g, (placeholder, name: string) => {
      const value = values[name];
      if (value === undefined) throw new RangeError(`board.json: unknown placeholder ${placeholder}`);
      // Within an option of several parts, QEMU takes two commas for one.
      return arg.includes(",") ? value.replaceAll(",", ",,") : value;
    }),
  );
}
