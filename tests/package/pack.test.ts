// Octomote as somebody installs it: packed, and installed in a project of its own with plain npm, without our .npmrc.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ModuleHost } from "../../host/module/module-host.ts";
import { readmeApp } from "../support/readme.ts";
import { reportUnmet } from "../support/requirements.ts";
import { type ProgramResult, runProgram } from "../support/runner.ts";
import { writeTree } from "../support/tree.ts";

const LIMIT_MS = 240_000;

/** npm hands its settings down to what it runs, and node_modules/.bin, where another npm may lie: not to this project. */
const PLAIN: Record<string, string | undefined> = {
  PATH: process.env.PATH?.split(delimiter)
    .filter((folder) => !folder.includes("node_modules"))
    .join(delimiter),
  NODE_ENV: undefined,
  INIT_CWD: undefined,
  npm_config_local_prefix: undefined,
};
for (const line of readFileSync(".npmrc", "utf8").split("\n")) {
  const name = /^([a-z-]+)=/.exec(line)?.[1];
  if (name !== undefined) PLAIN[`npm_config_${name.replaceAll("-", "_")}`] = undefined;
}

function run(file: string, args: string[], cwd: string): Promise<ProgramResult> {
  return runProgram(file, args, { cwd, env: PLAIN, limitMs: LIMIT_MS });
}

/** Is there a registry? One look at a package that is small and always there. */
async function registryAnswers(): Promise<boolean> {
  const args = ["view", "ms", "name", "--prefer-online", "--fetch-retries=0", "--fetch-timeout=20000"];
  return (await run("npm", args, tmpdir())).code === 0;
}

const online = await registryAnswers();
if (!online) {
  reportUnmet({
    suite: "tests/package/pack.test.ts",
    missing: ["npm's registry (no network?)"],
    packages: [],
  });
}

describe.skipIf(!online)("the packed package, installed elsewhere", () => {
  let folder = "";

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "octomote-package-"));
    const packed = await run(
      "npm",
      ["pack", "--loglevel=error", "--pack-destination", folder],
      process.cwd(),
    );
    expect(packed, packed.output).toMatchObject({ code: 0 });
    const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "";
    writeTree(folder, {
      "package.json": JSON.stringify({ name: "my-sensor", private: true, type: "module" }),
      "my-sensor.ts": readmeApp(),
    });
    const args = ["install", "--prefer-offline", "--no-audit", "--no-fund", `./${tarball}`];
    const installed = await run("npm", args, folder);
    expect(installed, installed.output).toMatchObject({ code: 0 });
  }, LIMIT_MS);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("brings no React and no React Native", () => {
    const manifests = readdirSync(join(folder, "node_modules"), { recursive: true, encoding: "utf8" });
    const names = manifests
      .map((path) => /(?:^|node_modules\/)((?:@[^/]+\/)?[^/]+)\/package\.json$/.exec(path)?.[1])
      .filter((name) => name !== undefined);
    expect(names).toContain("wasm3");
    expect(
      names.filter((name) => /^(?:react|react-native|react-dom|expo)$|^@react-native/.test(name)),
    ).toEqual([]);
  });

  it("brings wasm3's C source and the boards, and none of our tests", () => {
    const octomote = join(folder, "node_modules/octomote");
    const paths = readdirSync(octomote, { recursive: true, encoding: "utf8" });
    expect(paths).toEqual(
      expect.arrayContaining([
        "LICENSE",
        "README.md",
        "assembly/index.ts",
        "boards/runtime/engine.h",
        "host/cli/octomote.mjs",
        "node_modules/wasm3/cpp/wasm3.h",
        "node_modules/wasm3/cpp/m3_exec.c",
      ]),
    );
    expect(
      paths.filter((path) => /__tests__|\.test\.ts$|\.spec\.ts$/.test(path.replace(/^node_modules\/.*/, ""))),
    ).toEqual([]);
  });

  it("has the command octomote", async () => {
    const help = await run("npx", ["--no-install", "octomote", "--help"], folder);
    expect(help, help.output).toMatchObject({ code: 0 });
    expect(help.output).toMatch(/^Usage: octomote/m);
  });

  it("compiles the README's app, which learns", async () => {
    const built = await run(
      "npx",
      ["--no-install", "octomote", "build", "--app", "my-sensor.ts", "--modules-only"],
      folder,
    );
    expect(built, built.output).toMatchObject({ code: 0 });
    const wasm = readFileSync(join(folder, "build/portable/my-sensor.wasm"));
    const data = new Int8Array(28 * 28).map((_, i) => (i * 7) % 128);
    const module = await ModuleHost.load(wasm, {
      sensor: () => ({ data, h: 28, w: 28, c: 1, label: 2, heldOut: false }),
    });
    module.start();
    const before = module.state();
    for (let i = 0; i < 3; i++) module.step();
    const after = module.state();
    const step = (state: Uint8Array): number =>
      new DataView(state.buffer, state.byteOffset).getUint32(16, true);
    expect([step(before), step(after)]).toEqual([0, 3]);
    expect(after.subarray(32)).not.toEqual(before.subarray(32));
  });

  it("runs it, and the portable and the device module learn the same bits", async () => {
    const sim = ["--no-install", "octomote", "sim", "--app", "my-sensor.ts", "--data", "generated"];
    const results: { digest: string }[] = [];
    for (const target of ["--portable", "--device"]) {
      const done = await run("npx", [...sim, target, "--steps", "20", "--json"], folder);
      expect(done, done.output).toMatchObject({ code: 0 });
      results.push(JSON.parse(done.output.slice(done.output.indexOf("{"), done.output.lastIndexOf("}") + 1)));
    }
    expect(results[0]?.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(results[1]?.digest).toBe(results[0]?.digest);
  });
});
