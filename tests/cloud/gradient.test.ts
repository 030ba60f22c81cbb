// What a device is asked for in joint training: the gradient itself, in the mean, whatever the size of its channels.
import { beforeAll, describe, expect, it } from "vitest";
import { encodeGradientOf } from "../../host/cloud/gradient.ts";
import { UNIT } from "../../host/cloud/input.ts";
import { Random } from "../../host/data/random.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { loadCodec } from "../sgq/support/codec.ts";

const SHAPE = [4, 4, 3] as const;
const SIZE = 4 * 4 * 3;
/** How large the gradients of each channel are. */
const SIZES = [1, 1 / 64, 1 / 4096];
const DRAWS = 400;

let codec: SgqCodec;
beforeAll(async () => {
  codec = await loadCodec();
});

describe.each([4, 8] as const)("a gradient frame of %i bits", (bits) => {
  it("says in the mean what it was given, in channels of small gradients as well", () => {
    const random = new Random(4);
    const wanted = Float32Array.from(
      { length: SIZE },
      (_, i) => (random.between(-100, 100) / 100) * (SIZES[i % 3] as number),
    );
    const mean = new Float64Array(SIZE);
    for (let sequence = 0; sequence < DRAWS; sequence++) {
      const to = { model: 1, codebook: 1, sequence };
      const frame = encodeGradientOf(codec, to, wanted, { shape: SHAPE, bits, seed: 7 });
      const { values, exponents, group } = codec.decodeGradient(frame);
      for (let i = 0; i < SIZE; i++) {
        const exponent = exponents[Math.floor((i % 3) / group)] as number;
        mean[i] = (mean[i] as number) + ((values[i] as number) * 2 ** exponent) / DRAWS;
      }
    }
    // a step is at most 2/7 of a channel's largest in 4 bits, 2/127 in 8; its deviation is at most half of it, that of the mean 1/20 of that
    const step = 2 / (2 ** (bits - 1) - 1);
    mean.forEach((value, i) => {
      const off = Math.abs(value - (wanted[i] as number) * UNIT) / ((SIZES[i % 3] as number) * UNIT);
      expect(off).toBeLessThan((5 * step) / 2 / Math.sqrt(DRAWS));
    });
  });
});
