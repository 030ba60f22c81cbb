import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  FrameDecoder,
  MAX_ENCODED_FRAME,
  MAX_PAYLOAD,
} from "../../host/protocol/frame.ts";
import { fromHex, toHex, vectors } from "./vectors.ts";

interface Vectors {
  valid: (Omit<Frame, "payload"> & { name: string; payload: string; wire: string })[];
  invalid: { name: string; wire: string; reason: string }[];
}

const { valid, invalid } = vectors<Vectors>("frames");

/** What a decoder tells, in order; adjacent text is one. */
function collect() {
  const told: (Frame | { text: string } | { noise: number; reason: string })[] = [];
  const decoder = new FrameDecoder({
    frame: (frame) => told.push({ ...frame, payload: frame.payload.slice() }),
    text: (text) => {
      const last = told.at(-1);
      if (last && "text" in last) last.text += text;
      else told.push({ text });
    },
    noise: (noise, reason) => told.push({ noise, reason }),
  });
  return { told, decoder };
}

function decode(...pieces: Uint8Array[]) {
  const { told, decoder } = collect();
  for (const piece of pieces) decoder.push(piece);
  return told;
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const frame: fc.Arbitrary<Frame> = fc.record({
  type: fc.integer({ min: 1, max: 255 }),
  reliable: fc.boolean(),
  epoch: fc.integer({ min: 0, max: 15 }),
  sequence: fc.integer({ min: 0, max: 65535 }),
  payload: fc.uint8Array({ maxLength: MAX_PAYLOAD }),
});

/** Cuts bytes at random places. */
function cut(bytes: Uint8Array, places: number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...ends].map((start, i) => bytes.subarray(start, ends[i] ?? bytes.length));
}

const places = fc.array(fc.nat(), { maxLength: 8 });

describe.each(valid)("$name", ({ name, wire, payload, ...header }) => {
  const expected = { ...header, payload: fromHex(payload) };
  test("is encoded", () => expect(toHex(encodeFrame(expected))).toBe(wire));
  test("is decoded", () => expect(decode(fromHex(wire))).toEqual([expected]));
});

test.each(invalid)("$name is noise", ({ wire, reason }) => {
  const told = decode(fromHex(wire), Uint8Array.of(0));
  expect(told).toContainEqual({ noise: expect.any(Number), reason });
  expect(told.filter((what) => !("noise" in what))).toEqual([]);
});

test.each([
  { type: 256 },
  { epoch: 16 },
  { sequence: -1 },
  { sequence: 0.5 },
  { payload: new Uint8Array(MAX_PAYLOAD + 1) },
])("refuses to encode %j", (wrong) => {
  const right = { type: 1, reliable: false, epoch: 0, sequence: 0, payload: new Uint8Array(0) };
  expect(() => encodeFrame({ ...right, ...wrong })).toThrow(RangeError);
});

test("frames come out of any stream, however it is cut", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), places, (frames, at) => {
      const wire = Uint8Array.from(frames.flatMap((one) => [...encodeFrame(one)]));
      expect(decode(...cut(wire, at))).toEqual(frames);
    }),
  );
});

test("after any noise and a zero the next frame is found", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), frame, places, (noise, next, at) => {
      const wire = Uint8Array.from([...noise, ...encodeFrame(next)]);
      expect(decode(...cut(wire, at)).at(-1)).toEqual(next);
    }),
  );
});

test("a flipped bit never passes as another frame", () => {
  fc.assert(
    fc.property(frame, fc.nat(), (one, bit) => {
      const wire = encodeFrame(one);
      const at = bit % (wire.length * 8);
      wire[at >> 3] = (wire[at >> 3] as number) ^ (1 << (at & 7));
      const frames = decode(wire, Uint8Array.of(0)).filter((told) => "payload" in told);
      // A flipped delimiter leaves the frame whole only if it was the first one.
      for (const found of frames) expect(found).toEqual(one);
    }),
  );
});

test("half a frame is lost, the next one is not", () => {
  const one = { type: 0x20, reliable: true, epoch: 1, sequence: 5, payload: utf8("payload") };
  const wire = encodeFrame(one);
  for (let end = 1; end < wire.length - 1; end++) {
    const told = decode(wire.subarray(0, end), wire);
    expect(told.filter((what) => "payload" in what)).toEqual([one]);
  }
});

describe("text", () => {
  const one = { type: 1, reliable: false, epoch: 0, sequence: 9, payload: new Uint8Array(0) };

  test("between frames is passed on", () => {
    const wire = [encodeFrame(one), utf8("hello, grüße\r\n"), encodeFrame(one)];
    expect(decode(...wire)).toEqual([one, { text: "hello, grüße\r\n" }, one]);
  });

  test("is told line by line, before any zero comes", () => {
    const { told, decoder } = collect();
    decoder.push(utf8("first\nsecond"));
    expect(told).toEqual([{ text: "first\n" }]);
    decoder.push(utf8("\n"));
    expect(told).toEqual([{ text: "first\nsecond\n" }]);
    expect(decoder.held).toBe(0);
  });

  test("without an end is passed on in pieces of whole characters", () => {
    const text = "aäß€😀".repeat(2000);
    for (const shift of ["", "x", "xy", "xyz"]) {
      expect(decode(utf8(shift + text), Uint8Array.of(0))).toEqual([{ text: shift + text }]);
    }
  });

  test("with control characters or broken UTF-8 is noise", () => {
    expect(decode(utf8("bell \x07"), Uint8Array.of(0))).toEqual([{ noise: 6, reason: "stuffing" }]);
    expect(decode(Uint8Array.of(0x61, 0xff, 0x62, 0))).toMatchObject([{ noise: 3 }]);
  });

  test("keeps colours", () => {
    expect(decode(utf8("\x1b[31mred\x1b[0m\n"))).toEqual([{ text: "\x1b[31mred\x1b[0m\n" }]);
  });
});

test("a flood without a zero is held only up to the largest frame", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 1, max: 20_000 }), (byte, length) => {
      const { told, decoder } = collect();
      decoder.push(new Uint8Array(length).fill(byte));
      expect(decoder.held).toBeLessThanOrEqual(MAX_ENCODED_FRAME);
      decoder.push(Uint8Array.of(0));
      const bytes = told.map((what) =>
        "text" in what ? utf8(what.text).length : "noise" in what ? what.noise : 0,
      );
      expect(bytes.reduce((sum, n) => sum + n, 0)).toBe(length);
    }),
  );
});

test("reset forgets half a frame", () => {
  const { told, decoder } = collect();
  const wire = encodeFrame({ type: 1, reliable: false, epoch: 0, sequence: 9, payload: new Uint8Array(0) });
  decoder.push(wire.subarray(0, 6));
  decoder.reset();
  decoder.push(wire.subarray(1));
  expect(told).toHaveLength(1);
  expect(told[0]).toHaveProperty("sequence", 9);
});

test("decodeFrame takes anything", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1200 }), (bytes) => {
      expect(["string", "object"]).toContain(typeof decodeFrame(bytes));
    }),
  );
});
