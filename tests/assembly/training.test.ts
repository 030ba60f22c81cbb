// What training can be told: each option learns, goes on from a restored state as if it had never stopped, leaves the same bits for
// either target, and refuses a state that a model without it has learned.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuiltModule, buildIntrinsics, buildModules, ROOT } from "../../host/build/modules.ts";
import type { Samples } from "../../host/data/sample-file.ts";
import type { ModuleHost } from "../../host/module/module-host.ts";
import { decodeStateRecord } from "../../host/protocol/state-record.ts";
import { appOf, TRAINING_APPS, TRAININGS } from "../support/trainings.ts";
import { glyphs, hostOf, sha256 } from "./support.ts";

type Params = Readonly<Record<string, number>>;

/** Past a batch, a window of the early stop and a weight decay; enough to see a loss fall. */
const STEPS = 70;
const LONG = 600;

let folder: string;
let modules: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
let samples: Samples;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-training-"));
  const apps = TRAINING_APPS.map((app) => join(ROOT, `tests/assembly/apps/${app}.ts`));
  modules = await buildModules({ apps, out: folder });
  intrinsics = await readFile(await buildIntrinsics());
  samples = await glyphs(LONG);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

interface Run {
  host: ModuleHost;
  record(): ReturnType<typeof decodeStateRecord>;
}

async function start(
  name: string,
  params: Params,
  target = "portable",
  first = 0,
  seed = 3,
  count = samples.count,
): Promise<Run> {
  let last: Uint8Array = new Uint8Array();
  const { path } = modules.find(
    (module) => module.app === appOf(name) && module.target === target,
  ) as BuiltModule;
  const host = await hostOf(
    path,
    { ...samples, count, at: (i) => samples.at(i) },
    {
      seed,
      params,
      first,
      intrinsics,
      publish: (_channel, bytes) => {
        last = bytes;
      },
    },
  );
  return { host, record: () => decodeStateRecord(last) };
}

async function trained(name: string, params: Params, target = "portable", steps = STEPS): Promise<Run> {
  const run = await start(name, params, target);
  for (let step = 0; step < steps; step++) run.host.step();
  return run;
}

describe.each(Object.entries(TRAININGS))("%s", (name, params) => {
  it("leaves the same bits for either target, and goes on from a restored state", async () => {
    const whole = sha256((await trained(name, params)).host.state());
    expect(sha256((await trained(name, params, "device")).host.state())).toBe(whole);
    // in the middle of a batch, and of a window
    const half = 33;
    const { host } = await trained(name, params, "portable", half);
    const resumed = await start(name, params, "device", half, 999);
    resumed.host.restore(host.state());
    for (let step = half; step < STEPS; step++) resumed.host.step();
    expect(sha256(resumed.host.state())).toBe(whole);
  });
});

describe("few samples, seen again and again", () => {
  const few = 10;
  // the two that are not there to learn by heart
  const names = Object.keys(TRAININGS).filter(
    (name) => name !== "early stop" && name !== "biases and compensation",
  );

  it.each(names)(
    "%s learns: the loss falls by a third and more, of residual blocks by a fifth",
    async (name) => {
      const run = await start(name, { lr: 0.02, ...TRAININGS[name] }, "portable", 0, 3, few);
      const losses: number[] = [];
      for (let step = 1; step <= LONG; step++) {
        run.host.step();
        if (step === few || step === LONG) losses.push(run.record()!.loss as number);
      }
      // behind a global mean it takes longer
      expect(losses[1]!).toBeLessThan((appOf(name) === "residual" ? 0.8 : 0.67) * losses[0]!);
    },
  );

  it("early stop: the state stands still once the loss has not fallen, and held-out samples are still counted", async () => {
    // ten nats less in ten samples is too much to ask: two such windows and it stops, after the first that sets the mark
    const run = await start("early stop", TRAININGS["early stop"] as Params);
    const seen: string[] = [];
    for (let step = 0; step < 60; step++) {
      run.host.step();
      seen.push(sha256(run.host.state()));
    }
    const last = seen.indexOf(seen.at(-1) as string);
    expect(run.record()!.steps).toBe(30);
    expect(last).toBeGreaterThan(28);
    expect(last).toBeLessThan(40);
    expect(run.record()!.evaluated).toBeGreaterThan(3);
  });

  it("biases and compensation alone: weights keep their first values", async () => {
    const run = await start("biases and compensation", TRAININGS["biases and compensation"] as Params);
    const masters = (state: Uint8Array): Uint8Array => state.slice(32 + 16, 32 + 16 + 2 * 4 * 25);
    const before = masters(run.host.state());
    const whole = sha256(run.host.state());
    for (let step = 0; step < 20; step++) run.host.step();
    expect(masters(run.host.state())).toEqual(before);
    expect(sha256(run.host.state())).not.toBe(whole);
  });
});

describe("a state", () => {
  it("of a model with other options is refused by its structure, and nothing of it is used", async () => {
    const structures = ["4 bits", "LAC", "momentum", "RMSprop", "batches of 4", "early stop"];
    for (const name of structures) {
      const other = await start(name, TRAININGS[name] as Params);
      const run = await trained("plain", {}, "device", 3);
      expect(() => run.host.restore(other.host.state()), name).toThrow();
    }
    // the same length, another grid
    const eight = await start("plain", { bits: 8 });
    const four = await start("plain", { bits: 4 });
    expect(four.host.state().length).toBe(eight.host.state().length);
    expect(() => eight.host.restore(four.host.state())).toThrow(/another model or version/);
  });
});
