// Weights files: a device writes the bytes that the host writes, both refuse the same files, and training goes on from a file as if
// it had never stopped.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BuiltModule,
  buildIntrinsics,
  buildModules,
  ROOT,
  type Target,
} from "../../host/build/modules.ts";
import type { Samples } from "../../host/data/sample-file.ts";
import type { ModuleHost } from "../../host/module/module-host.ts";
import { TensorsError, tensorsOf } from "../../host/module/tensors.ts";
import { openState, sealState, stateHeader } from "../../host/protocol/checkpoint.ts";
import {
  decodeWeights,
  encodeWeights,
  layerWeights,
  WEIGHTS_HEADER_BYTES,
  WeightsError,
  weightsCrc,
} from "../../host/protocol/weights.ts";
import { glyphs, hostOf, sha256 } from "./support.ts";

const TARGETS: Target[] = ["portable", "device"];
/** Parameters: what the layers are told. */
const MODELS = { plain: {}, "3 bits": { options: 1 }, "3 bits, LAC": { options: 3 } } as const;

let folder: string;
let modules: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
let samples: Samples;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-weights-"));
  modules = await buildModules({ apps: [join(ROOT, "tests/assembly/apps/weights.ts")], out: folder });
  intrinsics = await readFile(await buildIntrinsics());
  samples = await glyphs(40);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Kept {
  memory: WebAssembly.Memory;
  roomAt(): number;
  save(): number;
  savedBytes(): number;
  loadFile(bytes: number): number;
}

const pathOf = (target: Target) => modules.find((module) => module.target === target)!.path;

async function start(
  target: Target,
  params: Readonly<Record<string, number>> = {},
  options: { seed?: number; first?: number; observe?: (name: string, args: readonly number[]) => void } = {},
): Promise<{ host: ModuleHost; kept: Kept }> {
  const host = await hostOf(pathOf(target), samples, { intrinsics, params, seed: 3, ...options });
  return { host, kept: host.exported as unknown as Kept };
}

function train(host: ModuleHost, steps: number): void {
  for (let i = 0; i < steps; i++) host.step();
}

function saved(kept: Kept): Uint8Array {
  const at = kept.save();
  return new Uint8Array(kept.memory.buffer, at, kept.savedBytes()).slice();
}

function give(kept: Kept, file: Uint8Array): boolean {
  new Uint8Array(kept.memory.buffer).set(file, kept.roomAt());
  return kept.loadFile(file.length) !== 0;
}

/** A file that was changed on purpose, with the check value of what it holds now. */
function withCheckValue(file: Uint8Array): Uint8Array {
  new DataView(file.buffer).setUint32(24, weightsCrc(file), true);
  return file;
}

describe.each(Object.entries(MODELS))("%s", (_name, params) => {
  it.each(TARGETS)("a %s module writes the host's bytes, and goes on from them", async (target) => {
    const { host, kept } = await start(target, params);
    train(host, 9);
    const file = saved(kept);
    const { entries, header, state } = decodeWeights(file);
    expect(header).toMatchObject({ step: stateHeader(host.state()).step, seed: 3 });
    expect(state).toEqual(host.state());
    expect(encodeWeights(host.state(), entries)).toEqual(file);
    expect(entries).toMatchObject([
      { index: 0, kind: 1, shape: [4, 5, 5, 1], groups: 1 },
      { index: 3, kind: 2, shape: [10, 1, 1, 4 * 6 * 6], groups: 1 },
    ]);
    train(host, 8);
    const whole = sha256(host.state());

    const other = await start(target, params, { seed: 99, first: 9 });
    expect(give(other.kept, file)).toBe(true);
    train(other.host, 8);
    expect(sha256(other.host.state())).toBe(whole);
  });

  it("tensors are those that the device computes with", async () => {
    const pointers: number[] = [];
    const { host, kept } = await start("device", params, {
      observe: (name, args) => name === "conv2d" && pointers.push(args[5] as number),
    });
    train(host, 7);
    const places = [...new Set(pointers)];
    const file = decodeWeights(saved(kept));
    for (const [i, entry] of file.entries.entries()) {
      const { weights, scale, masters, masterScale } = layerWeights(file, entry);
      expect(weights).toEqual(new Int8Array(kept.memory.buffer, places[i], weights.length));
      // what rounding takes away is at most half a level, the last level aside
      const worst = Math.max(...masters.map((w, k) => Math.abs(w * masterScale - weights[k]! * scale)));
      expect(worst).toBeLessThanOrEqual(scale * (entry.bits ? 1 : 0.5));
    }
  });
});

describe("a module that keeps no file", () => {
  it("tells by its calls where its tensors lie, the same as one with a table", async () => {
    const { kept } = await start("portable");
    const module = (target: Target) => readFile(pathOf(target)) as Promise<Uint8Array<ArrayBuffer>>;
    const table = decodeWeights(saved(kept));
    expect(await tensorsOf(await module("portable"), intrinsics)).toEqual({
      entries: table.entries,
      structure: table.header.structure,
    });
    const [plain] = await buildModules({
      apps: [join(ROOT, "assembly/apps/trainer.ts")],
      targets: ["device"],
      out: folder,
    });
    const { entries } = await tensorsOf(await readFile(plain!.path), intrinsics);
    expect(entries).toMatchObject([
      { index: 0, kind: 1, shape: [8, 5, 5, 1], masters: 48 },
      { index: 3, kind: 1, shape: [16, 5, 5, 8] },
      { index: 6, kind: 2, shape: [10, 1, 1, 256] },
    ]);
  });

  it("and is asked for its app where only that could tell", async () => {
    const apps = [join(ROOT, "assembly/apps/trainer.ts"), join(ROOT, "assembly/apps/camera.ts")];
    const built = await buildModules({ apps, out: folder });
    const refusal = async (app: string, target: Target) => {
      const path = built.find((module) => module.app === app && module.target === target)!.path;
      return tensorsOf(await readFile(path), intrinsics).then(
        () => "none",
        (error) => `${error instanceof TensorsError} ${(error as Error).message}`,
      );
    };
    expect(await refusal("trainer", "portable")).toMatch(/^true .*give the device module/);
    expect(await refusal("camera", "device")).toMatch(/^true .*no model that learns/);
  });
});

describe("a file that is not whole, or not this model's", () => {
  let file: Uint8Array;
  let module: { host: ModuleHost; kept: Kept };
  let before: string;

  beforeAll(async () => {
    const { host, kept } = await start("portable");
    train(host, 5);
    file = saved(kept);
    module = await start("portable", {}, { seed: 8 });
    train(module.host, 2);
    before = sha256(module.host.state());
  });

  /** Neither side takes it, and the module's own state stays as it is. */
  function refused(bytes: Uint8Array): void {
    expect(() => decodeWeights(bytes)).toThrow(WeightsError);
    expect(give(module.kept, bytes)).toBe(false);
    expect(sha256(module.host.state())).toBe(before);
  }

  it.each([
    ["no file at all", () => new Uint8Array(0), /not a weights file/],
    ["another kind of file", () => Uint8Array.from({ length: 400 }, (_, i) => i), /not a weights file/],
    ["one of a later version", () => file.map((byte, i) => (i === 4 ? 2 : byte)), /version 2.*reads 1/],
    ["one that is cut", () => file.subarray(0, file.length - 4), /damaged/],
    ["one with more behind it", () => Uint8Array.from([...file, 0, 0, 0, 0]), /damaged/],
    ["another check value", () => file.map((byte, i) => (i === 24 ? byte ^ 1 : byte)), /check value/],
    ["a bit of a weight", () => file.map((byte, i) => (i === 300 ? byte ^ 64 : byte)), /check value/],
  ])("%s", (_what, make, message) => {
    refused(make());
    expect(() => decodeWeights(make())).toThrow(message);
  });

  it("any bytes of it changed, cut or lengthened", () => {
    const edits = fc.array(fc.tuple(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(edits, fc.nat(3), fc.nat(file.length), (places, how, cut) => {
        const bytes = how === 0 ? file.slice(0, cut) : file.slice();
        for (const [at, by] of places) if (at < bytes.length) bytes[at]! ^= by;
        fc.pre(bytes.length !== file.length || bytes.some((byte, i) => byte !== file[i]));
        refused(bytes);
      }),
      { numRuns: 60 },
    );
  });

  it("a header that lies about what follows, with a check value that is right", () => {
    fc.assert(
      fc.property(fc.constantFrom(6, 12, 16, 20), fc.integer({ min: 1, max: 0xffff }), (at, by) => {
        const bytes = file.slice();
        new DataView(bytes.buffer).setUint16(at, new DataView(bytes.buffer).getUint16(at, true) ^ by, true);
        refused(withCheckValue(bytes));
      }),
      { numRuns: 60 },
    );
  });

  it("that of another model: the host reads it, the device refuses it", async () => {
    const other = await start("portable", { options: 1 });
    const foreign = saved(other.kept);
    expect(decodeWeights(foreign).entries[0]!.bits).toBe(3);
    expect(give(module.kept, foreign)).toBe(false);
    expect(sha256(module.host.state())).toBe(before);
    expect(() => module.host.restore(other.host.state())).toThrow();
    expect(sha256(module.host.state())).toBe(before);
  });

  it("a state on its way, whatever is changed in it", () => {
    const state = module.host.state();
    const way = sealState(state);
    expect(openState(way)).toEqual(state);
    expect(module.host.refusalOf(way)).toBeNull();
    fc.assert(
      fc.property(fc.nat(way.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const bytes = way.slice();
        bytes[at]! ^= by;
        expect(module.host.refusalOf(bytes)).toMatchObject({ code: 28 });
        expect(() => module.host.restore(bytes)).toThrow(/damaged/);
        expect(sha256(module.host.state())).toBe(before);
      }),
      { numRuns: 60 },
    );
  });

  it("the whole one is taken", () => {
    expect(withCheckValue(file.slice())).toEqual(file);
    expect(give(module.kept, file)).toBe(true);
    expect(module.host.state()).toEqual(file.slice(WEIGHTS_HEADER_BYTES + 2 * 48));
  });
});
