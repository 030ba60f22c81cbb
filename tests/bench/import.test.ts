// The benchmark of imported models in small, on drawn data: every net, from either kind of file. The published table is made by
// `npm run bench:import`.
import { beforeAll, describe, expect, it } from "vitest";
import { Fp32Trainer } from "../../bench/fp32/trainer.ts";
import { asOnnx, asTflite, IMPORT_NETS, type ImportNet } from "../../bench/import/nets.ts";
import { BUDGETS, type ImportResult, importTable, measureImport } from "../../bench/import.ts";
import { readOnnx } from "../../host/models/onnx/read.ts";
import { runGraph } from "../../host/models/reference.ts";
import { readTflite } from "../../host/models/tflite/read.ts";

const FRAME = [28, 28, 1] as const;

describe.each(Object.keys(IMPORT_NETS) as ImportNet[])("the net %s", (net) => {
  it("computes in either file what the FP32 reference computes", () => {
    const { spec } = IMPORT_NETS[net];
    const trainer = new Fp32Trainer(spec, 5);
    for (const { bias } of trainer.layers) for (const i of bias.keys()) bias[i] = Math.sin(i) / 5;
    const frame = Float32Array.from({ length: 784 }, (_, i) => ((i * i) % 17) / 17);
    const want = Array.from(trainer.forward(frame), (y) => expect.closeTo(y, 3));
    expect(Array.from(runGraph(readOnnx(asOnnx(spec, trainer), FRAME), frame).at(-1)!)).toEqual(want);
    expect(Array.from(runGraph(readTflite(asTflite(spec, trainer), FRAME), frame).at(-1)!)).toEqual(want);
  });
});

describe("npm run bench:import", () => {
  let result: ImportResult;
  beforeAll(async () => {
    const budget = { ...BUDGETS.short, train: 200, test: 40, epochs: 1 };
    result = await measureImport({ budget, data: "generated", nets: ["depthwise"], count: false });
  });

  it("has a row for each net and kind of file, of the same numbers", () => {
    const [onnx, tflite] = result.rows;
    expect(result.rows).toMatchObject([
      { net: "depthwise", format: "onnx", compared: 40, calibrated: 64, layers: 7 },
      { net: "depthwise", format: "tflite", compared: 40, calibrated: 64, layers: 7 },
    ]);
    expect(tflite!.accuracy).toEqual(onnx!.accuracy);
    expect(onnx!.agreement).toBeGreaterThan(0.9);
    expect(importTable(result).split("\n")).toHaveLength(2 + 2);
  });
});
