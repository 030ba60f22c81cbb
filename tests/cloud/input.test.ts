// How features enter a cloud half.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { levelsOf } from "../../host/cloud/codebook/levels.ts";
import { asNumbers, asPlanes, UNIT } from "../../host/cloud/input.ts";

const put = (input: ReturnType<typeof asPlanes>, features: Int8Array): Float32Array => {
  const sample = new Float32Array(input.shape.reduce((a, b) => a * b));
  input.put(features, sample);
  return sample;
};

describe("features", () => {
  it("as numbers are in units of the network's input", () => {
    const input = asNumbers([1, 2, 2]);
    expect(input.shape).toEqual([1, 2, 2]);
    expect([...put(input, Int8Array.of(64, -128, 0, 127))]).toEqual([1, -2, 0, 127 * UNIT]);
  });

  it("as planes say where they are above each threshold of their channel; one without thresholds is not there", () => {
    const input = asPlanes([1, 2, 3], [[3, 20], [], [-1]]);
    expect(input.shape).toEqual([1, 2, 3]);
    // the thresholds themselves are not above
    expect([...put(input, Int8Array.of(4, 99, 0, 20, -99, -1))]).toEqual([1, 0, 1, 1, 0, 0]);
  });

  it("as planes add up to the levels that the codec has for them, whatever they are", () => {
    const sets = fc.array(
      fc
        .uniqueArray(fc.integer({ min: -128, max: 126 }), { minLength: 1, maxLength: 4 })
        .map((own) => own.sort((a, b) => a - b)),
      { minLength: 2, maxLength: 2 },
    );
    const features = fc.array(fc.integer({ min: -128, max: 127 }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(sets, features, (thresholds, values) => {
        const x = Int8Array.from(values);
        const sample = put(asPlanes([2, 3, 2], thresholds), x);
        const levels = new Uint8Array(12);
        const each = thresholds.map((own) => own.length);
        let at = 0;
        for (let i = 0; i < 12; i++)
          for (let k = 0; k < (each[i % 2] as number); k++)
            levels[i] = (levels[i] as number) + (sample[at++] as number);
        expect(at).toBe(sample.length);
        expect(levels).toEqual(levelsOf(thresholds, x));
      }),
    );
  });

  it("cannot be planes of nothing, or of other channels than they have", () => {
    expect(() => asPlanes([1, 1, 2], [[], []])).toThrow(/no channel has a threshold/);
    expect(() => asPlanes([1, 1, 2], [[1]])).toThrow(/thresholds of 1 channels.*have 2/);
  });
});
