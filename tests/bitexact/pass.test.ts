// The same promise for PASS: under each policy a scene gives the same outputs, marks and counters, frame by frame, in Node, under
// wasm3 on posix and on a Cortex-M4; and so do the golden vectors of the camera app.
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
import type { Clip } from "../../host/data/clip.ts";
import { encodeFrames, parseSamples, type Samples } from "../../host/data/sample-file.ts";
import { drawScene, type Scenario } from "../../host/data/scene.ts";
import { startVirtualDevice } from "../../host/devices/virtual-device.ts";
import { readRegion } from "../../host/link/regions.ts";
import { ModuleHost } from "../../host/module/module-host.ts";
import { POLICIES, type Policy } from "../../host/pass/layout.ts";
import { Region } from "../../host/protocol/requests.ts";
import { requires } from "../support/requirements.ts";

/** Few frames each of a street and of what breaks methods that skip. */
const SCENES: readonly Scenario[] = [
  "street",
  "light-step",
  "shake",
  "leave",
  "foliage",
  "fade-in",
  "slow-ramp",
  "stop-and-stay",
];
const FRAMES = 6;
const STEPS = SCENES.length * FRAMES;
const CHOSEN: readonly Policy[] = ["exact", "guarded", "fast"];

type Board = "posix" | "mps2-an386";

let folder: string;
let samplesPath: string;
let samples: Samples;
let modules: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
const reference = new Map<Policy, Uint8Array>();

const moduleOf = (app: string, target: Target): string =>
  (modules.find((one) => one.app === app && one.target === target) as BuiltModule).path;
const paramsOf = (policy: Policy) => ({ policy: POLICIES.indexOf(policy) });

async function inNode(policy: Policy, target: Target): Promise<Uint8Array> {
  let next = 0;
  const host = await ModuleHost.load(await readFile(moduleOf("digest", target)), {
    intrinsics,
    params: paramsOf(policy),
    sensor: () => samples.at(next++ % samples.count),
  });
  host.start();
  for (let step = 0; step < STEPS; step++) host.step();
  return host.state();
}

async function selfTestInNode(target: Target): Promise<number> {
  const host = await ModuleHost.load(await readFile(moduleOf("camera", target)), { intrinsics });
  host.start();
  return host.selfTest();
}

async function withDevice<T>(
  board: Board,
  app: string,
  use: (link: Awaited<ReturnType<typeof startVirtualDevice>>["link"]) => Promise<T>,
): Promise<T> {
  const module = moduleOf(app, "device");
  const device = await startVirtualDevice({ id: `pass-${app}`, board, module, samples: samplesPath });
  try {
    return await use(device.link);
  } finally {
    await device.stop();
  }
}

const onDevice = (board: Board, policy: Policy): Promise<Uint8Array> =>
  withDevice(board, "digest", async (link) => {
    await link.request("start", { seed: 1, steps: STEPS, params: paramsOf(policy) }, { timeoutMs: 60_000 });
    for (;;) {
      const status = await link.request("status", {}, { timeoutMs: 60_000 });
      if (status.error) throw new Error(`the device stopped: ${JSON.stringify(status.error)}`);
      if (!status.running) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return readRegion(link, Region.learnedState);
  });

/** The scenes one after the other, cut where they begin to be what they are named for. */
function clipOf(): Clip {
  const clips = SCENES.map((scenario, i) =>
    drawScene({ width: 96, height: 72, scenario, frames: FRAMES, seed: 40 + i, noise: i % 3 }),
  );
  const pixels = new Uint8Array(Buffer.concat(clips.map((clip) => clip.pixels)));
  return { ...(clips[0] as Clip), name: "all of them", count: STEPS, pixels };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-bits-"));
  samplesPath = join(folder, "scene.bin");
  const bytes = encodeFrames(clipOf());
  await writeFile(samplesPath, bytes);
  samples = parseSamples(bytes, samplesPath);
  modules = [
    ...(await buildModules({ apps: [join(ROOT, "tests/pass/apps/digest.ts")], out: folder })),
    ...(await buildModules({ apps: [join(ROOT, "assembly/apps/camera.ts")], out: folder })),
  ];
  intrinsics = await readFile(await buildIntrinsics());
  for (const policy of CHOSEN) reference.set(policy, await inNode(policy, "portable"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("what PASS sees, skips and counts", () => {
  it("differs from policy to policy, and has dense frames and others in it: the digest can fail", () => {
    const digests = [...reference.values()].map((state) => Buffer.from(state).toString("hex"));
    expect(new Set(digests).size).toBe(CHOSEN.length);
    for (const [policy, state] of reference) {
      const [, frames, dense, audits] = [...new Int32Array(state.slice().buffer)];
      expect(frames).toBe(STEPS);
      expect(dense).toBeGreaterThan(1);
      expect(dense).toBeLessThan(STEPS);
      expect((audits ?? 0) > 0).toBe(policy !== "exact");
    }
  });

  it.each(CHOSEN)("%s: device module in Node", async (policy) => {
    expect(await inNode(policy, "device")).toEqual(reference.get(policy));
  });
});

it("the camera app's golden vectors are some, and the same for both modules in Node", async () => {
  const digest = await selfTestInNode("portable");
  expect(digest).not.toBe(0);
  expect(await selfTestInNode("device")).toBe(digest);
});

function sameOn(board: Board): void {
  it.each(CHOSEN)("%s", async (policy) => {
    expect(await onDevice(board, policy)).toEqual(reference.get(policy));
  });

  it("golden vectors of the camera app", async () => {
    const digest = await withDevice(board, "camera", (link) =>
      link.request("selfTest", {}, { timeoutMs: 60_000 }),
    );
    expect(digest).toBe(await selfTestInNode("portable"));
  });
}

requires("gcc").describe("under wasm3 on posix", () => sameOn("posix"));
requires("qemu-system-arm", "arm-none-eabi-gcc").describe("under wasm3 on a Cortex-M4 in QEMU", () =>
  sameOn("mps2-an386"),
);
