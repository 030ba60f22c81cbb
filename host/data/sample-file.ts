// Sample files (docs/protocol.md): what a virtual device's sensor plays, in order and over again.

import { readFile, writeFile } from "node:fs/promises";
import type { Clip } from "./clip.ts";
import type { Dataset } from "./dataset.ts";
import { DataError } from "./file.ts";
import { permutation } from "./random.ts";

const MAGIC = 0x46534d4f;
const VERSION = 1;
const HEADER_BYTES = 32;
const SAMPLE_HEADER_BYTES = 4;
/** The label of a sample that has none. */
const UNLABELLED = 255;

export interface SampleFileOptions {
  /** Training images to play; all by default. */
  train?: number;
  /** Test images that may be held out; all by default, 0 for none. */
  test?: number;
  /** Seed of the order; each device has its own. Without it, the order is the data set's. */
  seed?: number;
  /** Every Nth sample is a held-out test image: 5. At least 2. */
  heldOutEvery?: number;
}

export interface SampleFileSummary {
  count: number;
  heldOut: number;
  bytes: number;
}

/**
 * The bytes of a sample file: training images in the seed's order, every Nth sample a test image, flagged as held out.
 * Test images start over when there are fewer than places. A pixel p, 0 … 255, becomes p >> 1.
 */
export function encodeSamples(dataset: Dataset, options: SampleFileOptions = {}): Uint8Array {
  const { train, test, height, width, classes } = dataset;
  const { heldOutEvery = 5, seed } = options;
  const trainCount = Math.min(options.train ?? train.count, train.count);
  const testCount = Math.min(options.test ?? test.count, test.count);
  if (!Number.isInteger(heldOutEvery) || heldOutEvery < 2) {
    throw new RangeError(`heldOutEvery is ${heldOutEvery}: must be an integer of at least 2`);
  }
  if (trainCount <= 0) throw new RangeError("a sample file needs at least one training image");
  const heldOut = testCount > 0 ? Math.floor(trainCount / (heldOutEvery - 1)) : 0;
  const size = height * width;
  const stride = SAMPLE_HEADER_BYTES + ((size + 3) & ~3);
  const count = trainCount + heldOut;
  const bytes = new Uint8Array(HEADER_BYTES + count * stride);
  writeHeader(bytes, { count, height, width, channels: 1, classes: classes.length, stride });

  const order = (n: number, stream: number) => (seed === undefined ? null : permutation(n, seed, stream));
  const trainOrder = order(trainCount, 1);
  const testOrder = order(testCount, 2);
  let nextTrain = 0;
  let nextTest = 0;
  for (let i = 0; i < count; i++) {
    const held = heldOut > 0 && i % heldOutEvery === heldOutEvery - 1;
    const images = held ? test : train;
    const place = held ? nextTest++ % testCount : nextTrain++;
    const from = (held ? testOrder : trainOrder)?.[place] ?? place;
    const at = HEADER_BYTES + i * stride;
    bytes[at] = images.labels[from] as number;
    bytes[at + 1] = held ? 1 : 0;
    for (let k = 0; k < size; k++) {
      bytes[at + SAMPLE_HEADER_BYTES + k] = (images.pixels[from * size + k] as number) >> 1;
    }
  }
  return bytes;
}

/**
 * The bytes of a sample file with all training images, then all test images, flagged as held out, each in the set's order. A pixel p
 * becomes p >> 1.
 * @param channels bytes of a pixel
 */
export function encodeParts(dataset: Dataset, channels = 1): Uint8Array<ArrayBuffer> {
  const { train, test, height, width, classes } = dataset;
  const size = height * width * channels;
  const stride = SAMPLE_HEADER_BYTES + ((size + 3) & ~3);
  const count = train.count + test.count;
  const bytes = new Uint8Array(HEADER_BYTES + count * stride);
  writeHeader(bytes, { count, height, width, channels, classes: classes.length, stride });
  let at = HEADER_BYTES;
  for (const images of [train, test]) {
    for (let i = 0; i < images.count; i++, at += stride) {
      bytes[at] = images.labels[i] as number;
      bytes[at + 1] = images === test ? 1 : 0;
      for (let k = 0; k < size; k++)
        bytes[at + SAMPLE_HEADER_BYTES + k] = (images.pixels[i * size + k] as number) >> 1;
    }
  }
  return bytes;
}

/** What frames are examples of. */
export interface FrameLabels {
  /** At most 255. */
  classes: number;
  of(i: number): { label: number; heldOut: boolean };
}

/**
 * The bytes of a sample file that plays a clip: a pixel p becomes p − 128.
 * @param perSecond frames per second at most; 0: as fast as the device can
 * @param labels without them frames have none
 */
export function encodeFrames(clip: Clip, perSecond = 0, labels?: FrameLabels | null): Uint8Array {
  const { count, height, width, pixels } = clip;
  const size = height * width;
  const stride = SAMPLE_HEADER_BYTES + ((size + 3) & ~3);
  const bytes = new Uint8Array(HEADER_BYTES + count * stride);
  const classes = labels?.classes ?? 0;
  writeHeader(bytes, { count, height, width, channels: 1, classes, stride, perSecond });
  for (let i = 0; i < count; i++) {
    const at = HEADER_BYTES + i * stride;
    const { label, heldOut } = labels?.of(i) ?? { label: UNLABELLED, heldOut: false };
    bytes[at] = label;
    bytes[at + 1] = heldOut ? 1 : 0;
    for (let k = 0; k < size; k++) {
      bytes[at + SAMPLE_HEADER_BYTES + k] = (pixels[i * size + k] as number) - 128;
    }
  }
  return bytes;
}

/** Writes a sample file; its options are those of `encodeSamples`. */
export async function writeSampleFile(
  path: string,
  dataset: Dataset,
  options: SampleFileOptions = {},
): Promise<SampleFileSummary> {
  const bytes = encodeSamples(dataset, options);
  await writeFile(path, bytes);
  const samples = parseSamples(bytes, path);
  let heldOut = 0;
  for (let i = 0; i < samples.count; i++) if (samples.at(i).heldOut) heldOut++;
  return { count: samples.count, heldOut, bytes: bytes.length };
}

interface Layout {
  count: number;
  height: number;
  width: number;
  channels: number;
  classes: number;
  stride: number;
  perSecond?: number;
}

function writeHeader(bytes: Uint8Array, layout: Layout): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint32(8, layout.count, true);
  view.setUint16(12, layout.height, true);
  view.setUint16(14, layout.width, true);
  view.setUint16(16, layout.channels, true);
  view.setUint16(18, layout.classes, true);
  view.setUint32(20, layout.stride, true);
  view.setUint32(24, layout.perSecond ?? 0, true);
}

/** A frame as a module's sensor gives it. */
export interface SensorSample {
  /** int8, h · w · c; a view into the file's bytes. */
  data: Int8Array;
  h: number;
  w: number;
  c: number;
  /** −1: none. */
  label: number;
  heldOut: boolean;
}

export interface Samples {
  readonly count: number;
  readonly classes: number;
  /** The greatest rate at which they are meant to be played, per second; 0: as fast as it goes. */
  readonly perSecond: number;
  /** Sample i, 0 … count − 1. */
  at(i: number): SensorSample;
}

/** @throws DataError that says what is wrong with the file. */
export function parseSamples(bytes: Uint8Array, name: string): Samples {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < HEADER_BYTES || view.getUint32(0, true) !== MAGIC) {
    throw new DataError(`${name}: not a sample file`);
  }
  const version = view.getUint16(4, true);
  if (version !== VERSION)
    throw new DataError(`${name}: version ${version}, but this release reads ${VERSION}`);
  const count = view.getUint32(8, true);
  const h = view.getUint16(12, true);
  const w = view.getUint16(14, true);
  const c = view.getUint16(16, true);
  const stride = view.getUint32(20, true);
  const size = h * w * c;
  if (count === 0 || size === 0) throw new DataError(`${name}: no samples`);
  if (stride < SAMPLE_HEADER_BYTES + size || stride % 4 !== 0) {
    throw new DataError(`${name}: a stride of ${stride} bytes does not hold ${h}×${w}×${c}`);
  }
  const needed = HEADER_BYTES + count * stride;
  if (bytes.length < needed)
    throw new DataError(`${name}: ${bytes.length} bytes, but ${count} samples need ${needed}`);
  return {
    count,
    classes: view.getUint16(18, true),
    perSecond: view.getUint32(24, true),
    at(i) {
      if (!Number.isInteger(i) || i < 0 || i >= count)
        throw new RangeError(`${name}: no sample ${i} of ${count}`);
      const start = HEADER_BYTES + i * stride;
      const label = bytes[start] as number;
      return {
        data: new Int8Array(bytes.buffer, bytes.byteOffset + start + SAMPLE_HEADER_BYTES, size),
        h,
        w,
        c,
        label: label === UNLABELLED ? -1 : label,
        heldOut: ((bytes[start + 1] as number) & 1) !== 0,
      };
    },
  };
}

/** Reads a sample file. */
export async function readSampleFile(path: string): Promise<Samples> {
  return parseSamples(await readFile(path), path);
}

/** A copy of a sample file that is played as fast as it goes. */
export function unhurried(file: Uint8Array): Uint8Array {
  const copy = new Uint8Array(file);
  if (copy.length >= HEADER_BYTES) new DataView(copy.buffer).setUint32(24, 0, true);
  return copy;
}
