// Labelled images by name: found on this machine, or drawn.

import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { DataError } from "./file.ts";
import { drawGlyphs, GLYPH_CLASSES, GLYPH_SIZE } from "./glyphs.ts";
import { type Idx, readIdx } from "./idx.ts";

export { DataError };

export interface Images {
  count: number;
  /** count · height · width bytes, 0 … 255, row by row. */
  pixels: Uint8Array;
  labels: Uint8Array;
}

export type DatasetName = "fashion-mnist" | "generated";

export interface Dataset {
  /** What it is, which may differ from what was asked for: `generated` stands in for a set that was not found. */
  name: DatasetName;
  /** For people: the folder it was read from, or how it was drawn, and why. */
  source: string;
  height: number;
  width: number;
  /** Class names by label. */
  classes: readonly string[];
  train: Images;
  test: Images;
}

export interface DatasetOptions {
  /** How many images to keep, the first ones; all by default. */
  limit?: { train?: number; test?: number };
  /** Seed of drawn sets: 1. */
  seed?: number;
  /** Folders to look in instead of the usual ones (`datasetFolders`). */
  folders?: readonly string[];
}

const FASHION_CLASSES = [
  "T-shirt",
  "trouser",
  "pullover",
  "dress",
  "coat",
  "sandal",
  "shirt",
  "sneaker",
  "bag",
  "ankle boot",
] as const;

/** Images of a drawn set if no limit says otherwise. */
const DRAWN = { train: 10_000, test: 2_000 };

/** Where a set is looked for, in this order. */
export function datasetFolders(set: string, env: NodeJS.ProcessEnv = process.env): string[] {
  const cache = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return [
    ...(env.OCTOMOTE_DATA ? [join(env.OCTOMOTE_DATA, set)] : []),
    join("/usr/share/datasets", set),
    join(cache, "octomote", set),
  ];
}

/**
 * Loads a set. Fashion-MNIST is drawn if no folder has all of it; `name` and `source` of the result say so.
 * @throws DataError if a folder has the set, but a file of it is damaged.
 */
export async function loadDataset(name: DatasetName, options: DatasetOptions = {}): Promise<Dataset> {
  if (name === "generated") return drawDataset(options, "");
  const folders = options.folders ?? datasetFolders(name);
  for (const folder of folders) {
    const files = await idxFiles(folder);
    if (files !== null) return readDataset(folder, files, options);
  }
  return drawDataset(options, `; ${name} was not found in ${folders.join(", ")}`);
}

/** Whether Fashion-MNIST is on this machine. */
export async function hasDataset(name: DatasetName, folders = datasetFolders(name)): Promise<boolean> {
  if (name === "generated") return true;
  for (const folder of folders) if ((await idxFiles(folder)) !== null) return true;
  return false;
}

const PARTS = ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"] as const;

/** The four files of a set, each with or without .gz; null if one is missing. */
async function idxFiles(folder: string): Promise<string[] | null> {
  const found: string[] = [];
  for (const part of PARTS) {
    const plain = join(folder, `${part}-ubyte`);
    if (await exists(plain)) found.push(plain);
    else if (await exists(`${plain}.gz`)) found.push(`${plain}.gz`);
    else return null;
  }
  return found;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readDataset(folder: string, files: string[], options: DatasetOptions): Promise<Dataset> {
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all(files.map(readIdx));
  const [height, width] = (trainImages as Idx).dimensions.slice(1) as [number, number];
  const { train, test } = options.limit ?? {};
  const images = (pixels: Idx, labels: Idx, limit: number | undefined) =>
    pair(folder, pixels, labels, height * width, limit);
  return {
    name: "fashion-mnist",
    source: folder,
    height,
    width,
    classes: FASHION_CLASSES,
    train: images(trainImages as Idx, trainLabels as Idx, train),
    test: images(testImages as Idx, testLabels as Idx, test),
  };
}

function pair(folder: string, pixels: Idx, labels: Idx, stride: number, limit = Infinity): Images {
  const [count = 0, height = 0, width = 0] = pixels.dimensions;
  if (pixels.dimensions.length !== 3 || labels.dimensions.length !== 1 || height * width !== stride) {
    throw new DataError(`${folder}: images must be count × height × width, labels count, all of one size`);
  }
  if (labels.dimensions[0] !== count) {
    throw new DataError(`${folder}: ${count} images, but ${labels.dimensions[0]} labels`);
  }
  const wrong = labels.data.findIndex((label) => label >= FASHION_CLASSES.length);
  if (wrong >= 0) throw new DataError(`${folder}: label ${labels.data[wrong]} of image ${wrong} is no class`);
  const kept = Math.min(count, limit);
  return { count: kept, pixels: pixels.data.slice(0, kept * stride), labels: labels.data.slice(0, kept) };
}

function drawDataset(options: DatasetOptions, why: string): Dataset {
  const seed = options.seed ?? 1;
  const { train = DRAWN.train, test = DRAWN.test } = options.limit ?? {};
  return {
    name: "generated",
    source: `drawn from seed ${seed}${why}`,
    height: GLYPH_SIZE,
    width: GLYPH_SIZE,
    classes: GLYPH_CLASSES,
    // Held-out glyphs come from a seed of their own: no image can be in both parts.
    train: drawGlyphs(train, seed),
    test: drawGlyphs(test, seed ^ 0x5eed7e57),
  };
}
