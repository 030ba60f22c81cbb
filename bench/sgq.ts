/**
 * `npm run bench:sgq`: bytes against accuracy on Fashion-MNIST, frames of the real coder with all their bytes: SGQ as reconstructed
 * beside uniform quantisation, product quantisation, the largest values, JPEG, and the image itself. For each point a fresh cloud half
 * is trained on what the decoder gives. Minutes; rows are written as they finish, and a second run goes on from them.
 *
 *     --short          few images and points: seconds, to see that it works
 *     --images N       images of training (20,000), --epochs N over them (2)
 *     --seeds N        of each point (3)
 *     --only PATTERN   only points whose names match
 *     --untouched      tests on training images on which no choice was measured, instead of the test images
 *     --json FILE      writes what docs/benchmarks.md and its plot are made of
 */
import { readFile } from "node:fs/promises";
import { compress, init } from "@bokuweb/zstd-wasm";
import { buildCloudKernels, buildSgq } from "../host/build/modules.ts";
import { type Dataset, loadDataset } from "../host/data/dataset.ts";
import { SgqCodec } from "../host/sgq/codec.ts";
import { type Coder, type FrameBytes, frameBytes, judge, type Samples, type Split } from "./sgq/accuracy.ts";
import { type GrowingResult, runSgqBench, type SgqBudget, testImages } from "./sgq/command.ts";
import { type DeviceHalf, ELEMENTS, featuresOf, PIXELS, trainDeviceHalf } from "./sgq/halves.ts";
import { trainJointly } from "./sgq/joint.ts";
import { loadJpeg } from "./sgq/jpeg.ts";
import { POINTS, type Point, type Tools } from "./sgq/points.ts";
import { ratesTable } from "./sgq/report.ts";

export interface SgqRow {
  seed: number;
  group: Point["group"];
  name: string;
  /** Per sample, frame included: mean and 95th percentile of test samples. */
  bytes: number;
  p95: number;
  /** Mean of frames of eight samples, shared among them, where there are such frames. */
  ofEight?: number;
  /** 0 … 1. */
  validation: number;
  test: number;
}

export type SgqResult = GrowingResult<SgqRow>;

interface Options extends SgqBudget {
  readonly points: readonly Point[];
}

const ZSTD_LEVEL = 19;
/** Weight of an edge in joint training, chosen on the validation split among 0 and 0.001. */
const EDGE = 0.001;
const DEVICE_EPOCHS = 2;

/** What a seed's device halves make of the images. */
class Seed {
  readonly #kernels: BufferSource;
  readonly #dataset: Dataset;
  readonly #options: Options;
  readonly #seed: number;
  #own: Awaited<ReturnType<typeof trainDeviceHalf>> | undefined;
  #frozen: Split | undefined;

  constructor(kernels: BufferSource, dataset: Dataset, options: Options, seed: number) {
    this.#kernels = kernels;
    this.#dataset = dataset;
    this.#options = options;
    this.#seed = seed;
  }

  async #device(): Promise<Awaited<ReturnType<typeof trainDeviceHalf>>> {
    const { images } = this.#options;
    const schedule = { images, epochs: DEVICE_EPOCHS, seed: this.#seed };
    this.#own ??= await trainDeviceHalf(this.#kernels, this.#dataset, schedule);
    return this.#own;
  }

  async frozen(): Promise<Split> {
    this.#frozen ??= this.#split(featuresWith((await this.#device()).half));
    return this.#frozen;
  }

  async joint(): Promise<{ split: Split; threshold: number }> {
    const { images } = this.#options;
    const schedule = { images, epochs: DEVICE_EPOCHS, seed: this.#seed, edge: EDGE };
    const { float } = await this.#device();
    const { half, threshold } = await trainJointly(this.#kernels, this.#dataset, float, schedule);
    return { split: this.#split(featuresWith(half)), threshold };
  }

  pixels(): Split {
    return this.#split((pixels, labels, count) => ({ data: pixels, size: PIXELS, labels, count }));
  }

  #split(make: (pixels: Uint8Array, labels: Uint8Array, count: number) => Samples): Split {
    const { train } = this.#dataset;
    const { images, validation, test: tested } = this.#options;
    const test = testImages(this.#dataset, this.#options);
    const from = train.count - validation;
    return {
      training: make(train.pixels, train.labels, images),
      validation: make(train.pixels.subarray(from * PIXELS), train.labels.subarray(from), validation),
      test: make(test.pixels, test.labels, tested),
    };
  }
}

const featuresWith =
  (half: DeviceHalf) =>
  (pixels: Uint8Array, labels: Uint8Array, count: number): Samples => ({
    data: featuresOf(half, pixels, count),
    size: ELEMENTS,
    labels,
    count,
  });

/** Measures what `result` does not have yet; `keep` is called after every row. */
export async function measureRates(
  result: SgqResult,
  options: Options,
  keep: () => Promise<void>,
): Promise<void> {
  await init();
  const kernels = await readFile(await buildCloudKernels());
  const tools: Tools = {
    kernels,
    codec: await SgqCodec.load(await readFile(await buildSgq())),
    zstd: (bytes) => compress(bytes as Buffer, ZSTD_LEVEL),
    jpeg: await loadJpeg(),
  };
  const dataset = await loadDataset("fashion-mnist");
  result.dataset = dataset.name;
  for (let seed = 1; seed <= options.seeds; seed++) {
    const own = new Seed(kernels, dataset, options, seed);
    for (const point of options.points) {
      if (
        result.rows.some((row) => row.seed === seed && row.name === point.name && row.group === point.group)
      )
        continue;
      const joint = point.joint ? await own.joint() : undefined;
      const split = joint?.split ?? (point.group === "image" ? own.pixels() : await own.frozen());
      const coder = await point.coder(tools, split.training, joint?.threshold ?? 0);
      const measured = await judge(kernels, split, coder, {
        epochs: options.epochs,
        seed,
        ...(point.lost !== undefined && { lost: point.lost }),
      });
      const { validation, test } = measured;
      const add = (name: string, bytes: FrameBytes): void => {
        const row = { seed, group: point.group, name, ...bytes, validation, test };
        result.rows.push(row);
        console.error(
          `seed ${seed}, ${point.group}: ${name}: ${row.bytes.toFixed(1)} B, ${(100 * row.test).toFixed(2)} %`,
        );
      };
      const { bytes, p95, ofEight } = measured;
      add(point.name, { bytes, p95, ...(ofEight !== undefined && { ofEight }) });
      for (const { name, coder: other } of point.also ?? []) {
        const same: Coder = other(tools, split.training);
        add(name, frameBytes(split.test, same));
      }
      await keep();
    }
  }
}

/** What tests run. */
export const SHORT: Options = {
  images: 1024,
  epochs: 1,
  seeds: 1,
  validation: 256,
  test: 256,
  points: POINTS.filter(({ name }) =>
    ["INT8", "1 bit", "8 levels, contexts", "2 bit, within 98 B, planes"].includes(name),
  ),
};

if (process.argv[1] === import.meta.filename) {
  await runSgqBench({
    short: SHORT,
    all: (budget, wanted): Options => ({ ...budget, points: POINTS.filter(({ name }) => wanted(name)) }),
    measure: measureRates,
    table: ratesTable,
  });
}
