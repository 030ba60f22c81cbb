// octomote replay, of what start and sim recorded.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { decodeLog, encodeEntry } from "../../host/replay/log.ts";
import { requires } from "../support/requirements.ts";
import { temporaryTree } from "../support/tree.ts";
import { endAll, octomote, type Running, run } from "./support/octomote.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

const SIM = ["sim", "--data", "generated", "--images", "60", "--steps", "120", "--json"];

async function recorded(...args: string[]): Promise<{ log: string; digest: string }> {
  const log = join(temporaryTree(), "session.cbor");
  const { code, stdout } = await run([...SIM, ...args, "--record", log]);
  expect(code).toBe(0);
  return { log, digest: JSON.parse(stdout).digest };
}

describe("octomote replay", () => {
  it("repeats what sim recorded to the same digest, and shows each layer", async () => {
    const { log, digest } = await recorded("--device", "--seed", "7", "--param", "lr=0.01");
    const { code, stdout } = await run(["replay", "--log", log, "--every", "60"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`✓ 120 steps, 120 digests and 3 states of the device equal\n  digest ${digest}`);
    expect(stdout).toContain("seed 7, 120 steps in the log");
    for (const step of [60, 120]) expect(stdout).toMatch(new RegExp(`^step ${step} +loss \\d\\.\\d{4}`, "m"));
    for (const layer of ["conv2d 5×5, 1 → 8", "conv2d 5×5, 8 → 16", "dense 256 → 10"]) {
      expect(stdout.split(layer)).toHaveLength(3);
    }
  });

  it("of a portable module: digests alone", async () => {
    const { log, digest } = await recorded("--portable");
    const { code, stdout } = await run(["replay", "--log", log]);
    expect(code).toBe(0);
    expect(stdout).toContain(digest);
    expect(stdout).not.toContain("conv2d");
  });

  it("up to a step, as JSON", async () => {
    const { log } = await recorded("--device");
    const { code, stdout } = await run(["replay", "--log", log, "--until", "30", "--every", "10", "--json"]);
    expect(code).toBe(0);
    const told = JSON.parse(stdout);
    expect(told.session).toMatchObject({ device: "sim", source: "generated", run: 1, seed: 1, steps: 120 });
    expect(told.rows.map(({ step }: { step: number }) => step)).toEqual([0, 10, 20, 30]);
    expect(told.rows[3].layers[0]).toMatchObject({ name: "conv2d 5×5, 1 → 8", output: [24, 24, 8] });
    expect(told.result).toMatchObject({ steps: 30, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  it("of a log that was cut off replays what is whole, and says so", async () => {
    const { log } = await recorded("--device");
    const bytes = readFileSync(log);
    writeFileSync(log, bytes.subarray(0, bytes.length - 30));
    const { code, stdout } = await run(["replay", "--log", log]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /! the log is whole up to byte \d+ \(the log was cut off\): this much is replayed/,
    );
    expect(stdout).toContain("✓ 120 steps, 120 digests and 3 states of the device equal");
  });

  it("in which a sample was changed names the very step and what differs, and that another engine agrees", async () => {
    const { log } = await recorded("--device");
    const changed = decodeLog(new Uint8Array(readFileSync(log))).entries.map((entry) => {
      // one pixel of the 37th sample
      if (entry.kind === "samples" && entry.offset === 0) entry.bytes[32 + 36 * 788 + 400]! ^= 64;
      return encodeEntry(entry);
    });
    writeFileSync(log, Buffer.concat(changed));
    const { code, stdout } = await run(["replay", "--log", log, "--on", "node"]);
    expect(code).toBe(1);
    expect(stdout).toContain("✗ after step 37 the digest differs; after the step before it all was equal");
    expect(stdout).toMatch(/seen first after step 50: conv2d 5×5, 1 → 8, range here [\d.]+, device [\d.]+/);
    expect(stdout).toContain("✓ node · node computes the same bits as V8 in all 37 steps");
    const json = await run(["replay", "--log", log, "--json"]);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout).result.difference).toMatchObject({
      steps: 37,
      agreed: 36,
      what: "digest",
      place: { steps: 50, tensor: expect.stringContaining("conv2d 5×5, 1 → 8") },
    });
  });

  it.each([
    [
      "no log",
      "hello",
      /no session log: no entry begins here \(byte 0\)[\s\S]*→ give a log that octomote sim/,
    ],
    ["an empty file", "", /no session log/],
  ])("%s ends with 1", async (_what, content, message) => {
    const path = join(temporaryTree(), "log.cbor");
    writeFileSync(path, content);
    const { code, stderr } = await run(["replay", "--log", path]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });

  it("a run that the log has not is a wrong command line", async () => {
    const { log } = await recorded("--device");
    const { code, stderr } = await run(["replay", "--log", log, "--run", "3"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--run takes 1 … 1");
  });

  it("a place that cannot be written is told before anything is learned", async () => {
    const { code, stderr } = await run([...SIM, "--record", join(temporaryTree(), "no/such/folder.cbor")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/folder\.cbor cannot be written/);
  });

  requires("gcc").describe("of what start recorded", () => {
    it("repeats each device", { timeout: 120_000 }, async () => {
      const folder = temporaryTree();
      const args = [
        "--data",
        "generated",
        "--images",
        "400",
        "--port",
        "0",
        "--mqtt-port",
        "0",
        "--devices",
        "2",
      ];
      const log = join(folder, "session.cbor");
      const running: Running = octomote(["start", ...args, "--seconds", "4", "--record", log]);
      cleanups.push(() => endAll(running));
      expect(await running.ended).toEqual({ code: 0, signal: null });
      for (const [id, seed] of [
        ["kitchen", 1],
        ["garage", 2],
      ] as const) {
        const path = join(folder, `session.${id}.cbor`);
        const { code, stdout } = await run(["replay", "--log", path, "--until", "40", "--on", "posix"]);
        expect(stdout).toMatch(/✓ posix · wasm3-\S+ computes the same bits as V8 in all 40 steps/);
        expect(stdout).toContain(`seed ${seed}, `);
        expect(stdout).toMatch(/✓ [\d,]+ steps, \d+ digests and \d+ states of the device equal/);
        expect(code).toBe(0);
      }
    });
  });
});
