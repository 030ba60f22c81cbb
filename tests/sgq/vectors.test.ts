// Golden vectors: codebooks, features and frames as bytes (tests/vectors/sgq.json). Whoever speaks the format reads and writes
// exactly these, for as long as its version is 1.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import type { SampleReference } from "../../host/sgq/types.ts";
import { fromHex, toHex, vectors } from "../protocol/vectors.ts";
import { loadCodec } from "./support/codec.ts";
import { buildCodecApp, DeviceSgq, inNode, pathOf } from "./support/device.ts";
import { decodeByThePage } from "./support/reference.ts";

interface Vectors {
  /** One of each form: the codebook, int8 features, their levels, and the frames of sequence number 7 or what is said. */
  forms: {
    form: string;
    codebook: string;
    features: string;
    levels: string;
    frame: string;
    full: string;
    raw: string;
    slice: { row: number; rows: number; frame: string };
  }[];
  /** With the first codebook: the second frame leaves out what did not change since the first. */
  skip: {
    changed: string;
    first: { sequence: number; frame: string };
    features: string;
    sequence: number;
    frame: string;
  };
  selfContained: { features: string; sequence: number; frame: string; levels: string };
  gradients: { bits: 4 | 8; frame: string; exponents: number[]; values: number[] }[];
  nack: { model: number; codebook: number; sequence: number; reason: number; detail: number; frame: string };
  ack: { model: number; codebook: number; sequence: number; frame: string };
}

const golden = vectors<Vectors>("sgq");
const int8 = (hex: string): Int8Array => new Int8Array(fromHex(hex).buffer);

let codec: SgqCodec;
beforeAll(async () => {
  codec = await loadCodec();
});

describe.each(golden.forms)(
  "the codec, form $form",
  ({ codebook, features, levels, frame, full, raw, slice }) => {
    it("writes these frames", () => {
      const book = codec.open(fromHex(codebook));
      const x = int8(features);
      const one = (options: object): string => toHex(codec.encode(book, [x], { sequence: 7, ...options }));
      expect(toHex(codec.quantise(book, x))).toBe(levels);
      expect([one({}), one({ short: false }), one({ raw: true })]).toEqual([frame, full, raw]);
      const { row, rows } = slice;
      const part = x.subarray(row * 80, (row + rows) * 80);
      expect(toHex(codec.encode(book, [part], { sequence: 7, slice: { row, rows } }))).toBe(slice.frame);
    });

    it("and reads them, as the page's own decoder does", () => {
      const book = codec.open(fromHex(codebook));
      for (const one of [frame, full, raw]) {
        const { samples } = codec.decode(fromHex(one), { find: () => book });
        expect(toHex(samples[0]?.levels as Uint8Array)).toBe(levels);
      }
      expect(toHex(decodeByThePage(book.book, fromHex(frame).subarray(3, -2)))).toBe(levels);
      const cut = codec.decode(fromHex(slice.frame), { find: () => book });
      const perRow = levels.length / (6 / book.book.stripe);
      const first = (slice.row / book.book.stripe) * perRow;
      expect(toHex(cut.samples[0]?.levels as Uint8Array)).toBe(
        levels.slice(first, first + (slice.rows / book.book.stripe) * perRow),
      );
    });
  },
);

describe("the codec", () => {
  it("leaves out what did not change", () => {
    const book = codec.open(fromHex(golden.forms[0]?.codebook as string));
    const { first, sequence, changed, features, frame } = golden.skip;
    const key = codec.decode(fromHex(first.frame), { find: () => book });
    const reference: SampleReference = {
      sequence: first.sequence,
      crc: key.crc,
      levels: key.samples[0]?.levels as Uint8Array,
    };
    const x = int8(features);
    const skip = { changed: fromHex(changed), reference };
    expect(toHex(codec.encode(book, [x], { sequence, skip }))).toBe(frame);
    const decoded = codec.decode(fromHex(frame), { find: () => book, reference: () => reference });
    expect(decoded.samples[0]?.levels).toEqual(codec.quantise(book, x));
  });

  it("reads gradients, nacks, acknowledgements and self-contained frames", () => {
    for (const { bits, frame, exponents, values } of golden.gradients) {
      const gradient = codec.decodeGradient(fromHex(frame));
      expect(gradient).toMatchObject({ bits, shape: [1, 2, 4], group: 2 });
      expect([[...gradient.exponents], [...gradient.values]]).toEqual([exponents, values]);
    }
    const { frame: nackFrame, ...nack } = golden.nack;
    expect(codec.decodeNack(fromHex(nackFrame))).toEqual(nack);
    const { frame: ackFrame, ...ack } = golden.ack;
    expect(codec.decodeAck(fromHex(ackFrame))).toMatchObject(ack);
    const { frame, levels } = golden.selfContained;
    const { samples } = codec.decode(fromHex(frame), { find: () => undefined });
    expect(toHex(samples[0]?.levels as Uint8Array)).toBe(levels);
  });
});

describe.each(["portable", "device"] as const)("the device's Sgq, %s module", (target) => {
  let folder: string;
  let device: DeviceSgq;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "octomote-sgq-"));
    device = new DeviceSgq(await inNode(pathOf(await buildCodecApp(folder), target)));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(golden.forms)("form $form: writes these frames", async ({ codebook, features, frame, slice }) => {
    await device.open(fromHex(codebook));
    await device.features(int8(features));
    expect(toHex(await device.made("encode", 7))).toBe(frame);
    expect(toHex(await device.made("slice", slice.row, slice.rows, 7))).toBe(slice.frame);
  });

  it("leaves out what did not change, and writes the others", async () => {
    const [form] = golden.forms as [Vectors["forms"][number]];
    const { first, features, changed, sequence, frame } = golden.skip;
    await device.open(fromHex(form.codebook));
    await device.features(int8(form.features));
    expect(toHex(await device.made("encode", first.sequence))).toBe(first.frame);
    await device.features(int8(features));
    await device.changed(fromHex(changed));
    expect(toHex(await device.made("changed", sequence))).toBe(frame);
    const { selfContained, ack, nack } = golden;
    await device.features(int8(selfContained.features));
    expect(toHex(await device.made("alone", selfContained.sequence))).toBe(selfContained.frame);
    expect(toHex(await device.made("acknowledge", ack.codebook, ack.sequence))).toBe(ack.frame);
    expect(toHex(await device.made("refuse", nack.codebook, nack.sequence, nack.detail))).toBe(nack.frame);
  });
});
