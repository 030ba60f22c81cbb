// What comes from a wire may be anything: it is refused with a reason, or decodes to what its codebook bounds, and nothing that lay
// in the codec's memory before has a say in it.
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { type OpenCodebook, type SampleReference, SgqError, type SgqForm } from "../../host/sgq/types.ts";
import { codebookOf, dice, featuresOf, forms, seeds } from "./support/arbitrary.ts";
import { loadCodec } from "./support/codec.ts";
import { bodyOf, crc16, flipped, sealed, sealedBook } from "./support/damage.ts";
import { decodeByThePage } from "./support/reference.ts";

let codec: SgqCodec;
let book: Record<SgqForm, OpenCodebook>;
let reference: SampleReference;
/** One frame of each kind, and the CRC that its CRC goes on from. */
let frames: Record<string, { frame: Uint8Array; start?: number; form: SgqForm }>;

const SHAPE = [4, 6, 4] as const;
const ELEMENTS = 96;

beforeAll(async () => {
  codec = await loadCodec();
  const of = (form: SgqForm): OpenCodebook =>
    codec.seal({ ...codebookOf(11, form, codec, { shape: SHAPE, model: 5 }), patch: [2, 2] });
  book = { contexts: of("contexts"), shared: of("shared"), stripes: of("stripes") };
  const x = featuresOf(3, ELEMENTS);
  const key = codec.encode(book.contexts, [x], { sequence: 40 });
  const crc = (key.at(-2) as number) | ((key.at(-1) as number) << 8);
  reference = { sequence: 40, crc, levels: codec.quantise(book.contexts, x) };
  const [y, z] = [featuresOf(4, ELEMENTS), featuresOf(5, ELEMENTS)];
  const made = (form: SgqForm, options: object, samples = [y]) => ({
    form,
    frame: codec.encode(book[form], samples, { sequence: 41, ...options }),
  });
  const changed = Uint8Array.of(1, 0, 0, 1, 0, 0);
  const set = { bits: 2, thresholds: Int8Array.of(1, 9, 30), values: Int8Array.of(0, 5, 14, 50) };
  const values = Int32Array.from({ length: ELEMENTS }, (_, i) => (i - 40) * 1000);
  const gradient = (bits: 4 | 8) => ({ shape: SHAPE, values, exponent: -20, group: 2, bits, key: 9 });
  const to = { model: 5, codebook: 1, sequence: 3 };
  frames = {
    contexts: made("contexts", {}),
    shared: made("shared", { short: false }),
    stripes: made("stripes", { short: false }),
    raw: made("contexts", { raw: true }),
    batch: made("contexts", { raw: true }, [y, z]),
    slice: made("contexts", { slice: { row: 2, rows: 2 } }, [y.subarray(48)]),
    skip: { ...made("contexts", { skip: { changed, reference } }), start: reference.crc },
    self: { form: "contexts", frame: codec.encodeSelfContained(5, SHAPE, set, y, 41) },
    gradient4: { form: "contexts", frame: codec.encodeGradient(to, gradient(4)) },
    gradient8: { form: "contexts", frame: codec.encodeGradient(to, gradient(8)) },
    nack: { form: "contexts", frame: codec.encodeNack({ ...to, reason: 4, detail: 300 }) },
    ack: { form: "contexts", frame: codec.encodeAck(to) },
  };
});

const KINDS = [
  "contexts",
  "shared",
  "stripes",
  "raw",
  "batch",
  "slice",
  "skip",
  "self",
  "gradient4",
  "gradient8",
  "nack",
  "ack",
];

/** What a frame gives to every reader: values, or the reason why not. Anything but an SgqError is a crash. */
function readBy(frame: Uint8Array, with_: OpenCodebook): unknown[] {
  const attempt = (read: () => unknown): unknown => {
    try {
      return read();
    } catch (error) {
      expect(error).toBeInstanceOf(SgqError);
      const { reason, detail, message } = error as SgqError;
      expect(reason).toBeGreaterThanOrEqual(1);
      expect(reason).toBeLessThanOrEqual(6);
      return { reason, detail, message };
    }
  };
  return [
    attempt(() => {
      const { samples, header } = codec.decode(frame, { find: () => with_, reference: () => reference });
      const top = header.selfContained ? 16 : 2 ** with_.book.bits;
      expect(samples).toHaveLength(header.samples);
      for (const { levels, features, shape } of samples) {
        expect(features).toHaveLength(shape[0] * shape[1] * shape[2]);
        expect(levels.every((level) => level < top)).toBe(true);
      }
      return samples.map(({ levels, features }) => [levels, features]);
    }),
    attempt(() => codec.decodeGradient(frame)),
    attempt(() => codec.decodeNack(frame)),
    attempt(() => codec.decodeAck(frame)),
  ];
}

/** Headers may be read before a frame is whole: they are looked at apart. */
function header(frame: Uint8Array): void {
  try {
    expect(codec.header(frame).version).toBe(1);
  } catch (error) {
    expect(error).toBeInstanceOf(SgqError);
  }
}

/** The same whatever the codec's memory held before: nothing is read that was not sent. */
function reads(frame: Uint8Array, with_: OpenCodebook): unknown[] {
  const first = readBy(frame, with_);
  codec.quantise(book.contexts, new Int8Array(ELEMENTS).fill(127));
  codec.encodeSelfContained(
    1,
    [20, 20, 1],
    { bits: 1, thresholds: Int8Array.of(-128), values: Int8Array.of(-1, -1) },
    new Int8Array(400).fill(-1),
    1,
  );
  expect(readBy(frame, with_)).toEqual(first);
  header(frame);
  return first;
}

describe.each(KINDS)("a frame of kind %s", (kind) => {
  it("with any bit flipped is refused by its check value, or as of another version", () => {
    const { frame, form } = frames[kind] as { frame: Uint8Array; form: SgqForm };
    for (let bit = 0; bit < 8 * frame.length; bit++) {
      for (const outcome of readBy(flipped(frame, bit), book[form]))
        expect(outcome, `bit ${bit}`).toHaveProperty("reason");
    }
  });

  it("with any bit flipped and a check value that fits is refused, or decodes within bounds", () => {
    const { frame, form, start } = frames[kind] as { frame: Uint8Array; form: SgqForm; start?: number };
    const body = bodyOf(frame);
    for (let bit = 0; bit < 8 * body.length; bit++) reads(sealed(flipped(body, bit), start), book[form]);
  });

  it("cut at any length is refused; with a check value that fits, or decodes within bounds", () => {
    const { frame, form, start } = frames[kind] as { frame: Uint8Array; form: SgqForm; start?: number };
    for (let length = 0; length < frame.length; length++) {
      for (const outcome of readBy(frame.slice(0, length), book[form]))
        expect(outcome, `length ${length}`).toHaveProperty("reason");
      reads(sealed(frame.slice(0, length), start), book[form]);
    }
    // nor may anything follow
    for (const outcome of readBy(Uint8Array.from([...frame, 0]), book[form]))
      expect(outcome).toHaveProperty("reason");
  });
});

describe("frames", () => {
  it("of bytes that were never one, with a check value that fits", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0xa1, 0xb1, 0xa2),
        fc.uint8Array({ maxLength: 60 }),
        forms,
        (first, rest, form) => void reads(sealed(Uint8Array.from([first, ...rest])), book[form]),
      ),
      { numRuns: 1500 },
    );
  });

  it("decode as the page says, whoever reads them", () => {
    fc.assert(
      fc.property(seeds, forms, (seed, form) => {
        const own = codec.seal(codebookOf(seed, form, codec));
        const x = featuresOf(seed, own.elements);
        const frame = codec.encode(own, [x], { sequence: 7 });
        expect(crc16(bodyOf(frame))).toBe((frame.at(-2) as number) | ((frame.at(-1) as number) << 8));
        const header = codec.header(frame);
        fc.pre(header.short);
        const payload = frame.subarray(3, -2);
        expect(decodeByThePage(own.book, payload)).toEqual(codec.quantise(own, x));
      }),
      { numRuns: 150 },
    );
  });

  it("of two versions side by side: the first byte decides who reads them", () => {
    const { frame } = frames.contexts as { frame: Uint8Array };
    for (const first of [0xa2, 0xb2, 0xaf, 0xb0]) {
      const later = sealed(Uint8Array.from([first, ...bodyOf(frame).subarray(1)]));
      expect(() => codec.decode(later, { find: () => book.contexts })).toThrow(
        expect.objectContaining({ reason: 1, detail: 1 }),
      );
      expect(codec.decode(frame, { find: () => book.contexts }).samples).toHaveLength(1);
    }
  });
});

describe("codebooks", () => {
  it("damaged anywhere are refused with the byte to look at, or are good ones that code whatever they code", () => {
    for (const form of ["contexts", "shared", "stripes"] as const) {
      const { bytes } = book[form];
      const x = featuresOf(9, ELEMENTS);
      const roll = dice(5);
      for (let byte = 0; byte < bytes.length - 4; byte++) {
        // the header and the lists are small, tables are not: of those a few
        if (byte > 400 && roll(0, 9) > 0) continue;
        const damaged = sealedBook(flipped(bytes, 8 * byte + roll(0, 7)));
        let own: OpenCodebook;
        try {
          own = codec.open(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(SgqError);
          expect((error as SgqError).message).toMatch(/see its byte \d+|of version \d+/);
          continue;
        }
        if (own.elements !== ELEMENTS) continue;
        const frame = codec.encode(own, [x], { sequence: 1 });
        expect(codec.decode(frame, { find: () => own }).samples[0]?.levels).toEqual(codec.quantise(own, x));
      }
    }
  });

  it("cut at any length, or too long, are refused", () => {
    const { bytes } = book.contexts;
    for (let length = 0; length < bytes.length; length += length < 64 ? 1 : 7) {
      for (const cut of [bytes.slice(0, length), sealedBook(bytes.slice(0, length))])
        expect(() => codec.open(cut), `length ${length}`).toThrow(SgqError);
    }
    const longer = new Uint8Array(bytes.length + 4);
    longer.set(bytes);
    expect(() => codec.open(sealedBook(longer))).toThrow(SgqError);
    expect(() => codec.open(new Uint8Array(70_000))).toThrow(SgqError);
  });

  it("of a later version are told apart from broken ones", () => {
    const later = book.contexts.bytes.slice();
    later[0] = 0xa2;
    expect(() => codec.open(sealedBook(later))).toThrow(expect.objectContaining({ reason: 1, detail: 1 }));
    expect(() => codec.open(flipped(book.contexts.bytes, 400))).toThrow(
      expect.objectContaining({ reason: 6 }),
    );
  });

  it("as many as devices need are open at once", () => {
    const open = Array.from({ length: 20 }, (_, i) => codec.seal(codebookOf(i, "contexts", codec)));
    const samples = open.map((one, i) => featuresOf(i, one.elements));
    for (let round = 0; round < 2; round++) {
      open.forEach((one, i) => {
        const x = samples[i] as Int8Array;
        const frame = codec.encode(one, [x], { sequence: round });
        expect(codec.decode(frame, { find: () => one }).samples[0]?.levels).toEqual(codec.quantise(one, x));
      });
    }
  });
});

describe("nacks and acknowledgements", () => {
  it("say what they were given", () => {
    const u16 = fc.integer({ min: 0, max: 65535 });
    const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const reasons = fc.constantFrom(1, 2, 3, 4, 5, 6) as fc.Arbitrary<1 | 2 | 3 | 4 | 5 | 6>;
    fc.assert(
      fc.property(u16, u16, u32, reasons, u32, (model, codebook, sequence, reason, detail) => {
        const nack = { model, codebook, sequence, reason, detail };
        expect(codec.decodeNack(codec.encodeNack(nack))).toEqual(nack);
        const ack = codec.decodeAck(codec.encodeAck({ model, codebook, sequence }));
        expect(ack).toMatchObject({ type: 4, model, codebook, sequence, version: 1 });
      }),
    );
  });
});
