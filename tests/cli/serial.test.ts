// octomote bridge with a board on a serial port, as a person meets it: not yet plugged in, pulled, back again.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { TestClient } from "../bridge/support/client.ts";
import { broker, cleanups } from "../bridge/support/stage.ts";
import { posixDevice } from "../support/posix-device.ts";
import { plug } from "../support/pty.ts";
import { requires } from "../support/requirements.ts";
import { endAll, octomote } from "./support/octomote.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

requires("socat", "gcc").describe("octomote bridge --port", () => {
  it("waits for a board, takes it when it is plugged in, and again after it was pulled", async () => {
    const folder = await mkdtemp(join(tmpdir(), "octomote-serial-"));
    folders.push(folder);
    const { program, args } = await posixDevice(folder, "bench", true);
    const path = join(folder, "ttyACM0");
    const url = await broker("aedes");
    const client = await TestClient.connect(url, 4);
    cleanups.push(() => client.close());
    const running = octomote(["bridge", "--broker", url, "--port", path, "--port", path, "--baud", "9600"]);
    cleanups.push(() => endAll(running));
    await running.sees(/There is no serial port \S+ttyACM0: there (is|are) .*it is opened as soon as/);
    const command = `EXEC:${[program, ...args].join(" ")}`;
    for (let times = 0; times < 2; times++) {
      const board = await plug(path, command);
      cleanups.push(() => board.unplug());
      await client.wait("octomote/bench/availability", (value) => value?.state === "online");
      await client.wait("octomote/bench", (state) => state?.step > 0);
      await board.unplug();
      await client.wait("octomote/bench/availability", (value) => value.state === "offline");
    }
    expect(running.stdout()).toMatch(/ttyACM0 is open at 9600 baud/);
    expect(running.stdout()).toMatch(/bench is offline: the connection was lost: \S+ttyACM0 was unplugged/);
    expect(client.json("octomote/bridge/devices")[0].transport).toBe(`serial ${path}`);
    process.kill(running.pid, "SIGINT");
    expect(await running.ended).toEqual({ code: 0, signal: null });
  });
});
