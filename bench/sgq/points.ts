/** Every point of the rate–accuracy bench: what is sent, and what it is coded with. */
import { centroids } from "../../host/cloud/codebook/levels.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { type Coder, type Samples, sampleOf } from "./accuracy.ts";
import { channelsWithin, coderOf, contextBook, sharedBook, stripeBook, uniformThresholds } from "./forms.ts";
import { asJpeg, asPng, compressed, lowBits, lowBitsSeen } from "./images.ts";
import type { Jpeg } from "./jpeg.ts";
import { jpegTiles, packed, plain, product, topK } from "./rivals.ts";

export interface Tools {
  /** cloud.wasm. */
  readonly kernels: BufferSource;
  readonly codec: SgqCodec;
  readonly zstd: (bytes: Uint8Array) => Uint8Array;
  readonly jpeg: Jpeg;
}

export interface Point {
  readonly group: "INT8" | "SGQ" | "uniform" | "rivals" | "image";
  readonly name: string;
  /** The names of further rows with the same values and other bytes. */
  readonly also?: readonly { readonly name: string; coder(tools: Tools, training: Samples): Coder }[];
  /** Share of the frames that are lost in training. */
  readonly lost?: number;
  /** Needs the device half that was trained jointly; its threshold is given. */
  readonly joint?: boolean;
  coder(tools: Tools, training: Samples, threshold: number): Coder | Promise<Coder>;
}

/** Bytes of tables: what a device keeps in flash or RAM. */
const TABLES = 8192;
/**
 * Chosen on the validation split: with 20,000 images and 2 epochs among 8, 11, 15 and 20, one seed; `low` with 55,000 and 5 among 1, 2, 3, 4, 6 and
 * 8, three seeds, the best three of them with six.
 */
const THRESHOLD = { usual: 8, low: 2 };
/** Of two bits neither is better on the validation split: `coarse` costs fewer bytes. */
const LEVELS = { 2: [4, 12, 36], coarse: [5, 16, 48], 3: [2, 5, 9, 15, 24, 38, 60] } as const;

const all = (thresholds: readonly number[]): number[][] => Array.from({ length: 16 }, () => [...thresholds]);

type SomeCoder = (tools: Tools, training: Samples, threshold: number) => Coder;

const contexts = (thresholds: (training: Samples, joint: number) => number[][], tables = TABLES) => {
  return ({ codec }: Tools, training: Samples, joint: number): Coder =>
    coderOf(codec, contextBook(codec, training, thresholds(training, joint), tables));
};

const uniform = (bits: number): Point => ({
  group: "uniform",
  name: `${bits} bit, zstd`,
  coder({ zstd }, training) {
    const thresholds = uniformThresholds(training, bits);
    const some = Array.from(
      { length: Math.min(500, training.count) },
      (_, i) => sampleOf(training, i) as Int8Array,
    );
    return packed(thresholds, centroids(some, thresholds, bits), bits, zstd);
  },
  also: [
    {
      name: `${bits} bit, contexts`,
      coder: (tools, training) => contexts((t) => uniformThresholds(t, bits))(tools, training, 0),
    },
  ],
});

/** The cloud half sees planes at these thresholds of every channel. */
const asSeen =
  (coder: SomeCoder, thresholds: readonly number[]): SomeCoder =>
  (...given) => ({ ...coder(...given), planes: all(thresholds) });

const ONE_BIT = contexts(() => all([THRESHOLD.usual]));

export const POINTS: readonly Point[] = [
  {
    group: "INT8",
    name: "INT8",
    coder: () => plain(),
    also: [{ name: "INT8, zstd", coder: ({ zstd }) => plain(zstd) }],
  },
  { group: "INT8", name: "INT8, planes of 3 bits", coder: asSeen(() => plain(), LEVELS[3]) },
  { group: "SGQ", name: "1 bit", coder: ONE_BIT },
  { group: "SGQ", name: "1 bit, low", coder: contexts(() => all([THRESHOLD.low])) },
  {
    group: "SGQ",
    name: "1 bit, joint",
    joint: true,
    coder: contexts((_, joint) => all([joint])),
  },
  {
    group: "image",
    name: "8 levels, contexts",
    coder: ({ codec }, training) => lowBits(codec, training, 3, TABLES),
  },
  {
    group: "image",
    name: "8 levels, contexts, planes",
    coder: ({ codec }, training) => lowBitsSeen(codec, training, 3, TABLES),
  },
  ...[98, 196].map(
    (bytes): Point => ({
      group: "SGQ",
      name: `2 bit, within ${bytes} B, planes`,
      coder: ({ codec, kernels }, training) =>
        channelsWithin(codec, kernels, training, { levels: LEVELS[2], bytes, tableBytes: TABLES }),
    }),
  ),
  {
    group: "SGQ",
    name: "2 bit, planes",
    coder: asSeen(
      contexts(() => all(LEVELS[2])),
      LEVELS[2],
    ),
  },
  { group: "SGQ", name: "2 bit", coder: contexts(() => all(LEVELS[2])) },
  { group: "SGQ", name: "2 bit, coarse", coder: contexts(() => all(LEVELS.coarse)) },
  { group: "SGQ", name: "3 bit", coder: contexts(() => all(LEVELS[3])) },
  {
    group: "image",
    name: "PNG",
    coder: () => asPng,
    also: [{ name: "zstd", coder: ({ zstd }) => compressed(zstd) }],
  },
  {
    group: "image",
    name: "4 levels, contexts",
    coder: ({ codec }, training) => lowBits(codec, training, 2, TABLES),
  },
  uniform(4),
  uniform(2),
  uniform(1),
  {
    group: "SGQ",
    name: "R1, 4 channels, 2 bit",
    coder: ({ codec }, training) =>
      coderOf(codec, sharedBook(codec, training, { group: 4, bits: 2, tableBytes: TABLES })),
  },
  {
    group: "SGQ",
    name: "R2, 4 channels, 16 entries",
    coder: ({ codec }, training) =>
      coderOf(codec, stripeBook(codec, training, { group: 4, bits: 4, stripe: 1 })),
  },
  {
    group: "SGQ",
    name: "R2, 8 channels × 2 × 2, 64 entries",
    coder: ({ codec }, training) =>
      coderOf(codec, stripeBook(codec, training, { group: 8, bits: 6, stripe: 2 })),
  },
  ...[5, 10, 15, 20].map(
    (share): Point => ({
      group: "SGQ",
      name: `1 bit, ${share} % of frames lost`,
      lost: share / 100,
      coder: ONE_BIT,
    }),
  ),
  {
    group: "rivals",
    name: "product quantisation, 4 channels, 16 entries",
    coder: (_, training) => product(training, 4, 4),
  },
  {
    group: "rivals",
    name: "product quantisation, 16 channels, 16 entries",
    coder: (_, training) => product(training, 16, 4),
  },
  { group: "rivals", name: "largest 5 %", coder: ({ zstd }) => topK(0.05, zstd) },
  { group: "rivals", name: "largest 2 %", coder: ({ zstd }) => topK(0.02, zstd) },
  { group: "rivals", name: "JPEG of tiles, q50", coder: ({ jpeg }) => jpegTiles(jpeg, 50) },
  { group: "image", name: "JPEG q30", coder: ({ jpeg }) => asJpeg(jpeg, 30) },
  { group: "image", name: "JPEG q10", coder: ({ jpeg }) => asJpeg(jpeg, 10) },
];
