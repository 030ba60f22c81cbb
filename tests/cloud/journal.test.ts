// What was written is there after the process was killed at any moment.
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Journal } from "../../host/cloud/ingest/journal.ts";
import { temporaryTree } from "../support/tree.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (of: string): Uint8Array => new TextEncoder().encode(of);

function open(path: string): { journal: Journal; found: string[] } {
  const found: string[] = [];
  return { journal: new Journal(path, (record) => found.push(text(record))), found };
}

describe("journal", () => {
  it("gives back what was appended, and goes on behind it", () => {
    const path = join(temporaryTree(), "j");
    for (const record of ["one", "2", "three"]) {
      const { journal } = open(path);
      journal.append(bytes(record));
      journal.close();
    }
    const { journal, found } = open(path);
    expect(found).toEqual(["one", "2", "three"]);
    expect(journal.records).toBe(3);
    journal.close();
  });

  it("cut after any byte: whole records are kept, the torn one is gone, and new ones follow", () => {
    const path = join(temporaryTree(), "j");
    const { journal } = open(path);
    const records = ["first", "second record", "3"];
    for (const record of records) journal.append(bytes(record));
    journal.close();
    const whole = readFileSync(path);
    const ends = [13, 34, 43];
    for (let cut = 0; cut <= whole.length; cut++) {
      writeFileSync(path, whole);
      truncateSync(path, cut);
      const again = open(path);
      expect(again.found).toEqual(records.slice(0, ends.filter((end) => end <= cut).length));
      again.journal.append(bytes("next"));
      again.journal.close();
      const last = open(path);
      expect(last.found.at(-1)).toBe("next");
      last.journal.close();
    }
  });

  it.each([
    ["zeros", new Uint8Array(4096)],
    ["other bytes", Uint8Array.from({ length: 700 }, (_, i) => i * 89)],
    ["half a record and zeros", Uint8Array.of(13, 0, 0, 0, 1, 2, 3, 4, 115, ...new Uint8Array(500))],
  ])("after a power cut, with %s behind what was synced: that is kept, and new records follow", (_, tail) => {
    const path = join(temporaryTree(), "j");
    const { journal } = open(path);
    journal.append(bytes("first"));
    journal.append(bytes("second record"));
    journal.syncNow();
    journal.close();
    writeFileSync(path, Buffer.concat([readFileSync(path), tail]));
    const again = open(path);
    expect(again.found).toEqual(["first", "second record"]);
    again.journal.append(bytes("next"));
    again.journal.close();
    expect(open(path).found).toEqual(["first", "second record", "next"]);
  });

  it("takes no empty record: a file that the disk has filled with zeros would be full of them", () => {
    const { journal } = open(join(temporaryTree(), "j"));
    expect(() => journal.append(new Uint8Array(0))).toThrow(/a record of 0 bytes/);
    journal.close();
  });

  it("after an error of the disk it takes nothing more: what is on it is not known", async () => {
    const { journal } = open(join(temporaryTree(), "j"));
    journal.append(bytes("one"));
    await journal.sync();
    journal.close();
    await new Promise((resolve) => setImmediate(resolve));
    await expect(journal.sync()).rejects.toThrow(/EBADF/);
    expect(() => journal.append(bytes("two"))).toThrow(/EBADF/);
    await expect(journal.sync()).rejects.toThrow(/EBADF/);
  });

  it("a byte that changed ends it before the damaged record", () => {
    fc.assert(
      fc.property(fc.nat(42), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const path = join(temporaryTree(), "j");
        const { journal } = open(path);
        for (const record of ["first", "second record", "3"]) journal.append(bytes(record));
        journal.close();
        const damaged = readFileSync(path);
        damaged[at]! ^= change;
        writeFileSync(path, damaged);
        const again = open(path);
        again.journal.close();
        expect(again.found).toEqual(["first", "second record"].slice(0, at < 13 ? 0 : at < 34 ? 1 : 2));
      }),
      { numRuns: 50 },
    );
  });

  it("rewritten, it holds the new records and takes more", () => {
    const path = join(temporaryTree(), "j");
    const { journal } = open(path);
    for (const record of ["a", "b", "c"]) journal.append(bytes(record));
    journal.rewrite([bytes("b"), bytes("c")]);
    journal.append(bytes("d"));
    expect(journal.read().map(text)).toEqual(["b", "c", "d"]);
    journal.close();
    expect(open(path).found).toEqual(["b", "c", "d"]);
  });
});
