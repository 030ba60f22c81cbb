import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePreview, encodePreview, isPreview, type Preview } from "../../host/protocol/preview.ts";

const bit = fc.constantFrom(0, 1);
const bits = (length: number) =>
  fc.array(bit, { minLength: length, maxLength: length }).map((values) => Uint8Array.from(values));

/** Any preview whose parts fit each other. */
const previews = fc
  .record({
    width: fc.integer({ min: 1, max: 40 }),
    height: fc.integer({ min: 1, max: 40 }),
    columns: fc.integer({ min: 1, max: 9 }),
    rows: fc.integer({ min: 1, max: 9 }),
    patch: fc.constantFrom(4, 8, 16),
    cellColumns: fc.nat(6),
    cellRows: fc.nat(6),
    sequence: fc.nat(),
  })
  .chain((sizes) =>
    fc
      .record({
        grey: fc
          .array(fc.integer({ min: 0, max: 15 }), {
            minLength: sizes.columns * sizes.rows,
            maxLength: sizes.columns * sizes.rows,
          })
          .map((steps) => Uint8Array.from(steps, (step) => 17 * step)),
        computed: bits(Math.ceil(sizes.width / sizes.patch) * Math.ceil(sizes.height / sizes.patch)),
        occupied: bits(sizes.cellColumns * sizes.cellRows),
      })
      .map((parts): Preview => ({ ...sizes, ...parts })),
  );

test("the bytes are those of docs/mqtt.md", () => {
  const bytes = encodePreview({
    ...{ sequence: 258, width: 16, height: 8, columns: 3, rows: 1, patch: 8, cellColumns: 2, cellRows: 1 },
    grey: Uint8Array.of(0, 136, 255),
    computed: Uint8Array.of(0, 1),
    occupied: Uint8Array.of(1, 0),
  });
  expect(Buffer.from(bytes).toString("hex")).toBe(
    ["4f4d5056", "01", "08", "1000", "0800", "0300", "0100", "0200", "0100", "0000", "02010000"].join("") +
      ["800f", "02", "01"].join(""),
  );
});

test("what is written is read", () => {
  fc.assert(
    fc.property(previews, (preview) => {
      const bytes = encodePreview(preview);
      expect(isPreview(bytes)).toBe(true);
      expect(decodePreview(bytes)).toEqual(preview);
    }),
  );
});

describe("what is none", () => {
  const whole = encodePreview({
    ...{ sequence: 1, width: 16, height: 8, columns: 2, rows: 2, patch: 8, cellColumns: 1, cellRows: 1 },
    ...{ grey: new Uint8Array(4), computed: new Uint8Array(2), occupied: new Uint8Array(1) },
  });
  const change = (at: number, ...values: number[]) => {
    const bytes = whole.slice();
    bytes.set(values, at);
    return bytes;
  };
  test.each([
    ["nothing", new Uint8Array(0)],
    ["features of another kind", change(0, 0xa1)],
    ["a later version", change(4, 2)],
    ["patches of no size", change(5, 0)],
    ["a frame of no width", change(6, 0, 0)],
    ["a frame beyond any camera", change(6, 255, 255)],
    ["more cells than follow", change(14, 9, 0)],
    ["cut off", whole.subarray(0, whole.length - 1)],
    ["something behind it", Uint8Array.from([...whole, 0])],
  ])("%s", (_, bytes) => expect(decodePreview(bytes)).toBeNull());

  test("bytes at random end in null or a preview that fits them", () => {
    const tail = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(tail, (bytes) => {
        const preview = decodePreview(Uint8Array.from([...whole.subarray(0, 5), ...bytes]));
        if (preview !== null) expect(preview.grey).toHaveLength(preview.columns * preview.rows);
      }),
    );
  });
});
