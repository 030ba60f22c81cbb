// Makes a codebook of the context form: given calibration features and thresholds, it learns values, coding order, contexts and
// probabilities.

import type { Codebook, FitContexts, OpenCodebook, Sgq, Tap } from "../../sgq/types.ts";
import { centroids, levelsOf, planesOf, type Thresholds } from "./levels.ts";
import { orderChannels } from "./order.ts";

export type Shape = readonly [h: number, w: number, c: number];

/** The codec, and what learns contexts for it (host/sgq). */
export interface CodebookTools {
  readonly codec: Sgq;
  readonly fitContexts: FitContexts;
}

export interface CodebookOptions {
  readonly model: number;
  /** 1 … 65,535. */
  readonly version: number;
  readonly shape: Shape;
  readonly thresholds: Thresholds;
  /** Bytes of probabilities that a device has room for: 8,192. */
  readonly tableBytes?: number;
  /** Samples that contexts are chosen on; probabilities are counted on all: 64. */
  readonly contextSamples?: number;
  /** Patch size for skipping; [0, 0]: none. */
  readonly patch?: readonly [number, number];
}

const TABLE_BYTES = 8192;

/** Left, above, diagonals; the channel before at the same place and beside it, and the one before that. */
const PLAIN_TAPS: readonly Tap[] = [
  { back: 0, dx: -1, dy: 0 },
  { back: 0, dx: 0, dy: -1 },
  { back: 0, dx: -1, dy: -1 },
  { back: 0, dx: 1, dy: -1 },
  { back: 1, dx: 0, dy: 0 },
  { back: 1, dx: 1, dy: 0 },
  { back: 1, dx: 0, dy: 1 },
  { back: 2, dx: 0, dy: 0 },
];

/** @param features int8 [h, w, c] each; a few hundred are enough for values, thousands make better probabilities */
export function trainCodebook(
  { codec, fitContexts }: CodebookTools,
  features: readonly Int8Array[],
  options: CodebookOptions,
): OpenCodebook {
  const { tableBytes = TABLE_BYTES, contextSamples = 64 } = options;
  const { book, levels } = withoutContexts(features, options);
  return recount(codec, fitContexts(codec, book, levels.slice(0, contextSamples), { tableBytes }), levels);
}

/** A codebook whose contexts are not learned but the usual ones: quickly made, to compare thresholds with. */
export function sketchCodebook(
  { codec }: CodebookTools,
  features: readonly Int8Array[],
  options: CodebookOptions,
): OpenCodebook {
  const { book, levels } = withoutContexts(features, options);
  const planes = book.planes.map((plane, context) => ({ ...plane, context }));
  const plain = { ...book, planes, contexts: planes.map(() => PLAIN_TAPS) };
  return recount(codec, { ...plain, tables: new Uint8Array(codec.tableBytes(plain)).fill(128) }, levels);
}

function withoutContexts(
  features: readonly Int8Array[],
  { model, version, shape, thresholds, patch = [0, 0] }: CodebookOptions,
): { book: Codebook; levels: Uint8Array[] } {
  if (features.length === 0) throw new RangeError("a codebook needs samples to learn from");
  const most = Math.max(1, ...thresholds.map((own) => own.length));
  const bits = Math.ceil(Math.log2(most + 1));
  const levels = features.map((sample) => levelsOf(thresholds, sample));
  const book: Codebook = {
    model,
    version,
    form: "contexts",
    bits,
    shape,
    patch,
    group: 1,
    stripe: 1,
    planes: planesOf(thresholds, orderChannels(levels, thresholds)),
    weights: new Int8Array(0),
    values: centroids(features, thresholds, bits),
    contexts: [[]],
    neighbourBits: 0,
    tables: new Uint8Array(1).fill(128),
  };
  return { book, levels };
}

/** The same codebook with the probabilities that these codes have. */
function recount(codec: Sgq, book: Codebook, levels: readonly Uint8Array[]): OpenCodebook {
  const open = codec.seal(book);
  const counts = codec.counts(open);
  for (const sample of levels) codec.count(open, sample, counts);
  return codec.seal({ ...book, tables: codec.tablesFrom(counts) });
}

/** Mean bytes of a sample's frame. */
export function meanBytes(codec: Sgq, book: OpenCodebook, features: readonly Int8Array[]): number {
  const total = features.reduce(
    (sum, sample, i) => sum + codec.encode(book, [sample], { sequence: i }).length,
    0,
  );
  return total / features.length;
}
