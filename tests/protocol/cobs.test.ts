import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cobsDecode, cobsEncode, cobsMaxEncoded } from "../../host/protocol/cobs.ts";
import { fromHex, toHex, vectors } from "./vectors.ts";

const { valid, invalid } = vectors<{
  valid: { name: string; raw: string; encoded: string }[];
  invalid: { name: string; encoded: string }[];
}>("cobs");

describe.each(valid)("$name", ({ raw, encoded }) => {
  test("is encoded", () => expect(toHex(cobsEncode(fromHex(raw)))).toBe(encoded));
  test("is decoded", () => expect(toHex(cobsDecode(fromHex(encoded)) as Uint8Array)).toBe(raw));
});

test.each(invalid)("refuses: $name", ({ encoded }) => {
  expect(cobsDecode(fromHex(encoded))).toBeNull();
});

/** Bytes with many zeros and long runs without, where the code's cases are. */
const bytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.integer({ min: 250, max: 258 }).map((n) => new Uint8Array(n).fill(7)),
      fc.integer({ min: 1, max: 4 }).map((n) => new Uint8Array(n)),
    ),
    { maxLength: 6 },
  )
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));

test("any bytes come back, without a zero, within the bound", () => {
  fc.assert(
    fc.property(bytes, (raw) => {
      const encoded = cobsEncode(raw);
      expect(encoded.includes(0)).toBe(false);
      expect(encoded.length).toBeLessThanOrEqual(cobsMaxEncoded(raw.length));
      expect(cobsDecode(encoded)).toEqual(raw);
    }),
  );
});

test("decoding anything gives null or fewer bytes, never an error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (encoded) => {
      const raw = cobsDecode(encoded);
      if (raw !== null) expect(raw.length).toBeLessThan(encoded.length);
    }),
  );
});
