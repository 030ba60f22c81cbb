// What the release modules are made of, and what they do: integers only, fixed memory, allowed imports, few bytes, and the same
// bits from the same seed on either target.
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
import type { Samples } from "../../host/data/sample-file.ts";
import { ALLOWED_IMPORTS, HOST_MODULE, REQUIRED_EXPORTS } from "../../host/module/imports.ts";
import { ModuleHost, ModuleTrap } from "../../host/module/module-host.ts";
import { disassemble, floatsIn, glyphs, hostOf, sha256 } from "./support.ts";

const STEPS = 200;
const TARGETS: Target[] = ["portable", "device"];
/** The device module of the plain trainer: what an update over the air costs (docs/benchmarks.md). */
const MOST_BYTES = 5120;

let folder: string;
let release: BuiltModule[];
let fixtures: BuiltModule[];
let intrinsics: Uint8Array<ArrayBuffer>;
let samples: Samples;

const pathOf = (built: BuiltModule[], app: string, target: Target): string =>
  (built.find((one) => one.app === app && one.target === target) as BuiltModule).path;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "octomote-modules-"));
  release = await buildModules();
  const apps = ["decimals", "draws", "inference"].map((app) => join(ROOT, `tests/assembly/apps/${app}.ts`));
  fixtures = await buildModules({ apps, out: folder });
  intrinsics = await readFile(await buildIntrinsics());
  samples = await glyphs(STEPS);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

it("bytes of data that look like a type of floating point are none", async () => {
  const app = join(folder, "bytes.ts");
  // in a module's text: "\f32\f64"
  await writeFile(
    app,
    "const BYTES = memory.data<u8>([0xf3, 0x32, 0xf6, 0x34]);\nexport function step(): void { store<u8>(BYTES, 1); }",
  );
  await expect(buildModules({ apps: [app], out: folder })).resolves.toHaveLength(2);
});

it("an app with floating point is refused when it is built, by the name of the function", async () => {
  const app = join(folder, "floating.ts");
  await writeFile(
    app,
    `import { Model, dense, sensor } from "octomote/assembly";
    const model = new Model([1, 1, 4]).add(dense(2));
    let mean: f64 = 0;
    export function step(): void { mean = mean * 0.9 + <f64>model.infer(sensor.frame()).argmax(); }`,
  );
  await expect(buildModules({ apps: [app], out: folder })).rejects.toThrow(
    /integer only.*floating\/step; write decimals as constants/,
  );
});

it("an app has one page of memory, or as many as it asks for", async () => {
  const text = "export function step(): void {}";
  const pagesOf = async (name: string, line: string): Promise<string | undefined> => {
    const app = join(folder, `${name}.ts`);
    await writeFile(app, `${line}\n${text}`);
    const [built] = await buildModules({ apps: [app], out: folder, targets: ["portable"] });
    const module = disassemble(new Uint8Array(await readFile((built as BuiltModule).path)));
    return module.match(/\(memory \$\S+ (\d+) \1\)/)?.[1];
  };
  expect(await pagesOf("usual", "// memory")).toBe("1");
  expect(await pagesOf("more", "// an app\n// @memory 192 KiB")).toBe("3");
  for (const [i, amount] of ["100 KiB", "2", "0 KiB", "much", ""].entries()) {
    await expect(pagesOf(`wrong-${i}`, `// @memory ${amount}`)).rejects.toThrow(
      /is no amount of memory; write a multiple of 64/,
    );
  }
});

describe.each(TARGETS)("release modules for %s", (target) => {
  const modules = async (): Promise<[string, Uint8Array<ArrayBuffer>][]> =>
    Promise.all(
      release
        .filter((one) => one.target === target)
        .map(
          async (one) =>
            [one.app, new Uint8Array(await readFile(one.path))] as [string, Uint8Array<ArrayBuffer>],
        ),
    );

  it("hold no float type or instruction", async () => {
    for (const [app, wasm] of await modules()) expect(floatsIn(disassemble(wasm)), app).toEqual([]);
  });

  it("have memory of fixed size and never grow it", async () => {
    for (const [app, wasm] of await modules()) {
      const text = disassemble(wasm);
      expect(text, app).not.toContain("memory.grow");
      expect(text, app).toMatch(/\(memory \$\S+ (\d+) \1\)/);
    }
  });

  it("import allowed names only, and export what the ABI asks for", async () => {
    for (const [app, wasm] of await modules()) {
      const module = await WebAssembly.compile(wasm);
      for (const { module: from, name } of WebAssembly.Module.imports(module)) {
        expect(ALLOWED_IMPORTS[from], `${app}: ${from}.${name}`).toContain(name);
        if (target === "portable") expect(from, `${app}: ${name}`).toBe(HOST_MODULE);
      }
      const exported = WebAssembly.Module.exports(module).map(({ name }) => name);
      expect(exported, app).toEqual(expect.arrayContaining([...REQUIRED_EXPORTS]));
    }
  });

  it("run nothing at instantiation", async () => {
    for (const [app, wasm] of await modules()) expect(disassemble(wasm), app).not.toMatch(/^ \(start /m);
  });
});

describe("the twins for hosts that are not firmware", () => {
  it("hold no float, no data and no memory of their own", () => {
    const text = disassemble(intrinsics);
    expect(floatsIn(text)).toEqual([]);
    expect(text).not.toMatch(/^ \(data /m);
    expect(text).toMatch(/^ \(import "env" "memory"/m);
  });

  it("give every name of the allow-list", async () => {
    const module = await WebAssembly.compile(intrinsics);
    const exported = WebAssembly.Module.exports(module).map(({ name }) => name);
    expect(exported).toEqual(expect.arrayContaining([...(ALLOWED_IMPORTS.octo_int8_1 as string[])]));
  });
});

describe("size", () => {
  it(`the trainer for a device has at most ${MOST_BYTES} bytes`, async () => {
    expect((await readFile(pathOf(release, "trainer", "device"))).length).toBeLessThanOrEqual(MOST_BYTES);
  });

  it("a model without a trainer carries nothing of the backward pass", async () => {
    const module = await WebAssembly.compile(await readFile(pathOf(fixtures, "inference", "device")));
    const names = WebAssembly.Module.imports(module).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["conv2d", "maxPool2d"]));
    expect(names.filter((name) => /grad|learn|softmax|sgd/i.test(name))).toEqual([]);
  });
});

describe.each(TARGETS)("decimals in an app for %s", (target) => {
  it("leave no float behind", async () => {
    const text = disassemble(await readFile(pathOf(fixtures, "decimals", target)));
    expect(floatsIn(text)).toEqual([]);
  });

  it("become the nearest Q32.32", async () => {
    const bytes = await readFile(pathOf(fixtures, "decimals", target));
    const host = await ModuleHost.load(bytes, { intrinsics });
    host.start();
    const { valueAt } = (host as unknown as { exports: { valueAt(i: number): bigint } }).exports;
    const decimals = [0, 1, -1, 0.5, -0.25, 1e-9, -2147483648, 1 / 3, 0.1, -1.5, 2147483647.25, 0.755, 0.2];
    const tolerance = 1n;
    for (const [i, decimal] of decimals.entries()) {
      const exact = BigInt(Math.round(decimal * 2 ** 32));
      const off = valueAt(i) - exact;
      expect(off >= -tolerance && off <= tolerance, `${decimal}: ${valueAt(i)}, not ${exact}`).toBe(true);
    }
  });
});

describe("draws", () => {
  it("are those of tests/vectors/draws.json", async () => {
    const vectors = JSON.parse(await readFile(join(ROOT, "tests/vectors/draws.json"), "utf8"));
    const host = await ModuleHost.load(await readFile(pathOf(fixtures, "draws", "device")));
    const { fin, drawKey, draw } = (
      host as unknown as { exports: Record<"fin" | "drawKey" | "draw", (...values: number[]) => number> }
    ).exports;
    for (const row of vectors.fin) expect(fin(row.x) >>> 0, JSON.stringify(row)).toBe(row.fin);
    for (const row of vectors.key)
      expect(drawKey(row.seed, row.step, row.tensor) >>> 0, JSON.stringify(row)).toBe(row.key);
    for (const row of vectors.draw)
      expect(draw(row.key, row.index) >>> 0, JSON.stringify(row)).toBe(row.draw);
  });
});

describe("training", () => {
  const trained = async (target: Target, seed: number, steps = STEPS): Promise<Uint8Array> => {
    const host = await hostOf(pathOf(release, "trainer", target), samples, { seed, intrinsics });
    for (let step = 0; step < steps; step++) host.step();
    return host.state();
  };

  it("leaves the same bits for either target, and for the same seed twice", async () => {
    const digest = sha256(await trained("portable", 11));
    expect(sha256(await trained("device", 11))).toBe(digest);
    expect(sha256(await trained("device", 11))).toBe(digest);
  });

  it("leaves other bits for another seed", async () => {
    const [one, other] = await Promise.all([trained("device", 11, 20), trained("device", 12, 20)]);
    expect(sha256(other)).not.toBe(sha256(one));
  });

  it("goes on from a restored state as if it had never stopped, on another host and target", async () => {
    const half = STEPS / 2;
    const state = await trained("portable", 5, half);
    const whole = await trained("portable", 5);
    const host = await hostOf(pathOf(release, "trainer", "device"), samples, {
      seed: 999,
      intrinsics,
      first: half,
    });
    host.restore(state);
    for (let step = half; step < STEPS; step++) host.step();
    expect(sha256(host.state())).toBe(sha256(whole));
  });

  it("learns: the loss falls and held-out glyphs are known", async () => {
    const many = await glyphs(2500);
    const record = new Map<number, number>();
    const host = await hostOf(pathOf(release, "trainer", "device"), many, {
      intrinsics,
      publish: (_channel, bytes) => {
        const view = new DataView(bytes.buffer);
        for (let at = 0; at < bytes.length; at += 8)
          record.set(view.getInt32(at, true) & 0xffff, view.getInt32(at + 4, true));
      },
    });
    host.step();
    const first = (record.get(2) as number) / 65536;
    for (let step = 1; step < many.count; step++) host.step();
    // ten classes: chance gives 2.3 and 0.1
    expect(first).toBeGreaterThan(1.5);
    expect((record.get(2) as number) / 65536).toBeLessThan(0.75 * first);
    expect((record.get(3) as number) / 65536).toBeGreaterThan(0.3);
  });

  it("a state of another length or another model is refused", async () => {
    const host = await hostOf(pathOf(release, "trainer", "device"), samples, { intrinsics });
    const state = host.state();
    expect(() => host.restore(state.slice(4))).toThrow(RangeError);
    state[12] = (state[12] as number) ^ 1;
    expect(() => host.restore(state)).toThrow(ModuleTrap);
  });

  it("a limit below what the module needs is named before anything runs", async () => {
    const path = pathOf(release, "trainer", "device");
    const { used } = (await hostOf(path, samples, { intrinsics })).memory;
    await expect(hostOf(path, samples, { intrinsics, limit: used - 1 })).rejects.toMatchObject({
      code: 22,
      want: used - 1,
    });
    expect((await hostOf(path, samples, { intrinsics, limit: used })).memory.used).toBe(used);
  });
});

describe("self-test", () => {
  it("gives one digest for either target, and for every load", async () => {
    const digestOf = async (target: Target, seed = 0): Promise<number> =>
      (await hostOf(pathOf(release, "trainer", target), samples, { seed, intrinsics })).selfTest();
    const digest = await digestOf("portable");
    expect(digest).not.toBe(0);
    expect(await digestOf("device")).toBe(digest);
    expect(await digestOf("device")).toBe(digest);
    expect(await digestOf("device", 1)).not.toBe(digest);
  });

  it("of a model without a trainer as well", async () => {
    const digests = await Promise.all(
      TARGETS.map(async (target) =>
        (await hostOf(pathOf(fixtures, "inference", target), samples, { intrinsics })).selfTest(),
      ),
    );
    expect(digests[0]).not.toBe(0);
    expect(digests[1]).toBe(digests[0]);
  });
});
