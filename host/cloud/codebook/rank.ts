// Which channels to keep when not all can be sent: those that a cloud half misses most, for the bytes that they take.

import { Random } from "../../data/random.ts";
import { asPlanes, type FeatureInput } from "../input.ts";
import type { LayerSpec } from "../layers.ts";
import { Network } from "../network.ts";
import type { Thresholds } from "./levels.ts";
import { type CodebookTools, meanBytes, type Shape, sketchCodebook } from "./train.ts";
import { examine, practise, type Trial } from "./trial.ts";

export interface RankOptions {
  /** cloud.wasm. */
  readonly kernels: BufferSource;
  readonly shape: Shape;
  /** The cloud half. */
  readonly layers: readonly LayerSpec[];
  /** What is sent of each channel that is kept; none: it is not sent anyway. */
  readonly thresholds: Thresholds;
  /** Batches that the cloud half learns from. */
  readonly steps: number;
  /** The last so many examples are what channels are missed on; nothing learns from them. */
  readonly judged: number;
}

export interface RankedExamples {
  readonly count: number;
  readonly labels: ArrayLike<number>;
  /** int8 [h, w, c]. */
  features(i: number): Int8Array;
}

/** Of a training sample each channel is kept with a probability between these: every choice of channels is to be coped with. */
const KEPT = [0.3, 0.8] as const;
/** Nats that any channel counts as missed by: what is missed by nothing goes by its bytes. */
const LEAST = 0.002;
/** Samples that bytes are seen from: a codebook of the first, frames of the others. */
const SKETCHED = 400;
/** Bytes of a frame without channels. */
const FRAME = 5;

/**
 * Channels, the one to keep longest first. One cloud half learns from samples that lack channels at random; then channels are taken
 * away one by one, always the one whose loss costs least cross-entropy for a byte. Channels without thresholds come last.
 */
export async function rankChannels(
  tools: CodebookTools,
  examples: RankedExamples,
  options: RankOptions,
): Promise<number[]> {
  const { thresholds } = options;
  const sent = [...thresholds.keys()].filter((channel) => thresholds[channel]?.length);
  const silent = [...thresholds.keys()].filter((channel) => !thresholds[channel]?.length);
  if (sent.length < 2) return [...sent, ...silent];
  const bytes = bytesOfEach(tools, examples, options, sent);
  const network = await Gated.create(examples, options);
  await network.learn();
  const kept = new Set(sent);
  const gone: number[] = [];
  let loss = await network.loss(kept);
  while (kept.size > 1) {
    let best = { channel: -1, score: Number.POSITIVE_INFINITY, loss };
    for (const channel of kept) {
      const without = await network.loss(new Set([...kept].filter((other) => other !== channel)));
      const score = (without - loss + LEAST) / (bytes.get(channel) as number);
      if (score < best.score) best = { channel, score, loss: without };
    }
    kept.delete(best.channel);
    gone.unshift(best.channel);
    loss = best.loss;
  }
  return [...kept, ...gone, ...silent];
}

/** Bytes of frames with one channel alone, in the usual contexts. */
function bytesOfEach(
  tools: CodebookTools,
  examples: RankedExamples,
  { shape, thresholds }: RankOptions,
  sent: readonly number[],
): Map<number, number> {
  const seen = Array.from({ length: Math.min(SKETCHED, examples.count) }, (_, i) => examples.features(i));
  const half = seen.length >> 1;
  return new Map(
    sent.map((channel) => {
      const alone = thresholds.map((own, k) => (k === channel ? own : []));
      const book = sketchCodebook(tools, seen.slice(0, half), {
        model: 1,
        version: 1,
        shape,
        thresholds: alone,
      });
      return [channel, Math.max(0.1, meanBytes(tools.codec, book, seen.slice(half)) - FRAME)];
    }),
  );
}

/** A cloud half that sees planes of some channels only. */
class Gated {
  readonly #network: Network;
  readonly #input: FeatureInput;
  readonly #examples: RankedExamples;
  readonly #options: RankOptions;
  readonly #random = new Random(1, 0x9a7e);

  private constructor(network: Network, input: FeatureInput, examples: RankedExamples, options: RankOptions) {
    this.#network = network;
    this.#input = input;
    this.#examples = examples;
    this.#options = options;
  }

  static async create(examples: RankedExamples, options: RankOptions): Promise<Gated> {
    const { kernels, shape, thresholds, layers } = options;
    const input = asPlanes(shape, thresholds);
    return new Gated(await Network.create(kernels, { input: input.shape, layers }), input, examples, options);
  }

  /** From all examples but those that are judged. */
  async learn(): Promise<void> {
    const { steps, judged } = this.#options;
    const chance = (share: number): boolean => this.#random.below(256) < 256 * share;
    const [least, most] = KEPT;
    await practise(
      this.#trial(0, this.#examples.count - judged, () => {
        const share = least + ((most - least) * this.#random.below(256)) / 256;
        return this.#open(() => chance(share));
      }),
      steps,
    );
  }

  /** Mean cross-entropy of the judged examples in nats, when only these channels are there. */
  async loss(kept: ReadonlySet<number>): Promise<number> {
    const { judged } = this.#options;
    const open = this.#open((channel) => kept.has(channel));
    return (await examine(this.#trial(this.#examples.count - judged, judged, () => open))).loss;
  }

  /** @param gates what an example is seen through */
  #trial(from: number, count: number, gates: () => Uint8Array): Trial {
    const put = (k: number, sample: Float32Array): number => {
      this.#input.put(this.#examples.features(from + k), sample);
      const open = gates();
      for (let at = 0; at < sample.length; at += open.length)
        for (let plane = 0; plane < open.length; plane++) if (open[plane] === 0) sample[at + plane] = 0;
      return this.#examples.labels[from + k] as number;
    };
    return { network: this.#network, count, put };
  }

  /** 1 or 0 for each plane, as its channel is asked about, once. */
  #open(isOpen: (channel: number) => boolean): Uint8Array {
    return Uint8Array.from(
      this.#options.thresholds.flatMap((own, channel) => {
        const gate = isOpen(channel) ? 1 : 0;
        return own.map(() => gate);
      }),
    );
  }
}
