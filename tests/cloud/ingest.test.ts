// What workers hand to the trainer, and samples that come in slices.
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { sketchCodebook } from "../../host/cloud/codebook/train.ts";
import { decodePublication } from "../../host/cloud/ingest/decode.ts";
import { decodeDecoded, encodeDecoded } from "../../host/cloud/ingest/decoded-message.ts";
import { DeviceStream, type Sample, type Taken } from "../../host/cloud/ingest/device-stream.ts";
import { decodeRecord, encodeRecord } from "../../host/cloud/ingest/record.ts";
import { CodebookShelf } from "../../host/cloud/ingest/shelf.ts";
import { encodeLabelled } from "../../host/protocol/labelled.ts";
import { MessageError } from "../../host/protocol/message-error.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import { NackReason, type OpenCodebook, SgqError } from "../../host/sgq/types.ts";
import { loadCodec } from "../sgq/support/codec.ts";
import { SHAPE, sampleOf, samplesOf } from "./support/features.ts";

let codec: SgqCodec;
let book: OpenCodebook;
let shelf: CodebookShelf;

beforeAll(async () => {
  codec = await loadCodec();
  const thresholds = [[10, 50], [5], [10], []];
  book = sketchCodebook({ codec, fitContexts }, samplesOf(32).features, {
    model: 1,
    version: 3,
    shape: SHAPE,
    thresholds,
  });
  shelf = new CodebookShelf(codec);
  shelf.add(book.bytes);
});

const publication = (sequence: number, count = 1): Uint8Array => {
  const samples = Array.from({ length: count }, (_, i) => sampleOf(sequence + i));
  const frame = codec.encode(
    book,
    samples.map(({ features }) => features),
    { sequence },
  );
  return encodeLabelled(
    samples.map(({ label }) => ({ label, heldOut: false })),
    frame,
  );
};

function decoded(payload: Uint8Array) {
  const found = decodePublication(codec, shelf, payload);
  if (found.kind !== "samples") throw new Error(`${found.kind} instead of samples`);
  return found;
}

describe("a worker's message", () => {
  it.each([1, 3])("of %i samples says what the worker found", (count) => {
    const payload = publication(40, count);
    const found = decoded(payload);
    const bytes = encodeDecoded({ device: "kitchen", payload, decoded: found });
    const back = decodeDecoded(codec, bytes);
    expect(back).toMatchObject({ device: "kitchen", payload });
    // codes are not sent: what refers to them is decoded by the trainer
    const samples = found.samples.map((sample) => ({ ...sample, levels: new Uint8Array(0) }));
    expect(back.decoded).toEqual({ ...found, samples });
  });

  it("of something that it did not decode is the publication alone", () => {
    const payload = codec.encodeAck({ model: 1, codebook: 3, sequence: 1 });
    expect(decodeDecoded(codec, encodeDecoded({ device: "a", payload }))).toEqual({ device: "a", payload });
  });

  it("of any other bytes is refused with a name, and takes no memory that it asks for", () => {
    const payload = publication(7);
    const good = encodeDecoded({ device: "a", payload, decoded: decoded(payload) });
    const spoilt = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => changes.reduce((bytes, [at, value]) => bytes.with(at, value), good));
    const cut = fc.nat(good.length - 1).map((length) => good.slice(0, length));
    fc.assert(
      fc.property(fc.oneof(spoilt, cut, fc.uint8Array()), (bytes) => {
        try {
          const { decoded: found } = decodeDecoded(codec, bytes);
          for (const { features, shape } of found?.samples ?? [])
            expect(features.length).toBe(shape.reduce((product, n) => product * n, 1));
        } catch (error) {
          expect(error instanceof MessageError || error instanceof SgqError).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("a record of the journal", () => {
  it("comes back, and any other bytes are refused", () => {
    const record = { device: "kitchen", payload: publication(1) };
    for (const one of [record, { ...record, byWorker: true }])
      expect(decodeRecord(encodeRecord(one))).toEqual(one);
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          decodeRecord(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MessageError);
        }
      }),
    );
  });
});

describe("a device's stream", () => {
  const take = (stream: DeviceStream, frame: Uint8Array): readonly Sample[] | NackReason => {
    const payload = encodeLabelled([{ label: 2, heldOut: false }], frame);
    const taken = stream.take(decoded(payload), payload);
    return typeof taken === "number" ? taken : taken.ready;
  };

  it("puts slices together, in any order, each once", () => {
    const stream = new DeviceStream("a", SHAPE);
    const { features } = sampleOf(5);
    const slice = (row: number, rows: number): Uint8Array =>
      codec.encode(book, [features.slice(row * 24, (row + rows) * 24)], {
        sequence: 9,
        slice: { row, rows },
      });
    const parts = [slice(4, 2), slice(0, 1), slice(1, 3)];
    expect(take(stream, parts[0] as Uint8Array)).toEqual([]);
    expect(take(stream, parts[0] as Uint8Array)).toEqual([]);
    expect(take(stream, parts[1] as Uint8Array)).toEqual([]);
    const [whole] = take(stream, parts[2] as Uint8Array) as Sample[];
    expect(whole).toMatchObject({ sequence: 9, label: 2, codebook: 3 });
    expect(whole?.bytes).toBe(parts.reduce((sum, part) => sum + part.length, 0));
    expect(whole?.features).toEqual(codec.reconstruct(book, codec.quantise(book, features)));
  });

  it("shares the bytes of a frame among its samples", () => {
    const stream = new DeviceStream("a", SHAPE);
    const payload = publication(20, 4);
    const { ready: samples } = stream.take(decoded(payload), payload) as Taken;
    expect(samples.map(({ sequence }) => sequence)).toEqual([20, 21, 22, 23]);
    expect(samples.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(decoded(payload).bytes);
  });

  it("refuses samples of another shape", () => {
    expect(
      take(new DeviceStream("a", [6, 6, 5]), codec.encode(book, [sampleOf(1).features], { sequence: 0 })),
    ).toBe(NackReason.refused);
  });
});
