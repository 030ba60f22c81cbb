import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CLIPS, cutClip, frameOf, loadClip, parseBoxes, readClip, sizeInName } from "../../host/data/clip.ts";
import { DataError } from "../../host/data/file.ts";
import { occupiedCells } from "../../host/data/occupancy.ts";
import { readClipOrVideo, readVideo } from "../../host/data/video.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "octomote-clips-"));
});
afterAll(() => rm(root, { recursive: true }));

const ramp = (length: number) => Uint8Array.from({ length }, (_, i) => i);
const put = async (name: string, bytes: Uint8Array) => {
  const path = join(root, name);
  await writeFile(path, bytes);
  return path;
};

describe("raw frames", () => {
  test.each([
    ["door-6x4-gray8.raw", { width: 6, height: 4 }],
    ["door-6x4-gray8.raw.gz", { width: 6, height: 4 }],
    ["a/b/front.door-160x120.gray", { width: 160, height: 120 }],
    ["door.raw", null],
    ["door-6x4.png", null],
  ])("the name %s tells the size %j", (name, size) => expect(sizeInName(name)).toEqual(size));

  test("are read, compressed or not, and cut", async () => {
    const plain = await readClip(await put("door-3x2-gray8.raw", ramp(18)));
    expect(plain).toMatchObject({ name: "door", width: 3, height: 2, count: 3, pixels: ramp(18) });
    const packed = await readClip(await put("door-3x2-gray8.raw.gz", gzipSync(ramp(18))));
    expect(packed.pixels).toEqual(plain.pixels);
    expect([...frameOf(plain, 1)]).toEqual([6, 7, 8, 9, 10, 11]);
    const cut = cutClip({ ...plain, boxes: [[], [{ x: 1, y: 0, w: 1, h: 1 }], []] }, 1, 2);
    expect(cut).toMatchObject({ count: 1, boxes: [[{ x: 1, y: 0, w: 1, h: 1 }]] });
    expect([...cut.pixels]).toEqual([6, 7, 8, 9, 10, 11]);
    expect(() => cutClip(plain, 2, 4)).toThrow(/frames 2 … 3 are not in a clip of 3 frames/);
  });

  test.each([
    [
      "cut-3x2-gray8.raw",
      ramp(17),
      /17 bytes are no whole number of frames of 3×2 \(6 bytes each\): it is cut off within frame 2/,
    ],
    ["none-3x2-gray8.raw", ramp(0), /0 bytes are no whole number of frames/],
    [
      "half-3x2-gray8.raw.gz",
      gzipSync(ramp(600)).subarray(0, 60),
      /cannot be unpacked: unexpected end of file/,
    ],
    [
      "nameless.raw",
      ramp(6),
      /the size of its frames is unknown; name the file like clip-160x120-gray8\.raw/,
    ],
    ["zero-0x2-gray8.raw", ramp(6), /the size of its frames is unknown/],
  ])("%s is an error that says why", async (name, bytes, message) => {
    const path = await put(name, bytes);
    await expect(readClip(path)).rejects.toThrow(DataError);
    await expect(readClip(path)).rejects.toThrow(message);
    await expect(readClip(path)).rejects.toThrow(name);
  });

  test("of another size than is wanted are an error that names both", async () => {
    const path = await put("wrong-3x2-gray8.raw", ramp(6));
    await expect(readClip(path, { width: 2, height: 3 })).rejects.toThrow(
      /its frames are 3×2, but 2×3 are wanted/,
    );
  });
});

describe("clips of the benchmarks", () => {
  test("are found in the first folder that has all of one", async () => {
    const folder = join(root, "pets");
    const empty = join(root, "empty");
    await mkdir(folder, { recursive: true });
    await mkdir(empty, { recursive: true });
    await writeFile(join(folder, "frames-2x2-gray8.raw.gz"), gzipSync(ramp(8)));
    expect(await loadClip("pets", [join(root, "nowhere"), empty, folder])).toBeNull();
    await writeFile(join(folder, CLIPS.pets.boxes), "frame,id,x,y,w,h\n1,9,0.5,0,1,2\n");
    const clip = await loadClip("pets", [empty, folder]);
    expect(clip).toMatchObject({ name: "pets", count: 2, boxes: [[], [{ x: 0.5, y: 0, w: 1, h: 2 }]] });
  });

  test.each([
    ["2,1,0,0,1,1", /line 3: there is no frame 2; the clip has 2/],
    ["1,1,0,0,1", /line 3: "1,1,0,0,1" is not frame,id,x,y,w,h/],
    ["1,1,0,,1,1", /is not frame,id,x,y,w,h/],
    ["1,1,0,0,-1,1", /is not frame,id,x,y,w,h/],
    ["0.5,1,0,0,1,1", /there is no frame 0\.5/],
  ])("boxes with the line %s are an error", (line, message) => {
    expect(() => parseBoxes(`frame,id,x,y,w,h\n0,1,0,0,1,1\n${line}\n`, "boxes.csv", 2)).toThrow(message);
  });
});

describe("video", () => {
  /** Writes what it was called with to standard error, and four frames of 2×1 to standard output. */
  const fake = async (script: string) => {
    const path = await put(
      `ffmpeg-${Math.abs(script.length * 31)}`,
      new TextEncoder().encode(`#!/bin/sh\n${script}\n`),
    );
    await chmod(path, 0o755);
    return path;
  };

  test("is what ffmpeg decodes", async () => {
    const path = await put("walk.mp4", ramp(1));
    const program = await fake("printf 'abcdefgh'");
    const clip = await readClipOrVideo(path, { width: 2, height: 1, program });
    expect(clip).toMatchObject({ name: "walk", width: 2, height: 1, count: 4 });
    expect([...frameOf(clip, 3)]).toEqual([103, 104]);
  });

  test("of nobody's format is an error in ffmpeg's words", async () => {
    const path = await put("walk.mp4", ramp(1));
    const program = await fake("echo 'Invalid data found' >&2; exit 1");
    await expect(readVideo(path, { width: 2, height: 1, program })).rejects.toThrow(
      /walk\.mp4: .*ended with status 1: Invalid data found/,
    );
  });

  test("without ffmpeg is an error that says what would do", async () => {
    const path = await put("walk.mp4", ramp(1));
    await expect(readVideo(path, { width: 2, height: 1, program: "no-such-program" })).rejects.toThrow(
      /install ffmpeg; without it, give raw frames \(clip-2x1-gray8\.raw\)/,
    );
  });

  test("that is not there is an error, and raw frames need no ffmpeg", async () => {
    const program = "no-such-program";
    await expect(readVideo(join(root, "no.mp4"), { width: 2, height: 1, program })).rejects.toThrow(
      /no such file/,
    );
    const path = await put("raw-2x1-gray8.raw", ramp(4));
    expect(await readClipOrVideo(path, { width: 2, height: 1, program })).toMatchObject({ count: 2 });
    await expect(readClipOrVideo(path, { width: 4, height: 1, program })).rejects.toThrow(/are wanted/);
  });
});

describe("occupied cells", () => {
  test.each([
    ["16 of 64 pixels", { x: 8, y: 8, w: 4, h: 4 }, [5]],
    ["a little less", { x: 8, y: 8, w: 4, h: 3.9 }, []],
    ["a box over four cells", { x: 4, y: 4, w: 8, h: 8 }, [0, 1, 4, 5]],
    ["a box that reaches beyond the frame", { x: -20, y: -20, w: 30, h: 26 }, [0]],
    ["a box outside", { x: 40, y: 0, w: 8, h: 8 }, []],
  ])("%s", (_, box, cells) => {
    const occupied = [...occupiedCells([box], 32, 16)].flatMap((one, i) => (one ? [i] : []));
    expect(occupied).toEqual(cells);
  });

  test("are those that counting pixels gives, for boxes on whole pixels", () => {
    const side = fc.integer({ min: 0, max: 40 });
    fc.assert(
      fc.property(fc.array(fc.record({ x: side, y: side, w: side, h: side }), { maxLength: 4 }), (boxes) => {
        const counted = new Uint8Array(5 * 4);
        for (const { x, y, w, h } of boxes) {
          const covered = new Uint8Array(counted.length);
          for (let py = y; py < Math.min(32, y + h); py++) {
            for (let px = x; px < Math.min(40, x + w); px++) covered[(py >> 3) * 5 + (px >> 3)]!++;
          }
          covered.forEach((pixels, i) => {
            if (pixels >= 16) counted[i] = 1;
          });
        }
        expect(occupiedCells(boxes, 40, 32)).toEqual(counted);
      }),
    );
  });
});
