// What a network takes before it is built: both costs of each layer, and what would fit where it does not.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeNet, netBytes } from "../../host/pass/decode.ts";
import { encodeNet, type Net, NetError, netSource } from "../../host/pass/net.ts";
import { NetTooLarge, planNet, resized } from "../../host/pass/plan.ts";
import { run } from "../cli/support/octomote.ts";
import { temporaryTree } from "../support/tree.ts";
import { dice, netOf, SEED } from "./support/nets.ts";

const filled = (n: number) => new Int8Array(n).fill(1);
const conv = (filters: number, kernel: number, before: number, stride = 1) =>
  ({
    kind: "conv2d",
    filters,
    kernel,
    stride,
    padding: kernel >> 1,
    weights: filled(filters * kernel * kernel * before),
    multiplier: 0.01,
  }) as const;

/** 8 channels of a quarter of the pixels, then 4 of as many. */
const NET: Net = {
  input: [64, 96, 1],
  layers: [conv(8, 3, 1, 2), { kind: "relu" }, conv(4, 3, 8), conv(1, 1, 4)],
};

describe("a network's bytes", () => {
  it("are read back as they were written, as a file or as source", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const bytes = encodeNet(netOf(dice(seed)));
        expect(encodeNet(decodeNet(bytes))).toEqual(bytes);
      }),
      { seed: SEED },
    );
    const source = new TextEncoder().encode(netSource(NET));
    expect(netBytes(source, "net.ts")).toEqual(encodeNet(NET));
    expect(netBytes(encodeNet(NET), "net.bin")).toEqual(encodeNet(NET));
  });

  it("that are damaged are a NetError or another network, and nothing else", () => {
    const bytes = encodeNet(NET);
    fc.assert(
      fc.property(fc.nat(bytes.length / 4 - 1), fc.integer(), fc.nat(bytes.length), (word, value, length) => {
        const damaged = bytes.slice(0, Math.max(length, 4 * word + 4));
        new DataView(damaged.buffer).setInt32(4 * word, value, true);
        try {
          decodeNet(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(NetError);
        }
      }),
      { seed: SEED, numRuns: 500 },
    );
    expect(() => netBytes(new TextEncoder().encode("export const A = 1;"), "a.ts")).toThrow(
      /a\.ts holds no network/,
    );
  });
});

describe("the plan", () => {
  it("tells both costs of each layer, and caches everything where there is room", async () => {
    const { layers, denseMacs } = await planNet(NET);
    expect(layers.map(({ store }) => store)).toEqual(["cached", "joined", "cached", "cached"]);
    // rows of 48 × 8 bytes; four rows of the next layer see six of them, and each later band two again
    expect(layers[0]).toMatchObject({ h: 32, w: 48, c: 8, cacheBytes: 32 * 48 * 8, bandBytes: 6 * 48 * 8 });
    expect(layers[0]).toMatchObject({ macs: 32 * 48 * 72, extraMacs: 2 * 7 * 48 * 72 });
    expect(layers[3]).toMatchObject({ bandBytes: 0, macs: 32 * 48 * 4 });
    expect(denseMacs).toBe(32 * 48 * (72 + 288 + 4));
  });

  it("recomputes within a limit what saves most, counts what comes back, and stays within the limit", async () => {
    const whole = await planNet(NET);
    const limit = whole.bytes - 1;
    const plan = await planNet(NET, { limit });
    expect(plan.bytes).toBeLessThanOrEqual(limit);
    expect(plan.layers.map(({ store }) => store)).toEqual(["recomputed", "joined", "cached", "cached"]);
    expect(plan.denseMacs).toBe(whole.denseMacs + plan.layers[0]!.extraMacs);
  });

  it("that is not possible names the bytes, and the largest frame of the shape that fits: that one does, the next does not", async () => {
    const limit = 16_384;
    const error = await planNet(NET, { limit }).catch((thrown: unknown) => thrown as NetTooLarge);
    expect(error).toBeInstanceOf(NetTooLarge);
    const { needed, available, fits, message } = error as NetTooLarge;
    expect(available).toBe(limit);
    expect(needed).toBeGreaterThan(limit);
    expect(message).toContain(`needs at least ${needed} bytes at 96×64`);
    expect(message).toContain(`${needed - limit} too few`);
    expect(message).toContain(`Frames of up to ${fits![1]}×${fits![0]} would fit`);
    const fitting = await planNet(resized(NET, ...(fits as [number, number])), { limit });
    expect(fitting.bytes).toBeLessThanOrEqual(limit);
    const next = resized(NET, Math.round(((fits![1] + 8) * 64) / 96 / 8) * 8, fits![1] + 8);
    await expect(planNet(next, { limit })).rejects.toThrow(NetTooLarge);
    // what it says that is needed is enough, and one byte less is not
    await planNet(NET, { limit: needed });
    await expect(planNet(NET, { limit: needed - 1 })).rejects.toThrow(NetTooLarge);
  }, 60_000);

  it("of a network whose weights alone are too many says that no frame would do", async () => {
    await expect(planNet(NET, { limit: 600 })).rejects.toThrow(
      /No frame would be small enough: make layers smaller/,
    );
  });
});

describe("octomote pass plan", () => {
  it("prints the plan of the camera's network, or of a file, for any size of frame", async () => {
    const table = await run(["pass", "plan"]);
    expect(table.stderr).toBe("");
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/frames of 96×72\n/);
    expect(table.stdout).toMatch(/0 conv2d +36×48×8 +124,416 +13,824 +3,456 +13,824 +cached/);
    const folder = temporaryTree();
    const path = join(folder, "net.bin");
    await writeFile(path, encodeNet(NET));
    const json = await run(["pass", "plan", "--net", path, "--size", "48x32", "--json"]);
    expect(json.code).toBe(0);
    expect(JSON.parse(json.stdout)).toEqual(JSON.parse(JSON.stringify(await planNet(resized(NET, 32, 48)))));
  }, 60_000);

  it("says what would fit, and what is wrong with a file or an option", async () => {
    const small = await run(["pass", "plan", "--size", "320x240", "--arena", "65536"]);
    expect(small.code).toBe(1);
    expect(small.stdout).toBe("");
    const [, needed] = /needs at least (\d+) bytes at 320×240/.exec(small.stderr) ?? [];
    const [, w, h] = /Frames of up to (\d+)×(\d+) would fit/.exec(small.stderr) ?? [];
    expect(small.stderr).toContain(`try --size ${w}x${h}, or give --arena ${needed}`);
    const none = await run(["pass", "plan", "--net", "package.json"]);
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/package\.json holds no network/);
    const odd = await run(["pass", "plan", "--size", "160"]);
    expect(odd.code).toBe(2);
    expect(odd.stderr).toMatch(/width x height: 160x120/);
  }, 60_000);

  it("plans what the camera's app is built with", async () => {
    const bytes = netBytes(await readFile("assembly/apps/camera/net.ts"), "net.ts");
    expect(decodeNet(bytes).input).toEqual([72, 96, 1]);
  });
});
