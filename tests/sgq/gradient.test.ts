// Gradients for devices: the mean of what is drawn is the gradient, and its variance is bounded (docs/sgq.md, "Gradient").
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { dice, seeds } from "./support/arbitrary.ts";
import { loadCodec } from "./support/codec.ts";

let codec: SgqCodec;
beforeAll(async () => {
  codec = await loadCodec();
});

const TO = { model: 1, codebook: 2, sequence: 3 };
const DRAWS = 4000;

interface Drawn {
  readonly values: Float64Array;
  /** Step of each element. */
  readonly steps: Float64Array;
}

/** What a device makes of a gradient that was sent with a key. */
function sent(
  values: Int32Array,
  {
    shape,
    exponent,
    group,
    bits,
    key,
  }: { shape: readonly [number, number, number]; exponent: number; group: number; bits: 4 | 8; key: number },
): Drawn {
  const gradient = codec.decodeGradient(
    codec.encodeGradient(TO, { shape, values, exponent, group, bits, key }),
  );
  const steps = Float64Array.from(
    values,
    (_, i) => 2 ** (gradient.exponents[Math.floor((i % shape[2]) / group)] as number),
  );
  return { values: steps.map((step, i) => step * (gradient.values[i] as number)), steps };
}

describe("gradient frames", () => {
  it("keep every value to a step, and nothing clamps", () => {
    fc.assert(
      fc.property(
        seeds,
        fc.constantFrom<4 | 8>(4, 8),
        fc.integer({ min: -60, max: 90 }),
        (seed, bits, exponent) => {
          const roll = dice(seed);
          const group = roll(1, 3);
          const shape = [roll(1, 4), roll(1, 4), group * roll(1, 3)] as const;
          const n = shape[0] * shape[1] * shape[2];
          const size = roll(0, 31);
          const values = Int32Array.from({ length: n }, () =>
            size === 31 ? roll(0, 1) * (2 ** 32 - 1) - 2 ** 31 : roll(-(2 ** size), 2 ** size),
          );
          const out = sent(values, { shape, exponent, group, bits, key: seed });
          out.values.forEach((value, i) => {
            expect(Math.abs(value - (values[i] as number) * 2 ** exponent)).toBeLessThan(
              out.steps[i] as number,
            );
          });
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each([4, 8] as const)(
    "of %i bits are unbiased, and their variance is at most a quarter of a step's square",
    (bits) => {
      const shape = [2, 2, 8] as const;
      const n = 32;
      const roll = dice(bits);
      const values = Int32Array.from({ length: n }, () => roll(-100_000, 100_000));
      const sums = new Float64Array(n);
      const squares = new Float64Array(n);
      let steps = new Float64Array(n);
      for (let key = 1; key <= DRAWS; key++) {
        const out = sent(values, { shape, exponent: 0, group: 4, bits, key: Math.imul(key, 0x9e3779b1) });
        steps = Float64Array.from(out.steps);
        out.values.forEach((value, i) => {
          const error = value - (values[i] as number);
          sums[i] = (sums[i] as number) + error;
          squares[i] = (squares[i] as number) + error * error;
        });
      }
      let variance = 0;
      let bound = 0;
      for (let i = 0; i < n; i++) {
        const step = steps[i] as number;
        // the mean of DRAWS errors of at most a step, whose deviation is at most step / 2: within five deviations, and the 2^−16 of a draw
        expect(Math.abs((sums[i] as number) / DRAWS)).toBeLessThan(
          step * (2.5 / Math.sqrt(DRAWS) + 2 ** -16),
        );
        variance += (squares[i] as number) / DRAWS;
        bound += step ** 2 / 4;
      }
      // n·s²/4, with what 4,000 draws may miss it by
      expect(variance).toBeLessThanOrEqual(bound * 1.02);
      expect(variance).toBeGreaterThan(bound / 4);
    },
  );
});
