// The learned state of a device, over the link as a whole. It must not change meanwhile: a device that runs is paused for it.

import { readRegion, writeRegion } from "../../link/regions.ts";
import { isState, sealState, stateFault } from "../../protocol/checkpoint.ts";
import { describeFault } from "../../protocol/errors.ts";
import { Region } from "../../protocol/requests.ts";
import type { BridgeDevice } from "../device.ts";
import { Refusal } from "../payload.ts";

/** One block of it; a slow board is in the middle of a step. */
const OPTIONS = { timeoutMs: 30_000 };

/** Runs `work` while the device stands still; afterwards it makes the steps that are left of those that it was asked for. */
async function still<T>(device: BridgeDevice, work: () => Promise<T>): Promise<T> {
  const { link } = device;
  const { running } = await link.request("status", {}, OPTIONS);
  if (running) await link.request("pause", {}, OPTIONS);
  const { steps: made } = running ? await link.request("status", {}, OPTIONS) : { steps: 0 };
  try {
    return await work();
  } finally {
    // one that stopped by itself, or is gone, has nothing to resume
    const steps = device.stepsLeft(made);
    if (running && link.isUp && steps !== 0)
      await link.request("resume", steps === undefined ? {} : { steps }, OPTIONS).catch(() => {});
  }
}

async function learned({ id, link }: BridgeDevice): Promise<Uint8Array> {
  const state = await readRegion(link, Region.learnedState, OPTIONS);
  if (!isState(state)) throw new Refusal("no-region", `the module of ${id} has no model that learns`);
  return state;
}

/** Reads it, with its check value. */
export function readState(device: BridgeDevice): Promise<{ state: string; module?: string }> {
  return still(device, async () => {
    const state = sealState(await learned(device));
    const { moduleSha256 } = device.hello;
    return {
      state: Buffer.from(state).toString("base64"),
      ...(moduleSha256 && { module: Buffer.from(moduleSha256).toString("hex") }),
    };
  });
}

/** Writes one that fits the device's model; the device looks at it once more before it takes the first byte. */
export function writeState(device: BridgeDevice, state: Uint8Array): Promise<void> {
  return still(device, async () => {
    const own = await learned(device);
    const fault = isState(state) ? stateFault(state, own) : null;
    if (!isState(state) || state.length !== own.length || fault) {
      const text = fault
        ? describeFault(fault)
        : `a state of ${own.length} bytes is needed, which these are not`;
      throw new Refusal("state-mismatch", `${device.id}: ${text}`);
    }
    await writeRegion(device.link, Region.learnedState, sealState(state), OPTIONS);
  });
}
