// Real videos through the real ffmpeg: a drawn scene, encoded, is read back frame by frame.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Clip, frameOf } from "../../host/data/clip.ts";
import { drawScene } from "../../host/data/scene.ts";
import { readClipOrVideo, readVideo } from "../../host/data/video.ts";
import { requires } from "../support/requirements.ts";

const SIZE = { width: 96, height: 72 };

requires("ffmpeg").describe("a video", () => {
  let folder: string;
  let scene: Clip;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "octomote-video-"));
    scene = drawScene({ ...SIZE, scenario: "street", seed: 3, frames: 24, noise: 1 });
    await writeFile(join(folder, "scene.raw"), scene.pixels);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** The scene as a video file; `options` name its codec. */
  function encode(name: string, ...options: string[]): string {
    const path = join(folder, name);
    const raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", `${SIZE.width}x${SIZE.height}`, "-r", "10"];
    const made = spawnSync(
      "ffmpeg",
      ["-nostdin", "-v", "error", "-y", ...raw, "-i", join(folder, "scene.raw"), ...options, path],
      { encoding: "utf8" },
    );
    expect(made.stderr).toBe("");
    expect(made.status).toBe(0);
    return path;
  }

  test("without loss is the very frames", async () => {
    const clip = await readClipOrVideo(encode("street.mkv", "-c:v", "ffv1", "-pix_fmt", "gray"), SIZE);
    expect(clip).toMatchObject({ name: "street", ...SIZE, count: scene.count });
    expect(Buffer.from(clip.pixels).equals(scene.pixels)).toBe(true);
  });

  test("with loss is nearly the frames, in their order", async () => {
    const clip = await readVideo(encode("street.mp4", "-c:v", "mpeg4", "-q:v", "2"), SIZE);
    expect(clip.count).toBe(scene.count);
    const distance = (a: Uint8Array, b: Uint8Array) =>
      a.reduce((sum, pixel, i) => sum + Math.abs(pixel - b[i]!), 0) / a.length;
    for (let i = 0; i < clip.count; i++)
      expect(distance(frameOf(clip, i), frameOf(scene, i))).toBeLessThan(4);
  });

  test("of another size is scaled, and cut after as many frames as are wanted", async () => {
    const large = encode(
      "large.mkv",
      "-vf",
      "scale=192:144:flags=neighbor",
      "-c:v",
      "ffv1",
      "-pix_fmt",
      "gray",
    );
    const clip = await readVideo(large, { ...SIZE, frames: 5 });
    expect(clip.count).toBe(5);
    // the mean of four equal pixels
    expect(Buffer.from(clip.pixels).equals(scene.pixels.subarray(0, clip.pixels.length))).toBe(true);
  });

  test("that is none is an error in ffmpeg's words", async () => {
    const path = join(folder, "noise.mp4");
    await writeFile(path, scene.pixels.subarray(0, 5000));
    await expect(readVideo(path, SIZE)).rejects.toThrow(
      /noise\.mp4: ffmpeg ended with status \d+: .*Invalid data/s,
    );
  });
});
