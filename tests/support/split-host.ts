// The app `split` in Node: what it publishes, and what the cloud would send it.
import { readFile } from "node:fs/promises";
import { sketchCodebook } from "../../host/cloud/codebook/train.ts";
import type { Samples } from "../../host/data/sample-file.ts";
import { ModuleHost, type ModuleHostOptions } from "../../host/module/module-host.ts";
import { decodeLabelled } from "../../host/protocol/labelled.ts";
import { encodeParts, PartKind } from "../../host/protocol/parts.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import type { OpenCodebook } from "../../host/sgq/types.ts";

export const SPLIT_SHAPE = [14, 14, 16] as const;
export const SPLIT_MODEL = 1;

export interface SplitHost {
  readonly host: ModuleHost;
  /** Everything on the features channel, oldest first. */
  readonly published: Uint8Array[];
  /** Milliseconds that the app's clock shows. */
  now: bigint;
  /** Whether the link takes what is published. */
  open: boolean;
  /** Hands over something that may need several messages. */
  give(kind: PartKind, bytes: Uint8Array): void;
}

export async function splitHost(
  module: string,
  samples: Samples,
  options: ModuleHostOptions = {},
): Promise<SplitHost> {
  let next = 0;
  const published: Uint8Array[] = [];
  const host = await ModuleHost.load(await readFile(module), {
    params: { every: 0 },
    ...options,
    sensor: () => samples.at(next++ % samples.count),
    clock: () => it.now,
    publish: (channel, bytes) => {
      if (!it.open) return false;
      if (channel === 1) published.push(bytes);
      return true;
    },
  });
  const it: SplitHost = {
    host,
    published,
    now: 0n,
    open: true,
    give(kind, bytes) {
      for (const part of encodeParts(kind, bytes)) host.message(part);
    },
  };
  host.start();
  return it;
}

/** A codebook of what the app's features are with these samples: every channel at one threshold. */
export async function splitCodebook(
  codec: SgqCodec,
  module: string,
  samples: Samples,
  version = 1,
  threshold = 8,
): Promise<OpenCodebook> {
  const device = await splitHost(module, samples, { seed: 5 });
  for (let i = 0; i < 24; i++) device.host.step();
  const features = device.published.flatMap((bytes) => {
    const { frame, labels } = decodeLabelled(bytes);
    if (labels.length === 0) return [];
    return codec.decode(frame, { find: () => undefined }).samples.map((sample) => sample.features);
  });
  return sketchCodebook({ codec, fitContexts }, features, {
    model: SPLIT_MODEL,
    version,
    shape: SPLIT_SHAPE,
    thresholds: Array.from({ length: SPLIT_SHAPE[2] }, () => [threshold]),
  });
}

export { PartKind };
