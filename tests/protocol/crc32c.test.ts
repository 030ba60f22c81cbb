import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../../host/protocol/crc32c.ts";
import { fromHex, vectors } from "./vectors.ts";

const { valid } = vectors<{ valid: { name: string; bytes: string; crc: number }[] }>("crc32c");

test.each(valid)("$name", ({ bytes, crc }) => {
  expect(crc32c(fromHex(bytes))).toBe(crc);
});

test("a sum continues over pieces", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      expect(crc32c(b, crc32c(a))).toBe(crc32c(Uint8Array.from([...a, ...b])));
    }),
  );
});
