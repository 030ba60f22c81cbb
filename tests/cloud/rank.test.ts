// Which channels are kept when not all can be sent.
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { buildCloudKernels } from "../../host/build/modules.ts";
import { type RankOptions, rankChannels } from "../../host/cloud/codebook/rank.ts";
import type { CodebookTools } from "../../host/cloud/codebook/train.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import { loadCodec } from "../sgq/support/codec.ts";
import { CLASSES, SHAPE, samplesOf } from "./support/features.ts";

let tools: CodebookTools;
let kernels: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  tools = { codec: await loadCodec(), fitContexts };
  kernels = new Uint8Array(await readFile(await buildCloudKernels()));
});

const { features, labels } = samplesOf(192);

const rank = (over: Partial<RankOptions> = {}, all = features) =>
  rankChannels(
    tools,
    { count: all.length, labels, features: (i) => all[i] as Int8Array },
    {
      kernels,
      shape: SHAPE,
      layers: [
        { kind: "dense", units: 8 },
        { kind: "dense", units: CLASSES },
      ],
      thresholds: [[10, 50], [5, 20], [10], []],
      steps: 60,
      judged: 64,
      ...over,
    },
  );

describe("channels", () => {
  it("that say which class it is are kept longest, noise goes first, and what is not sent comes last", async () => {
    const order = await rank();
    expect([0, 1]).toContain(order[0]);
    expect(order.slice(2)).toEqual([2, 3]);
  });

  it("that say the same are kept by their bytes", async () => {
    // channel 1 is channel 0 now, but for a corner that is lit in every other sample: dearer, and no wiser
    const all = features.map((sample, s) => {
      const copy = sample.slice();
      for (let i = 0; i < copy.length; i += 4)
        copy[i + 1] = i < 4 * 12 && (i + s) % 8 === 0 ? 90 : (copy[i] as number);
      return copy;
    });
    expect((await rank({ thresholds: [[10], [10], [], []] }, all))[0]).toBe(0);
  });

  it("come in the same order each time", async () => {
    expect(await rank()).toEqual(await rank());
  });

  it("of which one is sent, or none, need no network", async () => {
    expect(await rank({ thresholds: [[], [], [5], []], steps: 0 })).toEqual([2, 0, 1, 3]);
    expect(await rank({ thresholds: [[], [], [], []], steps: 0 })).toEqual([0, 1, 2, 3]);
  });
});
