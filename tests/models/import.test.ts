// A model of the ecosystem becomes an app: what is read computes what the model computes, INT8 stays close to it, and the app gives the same
// bits everywhere and goes on learning.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuiltModule, buildIntrinsics, buildModules, type Target } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { encodeSamples, parseSamples, type Samples } from "../../host/data/sample-file.ts";
import { startVirtualDevice, type VirtualBoard } from "../../host/devices/virtual-device.ts";
import { readRegion } from "../../host/link/regions.ts";
import { importModel } from "../../host/models/import.ts";
import { Region } from "../../host/protocol/requests.ts";
import { decodeStateRecord } from "../../host/protocol/state-record.ts";
import { decodeWeights } from "../../host/protocol/weights.ts";
import { hostOf, sha256 } from "../assembly/support.ts";
import { run } from "../cli/support/octomote.ts";
import { requires } from "../support/requirements.ts";
import { temporaryTree, writeTree } from "../support/tree.ts";
import { residual, tensorsOf, trainedClassifier } from "./support/nets.ts";

let samples: Samples;
let bytes: Uint8Array;
let model: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  const dataset = await loadDataset("generated", { limit: { train: 1200, test: 300 }, seed: 7 });
  bytes = encodeSamples(dataset, { seed: 3 });
  samples = parseSamples(bytes, "glyphs");
  model = await trainedClassifier(samples, 8);
});

describe("an imported classifier", () => {
  it("is right as often as its float model, within two points, and learns on", async () => {
    const { app, head, numbers, report } = await importModel(model, samples, {
      name: "glyphs",
      model: "glyphs.onnx",
    });
    expect(report).toMatchObject({ input: [28, 28, 1], layers: 5, calibrated: 64, compared: 300 });
    expect(report.accuracy!.float).toBeGreaterThan(0.7);
    expect(report.accuracy!.int8).toBeGreaterThanOrEqual(report.accuracy!.float - 0.02);
    expect(report.agreement).toBeGreaterThan(0.95);
    expect(app).toContain("new Model([28, 28, 1])\n  .add(backbone(NET))\n  .add(dense(10));");
    expect(decodeWeights(head!).entries).toMatchObject([{ index: 1, kind: 2, shape: [10, 1, 1, 256] }]);

    const folder = temporaryTree({ "glyphs.ts": app, "glyphs-net.ts": numbers });
    const [built] = await buildModules({
      apps: [join(folder, "glyphs.ts")],
      targets: ["portable"],
      out: join(folder, "out"),
    });
    let last: Uint8Array = new Uint8Array();
    const host = await hostOf(built!.path, samples, {
      publish: (_channel, record) => {
        last = record;
      },
    });
    // it begins with the head of the file …
    const { state } = decodeWeights(head!);
    expect(host.state()).toEqual(state);
    for (let step = 0; step < 250; step++) host.step();
    // … and moves on from there without harm
    expect(host.state()).not.toEqual(state);
    expect(decodeStateRecord(last)!.accuracy).toBeGreaterThan(report.accuracy!.float - 0.05);
  });
});

describe("an imported net with branches and depthwise layers leaves the same bits", () => {
  const STEPS = 12;
  let folder: string;
  let modules: BuiltModule[];
  let reference: string;

  beforeAll(async () => {
    // a residual block, a depthwise and a pointwise convolution, and a dense layer that learns
    const { app, numbers } = await importModel(residual(tensorsOf(17)), samples, {
      name: "glyphs",
      model: "glyphs.onnx",
      test: 20,
    });
    folder = mkdtempSync(join(tmpdir(), "octomote-import-bits-"));
    writeTree(folder, { "glyphs.ts": app, "glyphs-net.ts": numbers });
    writeFileSync(join(folder, "samples.bin"), bytes);
    modules = await buildModules({ apps: [join(folder, "glyphs.ts")], out: join(folder, "out") });
    reference = await inNode("portable");
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const pathOf = (target: Target) => modules.find((it) => it.target === target)!.path;

  async function inNode(target: Target): Promise<string> {
    const intrinsics = await readFile(await buildIntrinsics());
    const host = await hostOf(pathOf(target), samples, { intrinsics, seed: 4 });
    for (let step = 0; step < STEPS; step++) host.step();
    return sha256(host.state());
  }

  async function onDevice(board: VirtualBoard, target: Target): Promise<string> {
    const device = await startVirtualDevice({
      id: `import-${target}`,
      board,
      module: pathOf(target),
      samples: join(folder, "samples.bin"),
    });
    try {
      await device.link.request("start", { seed: 4, steps: STEPS }, { timeoutMs: 60_000 });
      for (;;) {
        const status = await device.link.request("status", {}, { timeoutMs: 60_000 });
        if (status.error) throw new Error(`the device stopped: ${JSON.stringify(status.error)}`);
        if (!status.running) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return sha256(await readRegion(device.link, Region.learnedState));
    } finally {
      await device.stop();
    }
  }

  it("in Node, with the kernels beside the module", async () => {
    expect(await inNode("device")).toBe(reference);
  });

  requires("gcc").describe("under wasm3 on posix", () => {
    it.each<Target>(["device", "portable"])("%s module", async (target) => {
      expect(await onDevice("posix", target)).toBe(reference);
    });
  });

  requires("qemu-system-arm", "arm-none-eabi-gcc").describe("under wasm3 on a Cortex-M4 in QEMU", () => {
    it.each<Target>(["device", "portable"])("%s module", { timeout: 600_000 }, async (target) => {
      expect(await onDevice("mps2-an386", target)).toBe(reference);
    });
  });
});

describe("octomote import", () => {
  it("writes app, numbers and weights, and tells how good they are", async () => {
    const folder = temporaryTree();
    writeFileSync(join(folder, "my model.onnx"), model);
    writeFileSync(join(folder, "samples.bin"), bytes);
    const args = ["import", join(folder, "my model.onnx"), "--calibrate", join(folder, "samples.bin")];
    const { code, stderr, stdout } = await run([
      ...args,
      "--out",
      join(folder, "app"),
      "--test",
      "40",
      "--json",
    ]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(JSON.parse(stdout)).toMatchObject({
      name: "my-model",
      compared: 40,
      accuracy: { float: expect.any(Number), int8: expect.any(Number) },
    });
    expect(readdirSync(join(folder, "app")).sort()).toEqual([
      "my-model-net.ts",
      "my-model.ts",
      "my-model.weights",
    ]);
    decodeWeights(readFileSync(join(folder, "app/my-model.weights")));
  });

  it("writes all of its files or none", async () => {
    const folder = temporaryTree();
    writeFileSync(join(folder, "glyphs.onnx"), model);
    writeFileSync(join(folder, "samples.bin"), bytes);
    // the last of the files has no place
    mkdirSync(join(folder, "app/glyphs.ts"), { recursive: true });
    const { code, stderr } = await run([
      ...["import", join(folder, "glyphs.onnx"), "--calibrate", join(folder, "samples.bin")],
      ...["--out", join(folder, "app"), "--test", "1", "--frames", "1"],
    ]);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("glyphs.ts cannot be written: there is a folder of that name"),
    });
    expect(readdirSync(join(folder, "app"))).toEqual(["glyphs.ts"]);
  });

  it("refuses what it cannot take, and writes nothing", async () => {
    const folder = temporaryTree({ "x.onnx": "nothing", "x.pt": "nothing" });
    mkdirSync(join(folder, "app"));
    writeFileSync(join(folder, "samples.bin"), bytes);
    const at = (file: string, ...more: string[]) =>
      run([
        "import",
        join(folder, file),
        "--calibrate",
        join(folder, "samples.bin"),
        "--out",
        join(folder, "app"),
        ...more,
      ]);
    expect(await at("x.onnx")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("not an ONNX file"),
    });
    expect(await at("x.pt")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("neither .onnx nor .tflite"),
    });
    expect(await at("x.onnx", "--name", "7")).toMatchObject({ code: 2 });
    expect(await at("gone.onnx")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("cannot be read"),
    });
    expect(readdirSync(join(folder, "app"))).toEqual([]);
  });
});
