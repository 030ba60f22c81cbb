// Every drawn scene, the adversarial ones too, under the three policies.
import { expect, it } from "vitest";
import { drawScene, SCENARIOS, type Scenario } from "../../host/data/scene.ts";
import type { Net } from "../../host/pass/net.ts";
import { PassRunner } from "../../host/pass/runner.ts";

const net: Net = {
  input: [48, 64, 1],
  layers: [
    {
      kind: "conv2d",
      kernel: 3,
      stride: 2,
      padding: 1,
      filters: 4,
      weights: Int8Array.from({ length: 36 }, (_, i) => ((i * 37) % 201) - 100),
      multiplier: 0.002,
    },
    { kind: "maxPool", kernel: 2 },
  ],
};
const REFRESH = 16;
/** Why a frame was dense (docs/pass.md, "Counters"). */
const ILLUMINATION = 3;

it.each(Object.keys(SCENARIOS) as Scenario[])("%s", async (scenario) => {
  const clip = drawScene({ scenario, width: 64, height: 48, frames: 60 });
  const size = clip.width * clip.height;
  const dense = await PassRunner.load(net, { policy: "dense" });
  const exact = await PassRunner.load(net, { policy: "exact" });
  const guarded = await PassRunner.load(net, { policy: "guarded", refresh: REFRESH });
  const bright: number[] = [];
  for (let t = 0; t < clip.count; t++) {
    const frame = Int8Array.from(clip.pixels.subarray(t * size, (t + 1) * size), (pixel) => pixel - 128);
    expect(exact.infer(frame).output).toEqual(dense.infer(frame).output);
    const { output, counters } = guarded.infer(frame);
    expect(output).toEqual(dense.infer(guarded.reference()).output);
    expect(counters.refreshAge).toBeLessThanOrEqual(REFRESH);
    expect(counters.macs).toBeLessThanOrEqual(counters.denseMacs);
    if (counters.dense === ILLUMINATION) bright.push(t);
  }
  const { macsTotal, denseMacsTotal } = guarded.counters();
  // the light changes twice, and each time the frame is whole; that of the ramp does with every frame
  if (scenario === "light-step") expect(bright).toEqual([clip.count / 3, (2 * clip.count) / 3]);
  else if (scenario !== "slow-ramp") expect(bright).toEqual([]);
  if (scenario === "static") expect(macsTotal).toBeLessThan(denseMacsTotal / 4);
});

it("fast keeps a layer within its bound of what it would compute from its cached input", async () => {
  const one: Net = { ...net, layers: net.layers.slice(0, 1) };
  const clip = drawScene({ scenario: "foliage", width: 64, height: 48, frames: 40 });
  const size = clip.width * clip.height;
  const dense = await PassRunner.load(one, { policy: "dense" });
  const fast = await PassRunner.load(one, { policy: "fast", tau: 1 });
  const bound = fast.plan[0]!.bound;
  let most = 0;
  for (let t = 0; t < clip.count; t++) {
    const frame = Int8Array.from(clip.pixels.subarray(t * size, (t + 1) * size), (pixel) => pixel - 128);
    const { output } = fast.infer(frame);
    dense.infer(fast.reference()).output.forEach((value, i) => {
      most = Math.max(most, Math.abs(value - output[i]!));
    });
  }
  expect(most).toBeLessThanOrEqual(bound);
  expect(most).toBeGreaterThan(0);
});
