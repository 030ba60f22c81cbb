// How features enter a cloud half: as numbers, or as planes, one for each threshold, which say where a feature is above it. Planes let
// the first layer weigh every level by itself, which features of few levels gain from (docs/benchmarks.md, "SGQ: bytes against
// accuracy"). They have no derivative: a device half that learns is told of numbers.

import type { Thresholds } from "./codebook/levels.ts";
import type { Shape } from "./layers.ts";

export interface FeatureInput {
  /** What the network takes. */
  readonly shape: Shape;
  /** Writes features (NHWC, as int8 counts them) into a sample of the network. */
  put(features: Int8Array | Float32Array, sample: Float32Array): void;
}

/** What an int8 unit of a feature is in the network's input. */
export const UNIT = 1 / 64;

export const asNumbers = (shape: Shape, unit = UNIT): FeatureInput => ({
  shape,
  put(features, sample) {
    for (let i = 0; i < sample.length; i++) sample[i] = (features[i] as number) * unit;
  },
});

/**
 * 1 where a feature is above the threshold, else 0: `[h, w, all thresholds]`, those of a channel side by side. A channel without thresholds is
 * left out. @throws RangeError when none is left, or there are not as many lists as channels
 */
export function asPlanes([h, w, c]: Shape, thresholds: Thresholds): FeatureInput {
  if (thresholds.length !== c)
    throw new RangeError(`thresholds of ${thresholds.length} channels, but features have ${c}`);
  const planes = thresholds.flatMap((own, channel) => own.map((threshold) => ({ channel, threshold })));
  if (planes.length === 0)
    throw new RangeError("no channel has a threshold: the cloud half would see nothing");
  const channels = Uint16Array.from(planes, (plane) => plane.channel);
  const above = Int16Array.from(planes, (plane) => plane.threshold);
  return {
    shape: [h, w, planes.length],
    put(features, sample) {
      for (let from = 0, at = 0; at < sample.length; from += c)
        for (let k = 0; k < above.length; k++, at++)
          sample[at] = (features[from + (channels[k] as number)] as number) > (above[k] as number) ? 1 : 0;
    },
  };
}
