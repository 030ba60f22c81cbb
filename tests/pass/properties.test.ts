// What the policies of PASS promise, for any network, any frames, and any patch size.
import fc from "fast-check";
import { expect, it } from "vitest";
import { ModuleTrap } from "../../host/module/module-host.ts";
import type { Net } from "../../host/pass/net.ts";
import { PassRunner } from "../../host/pass/runner.ts";
import { dice, netOf, SEED } from "./support/nets.ts";

/** Frames that follow each other as a camera's do: noise, a square that moves, now and then another scene. */
function framesOf(net: Net, draw: (lo: number, hi: number) => number, count: number): Int8Array[] {
  const [h, w, c] = net.input;
  let scene = Int8Array.from({ length: h * w * c }, () => draw(-128, 127));
  const noise = draw(0, 2);
  return Array.from({ length: count }, () => {
    if (draw(0, 9) === 0) scene = scene.map(() => draw(-128, 127));
    const [y, x] = [draw(0, h - 4), draw(0, w - 4)];
    return scene.map((value, i) => {
      const [row, column] = [Math.floor(i / (w * c)), Math.floor(i / c) % w];
      const inside = row >= y && row < y + 4 && column >= x && column < x + 4;
      return Math.max(-128, Math.min(127, (inside ? 90 : value) + draw(-noise, noise)));
    });
  });
}

const patches = [4, 8, 16] as const;

it("exact equals dense, guarded equals dense of the reference, and no patch is older than R", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const draw = dice(seed);
      const net = netOf(draw);
      const patch = patches[draw(0, 2)]!;
      const refresh = draw(2, 9);
      const dense = await PassRunner.load(net, { policy: "dense" });
      const exact = await PassRunner.load(net, { policy: "exact", patch });
      const guarded = await PassRunner.load(net, { policy: "guarded", patch, refresh });
      for (const frame of framesOf(net, draw, 14)) {
        expect(exact.infer(frame).output).toEqual(dense.infer(frame).output);
        const { output, counters } = guarded.infer(frame);
        expect(output).toEqual(dense.infer(guarded.reference()).output);
        expect(counters.refreshAge).toBeLessThanOrEqual(refresh);
      }
    }),
    { numRuns: 25, seed: SEED },
  );
}, 120_000);

it("500 static frames cost nothing after the first", async () => {
  const net = netOf(dice(3));
  const runner = await PassRunner.load(net, { policy: "fast" });
  const [frame] = framesOf(net, dice(4), 1);
  const first = runner.infer(frame!).output;
  for (let i = 1; i < 500; i++) {
    const { output, counters } = runner.infer(frame!);
    expect(counters.macs).toBe(0);
    expect(output).toEqual(first);
  }
}, 60_000);

it("a network that does not fit, and a frame of another size, are named errors", async () => {
  const net: Net = { input: [64, 64, 1], layers: [{ kind: "maxPool", kernel: 2 }] };
  await expect(PassRunner.load(net, { limit: 8192 })).rejects.toThrow(/does not fit|more linear memory/);
  const runner = await PassRunner.load(net);
  expect(() => runner.infer(new Int8Array(64 * 64 + 1))).toThrow(ModuleTrap);
});
