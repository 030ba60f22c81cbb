/** Boots a firmware of mps2-an386 under the counting plugin, with what it finds in its external RAM. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { emulatorArgs, readEmulatedBoard } from "../../host/devices/boot-image.ts";
import { countRegions, type Region } from "./plugin.ts";

export const BOARD = "mps2-an386";

/**
 * Runs to the end of the guest; returns its regions and what it wrote.
 *
 * @param image the bytes at the start of its external RAM
 * @param timeout seconds after which it counts as hanging
 * @throws CountError
 */
export async function countBoot(
  firmware: string,
  image: Uint8Array,
  timeout?: number,
): Promise<{ regions: Region[]; console: string }> {
  const folder = await mkdtemp(join(tmpdir(), "octomote-count-"));
  try {
    const boot = join(folder, "boot.bin");
    await writeFile(boot, image);
    const board = await readEmulatedBoard(BOARD);
    return await countRegions({
      arguments: emulatorArgs(board, { serial: "null", firmware, boot }),
      ...(timeout !== undefined && { timeout }),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
