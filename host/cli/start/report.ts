// The result of `octomote start --json FILE`.

import { writeFileSync } from "node:fs";
import type { BridgeDevice } from "../../bridge/device.ts";
import { messageOf, OctomoteError } from "../../bridge/errors.ts";
import type { CloudMetrics } from "../../cloud/metrics.ts";

export interface StartReport {
  /** What the devices saw: a data set, a scene, a file. */
  dataset: string;
  /** The broker's address, without user and password. */
  broker: string;
  /** The page's address. */
  page: string;
  devices: {
    id: string;
    board: string;
    /** `wasm3-<version>` or `node`. */
    engine: string;
    /** Training steps. */
    steps: number;
    /** Running mean of the cross-entropy; null when the device has told none. */
    loss: number | null;
    /** 0…1 over held-out samples; null before the first of them. */
    accuracy: number | null;
    /** Of cameras: shares of the last frame's patches that had changed, and of a dense frame's multiplications. */
    dirty: number | null;
    macs: number | null;
    bytesOut: number;
    ramBytes: number | null;
  }[];
  /** Of a split model: what its cloud half has learned. */
  cloud?: CloudMetrics;
  /** Messages that the bridge has published. */
  mqttMessages: number;
}

export function reportDevices(devices: readonly BridgeDevice[]): StartReport["devices"] {
  return devices.map((device) => {
    const state = device.stateJson();
    return {
      id: device.id,
      board: device.hello.board,
      engine: device.hello.engine,
      steps: state?.step ?? 0,
      loss: state?.loss ?? null,
      accuracy: state?.accuracy ?? null,
      dirty: state?.pass?.dirty ?? null,
      macs: state?.pass?.macs ?? null,
      bytesOut: state?.bytesOut ?? 0,
      ramBytes: device.ramBytes ?? null,
    };
  });
}

/** Writes the file; throws `OctomoteError` when that is not possible. */
export function writeReport(path: string, report: StartReport | null): void {
  try {
    writeFileSync(path, report === null ? "" : `${JSON.stringify(report, null, 2)}\n`);
  } catch (error) {
    throw new OctomoteError(`Cannot write ${path}: ${messageOf(error)}`, "choose another file with --json");
  }
}
