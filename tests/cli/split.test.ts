// `octomote start --app split`: a device half for all, a trainer beside the bridge, and what it learns on the way out.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseCloudState, parseCloudView } from "../../host/dashboard/model/parse-cloud.ts";
import { TestClient } from "../bridge/support/client.ts";
import { cleanups } from "../bridge/support/stage.ts";
import { requires } from "../support/requirements.ts";
import { temporaryTree } from "../support/tree.ts";
import { endAll, octomote } from "./support/octomote.ts";

requires("gcc").describe("octomote start --app split", () => {
  it("learns in the cloud from what a device sends, and shows both", async () => {
    const file = join(temporaryTree(), "result.json");
    const small = ["--data", "generated", "--images", "300", "--devices", "1", "--seconds", "6"];
    const running = octomote([
      "start",
      "--app",
      "split",
      "--port",
      "0",
      "--mqtt-port",
      "0",
      ...small,
      "--json",
      file,
    ]);
    cleanups.push(() => endAll(running));
    const client = await TestClient.connect((await running.sees(/broker +(mqtt:\/\/\S+)/))[1] as string, 4);
    cleanups.push(() => client.close());
    const view = parseCloudView(await client.wait("octomote/cloud/view"));
    expect([view.height, view.width, view.channels]).toEqual([14, 14, 16]);
    const state = parseCloudState(await client.wait("octomote/cloud/state", (value) => value?.samples > 10));
    expect(state.bytesRaw).toBe(3136 * (state.samples as number));
    expect(await running.ended).toEqual({ code: 0, signal: null });
    const { cloud } = JSON.parse(readFileSync(file, "utf8"));
    expect(cloud).toMatchObject({ mode: "frozen", lost: 0, refused: 0 });
    expect(cloud.steps).toBeGreaterThan(0);
    expect(running.stdout()).toMatch(/device half of 400 bytes, from 300 images/);
    expect(running.stdout()).toMatch(/cloud · .* samples · step/);
  });
});

requires("gcc").describe("octomote start --app camera-split", () => {
  it("learns in the cloud from what changed before a camera", async () => {
    const file = join(temporaryTree(), "result.json");
    const small = ["--devices", "1", "--fps", "100", "--port", "0", "--mqtt-port", "0"];
    const running = octomote(["start", "--app", "camera-split", ...small, "--json", file]);
    cleanups.push(() => endAll(running));
    const client = await TestClient.connect((await running.sees(/broker +(mqtt:\/\/\S+)/))[1] as string, 4);
    cleanups.push(() => client.close());
    const view = parseCloudView(await client.wait("octomote/cloud/view"));
    expect([view.height, view.width, view.channels]).toEqual([9, 12, 32]);
    await client.wait("octomote/cloud/state", (value) => value?.partial > 20 && value.steps > 0);
    process.kill(running.pid, "SIGINT");
    expect(await running.ended).toEqual({ code: 0, signal: null });
    const { cloud, devices } = JSON.parse(readFileSync(file, "utf8"));
    expect(cloud).toMatchObject({ mode: "frozen", refused: 0, codebook: { version: 1 } });
    expect(devices[0].macs).toBeLessThan(1);
  });
});
