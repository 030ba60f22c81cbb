// The head of an imported model as a weights file: the state of a model of a backbone and one dense layer that has learned nothing yet.
import { fin } from "../module/mix.ts";
import { STATE_HEADER_BYTES, STATE_MAGIC, STATE_VERSION } from "../protocol/checkpoint.ts";
import { crc32c } from "../protocol/crc32c.ts";
import { encodeWeights } from "../protocol/weights.ts";
import { type ConvNode, ModelError } from "./graph.ts";
import { BIAS_MAX } from "./limits.ts";
import type { Scaling } from "./quantise.ts";

/** Kinds of layers (assembly/octo/layer.ts). */
const DENSE = 2;
const BACKBONE = 8;
const LAYER_HEADER = 16;
/** Largest master, 127 times a unit of the INT8 weight. */
const MASTER_MAX = 127 * 256;
/** Biases are Q20. */
const LARGEST_BIAS = BIAS_MAX / 2 ** 20;
/** Largest weight over an input of 128ths: what errors and outputs are scaled by stays far from the ends of their range. */
const LARGEST_WEIGHT = 2 ** 16;
/** Range of an output before calibration (assembly/octo/conv2d.ts); logits have none. */
const RANGE = 4n << 32n;
/** Values enter a layer that learns as 128ths. */
const UNIT = 128;

/** As assembly/octo/checkpoint.ts describes a layer. */
const describe = (digest: number, kind: number, h: number, w: number, c: number): number =>
  fin(digest ^ fin(kind ^ fin(h ^ fin(w ^ fin(c)))));

/**
 * @param net the description of the backbone, null if there is none
 * @param input what comes in is worth, in the model
 */
export function headFile(node: ConvNode, net: Uint8Array | null, input: Scaling): Uint8Array {
  const filters = node.bias.length;
  const fanIn = node.weights.length / filters;
  // y = Σ W·(q − zero)·scale + b, with q / 128 in the place of q
  const weights = node.weights.map((w) => w * input.scale * UNIT);
  const biases = Array.from(node.bias, (b, o) => {
    const row = node.weights.subarray(o * fanIn, (o + 1) * fanIn);
    return b - row.reduce((sum, w) => sum + w, 0) * input.scale * input.zero;
  });
  const largest = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 2 ** -20);
  if (!(largest <= LARGEST_WEIGHT) || !biases.every((b) => Math.abs(b) <= LARGEST_BIAS)) {
    const bias = biases.reduce((most, b) => Math.max(most, Math.abs(b)), 0);
    throw new ModelError(
      `${node.name}: its outputs are too large to learn on: weights up to ${largest} over an input of 128ths (at most ${LARGEST_WEIGHT}), ` +
        `biases up to ${bias} (at most ${LARGEST_BIAS}): divide the last layer's weights and biases by one number`,
    );
  }
  // the smallest power of two with which 127 reaches them all
  const exponent = Math.ceil(Math.log2(largest / 127));
  const masters = LAYER_HEADER + STATE_HEADER_BYTES;
  const biasesAt = masters + Math.ceil((2 * weights.length) / 4) * 4;
  const bytes = Math.ceil((biasesAt + 4 * filters) / 8) * 8;
  const [h, w, c] = [node.kernel[0], node.kernel[1], fanIn / (node.kernel[0] * node.kernel[1])];
  let structure = 0;
  if (net) structure = describe(describe(0, crc32c(net) | 0, BACKBONE, 0, 0), BACKBONE, h, w, c);
  structure = describe(structure, DENSE, 1, 1, filters);
  const state = new Uint8Array(bytes);
  const view = new DataView(state.buffer);
  for (const [i, word] of [STATE_MAGIC, STATE_VERSION, bytes, structure].entries()) {
    view.setUint32(4 * i, word, true);
  }
  view.setBigUint64(STATE_HEADER_BYTES, RANGE, true);
  view.setInt32(STATE_HEADER_BYTES + 8, exponent, true);
  const clamp = (value: number, most: number) => Math.max(-most, Math.min(most, Math.round(value)));
  for (const [i, value] of weights.entries()) {
    view.setInt16(masters + 2 * i, clamp(value * 2 ** (8 - exponent), MASTER_MAX), true);
  }
  for (const [o, value] of biases.entries()) {
    view.setInt32(biasesAt + 4 * o, clamp(value * 2 ** 20, BIAS_MAX), true);
  }
  const index = net ? 1 : 0;
  const shape = [filters, 1, 1, fanIn] as const;
  const rest = { groups: 1, bits: 0, grid: 0, compensation: 0 };
  return encodeWeights(state, [{ index, kind: DENSE, shape, masters, biases: biasesAt, ...rest }]);
}
