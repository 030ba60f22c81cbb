// `octomote start --app camera`: frames in, presence, counters and previews out, on every board that runs here.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import mqtt from "mqtt";
import { afterEach, expect, it } from "vitest";
import { frameOf } from "../../host/data/clip.ts";
import { drawScene } from "../../host/data/scene.ts";
import { decodePreview, type Preview } from "../../host/protocol/preview.ts";
import { TestClient } from "../bridge/support/client.ts";
import { missingOf, requires } from "../support/requirements.ts";
import { temporaryTree } from "../support/tree.ts";
import { endAll, octomote, type Running } from "./support/octomote.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

function start(args: string[]): Running {
  const running = octomote(["start", "--app", "camera", "--port", "0", "--mqtt-port", "0", ...args]);
  cleanups.push(() => endAll(running));
  return running;
}

interface Told {
  occupied: number;
  step: number;
  pass: { dirty: number; macs: number; refreshAge: number; denseFrames: number };
}

/** Collects states and previews by device. */
async function watch(running: Running) {
  const url = (await running.sees(/broker +(mqtt:\/\/\S+)/))[1] as string;
  const client = await mqtt.connectAsync(url);
  cleanups.push(() => client.endAsync(true));
  const states = new Map<string, Told[]>();
  const previews = new Map<string, Preview[]>();
  client.on("message", (topic, payload) => {
    const [, id, kind] = topic.split("/") as [string, string, string | undefined];
    if (kind === "preview") {
      const preview = decodePreview(payload);
      if (preview !== null) previews.set(id, [...(previews.get(id) ?? []), preview]);
    } else if (kind === undefined && payload.length > 0) {
      const state = JSON.parse(payload.toString());
      if (state.pass !== undefined) states.set(id, [...(states.get(id) ?? []), state]);
    }
  });
  await client.subscribeAsync(["octomote/+", "octomote/+/preview"]);
  return { states, previews };
}

const emulated = missingOf(["arm-none-eabi-gcc", "qemu-system-arm"]).length === 0;

requires("gcc").describe("octomote start --app camera", () => {
  it("sees drawn streets, skips most of the work, and shows what it saw", async () => {
    const file = join(temporaryTree(), "result.json");
    const running = start(["--devices", "2", "--fps", "20", "--seconds", "12", "--json", file]);
    const { states, previews } = await watch(running);
    expect(await running.ended).toEqual({ code: 0, signal: null });
    const report = JSON.parse(readFileSync(file, "utf8"));
    expect(report.dataset).toBe("scene: street");
    expect(report.devices.map(({ board }: { board: string }) => board).sort()).toEqual(
      emulated ? ["mps2-an386", "posix"] : ["posix", "posix"],
    );
    for (const id of ["kitchen", "garage"]) {
      const told = states.get(id) ?? [];
      const late = told.filter(({ step }) => step > 20);
      expect(late.length).toBeGreaterThan(5);
      const mean = late.reduce((sum, { pass }) => sum + pass.macs, 0) / late.length;
      expect(mean).toBeLessThan(0.4);
      expect(Math.max(...late.map(({ pass }) => pass.refreshAge))).toBeLessThanOrEqual(64);
      expect(Math.max(...late.map(({ pass }) => pass.denseFrames))).toBeLessThan(10);
      const shown = previews.get(id) ?? [];
      expect(shown.length).toBeGreaterThan(5);
      expect(shown.at(-1)).toMatchObject({ width: 96, height: 72, patch: 8, cellColumns: 12, cellRows: 9 });
      expect(shown.some(({ occupied }) => occupied.some(Boolean))).toBe(true);
      expect(shown.every(({ computed }) => computed.length === 108)).toBe(true);
    }
  });

  it("plays raw frames, and its preview is their picture", async () => {
    const clip = drawScene({
      width: 96,
      height: 72,
      scenario: "stop-and-stay",
      frames: 40,
      seed: 5,
      noise: 0,
    });
    const path = join(temporaryTree(), "door-96x72-gray8.raw");
    writeFileSync(path, clip.pixels);
    const running = start(["--devices", "1", "--frames", path, "--fps", "20", "--seconds", "3"]);
    const { previews } = await watch(running);
    expect((await running.ended).code).toBe(0);
    const shown = previews.get("kitchen") ?? [];
    expect(shown.length).toBeGreaterThan(2);
    for (const { sequence, grey, columns } of shown) {
      const frame = frameOf(clip, sequence % clip.count);
      const at = (x: number, y: number) => frame[y * 96 + x] as number;
      const mean = (x: number, y: number) => (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1)) >> 2;
      for (const [x, y] of [
        [0, 0],
        [20, 11],
        [47, 35],
      ] as const) {
        expect(grey[y * columns + x]).toBe((mean(2 * x, 2 * y) >> 4) * 17);
      }
    }
  });

  it.each([
    [["--frames", "no-such-thing"], /There is no file and no scene no-such-thing.*scenes are street, crowd/s],
    [["--frame-size", "tiny"], /"tiny" is no size of a frame/],
    [["--frames", "package.json"], /package\.json: (to read a video, install ffmpeg|.*ended with status)/],
  ])("%j is an error that says what would do", async (args, message) => {
    const running = start(["--devices", "1", ...args]);
    const { code } = await running.ended;
    expect(code).not.toBe(0);
    expect(running.stdout() + running.stderr()).toMatch(message);
  });

  it("a truncated file of frames, and frames of another size, are errors that name both sizes", async () => {
    const tree = temporaryTree();
    const cut = join(tree, "cut-96x72-gray8.raw");
    writeFileSync(cut, new Uint8Array(7000));
    const other = join(tree, "other-32x24-gray8.raw");
    writeFileSync(other, new Uint8Array(768));
    for (const [path, message] of [
      [cut, /7000 bytes are no whole number of frames of 96×72 \(6912 bytes each\)/],
      [other, /its frames are 32×24, but 96×72 are wanted/],
    ] as const) {
      const running = start(["--devices", "1", "--frames", path]);
      expect((await running.ended).code).not.toBe(0);
      expect(running.stdout() + running.stderr()).toMatch(message);
    }
  });

  it("a frame of a size that the app does not take stops the device, and both are told", async () => {
    const running = start(["--devices", "1", "--frame-size", "32x24", "--seconds", "3"]);
    await running.sees(/the sensor.s frames have another shape.*768.*6912/);
  });
});

requires("gcc").describe("octomote start --app camera-learn", () => {
  it("learns from what is said to the device's /set, and waits until then", async () => {
    const running = octomote([
      ...["start", "--app", "camera-learn", "--devices", "1", "--fps", "20"],
      ...["--port", "0", "--mqtt-port", "0"],
    ]);
    cleanups.push(() => endAll(running));
    const url = (await running.sees(/broker +(mqtt:\/\/\S+)/))[1] as string;
    const client = await TestClient.connect(url, 4);
    cleanups.push(() => client.close());
    const seen = await client.wait("octomote/kitchen", (state) => state?.samples > 5 && state.pass);
    expect(seen).toMatchObject({ step: 0, running: true });
    await client.mqtt.publishAsync("octomote/kitchen/set", JSON.stringify({ label: 1, frames: 4 }));
    await client.wait("octomote/kitchen", (state) => state?.step === 4);
    await client.mqtt.publishAsync("octomote/kitchen/set", JSON.stringify({ label: 0, frames: 4 }));
    // the buffer gives back one of the other class with each
    const taught = await client.wait("octomote/kitchen", (state) => state?.step === 12);
    expect(taught.pass.macs).toBeLessThan(1);
    process.kill(running.pid, "SIGINT");
    expect(await running.ended).toEqual({ code: 0, signal: null });
  });
});
