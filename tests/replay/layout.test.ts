// Which tensor of which layer a byte of a learned state belongs to.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { differences, type LayerPlace, layoutOf } from "../../host/replay/layout.ts";

const LAYERS: LayerPlace[] = [
  { name: "conv2d 5×5, 1 → 3", masters: 48, shape: [3, 5, 5, 1] },
  // 75 masters take 152 bytes, 3 biases 12, padded to 168; then its range and exponent
  { name: "dense 6 → 2", masters: 48 + 168 + 16 + 24, shape: [2, 1, 1, 6] },
];
const BYTES = 48 + 168 + 24 + 16 + 24 + 8 + 40;
const layout = layoutOf(LAYERS, BYTES);

describe("the layout of a learned state", () => {
  it("names every byte but padding, once", () => {
    const owners = Array.from(
      { length: BYTES },
      (_, at) => layout.filter((tensor) => at >= tensor.at && at < tensor.at + tensor.bytes).length,
    );
    expect(Math.max(...owners)).toBe(1);
    // 2 bytes behind 75 masters, 4 behind 3 biases, 4 behind each exponent
    expect(owners.filter((n) => n === 0)).toHaveLength(14);
  });

  it.each([
    [16, "header, step", []],
    [32, "conv2d 5×5, 1 → 3, range", []],
    [40, "conv2d 5×5, 1 → 3, exponent", []],
    [48 + 2 * 32, "conv2d 5×5, 1 → 3, masters", [1, 1, 2, 0]],
    [48 + 152 + 4, "conv2d 5×5, 1 → 3, biases", [1]],
    [48 + 168 + 5, "conv2d 5×5, 1 → 3, options", [5]],
    [256 + 2 * 11, "dense 6 → 2, masters", [1, 0, 0, 5]],
    [BYTES - 1, "behind the biases of dense 6 → 2 (options, early stop, replay buffer)", [39]],
  ])("byte %i is of %s %j", (at, tensor, first) => {
    const want = new Uint8Array(BYTES);
    const got = want.slice();
    got[at] = 1;
    expect(differences(layout, 0, got, want)).toMatchObject([{ tensor, first, differ: 1 }]);
  });

  it("without layers is bytes", () => {
    const got = Uint8Array.of(1, 2, 3);
    expect(differences(layoutOf([], 3), 0, got, Uint8Array.of(1, 9, 3))).toEqual([
      { tensor: "learned state", differ: 1, of: 3, first: [1], got: "2", want: "9" },
    ]);
    expect(layoutOf(LAYERS, 0)).toEqual([]);
  });

  it("of a piece: what lies whole in it, and nothing that is equal", () => {
    fc.assert(
      fc.property(fc.nat(BYTES - 1), fc.nat(200), fc.nat(), (offset, length, place) => {
        const want = new Uint8Array(Math.min(length, BYTES - offset));
        expect(differences(layout, offset, want, want)).toEqual([]);
        if (want.length === 0) return;
        const got = want.slice();
        const at = place % want.length;
        got[at] = 255;
        const found = differences(layout, offset, got, want);
        const owner = layout.find((it) => offset + at >= it.at && offset + at < it.at + it.bytes);
        const element = owner && owner.at + Math.floor((offset + at - owner.at) / owner.size) * owner.size;
        const whole =
          owner && (element as number) >= offset && (element as number) + owner.size <= offset + want.length;
        expect(found.map(({ tensor }) => tensor)).toEqual(whole ? [owner?.name] : []);
      }),
    );
  });

  it("of layers that cannot be: no tensor beyond the state", () => {
    const place = fc.record({
      name: fc.string(),
      masters: fc.integer({ min: -1000, max: 1000 }),
      shape: fc.tuple(fc.nat(50), fc.nat(5), fc.nat(5), fc.nat(50)),
    });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 4 }), fc.nat(800), (layers, bytes) => {
        for (const tensor of layoutOf(layers, bytes)) {
          expect(tensor.at).toBeGreaterThanOrEqual(0);
          expect(tensor.at + tensor.bytes).toBeLessThanOrEqual(bytes);
        }
      }),
    );
  });
});
