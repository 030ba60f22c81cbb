// What a device has learned, as safetensors and ONNX: values, layout, and files that are none.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { ModelProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { exportWeights } from "../../host/models/export.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  SafetensorsError,
  type Tensor,
} from "../../host/models/safetensors.ts";
import { decodeWeights, encodeWeights, type WeightsEntry } from "../../host/protocol/weights.ts";
import { run } from "../cli/support/octomote.ts";
import { temporaryTree } from "../support/tree.ts";

/** conv2d(2, [1, 2]) on 3 channels, then dense(2) on the 2×2 map of 2 channels, on a grid of 3 bits. */
function weights(compensated = false): Uint8Array {
  const entries: WeightsEntry[] = [
    {
      index: 0,
      kind: 1,
      shape: [2, 1, 2, 3],
      groups: 1,
      masters: 48,
      biases: 72,
      bits: 0,
      grid: 0,
      compensation: compensated ? 144 : 0,
    },
    {
      index: 4,
      kind: 2,
      shape: [2, 1, 1, 8],
      groups: 1,
      masters: 96,
      biases: 128,
      bits: 3,
      grid: 136,
      compensation: 0,
    },
  ];
  const state = new Uint8Array(compensated ? 168 : 144);
  const view = new DataView(state.buffer);
  for (const [i, word] of [0x504b434f, 1, state.length, 0xabcdef01, 77, 5].entries())
    view.setUint32(4 * i, word, true);
  view.setBigUint64(32, 3n << 31n, true); // range 1.5
  view.setInt32(40, -7, true); // masters of 2^−15
  for (let i = 0; i < 12; i++) view.setInt16(48 + 2 * i, 1000 * i - 5555, true);
  view.setInt32(72, 1 << 20, true);
  view.setInt32(76, -(1 << 18) - 1, true);
  view.setInt32(88, 2, true); // masters of 2^−6
  for (let i = 0; i < 16; i++) view.setInt16(96 + 2 * i, 700 * i - 5000, true);
  view.setUint32(136, 1500 << 8, true);
  if (compensated) [3 << 15, -1 << 16, 1 << 24, 3 << 23].map((w, i) => view.setInt32(144 + 4 * i, w, true));
  return encodeWeights(state, entries);
}

const named = (tensors: Tensor[], name: string) => tensors.find((tensor) => tensor.name === name)!;

describe("safetensors", () => {
  const { tensors, metadata } = decodeSafetensors(exportWeights(decodeWeights(weights()), "safetensors"));

  it("a convolution is float32 OIHW: master times scale, to the bit", () => {
    const { shape, data } = named(tensors, "layers.0.weight");
    expect(shape).toEqual([2, 3, 1, 2]);
    const master = (o: number, w: number, c: number) => 1000 * ((o * 2 + w) * 3 + c) - 5555;
    const want = [0, 1].flatMap((o) =>
      [0, 1, 2].flatMap((c) => [0, 1].map((w) => Math.fround(master(o, w, c) * 2 ** -15))),
    );
    expect([...data]).toEqual(want);
    expect([...named(tensors, "layers.0.bias").data]).toEqual([1, Math.fround((-(2 ** 18) - 1) / 2 ** 20)]);
    expect([...named(tensors, "layers.0.weight_int8").data]).toEqual(
      [...named(tensors, "layers.0.weight_int16").data].map((master) => (master + 128) >> 8),
    );
  });

  it("a channel's gain is in its weights; what compensates it lies beside", () => {
    const compensated = decodeSafetensors(exportWeights(decodeWeights(weights(true)), "safetensors")).tensors;
    const plain = [...named(tensors, "layers.0.weight").data];
    const want = plain.map((w, i) => Math.fround(i < plain.length / 2 ? w : 1.5 * w));
    expect([...named(compensated, "layers.0.weight").data]).toEqual(want);
    expect([...named(compensated, "layers.0.compensation_alpha").data]).toEqual([1.5, -1]);
    expect([...named(compensated, "layers.0.compensation_gain").data]).toEqual([1, 1.5]);
    expect(tensors.some(({ name }) => name.includes("compensation"))).toBe(false);
  });

  it("a dense layer is out × in, its inputs channel by channel, and the levels of its grid", () => {
    const { shape, data } = named(tensors, "layers.4.weight");
    expect(shape).toEqual([2, 8]);
    const level = (master: number) => Math.max(-3, Math.min(3, Math.floor(master / 1500 + 0.5)));
    const want = [0, 1].flatMap((o) =>
      [0, 1].flatMap((c) =>
        [0, 1, 2, 3].map((p) => level(700 * (o * 8 + p * 2 + c) - 5000) * 1500 * 2 ** -6),
      ),
    );
    expect([...data]).toEqual(want);
  });

  it("scales and the model's marks are in the metadata", () => {
    expect(metadata).toMatchObject({
      format: "pt",
      structure: "abcdef01",
      step: "77",
      "layers.0.weight_int8.scale": String(2 ** -7),
      "layers.0.output_range": "1.5",
      "layers.4.bits": "3",
    });
    const int8 = named(tensors, "layers.4.weight_int8").data;
    const scale = Number(metadata["layers.4.weight_int8.scale"]);
    expect([...int8].map((q) => Math.fround(q * scale))).toEqual([...named(tensors, "layers.4.weight").data]);
  });

  it("any tensors come back", () => {
    const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
    const tensor = fc.tuple(
      fc.string({ minLength: 1 }),
      shape,
      fc.constantFrom(Float32Array, Int8Array, Int16Array),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(tensor, { selector: ([name]) => name, maxLength: 5 }),
        fc.dictionary(fc.string(), fc.string()),
        (list, texts) => {
          const given = list
            .filter(([name]) => name !== "__metadata__" && name !== "__proto__")
            .map(([name, dims, Kind]) => {
              const data = (Kind as typeof Int8Array).from(
                { length: dims.reduce((a, b) => a * b, 1) },
                (_, i) => 3 * i - 7,
              );
              return { name, shape: dims, data };
            });
          const back = decodeSafetensors(encodeSafetensors(given, texts));
          expect(new Set(back.tensors)).toEqual(new Set(given));
        },
      ),
    );
  });

  it("bytes that are no file are refused, whatever they are", () => {
    const file = exportWeights(decodeWeights(weights()), "safetensors");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 4 }),
        fc.nat(file.length),
        (edits, cut) => {
          const bytes = file.slice(0, cut);
          for (const [at, byte] of edits) if (at < bytes.length) bytes[at] = byte;
          try {
            decodeSafetensors(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(SafetensorsError);
          }
        },
      ),
    );
  });
});

describe("octomote export", () => {
  it("writes either format, with the same numbers in both", async () => {
    const folder = temporaryTree();
    const file = join(folder, "kitchen.weights");
    writeFileSync(file, weights());
    const first = await run(["export", file, "--json"]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    const out = join(folder, "kitchen.safetensors");
    expect(JSON.parse(first.stdout)).toMatchObject({ out, format: "safetensors", tensors: { length: 10 } });
    const { tensors } = decodeSafetensors(readFileSync(out));
    const second = await run(["export", file, "--format", "onnx", "--out", join(folder, "k.onnx")]);
    expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining("10 tensors") });
    const { graph, metadataProps } = fromBinary(ModelProtoSchema, readFileSync(join(folder, "k.onnx")));
    expect(metadataProps.find(({ key }) => key === "step")?.value).toBe("77");
    expect(graph?.output.map(({ name }) => name)).toEqual(tensors.map(({ name }) => `${name}.output`));
    for (const [i, { name, dims, rawData }] of graph!.initializer.entries()) {
      const { data, shape } = tensors[i]!;
      expect({ name, shape: dims.map(Number) }).toEqual({ name: tensors[i]!.name, shape });
      expect(new Uint8Array(rawData)).toEqual(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
  });

  it("refuses what is no weights file, and writes nothing", async () => {
    const folder = temporaryTree({ "x.weights": "nothing" });
    const { code, stderr } = await run(["export", join(folder, "x.weights")]);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("not a weights file"),
    });
    expect(() => readFileSync(join(folder, "x.safetensors"))).toThrow();
  });
});
