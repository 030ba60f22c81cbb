import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeStateRecord, encodeStateRecord } from "../../host/protocol/state-record.ts";

function pairs(...words: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(words).buffer);
}

test("integers and Q16.16 by their keys", () => {
  const bytes = pairs(1, 7, 2 | 0x10000, 98304, 3 | 0x10000, 65536, 5 | 0x10000, -32768, 7, 0);
  expect(decodeStateRecord(bytes)).toEqual({
    class: 7,
    loss: 1.5,
    accuracy: 1,
    learningRate: -0.5,
    saturated: 0,
  });
});

test("an id without a name is kept, a format without a meaning is left out", () => {
  expect(decodeStateRecord(pairs(300, -2, 1 | 0x20000, 5))).toEqual({ other: { 300: -2 } });
});

test("the same bytes at an odd address", () => {
  const shifted = Uint8Array.from([9, ...pairs(4, 1234)]).subarray(1);
  expect(decodeStateRecord(shifted)).toEqual({ steps: 1234 });
});

test.each([1, 4, 12, 8 * 65])("%d bytes are no record", (length) => {
  expect(decodeStateRecord(new Uint8Array(length))).toBeNull();
});

test("what is encoded comes back to within Q16.16", () => {
  const i32 = fc.integer();
  const record = fc.record({
    class: i32,
    steps: i32,
    loss: fc.double({ min: -1000, max: 1000, noNaN: true }),
  });
  fc.assert(
    fc.property(record, (value) => {
      const back = decodeStateRecord(encodeStateRecord(value));
      expect(back).toMatchObject({ class: value.class, steps: value.steps });
      expect(Math.abs((back?.loss as number) - value.loss)).toBeLessThanOrEqual(2 ** -17);
    }),
  );
});
