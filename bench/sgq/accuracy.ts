/** What a cloud half learns from samples that were coded, and how well it then does; bytes of the frames beside it. */
import type { Thresholds } from "../../host/cloud/codebook/levels.ts";
import { asNumbers, asPlanes } from "../../host/cloud/input.ts";
import { Network } from "../../host/cloud/network.ts";
import { accuracy, CLOUD_HALF, PIXELS, SHAPE, SIDE, train, WHOLE } from "./halves.ts";

/** Images of a set, or what the device half makes of them: int8 or bytes, `size` each. */
export interface Samples {
  readonly data: Int8Array | Uint8Array;
  readonly size: number;
  readonly labels: Uint8Array;
  readonly count: number;
}

/** One way to bring samples to the cloud. */
export interface Coder {
  /** What the cloud gets: as many values as the sample has. */
  decoded(x: Int8Array | Uint8Array): ArrayLike<number>;
  /** The cloud half sees features as planes at these thresholds, not as numbers. */
  readonly planes?: Thresholds;
  /** Bytes of the sample's frame, everything included. */
  bytes(x: Int8Array | Uint8Array, sequence: number): number;
  /** Bytes of one frame of several samples, where there is such a thing. */
  together?(samples: readonly (Int8Array | Uint8Array)[], sequence: number): number;
}

export interface Split {
  readonly training: Samples;
  readonly validation: Samples;
  readonly test: Samples;
}

/** Per sample, frame included; test samples. */
export interface FrameBytes {
  /** Mean and 95th percentile of frames of one sample. */
  readonly bytes: number;
  readonly p95: number;
  /** Mean of frames of eight samples, shared among them. */
  readonly ofEight?: number;
}

export interface Outcome extends FrameBytes {
  /** 0 … 1. */
  readonly validation: number;
  readonly test: number;
}

/** Test samples whose frames are made. */
const FRAMES = 1000;
/** Samples that share a frame where they do. */
const BATCH = 8;
const INPUT_UNIT = { features: 1 / 32, pixels: 1 / 255 };

export const sampleOf = ({ data, size }: Samples, i: number): Int8Array | Uint8Array =>
  data.subarray(i * size, (i + 1) * size);

/** All samples as they come out of the decoder. */
function decodeAll(samples: Samples, coder: Coder): Float32Array {
  const { size, count } = samples;
  const all = new Float32Array(count * size);
  for (let i = 0; i < count; i++) all.set(coder.decoded(sampleOf(samples, i)), i * size);
  return all;
}

/** A fresh cloud half (for pixels: the whole network), trained on decoded samples and asked about decoded ones. */
export async function judge(
  kernels: BufferSource,
  { training, validation, test }: Split,
  coder: Coder,
  { epochs, seed, lost = 0 }: { epochs: number; seed: number; lost?: number },
): Promise<Outcome> {
  const whole = training.size === PIXELS;
  const unit = whole ? INPUT_UNIT.pixels : INPUT_UNIT.features;
  const shape = whole ? ([SIDE, SIDE, 1] as const) : SHAPE;
  const input = coder.planes ? asPlanes(shape, coder.planes) : asNumbers(shape, unit);
  const network = await Network.create(kernels, {
    input: input.shape,
    layers: whole ? WHOLE : CLOUD_HALF,
    seed: seed + 100,
  });
  const put =
    (all: Float32Array) =>
    (i: number, slot: Float32Array): void =>
      input.put(all.subarray(i * training.size, (i + 1) * training.size), slot);
  // frames that were lost teach nothing: the others are looked at as often as they would be
  const images = Math.floor(training.count * (1 - lost));
  train(network, { images, epochs, seed }, training.labels, put(decodeAll(training, coder)));
  const share = (samples: Samples): number =>
    accuracy(network, [0, samples.count], samples.labels, put(decodeAll(samples, coder)));
  return {
    ...frameBytes(test, coder),
    validation: share(validation),
    test: share(test),
  };
}

/** Bytes per sample of the frames of the first samples: one in each, and as many as go together. */
export function frameBytes(samples: Samples, coder: Coder): FrameBytes {
  const count = Math.min(FRAMES, samples.count);
  return frameLengths(
    Array.from({ length: count }, (_, i) => sampleOf(samples, i)),
    coder,
  );
}

export function frameLengths(
  samples: readonly (Int8Array | Uint8Array)[],
  { bytes, together }: Pick<Coder, "bytes" | "together">,
): FrameBytes {
  const count = samples.length;
  const lengths = samples.map((x, i) => bytes(x, i)).sort((a, b) => a - b);
  const shared: number[] = [];
  if (together) for (let i = 0; i < count; i += BATCH) shared.push(together(samples.slice(i, i + BATCH), i));
  const sum = (all: readonly number[]): number => all.reduce((total, length) => total + length, 0);
  return {
    bytes: sum(lengths) / count,
    p95: lengths[Math.floor(0.95 * (count - 1))] as number,
    ...(together && { ofEight: sum(shared) / count }),
  };
}
