// The firmware for this machine as a program to start: what it needs is built and written into a folder.

import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { buildFirmware } from "../../host/build/firmware.ts";
import { buildModules } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { writeSampleFile } from "../../host/data/sample-file.ts";

export interface PosixDevice {
  program: string;
  args: string[];
}

/** A device that learns glyphs with the trainer, as soon as it is told to, or by itself with `autostart`. */
export async function posixDevice(folder: string, id: string, autostart = false): Promise<PosixDevice> {
  // A folder of its own: a device that runs has its samples mapped.
  const samples = join(await mkdtemp(join(folder, "device-")), "samples");
  await writeSampleFile(samples, await loadDataset("generated", { limit: { train: 40, test: 10 } }), {
    seed: 1,
  });
  const trainer = (await buildModules()).find(({ app, target }) => app === "trainer" && target === "device");
  const { path } = await buildFirmware("posix");
  const args = ["--id", id, "--module", trainer?.path as string, "--samples", samples];
  return { program: path, args: autostart ? [...args, "--autostart", "--seed", "1"] : args };
}
