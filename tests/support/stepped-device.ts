// A device that makes one step when it is told to, and everything that it publishes on the features channel.
import { startVirtualDevice } from "../../host/devices/virtual-device.ts";
import { readRegion } from "../../host/link/regions.ts";
import { encodeParts, type PartKind } from "../../host/protocol/parts.ts";
import { Region } from "../../host/protocol/requests.ts";

export interface SteppedOptions {
  readonly board: "posix" | "mps2-an386";
  readonly id: string;
  /** Path of a module, and of a sample file. */
  readonly module: string;
  readonly samples: string;
  readonly seed: number;
  readonly params?: Readonly<Record<string, number>>;
}

export interface SteppedDevice {
  readonly published: Uint8Array[];
  step(): Promise<void>;
  message(bytes: Uint8Array): Promise<void>;
  /** Hands over something that may need several messages. */
  give(kind: PartKind, bytes: Uint8Array): Promise<void>;
  /** The learned state. */
  state(): Promise<Uint8Array>;
  stop(): Promise<unknown>;
}

/** An emulated board takes its time. */
const SLOW = { timeoutMs: 60_000 };

export async function steppedDevice(options: SteppedOptions): Promise<SteppedDevice> {
  const { seed, params = {}, ...rest } = options;
  const device = await startVirtualDevice(rest);
  const { link } = device;
  const published: Uint8Array[] = [];
  link.on("features", (bytes) => published.push(bytes.slice()));
  let started = false;
  return {
    published,
    async step() {
      if (started) await link.request("resume", { steps: 1 }, SLOW);
      else await link.request("start", { seed, params, steps: 1 }, SLOW);
      started = true;
      for (;;) {
        const status = await link.request("status", {}, SLOW);
        if (status.error) throw new Error(`the device stopped: ${JSON.stringify(status.error)}`);
        if (!status.running) return;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async message(bytes) {
      await link.request("message", { bytes }, SLOW);
    },
    async give(kind, bytes) {
      for (const part of encodeParts(kind, bytes)) await link.request("message", { bytes: part }, SLOW);
    },
    state: () => readRegion(link, Region.learnedState),
    stop: () => device.stop(),
  };
}

/** What comes of `run` on a device of its own. */
export async function onSteppedDevice<T>(
  options: SteppedOptions,
  run: (device: SteppedDevice) => Promise<T>,
): Promise<T> {
  const device = await steppedDevice(options);
  try {
    return await run(device);
  } finally {
    await device.stop();
  }
}
