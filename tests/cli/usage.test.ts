import { describe, expect, it } from "vitest";
import { run } from "./support/octomote.ts";

const VERBS = [
  "start",
  "sim",
  "bridge",
  "devices",
  "monitor",
  "cloud",
  "weights",
  "export",
  "import",
  "replay",
  "build",
];

describe("help", () => {
  it("lists every verb and the exit codes", async () => {
    const { code, stdout, stderr } = await run(["--help"]);
    expect(code).toBe(0);
    for (const verb of VERBS) expect(stdout).toMatch(new RegExp(`^ {2}${verb} `, "m"));
    expect(stdout).toContain("Exit codes: 0 done, 1 failed, 2");
    expect(stderr).toBe("");
  });

  it.each(VERBS)("of %s has examples", async (verb) => {
    const { code, stdout } = await run([verb, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: octomote ${verb}`);
    expect(stdout).toMatch(new RegExp(`Examples:\n {2}\\$ octomote ${verb}`));
  });

  it("prints the version", async () => {
    expect(await run(["--version"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe("a command line that cannot be understood ends with 2 and says what to write", () => {
  it.each([
    [[], /Usage: octomote/],
    [["strat"], /Did you mean start\?/],
    [["moniter"], /Did you mean monitor\?/],
    [["start", "--secnds", "5"], /Did you mean --seconds\?/],
    [["start", "--seconds", "-1"], /above 0/],
    [["start", "--port", "99999"], /0 … 65535/],
    [["start", "--devices", "0"], /1 … 32/],
    [["start", "--data", "cats"], /fashion-mnist/],
    [["start", "--param", "lr"], /name=value/],
    [["start", "--app", "nothing"], /trainer/],
    [["sim", "--app", "gone.wasm"], /no file gone\.wasm/],
    [["sim", "--device", "--portable"], /cannot be used with/],
    [["bridge"], /--tcp-listen 7000/],
    [["bridge", "--connect", "7000"], /host:port/],
    [["bridge", "--connect", "host:99999"], /host:port/],
    [["build", "--board", "arduino"], /posix, mps2-an386/],
    [["build", "--board", "posix", "--modules-only"], /exclude/],
    [["monitor", "--mqtt-version", "3"], /Allowed choices are 5, 4|It is 5/],
    [["devices", "extra"], /too many arguments/],
    [["cloud", "train", "--shape", "14"], /14x14x16/],
    [["cloud", "train", "--bytes", "90", "--loss", "1"], /cannot be used with/],
    [["cloud", "train", "--mode", "both"], /frozen, joint/],
    [["cloud", "train", "--half", "gone.state"], /Cannot read gone\.state/],
    [["cloud", "worker", "--seconds", "-1"], /above 0/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).not.toMatch(/ at .*\.ts:/);
  });
});

describe("what fails ends with 1 and names the fix", () => {
  it.each([
    [
      ["devices", "--broker", "mqtt://127.0.0.1:1"],
      /No broker answers at mqtt:\/\/127\.0\.0\.1:1\n.*--broker/,
    ],
    [["monitor", "--broker", "http://x"], /mqtt:\/\/, mqtts:\/\/, ws:\/\//],
    [["bridge", "--connect", "127.0.0.1:1", "--broker", "mqtt://127.0.0.1:1"], /No broker answers/],
    [["bridge", "--connect", "127.0.0.1:1", "--base", "a/#"], /cannot be a base topic/],
  ])("%j", async (args, message) => {
    const { code, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/ at .*\.ts:/);
    expect(code).toBe(1);
  });

  it("shows the stack with --debug only", async () => {
    const { stderr } = await run(["devices", "--broker", "mqtt://127.0.0.1:1", "--debug"]);
    expect(stderr).toMatch(/No broker answers[\s\S]* at .*\.ts:\d+/);
  });
});
