// The app `personalise` in Node: what labels said over the link do, when drift is due, and what bad messages do not do.
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { type BuiltModule, buildIntrinsics, buildModules, ROOT } from "../../host/build/modules.ts";
import { type Dataset, loadDataset } from "../../host/data/dataset.ts";
import { parseSamples } from "../../host/data/sample-file.ts";
import type { ModuleHost } from "../../host/module/module-host.ts";
import { encodeLabel } from "../../host/protocol/label-message.ts";
import { decodeStateRecord, type StateRecord } from "../../host/protocol/state-record.ts";
import { hostOf, sha256 } from "../assembly/support.ts";
import { type Part, streamOf } from "../support/streams.ts";

let modules: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
let dataset: Dataset;

beforeAll(async () => {
  modules = await buildModules({ apps: [`${ROOT}/assembly/apps/personalise.ts`] });
  intrinsics = await readFile(await buildIntrinsics());
  dataset = await loadDataset("generated", { limit: { train: 1500 }, seed: 7 });
});

interface Run {
  host: ModuleHost;
  steps(n: number): StateRecord;
  log: string[];
}

async function start(parts: Part[], params: Record<string, number> = {}, target = "device"): Promise<Run> {
  const { path } = modules.find((module) => module.target === target) as BuiltModule;
  const log: string[] = [];
  let record: Uint8Array = new Uint8Array();
  const host = await hostOf(path, parseSamples(streamOf(dataset, parts), "stream"), {
    seed: 5,
    params,
    intrinsics,
    publish: (_channel, bytes) => {
      record = bytes;
    },
    log: (_level, text) => log.push(text),
  });
  return {
    host,
    log,
    steps: (n) => {
      for (let i = 0; i < n; i++) host.step();
      return decodeStateRecord(record) as StateRecord;
    },
  };
}

const unlabelled = (classes: number[], count: number): Part => ({ classes, count, unlabelled: true });

describe("labels over the link", () => {
  it("hold for so many frames, which are learned and kept, and no longer", async () => {
    const run = await start([unlabelled([3], 40)], { lr: 0.01 });
    expect(run.steps(5)).toMatchObject({ steps: 0, kept: 0, labelsLeft: 0 });
    run.host.message(encodeLabel(3, 20));
    expect(run.steps(1)).toMatchObject({ steps: 1, kept: 1, labelsLeft: 19 });
    // there is no other class yet to learn again
    expect(run.steps(19)).toMatchObject({ steps: 20, kept: 20, labelsLeft: 0, class: 3 });
    run.host.message(encodeLabel(4, 2));
    // nine old ones with each new one
    expect(run.steps(2)).toMatchObject({ steps: 20 + 2 * 10, kept: 22, labelsLeft: 0 });
    expect(run.steps(10)).toMatchObject({ steps: 40, kept: 22 });
  });

  it("win over the sensor's own, and end at once with none", async () => {
    const run = await start([{ classes: [1], count: 60 }], { lr: 0.01, replays: 0 });
    run.host.message(encodeLabel(8, 65_535));
    expect(run.steps(30)).toMatchObject({ class: 8, labelsLeft: 65_505 });
    run.host.message(encodeLabel(0, 0));
    expect(run.steps(30)).toMatchObject({ class: 1, labelsLeft: 0 });
  });

  it.each([
    ["a class beyond the model's", encodeLabel(10, 1)],
    ["another kind", Uint8Array.of(2, 1, 1, 0)],
    ["three bytes", Uint8Array.of(1, 1, 1)],
    ["no bytes", new Uint8Array()],
  ])("%s: the log says so, and what was said before goes on", async (_what, message) => {
    const run = await start([unlabelled([3], 20)]);
    run.host.message(encodeLabel(3, 5));
    run.host.message(message);
    expect(run.log).toEqual(["a label is 4 bytes and names a class of the model"]);
    expect(run.steps(2)).toMatchObject({ labelsLeft: 3, kept: 2 });
  });

  it("more bytes than the inbox has are refused", async () => {
    const run = await start([unlabelled([3], 20)]);
    expect(() => run.host.message(new Uint8Array(5))).toThrow(/inbox holds 4/);
  });
});

describe("drift", () => {
  it("is due when other things are seen than were learned, and no more once they are learned", async () => {
    // a whole net that learns five classes, sees more of them, then the other five
    const known = [0, 1, 2, 3, 4];
    const others = [5, 6, 7, 8, 9];
    const run = await start(
      [
        { classes: known, count: 600 },
        unlabelled(known, 300),
        unlabelled(others, 300),
        { classes: others, count: 10 },
      ],
      { last: 3, replays: 0, lr: 0.01 },
    );
    expect(run.steps(600)).toMatchObject({ due: 0, doubt: 0 });
    const usual = run.steps(300);
    expect(usual.due).toBe(0);
    const strange = run.steps(300);
    expect(strange.due).toBe(1);
    expect(strange.doubt).toBeGreaterThan(usual.doubt as number);
    expect(run.steps(10)).toMatchObject({ due: 0, doubt: 0 });
  });
});

describe("the replay buffer", () => {
  it("is as large as the user says: fewer bytes, fewer samples, less memory", async () => {
    const parts = [{ classes: [0, 1, 2], count: 60 }];
    const small = await start(parts, { buffer: 2048 });
    const large = await start(parts, { buffer: 4096 });
    // 8 bytes and 4 for each of ten classes, then 4 + 256 / 4 each
    expect(small.steps(60).kept).toBe(Math.floor((2048 - 48) / 68));
    expect(large.steps(60).kept).toBe(Math.floor((4096 - 48) / 68));
    expect(large.host.state().length - small.host.state().length).toBe(2048);
    expect(large.host.memory.used - small.host.memory.used).toBe(2048);
  });

  it.each([1, 3, 5, 16])("of %i bits an element is a named error", async (bits) => {
    await expect(start([unlabelled([0], 1)], { bits })).rejects.toThrow(
      /training-option|an option of a layer/,
    );
  });

  it("that holds no sample is a named error", async () => {
    await expect(start([unlabelled([0], 1)], { buffer: 100 })).rejects.toThrow(
      /buffer-small|not even one sample/,
    );
  });

  it("travels with the weights: another device goes on from the state bit for bit", async () => {
    const parts = [{ classes: [0, 1, 2, 3], count: 80 }];
    const whole = await start(parts);
    whole.steps(40);
    const state = whole.host.state();
    whole.steps(40);
    const rest = await start([{ classes: [0, 1, 2, 3], count: 40 }, ...parts], {}, "portable");
    rest.steps(40);
    rest.host.restore(state);
    rest.steps(40);
    // the same frames: the stream's classes go on from where the first 40 ended
    expect(sha256(rest.host.state())).toBe(sha256(whole.host.state()));
  });
});
