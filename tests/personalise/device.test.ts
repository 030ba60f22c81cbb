// A user says over MQTT what a device sees, and the device learns it: the firmware as a process, the bridge, a broker.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Bridge } from "../../host/bridge/bridge.ts";
import type { DeviceState } from "../../host/bridge/device.ts";
import { type BuiltModule, buildModules, ROOT } from "../../host/build/modules.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { startVirtualDevice } from "../../host/devices/virtual-device.ts";
import { TestClient } from "../bridge/support/client.ts";
import { broker, cleanups } from "../bridge/support/stage.ts";
import { requires } from "../support/requirements.ts";
import { streamOf } from "../support/streams.ts";

requires("gcc").describe("a device in a kitchen", () => {
  it("learns what its user says, keeps it, and says how many frames the label still holds for", async () => {
    const folder = await mkdtemp(join(tmpdir(), "octomote-set-"));
    cleanups.push(() => rm(folder, { recursive: true, force: true }));
    const samples = join(folder, "samples.bin");
    const dataset = await loadDataset("generated", { limit: { train: 200 }, seed: 7 });
    await writeFile(samples, streamOf(dataset, [{ classes: [6], count: 10, unlabelled: true }]));
    const modules = await buildModules({
      apps: [join(ROOT, "assembly/apps/personalise.ts")],
      targets: ["device"],
    });

    const url = await broker("aedes");
    const client = await TestClient.connect(url, 4);
    cleanups.push(() => client.close());
    const bridge = new Bridge({ mqtt: { url, version: 4 }, facts: { version: "0" } });
    await bridge.start();
    cleanups.push(() => bridge.stop());
    const { path } = modules[0] as BuiltModule;
    const device = await startVirtualDevice({ id: "kitchen", board: "posix", module: path, samples });
    cleanups.push(() => device.stop());
    bridge.attach(device.link, "virtual");

    const set = (command: object) => client.mqtt.publish("octomote/kitchen/set", JSON.stringify(command));
    const state = (wanted: (state: DeviceState) => unknown): Promise<DeviceState> =>
      client.wait("octomote/kitchen", (value) => value && wanted(value));
    // the same images get two labels one after the other: old samples would hold the second one up
    const params = { replays: 0, lr: 0.01 };
    expect(await client.ask("device/start", { id: "kitchen", params })).toMatchObject({ status: "ok" });
    const before = await state(({ samples: seen = 0 }) => seen > 20);
    expect(before).toMatchObject({ step: 0, personal: { due: false, kept: 0, labelsLeft: 0 } });
    for (const label of [4, 9]) {
      set({ label, frames: 30 });
      const kept = label === 4 ? 30 : 60;
      await state(({ personal }) => personal?.kept === kept && personal.labelsLeft === 0);
      await state(({ class: seen }) => seen === label);
    }
    // what is no label is told in the device's log, and harms nothing
    set({ label: 10 });
    const told = (text: string) =>
      client.wait("octomote/kitchen/log", (line) => line?.message.includes(text));
    expect(await told("a label")).toMatchObject({ level: "warning" });
    set({ label: 4, frames: -1 });
    await told('"frames" must be');
    const after = await state((now) => (now.samples ?? 0) > 200 && now.class === 9);
    expect(after).toMatchObject({ class: 9, running: true, personal: { kept: 60, labelsLeft: 0 } });
  });
});
