// The camera that its user teaches: a head on features that PASS keeps learns from a few labelled frames, the same everywhere; and apps
// that do not use it have nothing of it.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type BuiltModule,
  buildIntrinsics,
  buildModules,
  ROOT,
  type Target,
} from "../../host/build/modules.ts";
import { type Clip, frameOf } from "../../host/data/clip.ts";
import { encodeFrames, parseSamples, type Samples } from "../../host/data/sample-file.ts";
import { drawScene } from "../../host/data/scene.ts";
import { ModuleHost } from "../../host/module/module-host.ts";
import { encodeLabel } from "../../host/protocol/label-message.ts";
import { decodeStateRecord, type StateRecord } from "../../host/protocol/state-record.ts";
import { sha256 } from "../assembly/support.ts";
import { requires } from "../support/requirements.ts";
import { onSteppedDevice } from "../support/stepped-device.ts";

/** Something is put down for so many frames, then taken away for as many. */
const STRETCH = 40;
/** Stretches in which the user says what is there, for so many frames from the middle on; then others. */
const [TAUGHT, SAID, LATER] = [4, 10, 6];
const FRAMES = STRETCH * (TAUGHT + LATER);

let folder: string;
let modules: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
let clip: Clip;
let samples: Samples;

const pathOf = (app: string, target: Target): string =>
  (modules.find((one) => one.app === app && one.target === target) as BuiltModule).path;
/** Class of frame i: whether the place is taken. */
const truth = (i: number): number => Math.floor(i / STRETCH) % 2;

/** A street on which, at one place, a crate stands now and then; people and vehicles pass in front of it all the while. */
function street(width: number, height: number, seed: number): Clip {
  const scene = drawScene({ width, height, seed, frames: FRAMES });
  const [w, h] = [Math.floor(width / 5), Math.floor(height / 6)];
  const [left, top] = [Math.floor((5 * width) / 8), Math.floor((5 * height) / 9)];
  for (let i = 0; i < scene.count; i++) {
    if (truth(i) === 0) continue;
    const frame = frameOf(scene, i);
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) frame[(top + y) * width + left + x] = 210 - 5 * y;
  }
  return scene;
}

interface Life {
  host: ModuleHost;
  /** Share of frames told right, of those after the teaching. */
  right: number;
  record: StateRecord;
}

async function inNode(app: string, target: Target, frames: Samples, taught = true): Promise<Life> {
  let next = 0;
  const told: { record: StateRecord | null } = { record: null };
  const host = await ModuleHost.load(await readFile(pathOf(app, target)), {
    seed: 1,
    intrinsics,
    sensor: () => frames.at(next++),
    publish: (channel, bytes) => {
      if (channel === 0) told.record = decodeStateRecord(bytes);
      return true;
    },
  });
  host.start();
  let right = 0;
  for (let i = 0; i < FRAMES; i++) {
    if (taught && i < TAUGHT * STRETCH && i % STRETCH === SAID) host.message(encodeLabel(truth(i), SAID));
    host.step();
    if (i >= TAUGHT * STRETCH && told.record?.class === truth(i)) right++;
  }
  return { host, right: right / (LATER * STRETCH), record: told.record as StateRecord };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-camera-learn-"));
  const apps = ["assembly/apps/camera-learn.ts", "assembly/apps/camera.ts", "tests/pass/apps/head.ts"];
  modules = await buildModules({ apps: apps.map((app) => join(ROOT, app)), out: folder });
  intrinsics = new Uint8Array(await readFile(await buildIntrinsics()));
  clip = street(96, 72, 7);
  samples = parseSamples(encodeFrames(clip), "street");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a head on features that PASS keeps", () => {
  it("learns from forty labelled frames what its user shows it, while PASS skips most of the work", async () => {
    const { right, record } = await inNode("camera-learn", "portable", samples);
    expect(right).toBeGreaterThan(0.98);
    expect(record).toMatchObject({ steps: 2 * TAUGHT * SAID - SAID, labelsLeft: 0 });
    expect(record.macs).toBeLessThan(0.5);
    // and not by itself
    const untaught = await inNode("camera-learn", "portable", samples, false);
    expect(untaught.right).toBeLessThan(0.9);
    expect(untaught.record.steps).toBe(0);
  });

  it("learns the same as a device module", async () => {
    const [portable, device] = await Promise.all(
      (["portable", "device"] as const).map((target) => inNode("camera-learn", target, samples)),
    );
    expect(sha256(device!.host.state())).toBe(sha256(portable!.host.state()));
    expect(device!.right).toBe(portable!.right);
  });

  it("goes on from what it had learned; what another network's head has learned is refused", async () => {
    const { host } = await inNode("camera-learn", "portable", samples);
    const other = await inNode("camera-learn", "portable", samples, false);
    const state = host.state();
    other.host.restore(state);
    expect(sha256(other.host.state())).toBe(sha256(state));
    const small = parseSamples(encodeFrames(street(32, 24, 7)), "small");
    const head = await inNode("head", "portable", small, false);
    expect(() => head.host.restore(state)).toThrow();
  });

  it("of a network for frames of another size is a named error", async () => {
    const app = join(folder, "wrong.ts");
    await writeFile(
      app,
      `import { dense, Model, Network, Pass, passFeatures, PassOptions, sensor } from "octomote/assembly";
      import { NET } from "octomote/assembly/apps/camera/net";
      const options: PassOptions = {};
      const net = new Network(NET);
      const model = new Model([24, 32, 1]).add(passFeatures(net.keep(3))).add(dense(2));
      const pass = new Pass(net, options);
      export function step(): void { model.infer(sensor.frame()); pass.renew(); }`,
    );
    const [built] = await buildModules({ apps: [app], out: folder, targets: ["portable"] });
    const host = await ModuleHost.load(await readFile((built as BuiltModule).path));
    expect(() => host.start()).toThrow(/layer 0 \(backbone\): the layer does not fit its input/);
  });
});

describe("an app that only looks", () => {
  it("has nothing of what learns, and nothing of a codec", async () => {
    const importsOf = async (app: string): Promise<string[]> => {
      const module = await WebAssembly.compile(await readFile(pathOf(app, "device")));
      return WebAssembly.Module.imports(module).map(({ module: from, name }) => `${from}.${name}`);
    };
    const foreign = /sgq|grad|learn|softmax|sgd/i;
    expect((await importsOf("camera")).filter((name) => foreign.test(name))).toEqual([]);
    expect((await importsOf("camera-learn")).filter((name) => foreign.test(name))).not.toEqual([]);
  });
});

function learnsOn(board: "posix" | "mps2-an386", app: string, width: number, height: number): void {
  it("the state of the device module is that of Node", { timeout: 180_000 }, async () => {
    const bytes = encodeFrames(street(width, height, 7));
    const path = join(folder, `${board}-${app}.bin`);
    await writeFile(path, bytes);
    const node = await inNode(app, "portable", parseSamples(bytes, app));
    const start = { board, id: "learn", module: pathOf(app, "device"), samples: path, seed: 1 };
    await onSteppedDevice(start, async (device) => {
      for (let i = 0; i < FRAMES; i++) {
        if (i > 0 && i < TAUGHT * STRETCH && i % STRETCH === SAID)
          await device.message(encodeLabel(truth(i), SAID));
        await device.step();
      }
      expect(sha256(await device.state())).toBe(sha256(node.host.state()));
    });
  });
}

requires("gcc").describe("under wasm3 on posix", () => learnsOn("posix", "camera-learn", 96, 72));
requires("arm-none-eabi-gcc", "qemu-system-arm").describe("under wasm3 on a Cortex-M4 in QEMU", () =>
  learnsOn("mps2-an386", "head", 32, 24),
);
