// Labels in front of frames, and what is larger than a link frame in parts.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeLabelled, encodeLabelled, LABELLED } from "../../host/protocol/labelled.ts";
import { MessageError } from "../../host/protocol/messages.ts";
import { decodePart, encodeParts, MAX_PART, PartKind } from "../../host/protocol/parts.ts";

const labels = fc.array(fc.record({ label: fc.integer({ min: -1, max: 254 }), heldOut: fc.boolean() }), {
  minLength: 1,
  maxLength: 255,
});

describe("labelled features", () => {
  it("are these bytes", () => {
    const frame = Uint8Array.of(0xb1, 7);
    expect([...encodeLabelled([{ label: 3, heldOut: true }], frame)]).toEqual([LABELLED, 1, 3, 1, 0xb1, 7]);
    expect([...encodeLabelled([{ label: -1, heldOut: false }], frame)]).toEqual([
      LABELLED,
      1,
      255,
      0,
      0xb1,
      7,
    ]);
  });

  it("come back as they were", () => {
    fc.assert(
      fc.property(labels, fc.uint8Array({ minLength: 1 }), (given, frame) => {
        expect(decodeLabelled(encodeLabelled(given, frame))).toEqual({ labels: given, frame });
      }),
    );
  });

  it("a frame alone has none", () => {
    const frame = Uint8Array.of(0xa1, 0, 1);
    expect(decodeLabelled(frame)).toEqual({ labels: [], frame });
  });

  it("any bytes are taken apart or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          const { labels: some, frame } = decodeLabelled(Uint8Array.of(LABELLED, ...bytes));
          expect(2 + 2 * some.length + frame.length).toBe(1 + bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(MessageError);
        }
      }),
    );
  });

  it.each([
    [[], /0 labels/],
    [[{ label: 255, heldOut: false }], /label 255/],
  ])("%j cannot be written", (given, message) => {
    expect(() => encodeLabelled(given, Uint8Array.of(1))).toThrow(message);
  });
});

describe("parts", () => {
  it("put together, they are what was cut; each fits, and only the last says so", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (whole) => {
        const parts = [...encodeParts(PartKind.codebook, whole)].map(decodePart);
        const joined = new Uint8Array(whole.length);
        for (const { offset, bytes } of parts) joined.set(bytes, offset);
        expect(joined).toEqual(whole);
        expect(parts.map(({ last }) => last)).toEqual(parts.map((_, i) => i === parts.length - 1));
        expect(parts.every(({ bytes }) => bytes.length <= MAX_PART)).toBe(true);
      }),
    );
  });

  it.each([
    ["too short", [1, 1, 0, 0, 0, 0, 0]],
    ["of an unknown kind", [9, 1, 0, 0, 0, 0, 0, 0]],
    ["with an unknown flag", [1, 2, 0, 0, 0, 0, 0, 0]],
    ["with something in its zeros", [1, 1, 1, 0, 0, 0, 0, 0]],
  ])("one that is %s is refused", (_, bytes) => {
    expect(() => decodePart(Uint8Array.from(bytes))).toThrow(MessageError);
  });
});
