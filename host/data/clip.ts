// Clips: frames of one size, 8-bit grey, one after the other. They come from raw files whose names tell the size
// (`door-160x120-gray8.raw`, also .gz), from the folders of data sets, or drawn (scene.ts), or decoded (video.ts).

import { access, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { datasetFolders } from "./dataset.ts";
import { DataError, readUnpacked } from "./file.ts";

/** What stands where, in pixels of the frame: top left corner, width, height; may be fractional and reach beyond it. */
export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
  /** What it is, where somebody said. */
  kind?: string;
}

export interface Clip {
  name: string;
  /** For people: the file it was read from, or how it was drawn. */
  source: string;
  height: number;
  width: number;
  /** Number of frames. */
  count: number;
  /** count · height · width bytes, 0 … 255, row by row. */
  pixels: Uint8Array;
  /** Boxes of each frame, where somebody has drawn them. */
  boxes?: readonly (readonly Box[])[];
}

/** Clips of the benchmarks: set (a folder of `datasetFolders`) and the stem of its file. */
export const CLIPS = {
  pets: { set: "pets2009-s2l1", stem: "frames", boxes: "boxes.csv" },
  bottle: { set: "intel-sample-videos", stem: "bottle" },
  car: { set: "intel-sample-videos", stem: "car" },
} as const satisfies Record<string, { set: string; stem: string; boxes?: string }>;

export type ClipName = keyof typeof CLIPS;

/** Frame i of a clip, in place. */
export function frameOf(clip: Clip, i: number): Uint8Array {
  const bytes = clip.height * clip.width;
  return clip.pixels.subarray(i * bytes, (i + 1) * bytes);
}

/** Frames first … end − 1 of a clip, in place. @throws RangeError if it has not so many */
export function cutClip(clip: Clip, first: number, end: number): Clip {
  if (first < 0 || end > clip.count || first >= end) {
    throw new RangeError(
      `${clip.name}: frames ${first} … ${end - 1} are not in a clip of ${clip.count} frames`,
    );
  }
  const bytes = clip.height * clip.width;
  return {
    ...clip,
    count: end - first,
    pixels: clip.pixels.subarray(first * bytes, end * bytes),
    ...(clip.boxes && { boxes: clip.boxes.slice(first, end) }),
  };
}

/** The size that a raw file's name tells: `…-160x120-gray8.raw`, also with .gz. */
export function sizeInName(path: string): { width: number; height: number } | null {
  const found = /(\d+)x(\d+)(?:-gr[ae]y8?)?\.(?:raw|gray)(?:\.gz)?$/i.exec(basename(path));
  return found === null ? null : { width: Number(found[1]), height: Number(found[2]) };
}

/** Whether a file's name says that it is of raw frames. */
export const isRawName = (path: string): boolean => /\.(raw|gray)(\.gz)?$/i.test(path);

/**
 * Reads a file of raw frames, compressed or not.
 * @param size where the name does not tell it, or to insist on it
 * @throws DataError if the size is unknown, or the file holds no whole number of frames
 */
export async function readClip(path: string, size?: { width: number; height: number }): Promise<Clip> {
  const named = sizeInName(path);
  if (size !== undefined && named !== null && (size.width !== named.width || size.height !== named.height)) {
    throw new DataError(
      `${path}: its frames are ${named.width}×${named.height}, but ${size.width}×${size.height} are wanted`,
    );
  }
  const known = size ?? named;
  if (known === null || known.width < 1 || known.height < 1) {
    throw new DataError(
      `${path}: the size of its frames is unknown; name the file like clip-160x120-gray8.raw`,
    );
  }
  const pixels = await readUnpacked(path);
  const name = basename(path).replace(/[.-](\d+x\d+.*)?$|\.raw.*$/, "");
  return { name, source: path, ...known, ...checkFrames(path, pixels, known) };
}

/** @throws DataError if the bytes are no whole number of frames */
export function checkFrames(
  name: string,
  pixels: Uint8Array,
  { width, height }: { width: number; height: number },
): { count: number; pixels: Uint8Array } {
  const bytes = width * height;
  const count = Math.floor(pixels.length / bytes);
  if (count === 0 || count * bytes !== pixels.length) {
    throw new DataError(
      `${name}: ${pixels.length} bytes are no whole number of frames of ${width}×${height} (${bytes} bytes each): ` +
        `it is cut off within frame ${count}, or its frames have another size`,
    );
  }
  return { count, pixels };
}

/**
 * A clip of the benchmarks; null if no folder has it.
 * @throws DataError if one has it, but damaged
 */
export async function loadClip(name: ClipName, folders?: readonly string[]): Promise<Clip | null> {
  const { set, stem, ...more } = CLIPS[name] as { set: string; stem: string; boxes?: string };
  for (const folder of folders ?? datasetFolders(set)) {
    const files = await readdir(folder).catch(() => []);
    const file = files.find((one) => one.startsWith(`${stem}-`) && sizeInName(one) !== null);
    if (file === undefined) continue;
    const clip = { ...(await readClip(join(folder, file))), name };
    if (more.boxes === undefined) return clip;
    const path = join(folder, more.boxes);
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (!there) continue;
    const text = new TextDecoder().decode(await readUnpacked(path));
    return { ...clip, boxes: parseBoxes(text, path, clip.count) };
  }
  return null;
}

/**
 * Boxes by frame from lines of `frame,id,x,y,w,h` below a heading.
 * @throws DataError at the first line that is none, or that names a frame beyond `count`
 */
export function parseBoxes(text: string, name: string, count: number): Box[][] {
  const boxes: Box[][] = Array.from({ length: count }, () => []);
  const lines = text.split(/\r?\n/);
  for (const [i, line] of lines.entries()) {
    if (i === 0 || line === "") continue;
    const values = line.split(",").map((field) => (field.trim() === "" ? Number.NaN : Number(field)));
    const [frame, , x, y, w, h] = values as [number, number, number, number, number, number];
    if (values.length !== 6 || !values.every(Number.isFinite) || w < 0 || h < 0) {
      throw new DataError(`${name}, line ${i + 1}: "${line}" is not frame,id,x,y,w,h`);
    }
    const at = boxes[frame];
    if (at === undefined) {
      throw new DataError(`${name}, line ${i + 1}: there is no frame ${frame}; the clip has ${count}`);
    }
    at.push({ x, y, w, h });
  }
  return boxes;
}
