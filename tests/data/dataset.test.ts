import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, datasetFolders, hasDataset, loadDataset } from "../../host/data/dataset.ts";
import { parseIdx, readIdx } from "../../host/data/idx.ts";
import { requires } from "../support/requirements.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "octomote-data-"));
});
afterAll(() => rm(root, { recursive: true }));

function idx(dimensions: number[], data: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(4 + 4 * dimensions.length));
  head.setUint32(0, 0x0800 | dimensions.length);
  dimensions.forEach((n, i) => {
    head.setUint32(4 + 4 * i, n);
  });
  return Uint8Array.from([...new Uint8Array(head.buffer), ...data]);
}

const ramp = (length: number) => Uint8Array.from({ length }, (_, i) => i);

/** A folder with a set of 3 training and 2 test images of 2×2; `change` replaces or leaves out files. */
async function folder(name: string, change: Record<string, Uint8Array | null> = {}): Promise<string> {
  const path = join(root, name);
  await mkdir(path, { recursive: true });
  const files: Record<string, Uint8Array | null> = {
    "train-images-idx3-ubyte.gz": gzipSync(idx([3, 2, 2], ramp(12))),
    "train-labels-idx1-ubyte": idx([3], Uint8Array.of(9, 0, 5)),
    "t10k-images-idx3-ubyte": idx([2, 2, 2], ramp(8)),
    "t10k-labels-idx1-ubyte.gz": gzipSync(idx([2], Uint8Array.of(1, 2))),
    ...change,
  };
  for (const [file, bytes] of Object.entries(files)) if (bytes) await writeFile(join(path, file), bytes);
  return path;
}

describe("IDX", () => {
  test("one to four dimensions", () => {
    expect(parseIdx(idx([2, 3], ramp(6)), "f")).toEqual({ dimensions: [2, 3], data: ramp(6) });
    expect(parseIdx(idx([0], ramp(0)), "f").dimensions).toEqual([0]);
  });

  test.each([
    ["nothing", new Uint8Array(0), /not an IDX file/],
    ["another format", new TextEncoder().encode("GIF89a"), /not an IDX file/],
    ["floats", Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 0), /unsigned bytes/],
    ["no dimensions", Uint8Array.of(0, 0, 8, 0), /not an IDX file/],
    ["half a header", idx([2, 3], ramp(6)).slice(0, 10), /ends within its header/],
    ["too few bytes", idx([2, 3], ramp(5)), /2×3 needs 6 bytes, but the file has 5/],
    ["too many bytes", idx([2, 3], ramp(7)), /needs 6 bytes, but the file has 7/],
    ["sizes beyond any file", idx([0xffffffff, 0xffffffff], ramp(1)), /needs 18446744065119617000 bytes/],
  ])("%s is an error that names the file", (_, bytes, message) => {
    expect(() => parseIdx(bytes, "some/file")).toThrow(DataError);
    expect(() => parseIdx(bytes, "some/file")).toThrow(/^some\/file: /);
    expect(() => parseIdx(bytes, "some/file")).toThrow(message);
  });

  test("a damaged archive is an error that names the file", async () => {
    const path = join(root, "damaged.gz");
    await writeFile(path, gzipSync(idx([2], ramp(2))).subarray(0, 20));
    await expect(readIdx(path)).rejects.toThrow(/damaged\.gz: cannot be unpacked/);
  });
});

describe("Fashion-MNIST", () => {
  test("is read, compressed or not", async () => {
    const data = await loadDataset("fashion-mnist", { folders: [await folder("whole")] });
    expect(data).toMatchObject({ name: "fashion-mnist", height: 2, width: 2, source: join(root, "whole") });
    expect(data.classes).toHaveLength(10);
    expect(data.train).toEqual({ count: 3, pixels: ramp(12), labels: Uint8Array.of(9, 0, 5) });
    expect(data.test.labels).toEqual(Uint8Array.of(1, 2));
  });

  test("a limit keeps the first ones", async () => {
    const folders = [await folder("whole")];
    const data = await loadDataset("fashion-mnist", { folders, limit: { train: 2, test: 100 } });
    expect(data.train).toEqual({ count: 2, pixels: ramp(8), labels: Uint8Array.of(9, 0) });
    expect(data.test.count).toBe(2);
  });

  test("a folder that lacks a file falls through to the next", async () => {
    const partial = await folder("partial", { "train-labels-idx1-ubyte": null });
    const folders = [join(root, "nowhere"), partial, await folder("whole")];
    expect((await loadDataset("fashion-mnist", { folders })).source).toBe(join(root, "whole"));
    expect(await hasDataset("fashion-mnist", folders)).toBe(true);
    expect(await hasDataset("fashion-mnist", [partial])).toBe(false);
  });

  test("glyphs stand in for a set that is nowhere, and say so", async () => {
    const folders = [join(root, "nowhere")];
    const data = await loadDataset("fashion-mnist", { folders, limit: { train: 5, test: 3 }, seed: 4 });
    expect(data).toMatchObject({ name: "generated", height: 28, width: 28 });
    expect(data.source).toMatch(/^drawn from seed 4; fashion-mnist was not found in .*nowhere$/);
    expect([data.train.count, data.test.count]).toEqual([5, 3]);
  });

  test.each([
    ["labels that are too few", { "train-labels-idx1-ubyte": idx([2], ramp(2)) }, /3 images, but 2 labels/],
    [
      "a label that is no class",
      { "train-labels-idx1-ubyte": idx([3], Uint8Array.of(1, 2, 10)) },
      /label 10 of image 2/,
    ],
    ["test images of another size", { "t10k-images-idx3-ubyte": idx([2, 1, 2], ramp(4)) }, /all of one size/],
    ["images without rows", { "train-images-idx3-ubyte.gz": idx([12], ramp(12)) }, /count × height × width/],
  ])("%s are an error", async (name, change, message) => {
    const folders = [await folder(name, change)];
    await expect(loadDataset("fashion-mnist", { folders })).rejects.toThrow(message);
  });

  test("the usual places, in order", () => {
    const env = { OCTOMOTE_DATA: "/data", XDG_CACHE_HOME: "/cache" };
    expect(datasetFolders("fashion-mnist", env)).toEqual([
      "/data/fashion-mnist",
      "/usr/share/datasets/fashion-mnist",
      "/cache/octomote/fashion-mnist",
    ]);
    expect(datasetFolders("x", {})).toHaveLength(2);
  });

  const real = requires("fashion-mnist");
  real.describe("as it is on this machine", () => {
    test("has 60,000 and 10,000 images of ten classes", async () => {
      const data = await loadDataset("fashion-mnist");
      expect(data).toMatchObject({ name: "fashion-mnist", height: 28, width: 28 });
      const counts = (labels: Uint8Array) => {
        const sums = new Array(10).fill(0);
        for (const label of labels) sums[label]++;
        return sums;
      };
      expect(counts(data.train.labels)).toEqual(new Array(10).fill(6000));
      expect(counts(data.test.labels)).toEqual(new Array(10).fill(1000));
      expect([...data.train.labels.slice(0, 10)]).toEqual([9, 0, 0, 3, 0, 2, 7, 2, 5, 5]);
    });
  });
});
