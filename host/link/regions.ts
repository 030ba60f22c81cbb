// Whole regions of a device, such as its learned state, in blocks that fit one frame. The caller sees to it that the
// module does not change the region meanwhile (`pause`).

import { HostError } from "../protocol/errors.ts";
import { MAX_BLOCK } from "../protocol/requests.ts";
import type { DeviceLink, RequestOptions } from "./device-link.ts";
import { RequestError } from "./errors.ts";

/** Largest region that is believed: no microcontroller has a larger one. */
const MAX_REGION = 16 * 1024 * 1024;

/**
 * Reads a region; `Region.learnedState` is the checkpoint.
 * @throws RequestError
 */
export async function readRegion(
  link: DeviceLink,
  region: number,
  options?: RequestOptions,
): Promise<Uint8Array> {
  const bad = (text: string) => new RequestError(link.name, "read", { code: HostError.badMessage, text });
  const { total } = await link.request("read", { region, offset: 0, length: 0 }, options);
  if (total > MAX_REGION) throw bad(`a region of ${total} bytes`);
  const whole = new Uint8Array(total);
  for (let offset = 0; offset < total; ) {
    const length = Math.min(MAX_BLOCK, total - offset);
    const block = await link.request("read", { region, offset, length }, options);
    if (block.total !== total || block.bytes.length !== length) {
      throw bad(
        `${block.bytes.length} of ${block.total} bytes at ${offset}, but ${length} of ${total} were asked for`,
      );
    }
    whole.set(block.bytes, offset);
    offset += length;
  }
  return whole;
}

/**
 * Overwrites a region from its start; the last block makes the module rebuild what is derived from it.
 * @throws RequestError
 */
export async function writeRegion(
  link: DeviceLink,
  region: number,
  content: Uint8Array,
  options?: RequestOptions,
): Promise<void> {
  let offset = 0;
  do {
    const bytes = content.subarray(offset, offset + MAX_BLOCK);
    const last = offset + bytes.length === content.length;
    await link.request("write", { region, offset, bytes, last }, options);
    offset += bytes.length;
  } while (offset < content.length);
}
