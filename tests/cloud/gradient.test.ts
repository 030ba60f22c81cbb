// What a device is asked for in joint training: nothing that the quantiser would not let anybody see.
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { trainCodebook } from "../../host/cloud/codebook/train.ts";
import { clipGradient } from "../../host/cloud/gradient.ts";
import { Random } from "../../host/data/random.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import { loadCodec } from "../sgq/support/codec.ts";

const SHAPE = [4, 4, 3] as const;
const SIZE = 4 * 4 * 3;
/** The last channel is not sent. */
const THRESHOLDS = [[5, 20, 60], [30], []];

let codec: SgqCodec;
beforeAll(async () => {
  codec = await loadCodec();
});

const featuresOf = (random: Random): Int8Array =>
  Int8Array.from({ length: SIZE }, () => random.between(0, 127));

describe("the gradient of a sample", () => {
  it("asks nothing of a feature beyond its lowest and highest level, and keeps everything else", () => {
    const random = new Random(4);
    const calibration = Array.from({ length: 64 }, () => featuresOf(random));
    const options = { model: 1, version: 1, shape: SHAPE, thresholds: THRESHOLDS };
    const open = trainCodebook({ codec, fitContexts }, calibration, options);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const own = new Random(seed);
        const levels = codec.quantise(open, featuresOf(own));
        const before = Float32Array.from({ length: SIZE }, () => own.between(-100, 100) / 100);
        const gradient = before.slice();
        clipGradient(gradient, codec.reconstruct(open, levels), open.book);
        gradient.forEach((value, i) => {
          const most = (THRESHOLDS[i % 3] as number[]).length;
          const error = before[i] as number;
          const lowest = levels[i] === 0 && error > 0;
          const highest = levels[i] === most && error < 0;
          expect(value).toBe(lowest || highest ? 0 : error);
        });
      }),
    );
  });
});
