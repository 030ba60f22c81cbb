// A log on the disk: what the disk or a limit refuses ends it, and what is there stays whole.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LogFile } from "../../host/replay/log-file.ts";
import { temporaryTree } from "../support/tree.ts";

describe("a log file", () => {
  it("takes entries up to its limit, and none after the first that is beyond", () => {
    const path = join(temporaryTree(), "log.cbor");
    const told: unknown[] = [];
    const log = new LogFile(path, { limit: 10, ended: (why) => told.push(why) });
    expect([4, 5, 4, 1].map((n) => log.write(new Uint8Array(n).fill(n)))).toEqual([true, true, false, false]);
    expect([...readFileSync(path)]).toEqual([4, 4, 4, 4, 5, 5, 5, 5, 5]);
    expect(told).toEqual(["limit"]);
    expect(log).toMatchObject({ isOpen: false, bytes: 9 });
    log.close();
  });

  it("is not written over where a fresh one is wanted", () => {
    const path = join(temporaryTree(), "log.cbor");
    writeFileSync(path, "precious");
    expect(() => new LogFile(path, { fresh: true })).toThrow(/EEXIST/);
    expect(readFileSync(path, "utf8")).toBe("precious");
    new LogFile(path).close();
    expect(readFileSync(path).length).toBe(0);
  });

  it.runIf(existsSync("/dev/full"))("ends with what a full disk says, once", () => {
    const told: unknown[] = [];
    const log = new LogFile("/dev/full", { ended: (why) => told.push(why) });
    expect(log.write(new Uint8Array(3))).toBe(false);
    expect(log.write(new Uint8Array(3))).toBe(false);
    expect(told).toEqual([expect.objectContaining({ code: "ENOSPC" })]);
  });
});
