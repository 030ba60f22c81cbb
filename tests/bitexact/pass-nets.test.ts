// The promise of the policy `exact` where it is to hold: for networks of any shape, drawn from seeds, frames of any content and each size of
// patch, PASS gives on a Cortex-M4 what dense inference gives there, and both are what Node has.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuiltModule, buildIntrinsics, buildModules, type Target } from "../../host/build/modules.ts";
import { encodeFrames, parseSamples } from "../../host/data/sample-file.ts";
import { startVirtualDevice } from "../../host/devices/virtual-device.ts";
import { readRegion } from "../../host/link/regions.ts";
import { ModuleHost } from "../../host/module/module-host.ts";
import { POLICIES, type Policy } from "../../host/pass/layout.ts";
import { type Net, netSource } from "../../host/pass/net.ts";
import { Region } from "../../host/protocol/requests.ts";
import { dice, netOf, SEED } from "../pass/support/nets.ts";
import { requires } from "../support/requirements.ts";

const NETS = 5;
const FRAMES = 12;
const PATCHES = [4, 8, 16] as const;

/** A network with the frames that it sees. */
interface Case {
  patch: number;
  module: (target: Target) => string;
  samples: string;
  /** Of the policies: digests of all outputs, in Node. */
  reference: Map<Policy, string>;
}

let folder: string;
let intrinsics: Uint8Array<ArrayBuffer>;
const cases: Case[] = [];

/** An app whose state is a digest of every output so far. */
const source = (name: string, patch: number): string => `
import { Network, Pass, PassOptions, paramInt, policy, sensor } from "octomote/assembly";
import { NET } from "./${name}-net";
import { allocate } from "octomote/assembly/device/arena";
import { setState } from "octomote/assembly/device/config";
import { fin } from "octomote/assembly/int8/rng";
const options: PassOptions = { policy: paramInt("policy", policy.EXACT), patch: ${patch}, refresh: 5 };
const net = new Network(NET);
sensor.open([net.input.h, net.input.w, net.input.c]);
const pass = new Pass(net, options);
const state = allocate(16);
setState(state, 16);
export function step(): void {
  const seen = pass.infer(sensor.frame());
  let digest = load<u32>(state);
  for (let i = 0; i < seen.size; ++i) digest = fin(digest ^ <u32>load<u8>(seen.data + <usize>i) ^ (<u32>i << 8));
  store<u32>(state, digest);
  store<i32>(state, load<i32>(state, 4) + 1, 4);
}
`;

/** Noise over a scene in which a square moves; now and then another scene. */
function framesOf({ input: [h, w] }: Net, draw: (lo: number, hi: number) => number): Uint8Array {
  const pixels = new Uint8Array(FRAMES * h * w);
  let scene = Array.from({ length: h * w }, () => draw(0, 255));
  for (let t = 0; t < FRAMES; t++) {
    if (draw(0, 7) === 0) scene = scene.map(() => draw(0, 255));
    const [y0, x0] = [draw(0, h - 4), draw(0, w - 4)];
    scene.forEach((value, i) => {
      const [y, x] = [Math.floor(i / w), i % w];
      const inside = y >= y0 && y < y0 + 4 && x >= x0 && x < x0 + 4;
      pixels[t * h * w + i] = inside ? 220 : value;
    });
  }
  return pixels;
}

async function inNode({ module, samples }: Case, policy: Policy, target: Target): Promise<string> {
  const frames = parseSamples(await readFile(samples), samples);
  let next = 0;
  const host = await ModuleHost.load(await readFile(module(target)), {
    intrinsics,
    params: { policy: POLICIES.indexOf(policy) },
    sensor: () => frames.at(next++),
  });
  host.start();
  for (let i = 0; i < FRAMES; i++) host.step();
  return Buffer.from(host.state()).toString("hex");
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-pass-nets-"));
  intrinsics = new Uint8Array(await readFile(await buildIntrinsics()));
  for (const [i, seed] of fc.sample(fc.integer(), { numRuns: NETS, seed: SEED }).entries()) {
    const draw = dice(seed);
    const net = netOf(dice(greySeed(seed)));
    const patch = PATCHES[i % PATCHES.length] as number;
    const name = `net${i}`;
    await writeFile(join(folder, `${name}-net.ts`), netSource(net));
    await writeFile(join(folder, `${name}.ts`), source(name, patch));
    const samples = join(folder, `${name}.bin`);
    const [height, width] = net.input;
    const clip = { name, source: name, height, width, count: FRAMES, pixels: framesOf(net, draw) };
    await writeFile(samples, encodeFrames(clip));
    const built = await buildModules({ apps: [join(folder, `${name}.ts`)], out: folder });
    const module = (target: Target) => (built.find((one) => one.target === target) as BuiltModule).path;
    const one: Case = { patch, module, samples, reference: new Map() };
    for (const policy of ["dense", "exact", "guarded"] as const)
      one.reference.set(policy, await inNode(one, policy, "portable"));
    cases.push(one);
  }
});

/** The next seed whose network takes grey frames: a sample file of a clip has no others. */
function greySeed(seed: number): number {
  let next = seed;
  while (netOf(dice(next)).input[2] !== 1) next++;
  return next;
}

afterAll(() => rm(folder, { recursive: true, force: true }));

const numbers = Array.from({ length: NETS }, (_, i) => i);

async function onDevice(board: "posix" | "mps2-an386", one: Case): Promise<Map<Policy, string>> {
  const module = one.module("device");
  const device = await startVirtualDevice({ id: "pass-nets", board, module, samples: one.samples });
  const found = new Map<Policy, string>();
  try {
    for (const policy of one.reference.keys()) {
      const params = { policy: POLICIES.indexOf(policy) };
      await device.link.request("start", { seed: 1, steps: FRAMES, params }, { timeoutMs: 60_000 });
      for (;;) {
        const status = await device.link.request("status", {}, { timeoutMs: 60_000 });
        if (status.error) throw new Error(`the device stopped: ${JSON.stringify(status.error)}`);
        if (!status.running) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      found.set(policy, Buffer.from(await readRegion(device.link, Region.learnedState)).toString("hex"));
    }
  } finally {
    await device.stop();
  }
  return found;
}

describe.each(numbers)("network %i of the seed: exact equals dense", (i) => {
  it("in Node, of both modules", async () => {
    const one = cases[i] as Case;
    expect(one.reference.get("exact")).toBe(one.reference.get("dense"));
    for (const [policy, digest] of one.reference) expect(await inNode(one, policy, "device")).toBe(digest);
  });

  requires("arm-none-eabi-gcc", "qemu-system-arm").describe("on a Cortex-M4 in QEMU", () => {
    it("as in Node", async () => {
      const one = cases[i] as Case;
      const found = await onDevice("mps2-an386", one);
      expect(found.get("exact")).toBe(found.get("dense"));
      expect(found).toEqual(one.reference);
    });
  });
});
